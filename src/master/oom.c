/* oom.c - whether the kernel kills for want of memory.
 *
 * It counts for the whole machine. Together with a SIGKILL that nobody here sent a count that grew a moment ago is as
 * good as certain; one that grew days ago says nothing about a kill of today, so what it is compared with is renewed.
 */
#include <inttypes.h>
#include <stdio.h>

#include "clock.h"
#include "master_room.h"

#define OOM_RENEW_NS                                                                               \
	(10 * CLOCK_SEC) /* a large process takes a while to be gone after it was killed */

uint64_t
oom_kills(const char *vmstat)
{
	char line[128];
	uint64_t n = 0;
	FILE *f = fopen(vmstat, "re");

	if (f == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "oom_kill %" SCNu64, &n) == 1)
			break;
	fclose(f);
	return n;
}

bool
oom_is_due(const struct oom *o, int64_t now_ns)
{
	return o->looked_ns == 0 || now_ns - o->looked_ns >= OOM_RENEW_NS;
}

/* The kernel's count never falls: one that seems to was not read, for want of a descriptor. */
static uint64_t
oom_never_less(const struct oom *o, uint64_t kills)
{
	return kills > o->recent ? kills : o->recent;
}

void
oom_look(struct oom *o, uint64_t kills, int64_t now_ns)
{
	kills = oom_never_less(o, kills);
	o->before = o->looked_ns == 0 ? kills : o->recent;
	o->recent = kills;
	o->looked_ns = now_ns;
}

bool
oom_grew(struct oom *o, uint64_t kills)
{
	bool grew = kills > o->before;

	kills = oom_never_less(o, kills);
	o->before = o->recent = kills;
	return grew;
}
