/* test_clock_watch.c - the market's clock is asked in time, journalled and told to every http worker. */
#include <criterion/criterion.h>
#include <string.h>

#include "clock.h"
#include "fakes.h"

#define CLOCK_BODY                                                                                 \
	"{\"timestamp\":\"2020-06-08T09:00:00-04:00\",\"is_open\":false,"                          \
	"\"next_open\":\"2020-06-08T09:30:00-04:00\",\"next_close\":\"2020-06-08T16:00:00-04:"     \
	"00\"}"

Test(clock_watch, waits_the_interval_or_until_the_market_turns)
{
	struct market_clock c = { .timestamp = 1000 * CLOCK_SEC,
		.next_open = 1030 * CLOCK_SEC,
		.next_close = 5000 * CLOCK_SEC };

	cr_expect_eq(clock_watch_next_ms(&c, 0, 60000), 31000);
	cr_expect_eq(clock_watch_next_ms(&c, 10 * CLOCK_SEC, 60000), 21000);
	cr_expect_eq(clock_watch_next_ms(&c, 0, 5000), 5000);
	c.next_open = 90000 * CLOCK_SEC;
	cr_expect_eq(clock_watch_next_ms(&c, 0, 60000), 60000);
	c.next_open = 0;
	c.next_close = 999 * CLOCK_SEC;
	cr_expect_eq(clock_watch_next_ms(&c, 0, 60000), 60000, "a turn in the past is no turn");
}

Test(clock_watch, asks_at_the_start_and_tells_what_it_learned)
{
	struct fake *k = fake_new();
	unsigned told = 0;

	clock_watch_begin(&k->fetcher);
	for (int i = 0; i < 1000 && fake_open(k) == NULL; i++)
		loop_turn(k->proc.loop, 1);
	cr_assert_eq(k->call_count, 1);
	cr_expect_str_eq(k->calls[0]->path, "/v2/clock");
	cr_expect_eq(k->calls[0]->host, HOST_TRADING);
	fake_answer(k, fake_open(k), 200, CLOCK_BODY);
	cr_expect(k->fetcher.clock.known);
	cr_expect(!k->fetcher.clock.now.is_open);
	for (unsigned i = 0; i < k->sent_count; i++)
		told += k->sent[i]->type == MSG_MARKET_CLOCK && k->sent[i]->flushed == 2;
	cr_expect_eq(told, 2, "kept first, then told to both workers");
	cr_expect(loop_timer_is_set(&k->fetcher.clock.timer));
	clock_watch_end(&k->fetcher);
	fake_free(&k);
}

Test(clock_watch, without_a_key_a_crypto_quote_shows_whether_the_upstream_is_there)
{
	struct fake *k = fake_new();

	k->fetcher.has_key = false;
	k->proc.conf.upstream_merge_window = 0;
	clock_watch_begin(&k->fetcher);
	for (int i = 0; i < 1000 && fake_open(k) == NULL; i++)
		loop_turn(k->proc.loop, 1);
	cr_assert_eq(k->call_count, 1);
	cr_expect_not_null(
	    strstr(k->calls[0]->path, "/v1beta3/crypto/us/latest/quotes?symbols=BTC%2FUSD"));
	clock_watch_end(&k->fetcher);
	fake_free(&k);
}

Test(clock_watch, a_process_that_ends_asks_no_more)
{
	struct fake *k = fake_new();

	clock_watch_begin(&k->fetcher);
	k->fetcher.draining = true;
	for (int i = 0; i < 1000 && loop_timer_is_set(&k->fetcher.clock.timer); i++)
		loop_turn(k->proc.loop, 1);
	fake_pass(k, 10);
	cr_expect_eq(k->call_count, 0);
	cr_expect(!loop_timer_is_set(&k->fetcher.clock.timer));
	clock_watch_end(&k->fetcher);
	fake_free(&k);
}
