/* test_decode.c - bodies into records: every documented variety is read, every broken one refused. */
#include "decode.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"

#define T "2021-10-12T00:00:00.002071Z"

struct reading {
	struct body *body;
	struct decode d;
	struct records records;
	int result;
	const char *why;
};

static struct reading
read_body(enum asset asset, enum shape shape, const char *symbol, const char *text)
{
	struct reading r = { .d = { .asset = asset,
				 .shape = shape,
				 .source = SOURCE_LATEST,
				 .received = 1,
				 .feed = "iex",
				 .timeframe = "1Day",
				 .adjustment = "raw" },
		.why = "" };

	r.result = body_parse((const uint8_t *)text, strlen(text), &r.body, &r.why);
	if (r.result == E_OK)
		r.result = body_symbol(r.body, &r.d, symbol, &r.records);
	return r;
}

static void
read_done(struct reading *r)
{
	body_free(&r->body);
	records_fini(&r->records);
}

Test(decode, a_stock_quote_is_taken_whole)
{
	struct reading r = read_body(ASSET_STOCK, SHAPE_QUOTES, "F",
	    "{\"quotes\":{\"F\":{\"t\":\"" T
	    "\",\"ax\":\"P\",\"ap\":15.07,\"as\":3,\"bx\":\"Q\",\"bp\":15,"
	    "\"bs\":4,\"c\":[\"R\",\" \"],\"z\":\"A\",\"new\":{\"x\":[1]}}}}");
	const struct quote *q;
	const char *at = NULL, *code;
	size_t len;

	cr_assert_eq(r.result, E_OK, "%s", r.d.why);
	cr_assert_eq(r.records.count, 1);
	q = &r.records.at[0].v.quote;
	cr_expect_eq(r.records.at[0].type, MSG_QUOTE);
	cr_expect_str_eq(q->symbol, "F");
	cr_expect_str_eq(q->feed, "iex");
	cr_expect_str_eq(q->tape, "A");
	cr_expect_str_eq(q->ask_exchange, "P");
	cr_expect_eq(q->ask_price, 15.07);
	cr_expect_eq(q->ask_size, 3);
	cr_expect_eq(q->bid_price, 15);
	cr_expect_eq(q->bid_size, 4);
	cr_expect_eq(q->event % CLOCK_SEC, 2071000);
	cr_assert(list_next(q->conditions, &at, &code, &len));
	cr_expect_eq(*code, 'R');
	cr_assert(list_next(q->conditions, &at, &code, &len));
	cr_expect_eq(*code, ' ');
	cr_expect_eq(len, 1);
	cr_expect(!list_next(q->conditions, &at, &code, &len));
	read_done(&r);
}

Test(decode, what_was_not_sent_is_null_not_zero)
{
	struct reading r = read_body(ASSET_CRYPTO, SHAPE_QUOTES, "BTC/USD",
	    "{\"quotes\":{\"BTC/"
	    "USD\":{\"t\":\"2022-02-25T12:56:22Z\",\"ap\":39463.42,\"bp\":null}}}");
	const struct quote *q;

	cr_assert_eq(r.result, E_OK, "%s", r.d.why);
	q = &r.records.at[0].v.quote;
	cr_expect(isnan(q->bid_price));
	cr_expect(isnan(q->bid_size));
	cr_expect(isnan(q->ask_size));
	cr_expect_str_eq(q->ask_exchange, "");
	cr_expect_str_eq(q->tape, "");
	cr_expect(list_is_null(q->conditions));
	read_done(&r);
}

Test(decode, price_zero_is_no_such_side)
{
	struct reading r = read_body(ASSET_STOCK, SHAPE_QUOTES, "F",
	    "{\"quotes\":{\"F\":{\"t\":\"" T
	    "\",\"ax\":\" \",\"ap\":0,\"as\":0,\"bx\":\"Q\",\"bp\":15.5,\"bs\":4}}}");
	const struct quote *q;

	cr_assert_eq(r.result, E_OK, "%s", r.d.why);
	q = &r.records.at[0].v.quote;
	cr_expect(isnan(q->ask_price));
	cr_expect(isnan(q->ask_size));
	cr_expect_str_eq(q->ask_exchange, "");
	cr_expect_eq(q->bid_price, 15.5);
	read_done(&r);
}

Test(decode, ids_beyond_int64_are_exact)
{
	static const struct {
		const char *text;
		uint64_t id;
	} cases[] = {
		{ "0", 0 },
		{ "3447222699101865076", UINT64_C(3447222699101865076) },
		{ "9223372036854775807", UINT64_C(9223372036854775807) },
		{ "9223372036854775808", UINT64_C(9223372036854775808) },
		{ "18446744073709551615", UINT64_MAX },
	};
	char text[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct reading r;

		snprintf(text, sizeof(text),
		    "{\"trades\":{\"A\":{\"t\":\"" T "\",\"p\":1.5,\"s\":2,\"i\":%s}}}",
		    cases[i].text);
		r = read_body(ASSET_STOCK, SHAPE_TRADES, "A", text);
		cr_assert_eq(r.result, E_OK, "%s: %s", cases[i].text, r.d.why);
		cr_expect(r.records.at[0].v.trade.has_id);
		cr_expect_eq(r.records.at[0].v.trade.trade_id, cases[i].id);
		read_done(&r);
	}
}

Test(decode, options_have_one_text_as_condition)
{
	struct reading r = read_body(ASSET_OPTION, SHAPE_TRADES, "AAPL240426C00152500",
	    "{\"trades\":{\"AAPL240426C00152500\":{\"c\":\"a\",\"p\":15.87,\"s\":1,\"t\":\"" T
	    "\",\"x\":\"I\"}}}");
	const char *at = NULL, *code;
	size_t len;

	cr_assert_eq(r.result, E_OK, "%s", r.d.why);
	cr_assert(list_next(r.records.at[0].v.trade.conditions, &at, &code, &len));
	cr_expect_eq(*code, 'a');
	cr_expect(!r.records.at[0].v.trade.has_id);
	read_done(&r);
}

Test(decode, a_snapshot_is_its_record_and_its_parts)
{
	struct reading r = read_body(ASSET_STOCK, SHAPE_SNAPSHOTS_BARE, "AAPL",
	    "{\"AAPL\":{\"latestTrade\":{\"t\":\"" T
	    "\",\"p\":133.4201,\"s\":145},\"latestQuote\":null,"
	    "\"prevDailyBar\":{\"t\":\"" T
	    "\",\"o\":1,\"h\":2,\"l\":0.5,\"c\":1.5,\"v\":109506363,\"n\":3,\"vw\":1.2}},"
	    "\"MSFT\":{}}");

	cr_assert_eq(r.result, E_OK, "%s", r.d.why);
	cr_assert_eq(r.records.count, 3);
	cr_expect_eq(r.records.at[0].type, MSG_SNAPSHOT);
	cr_expect_eq(r.records.at[0].v.snapshot.parts, HAS_TRADE | HAS_PREVIOUS);
	cr_expect_eq(r.records.at[1].v.trade.price, 133.4201);
	cr_expect_eq(r.records.at[2].v.bar.part, BAR_PREVIOUS);
	cr_expect_str_eq(r.records.at[2].v.bar.timeframe, "1Day");
	cr_expect_eq(r.records.at[2].v.bar.volume, 109506363);
	cr_expect_eq(body_symbol(r.body, &r.d, "MSFT", &r.records), E_ABSENT,
	    "no part at all is no snapshot");
	cr_expect_eq(r.records.count, 3);
	read_done(&r);
}

Test(decode, greeks_may_be_negative_and_alone)
{
	struct reading r = read_body(ASSET_OPTION, SHAPE_SNAPSHOTS, "AAPL240426C00152500",
	    "{\"snapshots\":{\"AAPL240426C00152500\":{\"greeks\":{\"delta\":-0.25,\"theta\":-1e-7},"
	    "\"impliedVolatility\":0.3372}},\"next_page_token\":null}");

	cr_assert_eq(r.result, E_OK, "%s", r.d.why);
	cr_assert_eq(r.records.count, 2);
	cr_expect_eq(r.records.at[0].v.snapshot.parts, HAS_GREEKS);
	cr_expect_eq(r.records.at[1].v.greeks.delta, -0.25);
	cr_expect_eq(r.records.at[1].v.greeks.theta, -1e-7);
	cr_expect(isnan(r.records.at[1].v.greeks.vega));
	cr_expect_eq(r.records.at[1].v.greeks.implied_volatility, 0.3372);
	read_done(&r);
}

Test(decode, a_crypto_bar_without_trades_keeps_its_zeros)
{
	struct reading r = read_body(ASSET_CRYPTO, SHAPE_BARS, "BTC/USD",
	    "{\"bars\":{\"BTC/USD\":[{\"t\":\"" T
	    "\",\"o\":1,\"h\":1,\"l\":1,\"c\":1,\"v\":0,\"n\":0,\"vw\":0}]},"
	    "\"next_page_token\":null}");

	cr_assert_eq(r.result, E_OK, "%s", r.d.why);
	cr_expect_eq(r.records.at[0].v.bar.volume, 0);
	cr_expect_eq(r.records.at[0].v.bar.vwap, 0);
	read_done(&r);
}

struct absent_case {
	char text[160];
	enum shape shape;
};

ParameterizedTestParameters(decode, nothing_for_this_symbol_is_absent)
{
	static struct absent_case cases[] = {
		{ "{\"bars\":{},\"next_page_token\":null}", SHAPE_BARS },
		{ "{\"bars\":null,\"next_page_token\":null}", SHAPE_BARS },
		{ "{\"bars\":{\"A\":null}}", SHAPE_BARS },
		{ "{\"bars\":{\"A\":[]}}", SHAPE_BARS },
		{ "{\"bars\":{\"B\":[{}]}}", SHAPE_BARS },
		{ "{\"quotes\":{}}", SHAPE_QUOTES },
		{ "{\"quotes\":{\"A\":null}}", SHAPE_QUOTES },
		{ "{\"trades\":null}", SHAPE_TRADES },
		{ "{}", SHAPE_SNAPSHOTS_BARE },
		{ "{\"A\":null}", SHAPE_SNAPSHOTS_BARE },
		{ "{\"A\":{\"latestTrade\":null}}", SHAPE_SNAPSHOTS_BARE },
		{ "{\"snapshots\":{},\"next_page_token\":null}", SHAPE_SNAPSHOTS },
	};

	return cr_make_param_array(struct absent_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct absent_case *c, decode, nothing_for_this_symbol_is_absent)
{
	struct reading r = read_body(ASSET_STOCK, c->shape, "A", c->text);

	cr_expect_eq(r.result, E_ABSENT, "%s: %d %s", c->text, r.result, r.d.why);
	cr_expect_eq(r.records.count, 0);
	read_done(&r);
}

struct broken_case {
	char text[200];
	enum shape shape;
};

ParameterizedTestParameters(decode, what_breaks_the_schema_is_refused)
{
	static struct broken_case cases[] = {
		{ "", SHAPE_QUOTES },
		{ "null", SHAPE_QUOTES },
		{ "<html>401</html>", SHAPE_QUOTES },
		{ "{\"quotes\":{\"A\":{", SHAPE_QUOTES },
		{ "{}", SHAPE_QUOTES },
		{ "[]", SHAPE_QUOTES },
		{ "{\"quotes\":7}", SHAPE_QUOTES },
		{ "{\"quotes\":[]}", SHAPE_QUOTES },
		{ "{\"quotes\":{\"A\":7}}", SHAPE_QUOTES },
		{ "{\"quotes\":{\"A\":{\"bp\":1}}}", SHAPE_QUOTES },
		{ "{\"quotes\":{\"A\":{\"t\":null,\"bp\":1}}}", SHAPE_QUOTES },
		{ "{\"quotes\":{\"A\":{\"t\":\"yesterday\",\"bp\":1}}}", SHAPE_QUOTES },
		{ "{\"quotes\":{\"A\":{\"t\":1634000000,\"bp\":1}}}", SHAPE_QUOTES },
		{ "{\"quotes\":{\"A\":{\"t\":\"" T "\",\"bp\":\"1.5\"}}}", SHAPE_QUOTES },
		{ "{\"quotes\":{\"A\":{\"t\":\"" T "\",\"bp\":true}}}", SHAPE_QUOTES },
		{ "{\"quotes\":{\"A\":{\"t\":\"" T "\",\"bp\":-1}}}", SHAPE_QUOTES },
		{ "{\"quotes\":{\"A\":{\"t\":\"" T "\",\"bp\":1,\"bs\":-2}}}", SHAPE_QUOTES },
		{ "{\"quotes\":{\"A\":{\"t\":\"" T "\",\"bp\":1e999}}}", SHAPE_QUOTES },
		{ "{\"quotes\":{\"A\":{\"t\":\"" T "\",\"bp\":1e-400}}}", SHAPE_QUOTES },
		{ "{\"quotes\":{\"A\":{\"t\":\"" T "\",\"bp\":NaN}}}", SHAPE_QUOTES },
		{ "{\"quotes\":{\"A\":{\"t\":\"" T "\",\"bp\":0.1234567890123456789}}}",
		    SHAPE_QUOTES },
		{ "{\"quotes\":{\"A\":{\"t\":\"" T "\",\"bp\":9007199254740993}}}", SHAPE_QUOTES },
		{ "{\"quotes\":{\"A\":{\"t\":\"" T "\",\"bp\":0,\"bs\":5,\"bx\":\"Q\"}}}",
		    SHAPE_QUOTES },
		{ "{\"quotes\":{\"A\":{\"t\":\"" T "\",\"bp\":1,\"bp\":2}}}", SHAPE_QUOTES },
		{ "{\"quotes\":{\"A\":{\"t\":\"" T "\",\"bp\":1,\"bx\":7}}}", SHAPE_QUOTES },
		{ "{\"quotes\":{\"A\":{\"t\":\"" T "\",\"bp\":1,\"bx\":\"LONGEXCHANGE\"}}}",
		    SHAPE_QUOTES },
		{ "{\"quotes\":{\"A\":{\"t\":\"" T "\",\"bp\":1,\"c\":[1]}}}", SHAPE_QUOTES },
		{ "{\"quotes\":{\"A\":{\"t\":\"" T "\",\"bp\":1,\"c\":{\"R\":1}}}}", SHAPE_QUOTES },
		{ "{\"trades\":{\"A\":{\"t\":\"" T "\",\"s\":1}}}", SHAPE_TRADES },
		{ "{\"trades\":{\"A\":{\"t\":\"" T "\",\"p\":0,\"s\":1}}}", SHAPE_TRADES },
		{ "{\"trades\":{\"A\":{\"t\":\"" T "\",\"p\":1,\"s\":1,\"i\":-4}}}", SHAPE_TRADES },
		{ "{\"trades\":{\"A\":{\"t\":\"" T "\",\"p\":1,\"s\":1,\"i\":\"12\"}}}",
		    SHAPE_TRADES },
		{ "{\"trades\":{\"A\":{\"t\":\"" T
		  "\",\"p\":1,\"s\":1,\"i\":18446744073709551616}}}",
		    SHAPE_TRADES },
		{ "{\"trades\":{\"A\":{\"t\":\"" T "\",\"p\":1,\"s\":1,\"i\":1.5}}}",
		    SHAPE_TRADES },
		{ "{\"bars\":{\"A\":{\"t\":\"" T "\"}}}", SHAPE_BARS },
		{ "{\"bars\":{\"A\":[{\"t\":\"" T "\",\"o\":1,\"h\":1,\"l\":2,\"c\":1}]}}",
		    SHAPE_BARS },
		{ "{\"bars\":{\"A\":[{\"t\":\"" T "\",\"o\":1,\"h\":2,\"l\":1}]}}", SHAPE_BARS },
		{ "{\"A\":{\"latestTrade\":{\"t\":\"" T "\",\"p\":\"x\"}}}", SHAPE_SNAPSHOTS_BARE },
		{ "{\"A\":[1]}", SHAPE_SNAPSHOTS_BARE },
	};

	return cr_make_param_array(struct broken_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct broken_case *c, decode, what_breaks_the_schema_is_refused)
{
	struct reading r = read_body(ASSET_STOCK, c->shape, "A", c->text);

	cr_expect_eq(r.result, E_DATA_VALIDATION_ERROR, "%s: %d", c->text, r.result);
	cr_expect_eq(r.records.count, 0);
	cr_expect(r.why[0] != '\0' || r.d.why[0] != '\0', "and it says why");
	read_done(&r);
}

Test(decode, one_broken_record_leaves_the_others_alone)
{
	struct reading r = read_body(ASSET_STOCK, SHAPE_QUOTES, "BAD",
	    "{\"quotes\":{\"BAD\":{\"t\":\"" T "\",\"ap\":1e999},\"GOOD\":{\"t\":\"" T
	    "\",\"ap\":2.5}}}");

	cr_expect_eq(r.result, E_DATA_VALIDATION_ERROR);
	cr_expect_eq(body_symbol(r.body, &r.d, "GOOD", &r.records), E_OK);
	cr_expect_eq(r.records.at[0].v.quote.ask_price, 2.5);
	read_done(&r);
}

Test(decode, a_chain_leaves_broken_contracts_out_and_counts_them)
{
	static const char text[] =
	    "{\"next_page_token\":\"dG9r\",\"snapshots\":{"
	    "\"AAPL240426C00152500\":{\"latestTrade\":{\"p\":15.87,\"s\":1,\"t\":\"" T "\"}},"
	    "\"AAPL240426P00152500\":{\"latestTrade\":{\"p\":\"x\",\"s\":1,\"t\":\"" T "\"}},"
	    "\"not a contract\":{\"latestTrade\":{\"p\":1,\"s\":1,\"t\":\"" T "\"}}}}";
	struct reading r = read_body(ASSET_OPTION, SHAPE_SNAPSHOTS, "AAPL", text);
	size_t contracts = 0, refused = 0;
	char token[DECODE_TOKEN];

	cr_assert_eq(body_chain(r.body, &r.d, &r.records, &contracts, &refused), E_OK);
	cr_expect_eq(contracts, 1);
	cr_expect_eq(refused, 2);
	cr_expect_eq(r.records.count, 2);
	cr_expect_eq(body_token(r.body, &r.d, token), E_OK);
	cr_expect_str_eq(token, "dG9r");
	read_done(&r);
}

Test(decode, rows_that_step_back_in_time_are_refused)
{
	static const char bar[] =
	    "{\"bars\":{\"A\":[{\"t\":\"2021-10-13T04:00:00Z\",\"o\":1,\"h\":2,\"l\":1,\"c\":2},"
	    "{\"t\":\"2021-10-12T04:00:00Z\",\"o\":1,\"h\":2,\"l\":1,\"c\":2}]}}";
	struct reading r = read_body(ASSET_STOCK, SHAPE_BARS, "A", bar);

	cr_expect_eq(r.result, E_DATA_VALIDATION_ERROR);
	r.d.descending = true;
	cr_expect_eq(
	    body_symbol(r.body, &r.d, "A", &r.records), E_OK, "newest first it is in order");
	cr_expect_eq(r.records.count, 2);
	read_done(&r);
}

Test(decode, a_contract_without_parts_is_in_the_chain)
{
	struct reading r = read_body(ASSET_OPTION, SHAPE_SNAPSHOTS, "AAPL",
	    "{\"next_page_token\":null,\"snapshots\":{\"AAPL240426C00152500\":{},"
	    "\"AAPL240426P00152500\":null}}");
	size_t contracts = 0, refused = 7;

	cr_assert_eq(body_chain(r.body, &r.d, &r.records, &contracts, &refused), E_OK);
	cr_expect_eq(contracts, 2);
	cr_expect_eq(refused, 0);
	cr_assert_eq(r.records.count, 2);
	cr_expect_eq(r.records.at[0].type, MSG_SNAPSHOT);
	cr_expect_eq(r.records.at[0].v.snapshot.parts, 0);
	cr_expect_str_eq(r.records.at[0].v.snapshot.symbol, "AAPL240426C00152500");
	cr_expect_str_eq(r.records.at[0].v.snapshot.feed, "iex");
	read_done(&r);
}

#define BAR(day, close)                                                                            \
	"{\"t\":\"2021-10-" day "T04:00:00Z\",\"o\":1,\"h\":2,\"l\":1,\"c\":" close "}"

Test(decode, two_rows_of_one_instant_are_refused)
{
	struct reading r = read_body(ASSET_STOCK, SHAPE_BARS, "A",
	    "{\"bars\":{\"A\":[" BAR("12", "2") "," BAR("12", "2") "]}}");

	cr_expect_eq(r.result, E_DATA_VALIDATION_ERROR);
	cr_expect_eq(r.records.count, 0);
	r.d.descending = true;
	cr_expect_eq(body_symbol(r.body, &r.d, "A", &r.records), E_DATA_VALIDATION_ERROR);
	read_done(&r);
}

Test(decode, a_row_repeated_where_a_page_begins_is_taken_once)
{
	static const char same[] = "{\"bars\":{\"A\":[" BAR("12", "2") "," BAR("13", "1") "]}}";
	static const char other[] = "{\"bars\":{\"A\":[" BAR("13", "2") "]}}";
	struct reading r =
	    read_body(ASSET_STOCK, SHAPE_BARS, "A", "{\"bars\":{\"A\":[" BAR("12", "2") "]}}");
	struct body *next = NULL;
	const char *why;

	cr_assert_eq(r.result, E_OK);
	r.d.received = 2;
	cr_assert_eq(body_parse((const uint8_t *)same, sizeof(same) - 1, &next, &why), E_OK);
	cr_expect_eq(body_symbol(next, &r.d, "A", &r.records), E_OK, "%s", r.d.why);
	cr_expect_eq(r.records.count, 2);
	body_free(&next);
	cr_assert_eq(body_parse((const uint8_t *)other, sizeof(other) - 1, &next, &why), E_OK);
	cr_expect_eq(body_symbol(next, &r.d, "A", &r.records), E_DATA_VALIDATION_ERROR);
	cr_expect_eq(r.records.count, 2);
	body_free(&next);
	read_done(&r);
}

Test(decode, rows_outside_of_the_asked_range_are_refused)
{
	struct reading r = read_body(ASSET_STOCK, SHAPE_BARS, "A",
	    "{\"bars\":{\"A\":[" BAR("12", "2") "," BAR("13", "2") "]}}");
	int64_t first = r.records.at[0].v.bar.event, last = r.records.at[1].v.bar.event;

	cr_assert_eq(r.result, E_OK);
	records_cut(&r.records, 0);
	r.d.last_event = 0;
	r.d.end = last - 1;
	cr_expect_eq(body_symbol(r.body, &r.d, "A", &r.records), E_DATA_VALIDATION_ERROR);
	r.d.end = last;
	r.d.start = first + CLOCK_DAY;
	cr_expect_eq(body_symbol(r.body, &r.d, "A", &r.records), E_DATA_VALIDATION_ERROR);
	r.d.start = first + CLOCK_SEC;
	cr_expect_eq(body_symbol(r.body, &r.d, "A", &r.records), E_OK,
	    "the range begins within the first bar");
	read_done(&r);
}

Test(decode, the_clock_is_read_with_its_offset)
{
	static const char text[] =
	    "{\"timestamp\":\"2020-06-08T22:38:49.042731234-04:00\",\"is_open\":false,"
	    "\"next_open\":\"2020-06-09T09:30:00-04:00\",\"next_close\":\"2020-06-09T16:00:00-04:"
	    "00\"}";
	struct reading r = read_body(ASSET_STOCK, SHAPE_CLOCK, "", text);
	const struct market_clock *c;

	cr_assert_eq(body_clock(r.body, &r.d, &r.records), E_OK, "%s", r.d.why);
	c = &r.records.at[0].v.clock;
	cr_expect_eq(c->timestamp % CLOCK_SEC, 42731234);
	cr_expect_eq(c->next_close - c->next_open, 23400 * CLOCK_SEC);
	cr_expect(!c->is_open);
	read_done(&r);
}

Test(decode, nesting_and_members_are_bounded_before_anything_is_built)
{
	struct body *b = NULL;
	const char *why = "";
	static char deep[5001], wide[2 * DECODE_VALUES_MAX + 8];

	memset(deep, '[', sizeof(deep) - 1);
	cr_expect_eq(body_parse((const uint8_t *)deep, 5000, &b, &why), E_DATA_VALIDATION_ERROR);
	cr_expect_str_eq(why, "the body is nested too deeply");
	wide[0] = '[';
	for (size_t i = 1; i + 1 < sizeof(wide) - 2; i += 2)
		memcpy(wide + i, "1,", 2);
	cr_expect_eq(
	    body_parse((const uint8_t *)wide, sizeof(wide) - 2, &b, &why), E_DATA_VALIDATION_ERROR);
	cr_expect_str_eq(why, "the body has too many members");
	cr_expect_null(b);
}

Test(decode, brackets_and_numbers_inside_of_texts_are_left_alone)
{
	static const char text[] =
	    "{\"message\":\"[[[[[[[[[[[[[[[[[[[[ 18446744073709551616 \\\" ]\",\"code\":42210000}";
	struct body *b = NULL;
	const char *why = "";
	char message[64];
	int64_t code;

	cr_assert_eq(body_parse((const uint8_t *)text, strlen(text), &b, &why), E_OK, "%s", why);
	body_message(b, message, sizeof(message), &code);
	cr_expect_str_eq(message, "[[[[[[[[[[[[[[[[[[[[ 18446744073709551616 \" ]");
	cr_expect_eq(code, 42210000);
	body_free(&b);
}

Test(decode, numbers_are_the_same_when_they_are_the_same_decimal)
{
	static const struct {
		const char *a, *b;
		int same;
	} cases[] = {
		{ "1", "1.0", 1 },
		{ "100", "1e2", 1 },
		{ "1.50e1", "15", 1 },
		{ "0.00100", "1e-3", 1 },
		{ "0", "0.000", 1 },
		{ "-1", "1", 0 },
		{ "1.1", "1.10000000000000001", 0 },
		{ "10", "1", 0 },
		{ "0.1", "0.01", 0 },
		{ "123456789", "123456788", 0 },
		{ "1E+2", "100", 1 },
		{ "x", "x", 0 },
		{ "01", "1", 0 },
		{ "1.", "1", 0 },
		{ ".5", "0.5", 0 },
		{ "1e", "1", 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(decode_same_number(
				 cases[i].a, strlen(cases[i].a), cases[i].b, strlen(cases[i].b)),
		    cases[i].same, "%s and %s", cases[i].a, cases[i].b);
}

Test(decode, a_page_token_is_a_text_or_nothing)
{
	static const struct {
		const char *text;
		int result;
		const char *token;
	} cases[] = {
		{ "{\"next_page_token\":null}", E_OK, "" },
		{ "{}", E_OK, "" },
		{ "{\"next_page_token\":\"QUFQTHxNfDE=\"}", E_OK, "QUFQTHxNfDE=" },
		{ "{\"next_page_token\":7}", E_DATA_VALIDATION_ERROR, "" },
		{ "{\"next_page_token\":\"a\\nb\"}", E_DATA_VALIDATION_ERROR, "" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char token[DECODE_TOKEN] = "";
		struct decode d = { .shape = SHAPE_BARS };
		struct body *b = NULL;
		const char *why;

		cr_assert_eq(
		    body_parse((const uint8_t *)cases[i].text, strlen(cases[i].text), &b, &why),
		    E_OK);
		cr_expect_eq(body_token(b, &d, token), cases[i].result, "%s", cases[i].text);
		cr_expect_str_eq(token, cases[i].token);
		body_free(&b);
	}
}
