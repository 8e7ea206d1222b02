/* test_clock.c - RFC 3339 both ways, civil dates, New York. */
#include "clock.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* A small generator of our own: the same numbers in every run. */
static uint64_t
next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *state ^ *state >> 29;
}

Test(clock, formats_as_many_digits_as_are_not_zero)
{
	char text[CLOCK_TEXT];
	int64_t second = INT64_C(1641200400) * CLOCK_SEC;

	cr_expect_eq(clock_format(second, text), strlen("2022-01-03T09:00:00Z"));
	cr_expect_str_eq(text, "2022-01-03T09:00:00Z");
	clock_format(second + 25600000, text);
	cr_expect_str_eq(text, "2022-01-03T09:00:00.0256Z");
	clock_format(second + 1, text);
	cr_expect_str_eq(text, "2022-01-03T09:00:00.000000001Z");
	clock_format_ms(second + 25600000, text);
	cr_expect_str_eq(text, "2022-01-03T09:00:00.025Z");
	clock_format_ms(second, text);
	cr_expect_str_eq(text, "2022-01-03T09:00:00.000Z");
	clock_format(-1, text);
	cr_expect_str_eq(text, "1969-12-31T23:59:59.999999999Z");
	clock_format(0, text);
	cr_expect_str_eq(text, "1970-01-01T00:00:00Z");
}

Test(clock, reads_offsets_and_fractions)
{
	static const struct {
		const char *text;
		int64_t ns;
	} rows[] = { { "1970-01-01T00:00:00Z", 0 }, { "1970-01-01t00:00:00.5z", CLOCK_SEC / 2 },
		{ "1970-01-01T01:00:00+01:00", 0 }, { "1969-12-31T19:00:00-05:00", 0 },
		{ "1970-01-01T05:30:00.000000001+05:30", 1 },
		{ "2024-02-29T23:59:59.123456789Z", INT64_C(1709251199123456789) },
		{ "1970-01-01T00:00:00-00:00", 0 }, { "1969-12-31T23:59:59.9Z", -100000000 } };
	int64_t ns = 7;

	for (size_t i = 0; i < COUNT(rows); i++) {
		cr_expect_eq(clock_parse(rows[i].text, &ns), E_OK, "%s", rows[i].text);
		cr_expect_eq(ns, rows[i].ns, "%s", rows[i].text);
	}
}

Test(clock, refuses_what_is_no_instant)
{
	static const char *const bad[] = { "", "2024", "2024-02-29", "2024-02-29T00:00:00",
		"2023-02-29T00:00:00Z", "2024-13-01T00:00:00Z", "2024-00-01T00:00:00Z",
		"2024-01-32T00:00:00Z", "2024-01-00T00:00:00Z", "2024-01-01T24:00:00Z",
		"2024-01-01T00:60:00Z", "2024-01-01T00:00:61Z", "2024-01-01T00:00:00.Z",
		"2024-01-01T00:00:00.1234567890Z", "2024-01-01T00:00:00+24:00",
		"2024-01-01T00:00:00+0100", "2024-01-01T00:00:00+01:60", "2024-01-01 00:00:00Z",
		"2024-01-01T00:00:00Z ", " 2024-01-01T00:00:00Z", "24-01-01T00:00:00Z",
		"2024-1-1T00:00:00Z", "+2024-01-01T00:00:00Z", "1500-01-01T00:00:00Z",
		"9999-01-01T00:00:00Z", "2024-01-01T0:00:00Z", "2100-02-29T00:00:00Z" };
	int64_t ns = 7;

	for (size_t i = 0; i < COUNT(bad); i++)
		cr_expect_eq(clock_parse(bad[i], &ns), E_INVALID_DATE_RANGE, "%s", bad[i]);
	cr_expect_eq(ns, 7, "untouched on failure");
}

Test(clock, what_is_written_reads_back_to_the_same)
{
	uint64_t state = 1;
	char text[CLOCK_TEXT];
	int64_t ns, back;

	for (int i = 0; i < 300000; i++) {
		ns = (int64_t)(next_random(&state) % UINT64_C(9000000000000000000));
		if (i % 2)
			ns = -ns;
		if (i % 3 == 1)
			ns -= ns % CLOCK_MS;
		if (i % 3 == 2)
			ns -= ns % CLOCK_SEC;
		clock_format(ns, text);
		if (clock_parse(text, &back) != E_OK || back != ns)
			cr_assert_fail("%s", text);
	}
}

Test(clock, days_count_on_from_day_to_day)
{
	int year = 1600, month = 1, day = 1, y, m, d;
	static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int64_t days = clock_days(year, month, day);

	cr_expect_eq(clock_days(1970, 1, 1), 0);
	cr_expect_eq(clock_days(2000, 3, 1), 11017);
	for (; year < 2500; days++) {
		int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

		clock_civil(days, &y, &m, &d);
		if (clock_days(year, month, day) != days || y != year || m != month || d != day)
			cr_assert_fail("%d-%d-%d", year, month, day);
		if (++day > lengths[month - 1] + (month == 2 && leap)) {
			day = 1;
			month++;
		}
		if (month > 12) {
			month = 1;
			year++;
		}
	}
}

Test(clock, a_date_is_a_day_that_exists)
{
	int y = 0, m = 0, d = 0;

	cr_expect_eq(clock_parse_date("2024-02-29", &y, &m, &d), E_OK);
	cr_expect(y == 2024 && m == 2 && d == 29);
	cr_expect_eq(clock_parse_date("2023-02-29", &y, &m, &d), E_INVALID_DATE_RANGE);
	cr_expect_eq(clock_parse_date("2024-02-29T", &y, &m, &d), E_INVALID_DATE_RANGE);
	cr_expect_eq(clock_parse_date("2024-2-9", &y, &m, &d), E_INVALID_DATE_RANGE);
	cr_expect_eq(clock_parse_date("", &y, &m, &d), E_INVALID_DATE_RANGE);
	cr_expect(y == 2024 && m == 2 && d == 29, "untouched on failure");
}

static int
offset_at(const char *text)
{
	int64_t ns = 0;

	cr_assert_eq(clock_parse(text, &ns), E_OK);
	return clock_new_york_offset(ns) / 3600;
}

Test(clock, new_york_changes_at_two_in_the_morning)
{
	cr_expect_eq(offset_at("2024-03-10T06:59:59.999999999Z"), -5);
	cr_expect_eq(offset_at("2024-03-10T07:00:00Z"), -4);
	cr_expect_eq(offset_at("2024-11-03T05:59:59Z"), -4);
	cr_expect_eq(offset_at("2024-11-03T06:00:00Z"), -5);
	cr_expect_eq(offset_at("2026-03-08T07:00:00Z"), -4);
	cr_expect_eq(offset_at("2026-11-01T06:00:00Z"), -5);
	cr_expect_eq(offset_at("2006-04-02T06:59:59Z"), -5);
	cr_expect_eq(offset_at("2006-04-02T07:00:00Z"), -4);
	cr_expect_eq(offset_at("2006-10-29T06:00:00Z"), -5);
	cr_expect_eq(offset_at("2003-12-31T23:59:59Z"), -5);
	cr_expect_eq(offset_at("2004-07-01T00:00:00Z"), -4);
}

/* The C library's own rules, where the zone files are installed. */
Test(clock, new_york_agrees_with_the_zone_files)
{
	struct tm tm;

	if (access("/usr/share/zoneinfo/America/New_York", R_OK) != 0)
		cr_skip_test("no zone files");
	setenv("TZ", "America/New_York", 1);
	tzset();
	for (int64_t t = INT64_C(536457600); t < INT64_C(2145916800); t += 1800) {
		time_t seconds = (time_t)t;

		if (localtime_r(&seconds, &tm) == NULL ||
		    clock_new_york_offset(t * CLOCK_SEC) != tm.tm_gmtoff)
			cr_assert_fail("%ld", (long)t);
	}
}

Test(clock, a_fake_one_stands_still_until_it_is_real_again)
{
	clock_fake(5, 6);
	cr_expect_eq(clock_wall(), 5);
	cr_expect_eq(clock_mono(), 6);
	clock_real();
	cr_expect_gt(clock_wall(), INT64_C(1600000000) * CLOCK_SEC);
	cr_expect_leq(clock_mono(), clock_mono());
}
