/* decode_take.c - what a body holds of one symbol into records, by its shape: a value, a snapshot's parts, rows in their order. */
#include <string.h>

#include "decode_record.h"
#include "symbol.h"
#include "text.h"

static int
take_quote(const struct body *b, struct decode *d, const char *symbol, const json_t *from,
    struct records *out)
{
	(void)b;
	return record_quote(d, symbol, from, &records_add(out, MSG_QUOTE)->v.quote);
}

static int
take_trade(const struct body *b, struct decode *d, const char *symbol, const json_t *from,
    struct records *out)
{
	return record_trade(d, b->mark, symbol, from, &records_add(out, MSG_TRADE)->v.trade);
}

static int
take_part(const struct body *b, struct decode *d, const char *symbol, enum bar_part part,
    const json_t *from, struct records *out)
{
	(void)b;
	return record_bar(d, symbol, part, from, &records_add(out, MSG_BAR)->v.bar);
}

static const struct snapshot_part {
	const char *key;
	enum snapshot_parts bit;
	enum bar_part part;
} snapshot_rows[] = {
	{ "latestTrade", HAS_TRADE, 0 },
	{ "latestQuote", HAS_QUOTE, 0 },
	{ "minuteBar", HAS_MINUTE, BAR_MINUTE },
	{ "dailyBar", HAS_DAILY, BAR_DAILY },
	{ "prevDailyBar", HAS_PREVIOUS, BAR_PREVIOUS },
};

static int
take_snapshot_part(const struct body *b, struct decode *d, const char *symbol,
    const struct snapshot_part *row, const json_t *from, struct records *out)
{
	if (row->bit == HAS_TRADE)
		return take_trade(b, d, symbol, from, out);
	if (row->bit == HAS_QUOTE)
		return take_quote(b, d, symbol, from, out);
	return take_part(b, d, symbol, row->part, from, out);
}

static int
has_member(const json_t *object, const char *key)
{
	const json_t *v = json_object_get(object, key);

	return v != NULL && !json_is_null(v);
}

void
body_add_snapshot(const struct decode *d, const char *symbol, struct records *out)
{
	struct snapshot *s = &records_add(out, MSG_SNAPSHOT)->v.snapshot;

	s->asset = d->asset;
	s->source = d->source;
	s->received = d->received;
	text_copy(s->symbol, sizeof(s->symbol), symbol);
	text_copy(s->feed, sizeof(s->feed), d->feed);
}

/* The snapshot's own record goes first, its parts follow. */
static int
take_snapshot(const struct body *b, struct decode *d, const char *symbol, const json_t *from,
    struct records *out)
{
	size_t own = out->count;
	uint64_t parts = 0;
	int r = E_OK;

	body_add_snapshot(d, symbol, out);
	if (!json_is_object(from))
		return decode_refuse(d, MSG_SNAPSHOT, "the record is not an object");
	for (size_t i = 0; i < sizeof(snapshot_rows) / sizeof(snapshot_rows[0]) && r == E_OK; i++) {
		if (!has_member(from, snapshot_rows[i].key))
			continue;
		parts |= snapshot_rows[i].bit;
		r = take_snapshot_part(b, d, symbol, &snapshot_rows[i],
		    json_object_get(from, snapshot_rows[i].key), out);
	}
	if (r == E_OK && (has_member(from, "greeks") || has_member(from, "impliedVolatility"))) {
		parts |= HAS_GREEKS;
		r = record_greeks(d, symbol, from, &records_add(out, MSG_GREEKS)->v.greeks);
	}
	if (r == E_OK && parts == 0)
		r = E_ABSENT;
	out->at[own].v.snapshot.parts = parts;
	return r;
}

/* A bar is stamped with its beginning: the one the asked range begins in may be stamped before it. */
static int
bar_is_in_range(const struct decode *d, const struct bar *bar)
{
	if (d->end != 0 && bar->event > d->end)
		return 0;
	return d->start == 0 || bar->event > d->start - timeframe_ns(d->timeframe);
}

static int
bars_are_same(const struct record *a, const struct record *b)
{
	struct bar x, y;

	if (a->type != MSG_BAR || b->type != MSG_BAR)
		return 0;
	memcpy(&x, &a->v.bar, sizeof(x));
	memcpy(&y, &b->v.bar, sizeof(y));
	x.received = y.received = 0;
	return memcmp(&x, &y, sizeof(x)) == 0;
}

/* The row that was added last, after one at `before`. E_ABSENT: it is that one again, and was taken out. */
static int
bar_follows(struct decode *d, int64_t before, bool is_first, struct records *out)
{
	const struct record *row = &out->at[out->count - 1];
	int64_t now = row->v.bar.event;

	if (!bar_is_in_range(d, &row->v.bar))
		return decode_refuse(
		    d, MSG_BAR, "a row is outside of the range that was asked for");
	if (before == 0 || (d->descending ? now < before : now > before))
		return E_OK;
	if (now != before)
		return decode_refuse(d, MSG_BAR, "rows are out of order");
	if (!is_first || out->count < 2 || !bars_are_same(row - 1, row)) {
		/* Recorded crypto bodies hold a row for each exchange of an instant: they are all real. */
		return d->asset == ASSET_CRYPTO
			   ? E_OK
			   : decode_refuse(d, MSG_BAR, "two rows of one instant");
	}
	records_cut(out, out->count - 1);
	return E_ABSENT;
}

/* Rows come in order of time: one that steps back means that a page came twice or was mixed up. A page may begin
 * with the row the one before ended with. */
static int
take_bars(const struct body *b, struct decode *d, const char *symbol, const json_t *from,
    struct records *out)
{
	int64_t before = d->last_event;
	int r = E_OK;

	if (!json_is_array(from))
		return decode_refuse(d, MSG_BAR, "the rows are not an array");
	if (json_array_size(from) == 0)
		return E_ABSENT;
	for (size_t i = 0; i < json_array_size(from) && r == E_OK; i++) {
		r = take_part(b, d, symbol, BAR_SERIES, json_array_get(from, i), out);
		if (r == E_OK)
			r = bar_follows(d, before, i == 0, out);
		if (r == E_OK)
			before = out->at[out->count - 1].v.bar.event;
		else if (r == E_ABSENT)
			r = E_OK;
	}
	if (r == E_OK)
		d->last_event = before;
	return r;
}

/* A page may go on within the instant the one before ended in, so equal times are in order. */
static int
take_trade_rows(const struct body *b, struct decode *d, const char *symbol, const json_t *from,
    struct records *out)
{
	int64_t before = d->last_event, now;
	int r = E_OK;

	if (!json_is_array(from))
		return decode_refuse(d, MSG_TRADE, "the rows are not an array");
	if (json_array_size(from) == 0)
		return E_ABSENT;
	for (size_t i = 0; i < json_array_size(from) && r == E_OK; i++) {
		if ((r = take_trade(b, d, symbol, json_array_get(from, i), out)) != E_OK)
			break;
		now = out->at[out->count - 1].v.trade.event;
		if ((d->start != 0 && now < d->start) || (d->end != 0 && now > d->end))
			r = decode_refuse(
			    d, MSG_TRADE, "a row is outside of the range that was asked for");
		else if (before != 0 && (d->descending ? now > before : now < before))
			r = decode_refuse(d, MSG_TRADE, "rows are out of order");
		before = now;
	}
	if (r == E_OK)
		d->last_event = before;
	return r;
}

int
body_take(const struct body *b, struct decode *d, const char *symbol, const json_t *from,
    struct records *out)
{
	size_t count = out->count;
	int r = E_ABSENT;

	switch (d->shape) {
	case SHAPE_QUOTES:
		r = take_quote(b, d, symbol, from, out);
		break;
	case SHAPE_TRADES:
		r = take_trade(b, d, symbol, from, out);
		break;
	case SHAPE_TRADE_ROWS:
		r = take_trade_rows(b, d, symbol, from, out);
		break;
	case SHAPE_BARS:
		r = take_bars(b, d, symbol, from, out);
		break;
	case SHAPE_SNAPSHOTS_BARE:
	case SHAPE_SNAPSHOTS:
		r = take_snapshot(b, d, symbol, from, out);
		break;
	case SHAPE_CLOCK:
	case SHAPE_ASSET:
		break;
	}
	if (r != E_OK)
		records_cut(out, count);
	return r;
}
