/* test_book.c - the newest by the market's time wins, and memory is counted. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "book.h"

static size_t dropped;

static void
drop(void *shown)
{
	(void)shown;
	dropped++;
}

static struct quote
quote_at(int64_t event, int64_t received)
{
	struct quote q = { .asset = ASSET_STOCK,
		.symbol = "AAPL",
		.feed = "iex",
		.event = event,
		.received = received,
		.bid_price = (double)event };

	return q;
}

static struct book *book;

static void
open_book(void)
{
	book = book_new(drop);
}

static void
close_book(void)
{
	book_free(&book);
}

TestSuite(book, .init = open_book, .fini = close_book);

static const struct quote *
held(void)
{
	struct book_entry *e = book_find(book, BOOK_QUOTE, ASSET_STOCK, "iex", "AAPL", 1);

	return e != NULL ? &e->quote : NULL;
}

static bool
put(int64_t event, int64_t taken)
{
	struct quote q = quote_at(event, 1);

	return book_put_quote(book, &q, taken, 1);
}

Test(book, keeps_what_the_market_made_last)
{
	cr_expect_null(held());
	cr_expect(put(100, 1000));
	cr_expect(put(101, 1001));
	cr_expect_not(put(99, 1002), "older");
	cr_expect_eq(held()->event, 101);
}

Test(book, the_same_event_again_is_fresh_again)
{
	cr_expect(put(100, 1000));
	cr_expect(put(100, 2000));
	cr_expect_eq(book_find(book, BOOK_QUOTE, ASSET_STOCK, "iex", "AAPL", 1)->taken_ns, 2000);
}

Test(book, the_same_event_is_fresh_again_though_the_wall_clock_stepped_back)
{
	struct quote q = quote_at(100, 5000);

	cr_assert(book_put_quote(book, &q, 1000, 1));
	q.received = 10;
	cr_expect(book_put_quote(book, &q, 2000, 1));
	cr_expect_eq(held()->received, 10);
}

Test(book, what_the_upstream_took_back_is_believed_after_a_while)
{
	cr_expect(put(100, 1000));
	cr_expect_not(put(90, 1000 + BOOK_SETTLED_NS));
	cr_expect(put(90, 1001 + BOOK_SETTLED_NS));
	cr_expect_eq(held()->event, 90);
}

Test(book, tells_kinds_assets_feeds_and_symbols_apart)
{
	struct quote q = quote_at(1, 1);
	struct trade t = {
		.asset = ASSET_STOCK, .symbol = "AAPL", .feed = "iex", .event = 1, .received = 1
	};

	cr_assert(book_put_quote(book, &q, 1, 1));
	cr_assert(book_put_trade(book, &t, 1, 1));
	strcpy(q.feed, "sip");
	cr_assert(book_put_quote(book, &q, 1, 1));
	q.asset = ASSET_CRYPTO;
	cr_assert(book_put_quote(book, &q, 1, 1));
	cr_expect_eq(book_entries(book), 4);
	cr_expect_null(book_find(book, BOOK_QUOTE, ASSET_STOCK, "iex", "AAP", 1));
	cr_expect_null(book_find(book, BOOK_TRADE, ASSET_STOCK, "sip", "AAPL", 1));
	cr_expect_not_null(book_find(book, BOOK_TRADE, ASSET_STOCK, "iex", "AAPL", 1));
}

Test(book, counts_what_is_hung_on_an_entry_and_drops_it_with_every_change)
{
	size_t bare;

	cr_assert(put(100, 1000));
	bare = book_bytes(book);
	cr_expect_gt(bare, sizeof(struct quote));
	book_show(book, book_find(book, BOOK_QUOTE, ASSET_STOCK, "iex", "AAPL", 1), &dropped, 500);
	cr_expect_eq(book_bytes(book), bare + 500);
	cr_assert(put(101, 1001));
	cr_expect_eq(book_bytes(book), bare);
	cr_expect_eq(dropped, 1);
	cr_expect_null(book_find(book, BOOK_QUOTE, ASSET_STOCK, "iex", "AAPL", 1)->shown);
}

Test(book, puts_out_what_was_not_used_the_longest)
{
	struct quote q = quote_at(1, 1);

	for (uint64_t i = 0; i < 3; i++) {
		(void)snprintf(q.symbol, sizeof(q.symbol), "S%d", (int)i);
		cr_assert(book_put_quote(book, &q, 1, 10 + i));
	}
	cr_assert_not_null(book_find(book, BOOK_QUOTE, ASSET_STOCK, "iex", "S0", 20));
	cr_expect_eq(book_oldest(book), 11);
	book_evict(book);
	cr_expect_null(book_find(book, BOOK_QUOTE, ASSET_STOCK, "iex", "S1", 21));
	cr_expect_not_null(book_find(book, BOOK_QUOTE, ASSET_STOCK, "iex", "S0", 22));
	book_evict(book);
	book_evict(book);
	book_evict(book);
	cr_expect_eq(book_bytes(book), 0);
	cr_expect_eq(book_oldest(book), UINT64_MAX);
}
