/* wall_age.c - how old something is that another process received, told by the wall clock. */
#include "clock.h"
#include "lookup.h"

#define FUTURE_NS                                                                                  \
	(1000 *                                                                                    \
	    CLOCK_MS) /* clocks of two machines differ by so much; more is no time to count from */
#define MEMORY_NS (3600 * CLOCK_SEC)

int64_t
wall_age_ns(struct wall_guard *g, int64_t received_ns)
{
	int64_t mono = clock_mono(), ahead = clock_wall() - mono, age;

	if (!g->set || ahead >= g->ahead_ns || mono - g->seen_ns > MEMORY_NS)
		*g = (struct wall_guard){ .ahead_ns = ahead, .seen_ns = mono, .set = true };
	if (received_ns > mono + ahead + FUTURE_NS)
		return -1;
	age = mono + g->ahead_ns - received_ns;
	return age > 0 ? age : 0;
}
