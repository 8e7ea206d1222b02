/* pick.c - an answer put together: how far the proven part reaches, and which of its rows are asked for. Pure. */
#include <string.h>

#include "clock.h"
#include "history_room.h"
#include "mem.h"
#include "symbol.h"

#define ROWS_TOUCHED 512

bool
question_is_ambiguous(const struct history_question *q)
{
	return q->start_is_asked && q->series.what == COVERED_BARS &&
	       !timeframe_begins(q->series.timeframe, q->series.asset, q->start);
}

int64_t
question_from(const struct history_question *q)
{
	if (!question_is_ambiguous(q))
		return q->start;
	return q->start - timeframe_ns(q->series.timeframe) + 1;
}

void
picking_init(struct picking *p, const struct history_question *q)
{
	memset(p, 0, sizeof(*p));
	p->question = q;
	spans_init(&p->spans, question_from(q), q->end);
}

void
picking_fini(struct picking *p)
{
	spans_fini(&p->spans);
	mem_free(&p->answer.rows);
	buf_fini(&p->answer.written);
}

int64_t
row_event(const struct history_series *s, const struct history_row *row)
{
	return s->what == COVERED_BARS ? row->v.bar.event : row->v.trade.event;
}

/* Null is null whatever its bits are. */
static bool
numbers_differ(double a, double b)
{
	return a < b || a > b || (a != a) != (b != b);
}

bool
bars_differ(const struct bar *a, const struct bar *b)
{
	return numbers_differ(a->open, b->open) || numbers_differ(a->high, b->high) ||
	       numbers_differ(a->low, b->low) || numbers_differ(a->close, b->close) ||
	       numbers_differ(a->volume, b->volume) ||
	       numbers_differ(a->trade_count, b->trade_count) || numbers_differ(a->vwap, b->vwap);
}

static bool
heads_have(const struct heads *h, int64_t received)
{
	for (size_t i = 0; i < h->count; i++)
		if (h->received[i] == received)
			return true;
	return false;
}

/* What lies before `ns` goes. */
static void
spans_cut(struct spans *s, int64_t ns)
{
	size_t gone = 0;

	while (gone < s->count && s->at[gone].end < ns)
		gone++;
	if (gone > 0)
		memmove(s->at, s->at + gone, (s->count - gone) * sizeof(*s->at));
	s->count -= gone;
	if (s->count > 0 && s->at[0].start < ns)
		s->at[0].start = ns;
}

/* Whether upstream gives an interval that the start lies in is its own rule. It is known where a call was asked from
 * the very same start, or where there is no such interval. Otherwise the first piece is asked again. */
void
picking_heads(struct picking *p, const struct heads *heads)
{
	const struct history_question *q = p->question;
	struct spans *s = &p->spans;
	int64_t from = s->start;
	const struct span *first = spans_find(s, q->start);
	bool is_exact = first != NULL && first->of.start == q->start && !heads->more;
	struct cover of = { .start = from, .end = q->start - 1 };

	s->start = q->start;
	if (is_exact) {
		of.received = first->of.received;
		of.source = first->of.source;
		spans_cut(s, q->start);
		if (heads_have(heads, of.received)) {
			s->start = from;
			spans_add(s, &of, of.end);
		}
	} else if (heads->count > 0 || spans_have_hole(s, from, q->start)) {
		spans_cut(s, q->start + timeframe_ns(q->series.timeframe));
	}
}

static void
reach_forwards(struct picking *p)
{
	const struct spans *s = &p->spans;
	int64_t from = s->start;
	size_t i = 0;

	while (i < s->count && s->at[i].start <= from) {
		p->answer.reach = s->at[i].end;
		if (s->at[i++].end >= s->end)
			break;
		from = p->answer.reach + 1;
	}
	p->answer.next = p->answer.reach;
	if (p->answer.reach < s->end)
		p->answer.next = i < s->count ? s->at[i].start : INT64_MAX;
}

static void
reach_backwards(struct picking *p)
{
	const struct spans *s = &p->spans;
	int64_t from = s->end;
	size_t i = s->count;

	while (i > 0 && s->at[i - 1].end >= from) {
		p->answer.reach = s->at[--i].start;
		if (p->answer.reach <= s->start)
			break;
		from = p->answer.reach - 1;
	}
	p->answer.next = p->answer.reach;
	if (p->answer.reach > s->start)
		p->answer.next = i > 0 ? s->at[i - 1].end : INT64_MIN;
}

static unsigned
holes_count(const struct spans *s)
{
	int64_t from = s->start;
	unsigned n = 0;

	for (size_t i = 0; i < s->count; i++) {
		n += s->at[i].start > from;
		if (s->at[i].end == INT64_MAX)
			return n;
		from = s->at[i].end + 1;
	}
	return n + (from <= s->end);
}

void
picking_reach(struct picking *p)
{
	const struct history_question *q = p->question;

	p->answer.holes = holes_count(&p->spans);
	p->answer.reach = q->descending ? q->end + (q->end < INT64_MAX) : q->start - 1;
	if (q->descending)
		reach_backwards(p);
	else
		reach_forwards(p);
}

/* Pages for rows that are about to come are made together, not each when it is first written to. */
static void
rows_touch(struct picking *p)
{
	struct history_answer *a = &p->answer;
	size_t left = p->question->limit - a->count;

	if (a->count < p->touched + ROWS_TOUCHED)
		return;
	p->touched = a->count;
	mem_touch(
	    &a->rows[a->count], (left < ROWS_TOUCHED ? left : ROWS_TOUCHED) * sizeof(*a->rows));
}

struct history_row *
picking_room(struct picking *p)
{
	struct history_answer *a = &p->answer;

	/* All that may come at once: memory that is not touched costs nothing, moving it does. */
	if (a->rows == NULL) {
		a->rows = mem_array(p->question->limit, sizeof(*a->rows));
		a->room = p->question->limit;
	}
	if (a->count == p->question->limit)
		return &p->surplus;
	rows_touch(p);
	return &a->rows[a->count];
}

static void
answer_add(struct picking *p, const struct history_row *row)
{
	struct history_row *room = picking_room(p);

	if (room != row)
		*room = *row;
	p->answer.count++;
}

/* As far as rows were taken, or wanted, of it. */
static bool
span_is_settled(const struct picking *p, const struct span *span)
{
	const struct history_question *q = p->question;
	const struct history_answer *a = &p->answer;
	int64_t end = span->end;

	if (a->full && !q->descending && a->count > 0)
		end = row_event(&q->series, &a->rows[a->count - 1]);
	return end <= span->of.received - q->final_after_ns - timeframe_ns(q->series.timeframe);
}

void
picking_rests_on(struct picking *p, const struct span *span)
{
	struct history_answer *a = &p->answer;
	int64_t received = span->of.received;

	if (a->oldest_ns == 0 || received < a->oldest_ns)
		a->oldest_ns = received;
	if (!span_is_settled(p, span) && (a->unsettled_ns == 0 || received < a->unsettled_ns))
		a->unsettled_ns = received;
	if (a->source != SOURCE_REPLAY && span->of.source != 0)
		a->source = span->of.source;
}

bool
picking_row(struct picking *p, const struct history_row *row)
{
	const struct history_question *q = p->question;
	int64_t event = row_event(&q->series, row);
	int64_t first = q->descending ? q->end : q->start;

	if (event == first && p->skipped < q->skip) {
		p->skipped++;
		return true;
	}
	if (!hours_contain(q->hours, event))
		return true;
	if (p->answer.count == q->limit) {
		p->answer.full = true;
		return false;
	}
	answer_add(p, row);
	return true;
}
