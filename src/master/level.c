/* level.c - the log of master and all workers while the gateway runs: another level, files opened anew. */
#include "master_room.h"

#include "proc.h"

int
master_log_level(struct master *m, const char *level)
{
	char why[CONF_ERROR];

	if (conf_set(&m->conf, "log.level", level, "the control socket", why) != E_OK)
		return E_INVALID_PARAMETER;
	(void)master_log_reopen(m);
	return E_OK;
}

/* Workers open their files when they are told the settings, again. Until then they write to where they did, which
 * is what the file was moved to: no line is lost. */
int
master_log_reopen(struct master *m)
{
	int r = proc_log_open("master", &m->conf);
	size_t i;

	for (i = 0; i < m->slot_count; i++)
		if (m->slots[i].control != NULL)
			wire_settings(&m->slots[i]);
	return r;
}
