/* test_walk.c - bars and chains over many pages, and upstreams that would have us walk for ever. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "fakes.h"

#define START (INT64_C(1633000000) * CLOCK_SEC)

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

TestSuite(walk, .init = setup, .fini = teardown);

/* A page of bars of these days of October 2021. */
static const char *
page(int first, int last, const char *token)
{
	static char text[8192];
	int step = first <= last ? 1 : -1;
	size_t n = (size_t)snprintf(text, sizeof(text), "{\"bars\":{\"AAPL\":[");

	for (int day = first;; day += step) {
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    "{\"t\":\"2021-10-%02dT04:00:00Z\",\"o\":1,\"h\":2,\"l\":1,\"c\":1.%02d,\"v\":"
		    "10}%s",
		    day, day, day == last ? "" : ",");
		if (day == last)
			break;
	}
	snprintf(text + n, sizeof(text) - n, "]},\"next_page_token\":%s}", token);
	return text;
}

static void
ask(uint64_t ticket, int64_t start, uint64_t limit, bool descending)
{
	struct msg_fetch f = fake_a_fetch(ENDPOINT_STOCK_BARS, "AAPL");

	f.ticket = ticket;
	f.start = start;
	f.limit = limit;
	f.descending = descending;
	fake_fetch(k, 0, &f);
	fake_pass(k, 0);
}

static void
expect_days(uint64_t ticket, int first, int last)
{
	unsigned at = 0;
	const struct msg_result_end *end = fake_end(k, 0, ticket, &at);
	int step = first <= last ? 1 : -1, count = (last - first) * step + 1;

	cr_assert_not_null(end);
	cr_assert_eq(end->error, E_OK, "%s", end->reason);
	cr_assert_eq((int)end->count, count, "%d rows", (int)end->count);
	for (int i = 0; i < count; i++)
		cr_expect_float_eq(k->sent[at + (unsigned)i]->data.bar.close,
		    1 + (first + i * step) / 100.0, 1e-9);
}

Test(walk, pages_are_joined_and_a_null_token_ends_them)
{
	ask(1, START, 0, false);
	fake_answer(k, fake_open(k), 200, page(1, 5, "\"AAA\""));
	cr_expect_null(fake_end(k, 0, 1, NULL));
	fake_pass(k, 0);
	cr_expect_not_null(strstr(k->calls[1]->path, "page_token=AAA"));
	cr_expect_not_null(strstr(k->calls[1]->path, "limit=995"));
	fake_answer(k, fake_open(k), 200, page(6, 9, "null"));
	expect_days(1, 1, 9);
	cr_expect(fake_end(k, 0, 1, NULL)->complete);
	cr_expect_str_eq(fake_end(k, 0, 1, NULL)->page_token, "");
	cr_expect_eq(k->kinds[MSG_BAR], 9, "each row is kept once");
	cr_expect_eq(k->flushes, 2);
}

Test(walk, a_token_may_lead_to_an_empty_page)
{
	ask(1, START, 0, false);
	fake_answer(k, fake_open(k), 200, page(1, 5, "\"AAA\""));
	fake_pass(k, 0);
	fake_answer(k, fake_open(k), 200, "{\"bars\":{},\"next_page_token\":null}");
	expect_days(1, 1, 5);
	cr_expect(fake_end(k, 0, 1, NULL)->complete);
}

Test(walk, the_limit_ends_it_with_the_token_to_go_on)
{
	ask(1, START, 5, false);
	cr_expect_not_null(strstr(k->calls[0]->path, "limit=5&"));
	fake_answer(k, fake_open(k), 200, page(1, 5, "\"AAA\""));
	expect_days(1, 1, 5);
	cr_expect(!fake_end(k, 0, 1, NULL)->complete);
	cr_expect_str_eq(fake_end(k, 0, 1, NULL)->page_token, "AAA");
}

Test(walk, without_a_start_the_newest_come_and_stand_in_order_of_time)
{
	ask(1, 0, 5, false);
	cr_expect_not_null(strstr(k->calls[0]->path, "start=1990-01-01T00%3A00%3A00Z"));
	cr_expect_not_null(strstr(k->calls[0]->path, "sort=desc"));
	fake_answer(k, fake_open(k), 200, page(20, 18, "\"AAA\""));
	fake_pass(k, 0);
	fake_answer(k, fake_open(k), 200, page(17, 16, "\"BBB\""));
	expect_days(1, 16, 20);
	ask(2, 0, 2, true);
	fake_answer(k, fake_open(k), 200, page(20, 19, "null"));
	expect_days(2, 20, 19);
}

Test(walk, a_token_that_comes_back_is_refused)
{
	ask(1, START, 0, false);
	fake_answer(k, fake_open(k), 200, page(1, 5, "\"AAA\""));
	fake_pass(k, 0);
	fake_answer(k, fake_open(k), 200, page(6, 9, "\"AAA\""));
	fake_pass(k, 0);
	cr_assert_not_null(fake_end(k, 0, 1, NULL));
	cr_expect_eq(fake_end(k, 0, 1, NULL)->error, E_DATA_VALIDATION_ERROR);
	cr_expect_null(fake_open(k));
}

Test(walk, a_page_that_comes_again_under_another_token_is_refused)
{
	ask(1, START, 0, false);
	fake_answer(k, fake_open(k), 200, page(1, 5, "\"AAA\""));
	fake_pass(k, 0);
	fake_answer(k, fake_open(k), 200, page(1, 5, "\"BBB\""));
	cr_expect_eq(fake_end(k, 0, 1, NULL)->error, E_DATA_VALIDATION_ERROR);
}

Test(walk, tokens_without_rows_end_somewhere)
{
	char text[64];
	int n;

	ask(1, START, 0, false);
	for (n = 0; n < 1000 && fake_end(k, 0, 1, NULL) == NULL; n++) {
		snprintf(text, sizeof(text), "{\"bars\":{},\"next_page_token\":\"T%d\"}", n);
		if (fake_open(k) != NULL)
			fake_answer(k, fake_open(k), 200, text);
		fake_pass(k, 1);
		if (fake_open(k) == NULL)
			fake_pass(k, 300);
	}
	cr_expect_lt(k->call_count, 450);
	cr_expect_not_null(fake_end(k, 0, 1, NULL));
}

Test(walk, more_rows_than_asked_are_cut_and_the_answer_is_not_called_complete)
{
	ask(1, START, 3, false);
	fake_answer(k, fake_open(k), 200, page(1, 9, "null"));
	expect_days(1, 1, 3);
	cr_expect(!fake_end(k, 0, 1, NULL)->complete);
}

Test(walk, no_token_leads_past_rows_that_were_cut)
{
	ask(1, START, 3, false);
	fake_answer(k, fake_open(k), 200, page(1, 9, "\"AAA\""));
	expect_days(1, 1, 3);
	cr_expect(!fake_end(k, 0, 1, NULL)->complete);
	cr_expect_str_eq(fake_end(k, 0, 1, NULL)->page_token, "");
	cr_expect_null(fake_open(k));
}

Test(walk, rows_before_the_asked_range_are_refused)
{
	ask(1, START + 20 * CLOCK_DAY, 0, false);
	fake_answer(k, fake_open(k), 200, page(1, 5, "null"));
	cr_assert_not_null(fake_end(k, 0, 1, NULL));
	cr_expect_eq(fake_end(k, 0, 1, NULL)->error, E_DATA_VALIDATION_ERROR);
}

Test(walk, a_row_that_ends_one_page_and_begins_the_next_is_served_once)
{
	ask(1, START, 0, false);
	fake_answer(k, fake_open(k), 200, page(1, 5, "\"AAA\""));
	fake_pass(k, 100);
	fake_answer(k, fake_open(k), 200, page(5, 9, "null"));
	expect_days(1, 1, 9);
	cr_expect_eq(k->kinds[MSG_BAR], 9);
}

Test(walk, a_broken_row_refuses_the_series)
{
	ask(1, START, 0, false);
	fake_answer(k, fake_open(k), 200,
	    "{\"bars\":{\"AAPL\":[{\"t\":\"2021-10-01T04:00:00Z\",\"o\":1,\"h\":2,\"l\":1,\"c\":"
	    "\"2\"}]},\"next_page_token\":null}");
	cr_expect_eq(fake_end(k, 0, 1, NULL)->error, E_DATA_VALIDATION_ERROR);
	cr_expect_eq(k->kinds[MSG_BAR], 0);
	cr_expect_eq(k->kinds[MSG_CALL], 1);
}

Test(walk, a_page_is_tried_again_like_any_call)
{
	ask(1, START, 0, false);
	fake_answer(k, fake_open(k), 200, page(1, 5, "\"AAA\""));
	fake_pass(k, 0);
	fake_answer(k, fake_open(k), 500, "");
	fake_pass(k, 200);
	cr_assert_not_null(fake_open(k));
	cr_expect_not_null(strstr(fake_open(k)->path, "page_token=AAA"));
	fake_answer(k, fake_open(k), 200, page(6, 9, "null"));
	expect_days(1, 1, 9);
}

Test(walk, a_chain_is_walked_and_says_when_contracts_were_refused)
{
	fake_ask(k, 0, 1, ENDPOINT_OPTION_CHAIN, "AAPL");
	fake_pass(k, 0);
	fake_answer(k, fake_open(k), 200,
	    "{\"snapshots\":{\"AAPL240426C00152500\":{\"impliedVolatility\":0.5}},\"next_page_"
	    "token\":\"AAA\"}");
	fake_pass(k, 0);
	fake_answer(k, fake_open(k), 200,
	    "{\"snapshots\":{\"AAPL240426C00155000\":{\"impliedVolatility\":\"x\"}},\"next_page_"
	    "token\":null}");
	cr_assert_not_null(fake_end(k, 0, 1, NULL));
	cr_expect_eq(fake_end(k, 0, 1, NULL)->error, E_DATA_VALIDATION_ERROR,
	    "a page of refused contracts only");
	fake_ask(k, 0, 2, ENDPOINT_OPTION_CHAIN, "MSFT");
	fake_pass(k, 0);
	fake_answer(k, fake_open(k), 200,
	    "{\"snapshots\":{\"MSFT240426C00152500\":{\"impliedVolatility\":0.5},"
	    "\"MSFT240426C00155000\":{\"impliedVolatility\":\"x\"}},\"next_page_token\":null}");
	cr_expect_eq(fake_end(k, 0, 2, NULL)->error, E_OK);
	cr_expect_eq(fake_end(k, 0, 2, NULL)->count, 2);
	cr_expect(!fake_end(k, 0, 2, NULL)->complete);
}
