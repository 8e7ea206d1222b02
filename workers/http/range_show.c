/* range_show.c - rows of a range as JSON, and the intervals in which nothing was traded. */
#include <string.h>

#include "mem.h"
#include "range.h"
#include "symbol.h"

/* Runs of empty intervals in one answer; rows and days bound them, and this. */
#define GAPS_MAX 20000

/* Of a row as JSON: room for them is made at once. */
#define ROW_BYTES_USUAL 200
#define ROW_BYTES_LEAST 128
/* Of rows that are written as they come: how many there will be is not known. */
#define ROWS_FIRST 32

struct gaps {
	struct json *json;
	const struct range *range;
	enum hours hours;
	int64_t length; /* of an interval */
	unsigned count;
};

/* Rows in order of time, whichever way the walk went. */
static const struct history_row *
row_at(const struct range *r, size_t i)
{
	return &r->rows[r->down ? r->count - 1 - i : i];
}

/* As the client sees them. */
static const struct history_row *
row_shown(const struct range *r, size_t i)
{
	return &r->rows[r->down && !r->ask.fetch.descending ? r->count - 1 - i : i];
}

static void
gap_write(struct gaps *g, int64_t first, int64_t last)
{
	if (g->count++ >= GAPS_MAX)
		return;
	json_object_open(g->json, NULL);
	json_time(g->json, "start", first);
	json_time(g->json, "end", last);
	json_u64(g->json, "intervals", (uint64_t)((last - first) / g->length) + 1);
	json_text(g->json, "reason", "no_trade");
	json_object_close(g->json);
}

/* The first interval's begin at or after `ns`; a window of trading begins with one. */
static int64_t
interval_next(const struct gaps *g, int64_t ns)
{
	int64_t rest = ns % g->length;

	return rest == 0 ? ns : ns - rest + g->length;
}

/* Intervals that begin in [from, to], by sessions. */
static void
gap_split(struct gaps *g, int64_t from, int64_t to)
{
	int64_t end;

	for (from = hours_next(g->hours, interval_next(g, from)); from <= to && g->count < GAPS_MAX;
	     from = hours_next(g->hours, interval_next(g, end))) {
		end = hours_end(g->hours, from);
		if (end > to)
			end = to + 1;
		from = interval_next(g, from);
		if (from < end)
			gap_write(g, from, end - 1 - (end - 1) % g->length);
		if (end > to)
			return;
	}
}

/* Only where the store has proof: what was fetched just now has none yet. */
static void
gap_prove(struct gaps *g, int64_t from, int64_t to)
{
	const struct range *r = g->range;
	unsigned n = r->proven_count, at;
	int64_t low, high;

	for (unsigned i = 0; i < n && from <= to; i++) {
		at = r->down ? n - 1 - i : i;
		low = r->proven[at].start > from ? r->proven[at].start : from;
		high = r->proven[at].end < to ? r->proven[at].end : to;
		if (low <= high)
			gap_split(g, low, high);
	}
}

/* Before the first row, between rows, behind the last, as far as this page went. */
static void
gaps_write(struct range *r, struct json *j)
{
	struct gaps g = { .json = j, .range = r, .length = timeframe_ns(r->ask.fetch.timeframe) };
	int64_t from = INT64_MIN, event;

	g.hours = r->ask.hours;
	if (g.hours == HOURS_ALL && r->ask.asset == ASSET_STOCK)
		g.hours = HOURS_EXTENDED;
	if (r->ask.asset == ASSET_OPTION)
		g.hours = HOURS_REGULAR;
	json_array_open(j, NULL);
	for (size_t i = 0; i < r->count; i++) {
		event = row_at(r, i)->v.bar.event;
		gap_prove(&g, from, event - 1);
		from = event + 1;
	}
	gap_prove(&g, from, INT64_MAX);
	json_array_close(j);
}

/* That of the newest call; a recording's when any row is of one. */
static void
facts_add_source(
    const struct range *r, const struct history_row *row, int64_t *newest, struct shown_facts *f)
{
	bool bars = r->ask.kind == ASK_BARS;
	int64_t received = bars ? row->v.bar.received : row->v.trade.received;
	uint64_t source = bars ? row->v.bar.source : row->v.trade.source;

	if (f->source == SOURCE_REPLAY || (received <= *newest && source != SOURCE_REPLAY))
		return;
	*newest = received;
	f->source = source;
}

static void
facts_add_rows(const struct range *r, struct shown_facts *f)
{
	const struct history_row *row;
	int64_t newest = INT64_MIN;

	for (size_t i = 0; i < r->count; i++) {
		row = row_shown(r, i);
		if (r->ask.kind == ASK_BARS ? row->versions > 1 : row->v.trade.update[0] != '\0')
			f->quality |= QUALITY_REVISED;
		facts_add_source(r, row, &newest, f);
	}
}

static void
bar_write(struct json *j, const struct history_row *row, int64_t final_after, int64_t length)
{
	const struct bar *b = &row->v.bar;

	render_bar_row(j, b, b->received - final_after - length >= b->event, row->versions);
}

static void
trade_write(struct json *j, const struct history_row *row, int64_t final_after)
{
	render_trade_row(j, &row->v.trade, trade_is_final(&row->v.trade, final_after));
}

static void
rows_write(struct range *r, struct json *j)
{
	int64_t final_after = r->asker.worker->proc->conf.history_final_after * CLOCK_MS;
	bool bars = r->ask.kind == ASK_BARS;
	int64_t length = bars ? timeframe_ns(r->ask.fetch.timeframe) : 0;

	json_array_open(j, NULL);
	for (size_t i = 0; i < r->count; i++) {
		if (bars)
			bar_write(j, row_shown(r, i), final_after, length);
		else
			trade_write(j, row_shown(r, i), final_after);
	}
	json_array_close(j);
}

static int
rows_begin(struct buf *rows)
{
	buf_fini(rows);
	buf_init(rows, ASSEMBLY_BYTES_MAX);
	return shown_room(rows, (size_t)ROWS_FIRST * ROW_BYTES_USUAL);
}

static void
row_write(struct json *j, const struct history_row *row, const struct history_question *q)
{
	if (q->series.what == COVERED_BARS)
		bar_write(j, row, q->final_after_ns, timeframe_ns(q->series.timeframe));
	else
		trade_write(j, row, q->final_after_ns);
}

const struct history_writer range_writer = { .begin = rows_begin, .row = row_write };

/* Its rows came out of the store at once, and written. */
static bool
range_is_written(const struct range *r)
{
	return r->count > 0 && r->written_rows == r->count && buf_len(&r->written) > 0;
}

static int
rows_show(struct range *r, struct buf *rows)
{
	struct json j;
	int error;

	if (range_is_written(r)) {
		*rows = r->written;
		memset(&r->written, 0, sizeof(r->written));
		return E_OK;
	}
	buf_init(rows, ASSEMBLY_BYTES_MAX);
	error = shown_room(rows, r->count * ROW_BYTES_USUAL);
	mem_touch(buf_tail(rows), r->count * ROW_BYTES_LEAST);
	json_begin(&j, rows);
	rows_write(r, &j);
	return error == E_OK ? json_end(&j) : error;
}

static void
facts_begin(const struct range *r, struct shown_facts *f)
{
	const struct history_row *newest;
	int64_t now = clock_wall();

	*f = (struct shown_facts){ .feed = r->ask.fetch.feed,
		.received_ns = r->oldest_ns,
		.count = r->count,
		.complete = !r->more,
		.page_token = "" };
	f->first.event = f->last.event = r->down ? r->high : r->low;
	f->first.rows = f->last.rows = r->skip;
	if (r->oldest_ns != 0 && now > r->oldest_ns)
		f->aged_ns = now - r->oldest_ns;
	if (r->unsettled_ns != 0 && now > r->unsettled_ns)
		f->unsettled_ns = now - r->unsettled_ns;
	/* Nothing may be all there is. */
	if (r->count == 0)
		f->source = r->source;
	if (r->count == 0)
		return;
	newest = row_at(r, r->count - 1);
	f->event_ns = r->ask.kind == ASK_BARS ? newest->v.bar.event : newest->v.trade.event;
}

int
range_show(struct range *r, struct shown **out)
{
	struct shown_facts f;
	struct buf rows, gaps;
	struct json j;
	int error;

	facts_begin(r, &f);
	facts_add_rows(r, &f);
	buf_init(&gaps, ASSEMBLY_BYTES_MAX);
	error = rows_show(r, &rows);
	if (error == E_OK && r->ask.gaps) {
		json_begin(&j, &gaps);
		gaps_write(r, &j);
		error = json_end(&j);
	}
	if (error == E_OK &&
	    (*out = shown_of_room(&f, &rows, buf_data(&gaps), buf_len(&gaps))) == NULL)
		error = E_FULL;
	buf_fini(&rows);
	buf_fini(&gaps);
	return error == E_OK ? E_OK : E_OVERLOADED;
}
