/* disk.c - how full the disk of the state directory is; asked by the process that waits for it anyway. */
#include <inttypes.h>
#include <sys/statvfs.h>

#include "cache_writer.h"
#include "health.h"
#include "log.h"

void
disk_look(struct stats *stats, const char *state_dir)
{
	static bool was_low;
	struct statvfs v;
	uint64_t all, left;
	bool low;

	if (statvfs(state_dir, &v) != 0)
		return;
	all = (uint64_t)v.f_blocks * v.f_frsize;
	left = (uint64_t)v.f_bavail * v.f_frsize;
	metric_set(stats, M_STATE_DISK, 0, 0, all);
	metric_set(stats, M_STATE_DISK_LEFT, 0, 0, left);
	low = health_disk_is_low(all, left);
	if (low && !was_low)
		log_warn("state.dir: %s: the disk is nearly full: %" PRIu64 " of %" PRIu64
			 " bytes are left; free some, or lower journal.max_bytes and store.keep_*",
		    state_dir, left, all);
	was_low = low;
}
