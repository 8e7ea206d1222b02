/* test_cover.c - what a walk says it proves, page by page. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "fakes.h"

#define DAY(d)	 ((INT64_C(18901) + (d)) * CLOCK_DAY) /* 2021-10-01 and on */
#define FOUR	 (4 * 3600 * CLOCK_SEC)
#define LONG_AGO (INT64_C(631152000) * CLOCK_SEC)

static struct fake *k;

static void
setup(void)
{
	k = fake_new();
	k->fetcher.proc->conf.history_settle = 60000;
}

static void
teardown(void)
{
	fake_free(&k);
}

TestSuite(cover, .init = setup, .fini = teardown);

static void
ask(enum endpoint endpoint, const char *symbol, int64_t start, int64_t end, bool down,
    uint64_t limit)
{
	struct msg_fetch f = fake_a_fetch(endpoint, symbol);

	f.ticket = 1;
	f.start = start;
	f.end = end;
	f.limit = limit;
	f.descending = down;
	strcpy(f.feed, endpoint == ENDPOINT_CRYPTO_TRADES ? "us" : "iex");
	fake_fetch(k, 0, &f);
	fake_pass(k, 0);
}

/* Rows of these days, or seconds of a day; each with the same price. */
static void
answer(const char *kind, const char *symbol, const int *at, size_t count, const char *token)
{
	static char text[8192];
	bool bars = strcmp(kind, "bars") == 0;
	size_t n = (size_t)snprintf(text, sizeof(text), "{\"%s\":{\"%s\":[", kind, symbol);

	for (size_t i = 0; i < count; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    bars ? "%s{\"t\":\"2021-10-%02dT04:00:00Z\",\"o\":1,\"h\":1,\"l\":1,\"c\":1,"
			   "\"v\":10}"
			 : "%s{\"t\":\"2021-10-01T00:00:%02dZ\",\"p\":1,\"s\":1}",
		    i == 0 ? "" : ",", at[i]);
	snprintf(text + n, sizeof(text) - n, "]},\"next_page_token\":%s}", token);
	fake_answer(k, fake_open(k), 200, text);
	fake_pass(k, 1);
}

static void
expect(unsigned i, int64_t start, int64_t end, uint64_t rows)
{
	const struct coverage *c = &k->covered[i];

	cr_assert_lt(i, k->covered_count, "record %u is missing", i);
	cr_expect_eq(c->start, start, "record %u starts at %lld", i, (long long)c->start);
	cr_expect_eq(c->end, end, "record %u ends at %lld", i, (long long)c->end);
	cr_expect_eq(c->rows, rows, "record %u has %d rows", i, (int)c->rows);
}

Test(cover, a_whole_answer_covers_what_was_asked)
{
	ask(ENDPOINT_STOCK_BARS, "AAPL", DAY(0), DAY(20), false, 100);
	answer("bars", "AAPL", (int[]){ 4, 5 }, 2, "null");
	expect(0, DAY(0), DAY(20), 2);
	cr_expect_eq(k->covered_count, 1);
	cr_expect_str_eq(k->covered[0].timeframe, "1Day");
	cr_expect_str_eq(k->covered[0].adjustment, "raw");
	cr_expect_eq(k->covered[0].what, COVERED_BARS);
}

Test(cover, an_empty_answer_covers_as_well)
{
	ask(ENDPOINT_STOCK_BARS, "AAPL", DAY(0), DAY(2), false, 100);
	fake_answer(k, fake_open(k), 200, "{\"bars\":{},\"next_page_token\":null}");
	expect(0, DAY(0), DAY(2), 0);
}

Test(cover, pages_cover_up_to_their_last_row_from_either_end)
{
	ask(ENDPOINT_STOCK_BARS, "AAPL", DAY(0), DAY(20), false, 100);
	answer("bars", "AAPL", (int[]){ 4, 5 }, 2, "\"a\"");
	answer("bars", "AAPL", (int[]){ 6, 7 }, 2, "null");
	expect(0, DAY(0), DAY(4) + FOUR, 2);
	expect(1, DAY(4) + FOUR + 1, DAY(20), 2);
	ask(ENDPOINT_STOCK_BARS, "MSFT", DAY(0), DAY(20), true, 3);
	answer("bars", "MSFT", (int[]){ 9, 8 }, 2, "\"a\"");
	answer("bars", "MSFT", (int[]){ 7 }, 1, "\"b\"");
	expect(2, DAY(7) + FOUR, DAY(20), 2);
	expect(3, DAY(6) + FOUR, DAY(7) + FOUR - 1, 1);
	cr_expect_eq(k->covered_count, 4, "the limit ended the walk, not the range");
	cr_expect_eq(k->kept_events[4], DAY(7) + FOUR, "within a page the journal goes forwards");
}

Test(cover, without_a_start_it_goes_back_to_long_ago)
{
	ask(ENDPOINT_STOCK_BARS, "AAPL", 0, DAY(20), false, 100);
	answer("bars", "AAPL", (int[]){ 9, 8 }, 2, "null");
	expect(0, LONG_AGO, DAY(20), 2);
}

Test(cover, an_instant_that_a_page_ends_in_counts_when_the_next_begins_behind_it)
{
	ask(ENDPOINT_CRYPTO_TRADES, "BTC/USD", DAY(0), DAY(0) + 60 * CLOCK_SEC, false, 100);
	answer("trades", "BTC/USD", (int[]){ 1, 5, 5 }, 3, "\"a\"");
	answer("trades", "BTC/USD", (int[]){ 7, 9 }, 2, "\"b\"");
	answer("trades", "BTC/USD", (int[]){ 9, 11 }, 2, "null");
	expect(0, DAY(0), DAY(0) + 5 * CLOCK_SEC - 1, 1);
	expect(1, DAY(0) + 5 * CLOCK_SEC, DAY(0) + 5 * CLOCK_SEC, 2);
	expect(2, DAY(0) + 5 * CLOCK_SEC + 1, DAY(0) + 9 * CLOCK_SEC - 1, 1);
	expect(3, DAY(0) + 9 * CLOCK_SEC + 1, DAY(0) + 60 * CLOCK_SEC, 1);
	cr_expect_eq(k->covered_count, 4, "second 9 was cut in two and is a hole");
	cr_expect_eq(
	    k->covered[1].received, k->covered[0].received, "of the call its rows came with");
}

Test(cover, what_may_still_change_is_left_out)
{
	int64_t now = clock_wall();

	ask(ENDPOINT_CRYPTO_TRADES, "BTC/USD", DAY(0), 0, false, 100);
	answer("trades", "BTC/USD", (int[]){ 1 }, 1, "null");
	expect(0, DAY(0), now - 60 * CLOCK_SEC, 1);
	now = clock_wall();
	ask(ENDPOINT_STOCK_BARS, "AAPL", DAY(0), 0, false, 100);
	k->fetcher.proc->conf.history_settle = 0;
	answer("bars", "AAPL", (int[]){ 4 }, 1, "null");
	expect(1, DAY(0), now - CLOCK_DAY, 1);
}

/* The hours between the two clocks are still to come. */
static void
expect_nothing_while(int64_t ahead_ns, bool says_no_date)
{
	k->ahead_ns = ahead_ns;
	k->says_no_date = says_no_date;
	ask(ENDPOINT_CRYPTO_TRADES, "BTC/USD", DAY(0), 0, false, 100);
	answer("trades", "BTC/USD", (int[]){ 1 }, 1, "\"a\"");
	answer("trades", "BTC/USD", (int[]){ 2 }, 1, "null");
	cr_expect_eq(k->covered_count, 0, "%lld s ahead", (long long)(ahead_ns / CLOCK_SEC));
	k->ahead_ns = 0;
	k->says_no_date = false;
}

Test(cover, a_clock_that_upstream_does_not_share_claims_nothing)
{
	int64_t now;

	expect_nothing_while(8 * 3600 * CLOCK_SEC, false);
	expect_nothing_while(-8 * 3600 * CLOCK_SEC, false);
	expect_nothing_while(6 * CLOCK_SEC, false);
	expect_nothing_while(0, true);
	now = clock_wall();
	ask(ENDPOINT_CRYPTO_TRADES, "BTC/USD", DAY(0), 0, false, 100);
	k->ahead_ns = 4 * CLOCK_SEC;
	answer("trades", "BTC/USD", (int[]){ 1 }, 1, "null");
	expect(0, DAY(0), now - 64 * CLOCK_SEC, 1);
}

Test(cover, a_recording_has_a_clock_of_its_own)
{
	ask(ENDPOINT_CRYPTO_TRADES, "BTC/USD", DAY(0), 0, false, 100);
	k->says_no_date = true;
	fake_open(k)->exchange.is_replay = true;
	fake_open(k)->exchange.replay_ns = DAY(1);
	answer("trades", "BTC/USD", (int[]){ 1 }, 1, "null");
	expect(0, DAY(0), DAY(1) - 60 * CLOCK_SEC, 1);
}

Test(cover, nothing_is_claimed_of_rows_that_were_not_kept)
{
	ask(ENDPOINT_STOCK_BARS, "AAPL", DAY(0), DAY(20), false, 100);
	k->journal_is_full = true;
	answer("bars", "AAPL", (int[]){ 4, 5 }, 2, "\"a\"");
	k->journal_is_full = false;
	answer("bars", "AAPL", (int[]){ 6 }, 1, "null");
	expect(0, DAY(4) + FOUR + 1, DAY(20), 1);
	cr_expect_eq(k->covered_count, 1);
}

Test(cover, a_refused_page_or_a_strange_token_claims_nothing)
{
	struct msg_fetch f = fake_a_fetch(ENDPOINT_STOCK_BARS, "AAPL");

	ask(ENDPOINT_STOCK_BARS, "MSFT", DAY(0), DAY(20), false, 100);
	answer("bars", "MSFT", (int[]){ 5, 4 }, 2, "null");
	f.ticket = 2;
	f.start = DAY(0);
	strcpy(f.page_token, "abc");
	fake_fetch(k, 0, &f);
	fake_pass(k, 0);
	answer("bars", "AAPL", (int[]){ 4 }, 1, "null");
	cr_expect_eq(k->covered_count, 0);
}
