/* cover.c - what a walk proves of its range: coverage, journalled behind the rows of each page.
 *
 * A page of an ascending walk covers from where the one before ended to its own last row; the last page to the
 * end of the asked range; descending the other way round. Every record speaks of rows of one call: so a store can
 * tell by the received time which rows belong to it, and by their number whether all of them are there.
 *
 * Where an instant may hold several rows (trades, crypto bars of several venues) a page can break off within one:
 * its last instant counts only when the next page begins behind it. An instant that was cut stays uncovered; whoever
 * needs it asks for that instant alone and gets it whole.
 *
 * The end is clipped to what was over when it was received, by upstream's clock; where that is not known nothing is
 * claimed.
 */
#include <string.h>

#include "clock.h"
#include "fetcher.h"
#include "symbol.h"
#include "text.h"

/* Where a range without a start begins: request.c's LONG_AGO. */
#define LONG_AGO_NS (INT64_C(631152000) * CLOCK_SEC)
/* What plans without real time get late: upstream refuses such ranges, or may leave their end out. */
#define DELAYED_NS (16 * 60 * CLOCK_SEC)

static int64_t
record_event(const struct record *r)
{
	return r->type == MSG_TRADE ? r->v.trade.event : r->v.bar.event;
}

/* Alpaca's one bar an instant; not so trades, nor crypto bars of several venues. */
static bool
instants_are_single(const struct batch *b)
{
	return b->row->shape == SHAPE_BARS && b->row->asset != ASSET_CRYPTO;
}

void
cover_begin(struct batch *b)
{
	const struct msg_fetch *f = &TAILQ_FIRST(&b->jobs)->fetch;

	b->cover.edge = 0;
	b->cover.low = f->start != 0 ? f->start : LONG_AGO_NS;
	b->cover.high = f->end != 0 ? f->end : INT64_MAX;
	/* Where the token leads is not known here. */
	if (!shape_is_rows(b->row->shape) || f->page_token[0] != '\0')
		b->cover.high = 0;
}

/* The last instant at which nothing can come any more. */
static int64_t
cover_limit(const struct batch *b, const struct decode *d)
{
	const struct conf *conf = &b->fetcher->proc->conf;
	int64_t limit = d->seen - conf->history_settle * CLOCK_MS;

	if (b->row->shape == SHAPE_BARS)
		limit -= timeframe_ns(d->timeframe);
	if (b->row->asset == ASSET_OPTION ||
	    (b->row->asset == ASSET_STOCK && strcmp(d->feed, "iex") != 0))
		limit -= DELAYED_NS;
	return limit;
}

static void
cover_put(const struct batch *b, const struct decode *d, int64_t low, int64_t high,
    int64_t received, uint64_t rows)
{
	const struct msg_fetch *f = &TAILQ_FIRST(&b->jobs)->fetch;
	struct coverage c = { .asset = b->row->asset,
		.source = d->source,
		.what = b->row->shape == SHAPE_BARS ? COVERED_BARS : COVERED_TRADES,
		.start = low,
		.end = high,
		.received = received,
		.rows = rows };

	if (low > high)
		return;
	text_copy(c.symbol, sizeof(c.symbol), f->symbol);
	text_copy(c.feed, sizeof(c.feed), d->feed);
	if (b->row->shape == SHAPE_BARS) {
		text_copy(c.timeframe, sizeof(c.timeframe), d->timeframe);
		text_copy(c.adjustment, sizeof(c.adjustment), d->adjustment);
	}
	publish_coverage(b->fetcher, &c);
}

static uint64_t
rows_within(const struct records *r, size_t from, int64_t low, int64_t high)
{
	uint64_t n = 0;

	for (size_t i = from; i < r->count; i++)
		n += record_event(&r->at[i]) >= low && record_event(&r->at[i]) <= high;
	return n;
}

/* Whether the instant the page before ended in is whole: this page begins behind it, or has nothing. */
static void
cover_edge(struct batch *b, const struct records *r, size_t from, const struct decode *d)
{
	int64_t edge = b->cover.edge;

	b->cover.edge = 0;
	if (edge == 0)
		return;
	if (r->count == from || record_event(&r->at[from]) != edge)
		cover_put(b, d, edge, edge, b->cover.edge_received, b->cover.edge_rows);
}

/* Up to where this page proves; a page that is not the last leaves its last instant to the next one. */
static int64_t
cover_reach(struct batch *b, const struct records *r, size_t from, const struct decode *d)
{
	int64_t last = record_event(&r->at[r->count - 1]), beyond = b->newest_first ? 1 : -1;

	if (instants_are_single(b))
		return last;
	b->cover.edge = last;
	b->cover.edge_received = d->received;
	b->cover.edge_rows = rows_within(r, from, last, last);
	return last + beyond;
}

void
cover_page(
    struct batch *b, const struct records *r, size_t from, bool is_last, const struct decode *d)
{
	int64_t limit = cover_limit(b, d), low, high, reach;

	if (b->cover.high == 0 || (!is_last && r->count == from))
		return;
	cover_edge(b, r, from, d);
	low = b->cover.low;
	high = b->cover.high;
	if (!is_last) {
		reach = cover_reach(b, r, from, d);
		*(b->newest_first ? &low : &high) = reach;
		/* An edge is looked at on its own, whether the next page goes on in it or not. */
		if (b->newest_first)
			b->cover.high = reach - 1 - (b->cover.edge != 0);
		else
			b->cover.low = reach + 1 + (b->cover.edge != 0);
	}
	if (high > limit)
		high = limit;
	if (b->cover.edge > limit)
		b->cover.edge = 0;
	cover_put(b, d, low, high, d->received, rows_within(r, from, low, high));
}

void
cover_settle(struct batch *b)
{
	if (b->fetcher->lost)
		b->cover.edge = 0;
}
