/* journal_cat.c - opitios-ctl journal cat: records as lines. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "conf.h"
#include "ctl_room.h"
#include "journal_scan.h"
#include "json_write.h"
#include "mem.h"
#include "text.h"
#include "value_json.h"

#define CAT_LINE       32768
#define CAT_FOLLOW_MS  100 /* between looks at what came */
#define CAT_COMPLAINTS 100 /* lines about damage, then a count */

struct cat {
	const struct ctl_options *options;
	const char *source;
	struct scan_from from, to; /* `to`: the first not wanted */
	uint32_t types;		   /* bits of enum msg_type; 0: all */
	const char *symbol;
	uint64_t limit, printed;
	uint64_t complaints;
	bool version; /* a record or segment was not understood */
	struct buf line;
};

static int
bound_read(const struct ctl_options *o, const char *name, int (*time_of)(const char *, int64_t *),
    struct scan_from *bound)
{
	const char *text = option_text(o, name);

	if (text == NULL || text_to_u64(text, &bound->sequence) == E_OK ||
	    time_of(text, &bound->appended_ns) == E_OK)
		return E_OK;
	(void)local_fail(o, EXIT_WITH_USAGE,
	    "%s \"%.60s\" is neither a sequence nor a time like 2024-01-31T14:30:00Z", name, text);
	return E_INVALID_PARAMETER;
}

static int
type_find(const char *name, size_t len)
{
#define VALUE(value, NAME, number, version, stored, table, help)                                   \
	if (strlen(#value) == len && strncmp(#value, name, len) == 0)                              \
		return (number);
#define FIELD(value, KIND, field, bound, help)
#define VALUE_END(value)
#include "tables/values.def"
	return E_ABSENT;
}

static const char type_names[] =
#define VALUE(value, NAME, number, version, stored, table, help) " " #value
#define FIELD(value, KIND, field, bound, help)
#define VALUE_END(value)
#include "tables/values.def"
    ;

static int
types_read(const struct ctl_options *o, uint32_t *types)
{
	const char *text = option_text(o, "--type");
	int type;

	for (*types = 0; text != NULL && *text != '\0'; text += *text == ',') {
		size_t len = strcspn(text, ",");

		if ((type = type_find(text, len)) < 0 || type > 31) {
			(void)local_fail(o, EXIT_WITH_USAGE,
			    "--type: there is no \"%.*s\"; there are%s", (int)len, text,
			    type_names);
			return E_INVALID_PARAMETER;
		}
		*types |= UINT32_C(1) << type;
		text += len;
	}
	return E_OK;
}

static bool
is_wanted(const struct cat *c, const struct scan_item *item)
{
	const char *symbol;

	if (c->types != 0 && (item->type > 31 || (c->types >> item->type & 1) == 0))
		return false;
	if (c->symbol == NULL || item->kind != SCAN_RECORD)
		return c->symbol == NULL;
	symbol = value_text(item->desc, item->value, "symbol");
	return symbol != NULL && strcmp(symbol, c->symbol) == 0;
}

/* Records behind the end are not looked for: time goes on with the sequence, nearly. */
static bool
is_behind(const struct cat *c, const struct scan_item *item)
{
	return (c->to.sequence > 0 && item->sequence >= c->to.sequence) ||
	       (c->to.appended_ns > 0 && item->appended_ns >= c->to.appended_ns);
}

static int
record_json(const struct cat *c, const struct scan_item *item, struct buf *line)
{
	struct json j;

	json_begin(&j, line);
	json_object_open(&j, NULL);
	json_text(&j, "journal", c->source);
	json_u64(&j, "sequence", item->sequence);
	json_time(&j, "appended", item->appended_ns);
	json_text(&j, "type", item->desc->name);
	value_put_json(item->desc, item->value, &j);
	json_object_close(&j);
	return json_end(&j);
}

static int
record_text(const struct scan_item *item, struct buf *line)
{
	char when[CLOCK_TEXT];
	int r;

	(void)clock_format(item->appended_ns, when);
	r = buf_printf(line, "%" PRIu64 " %s %s", item->sequence, when, item->desc->name);
	return r == E_OK ? value_print_text(item->desc, item->value, line) : r;
}

/* Not E_OK: nobody reads what we print. */
static int
record_print(struct cat *c, const struct scan_item *item)
{
	int r = c->options->json ? record_json(c, item, &c->line) : record_text(item, &c->line);

	if (r == E_OK)
		r = buf_add_text(&c->line, "\n");
	if (r == E_OK &&
	    fwrite(buf_data(&c->line), 1, buf_len(&c->line), stdout) != buf_len(&c->line))
		r = E_CLOSED;
	buf_reset(&c->line);
	c->printed++;
	return r;
}

static void
complain(struct cat *c, const struct scan_item *item)
{
	char text[CTL_LINE];

	c->version = c->version || item->kind == SCAN_UNKNOWN || item->kind == SCAN_NEWER;
	if (++c->complaints > CAT_COMPLAINTS)
		return;
	scan_print(item, text, sizeof(text));
	(void)fflush(stdout);
	(void)fprintf(stderr, "opitios-ctl: journal %s: %s\n", c->source, text);
}

/* E_PARTIAL: there is no more now. E_ABSENT: no more is wanted. */
static int
cat_step(struct cat *c, struct journal_scan *scan)
{
	struct scan_item item;

	if (journal_scan_next(scan, &item) != E_OK)
		return E_SYSTEM;
	switch (item.kind) {
	case SCAN_END:
		return E_PARTIAL;
	case SCAN_SEGMENT:
	case SCAN_STEP:
	case SCAN_TORN:
		return E_OK;
	case SCAN_RECORD:
	case SCAN_UNKNOWN:
		if (is_behind(c, &item))
			return E_ABSENT;
		if (!is_wanted(c, &item))
			return E_OK;
		if (item.kind == SCAN_RECORD) {
			int r = record_print(c, &item);

			return r == E_OK && c->printed == c->limit ? E_ABSENT : r;
		}
		break;
	case SCAN_GAP:
	case SCAN_DAMAGE:
	case SCAN_NEWER:
		break;
	}
	complain(c, &item);
	return E_OK;
}

static int
cat_run(struct cat *c, struct journal_scan *scan)
{
	bool follow = option_text(c->options, "--follow") != NULL;
	int r, failures = 0;

	while (!local_interrupted()) {
		r = cat_step(c, scan);
		if (r == E_SYSTEM && failures++ < CAT_COMPLAINTS) {
			(void)local_fail(c->options, EXIT_WITH_INPUT,
			    "journal %s: a segment cannot be read: %s", c->source, strerror(errno));
		} else if (r == E_PARTIAL && follow) {
			if (fflush(stdout) != 0)
				return E_CLOSED;
			(void)poll(NULL, 0, CAT_FOLLOW_MS);
		} else if (r != E_OK) {
			return r;
		}
	}
	return E_PARTIAL;
}

static int
cat_source(struct cat *c, const char *state_dir)
{
	struct journal_scan *scan;
	int r;

	if (journal_scan_open(&scan, state_dir, c->source, &c->from) != E_OK)
		return local_fail(
		    c->options, EXIT_WITH_INPUT, "journal %s: %s", c->source, strerror(errno));
	c->complaints = 0;
	r = cat_run(c, scan);
	journal_scan_close(&scan);
	if (c->complaints > CAT_COMPLAINTS)
		(void)fprintf(stderr,
		    "opitios-ctl: journal %s: %" PRIu64 " more lines of this kind\n", c->source,
		    c->complaints - CAT_COMPLAINTS);
	if (r == E_CLOSED)
		return EXIT_WITH_OUTPUT;
	return r == E_SYSTEM || c->version ? EXIT_WITH_INPUT : EXIT_WITH_OK;
}

/* One after the other; sequences are of their journal, so a range needs one by name. */
static int
cat_all(struct cat *c, const char *state_dir)
{
	char(*names)[JOURNAL_SOURCE];
	size_t count;
	int code = EXIT_WITH_OK, one;

	if (journal_sources(state_dir, &names, &count) != E_OK)
		return local_fail(
		    c->options, EXIT_WITH_INPUT, "%.300s/journal: %s", state_dir, strerror(errno));
	if (count > 1 && option_text(c->options, "--follow") != NULL)
		code = local_fail(c->options, EXIT_WITH_USAGE,
		    "--follow needs the name of one of the %zu journals: see journal ls", count);
	for (size_t i = 0; i < count && code != EXIT_WITH_USAGE && code != EXIT_WITH_OUTPUT; i++) {
		if (c->limit > 0 && c->printed == c->limit)
			break;
		c->source = names[i];
		if ((one = cat_source(c, state_dir)) != EXIT_WITH_OK)
			code = one;
	}
	mem_free(&names);
	return code;
}

int
journal_cat(const struct ctl_options *o, const struct conf *conf, const char *source)
{
	struct cat c = { .options = o, .source = source, .symbol = option_text(o, "--symbol") };
	int code;

	if (bound_read(o, "--from", local_time, &c.from) != E_OK ||
	    bound_read(o, "--to", local_time_end, &c.to) != E_OK ||
	    types_read(o, &c.types) != E_OK || local_limit(o, &c.limit) != E_OK)
		return EXIT_WITH_USAGE;
	local_signals();
	buf_init(&c.line, CAT_LINE);
	code = source != NULL ? cat_source(&c, conf->state_dir) : cat_all(&c, conf->state_dir);
	buf_fini(&c.line);
	return code;
}
