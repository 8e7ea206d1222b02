/* conf.c - the rows of config.def, and one struct conf from default to checked. */
#include "conf.h"

#include <stdio.h>
#include <string.h>

#include "conf_room.h"
#include "log.h"
#include "mem.h"
#include "text.h"

#define CONF_HANG_LEAST_MS 300 /* a loop's turn may take long under load without being a hang */
#define SHOWN_MAX	   64  /* bytes of a refused value repeated in the error line */

/* The column `min` is a list of words for CHOICE and a number for the rest. */
#define CHOICES_STR(v)	  NULL
#define CHOICES_URL(v)	  NULL
#define CHOICES_ADDR(v)	  NULL
#define CHOICES_SECRET(v) NULL
#define CHOICES_CHOICE(v) (v)
#define CHOICES_BOOL(v)	  NULL
#define CHOICES_COUNT(v)  NULL
#define CHOICES_BYTES(v)  NULL
#define CHOICES_MSEC(v)	  NULL
#define LOWEST_STR(v)	  0
#define LOWEST_URL(v)	  0
#define LOWEST_ADDR(v)	  (v)
#define LOWEST_SECRET(v)  0
#define LOWEST_CHOICE(v)  0
#define LOWEST_BOOL(v)	  0
#define LOWEST_COUNT(v)	  (double)(v)
#define LOWEST_BYTES(v)	  (double)(v)
#define LOWEST_MSEC(v)	  (double)(v)

static const struct conf_row conf_table[] = {
/* clang-format off */
#define CONFIG(section_, key_, TYPE, def_, min_, max_, roles_, when_, env_, help_) { \
	.section = #section_, .key = #key_, .type = CONF_##TYPE, .def = (def_), \
	.choices = CHOICES_##TYPE(min_), .min = LOWEST_##TYPE(min_), .max = (double)(max_), \
	.roles = (unsigned)(roles_), .when = WHEN_##when_, .env = (env_), .help = (help_), \
	.offset = offsetof(struct conf, section_##_##key_), \
	.size = sizeof(((struct conf *)0)->section_##_##key_) },
#include "tables/config.def"
	/* clang-format on */
};

const struct conf_row *
conf_rows(size_t *count)
{
	*count = CONF_ROWS;
	return conf_table;
}

const struct conf_row *
conf_find(const char *dotted_key)
{
	const char *dot = strchr(dotted_key, '.');
	size_t section;

	if (dot == NULL)
		return NULL;
	section = (size_t)(dot - dotted_key);
	for (size_t i = 0; i < CONF_ROWS; i++)
		if (strlen(conf_table[i].section) == section &&
		    memcmp(conf_table[i].section, dotted_key, section) == 0 &&
		    strcmp(conf_table[i].key, dot + 1) == 0)
			return &conf_table[i];
	return NULL;
}

void *
conf_field(struct conf *c, const struct conf_row *row)
{
	return (char *)c + row->offset;
}

const void *
conf_field_of(const struct conf *c, const struct conf_row *row)
{
	return (const char *)c + row->offset;
}

void
conf_defaults(struct conf *c)
{
	char reason[CONF_REASON];

	memset(c, 0, sizeof(*c));
	for (size_t i = 0; i < CONF_ROWS; i++)
		if (conf_value_set(c, &conf_table[i], conf_table[i].def, reason) != E_OK)
			panic("config.def: default of %s.%s %s", conf_table[i].section,
			    conf_table[i].key, reason);
}

/* A value fit for an error line: bounded, and nothing a terminal would obey. */
static void
conf_show(const char *text, char out[SHOWN_MAX + 4])
{
	size_t len = strnlen(text, SHOWN_MAX + 1), n = len > SHOWN_MAX ? SHOWN_MAX : len;

	for (size_t i = 0; i < n; i++)
		out[i] = (char)(text_is_printable(text + i, 1) ? text[i] : '?');
	memcpy(out + n, len > SHOWN_MAX ? "..." : "", len > SHOWN_MAX ? 4 : 1);
}

int
conf_set(struct conf *c, const char *dotted_key, const char *text, const char *origin,
    char why[CONF_ERROR])
{
	const struct conf_row *row = conf_find(dotted_key);
	char reason[CONF_REASON], shown[SHOWN_MAX + 4];

	conf_show(dotted_key, shown);
	if (row == NULL) {
		(void)snprintf(why, CONF_ERROR, "%s: no such key (from %.250s)", shown, origin);
		return E_CONFIG;
	}
	if (conf_value_set(c, row, text, reason) == E_OK)
		return E_OK;
	/* A URL may have been given with a password in it, or a key behind it. */
	if (row->type == CONF_SECRET ||
	    (row->type == CONF_URL && strpbrk(text, "@?#; \t\r\n") != NULL)) {
		(void)snprintf(
		    why, CONF_ERROR, "%s: the value %s (from %.250s)", dotted_key, reason, origin);
		return E_CONFIG;
	}
	conf_show(text, shown);
	(void)snprintf(
	    why, CONF_ERROR, "%s: \"%s\" %s (from %.250s)", dotted_key, shown, reason, origin);
	return E_CONFIG;
}

/* Two keys that cannot both be as they are. */
static int
conf_contradict(const char *key, const char *other, const char *reason, char why[CONF_ERROR])
{
	(void)snprintf(why, CONF_ERROR, "%s: %s %s", key, reason, other);
	return E_CONFIG;
}

int
conf_check(struct conf *c, char why[CONF_ERROR])
{
	if (c->state_dir[0] == '\0') {
		(void)snprintf(why, CONF_ERROR,
		    "state.dir: is empty: name a directory for journal and history");
		return E_CONFIG;
	}
	if (c->supervisor_restart_floor > c->supervisor_restart_ceiling)
		return conf_contradict("supervisor.restart_floor", "supervisor.restart_ceiling",
		    "is longer than", why);
	if (c->supervisor_hang_timeout > 0 && c->supervisor_hang_timeout < CONF_HANG_LEAST_MS) {
		(void)snprintf(why, CONF_ERROR,
		    "supervisor.hang_timeout: is below 300ms: give more, or 0 for none");
		return E_CONFIG;
	}
	if (c->journal_segment_bytes > c->journal_max_bytes)
		return conf_contradict(
		    "journal.segment_bytes", "journal.max_bytes", "is larger than", why);
	if (c->upstream_budget_reserve >= c->upstream_budget_per_minute)
		return conf_contradict("upstream.budget_reserve", "upstream.budget_per_minute",
		    "leaves nothing to spend of", why);
	if (c->alpaca_key[0] != '\0' && c->alpaca_secret[0] == '\0')
		return conf_contradict(
		    "alpaca.secret", "alpaca.key", "is not set, and is needed beside", why);
	if (c->alpaca_key[0] == '\0' && c->alpaca_secret[0] != '\0')
		return conf_contradict(
		    "alpaca.key", "alpaca.secret", "is not set, and is needed beside", why);
	if (c->postgres_read_url[0] == '\0')
		(void)text_copy(
		    c->postgres_read_url, sizeof(c->postgres_read_url), c->postgres_url);
	if (c->main_debug)
		(void)text_copy(c->log_level, sizeof(c->log_level), "debug");
	return E_OK;
}

void
conf_wipe_secrets(struct conf *c)
{
	for (size_t i = 0; i < CONF_ROWS; i++)
		if (conf_table[i].type == CONF_SECRET)
			mem_wipe(conf_field(c, &conf_table[i]), conf_table[i].size);
}
