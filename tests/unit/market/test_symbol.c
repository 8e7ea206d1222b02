/* test_symbol.c - how symbols and timeframes are spelled. */
#include "symbol.h"

#include <criterion/criterion.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void
accepts(int (*parse)(const char *, char *), const char *in, const char *expected)
{
	char out[SYMBOL_MAX] = "";

	cr_expect_eq(parse(in, out), E_OK, "%s", in);
	cr_expect_str_eq(out, expected, "%s became %s", in, out);
}

static void
refuses(int (*parse)(const char *, char *), const char *in, int code)
{
	char out[SYMBOL_MAX] = "before";

	cr_expect_eq(parse(in, out), code, "\"%s\"", in);
	cr_expect_str_eq(out, "before", "a refused symbol leaves nothing behind");
}

Test(symbol, stocks_are_one_to_five_letters_with_an_optional_class)
{
	static const char *const good[][2] = { { "AAPL", "AAPL" }, { "f", "F" },
		{ "brk.b", "BRK.B" }, { "GOOGL", "GOOGL" }, { "BAC.PRB", "BAC.PRB" },
		{ "ifn.rtwi", "IFN.RTWI" } };
	static const char *const bad[] = { "", " ", "AAPLXX", "AAPL ", " AAPL", "A1", "1A", "BRK.",
		".B", "BRK.B.C", "BRK.ABCDE", "BRK-B", "BRK/B", "AAPL\n", "\xc3\x84", "../etc",
		"AAPL%00", "AAPL240216C00190000", "A*",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" };

	for (size_t i = 0; i < COUNT(good); i++)
		accepts(symbol_stock, good[i][0], good[i][1]);
	for (size_t i = 0; i < COUNT(bad); i++)
		refuses(symbol_stock, bad[i], E_INVALID_SYMBOL_FORMAT);
}

Test(symbol, crypto_pairs_are_two_names_with_dash_or_slash)
{
	static const char *const good[][2] = { { "BTC-USD", "BTC/USD" }, { "btc/usd", "BTC/USD" },
		{ "1INCH-USDT", "1INCH/USDT" }, { "ETH/BTC", "ETH/BTC" } };
	static const char *const bad[] = { "", "BTCUSD", "BTC", "-USD", "BTC-", "BTC--USD",
		"BTC-USD-X", "BTC-USD/", "1-2", "BTC_USD", "BTC USD", "ABCDEFGHIJK-USD", "BTC-U$D",
		"BTC%2FUSD" };

	for (size_t i = 0; i < COUNT(good); i++)
		accepts(symbol_crypto, good[i][0], good[i][1]);
	for (size_t i = 0; i < COUNT(bad); i++)
		refuses(symbol_crypto, bad[i], E_INVALID_SYMBOL_FORMAT);
}

Test(symbol, options_are_occ_names_of_a_day_that_exists)
{
	static const char *const good[][2] = { { "AAPL240216C00190000", "AAPL240216C00190000" },
		{ "f240216p00012500", "F240216P00012500" },
		{ "SPXW240229P05000000", "SPXW240229P05000000" },
		{ "AAPL1240216C00190000", "AAPL1240216C00190000" },
		{ "ABCDEF991231C99999999", "ABCDEF991231C99999999" } };
	static const char *const bad[] = { "", "AAPL", "240216C00190000", "AAPL240230C00190000",
		"AAPL230229C00190000", "AAPL241301C00190000", "AAPL240016C00190000",
		"AAPL240216X00190000", "AAPL240216C0019000", "AAPL240216C001900000",
		"AAPL240216C0019000A", "1AAPL240216C00190000", "ABCDEFG240216C00190000",
		"AAPL  240216C00190000", "AAPL240216C-0190000", "AAPL24021 C00190000",
		"BRK.B240216C00190000" };

	for (size_t i = 0; i < COUNT(good); i++)
		accepts(symbol_option, good[i][0], good[i][1]);
	for (size_t i = 0; i < COUNT(bad); i++)
		refuses(symbol_option, bad[i], E_INVALID_SYMBOL_FORMAT);
}

Test(symbol, a_contract_says_what_it_is_of)
{
	struct contract c;

	cr_assert_eq(symbol_contract("AAPL240216C00190000", &c), E_OK);
	cr_expect_str_eq(c.underlying, "AAPL");
	cr_expect_str_eq(c.expiration, "2024-02-16");
	cr_expect_eq(c.is_call, 1);
	cr_expect_eq(c.strike, 190.0);
	cr_assert_eq(symbol_contract("F240216P00012505", &c), E_OK);
	cr_expect_str_eq(c.underlying, "F");
	cr_expect_eq(c.is_call, 0);
	cr_expect_eq(c.strike, 12.505, "the same double as the literal");
	cr_assert_eq(symbol_contract("AAPL1240216P00000001", &c), E_OK);
	cr_expect_str_eq(c.underlying, "AAPL", "the digit marks an adjusted contract");
	cr_expect_eq(c.strike, 0.001);
	cr_expect_eq(symbol_contract("nonsense", &c), E_INVALID_SYMBOL_FORMAT);
	cr_expect_str_eq(c.underlying, "AAPL", "untouched on failure");
}

static int
timeframe(const char *in, char *out)
{
	return timeframe_parse(in, out);
}

Test(timeframe, short_spellings_become_the_long_ones)
{
	static const char *const good[][2] = { { "1Min", "1Min" }, { "59Min", "59Min" },
		{ "5T", "5Min" }, { "23H", "23Hour" }, { "1Hour", "1Hour" }, { "1D", "1Day" },
		{ "1Week", "1Week" }, { "1W", "1Week" }, { "4Month", "4Month" },
		{ "12M", "12Month" } };
	static const char *const bad[] = { "", "Min", "0Min", "60Min", "24Hour", "2Day", "2Week",
		"5Month", "7M", "13Month", "1min", "1d", "01Min", "1 Min", "-1Min", "1Minute",
		"3Fortnight", "1.5Hour", "100Min", "5", "1Day ",
		"1MinMinMinMinMinMinMinMinMinMin" };

	for (size_t i = 0; i < COUNT(good); i++)
		accepts(timeframe, good[i][0], good[i][1]);
	for (size_t i = 0; i < COUNT(bad); i++)
		refuses(timeframe, bad[i], E_INVALID_PARAMETER);
}
