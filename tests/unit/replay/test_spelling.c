/* test_spelling.c - symbols, timeframes and numbers as upstream spells them. */
#include <criterion/criterion.h>
#include <string.h>

#include "clock.h"
#include "spelling.h"

Test(spelling, stocks_are_upper_case_letters_with_a_class_behind_a_dot)
{
	cr_expect(symbol_is_well_formed(MARKET_STOCK, "A"));
	cr_expect(symbol_is_well_formed(MARKET_STOCK, "BRK.B"));
	cr_expect(symbol_is_well_formed(MARKET_STOCK, "IFN.RTWI"));
	cr_expect_not(symbol_is_well_formed(MARKET_STOCK, "goog"));
	cr_expect_not(symbol_is_well_formed(MARKET_STOCK, "CSP1"));
	cr_expect_not(symbol_is_well_formed(MARKET_STOCK, ""));
	cr_expect_not(symbol_is_well_formed(MARKET_STOCK, "A."));
	cr_expect_not(symbol_is_well_formed(MARKET_STOCK, ".A"));
	cr_expect_not(symbol_is_well_formed(MARKET_STOCK, "A B"));
}

Test(spelling, crypto_pairs_have_a_slash)
{
	cr_expect(symbol_is_well_formed(MARKET_CRYPTO, "BTC/USD"));
	cr_expect_not(symbol_is_well_formed(MARKET_CRYPTO, "BTCUSD"));
	cr_expect_not(symbol_is_well_formed(MARKET_CRYPTO, "BTC/"));
	cr_expect_not(symbol_is_well_formed(MARKET_CRYPTO, "BTC/USD/X"));
}

Test(spelling, a_contract_says_what_it_is)
{
	struct contract_facts c;

	cr_assert(contract_read("AAPL240216C00190500", &c));
	cr_expect_str_eq(c.root, "AAPL");
	cr_expect_str_eq(c.underlying, "AAPL");
	cr_expect_str_eq(c.expiration, "2024-02-16");
	cr_expect(c.is_call);
	cr_expect_eq(c.strike_thousandths, 190500);
	cr_assert(contract_read("AAPL1240216P00190000", &c), "an adjusted contract");
	cr_expect_str_eq(c.root, "AAPL1");
	cr_expect_str_eq(c.underlying, "AAPL");
	cr_expect_not(c.is_call);
}

Test(spelling, what_is_not_a_contract_is_refused)
{
	struct contract_facts c;

	cr_expect_not(contract_read("AAPL240230C00190000", &c), "no such day");
	cr_expect_not(contract_read("AAPL240216X00190000", &c));
	cr_expect_not(contract_read("AAPL240216C0019000", &c));
	cr_expect_not(contract_read("1AAPL240216C00190000", &c));
	cr_expect_not(contract_read("AAPL", &c));
	cr_expect_not(contract_read("ABCDEFG240216C00190000", &c), "root of seven");
}

Test(spelling, timeframes_are_those_of_the_grammar_in_their_long_form)
{
	char out[TIMEFRAME_TEXT];

	cr_expect(timeframe_read("5T", out));
	cr_expect_str_eq(out, "5Min");
	cr_expect(timeframe_read("1D", out));
	cr_expect_str_eq(out, "1Day");
	cr_expect(timeframe_read("59Min", out));
	cr_expect(timeframe_read("23H", out));
	cr_expect(timeframe_read("4Month", out));
	cr_expect_not(timeframe_read("60Min", out));
	cr_expect_not(timeframe_read("0Min", out));
	cr_expect_not(timeframe_read("24Hour", out));
	cr_expect_not(timeframe_read("2Day", out));
	cr_expect_not(timeframe_read("5Month", out));
	cr_expect_not(timeframe_read("3Fortnight", out));
	cr_expect_not(timeframe_read("05Min", out));
	cr_expect_not(timeframe_read("min", out));
	cr_expect_not(timeframe_read("", out));
}

static int64_t
at(const char *text)
{
	int64_t ns = 0;

	cr_assert_eq(clock_parse(text, &ns), E_OK);
	return ns;
}

Test(spelling, a_bar_has_happened_when_its_interval_is_over)
{
	cr_expect_eq(timeframe_end("5Min", MARKET_STOCK, at("2013-10-07T13:30:00Z")),
	    at("2013-10-07T13:35:00Z"));
	cr_expect_eq(timeframe_end("1Day", MARKET_STOCK, at("2008-10-14T04:00:00Z")),
	    at("2008-10-14T20:00:00Z"));
	cr_expect_eq(timeframe_end("1Day", MARKET_CRYPTO, at("2024-03-07T06:00:00Z")),
	    at("2024-03-08T06:00:00Z"));
	cr_expect_eq(timeframe_end("3Month", MARKET_STOCK, at("2023-11-01T04:00:00Z")),
	    at("2024-02-01T05:00:00Z"));
}

Test(spelling, numbers_keep_their_digits)
{
	char out[NUMBER_TEXT];

	cr_expect(number_read("29.50", NUMBER_PRICE, out));
	cr_expect_str_eq(out, "29.5");
	cr_expect(number_read("100.00", NUMBER_PRICE, out));
	cr_expect_str_eq(out, "100");
	cr_expect(number_read("100", NUMBER_PRICE, out));
	cr_expect_str_eq(out, "100", "zeros of a whole number say something");
	cr_expect(number_read("0.42275702792812153", NUMBER_PRICE, out));
	cr_expect_str_eq(out, "0.42275702792812153", "more digits than a double keeps");
	cr_expect(number_read("-0.250", NUMBER_SIGNED, out));
	cr_expect_str_eq(out, "-0.25");
	cr_expect(number_read("9223372036854775807", NUMBER_WHOLE, out));
}

Test(spelling, what_is_not_a_plain_decimal_is_refused)
{
	static const char *const bad[] = { "", "-", ".", "1.", ".5", "+1", "1e5", "0x10", "01",
		"nan", "1,5", " 1", "1 ", "1.2.3" };
	char out[NUMBER_TEXT];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_not(number_read(bad[i], NUMBER_SIGNED, out), "\"%s\"", bad[i]);
	cr_expect_not(number_read("0", NUMBER_PRICE, out), "a price is above zero");
	cr_expect_not(number_read("0.00", NUMBER_PRICE, out));
	cr_expect_not(number_read("-1", NUMBER_PRICE, out));
	cr_expect_not(number_read("-1", NUMBER_SIZE, out));
	cr_expect_not(number_read("1.5", NUMBER_WHOLE, out));
	cr_expect(number_read("0", NUMBER_WHOLE, out));
}

Test(spelling, ten_thousandths_become_exact_decimals)
{
	char out[NUMBER_TEXT];

	number_of_ten_thousandths(1836300, out);
	cr_expect_str_eq(out, "183.63");
	number_of_ten_thousandths(138000, out);
	cr_expect_str_eq(out, "13.8");
	number_of_ten_thousandths(1810000, out);
	cr_expect_str_eq(out, "181");
	number_of_ten_thousandths(1, out);
	cr_expect_str_eq(out, "0.0001");
	number_of_ten_thousandths(1000000, out);
	cr_expect_str_eq(out, "100");
}
