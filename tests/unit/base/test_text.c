/* test_text.c - bounded text and numbers with units. */
#include "text.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

Test(text, copying_always_ends_and_says_when_it_cut)
{
	char to[4];

	cr_expect_eq(text_copy(to, sizeof(to), "abc"), E_OK);
	cr_expect_str_eq(to, "abc");
	cr_expect_eq(text_copy(to, sizeof(to), "abcd"), E_LIMIT);
	cr_expect_str_eq(to, "abc");
	cr_expect_eq(text_copy(to, sizeof(to), ""), E_OK);
	cr_expect_str_eq(to, "");
	cr_expect_eq(text_copy_n(to, sizeof(to), "abcdef", 2), E_OK);
	cr_expect_str_eq(to, "ab");
	cr_expect_eq(text_copy_n(to, 1, "x", 1), E_LIMIT);
	cr_expect_str_eq(to, "");
}

Test(text, comparing_and_changing_case_is_for_ascii)
{
	char text[] = "aZ09.\xc3\xa4";

	text_upper(text);
	cr_expect_str_eq(text, "AZ09.\xc3\xa4");
	cr_expect(text_equal_nocase("Content-Type", "content-TYPE"));
	cr_expect(!text_equal_nocase("a", "ab"));
	cr_expect(text_starts("abc", "ab") && text_starts("abc", ""));
	cr_expect(!text_starts("a", "ab"));
	cr_expect(text_is_printable(" ~", 2));
	cr_expect(!text_is_printable("\x1f", 1) && !text_is_printable("\x7f", 1));
	cr_expect(!text_is_printable("\xc3\xa4", 2));
}

Test(text, whole_numbers_are_whole_or_nothing)
{
	static const char *const bad[] = { "", " 1", "1 ", "+1", "1.0", "0x1", "1e3", "--1",
		"18446744073709551616", "abc", "1a" };
	uint64_t u = 7;
	int64_t i = 7;

	cr_expect_eq(text_to_u64("18446744073709551615", &u), E_OK);
	cr_expect_eq(u, UINT64_MAX);
	cr_expect_eq(text_to_i64("-9223372036854775808", &i), E_OK);
	cr_expect_eq(i, INT64_MIN);
	cr_expect_eq(text_to_i64("9223372036854775808", &i), E_INVALID_PARAMETER);
	u = 7;
	i = 7;
	cr_expect_eq(text_to_u64("-1", &u), E_INVALID_PARAMETER);
	cr_expect_eq(text_to_i64("-", &i), E_INVALID_PARAMETER);
	for (size_t n = 0; n < COUNT(bad); n++) {
		cr_expect_eq(text_to_u64(bad[n], &u), E_INVALID_PARAMETER, "%s", bad[n]);
		cr_expect_eq(text_to_i64(bad[n], &i), E_INVALID_PARAMETER, "%s", bad[n]);
	}
	cr_expect(u == 7 && i == 7, "untouched on failure");
}

Test(text, decimals_are_finite_and_plain)
{
	static const char *const bad[] = { "", "+1", " 1", "1 ", "inf", "nan", "0x1p3", "1e999",
		"-", ".", "1,5", "1_0", "e5", "1e" };
	double v = 7;

	cr_expect_eq(text_to_f64("-12.5e-1", &v), E_OK);
	cr_expect_eq(v, -1.25);
	v = 7;
	for (size_t n = 0; n < COUNT(bad); n++)
		cr_expect_eq(text_to_f64(bad[n], &v), E_INVALID_PARAMETER, "%s", bad[n]);
	cr_expect_eq(v, 7);
}

Test(text, switches_have_four_spellings)
{
	int v;

	cr_expect(text_to_bool("TRUE", &v) == E_OK && v == 1);
	cr_expect(text_to_bool("yes", &v) == E_OK && v == 1);
	cr_expect(text_to_bool("On", &v) == E_OK && v == 1);
	cr_expect(text_to_bool("1", &v) == E_OK && v == 1);
	cr_expect(text_to_bool("false", &v) == E_OK && v == 0);
	cr_expect(text_to_bool("off", &v) == E_OK && v == 0);
	cr_expect_eq(text_to_bool("", &v), E_INVALID_PARAMETER);
	cr_expect_eq(text_to_bool("2", &v), E_INVALID_PARAMETER);
}

Test(text, durations_have_units_and_are_seconds_without)
{
	static const char *const bad[] = { "", "s", "5x", "5 s", "-5s", "1.5ms", "1..5s", "1e3s",
		"99999999999999999h", "5ss" };
	int64_t v = 0;

	cr_expect(text_to_msec("5", &v) == E_OK && v == 5000);
	cr_expect(text_to_msec("100ms", &v) == E_OK && v == 100);
	cr_expect(text_to_msec("2m", &v) == E_OK && v == 120000);
	cr_expect(text_to_msec("1h", &v) == E_OK && v == 3600000);
	cr_expect(text_to_msec("0", &v) == E_OK && v == 0);
	for (size_t n = 0; n < COUNT(bad); n++)
		cr_expect_eq(text_to_msec(bad[n], &v), E_INVALID_PARAMETER, "%s", bad[n]);
}

Test(text, every_duration_in_seconds_with_three_digits_is_exact)
{
	char text[32];
	int64_t v = -1;

	for (int ms = 0; ms < 100000; ms++) {
		snprintf(text, sizeof(text), "%d.%03ds", ms / 1000, ms % 1000);
		if (text_to_msec(text, &v) != E_OK || v != ms)
			cr_assert_fail("%s", text);
	}
}

Test(text, sizes_have_binary_units)
{
	uint64_t v = 0;

	cr_expect(text_to_bytes("64k", &v) == E_OK && v == 65536);
	cr_expect(text_to_bytes("1.5M", &v) == E_OK && v == 1572864);
	cr_expect(text_to_bytes("4G", &v) == E_OK && v == UINT64_C(4) << 30);
	cr_expect(text_to_bytes("10", &v) == E_OK && v == 10);
	cr_expect_eq(text_to_bytes("1.0001k", &v), E_INVALID_PARAMETER, "no whole bytes");
	cr_expect_eq(text_to_bytes("-1", &v), E_INVALID_PARAMETER);
	cr_expect_eq(text_to_bytes("9999999999T", &v), E_INVALID_PARAMETER);
}

static void
unescapes(const char *in, int plus, const char *expected)
{
	char text[64];

	strcpy(text, in);
	cr_expect_eq(text_unescape(text, plus), E_OK, "%s", in);
	cr_expect_str_eq(text, expected);
}

Test(text, escapes_become_bytes_and_broken_ones_are_refused)
{
	static const char *const bad[] = { "%", "%4", "%zz", "a%00", "%2", "%%41", "%4 1" };
	char text[64];

	unescapes("BTC%2FUSD", 0, "BTC/USD");
	unescapes("%c3%A4+b", 0, "\xc3\xa4+b");
	unescapes("a+b%2Bc", 1, "a b+c");
	unescapes("", 1, "");
	for (size_t n = 0; n < COUNT(bad); n++) {
		strcpy(text, bad[n]);
		cr_expect_eq(text_unescape(text, 0), E_INVALID_PARAMETER, "%s", bad[n]);
	}
}

Test(text, a_list_is_split_part_by_part)
{
	char list[] = "a,,b,";
	char *rest = list;

	cr_expect_str_eq(text_split(&rest, ','), "a");
	cr_expect_str_eq(text_split(&rest, ','), "");
	cr_expect_str_eq(text_split(&rest, ','), "b");
	cr_expect_str_eq(text_split(&rest, ','), "");
	cr_expect_null(text_split(&rest, ','));
	cr_expect_null(text_split(&rest, ','));
}

Test(text, utf8_characters_are_measured_and_others_refused)
{
	static const char *const bad[] = { "\x80", "\xc3", "\xc3(", "\xc0\xaf", "\xe0\x80\xaf",
		"\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xe2\x82", "\xff",
		"\xf0\x80\x80\x80" };

	cr_expect_eq(text_utf8_len("a"), 1);
	cr_expect_eq(text_utf8_len("\xc3\xa4x"), 2);
	cr_expect_eq(text_utf8_len("\xe2\x82\xac"), 3);
	cr_expect_eq(text_utf8_len("\xf0\x9f\x90\x8d"), 4);
	cr_expect_eq(text_utf8_len("\xf4\x8f\xbf\xbf"), 4);
	cr_expect_eq(text_utf8_len(""), 0);
	for (size_t n = 0; n < COUNT(bad); n++)
		cr_expect_eq(text_utf8_len(bad[n]), 0, "%zu", n);
}
