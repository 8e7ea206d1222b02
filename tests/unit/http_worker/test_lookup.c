/* test_lookup.c - hit, miss, expired, stale, refused: where an answer comes from. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "label.h"
#include "stage.h"

static struct stage stage;

static void
open_stage(void)
{
	stage_open(&stage);
}

static void
close_stage(void)
{
	stage_close(&stage);
}

TestSuite(lookup, .init = open_stage, .fini = close_stage);

#define QUOTE "/api/v1/stocks/AAPL/quote"
#define BARS  "/api/v1/stocks/AAPL/bars"

Test(lookup, a_miss_is_fetched_and_the_next_one_comes_from_the_book)
{
	warm_quote(&stage, "AAPL");
	expect_way(&stage, QUOTE, "book");
	cr_expect_eq(stage.sent_count, 1);
	cr_expect_eq(
	    metric_read(stage.http, M_CACHE_REQUESTS, LABEL(layer, BOOK), LABEL(hit, HIT)), 1);
	cr_expect_eq(
	    metric_read(stage.http, M_CACHE_REQUESTS, LABEL(layer, UPSTREAM), LABEL(hit, MISS)), 1);
	cr_expect_eq(metric_read(stage.http, M_HTTP_IN_FLIGHT, 0, 0), 0);
}

Test(lookup, a_value_is_fresh_for_its_time_and_not_longer)
{
	struct http_request *r;

	warm_quote(&stage, "AAPL");
	stage_pass(&stage, 29999);
	expect_way(&stage, QUOTE, "book");
	stage_pass(&stage, 1);
	r = expect_asked(&stage, QUOTE);
	cr_expect_eq(
	    metric_read(stage.http, M_CACHE_REQUESTS, LABEL(layer, BOOK), LABEL(hit, EXPIRED)), 1);
	worker_gone(&stage.worker, r);
	ask_free(r);
}

/* The wall clock alone goes back an hour. */
static void
step_back(struct stage *s)
{
	s->wall -= 3600 * CLOCK_SEC;
	stage_pass(s, 0);
}

Test(lookup, a_wall_clock_stepped_back_makes_no_value_younger)
{
	struct http_request *r;

	tell_clock(&stage, true, CLOCK_DAY);
	warm_quote(&stage, "AAPL");
	r = expect_asked(&stage, BARS);
	tell_bars(&stage, last_sent(&stage), 1);
	ask_free(r);
	step_back(&stage);
	stage_pass(&stage, 29000);
	r = get(&stage, QUOTE);
	cr_expect_str_eq(member(r, "metadata.data_freshness_seconds"), "29.0");
	cr_expect_str_eq(answer_header(r, "Age"), "29");
	ask_free(r);
	stage_pass(&stage, 1000);
	r = expect_asked(&stage, QUOTE);
	worker_gone(&stage.worker, r);
	ask_free(r);
	stage_pass(&stage, 3600000);
	r = expect_asked(&stage, BARS);
	worker_gone(&stage.worker, r);
	ask_free(r);
	cr_expect_eq(lookup_session(stage.worker.lookup, ASSET_STOCK), SESSION_UNKNOWN);
}

Test(lookup, a_value_fetched_after_a_step_back_is_fresh_and_so_is_the_clock)
{
	tell_clock(&stage, true, CLOCK_DAY);
	warm_quote(&stage, "AAPL");
	step_back(&stage);
	stage_pass(&stage, 60000);
	warm_quote(&stage, "AAPL");
	expect_way(&stage, QUOTE, "book");
	tell_clock(&stage, false, CLOCK_DAY);
	cr_expect_eq(lookup_session(stage.worker.lookup, ASSET_STOCK), SESSION_CLOSED);
}

Test(lookup, a_client_may_tighten_but_not_loosen)
{
	struct http_request *r;

	warm_quote(&stage, "AAPL");
	stage_pass(&stage, 10000);
	expect_way(&stage, QUOTE "?max_age_seconds=10.5", "book");
	r = expect_asked(&stage, QUOTE "?max_age_seconds=10");
	tell_error(&stage, last_sent(&stage), E_UPSTREAM_SERVICE_ERROR, "down");
	expect_error(r, 503, "UPSTREAM_SERVICE_ERROR");
	stage_pass(&stage, 25000);
	r = expect_asked(&stage, QUOTE "?max_age_seconds=3600");
	worker_gone(&stage.worker, r);
	ask_free(r);
}

Test(lookup, zero_seconds_always_asks)
{
	struct http_request *r;

	warm_quote(&stage, "AAPL");
	r = expect_asked(&stage, QUOTE "?max_age_seconds=0");
	worker_gone(&stage.worker, r);
	ask_free(r);
}

Test(lookup, values_live_longer_while_the_market_is_closed_except_crypto)
{
	struct quote q = a_quote(&stage, "BTC/USD");
	struct http_request *r;

	q.asset = ASSET_CRYPTO;
	strcpy(q.feed, "us");
	tell_clock(&stage, false, CLOCK_DAY);
	warm_quote(&stage, "AAPL");
	lookup_on_quote(&stage.fetcher, &q, stage.worker.lookup);
	stage_pass(&stage, 40000);
	expect_way(&stage, QUOTE, "book");
	r = expect_asked(&stage, "/api/v1/crypto/BTC-USD/quote");
	worker_gone(&stage.worker, r);
	ask_free(r);
}

Test(lookup, a_failing_upstream_is_bridged_by_the_last_real_value)
{
	struct http_request *r;

	warm_quote(&stage, "AAPL");
	stage_pass(&stage, 60000);
	r = expect_asked(&stage, QUOTE);
	tell_error(&stage, last_sent(&stage), E_UPSTREAM_SERVICE_ERROR, "HTTP status 500");
	cr_assert(r->answered);
	cr_expect_eq(r->status, 200);
	cr_expect_str_eq(member(r, "metadata.cache"), "stale");
	cr_expect_str_eq(member(r, "metadata.data_freshness_seconds"), "60.0");
	cr_expect_str_eq(answer_header(r, "Age"), "60");
	cr_expect_str_eq(answer_header(r, "Cache-Control"), "private, max-age=0");
	ask_free(r);
	stage_pass(&stage, 240000);
	r = expect_asked(&stage, QUOTE);
	tell_error(&stage, last_sent(&stage), E_UPSTREAM_SERVICE_ERROR, "HTTP status 500");
	expect_error(r, 503, "UPSTREAM_SERVICE_ERROR");
}

Test(lookup, a_verdict_is_no_failure_and_is_not_bridged)
{
	struct http_request *r;

	warm_quote(&stage, "AAPL");
	stage_pass(&stage, 60000);
	r = expect_asked(&stage, QUOTE);
	tell_error(&stage, last_sent(&stage), E_SYMBOL_NOT_FOUND, "asset not found");
	expect_error(r, 404, "SYMBOL_NOT_FOUND");
}

Test(lookup, refusals_are_believed_for_their_time)
{
	struct http_request *r = expect_asked(&stage, QUOTE);

	tell_error(&stage, last_sent(&stage), E_REAL_DATA_UNAVAILABLE, "no quote");
	expect_error(r, 404, "REAL_DATA_UNAVAILABLE");
	stage_pass(&stage, 4000);
	r = get(&stage, QUOTE);
	cr_assert(r->answered);
	cr_expect_str_eq(member(r, "metadata.retry_after"), "6", "no sooner than it is forgotten");
	cr_expect_str_eq(answer_header(r, "Retry-After"), "6");
	cr_expect_str_eq(member(r, "error.details.reason"), "no quote");
	expect_error(r, 404, "REAL_DATA_UNAVAILABLE");
	stage_pass(&stage, 6000);
	r = expect_asked(&stage, QUOTE);
	worker_gone(&stage.worker, r);
	ask_free(r);
}

Test(lookup, what_a_plan_or_upstream_refuses_is_believed_as_well)
{
	struct http_request *r = expect_asked(&stage, QUOTE "?feed=sip");

	tell_error(&stage, last_sent(&stage), E_NOT_ENTITLED, "subscription does not permit");
	expect_error(r, 403, "NOT_ENTITLED");
	expect_error(get(&stage, QUOTE "?feed=sip"), 403, "NOT_ENTITLED");
	r = expect_asked(&stage, BARS);
	tell_error(&stage, last_sent(&stage), E_INVALID_PARAMETER, "invalid limit");
	expect_error(r, 400, "INVALID_PARAMETER");
	expect_error(get(&stage, BARS), 400, "INVALID_PARAMETER");
	cr_expect_eq(stage.sent_count, 2);
	stage_pass(&stage, 10000);
	r = expect_asked(&stage, BARS);
	worker_gone(&stage.worker, r);
	ask_free(r);
}

Test(lookup, a_refusal_that_could_not_be_checked_is_not_believed)
{
	struct http_request *r = expect_asked(&stage, QUOTE);

	stage.is_unsure = true;
	tell_error(&stage, last_sent(&stage), E_SYMBOL_NOT_FOUND, "could not be checked");
	expect_error(r, 404, "SYMBOL_NOT_FOUND");
	r = expect_asked(&stage, QUOTE);
	worker_gone(&stage.worker, r);
	ask_free(r);
}

Test(lookup, a_client_may_tighten_refusals_and_old_values_too)
{
	struct http_request *r = expect_asked(&stage, BARS);

	tell_error(&stage, last_sent(&stage), E_SYMBOL_NOT_FOUND, "asset not found");
	expect_error(r, 404, "SYMBOL_NOT_FOUND");
	stage_pass(&stage, 3000);
	expect_error(get(&stage, BARS "?max_age_seconds=3.1"), 404, "SYMBOL_NOT_FOUND");
	r = expect_asked(&stage, BARS "?max_age_seconds=3");
	worker_gone(&stage.worker, r);
	ask_free(r);
	warm_quote(&stage, "AAPL");
	stage_pass(&stage, 60000);
	r = expect_asked(&stage, QUOTE "?max_age_seconds=60");
	tell_error(&stage, last_sent(&stage), E_UPSTREAM_SERVICE_ERROR, "down");
	expect_error(r, 503, "UPSTREAM_SERVICE_ERROR");
	r = expect_asked(&stage, QUOTE "?max_age_seconds=61");
	tell_error(&stage, last_sent(&stage), E_UPSTREAM_SERVICE_ERROR, "down");
	cr_expect_str_eq(member(r, "metadata.cache"), "stale");
	ask_free(r);
}

Test(lookup, a_failure_is_not_believed_at_all)
{
	struct http_request *r = expect_asked(&stage, QUOTE);

	tell_error(&stage, last_sent(&stage), E_UPSTREAM_TIMEOUT, "");
	expect_error(r, 504, "UPSTREAM_TIMEOUT");
	r = expect_asked(&stage, QUOTE);
	worker_gone(&stage.worker, r);
	ask_free(r);
}

Test(lookup, a_value_ends_an_earlier_refusal)
{
	struct quote q = a_quote(&stage, "AAPL");
	struct http_request *r = expect_asked(&stage, QUOTE);

	tell_error(&stage, last_sent(&stage), E_REAL_DATA_UNAVAILABLE, "no quote");
	expect_error(r, 404, "REAL_DATA_UNAVAILABLE");
	r = expect_asked(&stage, QUOTE "?max_age_seconds=0");
	tell_quote(&stage, last_sent(&stage), &q);
	cr_expect_eq(r->status, 200);
	ask_free(r);
	stage_pass(&stage, 5000);
	expect_way(&stage, QUOTE, "book");
}

Test(lookup, results_of_other_workers_fill_book_and_l1_and_answer_the_same_question)
{
	struct http_request *waits = expect_asked(&stage, BARS "?limit=2");
	struct msg_fetch theirs = *last_sent(&stage);
	struct quote q = a_quote(&stage, "MSFT");
	struct bar b = { .asset = ASSET_STOCK,
		.event = STAGE_WALL,
		.open = 1,
		.high = 1,
		.low = 1,
		.close = 1,
		.volume = NAN,
		.trade_count = NAN,
		.vwap = NAN,
		.symbol = "AAPL" };

	tell_begin(&stage, &theirs, false);
	lookup_on_bar(&stage.fetcher, &b, stage.worker.lookup);
	tell_end(&stage, &theirs, false, E_OK, "", 1);
	cr_expect_eq(waits->status, 200, "another worker asked the same");
	ask_free(waits);
	expect_way(&stage, BARS "?limit=2", "l1");

	theirs.endpoint = ENDPOINT_STOCK_QUOTE;
	strcpy(theirs.symbol, "MSFT");
	tell_begin(&stage, &theirs, false);
	lookup_on_quote(&stage.fetcher, &q, stage.worker.lookup);
	tell_end(&stage, &theirs, false, E_OK, "", 1);
	expect_way(&stage, "/api/v1/stocks/MSFT/quote", "book");
}

Test(lookup, another_workers_failure_is_not_ours)
{
	struct http_request *r = expect_asked(&stage, QUOTE);

	tell_begin(&stage, last_sent(&stage), false);
	tell_end(&stage, last_sent(&stage), false, E_UPSTREAM_SERVICE_ERROR, "x", 0);
	cr_expect_not(r->answered);
	worker_gone(&stage.worker, r);
	ask_free(r);
}

Test(lookup, a_snapshot_feeds_the_book_with_its_quote_and_trade)
{
	struct http_request *r = expect_asked(&stage, "/api/v1/stocks/AAPL/snapshot");
	struct snapshot s = { .asset = ASSET_STOCK,
		.symbol = "AAPL",
		.feed = "iex",
		.parts = HAS_QUOTE | HAS_TRADE };
	struct trade t = { .asset = ASSET_STOCK,
		.source = SOURCE_LATEST,
		.symbol = "AAPL",
		.feed = "iex",
		.event = stage.wall,
		.received = stage.wall,
		.price = 190,
		.size = 5 };
	struct quote q = a_quote(&stage, "AAPL");

	tell_begin(&stage, last_sent(&stage), true);
	lookup_on_snapshot(&stage.fetcher, &s, stage.worker.lookup);
	lookup_on_trade(&stage.fetcher, &t, stage.worker.lookup);
	lookup_on_quote(&stage.fetcher, &q, stage.worker.lookup);
	tell_end(&stage, last_sent(&stage), true, E_OK, "", 3);
	cr_assert_eq(r->status, 200);
	cr_expect_str_eq(member(r, "data.latest_quote.bid_price"), "189.98");
	cr_expect_str_eq(member(r, "data.minute_bar"), "null");
	ask_free(r);
	expect_way(&stage, QUOTE, "book");
	expect_way(&stage, "/api/v1/stocks/AAPL/trade", "book");
	expect_way(&stage, "/api/v1/stocks/AAPL/snapshot", "l1");
}

Test(lookup, an_older_tick_does_not_undo_a_newer_one)
{
	struct quote q = a_quote(&stage, "AAPL");
	struct http_request *r;

	lookup_on_quote(&stage.fetcher, &q, stage.worker.lookup);
	q.event -= CLOCK_SEC;
	q.bid_price = 1;
	lookup_on_quote(&stage.fetcher, &q, stage.worker.lookup);
	r = get(&stage, QUOTE);
	cr_expect_str_eq(member(r, "data.bid_price"), "189.98");
	ask_free(r);
}

Test(lookup, bars_without_a_row_are_no_data_unless_they_end_a_walk)
{
	struct http_request *r = expect_asked(&stage, BARS);
	struct ask of = { .kind = ASK_BARS, .asset = ASSET_STOCK, .fetch = *last_sent(&stage) };
	struct shown *shown = shown_new(
	    &(struct shown_facts){ .feed = "", .first = { STAGE_WALL, 1 } }, "", 0, NULL, 0);
	char token[TOKEN_TEXT], target[200];

	tell_bars(&stage, last_sent(&stage), 0);
	expect_error(r, 404, "HISTORICAL_DATA_UNAVAILABLE");
	r = get(&stage, BARS);
	expect_error(r, 404, "HISTORICAL_DATA_UNAVAILABLE");
	cr_expect_eq(stage.sent_count, 1, "the emptiness is remembered");
	(void)snprintf(
	    target, sizeof(target), BARS "?page_token=%s", token_write(&of, shown, token));
	shown_put(&shown);
	r = expect_asked(&stage, target);
	tell_bars(&stage, last_sent(&stage), 0);
	cr_expect_eq(r->status, 200);
	cr_expect_str_eq(member(r, "data.bars"), "[]");
	ask_free(r);
}

Test(lookup, a_clock_is_taken_within_the_open_result_of_another_question)
{
	struct http_request *r = expect_asked(&stage, QUOTE);
	struct quote q = a_quote(&stage, "AAPL");

	tell_begin(&stage, last_sent(&stage), true);
	tell_clock(&stage, true, CLOCK_DAY);
	cr_expect_eq(lookup_session(stage.worker.lookup, ASSET_STOCK), SESSION_OPEN);
	lookup_on_quote(&stage.fetcher, &q, stage.worker.lookup);
	tell_end(&stage, last_sent(&stage), true, E_OK, "", 1);
	cr_expect_eq(r->status, 200, "the clock is no value of the result: %s", r->answer);
	ask_free(r);
}

Test(lookup, a_clock_is_taken_though_a_clock_was_cut_in_the_middle)
{
	struct http_request *r = expect_asked(&stage, "/api/v1/market/status");

	tell_begin(&stage, last_sent(&stage), true);
	tell_clock(&stage, false, CLOCK_DAY);
	tell_clock(&stage, true, CLOCK_DAY);
	cr_expect_eq(lookup_session(stage.worker.lookup, ASSET_STOCK), SESSION_OPEN);
	worker_gone(&stage.worker, r);
	ask_free(r);
}

Test(lookup, an_answer_without_its_value_is_no_data)
{
	struct http_request *r = expect_asked(&stage, QUOTE);

	tell_begin(&stage, last_sent(&stage), true);
	tell_end(&stage, last_sent(&stage), true, E_OK, "", 0);
	expect_error(r, 404, "REAL_DATA_UNAVAILABLE");
}

Test(lookup, codes_that_stay_inside_reach_no_client)
{
	struct http_request *r = expect_asked(&stage, QUOTE);

	tell_error(&stage, last_sent(&stage), E_SYSTEM, "");
	expect_error(r, 500, "INTERNAL_SERVICE_ERROR");
	r = expect_asked(&stage, QUOTE);
	tell_error(&stage, last_sent(&stage), 7, "");
	expect_error(r, 500, "INTERNAL_SERVICE_ERROR");
}

Test(lookup, book_and_cache_keep_one_bound_of_bytes)
{
	char target[128];
	struct http_request *r;
	uint64_t bytes;

	stage.proc.conf.http_cache_bytes = 65536;
	for (int i = 0; i < 100; i++) {
		struct quote q = a_quote(&stage, "AAPL");

		(void)snprintf(q.symbol, sizeof(q.symbol), "A%c%c", 'A' + i / 26, 'A' + i % 26);
		lookup_on_quote(&stage.fetcher, &q, stage.worker.lookup);
		(void)snprintf(target, sizeof(target), BARS "?limit=%d", i + 1);
		r = get(&stage, target);
		tell_bars(&stage, last_sent(&stage), 20);
		cr_assert_eq(r->status, 200);
		ask_free(r);
		bytes = metric_read(stage.http, M_CACHE_BYTES, LABEL(layer, BOOK), 0) +
			metric_read(stage.http, M_CACHE_BYTES, LABEL(layer, L1), 0);
		cr_assert_leq(bytes, 65536);
	}
	cr_expect_gt(metric_read(stage.http, M_CACHE_EVICTED, LABEL(layer, BOOK), 0), 0);
	cr_expect_gt(metric_read(stage.http, M_CACHE_EVICTED, LABEL(layer, L1), 0), 0);
	expect_way(&stage, BARS "?limit=100", "l1");
	r = expect_asked(&stage, BARS "?limit=1");
	worker_gone(&stage.worker, r);
	ask_free(r);
}

Test(lookup, what_is_larger_than_the_cache_is_answered_all_the_same)
{
	struct http_request *r;

	stage.proc.conf.http_cache_bytes = 65536;
	r = expect_asked(&stage, BARS);
	tell_bars(&stage, last_sent(&stage), 1000);
	cr_expect_eq(r->status, 200);
	cr_expect_str_eq(member(r, "data.count"), "1000");
	ask_free(r);
	cr_expect_eq(metric_read(stage.http, M_CACHE_ENTRIES, LABEL(layer, L1), 0), 0);
}

Test(lookup, the_probe_leaves_nothing_behind)
{
	cr_expect_eq(lookup_probe(stage.worker.lookup), E_OK);
	cr_expect_eq(lookup_probe(stage.worker.lookup), E_OK);
	warm_quote(&stage, "AAPL");
	cr_expect_eq(metric_read(stage.http, M_CACHE_ENTRIES, LABEL(layer, L1), 0), 0);
}
