/* test_settle.c - what an answer, or none, means for those who asked. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "fakes.h"

#define QUOTE(symbol)                                                                              \
	"\"" symbol                                                                                \
	"\":{\"t\":\"2021-10-12T00:00:00Z\",\"ap\":15.07,\"as\":3,\"bp\":15.01,\"bs\":3}"
#define QUOTES(list) "{\"quotes\":{" list "}}"
#define ASSET	     "{\"id\":\"x\",\"symbol\":\"AAPL\",\"status\":\"active\"}"
#define NO_ASSET     "{\"code\":40410000,\"message\":\"asset not found for AAPL\"}"

static struct fake *k;

static void
setup(void)
{
	k = fake_new();
	k->proc.conf.upstream_merge_window = 0;
}

static void
teardown(void)
{
	fake_free(&k);
}

TestSuite(settle, .init = setup, .fini = teardown);

static int64_t
error_of(uint64_t ticket)
{
	const struct msg_result_end *end = fake_end(k, 0, ticket, NULL);

	return end != NULL ? end->error : 1;
}

struct meaning {
	long status;
	char body[128];
	int error;
	unsigned calls;
};

ParameterizedTestParameters(settle, statuses_mean_what_they_mean)
{
	static struct meaning all[] = {
		{ 401, "<html><h1>401 Authorization Required</h1></html>",
		    E_UPSTREAM_AUTHENTICATION_FAILED, 1 },
		{ 403, "<html>forbidden</html>", E_UPSTREAM_AUTHENTICATION_FAILED, 1 },
		{ 403, "{\"message\":\"forbidden.\"}", E_UPSTREAM_AUTHENTICATION_FAILED, 1 },
		{ 403, "{\"message\":\"subscription does not permit querying recent SIP data\"}",
		    E_NOT_ENTITLED, 1 },
		{ 422, "{\"code\":42210000,\"message\":\"no\"}", E_NOT_ENTITLED, 1 },
		{ 400, "{\"message\":\"invalid symbol: AAPL\"}", E_INVALID_SYMBOL_FORMAT, 1 },
		{ 400, "{\"message\":\"end should not be before start\"}", E_INVALID_DATE_RANGE,
		    1 },
		{ 400, "{\"message\":\"invalid timeframe: 3Fortnight\"}", E_INVALID_PARAMETER, 1 },
		{ 400, "<html>", E_UPSTREAM_SERVICE_ERROR, 1 },
		{ 404, "<html>", E_UPSTREAM_SERVICE_ERROR, 1 },
		{ 301, "", E_UPSTREAM_SERVICE_ERROR, 1 },
		{ 204, "", E_UPSTREAM_SERVICE_ERROR, 1 },
		{ 500, "{\"message\":\"x\"}", E_UPSTREAM_SERVICE_ERROR, 3 },
		{ 503, "", E_UPSTREAM_SERVICE_ERROR, 3 },
		{ 504, "", E_UPSTREAM_TIMEOUT, 3 },
		{ 200, "", E_DATA_VALIDATION_ERROR, 1 },
		{ 200, "{\"quotes\":{\"AAPL\":{\"ap\":1}}}", E_DATA_VALIDATION_ERROR, 1 },
	};

	return cr_make_param_array(struct meaning, all, sizeof(all) / sizeof(all[0]));
}

ParameterizedTest(struct meaning *m, settle, statuses_mean_what_they_mean)
{
	bool definite;

	fake_ask(k, 0, 1, ENDPOINT_STOCK_QUOTE, "AAPL");
	for (int i = 0; i < 20 && error_of(1) == 1; i++) {
		fake_pass(k, 250);
		if (fake_open(k) != NULL)
			fake_answer(k, fake_open(k), m->status, m->body);
	}
	cr_expect_eq(error_of(1), m->error, "%ld %s: %d", m->status, m->body, (int)error_of(1));
	cr_expect_eq(
	    k->call_count, m->calls, "%ld %s: %u calls", m->status, m->body, k->call_count);
	cr_expect_eq(k->kinds[MSG_CALL], m->calls, "each is in the audit");
	definite = m->error == E_NOT_ENTITLED || m->error == E_INVALID_SYMBOL_FORMAT ||
		   m->error == E_INVALID_DATE_RANGE || m->error == E_INVALID_PARAMETER;
	cr_expect_eq(fake_end(k, 0, 1, NULL)->definite, definite);
	cr_expect_eq(fake_end(k, 1, 0, NULL) != NULL, definite,
	    "the other worker is told of verdicts, not of failures");
}

Test(settle, a_second_try_hides_one_failure)
{
	fake_ask(k, 0, 1, ENDPOINT_STOCK_QUOTE, "AAPL");
	fake_pass(k, 1);
	fake_break(k, fake_open(k), EXCHANGE_UNREACHABLE);
	cr_expect_null(fake_open(k), "not without a pause");
	fake_pass(k, 130);
	fake_answer(k, fake_open(k), 200, QUOTES(QUOTE("AAPL")));
	cr_expect_eq(error_of(1), E_OK);
}

Test(settle, an_answer_comes_before_the_asker_gives_up)
{
	struct msg_fetch f = fake_a_fetch(ENDPOINT_STOCK_QUOTE, "AAPL");

	f.ticket = 1;
	f.timeout_ms = 2000;
	fake_fetch(k, 0, &f);
	fake_pass(k, 1);
	cr_expect_leq(fake_open(k)->exchange.timeout_ms, 1800);
	fake_pass(k, 1798);
	fake_break(k, fake_open(k), EXCHANGE_TIMED_OUT);
	fake_pass(k, 1);
	cr_expect_eq(error_of(1), E_UPSTREAM_TIMEOUT);
	fake_pass(k, 1000);
	cr_expect_eq(k->call_count, 1, "no further try for nobody");
}

Test(settle, a_429_waits_for_budget_and_counts_as_a_try)
{
	fake_ask(k, 0, 1, ENDPOINT_STOCK_QUOTE, "AAPL");
	fake_pass(k, 1);
	fake_answer(k, fake_open(k), 429, "{\"message\": \"too many requests.\"}");
	cr_expect_leq(budget_left(&k->fetcher.budgets[HOST_DATA]), 0.001,
	    "the upstream says that it is empty");
	fake_pass(k, 150);
	cr_expect_null(fake_open(k));
	fake_pass(k, 300);
	fake_answer(k, fake_open(k), 200, QUOTES(QUOTE("AAPL")));
	cr_expect_eq(error_of(1), E_OK);
}

Test(settle, the_named_culprit_is_taken_out_and_the_rest_asked_again)
{
	k->proc.conf.upstream_merge_window = 5;
	fake_ask(k, 0, 1, ENDPOINT_STOCK_QUOTE, "AAPL");
	fake_ask(k, 0, 2, ENDPOINT_STOCK_QUOTE, "QQQQ");
	fake_ask(k, 0, 3, ENDPOINT_STOCK_QUOTE, "MSFT");
	fake_pass(k, 6);
	fake_answer(k, fake_open(k), 400, "{\"message\":\"invalid symbol: QQQQ\"}");
	cr_expect_eq(error_of(2), E_INVALID_SYMBOL_FORMAT);
	cr_expect_eq(error_of(1), 1, "the others wait");
	fake_pass(k, 0);
	cr_assert_eq(k->call_count, 2);
	cr_expect_not_null(strstr(k->calls[1]->path, "symbols=AAPL%2CMSFT&"));
	fake_answer(k, fake_open(k), 200, QUOTES(QUOTE("AAPL") "," QUOTE("MSFT")));
	cr_expect_eq(error_of(1), E_OK);
	cr_expect_eq(error_of(3), E_OK);
}

/* An upstream that refuses every call holding BAD and does not say why. */
static unsigned
answer_like_a_mute_upstream(void)
{
	struct fake_call *c;
	unsigned n = 0;

	for (fake_pass(k, 6); (c = fake_open(k)) != NULL; fake_pass(k, 1)) {
		if (strstr(c->path, "BAD") != NULL)
			fake_answer(k, c, 400, "{\"message\":\"a symbol is bad\"}");
		else
			fake_answer(k, c, 200,
			    QUOTES(QUOTE("AA") "," QUOTE("AB") "," QUOTE("AC") "," QUOTE(
				"AD") "," QUOTE("AE") "," QUOTE("AF") "," QUOTE("AG")));
		cr_assert_lt(++n, 40, "it does not end");
	}
	return n;
}

Test(settle, an_unnamed_culprit_is_found_by_halves)
{
	static const char *const symbols[] = { "AA", "AB", "AC", "BAD", "AD", "AE", "AF", "AG" };

	k->proc.conf.upstream_merge_window = 5;
	for (uint64_t i = 0; i < 8; i++)
		fake_ask(k, 0, i + 1, ENDPOINT_STOCK_QUOTE, symbols[i]);
	cr_expect_leq(answer_like_a_mute_upstream(), 8);
	for (uint64_t i = 0; i < 8; i++)
		cr_expect_eq(
		    error_of(i + 1), i == 3 ? E_INVALID_PARAMETER : E_OK, "%s", symbols[i]);
	cr_expect(plan_is_idle(&k->fetcher));
}

Test(settle, a_refusal_that_is_not_about_a_symbol_costs_one_call)
{
	static const char *const symbols[] = { "AA", "AB", "AC", "AD" };

	k->proc.conf.upstream_merge_window = 5;
	for (uint64_t i = 0; i < 4; i++)
		fake_ask(k, 0, i + 1, ENDPOINT_STOCK_QUOTE, symbols[i]);
	fake_pass(k, 6);
	fake_answer(k, fake_open(k), 400, "{\"message\":\"invalid feed: iex\"}");
	fake_pass(k, 1);
	cr_expect_eq(k->call_count, 1);
	for (uint64_t i = 0; i < 4; i++)
		cr_expect_eq(error_of(i + 1), E_INVALID_PARAMETER);
}

Test(settle, a_batch_is_not_cut_in_halves_for_ever)
{
	char symbol[8];
	unsigned n = 0;

	k->proc.conf.upstream_merge_window = 5;
	for (unsigned i = 0; i < 60; i++) {
		snprintf(symbol, sizeof(symbol), "A%c%c", 'A' + i / 26, 'A' + i % 26);
		fake_ask(k, 0, i + 1, ENDPOINT_STOCK_QUOTE, symbol);
	}
	for (fake_pass(k, 6); fake_open(k) != NULL && n < 200; fake_pass(k, 1), n++)
		fake_answer(k, fake_open(k), 400, "{\"message\":\"a symbol is bad\"}");
	cr_expect_leq(n, 29, "%u calls", n);
	for (unsigned i = 0; i < 60; i++) {
		cr_assert_not_null(fake_end(k, 0, i + 1, NULL));
		cr_expect_neq(error_of(i + 1), E_OK);
		if (error_of(i + 1) == E_UPSTREAM_SERVICE_ERROR)
			cr_expect(!fake_end(k, 0, i + 1, NULL)->definite);
	}
	cr_expect(plan_is_idle(&k->fetcher));
}

Test(settle, a_revoked_key_is_not_tried_again_and_again)
{
	char symbol[8];

	for (uint64_t t = 1; t <= 20; t++) {
		snprintf(symbol, sizeof(symbol), "A%c", 'A' + (char)t);
		fake_ask(k, 0, t, ENDPOINT_STOCK_QUOTE, symbol);
		fake_pass(k, 1);
		if (fake_open(k) != NULL)
			fake_answer(k, fake_open(k), 401, "<html>");
		cr_expect_eq(error_of(t), E_UPSTREAM_AUTHENTICATION_FAILED);
	}
	cr_expect_eq(k->call_count, 5);
}

Test(settle, an_answer_that_cannot_be_read_is_a_failed_check_until_one_can_be)
{
	static struct slot_page page;
	const struct check_result *c = &page.checks[CHECK_EXTERNAL_API];

	k->proc.stats.mine = &page;
	fake_ask(k, 0, 1, ENDPOINT_STOCK_QUOTE, "AAPL");
	fake_pass(k, 1);
	fake_answer(k, fake_open(k), 200, "{\"quotes\":{\"AA");
	cr_expect_eq(error_of(1), E_DATA_VALIDATION_ERROR);
	cr_expect_eq(c->error, E_DATA_VALIDATION_ERROR);
	cr_expect_str_neq(c->text, "");
	fake_ask(k, 0, 2, ENDPOINT_STOCK_QUOTE, "AAPL");
	fake_pass(k, 1);
	fake_answer(k, fake_open(k), 200, QUOTES(QUOTE("AAPL")));
	cr_expect_eq(error_of(2), E_OK);
	cr_expect_eq(c->error, E_OK);
}

Test(settle, another_asset_than_the_asked_one_proves_nothing)
{
	fake_ask(k, 0, 1, ENDPOINT_STOCK_QUOTE, "MSFT");
	fake_pass(k, 1);
	fake_answer(k, fake_open(k), 200, QUOTES(QUOTE("AAPL")));
	fake_pass(k, 1);
	fake_answer(k, fake_open(k), 200, ASSET);
	cr_expect_eq(error_of(1), E_REAL_DATA_UNAVAILABLE);
	cr_expect_not_null(strstr(fake_end(k, 0, 1, NULL)->reason, "could not be checked"));
}

Test(settle, the_breaker_refuses_at_once_and_one_family_does_not_open_another)
{
	for (uint64_t t = 1; t <= 2; t++) {
		fake_ask(k, 0, t, ENDPOINT_STOCK_QUOTE, t == 1 ? "AAPL" : "MSFT");
		for (int i = 0; i < 3; i++) {
			fake_pass(k, 300);
			if (fake_open(k) != NULL)
				fake_answer(k, fake_open(k), 500, "");
		}
	}
	cr_expect_eq(k->call_count, 5);
	cr_expect_eq(error_of(2), E_UPSTREAM_SERVICE_ERROR, "the third try is not made");
	fake_ask(k, 0, 3, ENDPOINT_STOCK_TRADE, "AAPL");
	cr_expect_eq(error_of(3), E_UPSTREAM_SERVICE_ERROR);
	cr_expect_gt(fake_end(k, 0, 3, NULL)->retry_ms, 1000);
	fake_ask(k, 0, 4, ENDPOINT_CRYPTO_QUOTE, "BTC/USD");
	fake_pass(k, 1);
	cr_expect_eq(k->call_count, 6);
	fake_pass(k, 2000);
	fake_ask(k, 0, 5, ENDPOINT_STOCK_TRADE, "AAPL");
	fake_ask(k, 0, 6, ENDPOINT_STOCK_QUOTE, "AAPL");
	fake_pass(k, 1);
	cr_expect_eq(k->call_count, 7, "one call probes");
	fake_answer(k, k->calls[6], 500, "");
	fake_pass(k, 0);
	cr_expect_eq(error_of(5), E_UPSTREAM_SERVICE_ERROR);
	cr_expect_eq(
	    error_of(6), E_UPSTREAM_SERVICE_ERROR, "who waited for the probe is answered as well");
	cr_expect_eq(k->call_count, 7);
}

Test(settle, an_impatient_client_does_not_open_the_breaker)
{
	for (uint64_t t = 1; t <= 10; t++) {
		struct msg_fetch f = fake_a_fetch(ENDPOINT_STOCK_BARS, "AAPL");

		f.ticket = t;
		f.limit = t;
		f.timeout_ms = 200;
		fake_fetch(k, 0, &f);
		fake_pass(k, 1);
		if (fake_open(k) != NULL)
			fake_break(k, fake_open(k), EXCHANGE_TIMED_OUT);
		fake_pass(k, 200);
	}
	cr_expect_eq(k->fetcher.breakers[plan_family(endpoint_row(ENDPOINT_STOCK_BARS))].state,
	    BREAKER_CLOSED);
}

Test(settle, a_symbol_without_value_is_told_from_one_that_does_not_exist)
{
	fake_ask(k, 0, 1, ENDPOINT_STOCK_QUOTE, "AAPL");
	fake_pass(k, 1);
	fake_answer(k, fake_open(k), 200, "{\"quotes\":{}}");
	fake_pass(k, 1);
	cr_assert_eq(k->call_count, 2);
	cr_expect_str_eq(k->calls[1]->path, "/v2/assets/AAPL");
	cr_expect_eq(k->calls[1]->host, HOST_TRADING);
	cr_expect_eq(error_of(1), 1);
	fake_answer(k, fake_open(k), 200, ASSET);
	cr_expect_eq(error_of(1), E_REAL_DATA_UNAVAILABLE);
	cr_expect_eq(fake_end(k, 1, 0, NULL)->error, E_REAL_DATA_UNAVAILABLE,
	    "the other worker may know it too");
	cr_expect(fake_end(k, 0, 1, NULL)->definite);
	fake_ask(k, 0, 2, ENDPOINT_STOCK_BARS, "AAPL");
	fake_pass(k, 1);
	fake_answer(k, fake_open(k), 200, "{\"bars\":{},\"next_page_token\":null}");
	cr_expect_eq(k->call_count, 3, "what was learned is kept");
	cr_expect_eq(error_of(2), E_HISTORICAL_DATA_UNAVAILABLE);
}

Test(settle, an_unknown_symbol_is_not_found_and_asked_again_after_a_minute)
{
	for (uint64_t t = 1; t <= 3; t++) {
		if (t == 3)
			fake_pass(k, 61000);
		fake_ask(k, 0, t, ENDPOINT_STOCK_QUOTE, "ZZZZ");
		fake_pass(k, 1);
		fake_answer(k, fake_open(k), 200, "{\"quotes\":{}}");
		fake_pass(k, 1);
		if (fake_open(k) != NULL)
			fake_answer(k, fake_open(k), 404, NO_ASSET);
		cr_expect_eq(error_of(t), E_SYMBOL_NOT_FOUND, "%d", (int)t);
	}
	cr_expect_eq(k->call_count, 5);
}

Test(settle, many_missing_symbols_at_once_ask_for_each_only_once)
{
	fake_ask(k, 0, 1, ENDPOINT_STOCK_QUOTE, "ZZZZ");
	fake_ask(k, 0, 2, ENDPOINT_STOCK_TRADE, "ZZZZ");
	fake_pass(k, 1);
	fake_answer(k, k->calls[0], 200, "{\"quotes\":{}}");
	fake_answer(k, k->calls[1], 200, "{\"trades\":{}}");
	fake_pass(k, 1);
	cr_assert_eq(k->call_count, 3);
	fake_answer(k, k->calls[2], 404, NO_ASSET);
	cr_expect_eq(error_of(1), E_SYMBOL_NOT_FOUND);
	cr_expect_eq(error_of(2), E_SYMBOL_NOT_FOUND);
}

Test(settle, what_cannot_be_checked_is_said_and_not_shared)
{
	fake_ask(k, 0, 1, ENDPOINT_STOCK_QUOTE, "AAPL");
	fake_pass(k, 1);
	fake_answer(k, fake_open(k), 200, "{\"quotes\":{}}");
	fake_pass(k, 1);
	fake_answer(k, fake_open(k), 401, "<html>");
	cr_expect_eq(error_of(1), E_REAL_DATA_UNAVAILABLE);
	cr_expect(!fake_end(k, 0, 1, NULL)->definite);
	cr_expect_not_null(strstr(fake_end(k, 0, 1, NULL)->reason, "could not be checked"));
	cr_expect_null(fake_end(k, 1, 0, NULL));
}

Test(settle, other_markets_have_their_own_word_for_nothing)
{
	fake_ask(k, 0, 1, ENDPOINT_OPTION_QUOTE, "AAPL240426C00152500");
	fake_ask(k, 0, 2, ENDPOINT_CRYPTO_TRADE, "QQQ/USD");
	fake_ask(k, 0, 3, ENDPOINT_OPTION_CHAIN, "AAPL");
	fake_pass(k, 1);
	for (unsigned i = 0; i < 3; i++)
		fake_answer(k, k->calls[i], 200,
		    strstr(k->calls[i]->path, "snapshots") != NULL
			? "{\"snapshots\":{},\"next_page_token\":null}"
		    : strstr(k->calls[i]->path, "trades") != NULL ? "{\"trades\":{}}"
								  : "{\"quotes\":{}}");
	cr_expect_eq(error_of(1), E_OPTION_DATA_UNAVAILABLE);
	cr_expect_eq(error_of(2), E_SYMBOL_NOT_FOUND);
	cr_expect_eq(error_of(3), E_OPTIONS_CHAIN_UNAVAILABLE);
}

Test(settle, crypto_bars_that_are_empty_ask_whether_the_pair_exists)
{
	fake_ask(k, 0, 1, ENDPOINT_CRYPTO_BARS, "BTC/USD");
	fake_pass(k, 1);
	fake_answer(k, fake_open(k), 200, "{\"bars\":{},\"next_page_token\":null}");
	fake_pass(k, 1);
	fake_answer(k, fake_open(k), 200, QUOTES(QUOTE("BTC/USD")));
	cr_expect_eq(error_of(1), E_HISTORICAL_DATA_UNAVAILABLE);
}

Test(settle, the_upstreams_headers_lower_the_budget)
{
	fake_ask(k, 0, 1, ENDPOINT_STOCK_QUOTE, "AAPL");
	fake_pass(k, 1);
	fake_open(k)->exchange.rate_limit = 200;
	fake_open(k)->exchange.rate_remaining = 42;
	fake_answer(k, fake_open(k), 200, QUOTES(QUOTE("AAPL")));
	cr_expect_float_eq(budget_left(&k->fetcher.budgets[HOST_DATA]), 42, 0.1);
	cr_expect_gt(
	    budget_left(&k->fetcher.budgets[HOST_TRADING]), 199, "the trading API has its own");
}

Test(settle, a_replay_is_labelled)
{
	fake_ask(k, 0, 1, ENDPOINT_STOCK_QUOTE, "AAPL");
	fake_pass(k, 1);
	fake_open(k)->exchange.is_replay = true;
	fake_answer(k, fake_open(k), 200, QUOTES(QUOTE("AAPL")));
	cr_expect_eq(fake_end(k, 0, 1, NULL)->source, SOURCE_REPLAY);
}
