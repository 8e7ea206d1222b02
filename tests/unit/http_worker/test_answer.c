/* test_answer.c - answers and errors, byte by byte, as clients read them. */
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

TestSuite(answer, .init = open_stage, .fini = close_stage);

#define ID "X-Request-Id: abc-123\r\n"

static struct http_request *
get_as(const char *target)
{
	return ask(&stage, "GET", target, ID, NULL);
}

Test(answer, a_quote_is_the_golden_body)
{
	struct quote q = a_quote(&stage, "AAPL");
	struct http_request *r;

	lookup_on_quote(&stage.fetcher, &q, stage.worker.lookup);
	stage_pass(&stage, 1234);
	r = get_as("/api/v1/stocks/AAPL/quote");
	cr_expect_str_eq(r->answer,
	    "{\"data\":{\"symbol\":\"AAPL\",\"bid_price\":189.98,\"bid_size\":100,\"bid_exchange\":"
	    "\"V\","
	    "\"ask_price\":190.02,\"ask_size\":200,\"ask_exchange\":\"Q\",\"conditions\":[\"R\"],"
	    "\"tape\":\"C\"},"
	    "\"metadata\":{\"data_source\":\"alpaca_latest\",\"feed\":\"iex\",\"cache\":\"book\","
	    "\"timestamp\":\"2023-11-14T22:13:21.234Z\",\"event_time\":\"2023-11-14T22:13:18.5Z\","
	    "\"received_at\":\"2023-11-14T22:13:20.000Z\",\"data_freshness_seconds\":1.234,"
	    "\"market_status\":\"unknown\",\"request_id\":\"abc-123\",\"quality\":[]}}");
	cr_expect_str_eq(r->answer_headers, "X-Request-Id: abc-123\r\nX-Data-Source: "
					    "alpaca_latest\r\nX-Cache-Status: book\r\nAge: 1\r\n"
					    "Cache-Control: private, max-age=29\r\n");
	cr_expect_str_eq(r->type, "application/json");
	ask_free(r);
}

/* Seconds for which a cache may hand the answer on: what is left of max-age after Age. */
static long
cached_for(const char *target)
{
	struct http_request *r = get(&stage, target);
	long max_age, age;

	cr_assert(r->answered);
	cr_assert_eq(
	    sscanf(answer_header(r, "Cache-Control"), "private, max-age=%ld", &max_age), 1);
	cr_assert_eq(sscanf(answer_header(r, "Age"), "%ld", &age), 1);
	ask_free(r);
	return max_age > age ? max_age - age : 0;
}

Test(answer, no_cache_is_told_to_keep_a_value_longer_than_it_is_fresh)
{
	warm_quote(&stage, "AAPL");
	cr_expect_eq(cached_for("/api/v1/stocks/AAPL/quote"), 30);
	stage_pass(&stage, 1234);
	cr_expect_eq(cached_for("/api/v1/stocks/AAPL/quote"), 28);
	cr_expect_eq(cached_for("/api/v1/stocks/AAPL/quote?max_age_seconds=5"), 3);
	stage_pass(&stage, 28666);
	cr_expect_eq(cached_for("/api/v1/stocks/AAPL/quote"), 0, "a tenth of a second is left");
}

Test(answer, what_changes_changes_and_what_is_kept_stays)
{
	struct quote q = a_quote(&stage, "AAPL");
	struct http_request *a, *b;

	lookup_on_quote(&stage.fetcher, &q, stage.worker.lookup);
	a = get(&stage, "/api/v1/stocks/AAPL/quote");
	tell_clock(&stage, true, CLOCK_DAY);
	stage_pass(&stage, 25);
	b = get(&stage, "/api/v1/stocks/AAPL/quote");
	cr_expect_str_eq(member(a, "metadata.market_status"), "unknown");
	cr_expect_str_eq(member(b, "metadata.market_status"), "open");
	cr_expect_str_eq(member(b, "metadata.data_freshness_seconds"), "0.025");
	cr_expect_str_neq(member(a, "metadata.request_id"), member(b, "metadata.request_id"));
	cr_expect(json_equal(at(a->json, "data"), at(b->json, "data")));
	ask_free(a);
	ask_free(b);
}

Test(answer, a_side_without_a_quote_is_null_as_a_whole_and_flagged)
{
	struct quote q = a_quote(&stage, "AAPL");
	struct http_request *r;

	q.bid_price = NAN;
	q.bid_size = 0;
	strcpy(q.bid_exchange, " ");
	list_null(q.conditions);
	q.tape[0] = '\0';
	lookup_on_quote(&stage.fetcher, &q, stage.worker.lookup);
	r = get(&stage, "/api/v1/stocks/AAPL/quote");
	cr_expect_str_eq(member(r, "data.bid_price"), "null");
	cr_expect_str_eq(member(r, "data.bid_size"), "null");
	cr_expect_str_eq(member(r, "data.bid_exchange"), "null");
	cr_expect_str_eq(member(r, "data.ask_price"), "190.02");
	cr_expect_str_eq(member(r, "data.conditions"), "null");
	cr_expect_str_eq(member(r, "data.tape"), "null");
	cr_expect_str_eq(member(r, "metadata.quality"), "[\"one_sided\"]");
	ask_free(r);
}

Test(answer, bytes_that_are_no_text_do_not_break_the_json)
{
	struct quote q = a_quote(&stage, "AAPL");
	struct http_request *r;

	strcpy(q.bid_exchange, "\xff\"");
	list_null(q.conditions);
	cr_assert_eq(list_add(q.conditions, sizeof(q.conditions), "\xc3"), E_OK);
	lookup_on_quote(&stage.fetcher, &q, stage.worker.lookup);
	r = get(&stage, "/api/v1/stocks/AAPL/quote");
	cr_expect_str_eq(member(r, "data.bid_exchange"), "?\"");
	cr_expect_str_eq(member(r, "data.conditions"), "[\"?\"]");
	ask_free(r);
}

Test(answer, an_empty_list_of_conditions_is_empty_not_null)
{
	struct quote q = a_quote(&stage, "AAPL");
	struct http_request *r;

	list_empty(q.conditions);
	lookup_on_quote(&stage.fetcher, &q, stage.worker.lookup);
	r = get(&stage, "/api/v1/stocks/AAPL/quote");
	cr_expect_str_eq(member(r, "data.conditions"), "[]");
	ask_free(r);
}

Test(answer, an_option_quote_tells_its_contract)
{
	struct quote q = a_quote(&stage, "AAPL240216C00192500");
	struct http_request *r;

	q.asset = ASSET_OPTION;
	strcpy(q.feed, "indicative");
	lookup_on_quote(&stage.fetcher, &q, stage.worker.lookup);
	r = ask(&stage, "POST", "/api/v1/options/quote", NULL,
	    "{\"contract\":\"aapl240216c00192500\"}");
	cr_expect_eq(r->status, 200, "%s", r->answer);
	cr_expect_str_eq(member(r, "data.underlying_symbol"), "AAPL");
	cr_expect_str_eq(member(r, "data.expiration_date"), "2024-02-16");
	cr_expect_str_eq(member(r, "data.option_type"), "call");
	cr_expect_str_eq(member(r, "data.strike_price"), "192.5");
	ask_free(r);
}

Test(answer, a_crypto_trade_has_a_side_and_ids_stay_whole_numbers)
{
	struct trade t = { .asset = ASSET_CRYPTO,
		.source = SOURCE_REPLAY,
		.symbol = "BTC/USD",
		.feed = "us",
		.event = stage.wall,
		.received = stage.wall,
		.price = 26651.7679765663,
		.size = 0.000412,
		.has_id = true,
		.trade_id = UINT64_C(3447222699101865076),
		.taker_side = "B" };
	struct http_request *r;

	lookup_on_trade(&stage.fetcher, &t, stage.worker.lookup);
	r = get(&stage, "/api/v1/crypto/BTC%2FUSD/trade");
	cr_expect_not_null(
	    strstr(r->answer,
		"{\"symbol\":\"BTC/"
		"USD\",\"price\":26651.7679765663,\"size\":0.000412,\"exchange\":null,"
		"\"conditions\":null,\"tape\":null,\"trade_id\":3447222699101865076,\"taker_side\":"
		"\"B\"}"),
	    "%s", r->answer);
	cr_expect_str_eq(member(r, "metadata.data_source"), "replay");
	cr_expect_str_eq(member(r, "metadata.feed"), "null", "a recording names none");
	cr_expect_str_eq(
	    member(r, "metadata.market_status"), "open", "crypto trades around the clock");
	ask_free(r);
}

Test(answer, bars_are_the_golden_body)
{
	struct http_request *r = get_as("/api/v1/stocks/AAPL/bars?limit=1");
	struct msg_result_end end = { .ticket = last_sent(&stage)->ticket,
		.count = 1,
		.source = SOURCE_HISTORY,
		.feed = "iex",
		.received = stage.wall,
		.page_token = "dG9r\"ZW4" };
	struct bar b = { .asset = ASSET_STOCK,
		.symbol = "AAPL",
		.event = STAGE_WALL,
		.open = 1.5,
		.high = 2,
		.low = 1e-7,
		.close = 1.75,
		.volume = 123456789012,
		.trade_count = NAN,
		.vwap = 1.6000001 };

	tell_begin(&stage, last_sent(&stage), true);
	lookup_on_bar(&stage.fetcher, &b, stage.worker.lookup);
	lookup_on_result_end(&stage.fetcher, &end, stage.worker.lookup);
	cr_expect_str_eq(r->answer,
	    "{\"data\":{\"symbol\":\"AAPL\",\"timeframe\":\"1Day\",\"adjustment\":\"raw\","
	    "\"session\":\"all\","
	    "\"bars\":["
	    "{\"timestamp\":\"2023-11-14T22:13:20Z\",\"open\":1.5,\"high\":2,\"low\":0.0000001,"
	    "\"close\":1.75,"
	    "\"volume\":123456789012,\"trade_count\":null,\"vwap\":1.6000001,"
	    "\"final\":false,\"versions\":null}],\"count\":1,\"gaps\":null,"
	    "\"complete\":false,"
	    "\"next_page_token\":\"h1.1f36b88c12111661.1699999999999999999.0\"},"
	    "\"metadata\":{\"data_source\":\"alpaca_historical\",\"feed\":\"iex\",\"cache\":"
	    "\"miss\","
	    "\"timestamp\":\"2023-11-14T22:13:20.000Z\",\"event_time\":\"2023-11-14T22:13:20Z\","
	    "\"received_at\":\"2023-11-14T22:13:20.000Z\",\"data_freshness_seconds\":0.000,"
	    "\"market_status\":\"unknown\",\"request_id\":\"abc-123\",\"quality\":[]}}");
	ask_free(r);
}

static void
tell_contract(const char *symbol, double ask_price, bool with_greeks)
{
	struct snapshot s = { .asset = ASSET_OPTION, .feed = "indicative" };
	struct quote q = a_quote(&stage, symbol);
	struct greeks g = { .asset = ASSET_OPTION,
		.delta = 0.5,
		.gamma = NAN,
		.rho = NAN,
		.theta = NAN,
		.vega = NAN,
		.implied_volatility = 0.3725 };

	strcpy(s.symbol, symbol);
	strcpy(g.symbol, symbol);
	q.asset = ASSET_OPTION;
	q.ask_price = ask_price;
	lookup_on_snapshot(&stage.fetcher, &s, stage.worker.lookup);
	lookup_on_quote(&stage.fetcher, &q, stage.worker.lookup);
	if (with_greeks)
		lookup_on_greeks(&stage.fetcher, &g, stage.worker.lookup);
}

/* A contract nothing trades: only its own record comes. */
static void
tell_untraded(const char *symbol)
{
	struct snapshot s = { .asset = ASSET_OPTION, .feed = "indicative", .parts = 0 };

	strcpy(s.symbol, symbol);
	lookup_on_snapshot(&stage.fetcher, &s, stage.worker.lookup);
}

Test(answer, a_contract_without_parts_is_in_the_chain_with_every_part_null)
{
	static const char *const parts[] = { "latest_trade", "latest_quote", "minute_bar",
		"daily_bar", "previous_daily_bar", "greeks", "implied_volatility" };
	static const int untraded[] = { 0, 2, 3 };
	struct http_request *r = get(&stage, "/api/v1/options/AAPL/chain");
	char path[64];

	tell_begin(&stage, last_sent(&stage), true);
	tell_untraded("AAPL240216C00190000");
	tell_contract("AAPL240315C00190000", 200, true);
	tell_untraded("AAPL240419C00190000");
	tell_untraded("AAPL240419C00195000");
	tell_end(&stage, last_sent(&stage), true, E_OK, "", 6);
	cr_assert_eq(r->status, 200, "%s", r->answer);
	cr_expect_str_eq(member(r, "data.total_contracts"), "4");
	cr_expect_str_eq(
	    member(r, "data.expiration_dates"), "[\"2024-02-16\",\"2024-03-15\",\"2024-04-19\"]");
	cr_expect_str_eq(member(r, "data.contracts.1.greeks.delta"), "0.5");
	cr_expect_str_eq(member(r, "data.contracts.3.symbol"), "AAPL240419C00195000");
	for (size_t c = 0; c < sizeof(untraded) / sizeof(untraded[0]); c++)
		for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
			(void)snprintf(
			    path, sizeof(path), "data.contracts.%d.%s", untraded[c], parts[i]);
			cr_expect_str_eq(member(r, path), "null", "%s", path);
		}
	ask_free(r);
}

Test(answer, a_chain_has_its_contracts_dates_and_filters)
{
	struct http_request *r =
	    get(&stage, "/api/v1/options/AAPL/chain?strike_price_gte=190&type=call");

	tell_begin(&stage, last_sent(&stage), true);
	tell_contract("AAPL240315C00190000", 200, true);
	tell_contract("AAPL240216C00190000", NAN, false);
	tell_contract("AAPL240216C00195000", 200, false);
	tell_end(&stage, last_sent(&stage), true, E_OK, "", 7);
	cr_assert_eq(r->status, 200, "%s", r->answer);
	cr_expect_str_eq(member(r, "data.underlying_symbol"), "AAPL");
	cr_expect_str_eq(member(r, "data.expiration_dates"), "[\"2024-02-16\",\"2024-03-15\"]");
	cr_expect_str_eq(member(r, "data.total_contracts"), "3");
	cr_expect_str_eq(
	    member(r, "data.filters_applied"), "{\"type\":\"call\",\"strike_price_gte\":190}");
	cr_expect_str_eq(member(r, "data.contracts.0.symbol"), "AAPL240315C00190000");
	cr_expect_str_eq(member(r, "data.contracts.0.greeks.delta"), "0.5");
	cr_expect_str_eq(member(r, "data.contracts.0.greeks.gamma"), "null");
	cr_expect_str_eq(member(r, "data.contracts.0.implied_volatility"), "0.3725");
	cr_expect_str_eq(member(r, "data.contracts.1.greeks"), "null");
	cr_expect_str_eq(member(r, "data.contracts.1.strike_price"), "190");
	cr_expect_str_eq(member(r, "data.contracts.1.latest_quote.ask_price"), "null");
	cr_expect_str_eq(member(r, "metadata.quality"), "[\"one_sided\",\"wide\"]");
	ask_free(r);
	r = get(&stage, "/api/v1/options/AAPL240315C00190000/quote");
	cr_expect_not(r->answered, "a chain is no look at one contract");
	worker_gone(&stage.worker, r);
	ask_free(r);
}

Test(answer, an_option_snapshot_is_flat_with_its_greeks)
{
	struct http_request *r = get(&stage, "/api/v1/options/AAPL240315C00190000/snapshot");

	tell_begin(&stage, last_sent(&stage), true);
	tell_contract("AAPL240315C00190000", 200, true);
	tell_end(&stage, last_sent(&stage), true, E_OK, "", 3);
	cr_assert_eq(r->status, 200, "%s", r->answer);
	cr_expect_str_eq(member(r, "data.symbol"), "AAPL240315C00190000");
	cr_expect_str_eq(member(r, "data.option_type"), "call");
	cr_expect_str_eq(member(r, "data.latest_trade"), "null");
	cr_expect_str_eq(member(r, "data.latest_quote.timestamp"), "2023-11-14T22:13:18.5Z");
	cr_expect_str_eq(member(r, "data.greeks.delta"), "0.5");
	ask_free(r);
}

Test(answer, an_error_is_the_golden_body)
{
	struct http_request *r = get_as("/api/v1/stocks/G00G/quote?feed=sip");

	cr_expect_str_eq(r->answer,
	    "{\"error\":{\"code\":\"INVALID_SYMBOL_FORMAT\",\"message\":\"the symbol is not "
	    "spelled as this market "
	    "spells "
	    "symbols\",\"type\":\"validation_error\",\"details\":{\"symbol\":\"G00G\","
	    "\"parameter\":\"symbol\"}},"
	    "\"metadata\":{\"request_id\":\"abc-123\",\"timestamp\":\"2023-11-14T22:13:20.000Z\","
	    "\"endpoint\":\"/api/v1/stocks/G00G/quote\",\"suggested_action\":\"Stocks are 1-5 "
	    "letters with an optional "
	    "class (AAPL, BRK.B), options OCC contracts (AAPL240216C00190000), crypto pairs "
	    "BTC-USD.\","
	    "\"retry_after\":null}}");
	cr_expect_str_eq(r->answer_headers, "X-Request-Id: abc-123\r\nCache-Control: no-store\r\n");
	ask_free(r);
}

Test(answer, every_code_a_client_may_see_has_its_status_and_body)
{
	static const struct {
		int code, status;
		const char *name;
	} rows[] = {
#define ERROR(NAME, number, status, again, type, text, action) { E_##NAME, status, #NAME },
#include "tables/errors.def"
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_request *r;

		if (rows[i].status == 0)
			continue;
		r = get(&stage, "/api/v1/stocks/AAPL/quote?max_age_seconds=0");
		cr_assert_not(r->answered);
		tell_error(&stage, last_sent(&stage), rows[i].code, "what upstream said");
		cr_expect_eq(r->status, rows[i].status, "%s", rows[i].name);
		cr_expect_str_eq(member(r, "error.code"), rows[i].name);
		cr_expect_str_eq(member(r, "error.details.reason"), "what upstream said");
		cr_expect_str_eq(member(r, "error.details.symbol"), "AAPL");
		if (err_is_final(rows[i].code)) {
			cr_expect_str_eq(member(r, "metadata.retry_after"), "null");
			cr_expect_str_eq(answer_header(r, "Retry-After"), "");
		} else {
			cr_expect_geq(atoi(answer_header(r, "Retry-After")), 1, "%s", rows[i].name);
			cr_expect_str_eq(
			    member(r, "metadata.retry_after"), answer_header(r, "Retry-After"));
		}
		ask_free(r);
	}
}

Test(answer, what_a_client_sent_comes_back_printable)
{
	struct http_request *r = get(&stage, "/api/v1/stocks/%ff%c3%22%0a/quote");

	cr_expect_eq(r->status, 400);
	cr_expect_str_eq(member(r, "error.details.symbol"), "??\"?");
	ask_free(r);
}

Test(answer, a_sane_request_id_is_echoed_and_others_are_not)
{
	static const char *const bad[] = { "", "a b", "a\"b", "x;y",
		"01234567890123456789012345678901234567890123456789012345678901234" };
	struct http_request *r;
	char header[512];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(header, sizeof(header), "X-Request-Id: %s\r\n", bad[i]);
		r = ask(&stage, "GET", "/livez", header, NULL);
		cr_expect_str_neq(answer_header(r, "X-Request-Id"), bad[i]);
		cr_expect_gt(strlen(answer_header(r, "X-Request-Id")), 12);
		ask_free(r);
	}
	r = ask(&stage, "GET", "/livez",
	    "x-request-id: A.b_c-0123456789012345678901234567890123456789012345678901234567\r\n",
	    NULL);
	cr_expect_str_eq(answer_header(r, "X-Request-Id"),
	    "A.b_c-0123456789012345678901234567890123456789012345678901234567");
	ask_free(r);
}

Test(answer, a_valid_traceparent_is_echoed_and_others_are_not)
{
	static const char good[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
	static const char *const bad[] = { "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
		"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "x" };
	struct http_request *r;
	char header[256];

	(void)snprintf(header, sizeof(header), "traceparent: %s\r\n", good);
	r = ask(&stage, "GET", "/livez", header, NULL);
	cr_expect_str_eq(answer_header(r, "traceparent"), good);
	ask_free(r);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(header, sizeof(header), "traceparent: %s\r\n", bad[i]);
		r = ask(&stage, "GET", "/livez", header, NULL);
		cr_expect_str_eq(answer_header(r, "traceparent"), "", "%s", bad[i]);
		ask_free(r);
	}
}

Test(answer, unknown_paths_and_methods_have_their_bodies)
{
	struct http_request *r = get(&stage, "/nothing/here?x=y");

	cr_expect_eq(r->status, 404);
	cr_expect_str_eq(member(r, "error.code"), "NOT_FOUND");
	cr_expect_str_eq(member(r, "metadata.endpoint"), "/nothing/here");
	ask_free(r);
	r = ask(&stage, "DELETE", "/api/v1/stocks/AAPL/bars", NULL, NULL);
	cr_expect_eq(r->status, 405);
	cr_expect_str_eq(member(r, "error.code"), "METHOD_NOT_ALLOWED");
	cr_expect_str_eq(answer_header(r, "Allow"), "GET, HEAD, OPTIONS");
	ask_free(r);
	r = ask(&stage, "OPTIONS", "/api/v1/stocks/quotes/batch", NULL, NULL);
	cr_expect_eq(r->status, 204);
	cr_expect_str_eq(answer_header(r, "Allow"), "POST, OPTIONS");
	cr_expect_eq(r->answer_len, 0);
	ask_free(r);
	r = ask(&stage, "OPTIONS", "*", NULL, NULL);
	cr_expect_eq(r->status, 204);
	ask_free(r);
}

Test(answer, a_request_the_server_refuses_has_the_same_body)
{
	struct http_request *r = calloc(1, sizeof(*r));

	worker_refuse(&stage.worker, r, E_HEADERS_TOO_LARGE);
	cr_expect_eq(r->status, 431);
	cr_expect_str_eq(member(r, "error.code"), "HEADERS_TOO_LARGE");
	cr_expect_str_eq(member(r, "metadata.endpoint"), "");
	ask_free(r);
	r = calloc(1, sizeof(*r));
	worker_refuse(&stage.worker, r, E_PROTOCOL);
	cr_expect_eq(r->status, 400, "codes that stay inside are a malformed request");
	ask_free(r);
}

Test(answer, requests_are_counted_by_route_and_status)
{
	ask_free(get(&stage, "/livez"));
	ask_free(get(&stage, "/livez"));
	ask_free(get(&stage, "/livez?x=1"));
	ask_free(get(&stage, "/none"));
	cr_expect_eq(metric_read(stage.http, M_HTTP_REQUESTS, ROUTE_livez, label_code(200)), 2);
	cr_expect_eq(metric_read(stage.http, M_HTTP_REQUESTS, ROUTE_livez, label_code(400)), 1);
	cr_expect_eq(metric_read(stage.http, M_HTTP_REQUESTS, ROUTE_NONE, label_code(404)), 1);
	cr_expect_eq(metric_read(stage.http, M_HTTP_DURATION, ROUTE_livez, 0), 3);
	cr_expect_eq(metric_read(stage.http, M_HTTP_IN_FLIGHT, 0, 0), 0);
}

Test(answer, the_market_is_what_its_clock_said_as_long_as_it_can_be_believed)
{
	struct http_request *r;

	tell_clock(&stage, true, 3600 * CLOCK_SEC);
	stage_pass(&stage, 5000);
	r = get_as("/api/v1/market/status");
	cr_expect_str_eq(r->answer,
	    "{\"data\":{\"status\":\"open\",\"is_open\":true,\"timestamp\":\"2023-11-14T22:13:"
	    "20Z\","
	    "\"next_open\":\"2023-11-15T23:13:20Z\",\"next_close\":\"2023-11-14T23:13:20Z\"},"
	    "\"metadata\":{\"data_source\":\"alpaca_latest\",\"feed\":null,\"cache\":\"book\","
	    "\"timestamp\":\"2023-11-14T22:13:25.000Z\",\"event_time\":\"2023-11-14T22:13:20Z\","
	    "\"received_at\":\"2023-11-14T22:13:20.000Z\",\"data_freshness_seconds\":5,"
	    "\"market_status\":\"open\",\"request_id\":\"abc-123\",\"quality\":[]}}");
	ask_free(r);
}

Test(answer, an_unknown_market_is_asked_for_and_told_as_unknown)
{
	struct http_request *r = get(&stage, "/api/v1/market/status");

	cr_assert_not(r->answered);
	cr_expect_eq(last_sent(&stage)->endpoint, ENDPOINT_CLOCK);
	tell_error(&stage, last_sent(&stage), E_UPSTREAM_SERVICE_ERROR, "");
	cr_expect_eq(r->status, 200);
	cr_expect_str_eq(member(r, "data.status"), "unknown");
	cr_expect_str_eq(member(r, "data.is_open"), "null");
	cr_expect_str_eq(member(r, "data.next_open"), "null");
	cr_expect_str_eq(member(r, "metadata.data_source"), "null");
	ask_free(r);
	r = get(&stage, "/api/v1/market/status");
	tell_begin(&stage, last_sent(&stage), true);
	tell_clock(&stage, false, 3600 * CLOCK_SEC);
	tell_end(&stage, last_sent(&stage), true, E_OK, "", 1);
	cr_expect_str_eq(member(r, "data.status"), "closed");
	cr_expect_str_eq(member(r, "metadata.cache"), "miss");
	ask_free(r);
}
