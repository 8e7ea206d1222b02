/* level.c - another level of the log, for the master and all workers, while the gateway runs. */
#include "master_room.h"

#include "proc.h"

int
master_log_level(struct master *m, const char *level)
{
	char why[CONF_ERROR];
	size_t i;

	if (conf_set(&m->conf, "log.level", level, "the control socket", why) != E_OK)
		return E_INVALID_PARAMETER;
	proc_log_open("master", &m->conf);
	for (i = 0; i < m->slot_count; i++)
		if (m->slots[i].control != NULL)
			wire_settings(&m->slots[i]);
	return E_OK;
}
