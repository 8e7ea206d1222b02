/* test_pick.c - how far the proven part reaches, what a start within an interval means, which rows are taken. */
#include <criterion/criterion.h>
#include <string.h>

#include "clock.h"
#include "history_room.h"

#define HOUR (3600 * CLOCK_SEC)
#define DAY1 (INT64_C(1709269200) * CLOCK_SEC) /* 2024-03-01 00:00 New York */

static struct history_question
question(const char *timeframe, int64_t start, int64_t end, bool down)
{
	struct history_question q = { .series = { COVERED_BARS, ASSET_STOCK, "AAPL", "iex", "",
					  "raw" },
		.start = start,
		.end = end,
		.descending = down,
		.start_is_asked = true,
		.limit = 3 };

	strcpy(q.series.timeframe, timeframe);
	return q;
}

static void
paint(struct picking *p, int64_t start, int64_t end, int64_t received)
{
	struct cover c = { .start = start, .end = end, .received = received };

	spans_add(&p->spans, &c, end);
}

Test(pick, reach_and_the_next_hole_are_told_from_either_end)
{
	for (int down = 0; down < 2; down++) {
		struct history_question q = question("1Min", 0, 100, down);
		struct picking p;

		picking_init(&p, &q);
		picking_reach(&p);
		cr_expect_eq(p.answer.reach, down ? 101 : -1, "nothing is proven");
		cr_expect_eq(p.answer.holes, 1);
		paint(&p, 0, 20, 1);
		paint(&p, 21, 30, 2);
		paint(&p, 60, 100, 3);
		picking_reach(&p);
		cr_expect_eq(p.answer.reach, down ? 60 : 30);
		cr_expect_eq(p.answer.next, down ? 30 : 60);
		cr_expect_eq(p.answer.holes, 1);
		paint(&p, 31, 59, 1);
		picking_reach(&p);
		cr_expect_eq(p.answer.reach, down ? 0 : 100);
		cr_expect_eq(p.answer.next, p.answer.reach);
		cr_expect_eq(p.answer.holes, 0);
		picking_fini(&p);
	}
}

Test(pick, a_start_that_begins_an_interval_is_not_ambiguous)
{
	struct history_question q = question("1Day", DAY1, DAY1 + 100 * HOUR, false);

	cr_expect_not(question_is_ambiguous(&q));
	q.start += CLOCK_SEC;
	cr_expect(question_is_ambiguous(&q));
	cr_expect_eq(question_from(&q), q.start - 24 * HOUR + 1);
	q.start_is_asked = false;
	cr_expect_not(question_is_ambiguous(&q), "the end of a hole is not the client's");
	q = question("3Min", 9 * 60 * CLOCK_SEC, HOUR, false);
	cr_expect_not(question_is_ambiguous(&q));
	q = question("7Min", 0, HOUR, false);
	cr_expect(question_is_ambiguous(&q), "how these are cut is not known");
}

/* Noon of a day, with the day's bar in the store. */
static void
noon(struct picking *p, struct history_question *q)
{
	*q = question("1Day", DAY1 + 12 * HOUR, DAY1 + 100 * HOUR, false);
	picking_init(p, q);
}

Test(pick, an_interval_that_may_hold_the_start_is_asked_again)
{
	struct heads heads = { .received = { 7 }, .count = 1 };
	struct history_question q;
	struct picking p;

	noon(&p, &q);
	paint(&p, DAY1 - 100 * HOUR, DAY1 + 100 * HOUR, 7);
	picking_heads(&p, &heads);
	picking_reach(&p);
	cr_expect_lt(p.answer.reach, q.start);
	cr_expect_eq(p.answer.next, q.start + 24 * HOUR, "that piece alone");
	picking_fini(&p);
}

Test(pick, a_call_from_the_same_start_says_what_it_means)
{
	struct heads heads = { .received = { 9, 7 }, .count = 2 };
	struct history_question q;
	struct picking p;

	noon(&p, &q);
	paint(&p, q.start, q.end, 7);
	picking_heads(&p, &heads);
	picking_reach(&p);
	cr_expect_eq(p.answer.reach, q.end);
	cr_expect_eq(
	    spans_find(&p.spans, DAY1)->of.received, 7, "with the row it gave before its start");
	picking_fini(&p);
	noon(&p, &q);
	heads = (struct heads){ .received = { 9 }, .count = 1 };
	paint(&p, q.start, q.end, 7);
	picking_heads(&p, &heads);
	picking_reach(&p);
	cr_expect_eq(p.answer.reach, q.end);
	cr_expect_null(spans_find(&p.spans, DAY1), "it gave none");
	picking_fini(&p);
}

Test(pick, where_no_interval_holds_the_start_nothing_is_asked_again)
{
	struct heads none = { .count = 0 };
	struct history_question q;
	struct picking p;

	noon(&p, &q);
	paint(&p, DAY1 - 100 * HOUR, DAY1 + 100 * HOUR, 7);
	picking_heads(&p, &none);
	picking_reach(&p);
	cr_expect_eq(p.answer.reach, q.end);
	picking_fini(&p);
	noon(&p, &q);
	paint(&p, DAY1 + HOUR, DAY1 + 100 * HOUR, 7);
	picking_heads(&p, &none);
	picking_reach(&p);
	cr_expect_lt(p.answer.reach, q.start, "whether there is one is not known");
	picking_fini(&p);
}

Test(pick, rows_are_skipped_filtered_and_limited)
{
	struct history_question q = question("1Min", 100, 1000, false);
	struct history_row row = { .versions = 1 };
	struct picking p;

	q.series.what = COVERED_TRADES;
	q.skip = 2;
	picking_init(&p, &q);
	row.v.trade.received = 5;
	row.v.trade.event = 100;
	for (int i = 0; i < 3; i++)
		cr_expect(picking_row(&p, &row));
	cr_expect_eq(p.answer.count, 1, "two of the first instant were given before");
	for (int i = 0; i < 2; i++) {
		row.v.trade.event++;
		cr_expect(picking_row(&p, &row));
	}
	cr_expect_not(p.answer.full);
	cr_expect_not(picking_row(&p, &row));
	cr_expect(p.answer.full);
	cr_expect_eq(p.answer.count, 3);
	picking_fini(&p);
}

static const int64_t *
rests(struct picking *p, int64_t end, int64_t received, uint64_t source)
{
	struct span span = {
		.start = 0, .end = end, .of = { .end = end, .received = received, .source = source }
	};

	picking_rests_on(p, &span);
	return &p->answer.unsettled_ns;
}

Test(pick, an_answer_tells_the_oldest_call_and_the_oldest_that_may_still_change)
{
	struct history_question q = question("1Min", 0, DAY1, false);
	struct picking p;

	q.final_after_ns = 2 * HOUR;
	picking_init(&p, &q);
	cr_expect_eq(
	    *rests(&p, DAY1, DAY1 + 2 * HOUR + 60 * CLOCK_SEC, SOURCE_HISTORY), 0, "final");
	cr_expect_eq(*rests(&p, DAY1 + 1, DAY1 + 2 * HOUR + 60 * CLOCK_SEC, SOURCE_HISTORY),
	    DAY1 + 2 * HOUR + 60 * CLOCK_SEC);
	cr_expect_eq(*rests(&p, DAY1, DAY1 + HOUR, SOURCE_REPLAY), DAY1 + HOUR);
	cr_expect_eq(*rests(&p, DAY1, DAY1 + 9 * HOUR, SOURCE_HISTORY), DAY1 + HOUR);
	cr_expect_eq(p.answer.oldest_ns, DAY1 + HOUR);
	cr_expect_eq(p.answer.source, SOURCE_REPLAY, "whatever comes behind it");
	picking_fini(&p);
}
