/* test_journal_load.c - what a gateway received, served as what its upstream said. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal.h"
#include "log.h"
#include "recording.h"
#include "value.h"

#define EVENT INT64_C(1709930699500000000) /* 2024-03-08T20:44:59.5Z */

static char root[64], why[LOAD_WHY];
static struct recording recording;
static struct journal *journal;

static void
begin(void)
{
	const struct journal_limits limits = { .segment_bytes = 4096, .max_bytes = 1 << 20 };

	snprintf(root, sizeof(root), "/tmp/opitios-jload-XXXXXX");
	cr_assert_not_null(mkdtemp(root));
	log_open("test", LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	cr_assert_eq(journal_open(&journal, root, "fetcher", &limits), E_OK);
	recording_init(&recording);
}

static void
end(void)
{
	char command[128];

	journal_close(&journal);
	recording_fini(&recording);
	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	cr_assert_eq(system(command), 0);
}

TestSuite(journal_load, .init = begin, .fini = end);

static void
put(enum msg_type type, const void *value)
{
	cr_assert_eq(journal_append(journal, type, value), E_OK);
	cr_assert_eq(journal_flush(journal, NULL, NULL), E_OK);
}

static struct bar
a_bar(const char *feed, const char *adjustment, double close)
{
	struct bar b = { .asset = ASSET_STOCK,
		.event = EVENT,
		.received = EVENT,
		.open = 1,
		.high = 9,
		.low = 0.5,
		.close = close,
		.volume = 100,
		.trade_count = NAN,
		.vwap = 1.25 };

	strcpy(b.symbol, "AAPL");
	strcpy(b.feed, feed);
	strcpy(b.timeframe, "1Min");
	strcpy(b.adjustment, adjustment);
	return b;
}

static struct quote
a_quote(const char *feed, double bid)
{
	struct quote q = { .asset = ASSET_STOCK,
		.event = EVENT,
		.bid_price = bid,
		.bid_size = isnan(bid) ? NAN : 3,
		.ask_price = 170.15,
		.ask_size = 200 };

	strcpy(q.symbol, "AAPL");
	strcpy(q.feed, feed);
	strcpy(q.ask_exchange, "P");
	strcpy(q.bid_exchange, isnan(bid) ? "" : "Q");
	strcpy(q.tape, "C");
	list_empty(q.conditions);
	cr_assert_eq(list_add(q.conditions, sizeof(q.conditions), "R"), E_OK);
	return q;
}

static int
load(void)
{
	int e = journal_load(&recording, root, why);

	return e == E_OK ? recording_finish(&recording, why) : e;
}

static struct series *
series(const char *feed, enum kind kind, const char *timeframe, const char *adjustment)
{
	struct instrument *i = recording_find_feed(&recording, MARKET_STOCK, "AAPL", feed);

	return i != NULL ? instrument_series_adjusted(i, kind, timeframe, adjustment) : NULL;
}

static void
expect(const struct series *s, size_t index, const char *json)
{
	cr_assert_not_null(s);
	cr_assert_lt(index, s->count);
	cr_expect_eq(s->events[index].len, strlen(json), "%.*s", (int)s->events[index].len,
	    series_json(s, index));
	cr_expect_eq(strncmp(series_json(s, index), json, s->events[index].len), 0, "%.*s",
	    (int)s->events[index].len, series_json(s, index));
}

Test(journal_load, a_quote_is_what_upstream_said_and_a_side_that_is_not_there_too)
{
	struct quote whole = a_quote("iex", 170.11), one = a_quote("sip", NAN);

	put(MSG_QUOTE, &whole);
	put(MSG_QUOTE, &one);
	put(MSG_QUOTE, &whole);
	cr_assert_eq(load(), E_OK, "%s", why);
	expect(series("iex", KIND_QUOTES, "", ""), 0,
	    "{\"ap\":170.15,\"as\":200,\"ax\":\"P\",\"bp\":170.11,\"bs\":3,\"bx\":\"Q\",\"c\":["
	    "\"R\"],"
	    "\"t\":\"2024-03-08T20:44:59.5Z\",\"z\":\"C\"}");
	cr_expect_eq(series("iex", KIND_QUOTES, "", "")->count, 1, "received twice, there once");
	expect(series("sip", KIND_QUOTES, "", ""), 0,
	    "{\"ap\":170.15,\"as\":200,\"ax\":\"P\",\"bp\":0,\"bs\":0,\"bx\":\" \",\"c\":[\"R\"],"
	    "\"t\":\"2024-03-08T20:44:59.5Z\",\"z\":\"C\"}");
	cr_expect_null(recording_find_feed(&recording, MARKET_STOCK, "AAPL", "otc"));
	cr_expect_not_null(recording_find(&recording, MARKET_STOCK, "AAPL"), "of the first feed");
}

Test(journal_load, a_bar_is_as_it_was_received_last_by_feed_and_adjustment)
{
	struct bar old = a_bar("iex", "raw", 1.5), new = a_bar("iex", "raw", 1.75);
	struct bar split = a_bar("iex", "split", 0.75), other = a_bar("sip", "raw", 3);

	put(MSG_BAR, &old);
	put(MSG_BAR, &split);
	put(MSG_BAR, &other);
	put(MSG_BAR, &new);
	cr_assert_eq(load(), E_OK, "%s", why);
	expect(series("iex", KIND_BARS, "1Min", ""), 0,
	    "{\"c\":1.75,\"h\":9,\"l\":0.5,\"o\":1,\"t\":\"2024-03-08T20:44:59.5Z\",\"v\":100,"
	    "\"vw\":1.25}");
	cr_expect_eq(series("iex", KIND_BARS, "1Min", "")->count, 1);
	cr_expect_not_null(
	    strstr(series_json(series("iex", KIND_BARS, "1Min", "split"), 0), "0.75"));
	cr_expect_not_null(
	    strstr(series_json(series("sip", KIND_BARS, "1Min", ""), 0), "\"c\":3,"));
}

Test(journal_load, what_cannot_have_come_from_upstream_is_left_out)
{
	struct quote good = a_quote("iex", 1), bad = a_quote("iex", 2);
	struct bar b = a_bar("iex", "raw", INFINITY);

	put(MSG_QUOTE, &good);
	strcpy(bad.symbol, "a\"b");
	put(MSG_QUOTE, &bad);
	bad = a_quote("iex", 3);
	strcpy(bad.tape, "\x01");
	put(MSG_QUOTE, &bad);
	bad = a_quote("iex", 4);
	bad.asset = 77;
	put(MSG_QUOTE, &bad);
	put(MSG_BAR, &b);
	b = a_bar("iex", "raw", 1);
	strcpy(b.timeframe, "never");
	put(MSG_BAR, &b);
	cr_assert_eq(load(), E_OK, "%s", why);
	cr_expect_eq(recording.events, 1);
}

Test(journal_load, a_folder_without_a_journal_is_refused_and_the_folder_itself_will_do)
{
	struct quote q = a_quote("iex", 1);
	char path[128];

	cr_expect_neq(journal_load(&recording, "/nonexistent", why), E_OK);
	cr_expect_not_null(strstr(why, "holds no journal"), "%s", why);
	put(MSG_QUOTE, &q);
	snprintf(path, sizeof(path), "%s/journal/", root);
	cr_assert_eq(journal_load(&recording, path, why), E_OK, "%s", why);
	cr_assert_eq(recording_finish(&recording, why), E_OK);
	cr_expect_eq(recording.events, 1);
}
