/* test_batch.c - several symbols in one request. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

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

TestSuite(batch, .init = open_stage, .fini = close_stage);

static void
book(const char *symbol)
{
	struct quote q = a_quote(&stage, symbol);

	lookup_on_quote(&stage.fetcher, &q, stage.worker.lookup);
}

Test(batch, each_symbol_has_its_entry_in_the_order_asked)
{
	struct http_request *r;
	struct quote q = a_quote(&stage, "MSFT");

	book("AAPL");
	r = get(&stage, "/api/v1/stocks/quotes?symbols=MSFT,aapl,G00G,AAPL,ZZZZ");
	cr_assert_not(r->answered);
	cr_assert_eq(stage.sent_count, 2);
	stage_pass(&stage, 100);
	q.received = stage.wall;
	tell_quote(&stage, &stage.sent[0], &q);
	cr_assert_not(r->answered, "one is still missing");
	tell_error(&stage, &stage.sent[1], E_SYMBOL_NOT_FOUND, "asset not found");
	cr_assert_eq(r->status, 200, "%s", r->answer);
	cr_expect_str_eq(
	    member(r, "data.summary"), "{\"total_requested\":5,\"successful\":3,\"failed\":2}");
	cr_expect_str_eq(member(r, "data.quotes.0.symbol"), "MSFT");
	cr_expect_str_eq(member(r, "data.quotes.0.status"), "ok");
	cr_expect_str_eq(member(r, "data.quotes.0.data.bid_price"), "189.98");
	cr_expect_str_eq(member(r, "data.quotes.0.metadata.cache"), "miss");
	cr_expect_str_eq(member(r, "data.quotes.1.symbol"), "AAPL");
	cr_expect_str_eq(member(r, "data.quotes.1.metadata.cache"), "book");
	cr_expect_str_eq(member(r, "data.quotes.2.symbol"), "G00G");
	cr_expect_str_eq(member(r, "data.quotes.2.status"), "error");
	cr_expect_str_eq(member(r, "data.quotes.2.error.code"), "INVALID_SYMBOL_FORMAT");
	cr_expect_str_eq(member(r, "data.quotes.3.symbol"), "AAPL", "asked twice, answered twice");
	cr_expect_str_eq(member(r, "data.quotes.4.error.code"), "SYMBOL_NOT_FOUND");
	cr_expect_str_eq(member(r, "data.quotes.4.retry_after"), "null");
	cr_expect_str_eq(member(r, "metadata.data_source"), "alpaca_latest");
	cr_expect_str_eq(member(r, "metadata.cache"), "null", "they came in different ways");
	cr_expect_str_eq(member(r, "metadata.data_freshness_seconds"), "0.1", "of the oldest");
	ask_free(r);
}

Test(batch, is_answered_at_once_when_everything_is_held)
{
	struct http_request *r;

	book("AAPL");
	r = ask(&stage, "POST", "/api/v1/stocks/quotes/batch", NULL,
	    "{\"symbols\":[\"AAPL\",\"AAPL\"]}");
	cr_assert_eq(r->status, 200);
	cr_expect_str_eq(member(r, "data.summary.successful"), "2");
	cr_expect_str_eq(member(r, "metadata.cache"), "book");
	ask_free(r);
}

Test(batch, one_that_fails_wholly_is_still_a_batch)
{
	struct http_request *r =
	    ask(&stage, "POST", "/api/v1/options/quotes/batch", NULL, "{\"symbols\":[\"AAPL\"]}");

	cr_assert_eq(r->status, 200);
	cr_expect_str_eq(member(r, "data.summary.failed"), "1");
	cr_expect_str_eq(member(r, "metadata.data_source"), "null");
	cr_expect_str_eq(member(r, "metadata.received_at"), "null");
	cr_expect_str_eq(member(r, "metadata.data_freshness_seconds"), "null");
	ask_free(r);
}

Test(batch, more_symbols_than_allowed_are_refused_by_name)
{
	struct http_request *r;

	stage.proc.conf.http_batch_max = 2;
	r = get(&stage, "/api/v1/stocks/quotes?symbols=A,B,C");
	cr_expect_eq(r->status, 400);
	cr_expect_str_eq(member(r, "error.code"), "INVALID_PARAMETER");
	cr_expect_str_eq(member(r, "error.details.parameter"), "symbols");
	ask_free(r);
	r = get(&stage, "/api/v1/stocks/quotes?symbols=A,B&feed=none");
	cr_expect_str_eq(member(r, "error.details.parameter"), "feed");
	ask_free(r);
	cr_expect_eq(stage.sent_count, 0);
}

Test(batch, the_same_missing_symbol_twice_costs_one_fetch)
{
	struct http_request *r = get(&stage, "/api/v1/stocks/quotes?symbols=AAPL,AAPL");
	struct quote q = a_quote(&stage, "AAPL");

	cr_assert_eq(stage.sent_count, 1);
	tell_quote(&stage, &stage.sent[0], &q);
	cr_expect_str_eq(member(r, "data.summary.successful"), "2");
	ask_free(r);
}

Test(batch, a_client_that_leaves_is_forgotten)
{
	struct http_request *r = get(&stage, "/api/v1/stocks/quotes?symbols=A,B,C");
	struct quote q = a_quote(&stage, "A");

	tell_quote(&stage, &stage.sent[0], &q);
	worker_gone(&stage.worker, r);
	cr_expect_not(r->answered);
	ask_free(r);
	tell_error(&stage, &stage.sent[1], E_UPSTREAM_TIMEOUT, "");
	cr_expect_eq(metric_read(stage.http, M_HTTP_IN_FLIGHT, 0, 0), 0);
}

Test(batch, a_full_channel_fails_only_what_had_to_be_fetched)
{
	struct http_request *r;

	book("AAPL");
	stage.send_error = E_FULL;
	r = get(&stage, "/api/v1/stocks/quotes?symbols=AAPL,MSFT");
	cr_assert_eq(r->status, 200);
	cr_expect_str_eq(member(r, "data.quotes.0.status"), "ok");
	cr_expect_str_eq(member(r, "data.quotes.1.error.code"), "OVERLOADED");
	cr_expect_str_eq(member(r, "data.quotes.1.retry_after"), "1");
	ask_free(r);
}

Test(batch, an_old_value_bridges_a_failure_in_a_batch_too)
{
	struct http_request *r;

	book("AAPL");
	stage_pass(&stage, 60000);
	r = get(&stage, "/api/v1/stocks/quotes?symbols=AAPL");
	tell_error(&stage, &stage.sent[0], E_UPSTREAM_SERVICE_ERROR, "");
	cr_expect_str_eq(member(r, "data.quotes.0.metadata.cache"), "stale");
	ask_free(r);
}
