/* ctl_commands.c - commands.def as the master sees it, and the commands that change something. */
#include "ctl.h"

#include <string.h>

#include "log.h"
#include "text.h"

static ctl_handler_fn ctl_reload, ctl_upgrade, ctl_restart, ctl_drain, ctl_scale, ctl_log_level,
    ctl_reopen_logs;

/* What opitios-ctl makes of queries has no handler here. */
#define HANDLER_QUERY(handler)	ctl_##handler
#define HANDLER_ACTION(handler) ctl_##handler
#define HANDLER_CLIENT(handler) NULL
#define HANDLER_LOCAL(handler)	NULL

static const struct ctl_command ctl_table[] = {
#define COMMAND(handler, name, KIND, arguments, help)                                              \
	{ (name), CTL_##KIND, (arguments), HANDLER_##KIND(handler) },
#include "tables/commands.def"
};

const struct ctl_command *
ctl_command_find(const char *name)
{
	for (size_t i = 0; i < sizeof(ctl_table) / sizeof(ctl_table[0]); i++)
		if (ctl_table[i].handle != NULL && strcmp(ctl_table[i].name, name) == 0)
			return &ctl_table[i];
	return NULL;
}

/* So many words of its argument list have to be there, and so many may. */
bool
ctl_command_takes(const struct ctl_command *command, size_t argc)
{
	size_t least = 0, most = 0;

	for (const char *p = command->arguments; *p != '\0'; p++) {
		if (p != command->arguments && p[-1] != ' ')
			continue;
		most++;
		least += *p != '[';
	}
	return argc >= least && argc <= most;
}

static void
ctl_reload(struct ctl_answer *a, const struct ctl_request *q)
{
	(void)q;
	reload_begin(a->master, ctl_done, a->wait);
}

static void
ctl_upgrade(struct ctl_answer *a, const struct ctl_request *q)
{
	(void)q;
	upgrade_begin(a->master, ctl_done, a->wait);
}

static void
ctl_restart(struct ctl_answer *a, const struct ctl_request *q)
{
	struct slot *s = slots_find(a->master, q->args[0]);

	if (s == NULL)
		ctl_refuse(
		    a, E_ABSENT, "there is no slot \"%s\": `workers` lists them", q->args[0]);
	else
		replace_begin(a->master, s, CAUSE_ASKED, ctl_done, a->wait);
}

/* Asked twice it would end at once, which is not what the word says. */
static void
ctl_drain(struct ctl_answer *a, const struct ctl_request *q)
{
	(void)q;
	if (a->master->stop.phase != STOP_NOT) {
		ctl_refuse(a, E_FULL, "the gateway is stopping already");
		return;
	}
	log_info("asked over the control socket to drain and end");
	stop_begin(a->master, a->master->conf.supervisor_drain_delay);
	ctl_done(a->wait, E_OK, "draining: the gateway ends when requests in hand are finished");
}

static void
ctl_scale(struct ctl_answer *a, const struct ctl_request *q)
{
	uint64_t n;

	if (strcmp(q->args[0], "http") != 0)
		ctl_refuse(
		    a, E_INVALID_PARAMETER, "\"%s\" cannot be scaled: only http can", q->args[0]);
	else if (text_to_u64(q->args[1], &n) != E_OK || n < 1 || n > 256)
		ctl_refuse(a, E_INVALID_PARAMETER, "\"%s\" is no number of workers from 1 to 256",
		    q->args[1]);
	else
		scale_http(a->master, (unsigned)n, ctl_done, a->wait);
}

static void
ctl_log_level(struct ctl_answer *a, const struct ctl_request *q)
{
	if (master_log_level(a->master, q->args[0]) != E_OK)
		ctl_refuse(a, E_INVALID_PARAMETER, "\"%s\" is no level: debug, info, warn or error",
		    q->args[0]);
	else
		json_text(a->json, "level", q->args[0]);
}

static void
ctl_reopen_logs(struct ctl_answer *a, const struct ctl_request *q)
{
	(void)q;
	if (master_log_reopen(a->master) != E_OK)
		ctl_refuse(a, E_SYSTEM, "a file of the log cannot be opened: see the log");
	else
		json_bool(a->json, "reopened", true);
}
