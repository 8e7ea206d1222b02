/* test_plan.c - what is asked of the upstream, how often, in which order. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "fakes.h"

#define QUOTE(symbol)                                                                              \
	"\"" symbol                                                                                \
	"\":{\"t\":\"2021-10-12T00:00:00Z\",\"ap\":15.07,\"as\":3,\"bp\":15.01,\"bs\":3}"
#define QUOTES(list) "{\"quotes\":{" list "}}"
#define NO_BARS	     "{\"bars\":{},\"next_page_token\":null}"

static struct fake *k;

static void
setup(void)
{
	k = fake_new();
}

static void
teardown(void)
{
	fake_free(&k);
}

TestSuite(plan, .init = setup, .fini = teardown);

Test(plan, a_thousand_identical_questions_cost_one_call)
{
	for (uint64_t t = 1; t <= 1000; t++)
		fake_ask(k, t % 2, t, ENDPOINT_STOCK_QUOTE, "AAPL");
	fake_pass(k, 10);
	cr_assert_eq(k->call_count, 1);
	cr_expect_str_eq(k->calls[0]->path, "/v2/stocks/quotes/latest?symbols=AAPL&feed=iex");
	fake_ask(k, 0, 1001, ENDPOINT_STOCK_QUOTE, "AAPL");
	fake_answer(k, fake_open(k), 200, QUOTES(QUOTE("AAPL")));
	for (uint64_t t = 1; t <= 1001; t++) {
		const struct msg_result_end *end = fake_end(k, t % 2 && t <= 1000 ? 1 : 0, t, NULL);

		cr_assert_not_null(end, "ticket %d", (int)t);
		cr_expect_eq(end->error, E_OK);
		cr_expect_eq(end->count, 1);
	}
	cr_expect_eq(k->call_count, 1);
	cr_expect(plan_is_idle(&k->fetcher));
}

Test(plan, single_values_that_come_together_travel_together)
{
	fake_ask(k, 0, 1, ENDPOINT_STOCK_QUOTE, "AAPL");
	fake_pass(k, 2);
	cr_expect_eq(k->call_count, 0, "the window is open");
	fake_ask(k, 1, 2, ENDPOINT_STOCK_QUOTE, "BRK.B");
	fake_ask(k, 0, 3, ENDPOINT_STOCK_TRADE, "AAPL");
	fake_pass(k, 4);
	cr_expect_eq(k->call_count, 1);
	cr_expect_str_eq(
	    k->calls[0]->path, "/v2/stocks/quotes/latest?symbols=AAPL%2CBRK.B&feed=iex");
	fake_pass(k, 4);
	cr_expect_eq(k->call_count, 2, "another endpoint is another call");
	fake_answer(k, k->calls[0], 200, QUOTES(QUOTE("AAPL") "," QUOTE("BRK.B")));
	cr_expect_eq(fake_end(k, 0, 1, NULL)->error, E_OK);
	cr_expect_eq(fake_end(k, 1, 2, NULL)->error, E_OK);
	cr_expect_null(fake_end(k, 0, 3, NULL));
}

Test(plan, feeds_do_not_mix)
{
	struct msg_fetch f = fake_a_fetch(ENDPOINT_STOCK_QUOTE, "AAPL");

	fake_fetch(k, 0, &f);
	strcpy(f.feed, "sip");
	fake_fetch(k, 0, &f);
	fake_pass(k, 10);
	cr_assert_eq(k->call_count, 2);
	cr_expect_not_null(strstr(k->calls[0]->path, "feed=iex"));
	cr_expect_not_null(strstr(k->calls[1]->path, "feed=sip"));
}

Test(plan, a_full_batch_does_not_wait_and_the_next_symbol_starts_another)
{
	char symbol[8] = "AAA";

	for (int i = 0; i < 101; i++) {
		symbol[1] = (char)('A' + i / 26);
		symbol[2] = (char)('A' + i % 26);
		fake_ask(k, 0, (uint64_t)i + 1, ENDPOINT_STOCK_QUOTE, symbol);
	}
	fake_pass(k, 0);
	cr_expect_eq(k->call_count, 1);
	fake_pass(k, 10);
	cr_expect_eq(k->call_count, 2);
}

Test(plan, what_waits_for_budget_gathers_company)
{
	struct msg_fetch bars = fake_a_fetch(ENDPOINT_STOCK_BARS, "AAPL");

	while (budget_take(&k->fetcher.budgets[HOST_DATA]))
		;
	fake_ask(k, 0, 1, ENDPOINT_STOCK_QUOTE, "AAPL");
	fake_pass(k, 100);
	cr_expect_eq(k->call_count, 0, "no budget");
	fake_ask(k, 0, 2, ENDPOINT_STOCK_QUOTE, "MSFT");
	bars.ticket = 3;
	fake_fetch(k, 0, &bars);
	fake_pass(k, 210);
	cr_assert_eq(k->call_count, 1);
	cr_expect_not_null(strstr(k->calls[0]->path, "AAPL%2CMSFT"));
	fake_pass(k, 310);
	cr_expect_eq(k->call_count, 2);
}

Test(plan, interactive_goes_before_refresh_before_backfill)
{
	static const enum lane lanes[] = { LANE_BACKFILL, LANE_REFRESH, LANE_INTERACTIVE };
	static const char *const symbols[] = { "BACK", "FRESH", "NOW" };

	while (budget_take(&k->fetcher.budgets[HOST_DATA]))
		;
	for (int i = 0; i < 3; i++) {
		struct msg_fetch f = fake_a_fetch(ENDPOINT_STOCK_BARS, symbols[i]);

		f.lane = lanes[i];
		fake_fetch(k, 0, &f);
	}
	for (int i = 0; i < 3; i++)
		fake_pass(k, 305);
	cr_assert_eq(k->call_count, 3);
	cr_expect_not_null(strstr(k->calls[0]->path, "NOW"));
	cr_expect_not_null(strstr(k->calls[1]->path, "FRESH"));
	cr_expect_not_null(strstr(k->calls[2]->path, "BACK"));
}

Test(plan, what_the_budget_cannot_serve_in_time_is_refused_at_once)
{
	char symbol[8];
	unsigned refused = 0;

	while (budget_take(&k->fetcher.budgets[HOST_DATA]))
		;
	for (int i = 0; i < 60; i++) {
		snprintf(symbol, sizeof(symbol), "A%c%c", 'A' + i / 26, 'A' + i % 26);
		fake_ask(k, 0, (uint64_t)i + 1, ENDPOINT_STOCK_BARS, symbol);
	}
	for (uint64_t t = 1; t <= 60; t++) {
		const struct msg_result_end *end = fake_end(k, 0, t, NULL);

		if (end == NULL)
			continue;
		refused++;
		cr_expect_eq(end->error, E_OVERLOADED);
		cr_expect_gt(end->retry_ms, 5000, "a third of a second for each call ahead");
	}
	cr_expect_eq(refused, 60 - 22, "in 6.75 s the bucket gives 22: refused %u", refused);
}

Test(plan, a_waiting_fetch_is_refused_when_its_time_is_over)
{
	struct msg_fetch f = fake_a_fetch(ENDPOINT_STOCK_BARS, "AAPL");

	for (int i = 0; i < 8; i++) {
		char symbol[8];

		snprintf(symbol, sizeof(symbol), "B%c", 'A' + i);
		fake_ask(k, 0, (uint64_t)i + 10, ENDPOINT_STOCK_BARS, symbol);
	}
	f.ticket = 1;
	f.timeout_ms = 1000;
	fake_fetch(k, 0, &f);
	fake_pass(k, 0);
	cr_expect_eq(k->call_count, 8, "as many as connections");
	fake_pass(k, 400);
	cr_expect_null(fake_end(k, 0, 1, NULL));
	fake_pass(k, 100);
	cr_assert_not_null(fake_end(k, 0, 1, NULL));
	cr_expect_eq(fake_end(k, 0, 1, NULL)->error, E_OVERLOADED);
	cr_expect_eq(k->call_count, 8);
}

Test(plan, whoever_is_more_patient_goes_on_waiting)
{
	struct msg_fetch f = fake_a_fetch(ENDPOINT_STOCK_BARS, "AAPL");

	f.ticket = 1;
	f.timeout_ms = 1000;
	fake_fetch(k, 0, &f);
	fake_pass(k, 0);
	f.ticket = 2;
	f.timeout_ms = 5000;
	fake_fetch(k, 1, &f);
	fake_pass(k, 950);
	cr_assert_not_null(fake_end(k, 0, 1, NULL));
	cr_expect_eq(fake_end(k, 0, 1, NULL)->error, E_UPSTREAM_TIMEOUT);
	cr_expect_null(fake_end(k, 1, 2, NULL));
	fake_answer(k, fake_open(k), 200,
	    "{\"bars\":{\"AAPL\":[{\"t\":\"2021-10-13T04:00:00Z\",\"o\":1,\"h\":2,\"l\":1,\"c\":2}]"
	    "},\"next_page_token\":null}");
	cr_assert_not_null(fake_end(k, 1, 2, NULL));
	cr_expect_eq(fake_end(k, 1, 2, NULL)->error, E_OK);
}

Test(plan, a_dead_peer_is_not_answered)
{
	fake_ask(k, 0, 1, ENDPOINT_STOCK_QUOTE, "AAPL");
	fake_ask(k, 1, 2, ENDPOINT_STOCK_QUOTE, "AAPL");
	fake_pass(k, 10);
	plan_forget(&k->fetcher, &k->http[0]);
	fake_answer(k, fake_open(k), 200, QUOTES(QUOTE("AAPL")));
	cr_expect_null(fake_end(k, 0, 1, NULL));
	cr_expect_not_null(fake_end(k, 1, 2, NULL));
}

Test(plan, malformed_symbols_and_unknown_endpoints_cost_nothing)
{
	static const char *const symbols[] = { "aapl", "A1", "", "A,B", "A&feed=sip", "TOOLONG" };

	for (uint64_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
		fake_ask(k, 0, i + 1, ENDPOINT_STOCK_QUOTE, symbols[i]);
		cr_assert_not_null(fake_end(k, 0, i + 1, NULL), "%s", symbols[i]);
		cr_expect_eq(
		    fake_end(k, 0, i + 1, NULL)->error, E_INVALID_SYMBOL_FORMAT, "%s", symbols[i]);
	}
	fake_ask(k, 0, 99, (enum endpoint)77, "AAPL");
	cr_expect_eq(fake_end(k, 0, 99, NULL)->error, E_INVALID_PARAMETER);
	fake_pass(k, 10);
	cr_expect_eq(k->call_count, 0);
}

Test(plan, without_a_key_only_crypto_is_asked)
{
	k->fetcher.has_key = false;
	fake_ask(k, 0, 1, ENDPOINT_STOCK_QUOTE, "AAPL");
	fake_ask(k, 0, 2, ENDPOINT_CRYPTO_QUOTE, "BTC/USD");
	fake_pass(k, 10);
	cr_expect_eq(fake_end(k, 0, 1, NULL)->error, E_UPSTREAM_AUTHENTICATION_FAILED);
	cr_assert_eq(k->call_count, 1);
	cr_expect_str_eq(k->calls[0]->path, "/v1beta3/crypto/us/latest/quotes?symbols=BTC%2FUSD");
}

Test(plan, the_queue_is_bounded)
{
	k->proc.conf.upstream_queue_max = 3;
	k->proc.conf.upstream_connections_max = 1;
	for (int i = 0; i < 6; i++) {
		char symbol[8];

		snprintf(symbol, sizeof(symbol), "C%c", 'A' + i);
		fake_ask(k, 0, (uint64_t)i + 1, ENDPOINT_STOCK_BARS, symbol);
	}
	cr_expect_null(fake_end(k, 0, 3, NULL));
	cr_assert_not_null(fake_end(k, 0, 4, NULL));
	cr_expect_eq(fake_end(k, 0, 4, NULL)->error, E_OVERLOADED);
	cr_expect_gt(fake_end(k, 0, 4, NULL)->retry_ms, 0);
}

Test(plan, draining_ends_when_everything_is_answered)
{
	fake_ask(k, 0, 1, ENDPOINT_STOCK_BARS, "AAPL");
	fake_pass(k, 0);
	k->fetcher.draining = true;
	plan_kick(&k->fetcher);
	fake_pass(k, 0);
	cr_expect_eq(k->finished, 0);
	fake_ask(k, 0, 2, ENDPOINT_STOCK_BARS, "MSFT");
	cr_assert_not_null(fake_end(k, 0, 2, NULL));
	fake_answer(k, fake_open(k), 401, "<html>");
	fake_pass(k, 0);
	cr_expect_geq(k->finished, 1);
}

Test(plan, chains_and_bars_carry_what_was_asked)
{
	struct msg_fetch f = fake_a_fetch(ENDPOINT_OPTION_CHAIN, "AAPL");

	strcpy(f.option_type, "call");
	f.strike_min = 152.5;
	strcpy(f.expiration_max, "2024-04-26");
	strcpy(f.root_symbol, "AAPL1");
	fake_fetch(k, 0, &f);
	fake_pass(k, 0);
	cr_expect_str_eq(k->calls[0]->path,
	    "/v1beta1/options/snapshots/"
	    "AAPL?type=call&strike_price_gte=152.5&expiration_date_lte=2024-04-26"
	    "&root_symbol=AAPL1&limit=1000&feed=indicative");
	f = fake_a_fetch(ENDPOINT_STOCK_BARS, "AAPL");
	f.start = INT64_C(1634083200) * CLOCK_SEC;
	f.end = f.start + 500 * CLOCK_MS;
	f.limit = 20000;
	strcpy(f.adjustment, "split");
	strcpy(f.page_token, "a+b/c=&d");
	fake_fetch(k, 0, &f);
	fake_pass(k, 0);
	cr_expect_str_eq(k->calls[1]->path,
	    "/v2/stocks/"
	    "bars?symbols=AAPL&timeframe=1Day&adjustment=split&start=2021-10-13T00%3A00%3A00Z"
	    "&end=2021-10-13T00%3A00%3A00.5Z&sort=asc&limit=10000&page_token=a%2Bb%2Fc%3D%26d&feed="
	    "iex");
}

Test(plan, what_is_asked_while_the_upstream_is_being_loaded_waits_for_it)
{
	k->loading = true;
	fake_ask(k, 0, 1, ENDPOINT_STOCK_BARS, "AAPL");
	fake_pass(k, 50);
	cr_expect_eq(k->call_count, 0);
	cr_expect_eq(budget_left(&k->fetcher.budgets[HOST_DATA]), 200, "nothing is spent");
	k->loading = false;
	fake_pass(k, 0);
	cr_expect_eq(k->call_count, 1);
}
