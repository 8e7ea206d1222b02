/* spans.c - which call answers for which part of a range: the newest that is trusted, painted first. Pure. */
#include <string.h>

#include "clock.h"
#include "history_room.h"
#include "mem.h"
#include "symbol.h"

/* As two processors' readings of one clock may, and two machines' that are kept in time. */
#define CLOCKS_DIFFER_NS CLOCK_SEC

void
spans_init(struct spans *s, int64_t start, int64_t end)
{
	*s = (struct spans){ .start = start, .end = end };
}

void
spans_fini(struct spans *s)
{
	mem_free(&s->at);
	s->count = s->capacity = 0;
}

static void
spans_insert(struct spans *s, size_t at, const struct span *new)
{
	size_t more = s->capacity ? s->capacity * 2 : 16;

	if (s->count >= SPANS_MAX)
		return;
	if (s->count == s->capacity) {
		s->at = mem_grow(s->at, s->capacity * sizeof(*s->at), more * sizeof(*s->at));
		s->capacity = more;
	}
	memmove(&s->at[at + 1], &s->at[at], (s->count - at) * sizeof(*s->at));
	s->at[at] = *new;
	s->count++;
}

/* The first span that ends at or behind `ns`. */
static size_t
spans_at(const struct spans *s, int64_t ns)
{
	size_t low = 0, high = s->count, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (s->at[middle].end < ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void
spans_add(struct spans *s, const struct cover *c, int64_t trusted_end)
{
	int64_t from = c->start > s->start ? c->start : s->start;
	int64_t to = trusted_end < s->end ? trusted_end : s->end;
	struct span new = { .of = *c };
	size_t at = spans_at(s, from);

	while (from <= to) {
		if (at < s->count && s->at[at].start <= from) {
			if (s->at[at].end >= to)
				return;
			from = s->at[at++].end + 1;
			continue;
		}
		new.start = from;
		new.end = at < s->count && s->at[at].start <= to ? s->at[at].start - 1 : to;
		from = new.end;
		spans_insert(s, at++, &new);
		if (from == INT64_MAX)
			return;
		from++;
	}
}

void
spans_drop(struct spans *s, const struct cover *c)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->count; i++)
		if (memcmp(&s->at[i].of, c, sizeof(*c)) != 0)
			s->at[kept++] = s->at[i];
	s->count = kept;
}

bool
spans_have_hole(const struct spans *s, int64_t start, int64_t end)
{
	size_t i = spans_at(s, start);

	for (; start <= end; i++) {
		if (i == s->count || s->at[i].start > start)
			return true;
		if (s->at[i].end >= end)
			return false;
		start = s->at[i].end + 1;
	}
	return false;
}

bool
spans_are_whole(const struct spans *s)
{
	return !spans_have_hole(s, s->start, s->end);
}

const struct span *
spans_find(const struct spans *s, int64_t ns)
{
	size_t at = spans_at(s, ns);

	return at < s->count && s->at[at].start <= ns ? &s->at[at] : NULL;
}

bool
series_is_adjusted(const struct history_series *s)
{
	return s->what == COVERED_BARS && s->adjustment[0] != '\0' &&
	       strcmp(s->adjustment, "raw") != 0;
}

/* At five in the morning UTC New York has the same date as UTC, on whichever side of a change of time. */
static int64_t
midnight_of(int64_t days)
{
	int64_t utc = days * CLOCK_DAY;

	return utc - clock_new_york_offset(utc + 5 * 3600 * CLOCK_SEC) * CLOCK_SEC;
}

int64_t
midnight_before(int64_t ns)
{
	return midnight_of((ns + clock_new_york_offset(ns) * CLOCK_SEC) / CLOCK_DAY);
}

int64_t
midnight_after(int64_t ns)
{
	return midnight_of((ns + clock_new_york_offset(ns) * CLOCK_SEC) / CLOCK_DAY + 1);
}

int64_t
void_after(int64_t void_before, int64_t before, int64_t after)
{
	return before >= void_before ? after : void_before;
}

int64_t
cover_trusted(const struct history_question *q, const struct cover *c, int64_t void_before)
{
	int64_t final = c->received - q->final_after_ns - timeframe_ns(q->series.timeframe);

	/* Received by a clock that was ahead: nobody knows when. */
	if (c->received > q->now_ns + CLOCKS_DIFFER_NS)
		return INT64_MIN;
	if (series_is_adjusted(&q->series) &&
	    (q->now_ns >= midnight_after(c->received) || c->received < void_before))
		return INT64_MIN;
	if (q->now_ns - c->received < q->fresh_ns)
		return c->end;
	final = final < c->end ? final : c->end;
	return final >= c->start ? final : INT64_MIN;
}
