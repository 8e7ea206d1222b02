/* options.c - the command line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build_config.h"
#include "clock.h"
#include "replay.h"
#include "text.h"

enum option {
	OPTION_ADDRESS = 1,
	OPTION_PORT,
	OPTION_PORT_FILE,
	OPTION_RECORDING,
	OPTION_JOURNAL,
	OPTION_SPEED,
	OPTION_START,
	OPTION_DAY,
	OPTION_LOOP,
	OPTION_KEY,
	OPTION_SECRET,
	OPTION_RATE,
	OPTION_PAGE_MAX,
	OPTION_CONNECTIONS,
	OPTION_CONTROL,
	OPTION_FAULT,
	OPTION_WITH_PARENT,
	OPTION_VERBOSE,
	OPTION_HELP,
	OPTION_VERSION
};

static const struct option_row {
	const char *name, *value, *help;
	enum option option;
} rows[] = {
	{ "address", "A", "listen here (127.0.0.1)", OPTION_ADDRESS },
	{ "port", "P", "listen on this port; 0 picks one (0)", OPTION_PORT },
	{ "port-file", "FILE", "write the port into this file once listening", OPTION_PORT_FILE },
	{ "recording", "DIR",
	    "what to serve: a folder with recording.ini, or one in LEAN's format; "
	    "may be given several times",
	    OPTION_RECORDING },
	{ "journal", "DIR",
	    "what to serve: what a gateway received, from its state directory or a copy of it; may "
	    "be "
	    "given several times. The clock stands at its end unless --start or --day is given",
	    OPTION_JOURNAL },
	{ "speed", "X", "recorded seconds a second; 0 stands still (1)", OPTION_SPEED },
	{ "start", "HH:MM", "New York time of day the clock starts at (the session's open)",
	    OPTION_START },
	{ "day", "YYYY-MM-DD", "day the clock starts on (the last one with ticks)", OPTION_DAY },
	{ "loop", NULL, "begin anew at the end instead of staying there", OPTION_LOOP },
	{ "key", "K", "the only key accepted (any pair that is not empty)", OPTION_KEY },
	{ "secret", "S", "its secret", OPTION_SECRET },
	{ "rate-per-minute", "N", "requests a minute and key, per API; 0 is unlimited (200)",
	    OPTION_RATE },
	{ "page-max", "N", "hold at most N points a page, whatever limit asks; 0 is no bound (0)",
	    OPTION_PAGE_MAX },
	{ "connections", "N", "open at once at most (2048)", OPTION_CONNECTIONS },
	{ "control", NULL, "answer /_replay: faults, bodies, clock, statistics", OPTION_CONTROL },
	{ "fault", "KIND[:COUNT[:PATH]]", "a fault from the start on; may be given several times",
	    OPTION_FAULT },
	{ "with-parent", NULL, "end when the process that started this one ends",
	    OPTION_WITH_PARENT },
	{ "verbose", NULL, "log more", OPTION_VERBOSE },
	{ "help", NULL, "this text", OPTION_HELP },
	{ "version", NULL, "the version", OPTION_VERSION },
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void
print_help(void)
{
	char name[48];
	size_t i;

	printf("usage: opitios-replay --recording DIR|--journal DIR [option ...]\n\n"
	       "Serves Alpaca's REST market data interface from a recording.\n\n");
	for (i = 0; i < ROWS; i++) {
		snprintf(name, sizeof(name), "--%s %s", rows[i].name,
		    rows[i].value != NULL ? rows[i].value : "");
		printf("  %-28s %s\n", name, rows[i].help);
	}
	printf("\nexit codes: 0 ended as asked, 64 bad arguments, 66 bad recording, 77 address not "
	       "to be had\n");
}

static int
read_port(const char *text, struct options *o)
{
	uint64_t v;

	if (text_to_u64(text, &v) != E_OK || v > 65535)
		return E_INVALID_PARAMETER;
	o->port = (uint16_t)v;
	return E_OK;
}

static int
read_count(const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
	uint64_t v;

	if (text_to_u64(text, &v) != E_OK || v < least || v > most)
		return E_INVALID_PARAMETER;
	*out = v;
	return E_OK;
}

static int
read_speed(const char *text, struct options *o)
{
	return text_to_f64(text, &o->speed) == E_OK && o->speed >= 0 && o->speed <= 100000
		   ? E_OK
		   : E_INVALID_PARAMETER;
}

static int
read_start(const char *text, struct options *o)
{
	int hour, minute;
	char end;

	if (strlen(text) != 5 || sscanf(text, "%2d:%2d%c", &hour, &minute, &end) != 2 || hour < 0 ||
	    hour > 23 || minute < 0 || minute > 59)
		return E_INVALID_PARAMETER;
	o->start_of_day = (hour * 60 + minute) * 60 * CLOCK_SEC;
	return E_OK;
}

static int
read_day(const char *text, struct options *o)
{
	int year, month, day;

	if (clock_parse_date(text, &year, &month, &day) != E_OK || year < 1990 || year > 2200)
		return E_INVALID_PARAMETER;
	o->day = clock_days(year, month, day);
	return E_OK;
}

static int
read_more(const char *text, const char **list, size_t *count)
{
	if (*count == RECORDINGS_MAX || *text == '\0')
		return E_INVALID_PARAMETER;
	list[(*count)++] = text;
	return E_OK;
}

static int
read_text(const char *text, const char **out)
{
	if (*text == '\0' || strlen(text) >= CREDENTIAL)
		return E_INVALID_PARAMETER;
	*out = text;
	return E_OK;
}

static int
read_option(struct options *o, enum option option, const char *value)
{
	switch (option) {
	case OPTION_ADDRESS:
		return read_text(value, &o->address);
	case OPTION_PORT:
		return read_port(value, o);
	case OPTION_PORT_FILE:
		o->port_file = value;
		return *value != '\0' ? E_OK : E_INVALID_PARAMETER;
	case OPTION_RECORDING:
		return read_more(value, o->recordings, &o->recording_count);
	case OPTION_JOURNAL:
		return read_more(value, o->journals, &o->journal_count);
	case OPTION_SPEED:
		return read_speed(value, o);
	case OPTION_START:
		return read_start(value, o);
	case OPTION_DAY:
		return read_day(value, o);
	case OPTION_KEY:
		return read_text(value, &o->key);
	case OPTION_SECRET:
		return read_text(value, &o->secret);
	case OPTION_RATE:
		return read_count(value, 0, 1000000000, &o->rate_per_minute);
	case OPTION_PAGE_MAX:
		return read_count(value, 0, 10000, &o->page_max);
	case OPTION_CONNECTIONS:
		return read_count(value, 1, 100000, &o->connections_max);
	case OPTION_FAULT:
		return read_more(value, o->faults, &o->fault_count);
	default:
		return E_INVALID_PARAMETER;
	}
}

/* Options without a value. E_CLOSED: answered, nothing is left to do. */
static int
read_flag(struct options *o, enum option option)
{
	switch (option) {
	case OPTION_LOOP:
		o->loops = true;
		return E_OK;
	case OPTION_CONTROL:
		o->control = true;
		return E_OK;
	case OPTION_WITH_PARENT:
		o->with_parent = true;
		return E_OK;
	case OPTION_VERBOSE:
		o->verbose = true;
		return E_OK;
	case OPTION_HELP:
		print_help();
		return E_CLOSED;
	default:
		printf("opitios-replay %s\n", PACKAGE_VERSION);
		return E_CLOSED;
	}
}

static void
options_init(struct options *o)
{
	memset(o, 0, sizeof(*o));
	o->address = "127.0.0.1";
	o->speed = 1;
	o->start_of_day = -1;
	o->day = INT64_MIN;
	o->rate_per_minute = 200;
	o->connections_max = 2048;
}

static int
options_check(const struct options *o, char why[LOAD_WHY])
{
	if (o->recording_count == 0 && o->journal_count == 0)
		snprintf(why, LOAD_WHY, "--recording or --journal is missing: say what to serve");
	else if ((o->key == NULL) != (o->secret == NULL))
		snprintf(why, LOAD_WHY, "--key and --secret go together");
	else
		return E_OK;
	return E_INVALID_PARAMETER;
}

static const struct option_row *
row_find(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < ROWS; i++)
		if (strlen(rows[i].name) == len && strncmp(rows[i].name, name, len) == 0)
			return &rows[i];
	return NULL;
}

/* One argument, and the next one where it is its value: *i moves. */
static int
read_argument(struct options *o, int argc, char **argv, int *i, char why[LOAD_WHY])
{
	const char *argument = argv[*i], *name = argument + 2, *value;
	const struct option_row *row = NULL;
	size_t len = 0;
	int e;

	if (strncmp(argument, "--", 2) == 0) {
		len = strcspn(name, "=");
		row = row_find(name, len);
	}
	if (row == NULL) {
		snprintf(why, LOAD_WHY, "%.100s: there is no such option", argument);
		return E_INVALID_PARAMETER;
	}
	value = name[len] == '=' ? name + len + 1 : NULL;
	if (row->value == NULL && value != NULL) {
		snprintf(why, LOAD_WHY, "--%s takes no value", row->name);
		return E_INVALID_PARAMETER;
	}
	if (row->value == NULL)
		return read_flag(o, row->option);
	if (value == NULL && *i + 1 == argc) {
		snprintf(why, LOAD_WHY, "--%s: a value is missing: %s", row->name, row->value);
		return E_INVALID_PARAMETER;
	}
	if (value == NULL)
		value = argv[++*i];
	e = read_option(o, row->option, value);
	if (e != E_OK)
		snprintf(why, LOAD_WHY, "--%s: \"%.100s\" is not acceptable: %s", row->name, value,
		    row->help);
	return e;
}

int
options_read(struct options *o, int argc, char **argv, char why[LOAD_WHY])
{
	int e = E_OK, i;

	options_init(o);
	for (i = 1; e == E_OK && i < argc; i++)
		e = read_argument(o, argc, argv, &i, why);
	return e == E_OK ? options_check(o, why) : e;
}
