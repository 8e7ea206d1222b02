/* test_ask.c - what a request asks upstream for, and what is refused before anybody is asked. */
#include <criterion/criterion.h>
#include <math.h>
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

TestSuite(asking, .init = open_stage, .fini = close_stage);

static const struct msg_fetch *
fetch_of(const char *target)
{
	struct http_request *r = get(&stage, target);

	cr_assert_not(r->answered, "%s: %d %s", target, r->status, r->answer);
	worker_gone(&stage.worker, r);
	ask_free(r);
	return &stage.sent[stage.sent_count - 1];
}

static void
expect_refused(const char *target, const char *code, const char *parameter)
{
	struct http_request *r = get(&stage, target);

	cr_assert(r->answered, "%s", target);
	cr_expect_eq(r->status, 400, "%s", target);
	cr_expect_str_eq(member(r, "error.code"), code, "%s", target);
	cr_expect_str_eq(member(r, "error.details.parameter"), parameter, "%s", target);
	cr_expect_str_eq(member(r, "metadata.retry_after"), "null");
	cr_expect_eq(stage.sent_count, 0, "nobody is asked");
	ask_free(r);
}

Test(asking, spells_the_symbol_and_the_feed_out)
{
	const struct msg_fetch *f = fetch_of("/api/v1/stocks/aapl/quote");

	cr_expect_eq(f->endpoint, ENDPOINT_STOCK_QUOTE);
	cr_expect_str_eq(f->symbol, "AAPL");
	cr_expect_str_eq(f->feed, "iex");
	cr_expect_eq(f->lane, LANE_INTERACTIVE);
	cr_expect(isnan(f->strike_min));
	f = fetch_of("/api/v1/crypto/btc-usd/trade");
	cr_expect_str_eq(f->symbol, "BTC/USD");
	cr_expect_str_eq(f->feed, "us");
	f = fetch_of("/api/v1/options/AAPL240216C00190000/quote?feed=opra");
	cr_expect_str_eq(f->feed, "opra");
}

Test(asking, bars_have_their_defaults_and_their_range)
{
	const struct msg_fetch *f = fetch_of("/api/v1/stocks/AAPL/bars");

	cr_expect_str_eq(f->timeframe, "1Day");
	cr_expect_str_eq(f->adjustment, "raw");
	cr_expect_eq(f->limit, 1000);
	cr_expect_eq(f->start, 0);
	f = fetch_of(
	    "/api/v1/stocks/AAPL/"
	    "bars?timeframe=5T&start=2024-01-02&end=2024-07-01T15:00:00Z&sort=desc&limit=10000");
	cr_expect_str_eq(f->timeframe, "5Min");
	cr_expect_eq(f->start, INT64_C(1704171600) * CLOCK_SEC, "midnight in New York, in winter");
	cr_expect_eq(f->end, INT64_C(1719846000) * CLOCK_SEC);
	cr_expect(f->descending);
}

Test(asking, a_day_as_an_end_is_all_of_it)
{
	const struct msg_fetch *f =
	    fetch_of("/api/v1/stocks/AAPL/bars?start=2024-07-01&end=2024-07-01");

	cr_expect_eq(f->start, INT64_C(1719806400) * CLOCK_SEC, "midnight in New York, in summer");
	cr_expect_eq(f->end, INT64_C(1719806400) * CLOCK_SEC + CLOCK_DAY - 1);
	f = fetch_of("/api/v1/crypto/BTC-USD/bars?start=2024-07-01");
	cr_expect_eq(f->start, INT64_C(1719792000) * CLOCK_SEC, "crypto's days are UTC's");
	cr_expect_str_eq(f->adjustment, "");
}

Test(asking, a_day_in_which_the_clocks_change_begins_at_its_own_midnight)
{
	const struct msg_fetch *f =
	    fetch_of("/api/v1/stocks/AAPL/bars?start=2024-03-10&end=2024-03-10");

	cr_expect_eq(f->start, INT64_C(1710046800) * CLOCK_SEC, "05:00 UTC");
	cr_expect_eq(f->end, INT64_C(1710129600) * CLOCK_SEC - 1, "to 04:00 UTC: 23 hours");
}

Test(asking, a_chain_carries_its_filters)
{
	const struct msg_fetch *f =
	    fetch_of("/api/v1/options/AAPL/chain?type=call&strike_price_gte=100"
		     "&strike_price_lte=200.5&expiration_date_gte=2024-01-01"
		     "&expiration_date_lte=2024-12-31&root_symbol=aapl1&limit=5");

	cr_expect_str_eq(f->option_type, "call");
	cr_expect_eq(f->strike_min, 100);
	cr_expect_eq(f->strike_max, 200.5);
	cr_expect_str_eq(f->expiration_min, "2024-01-01");
	cr_expect_str_eq(f->root_symbol, "AAPL1");
	cr_expect_eq(f->limit, 5);
}

Test(asking, malformed_symbols_are_named_and_never_asked)
{
	static const char *const bad[] = { "G00G", "TOOLONG", "A.B.C", "%20", "A%00B", "..%2f" };
	char target[128];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(target, sizeof(target), "/api/v1/stocks/%s/quote", bad[i]);
		expect_refused(target, "INVALID_SYMBOL_FORMAT", "symbol");
	}
	expect_refused("/api/v1/options/AAPL/quote", "INVALID_SYMBOL_FORMAT", "contract");
	expect_refused(
	    "/api/v1/options/AAPL240231C00190000/quote", "INVALID_SYMBOL_FORMAT", "contract");
	expect_refused("/api/v1/crypto/BTCUSD/quote", "INVALID_SYMBOL_FORMAT", "symbol");
}

Test(asking, parameters_out_of_bounds_are_named)
{
	const char *bars = "/api/v1/stocks/AAPL/bars?";
	static const char *const bad[][2] = { { "limit=0", "limit" }, { "limit=10001", "limit" },
		{ "timeframe=3Fortnight", "timeframe" }, { "sort=up", "sort" },
		{ "adjustment=magic", "adjustment" }, { "feed=opra", "feed" }, { "feed=i", "feed" },
		{ "max_age_seconds=-1", "max_age_seconds" },
		{ "max_age_seconds=86401", "max_age_seconds" } };
	char target[512];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(target, sizeof(target), "%s%s", bars, bad[i][0]);
		expect_refused(target, "INVALID_PARAMETER", bad[i][1]);
	}
	(void)snprintf(target, sizeof(target), "%spage_token=%0300d", bars, 0);
	expect_refused(target, "INVALID_PARAMETER", "page_token");
	expect_refused("/api/v1/options/AAPL/chain?type=both", "INVALID_PARAMETER", "type");
	expect_refused("/api/v1/options/AAPL/chain?strike_price_gte=2&strike_price_lte=1",
	    "INVALID_PARAMETER", "strike_price_lte");
	expect_refused("/api/v1/options/AAPL/chain?strike_price_gte=-1", "INVALID_PARAMETER",
	    "strike_price_gte");
	expect_refused(
	    "/api/v1/options/AAPL/chain?root_symbol=AAPL%7C", "INVALID_PARAMETER", "root_symbol");
}

Test(asking, ranges_of_time_that_are_none_are_refused)
{
	const char *bars = "/api/v1/stocks/AAPL/bars?";
	static const char *const bad[][2] = { { "start=yesterday", "start" },
		{ "start=2008-02-30", "start" }, { "start=1969-12-31", "start" },
		{ "end=9999-01-01", "end" }, { "start=2008-02-02&end=2008-01-01", "end" },
		{ "end=2008-01-01&start=2008-01-01T23:00:00-08:00", "end" } };
	char target[512];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(target, sizeof(target), "%s%s", bars, bad[i][0]);
		expect_refused(target, "INVALID_DATE_RANGE", bad[i][1]);
	}
	expect_refused("/api/v1/options/AAPL/chain?expiration_date=2024-02-30",
	    "INVALID_DATE_RANGE", "expiration_date");
	expect_refused("/api/v1/options/AAPL/"
		       "chain?expiration_date_gte=2024-02-02&expiration_date_lte=2024-02-01",
	    "INVALID_DATE_RANGE", "expiration_date_lte");
}

Test(asking, history_takes_the_nearest_feed_where_it_has_not_the_configured_one)
{
	strcpy(stage.proc.conf.alpaca_stock_feed, "delayed_sip");
	cr_expect_str_eq(fetch_of("/api/v1/stocks/AAPL/quote")->feed, "delayed_sip");
	cr_expect_str_eq(fetch_of("/api/v1/stocks/AAPL/bars")->feed, "sip");
	strcpy(stage.proc.conf.alpaca_stock_feed, "overnight");
	cr_expect_str_eq(fetch_of("/api/v1/stocks/AAPL/bars")->feed, "boats");
}
