/* pending.c - seams of the supervisor that other files will fill. */
#include "master_room.h"

void
hang_look(struct master *m, int64_t since_last_ns)
{
	(void)m, (void)since_last_ns;
}

void
crash_report(struct slot *s, const char *cause)
{
	(void)s, (void)cause;
}

void
crash_look(struct slot *s)
{
	(void)s;
}

bool
crash_oom_grew(struct master *m)
{
	(void)m;
	return false;
}
