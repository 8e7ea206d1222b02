/* trouble.c - what a process met that does not end it, and that an operator should know.
 *
 * It stands on the page that the process writes, with its time, and outlives it: whoever is asked for health reads it
 * there, and nothing has to be remembered or taken back.
 */
#include <stdarg.h>
#include <stdio.h>

#include "clock.h"
#include "label.h"
#include "log.h"
#include "metric.h"

_Static_assert(LABEL_trouble_COUNT <= BOARD_TROUBLES, "a place for each kind of trouble");

void
trouble_note(struct stats *s, unsigned trouble, const char *fmt, ...)
{
	struct trouble *t;
	va_list args;

	if (trouble >= LABEL_trouble_COUNT)
		panic("metric: no trouble %u", trouble);
	if (s->mine == NULL)
		return;
	t = &s->mine->troubles[trouble];
	va_start(args, fmt);
	(void)vsnprintf(t->text, sizeof(t->text), fmt, args);
	va_end(args);
	__atomic_store_n(&t->at_ns, clock_wall(), __ATOMIC_RELEASE);
	metric_add(s, M_TROUBLES, trouble, 0, 1);
}

/* Both ways, because a clock may be set back: what seems to come from far ahead would stay for as long. */
bool
trouble_is_recent(const struct trouble *t, int64_t now)
{
	int64_t at = __atomic_load_n(&t->at_ns, __ATOMIC_ACQUIRE);

	return at > 0 && at > now - TROUBLE_RECENT_NS && at < now + TROUBLE_RECENT_NS;
}

bool
trouble_is_near(uint64_t used, uint64_t limit)
{
	return limit > 0 && used >= limit - limit / 20;
}
