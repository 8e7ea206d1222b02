/* ctl_health.c - the word of health, as the control socket says it. */
#include "ctl.h"

#include <string.h>

static bool
role_is_ready(const struct master *m, enum role role)
{
	bool any = false;

	for (size_t i = 0; i < m->slot_count; i++) {
		const struct slot *s = ctl_slot_shown(&m->slots[i]);

		if (s == NULL || (s->role & role) == 0)
			continue;
		if (s->state != SLOT_READY)
			return false;
		any = true;
	}
	return any;
}

/* The same facts as /readyz goes by. */
const char *
ctl_health(const struct master *m, bool *ready, const char *reasons[CTL_REASONS_MAX], size_t *count)
{
	bool fetcher_was = m->board->all_ready_ns != 0, fetcher = role_is_ready(m, ROLE_FETCHER);

	*count = 0;
	*ready = !m->board->stopping && (fetcher || fetcher_was);
	if (m->board->stopping)
		reasons[(*count)++] = "the gateway is stopping";
	if (!fetcher && !fetcher_was)
		reasons[(*count)++] = "no fetcher has been ready yet";
	else if (!fetcher)
		reasons[(*count)++] = "the fetcher is not ready";
	if (!role_is_ready(m, ROLE_ANY))
		reasons[(*count)++] = "a worker is not ready";
	if (!*ready)
		return "unhealthy";
	return *count > 0 ? "degraded" : "healthy";
}
