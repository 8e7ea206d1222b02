/* ctl_stubs.c - stands in for the actions that are written elsewhere; goes when they are there. */
#include "master_room.h"

#include <string.h>

#include "log.h"

#define STUB __attribute__((weak))

static void
stub_refuse(done_fn *done, void *arg)
{
	done(arg, E_NOT_IMPLEMENTED, "this build cannot do it");
}

STUB void
replace_begin(
    struct master *m, struct slot *current, enum slot_cause cause, done_fn *done, void *arg)
{
	(void)m, (void)current, (void)cause;
	stub_refuse(done, arg);
}

STUB void
reload_begin(struct master *m, done_fn *done, void *arg)
{
	(void)m;
	stub_refuse(done, arg);
}

STUB void
upgrade_begin(struct master *m, done_fn *done, void *arg)
{
	(void)m;
	stub_refuse(done, arg);
}

STUB void
scale_http(struct master *m, unsigned workers, done_fn *done, void *arg)
{
	(void)m, (void)workers;
	stub_refuse(done, arg);
}

STUB struct slot *
slots_find(struct master *m, const char *label)
{
	for (size_t i = 0; i < m->slot_count; i++)
		if (strcmp(m->slots[i].name, label) == 0)
			return &m->slots[i];
	return NULL;
}

STUB int
master_log_level(struct master *m, const char *level)
{
	static const char *const levels[] = { "debug", "info", "warn", "error" };

	(void)m;
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (strcmp(level, levels[i]) == 0) {
			log_level_set((enum log_level)i);
			return E_OK;
		}
	return E_INVALID_PARAMETER;
}
