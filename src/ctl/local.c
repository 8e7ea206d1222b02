/* local.c - what commands share that read files or a store themselves. */
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "conf.h"
#include "ctl_room.h"
#include "text.h"

int
local_fail(const struct ctl_options *o, enum exit_code code, const char *fmt, ...)
{
	char why[CTL_LINE];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	say_error(o, format_clean(why), code);
	return (int)code;
}

/* As the gateway reads it: the command line wins over the environment, that over the file. */
int
local_conf(const struct ctl_options *o, struct conf *conf)
{
	char why[CONF_ERROR];
	int r = E_OK;

	conf_defaults(conf);
	if (o->config != NULL)
		r = conf_file_read(conf, o->config, why);
	if (r == E_OK)
		r = conf_env_read(conf, environ, why);
	if (r == E_OK && o->state_dir != NULL)
		r = conf_set(conf, "state.dir", o->state_dir, "--state-dir", why);
	if (r != E_OK) {
		(void)local_fail(o, EXIT_WITH_CONFIG, "%s", why);
		conf_wipe_secrets(conf);
	}
	return r;
}

static volatile sig_atomic_t interrupted;

static void
local_on_signal(int signal)
{
	(void)signal;
	interrupted = 1;
}

/* The first asks, a second one does not wait. */
void
local_signals(void)
{
	struct sigaction act = { .sa_handler = local_on_signal, .sa_flags = (int)SA_RESETHAND };

	(void)sigaction(SIGINT, &act, NULL);
	(void)sigaction(SIGTERM, &act, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
}

bool
local_interrupted(void)
{
	return interrupted != 0;
}

int
local_limit(const struct ctl_options *o, uint64_t *limit)
{
	const char *text = option_text(o, "--limit");
	uint64_t n = 0;

	if (text != NULL && (text_to_u64(text, &n) != E_OK || n == 0)) {
		(void)local_fail(
		    o, EXIT_WITH_USAGE, "--limit \"%.40s\" is no number from 1 on", text);
		return E_INVALID_PARAMETER;
	}
	*limit = n;
	return E_OK;
}

int
local_time(const char *text, int64_t *ns)
{
	int year, month, day;

	if (clock_parse_date(text, &year, &month, &day) == E_OK) {
		*ns = clock_days(year, month, day) * CLOCK_DAY;
		return E_OK;
	}
	return clock_parse(text, ns) == E_OK ? E_OK : E_INVALID_PARAMETER;
}

int
local_time_end(const char *text, int64_t *ns)
{
	int year, month, day;
	int r = local_time(text, ns);

	if (r == E_OK && clock_parse_date(text, &year, &month, &day) == E_OK)
		*ns += CLOCK_DAY;
	return r;
}

int
local_range(const struct ctl_options *o, int64_t *from_ns, int64_t *to_ns)
{
	const char *from = option_text(o, "--from"), *to = option_text(o, "--to");
	const char *wrong = NULL;

	*from_ns = *to_ns = 0;
	if (from != NULL && local_time(from, from_ns) != E_OK)
		wrong = from;
	if (to != NULL && local_time_end(to, to_ns) != E_OK)
		wrong = to;
	if (wrong != NULL)
		(void)local_fail(o, EXIT_WITH_USAGE,
		    "\"%.60s\" is no time like 2024-01-31 or 2024-01-31T14:30:00Z", wrong);
	else if (from != NULL && to != NULL && *from_ns >= *to_ns)
		(void)local_fail(
		    o, EXIT_WITH_USAGE, "--to %.60s is not behind --from %.60s", to, from);
	else
		return E_OK;
	return E_INVALID_DATE_RANGE;
}
