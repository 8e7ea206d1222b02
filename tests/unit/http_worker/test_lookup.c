/* test_lookup.c - hit, miss, expired, stale, refused, shared, late: where an answer comes from. */
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

/* Asks and has the fetcher answer with a quote. */
static void
warm_quote(const char *symbol)
{
	char target[128];
	struct http_request *r;
	struct quote q = a_quote(&stage, symbol);

	(void)snprintf(target, sizeof(target), "/api/v1/stocks/%s/quote", symbol);
	r = get(&stage, target);
	cr_assert_not(r->answered);
	tell_quote(&stage, &stage.sent[stage.sent_count - 1], &q);
	cr_assert_eq(r->status, 200, "%s", r->answer);
	cr_assert_str_eq(member(r, "metadata.cache"), "miss");
	ask_free(r);
}

static void
expect_way(const char *target, const char *way)
{
	struct http_request *r = get(&stage, target);

	cr_assert(r->answered, "%s should have been answered at once", target);
	cr_expect_eq(r->status, 200, "%s", r->answer);
	cr_expect_str_eq(member(r, "metadata.cache"), way);
	cr_expect_str_eq(answer_header(r, "X-Cache-Status"), way);
	ask_free(r);
}

static struct http_request *
expect_asked(const char *target)
{
	size_t before = stage.sent_count;
	struct http_request *r = get(&stage, target);

	cr_assert_not(r->answered, "%s: %s", target, r->answer);
	cr_assert_eq(stage.sent_count, before + 1);
	return r;
}

static const struct msg_fetch *
last_sent(void)
{
	return &stage.sent[stage.sent_count - 1];
}

static void
expect_error(struct http_request *r, int status, const char *code)
{
	cr_assert(r->answered);
	cr_expect_eq(r->status, status, "%s", r->answer);
	cr_expect_str_eq(member(r, "error.code"), code);
	ask_free(r);
}

Test(lookup, a_miss_is_fetched_and_the_next_one_comes_from_the_book)
{
	warm_quote("AAPL");
	expect_way(QUOTE, "book");
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

	warm_quote("AAPL");
	stage_pass(&stage, 29999);
	expect_way(QUOTE, "book");
	stage_pass(&stage, 1);
	r = expect_asked(QUOTE);
	cr_expect_eq(
	    metric_read(stage.http, M_CACHE_REQUESTS, LABEL(layer, BOOK), LABEL(hit, EXPIRED)), 1);
	worker_gone(&stage.worker, r);
	ask_free(r);
}

Test(lookup, a_client_may_tighten_but_not_loosen)
{
	struct http_request *r;

	warm_quote("AAPL");
	stage_pass(&stage, 10000);
	expect_way(QUOTE "?max_age_seconds=10.5", "book");
	r = expect_asked(QUOTE "?max_age_seconds=10");
	tell_error(&stage, last_sent(), E_UPSTREAM_SERVICE_ERROR, "down");
	expect_error(r, 503, "UPSTREAM_SERVICE_ERROR");
	stage_pass(&stage, 25000);
	r = expect_asked(QUOTE "?max_age_seconds=3600");
	worker_gone(&stage.worker, r);
	ask_free(r);
}

Test(lookup, zero_seconds_always_asks)
{
	struct http_request *r;

	warm_quote("AAPL");
	r = expect_asked(QUOTE "?max_age_seconds=0");
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
	warm_quote("AAPL");
	lookup_on_quote(&stage.fetcher, &q, stage.worker.lookup);
	stage_pass(&stage, 40000);
	expect_way(QUOTE, "book");
	r = expect_asked("/api/v1/crypto/BTC-USD/quote");
	worker_gone(&stage.worker, r);
	ask_free(r);
}

Test(lookup, a_failing_upstream_is_bridged_by_the_last_real_value)
{
	struct http_request *r;

	warm_quote("AAPL");
	stage_pass(&stage, 60000);
	r = expect_asked(QUOTE);
	tell_error(&stage, last_sent(), E_UPSTREAM_SERVICE_ERROR, "HTTP status 500");
	cr_assert(r->answered);
	cr_expect_eq(r->status, 200);
	cr_expect_str_eq(member(r, "metadata.cache"), "stale");
	cr_expect_str_eq(member(r, "metadata.data_freshness_seconds"), "60.0");
	cr_expect_str_eq(answer_header(r, "Age"), "60");
	cr_expect_str_eq(answer_header(r, "Cache-Control"), "private, max-age=0");
	ask_free(r);
	stage_pass(&stage, 240000);
	r = expect_asked(QUOTE);
	tell_error(&stage, last_sent(), E_UPSTREAM_SERVICE_ERROR, "HTTP status 500");
	expect_error(r, 503, "UPSTREAM_SERVICE_ERROR");
}

Test(lookup, a_verdict_is_no_failure_and_is_not_bridged)
{
	struct http_request *r;

	warm_quote("AAPL");
	stage_pass(&stage, 60000);
	r = expect_asked(QUOTE);
	tell_error(&stage, last_sent(), E_SYMBOL_NOT_FOUND, "asset not found");
	expect_error(r, 404, "SYMBOL_NOT_FOUND");
}

Test(lookup, refusals_are_believed_for_their_time)
{
	struct http_request *r = expect_asked(QUOTE);

	tell_error(&stage, last_sent(), E_REAL_DATA_UNAVAILABLE, "no quote");
	expect_error(r, 404, "REAL_DATA_UNAVAILABLE");
	stage_pass(&stage, 4000);
	r = get(&stage, QUOTE);
	cr_assert(r->answered);
	cr_expect_str_eq(member(r, "metadata.retry_after"), "6", "no sooner than it is forgotten");
	cr_expect_str_eq(answer_header(r, "Retry-After"), "6");
	cr_expect_str_eq(member(r, "error.details.reason"), "no quote");
	expect_error(r, 404, "REAL_DATA_UNAVAILABLE");
	stage_pass(&stage, 6000);
	r = expect_asked(QUOTE);
	worker_gone(&stage.worker, r);
	ask_free(r);
}

Test(lookup, a_failure_is_not_believed_at_all)
{
	struct http_request *r = expect_asked(QUOTE);

	tell_error(&stage, last_sent(), E_UPSTREAM_TIMEOUT, "");
	expect_error(r, 504, "UPSTREAM_TIMEOUT");
	r = expect_asked(QUOTE);
	worker_gone(&stage.worker, r);
	ask_free(r);
}

Test(lookup, a_value_ends_an_earlier_refusal)
{
	struct quote q = a_quote(&stage, "AAPL");
	struct http_request *r = expect_asked(QUOTE);

	tell_error(&stage, last_sent(), E_REAL_DATA_UNAVAILABLE, "no quote");
	expect_error(r, 404, "REAL_DATA_UNAVAILABLE");
	r = expect_asked(QUOTE "?max_age_seconds=0");
	tell_quote(&stage, last_sent(), &q);
	cr_expect_eq(r->status, 200);
	ask_free(r);
	stage_pass(&stage, 5000);
	expect_way(QUOTE, "book");
}

Test(lookup, identical_questions_share_one_fetch)
{
	struct http_request *all[50];
	struct quote q = a_quote(&stage, "AAPL");

	for (size_t i = 0; i < 50; i++)
		all[i] = get(&stage, i % 2 ? "/api/v1/stocks/aapl/quote?feed=iex" : QUOTE);
	cr_expect_eq(stage.sent_count, 1);
	cr_expect_eq(metric_read(stage.http, M_HTTP_IN_FLIGHT, 0, 0), 50);
	cr_expect_eq(metric_read(stage.http, M_FETCH_WAITING, 0, 0), 1);
	tell_quote(&stage, last_sent(), &q);
	for (size_t i = 0; i < 50; i++) {
		cr_assert_eq(all[i]->status, 200);
		ask_free(all[i]);
	}
	cr_expect_eq(metric_read(stage.http, M_FETCH_WAITING, 0, 0), 0);
	cr_expect_eq(
	    metric_read(stage.http, M_CACHE_REQUESTS, LABEL(layer, UPSTREAM), LABEL(hit, JOINED)),
	    49);
}

Test(lookup, different_questions_do_not)
{
	static const char *const targets[] = { BARS "?limit=1", BARS "?limit=2",
		BARS "?limit=1&sort=desc", BARS "?limit=1&feed=sip", BARS "?limit=1&page_token=x",
		"/api/v1/options/AAPL/chain", "/api/v1/options/AAPL/chain?type=call",
		"/api/v1/options/AAPL/chain?strike_price_gte=0" };
	struct http_request *r[8];

	for (size_t i = 0; i < 8; i++)
		r[i] = expect_asked(targets[i]);
	for (size_t i = 0; i < 8; i++) {
		worker_gone(&stage.worker, r[i]);
		ask_free(r[i]);
	}
}

Test(lookup, a_client_that_leaves_takes_nobody_along)
{
	struct http_request *a = expect_asked(QUOTE), *b = get(&stage, QUOTE);
	struct quote q = a_quote(&stage, "AAPL");

	worker_gone(&stage.worker, a);
	ask_free(a);
	tell_quote(&stage, last_sent(), &q);
	cr_expect_eq(b->status, 200);
	ask_free(b);
	cr_expect_eq(metric_read(stage.http, M_HTTP_IN_FLIGHT, 0, 0), 0);
}

Test(lookup, an_answer_nobody_waits_for_any_more_is_kept)
{
	struct http_request *r = expect_asked(QUOTE);
	struct quote q = a_quote(&stage, "AAPL");

	worker_gone(&stage.worker, r);
	ask_free(r);
	tell_quote(&stage, last_sent(), &q);
	expect_way(QUOTE, "book");
}

Test(lookup, results_of_other_workers_fill_book_and_l1_and_answer_the_same_question)
{
	struct http_request *waits = expect_asked(BARS "?limit=2");
	struct msg_fetch theirs = *last_sent();
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
	expect_way(BARS "?limit=2", "l1");

	theirs.endpoint = ENDPOINT_STOCK_QUOTE;
	strcpy(theirs.symbol, "MSFT");
	tell_begin(&stage, &theirs, false);
	lookup_on_quote(&stage.fetcher, &q, stage.worker.lookup);
	tell_end(&stage, &theirs, false, E_OK, "", 1);
	expect_way("/api/v1/stocks/MSFT/quote", "book");
}

Test(lookup, another_workers_failure_is_not_ours)
{
	struct http_request *r = expect_asked(QUOTE);

	tell_begin(&stage, last_sent(), false);
	tell_end(&stage, last_sent(), false, E_UPSTREAM_SERVICE_ERROR, "x", 0);
	cr_expect_not(r->answered);
	worker_gone(&stage.worker, r);
	ask_free(r);
}

Test(lookup, nothing_of_a_result_counts_before_its_end)
{
	struct http_request *r = expect_asked(QUOTE);
	struct quote q = a_quote(&stage, "AAPL");

	tell_begin(&stage, last_sent(), true);
	lookup_on_quote(&stage.fetcher, &q, stage.worker.lookup);
	cr_expect_not(r->answered);
	lookup_peer_down(stage.worker.lookup, &stage.fetcher);
	lookup_peer_up(stage.worker.lookup, &stage.fetcher);
	cr_expect_not(r->answered);
	cr_assert_eq(stage.sent_count, 2, "asked again of the next fetcher");
	cr_expect_eq(stage.sent[0].ticket, stage.sent[1].ticket);
	tell_quote(&stage, last_sent(), &q);
	cr_expect_eq(r->status, 200);
	ask_free(r);
}

Test(lookup, a_result_with_values_missing_is_an_error_not_an_answer)
{
	struct http_request *r = expect_asked(BARS);

	tell_begin(&stage, last_sent(), true);
	tell_end(&stage, last_sent(), true, E_OK, "", 5);
	expect_error(r, 500, "INTERNAL_SERVICE_ERROR");
	r = expect_asked(BARS);
	worker_gone(&stage.worker, r);
	ask_free(r);
}

Test(lookup, without_a_fetcher_a_fetch_waits_for_one_within_its_time)
{
	struct http_request *r;
	struct quote q = a_quote(&stage, "AAPL");

	lookup_peer_down(stage.worker.lookup, &stage.fetcher);
	r = get(&stage, QUOTE);
	cr_expect_not(r->answered);
	cr_expect_eq(stage.sent_count, 0);
	stage_pass(&stage, 2000);
	lookup_peer_up(stage.worker.lookup, &stage.fetcher);
	cr_assert_eq(stage.sent_count, 1);
	cr_expect_leq(last_sent()->timeout_ms, 10001);
	tell_quote(&stage, last_sent(), &q);
	cr_expect_eq(r->status, 200);
	ask_free(r);
}

/* The timer is libevent's and the clock is ours: the loop is turned until it has fired. */
static void
turn_until_answered(struct http_request *r)
{
	for (int i = 0; i < 1000 && !r->answered; i++)
		loop_turn(stage.proc.loop, 5);
}

Test(lookup, a_fetch_that_takes_too_long_is_answered_504, .timeout = 20)
{
	struct http_request *r;

	stage.proc.conf.http_fetch_timeout = 20;
	r = expect_asked(QUOTE);
	stage_pass(&stage, 20);
	turn_until_answered(r);
	cr_expect_str_eq(answer_header(r, "Retry-After"), "1");
	expect_error(r, 504, "UPSTREAM_TIMEOUT");
	cr_expect_eq(metric_read(stage.http, M_FETCH_WAITING, 0, 0), 0);
}

Test(lookup, the_timer_serves_each_fetch_at_its_own_time, .timeout = 20)
{
	struct http_request *a, *b;

	stage.proc.conf.http_fetch_timeout = 20;
	a = expect_asked(QUOTE);
	stage_pass(&stage, 10);
	b = expect_asked(BARS);
	stage_pass(&stage, 10);
	turn_until_answered(a);
	cr_expect(a->answered);
	cr_expect_not(b->answered);
	stage_pass(&stage, 10);
	turn_until_answered(b);
	expect_error(a, 504, "UPSTREAM_TIMEOUT");
	expect_error(b, 504, "UPSTREAM_TIMEOUT");
}

Test(lookup, a_full_channel_is_503_with_a_time_to_come_back)
{
	struct http_request *r;

	stage.send_error = E_FULL;
	r = get(&stage, QUOTE);
	cr_expect_str_eq(answer_header(r, "Retry-After"), "1");
	expect_error(r, 503, "OVERLOADED");
	cr_expect_eq(metric_read(stage.http, M_FETCH_REFUSED, 0, 0), 1);
	stage.send_error = E_OK;
	warm_quote("AAPL");
}

Test(lookup, a_full_channel_is_bridged_like_any_failure)
{
	warm_quote("AAPL");
	stage_pass(&stage, 60000);
	stage.send_error = E_FULL;
	expect_way(QUOTE, "stale");
}

Test(lookup, fetches_on_their_way_are_bounded)
{
	struct http_request *held[3], *r;
	char target[128];

	/* The table is filled from below: requests would need four thousand of them. */
	struct waiting *w = waiting_new(&stage.proc);
	struct waiter *who = calloc(WAITING_FETCHES_MAX + 1, sizeof(*who));
	struct msg_fetch f = { .endpoint = ENDPOINT_STOCK_QUOTE };
	bool joined;

	for (size_t i = 0; i < WAITING_FETCHES_MAX; i++) {
		(void)snprintf(target, sizeof(target), "k%zu", i);
		cr_assert_eq(waiting_join(w, target, &f, &who[i], &joined), E_OK);
	}
	cr_expect_eq(
	    waiting_join(w, "one more", &f, &who[WAITING_FETCHES_MAX], &joined), E_OVERLOADED);
	cr_expect_eq(waiting_join(w, "k7", &f, &who[WAITING_FETCHES_MAX], &joined), E_OK,
	    "joining costs none");
	cr_expect(joined);
	cr_expect_eq(waiting_count(w), WAITING_FETCHES_MAX);
	waiting_free(&w);
	for (size_t i = 0; i <= WAITING_FETCHES_MAX; i++)
		cr_assert_null(who[i].on);
	free(who);
	for (size_t i = 0; i < 3; i++)
		held[i] = get(&stage, i ? BARS : QUOTE);
	for (size_t i = 0; i < 3; i++) {
		r = held[i];
		worker_gone(&stage.worker, r);
		ask_free(r);
	}
}

Test(lookup, a_snapshot_feeds_the_book_with_its_quote_and_trade)
{
	struct http_request *r = expect_asked("/api/v1/stocks/AAPL/snapshot");
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

	tell_begin(&stage, last_sent(), true);
	lookup_on_snapshot(&stage.fetcher, &s, stage.worker.lookup);
	lookup_on_trade(&stage.fetcher, &t, stage.worker.lookup);
	lookup_on_quote(&stage.fetcher, &q, stage.worker.lookup);
	tell_end(&stage, last_sent(), true, E_OK, "", 3);
	cr_assert_eq(r->status, 200);
	cr_expect_str_eq(member(r, "data.latest_quote.bid_price"), "189.98");
	cr_expect_str_eq(member(r, "data.minute_bar"), "null");
	ask_free(r);
	expect_way(QUOTE, "book");
	expect_way("/api/v1/stocks/AAPL/trade", "book");
	expect_way("/api/v1/stocks/AAPL/snapshot", "l1");
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
	struct http_request *r = expect_asked(BARS);

	tell_bars(&stage, last_sent(), 0);
	expect_error(r, 404, "HISTORICAL_DATA_UNAVAILABLE");
	r = get(&stage, BARS);
	expect_error(r, 404, "HISTORICAL_DATA_UNAVAILABLE");
	cr_expect_eq(stage.sent_count, 1, "the emptiness is remembered");
	r = expect_asked(BARS "?page_token=abc");
	tell_bars(&stage, last_sent(), 0);
	cr_expect_eq(r->status, 200);
	cr_expect_str_eq(member(r, "data.bars"), "[]");
	ask_free(r);
}

Test(lookup, an_answer_without_its_value_is_no_data)
{
	struct http_request *r = expect_asked(QUOTE);

	tell_begin(&stage, last_sent(), true);
	tell_end(&stage, last_sent(), true, E_OK, "", 0);
	expect_error(r, 404, "REAL_DATA_UNAVAILABLE");
}

Test(lookup, codes_that_stay_inside_reach_no_client)
{
	struct http_request *r = expect_asked(QUOTE);

	tell_error(&stage, last_sent(), E_SYSTEM, "");
	expect_error(r, 500, "INTERNAL_SERVICE_ERROR");
	r = expect_asked(QUOTE);
	tell_error(&stage, last_sent(), 7, "");
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
		tell_bars(&stage, last_sent(), 20);
		cr_assert_eq(r->status, 200);
		ask_free(r);
		bytes = metric_read(stage.http, M_CACHE_BYTES, LABEL(layer, BOOK), 0) +
			metric_read(stage.http, M_CACHE_BYTES, LABEL(layer, L1), 0);
		cr_assert_leq(bytes, 65536);
	}
	cr_expect_gt(metric_read(stage.http, M_CACHE_EVICTED, LABEL(layer, BOOK), 0), 0);
	cr_expect_gt(metric_read(stage.http, M_CACHE_EVICTED, LABEL(layer, L1), 0), 0);
	expect_way(BARS "?limit=100", "l1");
	r = expect_asked(BARS "?limit=1");
	worker_gone(&stage.worker, r);
	ask_free(r);
}

Test(lookup, what_is_larger_than_the_cache_is_answered_all_the_same)
{
	struct http_request *r;

	stage.proc.conf.http_cache_bytes = 65536;
	r = expect_asked(BARS);
	tell_bars(&stage, last_sent(), 1000);
	cr_expect_eq(r->status, 200);
	cr_expect_str_eq(member(r, "data.count"), "1000");
	ask_free(r);
	cr_expect_eq(metric_read(stage.http, M_CACHE_ENTRIES, LABEL(layer, L1), 0), 0);
}

Test(lookup, the_probe_leaves_nothing_behind)
{
	cr_expect_eq(lookup_probe(stage.worker.lookup), E_OK);
	cr_expect_eq(lookup_probe(stage.worker.lookup), E_OK);
	warm_quote("AAPL");
	cr_expect_eq(metric_read(stage.http, M_CACHE_ENTRIES, LABEL(layer, L1), 0), 0);
}
