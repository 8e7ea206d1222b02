/* export.c - opitios-ctl export: what the history store holds of one symbol, streamed.
 *
 * The same thing is often received again: a bar that was revised, a trade that was still the latest one. Rows come
 * ordered so that these stand together, the newest last, and lines are held back until another thing begins. Things
 * that were received at the same instant are of one answer, so each of them counts. What a recording said is older
 * than anything the market did.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "conf.h"
#include "ctl_room.h"
#include "export.h"
#include "mem.h"
#include "symbol.h"
#include "text.h"

#define EXPORT_SQL   4096
#define EXPORT_HELD  (1024 * 1024)
#define EXPORT_EVERY 1024 /* rows between looks at the progress */

struct export_kind {
	const char *name;
	enum msg_type type;
	const char *where; /* besides the symbol and the range */
	const char *same;  /* what one thing is known by: order of the rows, and compared */
};

/* Trades without an id are the same when all that tells them apart is. */
static const struct export_kind kinds[] = {
	{ "bars", MSG_BAR, " AND part = 0", "event, feed, adjustment" },
	{ "trades", MSG_TRADE, "",
	    "event, feed, exchange, trade_id, CASE WHEN has_id THEN 0 ELSE price END, "
	    "CASE WHEN has_id THEN 0 ELSE size END" },
	{ "quotes", MSG_QUOTE, "",
	    "event, feed, bid_price, bid_size, bid_exchange, ask_price, ask_size, ask_exchange" },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct export
{
	const struct ctl_options *options;
	const struct export_kind *kind;
	const struct msg_desc *desc;
	char symbol[SYMBOL_MAX], timeframe[12];
	int64_t from_ns, to_ns;
	uint64_t limit;
	bool json, versions;
	struct output output;
	struct buf held; /* lines of one thing, received at one instant */
	uint64_t held_rows;
	struct buf key, held_key; /* what it is known by */
	int64_t held_received;
	struct progress progress;
	uint64_t rows, written;
};

static int
symbol_read(struct export *e)
{
	const char *text = option_text(e->options, "--symbol");

	if (text != NULL &&
	    (symbol_stock(text, e->symbol) == E_OK || symbol_crypto(text, e->symbol) == E_OK ||
		symbol_option(text, e->symbol) == E_OK))
		return E_OK;
	(void)local_fail(e->options, EXIT_WITH_USAGE,
	    text == NULL ? "export needs --symbol%s" : "\"%.60s\" is no symbol",
	    text == NULL ? "" : text);
	return E_INVALID_SYMBOL_FORMAT;
}

static int
timeframe_read(struct export *e)
{
	const char *text = option_text(e->options, "--timeframe");
	bool bars = e->kind->type == MSG_BAR;

	if (!bars && (text != NULL || option_text(e->options, "--adjustment") != NULL)) {
		(void)local_fail(e->options, EXIT_WITH_USAGE,
		    "%s have no timeframe and no adjustment", e->kind->name);
		return E_INVALID_PARAMETER;
	}
	if (!bars || timeframe_parse(text != NULL ? text : "1Day", e->timeframe) == E_OK)
		return E_OK;
	(void)local_fail(e->options, EXIT_WITH_USAGE,
	    "--timeframe \"%.40s\" is none like 1Min, 15Min, 1Hour, 1Day", text);
	return E_INVALID_PARAMETER;
}

static int
format_read(struct export *e)
{
	const char *text = option_text(e->options, "--format");

	e->json = e->options->json || (text != NULL && strcmp(text, "jsonl") == 0);
	e->versions = option_text(e->options, "--versions") != NULL;
	if (text == NULL || e->json || strcmp(text, "csv") == 0)
		return E_OK;
	(void)local_fail(
	    e->options, EXIT_WITH_USAGE, "--format \"%.40s\" is neither csv nor jsonl", text);
	return E_INVALID_PARAMETER;
}

/* Texts of --adjustment and --feed are bound, never put in. */
static int
query_make(const struct export *e, struct buf *sql, struct shelf_param *params, size_t *count)
{
	const char *feed = option_text(e->options, "--feed");
	const char *adjustment = option_text(e->options, "--adjustment");
	const struct {
		const char *text;
		int64_t number;
		bool given;
		const char *where;
	} all[] = {
		{ e->symbol, 0, true, "symbol = " },
		{ e->timeframe, 0, e->timeframe[0] != '\0', "timeframe = " },
		{ feed, 0, feed != NULL, "feed = " },
		{ adjustment, 0, adjustment != NULL, "adjustment = " },
		{ NULL, e->from_ns, e->from_ns != 0, "event >= " },
		{ NULL, e->to_ns, e->to_ns != 0, "event < " },
	};
	size_t n = 0;
	int r = buf_add_text(sql, "SELECT ");

	for (size_t i = 0; i < e->desc->field_count && r == E_OK; i++)
		r = buf_printf(sql, "\"%s\", ", e->desc->fields[i].name);
	if (r == E_OK)
		r = buf_printf(sql, "%s FROM %s WHERE ", e->kind->same, e->desc->table);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && r == E_OK; i++) {
		if (!all[i].given)
			continue;
		params[n++] = (struct shelf_param){ .text = all[i].text, .number = all[i].number };
		r = buf_printf(sql, "%s%s$%zu", n > 1 ? " AND " : "", all[i].where, n);
	}
	if (r == E_OK)
		r = buf_printf(sql,
		    "%s ORDER BY %s, CASE source WHEN %d THEN 0 ELSE 1 END, received, "
		    "journal_source, journal_sequence%c",
		    e->kind->where, e->kind->same, SOURCE_REPLAY, '\0');
	*count = n;
	return r;
}

/* The columns behind those of the value. */
static int
key_read(struct export *e, struct shelf *s)
{
	int column = (int)e->desc->field_count, r = E_OK;
	const char *at = e->kind->same;

	buf_reset(&e->key);
	for (; r == E_OK && at != NULL; column++) {
		r = shelf_is_null(s, column)
			? buf_add(&e->key, "\1", 1)
			: buf_printf(&e->key, "%s%c", shelf_text(s, column), 2);
		at = strchr(at, ',');
		at = at != NULL ? at + 1 : NULL;
	}
	return r;
}

static bool
key_is_held(const struct export *e)
{
	return buf_len(&e->key) == buf_len(&e->held_key) &&
	       memcmp(buf_data(&e->key), buf_data(&e->held_key), buf_len(&e->key)) == 0;
}

static int
held_write(struct export *e)
{
	int r = E_OK;

	if (e->written == 0 && e->held_rows > 0 && !e->json) {
		struct buf head;

		buf_init(&head, EXPORT_SQL);
		r = export_line_head(e->desc, &head);
		if (r == E_OK)
			r = output_write(&e->output, buf_data(&head), buf_len(&head));
		buf_fini(&head);
	}
	if (r == E_OK && buf_len(&e->held) > 0)
		r = output_write(&e->output, buf_data(&e->held), buf_len(&e->held));
	e->written += e->held_rows;
	e->held_rows = 0;
	buf_reset(&e->held);
	return r;
}

static int
column_of(const struct msg_desc *desc, const char *name)
{
	size_t i = 0;

	while (i < desc->field_count && strcmp(desc->fields[i].name, name) != 0)
		i++;
	return (int)i;
}

/* Takes the row up: what is held is written, or was an older state of the same thing. */
static int
row_take(struct export *e, struct shelf *s)
{
	int64_t received = shelf_i64(s, column_of(e->desc, "received"));
	bool same;
	int r;

	if ((r = key_read(e, s)) != E_OK)
		return r;
	same = e->held_rows > 0 && !e->versions && key_is_held(e);
	if (same && received != e->held_received) {
		buf_reset(&e->held);
		e->held_rows = 0;
	} else if (!same && (r = held_write(e)) != E_OK) {
		return r;
	}
	e->held_received = received;
	buf_reset(&e->held_key);
	if ((r = buf_add(&e->held_key, buf_data(&e->key), buf_len(&e->key))) != E_OK)
		return r;
	r = e->json ? export_line_json(e->desc, s, &e->held)
		    : export_line_csv(e->desc, s, &e->held);
	e->held_rows++;
	return r;
}

static void
progress_draw(struct export *e, struct shelf *s)
{
	int64_t at = shelf_i64(s, column_of(e->desc, "event"));
	char when[CLOCK_TEXT], left[FORMAT_TEXT];
	double share = NAN;

	if (e->from_ns != 0 && e->to_ns != 0)
		share = (double)(at - e->from_ns) / (double)(e->to_ns - e->from_ns);
	(void)clock_format_ms(at, when);
	progress_show(&e->progress, share, "%s %s: %" PRIu64 " rows, at %s, %s left", e->symbol,
	    e->kind->name, e->written, when, format_age(progress_left(&e->progress, share), left));
}

/* E_OK; E_STORE; anything else is the output's. */
static int
rows_write(struct export *e, struct shelf *s)
{
	bool full = false;
	int r = E_OK;

	while (!full && (r = shelf_next(s)) == E_OK) {
		if (local_interrupted())
			return E_CLOSED;
		if ((r = row_take(e, s)) != E_OK)
			return r == E_STORE ? E_SYSTEM : r;
		full = e->limit > 0 && e->written >= e->limit;
		if (++e->rows % EXPORT_EVERY == 0)
			progress_draw(e, s);
	}
	if (!full && r == E_STORE)
		return r;
	return full ? E_OK : held_write(e);
}

static int
export_finish(struct export *e, int r, struct shelf *s)
{
	const struct ctl_options *o = e->options;
	const char *path = option_text(o, "--output");

	progress_clear(&e->progress);
	if (local_interrupted())
		return local_fail(o, EXIT_WITH_REFUSED, "interrupted%s",
		    path != NULL ? "; the file is as it was" : "");
	if (r == E_STORE)
		return local_fail(o, EXIT_WITH_INPUT, "history store: %.400s", shelf_why(s));
	if (r == E_OK && e->written == 0)
		return local_fail(o, EXIT_WITH_REFUSED, "no %s of %s%s%s%s are stored",
		    e->kind->name, e->symbol, e->timeframe[0] != '\0' ? " in " : "", e->timeframe,
		    e->from_ns != 0 || e->to_ns != 0 ? " in this range" : "");
	if (r == E_OK)
		r = output_keep(&e->output);
	if (r != E_OK)
		return local_fail(o, EXIT_WITH_OUTPUT, "%.300s: %s", path != NULL ? path : "stdout",
		    e->output.error != 0 ? strerror(e->output.error) : err_name(r));
	if (path != NULL)
		(void)fprintf(stderr, "%" PRIu64 " rows written to %s\n", e->written, path);
	return EXIT_WITH_OK;
}

static int
export_run(struct export *e, struct shelf *s)
{
	struct shelf_param params[SHELF_PARAMS];
	struct buf sql;
	size_t count;
	int r, code;

	local_signals();
	buf_init(&sql, EXPORT_SQL);
	buf_init(&e->held, EXPORT_HELD);
	buf_init(&e->key, EXPORT_SQL);
	buf_init(&e->held_key, EXPORT_SQL);
	progress_begin(&e->progress);
	if ((r = query_make(e, &sql, params, &count)) == E_OK)
		r = shelf_query(s, (const char *)buf_data(&sql), params, count);
	if (r == E_OK)
		r = rows_write(e, s);
	code = export_finish(e, r, s);
	shelf_finish(s);
	buf_fini(&sql);
	buf_fini(&e->held);
	buf_fini(&e->key);
	buf_fini(&e->held_key);
	return code;
}

static int
export_open(struct export *e, const struct conf *conf)
{
	const char *path = option_text(e->options, "--output");
	char why[CTL_LINE];
	struct shelf *s;
	int code;

	if (shelf_open(&s, conf, why) != E_OK)
		return local_fail(e->options, EXIT_WITH_INPUT, "%s", why);
	if (output_open(&e->output, path) != E_OK)
		code =
		    local_fail(e->options, EXIT_WITH_OUTPUT, "%.300s: %s", path, strerror(errno));
	else
		code = export_run(e, s);
	output_drop(&e->output);
	shelf_close(&s);
	return code;
}

int
run_export(struct client *c, const struct ctl_options *o)
{
	struct export e = { .options = o };
	static struct conf conf;
	size_t i = 0;
	int code;

	(void)c;
	while (i < KINDS && strcmp(kinds[i].name, o->words[1]) != 0)
		i++;
	if (i == KINDS)
		return local_fail(o, EXIT_WITH_USAGE,
		    "export does not know \"%.40s\": it takes bars, trades or quotes", o->words[1]);
	e.kind = &kinds[i];
	e.desc = msg_desc(e.kind->type);
	if (symbol_read(&e) != E_OK || timeframe_read(&e) != E_OK || format_read(&e) != E_OK ||
	    local_range(o, &e.from_ns, &e.to_ns) != E_OK || local_limit(o, &e.limit) != E_OK)
		return EXIT_WITH_USAGE;
	if (local_conf(o, &conf) != E_OK)
		return EXIT_WITH_CONFIG;
	code = export_open(&e, &conf);
	conf_wipe_secrets(&conf);
	return code;
}
