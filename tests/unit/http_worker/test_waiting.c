/* test_waiting.c - fetches on their way: shared, late, refused, asked again of the next fetcher. */
#include <criterion/criterion.h>
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

TestSuite(waiting, .init = open_stage, .fini = close_stage);

#define QUOTE "/api/v1/stocks/AAPL/quote"
#define BARS  "/api/v1/stocks/AAPL/bars"

Test(waiting, identical_questions_share_one_fetch)
{
	struct http_request *all[50];
	struct quote q = a_quote(&stage, "AAPL");

	for (size_t i = 0; i < 50; i++)
		all[i] = get(&stage, i % 2 ? "/api/v1/stocks/aapl/quote?feed=iex" : QUOTE);
	cr_expect_eq(stage.sent_count, 1);
	cr_expect_eq(metric_read(stage.http, M_HTTP_IN_FLIGHT, 0, 0), 50);
	cr_expect_eq(metric_read(stage.http, M_FETCH_WAITING, 0, 0), 1);
	tell_quote(&stage, last_sent(&stage), &q);
	for (size_t i = 0; i < 50; i++) {
		cr_assert_eq(all[i]->status, 200);
		ask_free(all[i]);
	}
	cr_expect_eq(metric_read(stage.http, M_FETCH_WAITING, 0, 0), 0);
	cr_expect_eq(
	    metric_read(stage.http, M_CACHE_REQUESTS, LABEL(layer, UPSTREAM), LABEL(hit, JOINED)),
	    49);
}

Test(waiting, different_questions_do_not)
{
	static const char *const targets[] = { BARS "?limit=1", BARS "?limit=2",
		BARS "?limit=1&sort=desc", BARS "?limit=1&feed=sip",
		BARS "?limit=1&start=2020-01-01", "/api/v1/options/AAPL/chain",
		"/api/v1/options/AAPL/chain?type=call",
		"/api/v1/options/AAPL/chain?strike_price_gte=0" };
	struct http_request *r[8];

	for (size_t i = 0; i < 8; i++)
		r[i] = expect_asked(&stage, targets[i]);
	for (size_t i = 0; i < 8; i++) {
		worker_gone(&stage.worker, r[i]);
		ask_free(r[i]);
	}
}

Test(waiting, nobody_in_a_hurry_waits_behind_a_backfill)
{
	struct http_request *slow = expect_asked(&stage, BARS "?limit=1&lane=backfill");
	struct http_request *also = get(&stage, BARS "?limit=1&lane=backfill"), *fast, *named;

	cr_expect_eq(stage.sent_count, 1, "two backfills share");
	cr_expect_eq(last_sent(&stage)->lane, LANE_BACKFILL);
	fast = expect_asked(&stage, BARS "?limit=1");
	cr_expect_eq(stage.sent_count, 2, "another fetch");
	cr_expect_eq(last_sent(&stage)->lane, LANE_INTERACTIVE);
	named = get(&stage, BARS "?limit=1&lane=interactive");
	cr_expect_eq(stage.sent_count, 2, "the default, spelled out");
	worker_gone(&stage.worker, slow);
	worker_gone(&stage.worker, also);
	worker_gone(&stage.worker, fast);
	worker_gone(&stage.worker, named);
	ask_free(slow);
	ask_free(also);
	ask_free(fast);
	ask_free(named);
}

Test(waiting, a_client_that_leaves_takes_nobody_along)
{
	struct http_request *a = expect_asked(&stage, QUOTE), *b = get(&stage, QUOTE);
	struct quote q = a_quote(&stage, "AAPL");

	worker_gone(&stage.worker, a);
	ask_free(a);
	tell_quote(&stage, last_sent(&stage), &q);
	cr_expect_eq(b->status, 200);
	ask_free(b);
	cr_expect_eq(metric_read(stage.http, M_HTTP_IN_FLIGHT, 0, 0), 0);
}

Test(waiting, an_answer_nobody_waits_for_any_more_is_kept)
{
	struct http_request *r = expect_asked(&stage, QUOTE);
	struct quote q = a_quote(&stage, "AAPL");

	worker_gone(&stage.worker, r);
	ask_free(r);
	tell_quote(&stage, last_sent(&stage), &q);
	expect_way(&stage, QUOTE, "book");
}

Test(waiting, nothing_of_a_result_counts_before_its_end)
{
	struct http_request *r = expect_asked(&stage, QUOTE);
	struct quote q = a_quote(&stage, "AAPL");

	tell_begin(&stage, last_sent(&stage), true);
	lookup_on_quote(&stage.fetcher, &q, stage.worker.lookup);
	cr_expect_not(r->answered);
	lookup_peer_down(stage.worker.lookup, &stage.fetcher);
	lookup_peer_up(stage.worker.lookup, &stage.fetcher);
	cr_expect_not(r->answered);
	cr_assert_eq(stage.sent_count, 2, "asked again of the next fetcher");
	cr_expect_eq(stage.sent[0].ticket, stage.sent[1].ticket);
	tell_quote(&stage, last_sent(&stage), &q);
	cr_expect_eq(r->status, 200);
	ask_free(r);
}

Test(waiting, a_result_with_values_missing_is_an_error_not_an_answer)
{
	struct http_request *r = expect_asked(&stage, BARS);

	tell_begin(&stage, last_sent(&stage), true);
	tell_end(&stage, last_sent(&stage), true, E_OK, "", 5);
	expect_error(r, 500, "INTERNAL_SERVICE_ERROR");
	r = expect_asked(&stage, BARS);
	worker_gone(&stage.worker, r);
	ask_free(r);
}

Test(waiting, without_a_fetcher_a_fetch_waits_for_one_within_its_time)
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
	cr_expect_leq(last_sent(&stage)->timeout_ms, 10001);
	tell_quote(&stage, last_sent(&stage), &q);
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

Test(waiting, a_fetch_that_takes_too_long_is_answered_504, .timeout = 20)
{
	struct http_request *r;

	stage.proc.conf.http_fetch_timeout = 20;
	r = expect_asked(&stage, QUOTE);
	stage_pass(&stage, 20);
	turn_until_answered(r);
	cr_expect_str_eq(answer_header(r, "Retry-After"), "1");
	expect_error(r, 504, "UPSTREAM_TIMEOUT");
	cr_expect_eq(metric_read(stage.http, M_FETCH_WAITING, 0, 0), 0);
}

Test(waiting, the_timer_serves_each_fetch_at_its_own_time, .timeout = 20)
{
	struct http_request *a, *b;

	stage.proc.conf.http_fetch_timeout = 20;
	a = expect_asked(&stage, QUOTE);
	stage_pass(&stage, 10);
	b = expect_asked(&stage, BARS);
	stage_pass(&stage, 10);
	turn_until_answered(a);
	cr_expect(a->answered);
	cr_expect_not(b->answered);
	stage_pass(&stage, 10);
	turn_until_answered(b);
	expect_error(a, 504, "UPSTREAM_TIMEOUT");
	expect_error(b, 504, "UPSTREAM_TIMEOUT");
}

Test(waiting, a_full_channel_is_503_with_a_time_to_come_back)
{
	struct http_request *r;

	stage.send_error = E_FULL;
	r = get(&stage, QUOTE);
	cr_expect_str_eq(answer_header(r, "Retry-After"), "1");
	expect_error(r, 503, "OVERLOADED");
	cr_expect_eq(metric_read(stage.http, M_FETCH_REFUSED, 0, 0), 1);
	stage.send_error = E_OK;
	warm_quote(&stage, "AAPL");
}

Test(waiting, a_full_channel_is_bridged_like_any_failure)
{
	warm_quote(&stage, "AAPL");
	stage_pass(&stage, 60000);
	stage.send_error = E_FULL;
	expect_way(&stage, QUOTE, "stale");
}

Test(waiting, fetches_on_their_way_are_bounded)
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
