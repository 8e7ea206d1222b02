/* test_latest.c - latest values as Redis holds them, written, ordered, read, and refused. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "clock.h"
#include "latest.h"

#define EVENT INT64_C(1709929499500000001)

static struct quote
quote(void)
{
	struct quote q = { .asset = ASSET_STOCK,
		.source = SOURCE_LATEST,
		.symbol = "BRK.B",
		.feed = "iex",
		.event = EVENT,
		.received = EVENT + CLOCK_SEC,
		.bid_price = 170.12,
		.bid_size = 4,
		.bid_exchange = "K",
		.ask_price = NAN,
		.ask_size = NAN,
		.tape = "B" };

	list_empty(q.conditions);
	cr_assert_eq(list_add(q.conditions, sizeof(q.conditions), " "), E_OK);
	cr_assert_eq(list_add(q.conditions, sizeof(q.conditions), "R\""), E_OK);
	return q;
}

static const char *
written(enum msg_type type, const void *value)
{
	static struct buf b;

	buf_fini(&b);
	buf_init(&b, LATEST_TEXT);
	cr_assert_eq(latest_write(type, value, &b), E_OK);
	cr_assert_eq(buf_add(&b, "", 1), E_OK);
	return (const char *)buf_data(&b);
}

Test(latest, a_quote_comes_back_as_it_was)
{
	struct quote q = quote();
	const char *text = written(MSG_QUOTE, &q), *why;
	union msg_any back;

	cr_assert_eq(
	    latest_read(MSG_QUOTE, text, strlen(text), &back, &why), E_OK, "%s: %s", text, why);
	cr_expect_str_eq(back.quote.symbol, "BRK.B");
	cr_expect_eq(back.quote.event, EVENT, "to the nanosecond");
	cr_expect_eq(back.quote.received, q.received);
	cr_expect_eq(back.quote.bid_price, 170.12);
	cr_expect(isnan(back.quote.ask_price));
	cr_expect_str_eq(back.quote.ask_exchange, "");
	cr_expect_arr_eq(back.quote.conditions, q.conditions, strlen(q.conditions) + 1);
	cr_expect_eq(back.quote.source, SOURCE_LATEST);
}

Test(latest, a_trade_comes_back_as_it_was)
{
	struct trade t = { .asset = ASSET_CRYPTO,
		.source = SOURCE_STREAM,
		.symbol = "BTC/USD",
		.feed = "us",
		.event = EVENT,
		.received = EVENT,
		.price = 0.000001234,
		.size = 1e9,
		.has_id = true,
		.trade_id = INT64_MAX,
		.taker_side = "B" };
	const char *text = written(MSG_TRADE, &t), *why;
	union msg_any back;

	list_null(t.conditions);
	cr_assert_eq(
	    latest_read(MSG_TRADE, text, strlen(text), &back, &why), E_OK, "%s: %s", text, why);
	cr_expect_eq(back.trade.price, t.price);
	cr_expect_eq(back.trade.trade_id, t.trade_id);
	cr_expect(list_is_null(back.trade.conditions));
}

Test(latest, order_is_event_then_receipt_as_text)
{
	struct quote a = quote(), b = quote();
	char first[64];

	b.event++;
	b.received -= CLOCK_SEC;
	strncpy(first, written(MSG_QUOTE, &a), 49);
	cr_expect(
	    memcmp(first, "{\"order\":\"", 10) == 0, "where the script looks for it: %.60s", first);
	cr_expect_lt(memcmp(first, written(MSG_QUOTE, &b), 48), 0, "a later event");
	b.event = a.event;
	cr_expect_gt(memcmp(first, written(MSG_QUOTE, &b), 48), 0, "received earlier");
	b.event = 0;
	cr_expect_gt(memcmp(first, written(MSG_QUOTE, &b), 48), 0, "no event at all");
}

Test(latest, key_and_field_keep_feeds_and_timeframes_apart)
{
	struct quote q = quote();
	struct bar b = { .asset = ASSET_STOCK,
		.source = SOURCE_LATEST,
		.part = BAR_DAILY,
		.symbol = "A",
		.feed = "sip",
		.timeframe = "1Day",
		.event = EVENT };
	struct trade t = { .source = SOURCE_STREAM, .update = "canceled" };
	struct latest_id id;

	cr_assert(latest_identify(MSG_QUOTE, &q, &id));
	cr_expect_str_eq(id.key, "opitios:v2:quote:BRK.B");
	cr_expect_str_eq(id.field, "iex");
	cr_assert(latest_identify(MSG_BAR, &b, &id));
	cr_expect_str_eq(id.key, "opitios:v2:bar:A");
	cr_expect_str_eq(id.field, "sip/1Day");
	b.part = BAR_SERIES;
	cr_expect_not(latest_identify(MSG_BAR, &b, &id), "a bar of a series");
	q.source = SOURCE_HISTORY;
	cr_expect_not(latest_identify(MSG_QUOTE, &q, &id), "what was asked of the past");
	cr_expect_not(latest_identify(MSG_TRADE, &t, &id), "a trade taken back");
}

static void
refused(const char *text, size_t len)
{
	union msg_any back;
	const char *why = NULL;

	cr_expect_eq(
	    latest_read(MSG_QUOTE, text, len, &back, &why), E_DATA_VALIDATION_ERROR, "%.80s", text);
	cr_expect_not_null(why);
}

Test(latest, what_is_none_of_ours_is_refused)
{
	struct quote q = quote();
	char good[LATEST_TEXT], bad[LATEST_TEXT + 2];
	size_t len;

	strcpy(good, written(MSG_QUOTE, &q));
	len = strlen(good);
	for (size_t cut = 0; cut < len; cut++)
		refused(good, cut);
	memset(bad, '[', sizeof(bad));
	refused(bad, LATEST_TEXT);
	memset(bad, ' ', sizeof(bad));
	memcpy(bad, good, len);
	refused(bad, LATEST_TEXT + 1);
	strcpy(bad, good);
	memcpy(strstr(bad, "170.12"), "-70.12", 6);
	refused(bad, len);
	strcpy(bad, good);
	memcpy(strstr(bad, "\"bid_price\""), "\"bid_pric_\"", 11);
	refused(bad, len);
	strcpy(bad, good);
	memcpy(strstr(bad, "\"version\":1"), "\"version\":9", 11);
	refused(bad, len);
	strcpy(bad, good);
	memcpy(strstr(bad, "BRK.B"), "BRK\tB", 5);
	refused(bad, len);
	refused("null", 4);
	refused("\"text\"", 6);
}
