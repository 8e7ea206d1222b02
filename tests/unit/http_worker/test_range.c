/* test_range.c - pieces of store and upstream put together, as a worker does it. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fake_history.h"
#include "mem.h"
#include "stage.h"

#define MINUTE (60 * CLOCK_SEC)
#define T0     INT64_C(1600000020000000000) /* a minute begins: 2020-09-13T12:27:00Z */
#define BASE                                                                                       \
	"/api/v1/stocks/AAPL/"                                                                     \
	"bars?timeframe=1Min&start=2020-09-13T12:27:00Z&end=2020-09-13T12:36:59Z"
#define END (T0 + 10 * MINUTE - CLOCK_SEC)

static struct stage stage;

static void
setup(void)
{
	stage.with_history = true;
	stage_open(&stage);
}

static void
teardown(void)
{
	stage_close(&stage);
}

TestSuite(range, .init = setup, .fini = teardown);

static struct bar
bar_of(int minute)
{
	struct bar b = { .asset = ASSET_STOCK,
		.source = SOURCE_HISTORY,
		.symbol = "AAPL",
		.feed = "iex",
		.timeframe = "1Min",
		.adjustment = "raw",
		.event = T0 + minute * MINUTE,
		.received = STAGE_WALL - CLOCK_DAY,
		.open = 1,
		.high = 1,
		.low = 1,
		.close = 1 + minute,
		.volume = 1 };

	return b;
}

/* Rows from one minute to the other; what the store has is whole up to `reach`. */
static void
store_says(int first, int last, int64_t reach, int64_t next, bool full)
{
	int step = first <= last ? 1 : -1;
	struct history_answer a = { .count = (size_t)((last - first) * step) + 1,
		.reach = reach,
		.next = next,
		.holes = next != reach,
		.full = full,
		.oldest_ns = STAGE_WALL - CLOCK_DAY };

	a.rows = mem_array(a.count, sizeof(*a.rows));
	for (size_t i = 0; i < a.count; i++)
		a.rows[i] =
		    (struct history_row){ .v.bar = bar_of(first + (int)i * step), .versions = 1 };
	fake_history_answer(&a);
	mem_free(&a.rows);
}

static void
store_has_nothing(void)
{
	const struct history_question *q = &fake_history.asked[fake_history.count - 1];
	struct history_answer a = { .reach = q->descending ? q->end + 1 : q->start - 1,
		.next = q->descending ? INT64_MIN : INT64_MAX,
		.holes = 1 };

	fake_history_answer(&a);
}

static void
upstream_says(int first, int last, bool complete)
{
	const struct msg_fetch *f = last_sent(&stage);
	int step = first <= last ? 1 : -1;
	struct msg_result_end end = { .ticket = f->ticket,
		.complete = complete,
		.source = SOURCE_HISTORY,
		.received = stage.wall };

	tell_begin(&stage, f, true);
	for (int m = first; m != last + step; m += step, end.count++) {
		struct bar b = bar_of(m);

		lookup_on_bar(&stage.fetcher, &b, stage.worker.lookup);
	}
	lookup_on_result_end(&stage.fetcher, &end, stage.worker.lookup);
}

static void
expect_minutes(const struct http_request *r, int first, int last)
{
	int step = first <= last ? 1 : -1, count = (last - first) * step + 1;
	char path[64], want[32];

	cr_assert_eq(r->status, 200, "%s", r->answer);
	snprintf(want, sizeof(want), "%d", count);
	cr_assert_str_eq(member(r, "data.count"), want, "%s", r->answer);
	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "data.bars.%d.close", i);
		snprintf(want, sizeof(want), "%d", 1 + first + i * step);
		cr_assert_str_eq(member(r, path), want, "row %d: %s", i, r->answer);
	}
}

Test(range, what_the_store_has_costs_no_fetch)
{
	struct http_request *r = get(&stage, BASE);

	cr_assert_not(r->answered);
	cr_expect_eq(fake_history.asked[0].start, T0);
	cr_expect_eq(fake_history.asked[0].end, END);
	cr_expect(fake_history.asked[0].start_is_asked);
	store_says(0, 9, END, END, false);
	expect_minutes(r, 0, 9);
	cr_expect_str_eq(member(r, "metadata.cache"), "store");
	cr_expect_str_eq(member(r, "metadata.data_freshness_seconds"), "86400.0");
	cr_expect_str_eq(member(r, "data.complete"), "true");
	cr_expect_eq(stage.sent_count, 0);
	ask_free(r);
	r = get(&stage, BASE);
	cr_expect_str_eq(member(r, "metadata.cache"), "l1", "and the next one not even a question");
	cr_expect_str_eq(member(r, "metadata.data_freshness_seconds"), "86400.0");
	ask_free(r);
}

Test(range, only_the_hole_is_fetched_and_rows_meet_in_order)
{
	struct http_request *r = get(&stage, BASE);

	store_says(0, 2, T0 + 3 * MINUTE - 1, T0 + 6 * MINUTE, false);
	cr_assert_eq(stage.sent_count, 1);
	cr_expect(last_sent(&stage)->part);
	cr_expect_eq(last_sent(&stage)->start, T0 + 3 * MINUTE);
	cr_expect_eq(last_sent(&stage)->end, T0 + 6 * MINUTE - 1);
	/* The interval a bound lies in is the neighbour's. */
	upstream_says(2, 6, true);
	cr_assert_not(r->answered);
	cr_expect_eq(fake_history.asked[1].start, T0 + 6 * MINUTE);
	cr_expect_not(fake_history.asked[1].start_is_asked);
	store_says(6, 9, END, END, false);
	expect_minutes(r, 0, 9);
	cr_expect_str_eq(member(r, "metadata.cache"), "miss");
	cr_expect_str_eq(member(r, "data.bars.3.versions"), "null");
	cr_expect_str_eq(member(r, "data.bars.2.versions"), "1");
	ask_free(r);
}

Test(range, nothing_stored_is_the_clients_own_question)
{
	struct http_request *r = get(&stage, BASE);

	store_has_nothing();
	cr_expect_not(last_sent(&stage)->part);
	cr_expect_eq(last_sent(&stage)->limit, 1000);
	upstream_says(0, 9, true);
	expect_minutes(r, 0, 9);
	ask_free(r);
}

Test(range, a_store_that_fails_or_refuses_is_gone_round)
{
	struct history_answer failed = { .error = E_STORE, .why = "broken" };
	struct http_request *r = get(&stage, BASE);

	fake_history_answer(&failed);
	upstream_says(0, 9, true);
	expect_minutes(r, 0, 9);
	ask_free(r);
	fake_history.is_refusing = true;
	r = get(&stage, BASE "&limit=500");
	upstream_says(0, 9, true);
	expect_minutes(r, 0, 9);
	ask_free(r);
}

Test(range, newest_first_walks_backwards)
{
	struct http_request *r = get(&stage, BASE "&sort=desc");

	cr_expect(fake_history.asked[0].descending);
	store_says(9, 7, T0 + 6 * MINUTE + 1, T0 + 3 * MINUTE, false);
	cr_expect_eq(last_sent(&stage)->start, T0 + 3 * MINUTE + 1);
	cr_expect_eq(last_sent(&stage)->end, T0 + 6 * MINUTE);
	cr_expect(last_sent(&stage)->descending);
	upstream_says(6, 4, true);
	store_says(3, 0, T0, T0, false);
	expect_minutes(r, 9, 0);
	ask_free(r);
}

Test(range, a_full_page_has_a_token_that_goes_on_behind_it)
{
	struct http_request *r = get(&stage, BASE "&limit=3");
	char target[300];

	cr_expect_eq(fake_history.asked[0].limit, 3);
	store_says(0, 2, END, END, true);
	expect_minutes(r, 0, 2);
	cr_expect_str_eq(member(r, "data.complete"), "false");
	snprintf(target, sizeof(target), BASE "&limit=7&page_token=%s",
	    member(r, "data.next_page_token"));
	ask_free(r);
	r = get(&stage, target);
	cr_expect_eq(fake_history.asked[1].start, T0 + 2 * MINUTE + 1);
	store_says(3, 9, END, END, false);
	expect_minutes(r, 3, 9);
	cr_expect_str_eq(member(r, "data.next_page_token"), "null");
	ask_free(r);
}

Test(range, a_token_of_another_question_is_refused)
{
	struct http_request *r = get(&stage, BASE "&limit=3");
	char token[TOKEN_TEXT], target[300];
	static const char *const others[] = { "/api/v1/stocks/MSFT/bars?timeframe=1Min",
		"/api/v1/stocks/AAPL/bars?timeframe=5Min", "/api/v1/stocks/AAPL/trades?limit=5",
		BASE "&sort=desc", BASE "&session=regular", BASE "&adjustment=all" };

	store_says(0, 2, END, END, true);
	strcpy(token, member(r, "data.next_page_token"));
	ask_free(r);
	for (int i = 0; i < 6; i++) {
		snprintf(target, sizeof(target), "%s&page_token=%s", others[i], token);
		expect_error(get(&stage, target), 400, "INVALID_PARAMETER");
	}
	token[strlen(token) - 1] = '7';
	snprintf(target, sizeof(target), BASE "&page_token=%s", token);
	expect_error(get(&stage, target), 400, "INVALID_PARAMETER");
}

Test(range, an_empty_range_is_told_by_upstream_which_knows_the_symbol)
{
	struct http_request *r = get(&stage, BASE);
	struct history_answer none = { .reach = END, .next = END };

	fake_history_answer(&none);
	cr_assert_eq(stage.sent_count, 1);
	tell_error(&stage, last_sent(&stage), E_SYMBOL_NOT_FOUND, "no such");
	expect_error(r, 404, "SYMBOL_NOT_FOUND");
}

Test(range, a_client_that_leaves_takes_its_question_along)
{
	struct http_request *r = get(&stage, BASE);

	worker_gone(&stage.worker, r);
	cr_expect_eq(fake_history.cancelled, 1);
	ask_free(r);
	r = get(&stage, BASE);
	store_says(0, 2, T0 + 3 * MINUTE - 1, INT64_MAX, false);
	worker_gone(&stage.worker, r);
	upstream_says(3, 9, true);
	ask_free(r);
}

Test(range, a_hole_that_cannot_be_fetched_is_the_error_of_all)
{
	struct http_request *r = get(&stage, BASE);

	store_says(0, 2, T0 + 3 * MINUTE - 1, INT64_MAX, false);
	tell_error(&stage, last_sent(&stage), E_UPSTREAM_SERVICE_ERROR, "down");
	expect_error(r, 503, "UPSTREAM_SERVICE_ERROR");
}

Test(range, with_many_holes_the_rest_is_fetched_as_one)
{
	struct http_request *r = get(&stage, BASE);
	struct history_answer a = { .reach = T0 - 1, .next = T0 + MINUTE, .holes = 9 };

	fake_history_answer(&a);
	cr_expect_eq(last_sent(&stage)->end, END);
	upstream_says(0, 9, true);
	expect_minutes(r, 0, 9);
	ask_free(r);
}

#define CRYPTO                                                                                     \
	"/api/v1/crypto/BTC-USD/"                                                                  \
	"bars?timeframe=1Min&start=2020-09-13T12:27:00Z&end=2020-09-13T12:36:59Z&gaps=true&limit=" \
	"2"

/* The second page of a walk whose first ended with `at`. */
static struct http_request *
second_page(const char *base, int first, int at)
{
	struct http_request *r = get(&stage, base);
	char target[400];

	store_says(first, at, 0, 0, true);
	snprintf(
	    target, sizeof(target), "%s&page_token=%s", base, member(r, "data.next_page_token"));
	ask_free(r);
	r = get(&stage, target);
	cr_assert_eq(fake_history.asked[1].skip, 1);
	return r;
}

Test(range, a_bar_that_the_page_before_gave_is_no_gap)
{
	struct http_request *r = second_page(CRYPTO, 0, 1);

	store_says(4, 4, END, END, false);
	cr_expect_str_eq(member(r, "data.gaps.0.start"), "2020-09-13T12:29:00Z", "%s", r->answer);
	cr_expect_str_eq(member(r, "data.gaps.0.intervals"), "2");
	cr_expect_str_eq(member(r, "data.gaps.1.start"), "2020-09-13T12:32:00Z");
	cr_expect_str_eq(member(r, "data.gaps.1.intervals"), "5");
	ask_free(r);
}

Test(range, a_bar_that_the_page_before_gave_is_no_gap_backwards)
{
	struct http_request *r = second_page(CRYPTO "&sort=desc", 9, 8);

	store_says(5, 5, T0, T0, false);
	cr_expect_str_eq(member(r, "data.gaps.0.start"), "2020-09-13T12:27:00Z", "%s", r->answer);
	cr_expect_str_eq(member(r, "data.gaps.0.intervals"), "5");
	cr_expect_str_eq(member(r, "data.gaps.1.start"), "2020-09-13T12:33:00Z");
	cr_expect_str_eq(member(r, "data.gaps.1.intervals"), "2");
	ask_free(r);
}

Test(range, a_page_of_nothing_but_one_instant_proves_no_gap)
{
	struct http_request *r = second_page(CRYPTO, 0, 1);

	store_says(1, 1, END, END, true);
	cr_expect_str_eq(member(r, "data.count"), "1");
	cr_expect_null(strstr(r->answer, "no_trade"), "%s", r->answer);
	ask_free(r);
}

Test(range, recordings_are_left_out_where_upstream_is_the_market_and_named_where_not)
{
	struct http_request *r = get(&stage, BASE);
	struct history_answer a = { .count = 2, .reach = END, .next = END, .oldest_ns = 1 };

	cr_expect_not(fake_history.asked[0].is_market);
	a.rows = mem_array(2, sizeof(*a.rows));
	for (int i = 0; i < 2; i++)
		a.rows[i] = (struct history_row){ .v.bar = bar_of(i), .versions = 1 };
	a.rows[0].v.bar.source = SOURCE_REPLAY;
	a.rows[0].v.bar.received -= 1;
	fake_history_answer(&a);
	mem_free(&a.rows);
	cr_expect_str_eq(member(r, "metadata.data_source"), "replay", "though it is the older row");
	ask_free(r);
	strcpy(stage.board->upstream, "https://data.alpaca.markets");
	r = get(&stage, BASE "&limit=7");
	cr_expect(fake_history.asked[1].is_market);
	store_has_nothing();
	upstream_says(0, 6, true);
	ask_free(r);
}

/* The interval a hole begins within is the neighbour's, and takes room. */
Test(range, a_hole_that_begins_within_an_interval_is_walked_forwards)
{
	struct http_request *r = get(&stage, BASE "&limit=3");

	store_says(0, 1, T0 + 2 * MINUTE + 30 * CLOCK_SEC, INT64_MAX, false);
	cr_expect_gt(last_sent(&stage)->limit, 1, "one row of the page, and one before it");
	upstream_says(2, 3, false);
	cr_assert(r->answered);
	cr_expect_str_eq(member(r, "data.count"), "3");
	cr_expect_str_eq(member(r, "data.bars.2.close"), "4");
	cr_expect_str_eq(member(r, "data.complete"), "false");
	ask_free(r);
	r = get(&stage, BASE "&limit=4");
	store_says(0, 1, T0 + 2 * MINUTE + 30 * CLOCK_SEC, INT64_MAX, false);
	upstream_says(2, 2, false);
	cr_assert(r->answered, "it leads nowhere, and is not asked again");
	cr_expect_eq(stage.sent_count, 2);
	cr_expect_str_eq(member(r, "data.count"), "2");
	ask_free(r);
}

Test(range, a_page_that_leads_to_itself_is_an_error_and_no_token)
{
	struct http_request *r = get(&stage, BASE "&limit=3");
	char target[300];

	store_says(0, 2, END, END, true);
	snprintf(target, sizeof(target), BASE "&limit=7&page_token=%s",
	    member(r, "data.next_page_token"));
	ask_free(r);
	r = get(&stage, target);
	store_has_nothing();
	upstream_says(2, 2, false); /* of the page before, as the piece begins within it */
	cr_expect_eq(stage.sent_count, 1);
	expect_error(r, 503, "UPSTREAM_SERVICE_ERROR");
}

Test(range, a_token_that_stands_for_no_place_is_refused)
{
	static const struct token forged[] = { { T0, UINT64_C(1) << 63 }, { T0, 1000001 },
		{ T0 - 2 * MINUTE, 0 }, { END + 2, 0 } };
	const struct ask ask = { .kind = ASK_BARS,
		.asset = ASSET_STOCK,
		.fetch = { .endpoint = ENDPOINT_STOCK_BARS,
		    .symbol = "AAPL",
		    .timeframe = "1Min",
		    .start = T0,
		    .end = END } };
	struct token back;
	char text[TOKEN_TEXT];

	for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++) {
		token_spell(&ask, &forged[i], text);
		cr_expect_eq(
		    token_read(&ask, text, &back), E_INVALID_PARAMETER, "%zu: %s", i, text);
	}
	for (int64_t at = T0 - MINUTE; at <= END + 1; at += END + 1 - T0 + MINUTE) {
		token_spell(&ask, &(struct token){ at, 1000000 }, text);
		cr_expect_eq(token_read(&ask, text, &back), E_OK, "either end: %s", text);
		cr_expect(back.event == at && back.skip == 1000000);
	}
}

/* `old_ns` ago the store's call was made, and nothing of it is final. */
static struct http_request *
fresh_answer(const char *target, int64_t old_ns, int64_t unsettled_ns)
{
	struct http_request *r = get(&stage, target);
	struct history_answer a = { .count = 1, .reach = END, .next = END };

	cr_assert_not(r->answered);
	a.oldest_ns = stage.wall - old_ns;
	a.unsettled_ns = unsettled_ns != 0 ? stage.wall - unsettled_ns : 0;
	a.rows = mem_array(1, sizeof(*a.rows));
	a.rows[0] = (struct history_row){ .v.bar = bar_of(0), .versions = 1 };
	fake_history_answer(&a);
	mem_free(&a.rows);
	cr_assert(r->answered);
	return r;
}

static void
expect_cache(const char *target, const char *way)
{
	struct http_request *r = get(&stage, target);

	cr_expect_eq(r->answered, way != NULL, "%s", way);
	if (r->answered)
		cr_expect_str_eq(member(r, "metadata.cache"), way);
	else
		worker_gone(&stage.worker, r);
	ask_free(r);
}

Test(range, what_may_still_change_is_served_no_longer_for_having_been_stored)
{
	int64_t fresh_ms = stage.proc.conf.freshness_bars;

	stage.proc.conf.freshness_closed = fresh_ms;
	ask_free(fresh_answer(BASE, CLOCK_DAY, (fresh_ms - 1000) * CLOCK_MS));
	stage_pass(&stage, 900);
	expect_cache(BASE, "l1");
	stage_pass(&stage, 200);
	expect_cache(BASE, NULL);
	/* What is final is held as long as anything. */
	ask_free(fresh_answer(BASE "&limit=9", CLOCK_DAY, 0));
	stage_pass(&stage, fresh_ms - 100);
	expect_cache(BASE "&limit=9", "l1");
	ask_free(fresh_answer(BASE "&limit=8", CLOCK_DAY, 3000 * CLOCK_MS));
	expect_cache(BASE "&limit=8&max_age_seconds=4", "l1");
	expect_cache(BASE "&limit=8&max_age_seconds=2", NULL);
}

Test(range, an_empty_page_tells_what_it_rests_on)
{
	char target[300];
	struct http_request *r = get(&stage, BASE "&limit=3");
	struct history_answer none = { .reach = END,
		.next = END,
		.oldest_ns = STAGE_WALL - CLOCK_DAY,
		.source = SOURCE_HISTORY };

	store_says(0, 2, END, END, true);
	snprintf(target, sizeof(target), BASE "&page_token=%s", member(r, "data.next_page_token"));
	ask_free(r);
	r = get(&stage, target);
	fake_history_answer(&none);
	cr_expect_str_eq(member(r, "data.count"), "0");
	cr_expect_str_eq(member(r, "metadata.data_source"), "alpaca_historical", "%s", r->answer);
	cr_expect_str_neq(member(r, "metadata.received_at"), "null");
	cr_expect_str_eq(member(r, "metadata.data_freshness_seconds"), "86400.0");
	ask_free(r);
}
