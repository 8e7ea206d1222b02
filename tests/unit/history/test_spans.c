/* test_spans.c - which call answers for which instant, and how far it is trusted. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "history_room.h"

#define HOUR (3600 * CLOCK_SEC)

static struct cover
call(int64_t start, int64_t end, int64_t received)
{
	return (struct cover){ .start = start, .end = end, .received = received };
}

Test(spans, are_painted_by_the_newest_call_and_filled_by_older_ones)
{
	struct spans s;
	struct cover newest = call(10, 20, 3), older = call(5, 30, 2), oldest = call(0, 100, 1);

	spans_init(&s, 0, 40);
	spans_add(&s, &newest, newest.end);
	cr_expect_not(spans_are_whole(&s));
	spans_add(&s, &older, older.end);
	spans_add(&s, &oldest, oldest.end);
	cr_expect(spans_are_whole(&s));
	cr_assert_eq(s.count, 5);
	cr_expect_eq(spans_find(&s, 10)->of.received, 3);
	cr_expect_eq(spans_find(&s, 21)->of.received, 2);
	cr_expect_eq(spans_find(&s, 4)->of.received, 1);
	cr_expect_eq(spans_find(&s, 40)->end, 40, "nothing beyond what was asked");
	spans_drop(&s, &newest);
	cr_expect_null(spans_find(&s, 15));
	cr_expect(spans_have_hole(&s, 0, 40));
	cr_expect_not(spans_have_hole(&s, 21, 40));
	spans_fini(&s);
}

/* Against an array of instants. */
Test(spans, are_what_an_array_of_instants_says)
{
	unsigned seed = 5;

	for (int round = 0; round < 300; round++) {
		int64_t by[64] = { 0 };
		bool hole = false;
		struct spans s;

		spans_init(&s, 0, 63);
		for (int64_t received = 40; received > 0; received--) {
			int64_t from = rand_r(&seed) % 80 - 8, to = from + rand_r(&seed) % 12 - 1;
			struct cover c = call(from, to, received);

			spans_add(&s, &c, to);
			for (int64_t i = from < 0 ? 0 : from; i <= to && i < 64; i++)
				by[i] = by[i] != 0 ? by[i] : received;
		}
		for (int64_t i = 0; i < 64; i++) {
			const struct span *at = spans_find(&s, i);

			cr_assert_eq(at != NULL ? at->of.received : 0, by[i], "instant %d", (int)i);
			hole |= by[i] == 0;
		}
		cr_assert_eq(spans_are_whole(&s), !hole);
		for (size_t i = 1; i < s.count; i++)
			cr_assert_gt(s.at[i].start, s.at[i - 1].end);
		spans_fini(&s);
	}
}

static struct history_question
question(const char *adjustment)
{
	struct history_question q = { .series = { COVERED_BARS, ASSET_STOCK, "AAPL", "iex", "1Min",
					  "" },
		.fresh_ns = 60 * CLOCK_SEC,
		.final_after_ns = 2 * HOUR };

	strcpy(q.series.adjustment, adjustment);
	return q;
}

Test(spans, what_is_final_is_trusted_for_good_and_the_rest_while_it_is_fresh)
{
	struct history_question q = question("raw");
	int64_t noon = INT64_C(1709917200) * CLOCK_SEC; /* 2024-03-08 12:00 New York */
	struct cover c = call(noon - 5 * HOUR, noon - 120 * CLOCK_SEC, noon);

	q.now_ns = noon + 59 * CLOCK_SEC;
	cr_expect_eq(cover_trusted(&q, &c, INT64_MIN), c.end);
	q.now_ns = noon + 61 * CLOCK_SEC;
	cr_expect_eq(cover_trusted(&q, &c, INT64_MIN), noon - 2 * HOUR - 60 * CLOCK_SEC);
	c.start = noon - HOUR;
	cr_expect_eq(cover_trusted(&q, &c, INT64_MIN), INT64_MIN, "nothing of it is final");
}

Test(spans, what_was_received_later_than_now_is_never_trusted)
{
	struct history_question q = question("raw");
	int64_t noon = INT64_C(1709917200) * CLOCK_SEC;
	/* A clock eight hours ahead, set right since. */
	struct cover c = call(noon - 5 * HOUR, noon + 8 * HOUR, noon + 8 * HOUR);

	q.now_ns = noon;
	cr_expect_eq(cover_trusted(&q, &c, INT64_MIN), INT64_MIN);
	c = call(noon - 5 * HOUR, noon - HOUR, noon + CLOCK_SEC / 2);
	cr_expect_eq(cover_trusted(&q, &c, INT64_MIN), c.end, "clocks are not that exact");
}

Test(spans, adjusted_rows_are_trusted_until_midnight_in_new_york_and_void_when_they_changed)
{
	struct history_question q = question("split");
	/* The Saturday before the clocks change: midnight is 23 and 24 hours apart from its neighbours. */
	int64_t saturday = INT64_C(1709960400) * CLOCK_SEC; /* 2024-03-09 00:00 New York */
	struct cover c = call(0, saturday - 48 * HOUR, saturday - 1);

	q.now_ns = saturday - 1;
	cr_expect_eq(cover_trusted(&q, &c, INT64_MIN), c.end);
	q.now_ns = saturday;
	cr_expect_eq(cover_trusted(&q, &c, INT64_MIN), INT64_MIN, "a trading day may have begun");
	cr_expect_eq(midnight_after(saturday), saturday + 24 * HOUR);
	cr_expect_eq(
	    midnight_after(saturday + 24 * HOUR), saturday + 47 * HOUR, "clocks go forward");
	cr_expect_eq(midnight_before(saturday + 47 * HOUR - 1), saturday + 24 * HOUR);
	q.now_ns = saturday - 1;
	cr_expect_eq(cover_trusted(&q, &c, c.received), c.end);
	cr_expect_eq(cover_trusted(&q, &c, c.received + 1), INT64_MIN, "void");
	strcpy(q.series.adjustment, "raw");
	q.now_ns = saturday + 1000 * HOUR;
	cr_expect_eq(cover_trusted(&q, &c, INT64_MAX), c.end, "raw rows know no split");
}

Test(spans, what_is_void_makes_nothing_else_void)
{
	int64_t void_before = INT64_MIN;

	void_before = void_after(void_before, 10, 20);
	cr_expect_eq(void_before, 20);
	void_before = void_after(void_before, 10, 30);
	cr_expect_eq(void_before, 20, "call 10 is void and says nothing");
	void_before = void_after(void_before, 25, 40);
	cr_expect_eq(void_before, 40);
}
