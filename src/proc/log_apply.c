/* log_apply.c - the log as the configuration wants it. */
#include "proc.h"

#include <errno.h>
#include <string.h>

#include "log.h"

int
proc_log_open(const char *slot, const struct conf *conf)
{
	static const char *const levels[] = { "debug", "info", "warn", "error" };
	enum log_format format = LOG_FORMAT_AUTO;
	enum log_level level = LOG_LEVEL_INFO;
	char label[SLOT_NAME];
	size_t i;

	if (strcmp(conf->log_format, "json") == 0)
		format = LOG_FORMAT_JSON;
	else if (strcmp(conf->log_format, "text") == 0)
		format = LOG_FORMAT_TEXT;
	for (i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (strcmp(conf->log_level, levels[i]) == 0)
			level = (enum log_level)i;
	role_slot_label(slot, label);
	log_open(label, format, level);
	if (log_files(conf->log_file, conf->log_access_file) == E_OK)
		return E_OK;
	log_error("log.file, log.access_file: \"%s\", \"%s\": one cannot be opened, the log goes "
		  "on where "
		  "it went: %s",
	    conf->log_file, conf->log_access_file, strerror(errno));
	return E_SYSTEM;
}

void
proc_log_tick(struct stats *stats)
{
	struct log_counts counts;

	log_tick();
	counts = log_counts_take();
	if (counts.dropped > 0)
		metric_add(stats, M_LOG_DROPPED, 0, 0, counts.dropped);
	if (counts.repeated > 0)
		metric_add(stats, M_LOG_REPEATED, 0, 0, counts.repeated);
}
