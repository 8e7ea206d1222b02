/* journal.c - opitios-ctl journal: which journals there are, and what their segments hold. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "clock.h"
#include "conf.h"
#include "ctl_room.h"
#include "journal_scan.h"
#include "json_write.h"
#include "mem.h"
#include "shelf.h"
#include "text.h"

#define LS_LINE 4096

static char *
number_text(uint64_t n, char out[FORMAT_TEXT])
{
	(void)snprintf(out, FORMAT_TEXT, n > 0 ? "%" PRIu64 : "-", n);
	return out;
}

static const char *
time_text(int64_t ns, char out[CLOCK_TEXT])
{
	if (ns == 0)
		(void)strcpy(out, "-");
	else
		(void)clock_format_ms(ns, out);
	return out;
}

static void
cell_number(struct table *t, uint64_t n)
{
	char text[FORMAT_TEXT];

	table_cell(t, STYLE_PLAIN, number_text(n, text));
}

static void
cell_bytes(struct table *t, uint64_t n)
{
	char text[FORMAT_TEXT];

	table_cell(t, STYLE_PLAIN, format_bytes((double)n, text));
}

static void
cell_time(struct table *t, int64_t ns)
{
	char text[CLOCK_TEXT];

	table_cell(t, STYLE_PLAIN, time_text(ns, text));
}

static void
line_print(struct json *j, struct buf *line)
{
	json_object_close(j);
	if (json_end(j) == E_OK)
		(void)printf("%.*s\n", (int)buf_len(line), (const char *)buf_data(line));
	buf_reset(line);
}

/* What is known without reading all of it; "" when it looks well. */
static void
damage_text(const struct survey_sum *sum, char out[CTL_LINE])
{
	out[0] = '\0';
	if (sum->bad > 0)
		(void)snprintf(
		    out, CTL_LINE, "%zu segment(s): %s", sum->bad, segment_state_name(sum->worst));
	else if (sum->missing > 0)
		(void)snprintf(out, CTL_LINE, "%" PRIu64 " record(s) missing", sum->missing);
	else if (sum->worst == SEGMENT_TORN)
		(void)snprintf(out, CTL_LINE, "torn end");
}

static void
source_json(
    const char *source, const struct survey_sum *sum, size_t segments, const uint64_t *stored)
{
	char damage[CTL_LINE];
	struct json j;
	struct buf line;

	damage_text(sum, damage);
	buf_init(&line, LS_LINE);
	json_begin(&j, &line);
	json_object_open(&j, NULL);
	json_text(&j, "source", source);
	json_u64(&j, "segments", segments);
	json_u64(&j, "first", sum->first);
	json_u64(&j, "last", sum->last);
	json_u64(&j, "records", sum->records);
	json_u64(&j, "missing", sum->missing);
	json_u64(&j, "bytes", sum->bytes);
	json_time(&j, "first_time", sum->first_ns);
	json_time(&j, "last_time", sum->last_ns);
	if (stored != NULL)
		json_u64(&j, "stored", *stored);
	else
		json_absent(&j, "stored");
	json_text_or_null(&j, "damage", damage);
	line_print(&j, &line);
	buf_fini(&line);
}

static void
source_row(struct table *t, const char *source, const struct survey_sum *sum, size_t segments,
    const uint64_t *stored)
{
	char damage[CTL_LINE];

	damage_text(sum, damage);
	table_cell(t, STYLE_BOLD, source);
	cell_number(t, segments);
	cell_number(t, sum->first);
	cell_number(t, sum->last);
	cell_number(t, sum->records);
	cell_bytes(t, sum->bytes);
	cell_time(t, sum->first_ns);
	cell_time(t, sum->last_ns);
	if (stored == NULL)
		table_cell(t, STYLE_DIM, "not known");
	else if (*stored >= sum->last)
		table_cell(t, STYLE_GOOD, "all");
	else
		cell_number(t, *stored);
	table_cell(t, damage[0] == '\0' ? STYLE_GOOD : STYLE_BAD, damage[0] == '\0' ? "-" : damage);
}

static struct table *
table_of(const char *const *titles, size_t count, unsigned left)
{
	struct table *t = table_new();

	for (size_t i = 0; i < count; i++)
		table_column(t, titles[i], left >> i & 1 ? TABLE_LEFT : TABLE_RIGHT);
	return t;
}

static int
ls_failed(const struct ctl_options *o, const char *state_dir, const char *source, int error)
{
	if (error == E_LIMIT)
		return local_fail(o, EXIT_WITH_USAGE, "\"%.60s\" is no name of a journal", source);
	return local_fail(
	    o, EXIT_WITH_INPUT, "%.300s/journal/%s: %s", state_dir, source, strerror(errno));
}

/* How far it is stored, if the store can be read. */
static int
ls_stored(struct shelf *shelf, const char *source, uint64_t *stored)
{
	return shelf != NULL ? shelf_position(shelf, source, stored) : E_ABSENT;
}

static int
ls_sources(const struct ctl_options *o, const struct conf *conf)
{
	const char *state_dir = conf->state_dir;
	static const char *const titles[] = { "SOURCE", "SEGMENTS", "FIRST", "LAST", "RECORDS",
		"BYTES", "FROM", "TO", "STORED", "DAMAGE" };
	char(*names)[JOURNAL_SOURCE];
	struct segment_info *infos;
	struct survey_sum sum;
	struct shelf *shelf = NULL;
	struct table *t;
	char why[CTL_LINE];
	size_t sources, count;
	uint64_t stored;
	int code = EXIT_WITH_OK, r;

	if (journal_sources(state_dir, &names, &sources) != E_OK)
		return ls_failed(o, state_dir, "", E_SYSTEM);
	if (shelf_open(&shelf, conf, why) != E_OK && !o->json)
		(void)fprintf(stderr, "opitios-ctl: how far it is stored is not known: %s\n", why);
	t = table_of(titles, sizeof(titles) / sizeof(titles[0]), 0x2c1);
	for (size_t i = 0; i < sources && code == EXIT_WITH_OK; i++) {
		if ((r = journal_survey(state_dir, names[i], &infos, &count)) != E_OK) {
			code = ls_failed(o, state_dir, names[i], r);
			break;
		}
		survey_add_up(infos, count, &sum);
		r = ls_stored(shelf, names[i], &stored);
		if (o->json)
			source_json(names[i], &sum, count, r == E_OK ? &stored : NULL);
		else
			source_row(t, names[i], &sum, count, r == E_OK ? &stored : NULL);
		mem_free(&infos);
	}
	if (!o->json && sources == 0)
		(void)printf("no journals in %s/journal\n", state_dir);
	else if (!o->json)
		table_print(t, stdout, o->colour);
	table_free(&t);
	shelf_close(&shelf);
	mem_free(&names);
	return code;
}

static void
segment_json(const struct segment_info *s)
{
	struct json j;
	struct buf line;

	buf_init(&line, LS_LINE);
	json_begin(&j, &line);
	json_object_open(&j, NULL);
	json_u64(&j, "segment", s->first);
	json_u64(&j, "previous", s->previous);
	json_u64(&j, "last", s->last);
	json_u64(&j, "bytes", s->bytes);
	json_time(&j, "first_time", s->first_ns);
	json_time(&j, "last_time", s->last_ns);
	json_text(&j, "state", segment_state_name(s->state));
	line_print(&j, &line);
	buf_fini(&line);
}

int
journal_ls(const struct ctl_options *o, const struct conf *conf, const char *source)
{
	static const char *const titles[] = { "SEGMENT", "LAST", "RECORDS", "BYTES", "FROM", "TO",
		"STATE" };
	struct segment_info *infos;
	struct table *t;
	size_t count;
	int r;

	if (source == NULL)
		return ls_sources(o, conf);
	if ((r = journal_survey(conf->state_dir, source, &infos, &count)) != E_OK)
		return ls_failed(o, conf->state_dir, source, r);
	t = table_of(titles, sizeof(titles) / sizeof(titles[0]), 0x70);
	for (size_t i = 0; i < count; i++) {
		const struct segment_info *s = &infos[i];

		if (o->json) {
			segment_json(s);
			continue;
		}
		cell_number(t, s->first);
		cell_number(t, s->last);
		cell_number(t, s->last >= s->first ? s->last - s->first + 1 : 0);
		cell_bytes(t, s->bytes);
		cell_time(t, s->first_ns);
		cell_time(t, s->last_ns);
		table_cell(t, s->state == SEGMENT_GOOD ? STYLE_GOOD : STYLE_BAD,
		    segment_state_name(s->state));
	}
	if (!o->json)
		table_print(t, stdout, o->colour);
	table_free(&t);
	mem_free(&infos);
	return EXIT_WITH_OK;
}

/* A source that was named must be there; "" tells the folder of all. */
static int
source_check(const struct ctl_options *o, const char *state_dir, const char *source)
{
	char path[CTL_PATH];
	struct stat st;

	if (source != NULL && (source[0] == '\0' || source[0] == '.' || strchr(source, '/')))
		return local_fail(o, EXIT_WITH_USAGE, "\"%.60s\" is no name of a journal", source);
	(void)snprintf(path, sizeof(path), "%.2000s%s%.60s", state_dir,
	    source != NULL ? "/journal/" : "", source != NULL ? source : "");
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return EXIT_WITH_OK;
	return local_fail(o, EXIT_WITH_INPUT,
	    "%.300s is no folder%s%s: see --state-dir and "
	    "journal ls",
	    path, errno != 0 ? ": " : "", errno != 0 ? strerror(errno) : "");
}

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

int
run_journal(struct client *c, const struct ctl_options *o)
{
	static const struct {
		const char *name;
		int (*run)(const struct ctl_options *, const struct conf *, const char *);
	} kinds[] = { { "ls", journal_ls }, { "cat", journal_cat }, { "verify", journal_verify } };
	static struct conf conf;
	const char *source = o->words[2];
	size_t i;
	int code;

	(void)c;
	if (local_conf(o, &conf) != E_OK)
		return EXIT_WITH_CONFIG;
	for (i = 0; i < KINDS && strcmp(kinds[i].name, o->words[1]) != 0; i++)
		;
	if (i == KINDS)
		code = local_fail(o, EXIT_WITH_USAGE,
		    "journal does not know \"%.40s\": it takes ls, cat or verify", o->words[1]);
	else if ((code = source_check(o, conf.state_dir, source)) == EXIT_WITH_OK)
		code = kinds[i].run(o, &conf, source);
	conf_wipe_secrets(&conf);
	return code;
}
