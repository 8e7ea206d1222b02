/* ctl_health.c - the word of health, as the control socket says it: by the same rules as every other address. */
#include "ctl.h"

#include "clock.h"
#include "health.h"
#include "json_write.h"

void
ctl_health(const struct master *m, struct json *j)
{
	static const struct health_own own;
	const struct health_reason *found[HEALTH_REASONS_MAX];
	struct health_facts facts;
	char text[HEALTH_REASON_TEXT];
	bool ready = true;
	size_t count;

	health_gather(m->board, &own, clock_wall(), &facts);
	json_text(j, "health", health_name(health_judge(&facts, found, &count)));
	for (size_t i = 0; i < count; i++)
		ready = ready && !found[i]->unready;
	json_bool(j, "ready", ready);
	json_array_open(j, "reasons");
	for (size_t i = 0; i < count; i++)
		json_text(j, NULL, health_reason_text(&facts, found[i], text));
	json_array_close(j);
}
