/* disk.c - how full the disk of the state directory is; asked by the process that waits for it anyway. */
#include <sys/statvfs.h>

#include "cache_writer.h"

void
disk_look(struct stats *stats, const char *state_dir)
{
	struct statvfs v;

	if (statvfs(state_dir, &v) != 0)
		return;
	metric_set(stats, M_STATE_DISK, 0, 0, (uint64_t)v.f_blocks * v.f_frsize);
	metric_set(stats, M_STATE_DISK_LEFT, 0, 0, (uint64_t)v.f_bavail * v.f_frsize);
}
