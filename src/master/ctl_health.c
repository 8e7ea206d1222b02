/* ctl_health.c - the word of health, as the control socket says it: by the same rules as every other address. */
#include "ctl.h"

#include "clock.h"
#include "health.h"

_Static_assert(CTL_REASONS_MAX >= HEALTH_REASONS_MAX, "a place for each reason");

const char *
ctl_health(const struct master *m, bool *ready, const char *reasons[CTL_REASONS_MAX], size_t *count)
{
	static const struct health_own own;
	const struct health_reason *found[HEALTH_REASONS_MAX];
	struct health_facts facts;
	enum health verdict;

	health_gather(m->board, &own, clock_wall(), &facts);
	verdict = health_judge(&facts, found, count);
	*ready = true;
	for (size_t i = 0; i < *count; i++) {
		reasons[i] = found[i]->text;
		*ready = *ready && !found[i]->unready;
	}
	return health_name(verdict);
}
