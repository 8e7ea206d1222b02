/* test_value.c - lists, validity and quality of market values. */
#include "value.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static const char *why; /* the broken rule, of the last check */

static struct quote
a_quote(double bid, double ask)
{
	struct quote q = { .asset = ASSET_STOCK, .symbol = "AAPL", .event = 1, .received = 2 };

	q.bid_price = bid;
	q.ask_price = ask;
	q.bid_size = q.ask_size = 1;
	return q;
}

static struct bar
a_bar(void)
{
	struct bar b = { .symbol = "AAPL",
		.event = 1,
		.received = 2,
		.open = 2,
		.high = 3,
		.low = 1,
		.close = 2,
		.volume = 10,
		.trade_count = NAN,
		.vwap = NAN };

	return b;
}

Test(value, enums_have_the_names_clients_see)
{
	cr_expect_str_eq(asset_name(ASSET_CRYPTO), "crypto");
	cr_expect_str_eq(source_name(SOURCE_STREAM), "alpaca_real_time");
	cr_expect_str_eq(source_name(SOURCE_LATEST), "alpaca_latest");
	cr_expect_str_eq(source_name(SOURCE_HISTORY), "alpaca_historical");
	cr_expect_str_eq(source_name(SOURCE_REPLAY), "replay");
	cr_expect_str_eq(bar_part_name(BAR_PREVIOUS), "previous");
	cr_expect_str_eq(source_name((enum source)77), "?");
	cr_expect_str_eq(quality_name(QUALITY_ONE_SIDED), "one_sided");
	cr_expect_str_eq(quality_name(QUALITY_CROSSED | QUALITY_WIDE), "?");
}

Test(list, null_and_empty_are_different_and_both_have_no_element)
{
	char list[16];
	const char *at = NULL, *element;
	size_t len;

	list_null(list);
	cr_expect(list_is_null(list));
	cr_expect_eq(list_next(list, &at, &element, &len), 0);
	list_empty(list);
	cr_expect(!list_is_null(list));
	cr_expect_eq(list_next(list, &at, &element, &len), 0);
}

Test(list, elements_come_back_as_they_went_in)
{
	static const char *const conditions[] = { " ", "T", "@", "I,J", "\"", "long one" };
	const size_t count = sizeof(conditions) / sizeof(conditions[0]);
	char list[64];
	const char *at = NULL, *element;
	size_t len;

	list_null(list);
	for (size_t i = 0; i < count; i++)
		cr_assert_eq(list_add(list, sizeof(list), conditions[i]), E_OK);
	for (size_t i = 0; i < count; i++) {
		cr_assert_eq(list_next(list, &at, &element, &len), 1);
		cr_expect_eq(len, strlen(conditions[i]));
		cr_expect_eq(memcmp(element, conditions[i], len), 0);
	}
	cr_expect_eq(list_next(list, &at, &element, &len), 0);
	cr_expect_eq(list_next(list, &at, &element, &len), 0, "the end stays the end");
}

Test(list, adding_to_an_empty_list_makes_a_list_of_one)
{
	char list[16];
	const char *at = NULL, *element;
	size_t len;

	list_empty(list);
	cr_assert_eq(list_add(list, sizeof(list), "R"), E_OK);
	cr_assert_eq(list_next(list, &at, &element, &len), 1);
	cr_expect_eq(len, 1);
	cr_expect_eq(*element, 'R');
	cr_expect_eq(list_next(list, &at, &element, &len), 0);
}

Test(list, what_does_not_fit_changes_nothing)
{
	char list[8], before[8];

	list_null(list);
	cr_assert_eq(list_add(list, sizeof(list), "AB"), E_OK);
	cr_assert_eq(list_add(list, sizeof(list), "CDE"), E_OK, "exactly full");
	memcpy(before, list, sizeof(list));
	cr_expect_eq(list_add(list, sizeof(list), "F"), E_LIMIT);
	cr_expect_eq(list_add(list, sizeof(list), "a text far longer than the list"), E_LIMIT);
	cr_expect_eq(list_add(list, sizeof(list), ""), E_INVALID_PARAMETER);
	cr_expect_eq(list_add(list, sizeof(list), "\x1f"), E_INVALID_PARAMETER);
	cr_expect_eq(memcmp(list, before, sizeof(list)), 0);
}

Test(quality, flags_tell_how_the_sides_stand)
{
	struct quote q;

	q = a_quote(10, 10.01);
	cr_expect_eq(quote_quality(&q), 0);
	q = a_quote(10, 10);
	cr_expect_eq(quote_quality(&q), QUALITY_LOCKED);
	q = a_quote(10.01, 10);
	cr_expect_eq(quote_quality(&q), QUALITY_CROSSED);
	q = a_quote(NAN, 10);
	cr_expect_eq(quote_quality(&q), QUALITY_ONE_SIDED);
	q = a_quote(10, NAN);
	cr_expect_eq(quote_quality(&q), QUALITY_ONE_SIDED);
	q = a_quote(NAN, NAN);
	cr_expect_eq(quote_quality(&q), 0);
	q = a_quote(100, 105.5);
	cr_expect_eq(quote_quality(&q), QUALITY_WIDE);
	q = a_quote(100, 104.9);
	cr_expect_eq(quote_quality(&q), 0);
}

static void
expect_refused(int r, const char *word)
{
	cr_expect_eq(r, E_DATA_VALIDATION_ERROR, "%s", word);
	cr_expect(why != NULL && strstr(why, word) != NULL, "%s: %s", word, why ? why : "null");
}

Test(check, quotes_may_lack_sides_but_not_lie)
{
	struct quote q = a_quote(10, 11);

	cr_expect_eq(quote_check(&q, &why), E_OK);
	q = a_quote(NAN, NAN);
	q.bid_size = q.ask_size = NAN;
	cr_expect_eq(quote_check(&q, &why), E_OK);
	q = a_quote(11, 10);
	cr_expect_eq(quote_check(&q, &why), E_OK, "crossed is a quality, not a fault");
	cr_expect_null(why);
	q = a_quote(0, 11);
	expect_refused(quote_check(&q, &why), "bid price");
	q = a_quote(10, -1);
	expect_refused(quote_check(&q, &why), "ask price");
	q = a_quote(INFINITY, 11);
	expect_refused(quote_check(&q, &why), "bid price");
	q = a_quote(10, 11);
	q.ask_size = -1;
	expect_refused(quote_check(&q, &why), "ask size");
	q = a_quote(10, 11);
	q.bid_size = INFINITY;
	expect_refused(quote_check(&q, &why), "bid size");
	q = a_quote(10, 11);
	q.event = 0;
	expect_refused(quote_check(&q, &why), "time");
	q = a_quote(10, 11);
	q.received = -1;
	expect_refused(quote_check(&q, &why), "received");
	q = a_quote(10, 11);
	q.symbol[0] = '\0';
	expect_refused(quote_check(&q, &why), "symbol");
}

Test(check, trades_have_a_price_and_a_size)
{
	struct trade t = { .symbol = "A", .event = 1, .received = 1, .price = 1, .size = 0 };

	cr_expect_eq(trade_check(&t, &why), E_OK);
	t.price = NAN;
	expect_refused(trade_check(&t, &why), "price");
	t.price = 0;
	expect_refused(trade_check(&t, &why), "price");
	t.price = 1;
	t.size = NAN;
	expect_refused(trade_check(&t, &why), "size");
	t.size = -0.5;
	expect_refused(trade_check(&t, &why), "size");
}

Test(check, bars_have_four_prices_in_order)
{
	struct bar b = a_bar();

	cr_expect_eq(bar_check(&b, &why), E_OK);
	b.volume = b.trade_count = b.vwap = 0;
	cr_expect_eq(bar_check(&b, &why), E_OK, "a crypto bar without trades");
	b = a_bar();
	b.high = b.low = 2;
	cr_expect_eq(bar_check(&b, &why), E_OK);
	b.high = 1.5;
	expect_refused(bar_check(&b, &why), "high is below low");
	b = a_bar();
	b.open = NAN;
	expect_refused(bar_check(&b, &why), "open");
	b = a_bar();
	b.close = 0;
	expect_refused(bar_check(&b, &why), "close");
	b = a_bar();
	b.low = -1;
	expect_refused(bar_check(&b, &why), "low");
	b = a_bar();
	b.volume = -1;
	expect_refused(bar_check(&b, &why), "volume");
	b = a_bar();
	b.trade_count = -1;
	expect_refused(bar_check(&b, &why), "trade count");
	b = a_bar();
	b.vwap = -1;
	expect_refused(bar_check(&b, &why), "vwap");
}
