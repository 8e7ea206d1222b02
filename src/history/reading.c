/* reading.c - one answer out of a store: coverage first, then the rows of the calls that answer. */
#include "reading.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "list_text.h"
#include "mem.h"
#include "symbol.h"
#include "text.h"

#define VERSIONS_EXTRA 20000 /* rows beyond those answered that are compared */
#define CALLS_KNOWN    16

bool
reading_is_late(const struct reading *s)
{
	return atomic_load(&s->in_hand->gone) || clock_mono() > s->in_hand->deadline_ns;
}

static const struct history_question *
question_of(const struct reading *s)
{
	return &s->in_hand->question;
}

static bool
take_number(struct reading *s, void *owner)
{
	*(int64_t *)owner = s->kind->integer(s, 0);
	return false;
}

static int
query_number(
    struct reading *s, enum query which, int64_t from, int64_t to, int64_t last, int64_t *out)
{
	return s->kind->each(s, which, from, to, last, 0, take_number, out);
}

/* Crypto has several rows an instant, of several venues: which follows which cannot be told. */
static bool
question_has_versions(const struct history_question *q)
{
	return q->series.what == COVERED_BARS && q->series.asset != ASSET_CRYPTO;
}

/*
 * Coverage
 */
static bool
take_void(struct reading *s, void *owner)
{
	int64_t *void_before = owner;

	*void_before = void_after(*void_before, s->kind->integer(s, 0), s->kind->integer(s, 1));
	return true;
}

struct covering {
	struct spans *spans;
	int64_t void_before;
	unsigned calls;
};

static bool
take_cover(struct reading *s, void *owner)
{
	struct covering *c = owner;
	const struct cover cover = { .start = s->kind->integer(s, 0),
		.end = s->kind->integer(s, 1),
		.received = s->kind->integer(s, 2),
		.rows = (uint64_t)s->kind->integer(s, 3),
		.source = (uint64_t)s->kind->integer(s, 4) };

	spans_add(c->spans, &cover, cover_trusted(question_of(s), &cover, c->void_before));
	return ++c->calls < 2 || !spans_are_whole(c->spans);
}

static int
read_spans(struct reading *s, struct picking *p)
{
	struct covering c = { .spans = &p->spans, .void_before = INT64_MIN };
	int r;

	if (series_is_adjusted(&p->question->series) &&
	    (r = s->kind->each(s, QUERY_VOID, midnight_before(p->question->now_ns), 0, 0, 0,
		 take_void, &c.void_before)) != E_OK)
		return r;
	r = s->kind->each(
	    s, QUERY_COVERS, p->spans.start, p->spans.end, 0, COVERS_MAX, take_cover, &c);
	s->sole = c.calls == 1 && question_has_versions(p->question);
	return r;
}

static bool
take_head(struct reading *s, void *owner)
{
	struct heads *h = owner;

	if (h->count == HEADS_MAX) {
		h->more = true;
		return false;
	}
	h->received[h->count++] = s->kind->integer(s, 0);
	return true;
}

static int
read_heads(struct reading *s, struct picking *p)
{
	struct heads heads = { .count = 0 };
	int r = s->kind->each(s, QUERY_HEADS, p->spans.start, p->question->start - 1, 0,
	    HEADS_MAX + 1, take_head, &heads);

	if (r == E_OK)
		picking_heads(p, &heads);
	return r;
}

/*
 * Rows
 */
/* No JSON has an infinite number: it came otherwise. */
static double
cell_number(struct reading *s, int column)
{
	double v = s->kind->number(s, column);

	if (isinf(v))
		s->damaged = true;
	return v;
}

static void
read_bar(struct reading *s, struct bar *b)
{
	const struct history_series *of = &question_of(s)->series;
	const struct reading_kind *k = s->kind;

	*b = (struct bar){ .asset = of->asset,
		.part = BAR_SERIES,
		.event = k->integer(s, 0),
		.received = k->integer(s, 1),
		.source = (uint64_t)k->integer(s, 2),
		.open = cell_number(s, 3),
		.high = cell_number(s, 4),
		.low = cell_number(s, 5),
		.close = cell_number(s, 6),
		.volume = cell_number(s, 7),
		.trade_count = cell_number(s, 8),
		.vwap = cell_number(s, 9) };
	memcpy(b->symbol, of->symbol, sizeof(b->symbol));
	memcpy(b->feed, of->feed, sizeof(b->feed));
	memcpy(b->timeframe, of->timeframe, sizeof(b->timeframe));
	memcpy(b->adjustment, of->adjustment, sizeof(b->adjustment));
}

static void
cell_text(struct reading *s, int column, char *out, size_t size)
{
	const char *text = s->kind->text(s, column);

	if (text_copy(out, size, text != NULL ? text : "") != E_OK)
		s->damaged = true;
}

static void
read_trade(struct reading *s, struct trade *t)
{
	const struct history_series *of = &question_of(s)->series;
	const struct reading_kind *k = s->kind;

	*t = (struct trade){ .asset = of->asset,
		.event = k->integer(s, 0),
		.received = k->integer(s, 1),
		.source = (uint64_t)k->integer(s, 2),
		.price = cell_number(s, 3),
		.size = cell_number(s, 4),
		.has_id = k->integer(s, 8) != 0,
		.trade_id = (uint64_t)k->integer(s, 9) };
	memcpy(t->symbol, of->symbol, sizeof(t->symbol));
	memcpy(t->feed, of->feed, sizeof(t->feed));
	cell_text(s, 5, t->exchange, sizeof(t->exchange));
	if (!list_from_text(k->text(s, 6), t->conditions, sizeof(t->conditions)))
		s->damaged = true;
	cell_text(s, 7, t->tape, sizeof(t->tape));
	cell_text(s, 10, t->taker_side, sizeof(t->taker_side));
	cell_text(s, 11, t->update, sizeof(t->update));
}

struct taking {
	struct picking *picking;
	int64_t call;	   /* received: rows of others are none of the answer */
	bool more;	   /* the answer takes further rows */
	int64_t from;	   /* of this span, rows of which are read from here on */
	uint64_t of_range; /* rows of this span that lie in its call's own range */
	bool to_the_end;   /* and those are all that are there of the span */
	bool damaged;	   /* one of the span's is: its call does not answer */
};

static bool
take_row(struct reading *s, void *owner)
{
	struct taking *t = owner;
	struct history_row *row = picking_room(t->picking);

	row->versions = 1;
	s->damaged = false;
	if (question_of(s)->series.what == COVERED_BARS)
		read_bar(s, &row->v.bar);
	else
		read_trade(s, &row->v.trade);
	if (s->sole && row->v.bar.received != t->call) {
		s->sole = false;
		return false;
	}
	if (s->damaged) {
		t->damaged = true;
		return false;
	}
	t->of_range++;
	t->more = picking_row(t->picking, row);
	/* Without versions of it to look for a row stays as it is. */
	if (s->sole)
		writing_go_on(t->picking);
	return t->more;
}

/* How many rows it takes to fill the answer and to know that there is one more; 0, all of them, where a filter
 * decides and where more are passed over than any instant has. */
static uint64_t
rows_wanted(const struct picking *p)
{
	const struct history_question *q = p->question;

	if (q->hours != HOURS_ALL || q->skip > INT32_MAX)
		return 0;
	return q->limit - p->answer.count + q->skip - p->skipped + 1;
}

static enum query
rows_query(const struct reading *s)
{
	const struct history_question *q = question_of(s);

	if (s->sole)
		return q->descending ? QUERY_ALL_BARS_DOWN : QUERY_ALL_BARS;
	if (q->series.what == COVERED_BARS)
		return q->descending ? QUERY_BARS_DOWN : QUERY_BARS;
	return q->descending ? QUERY_TRADES_DOWN : QUERY_TRADES;
}

/* Where one call alone speaks of the range, rows of all calls are read: when none is of another, no row has versions,
 * and nobody needs to look for them. When there is one, those of the call are read after all. */
static int
read_rows(struct reading *s, const struct span *span, struct taking *t)
{
	struct picking *p = t->picking;
	const struct history_answer before = p->answer;
	uint64_t wanted = rows_wanted(p), skipped = p->skipped;
	bool sole = s->sole;
	int r;

	t->from = span->start > p->spans.start ? span->start : p->spans.start;
	t->call = span->of.received;
	t->of_range = 0;
	t->damaged = false;
	r = s->kind->each(s, rows_query(s), t->from, span->end, t->call, wanted, take_row, t);
	if (r == E_OK && sole && !s->sole) {
		p->answer.count = before.count;
		p->answer.full = before.full;
		p->skipped = skipped;
		writing_drop(p);
		return read_rows(s, span, t);
	}
	t->to_the_end = t->more && (wanted == 0 || t->of_range < wanted);
	return r;
}

/* The calls whose rows were counted lately. */
struct known {
	struct cover of[CALLS_KNOWN];
	unsigned count;
};

/* How many rows of the call lie in [from, to], by the store. */
static int
call_count(struct reading *s, const struct cover *c, int64_t from, int64_t to, int64_t *rows)
{
	bool bars = question_of(s)->series.what == COVERED_BARS;
	int64_t found = 0;
	int r = E_OK;

	if (from <= to)
		r = query_number(
		    s, bars ? QUERY_COUNT_BARS : QUERY_COUNT_TRADES, from, to, c->received, &found);
	*rows += found;
	return r;
}

/* What was read of it is not counted again: a range of ten thousand rows is most of its call. */
static int
call_count_rest(struct reading *s, const struct span *span, const struct taking *t, int64_t *rows)
{
	const struct cover *c = &span->of;
	int r;

	if (!t->to_the_end || t->from < c->start || span->end > c->end)
		return call_count(s, c, c->start, c->end, rows);
	*rows = (int64_t)t->of_range;
	if (t->from > c->start && (r = call_count(s, c, c->start, t->from - 1, rows)) != E_OK)
		return r;
	return span->end < c->end ? call_count(s, c, span->end + 1, c->end, rows) : E_OK;
}

/* Whether all rows this call speaks of are there. What an interval the start lies in was given by has no range of
 * its own to count in. */
static int
call_is_whole(struct reading *s, struct known *known, const struct span *span,
    const struct taking *t, bool *whole)
{
	const struct cover *c = &span->of;
	int64_t rows = 0;
	int r;

	*whole = !t->damaged;
	if (t->damaged)
		return E_OK;
	for (unsigned i = 0; i < known->count && i < CALLS_KNOWN; i++)
		if (memcmp(&known->of[i], c, sizeof(*c)) == 0)
			return E_OK;
	if (c->end < question_of(s)->start && c->rows == 0)
		return E_OK;
	r = call_count_rest(s, span, t, &rows);
	*whole = r == E_OK && (uint64_t)rows == c->rows;
	if (*whole)
		known->of[known->count++ % CALLS_KNOWN] = *c;
	return r;
}

/* In order, as far as the spans are without a hole and the answer takes rows. A call that is not whole makes a hole:
 * what lies behind it is another question's. Counted after its rows were read: what goes meanwhile is missed. */
static int
read_answer(struct reading *s, struct picking *p)
{
	bool down = p->question->descending, whole;
	struct taking taking = { .picking = p, .more = true };
	struct known known = { .count = 0 };
	int64_t from = down ? p->spans.end : p->spans.start;
	size_t left = p->spans.count, before;
	struct span span;
	int r;

	for (; left > 0 && taking.more; left--) {
		span = p->spans.at[down ? left - 1 : p->spans.count - left];
		if (down ? span.end < from : span.start > from)
			break;
		before = p->answer.count;
		if ((r = read_rows(s, &span, &taking)) != E_OK ||
		    (r = call_is_whole(s, &known, &span, &taking, &whole)) != E_OK)
			return r;
		if (!whole) {
			p->answer.count = before;
			p->answer.full = false;
			writing_drop(p);
			spans_drop(&p->spans, &span.of);
			break;
		}
		picking_rests_on(p, &span);
		from = down ? span.start - 1 : span.end + 1;
	}
	picking_reach(p);
	return E_OK;
}

/*
 * Versions
 */
struct comparing {
	struct picking *picking;
	struct bar before;
	size_t at; /* in the answer's rows */
	unsigned versions;
};

/* Rows of one instant stand together, in the order of the answer's. */
static bool
take_version(struct reading *s, void *owner)
{
	struct comparing *c = owner;
	struct history_answer *a = &c->picking->answer;
	bool down = question_of(s)->descending;
	struct bar bar, *shown;

	read_bar(s, &bar);
	if (question_of(s)->is_market && bar.source == SOURCE_REPLAY)
		return true;
	while (c->at < a->count && (down ? a->rows[c->at].v.bar.event > bar.event
					 : a->rows[c->at].v.bar.event < bar.event))
		c->at++;
	if (c->at == a->count)
		return false;
	shown = &a->rows[c->at].v.bar;
	if (shown->event != bar.event)
		return true;
	c->versions =
	    c->before.event != bar.event ? 1 : c->versions + bars_differ(&c->before, &bar);
	c->before = bar;
	if (bar.received == shown->received)
		a->rows[c->at].versions = c->versions;
	return true;
}

static int
read_versions(struct reading *s, struct picking *p)
{
	const struct history_question *q = p->question;
	struct comparing c = { .picking = p };
	struct history_answer *a = &p->answer;
	int64_t length = timeframe_ns(q->series.timeframe), low, high, rows = 0;
	int r;

	if (!question_has_versions(q) || s->sole || a->count == 0)
		return E_OK;
	low = a->rows[q->descending ? a->count - 1 : 0].v.bar.event;
	high = a->rows[q->descending ? 0 : a->count - 1].v.bar.event;
	if ((r = query_number(s, QUERY_LATE, low, high, length, &rows)) != E_OK ||
	    rows == (int64_t)a->count)
		return r;
	if (rows - (int64_t)a->count <= VERSIONS_EXTRA)
		return s->kind->each(s, q->descending ? QUERY_VERSIONS_DOWN : QUERY_VERSIONS, low,
		    high, length, 0, take_version, &c);
	for (size_t i = 0; i < a->count; i++)
		a->rows[i].versions = 0;
	return E_OK;
}

void
reading_answer(struct reading *s, struct history_ticket *t)
{
	struct picking *p = &t->picking;
	int r;

	s->in_hand = t;
	s->sole = false;
	s->why[0] = '\0';
	if ((r = s->kind->open(s)) == E_OK && (r = read_spans(s, p)) == E_OK &&
	    question_is_ambiguous(p->question))
		r = read_heads(s, p);
	if (r == E_OK && (r = read_answer(s, p)) == E_OK)
		r = read_versions(s, p);
	s->kind->done(s, r);
	if (r == E_OK) {
		writing_end(p);
	} else {
		writing_drop(p);
		p->answer.error = E_STORE;
		p->answer.count = 0;
		(void)text_copy(p->answer.why, sizeof(p->answer.why), s->why);
	}
	s->in_hand = NULL;
}
