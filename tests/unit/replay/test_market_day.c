/* test_market_day.c - the exchange's calendar and the time a recording is told at. */
#include <criterion/criterion.h>

#include "market_day.h"

static int64_t
at(const char *text)
{
	int64_t ns = 0;

	cr_assert_eq(clock_parse(text, &ns), E_OK, "%s", text);
	return ns;
}

static bool
trades_on(int year, int month, int day)
{
	return session_is_trading_day(clock_days(year, month, day));
}

Test(session, holidays_follow_the_exchanges_rules)
{
	static const int shut[][3] = { { 2004, 4, 9 }, { 2008, 3, 21 }, { 2013, 11, 28 },
		{ 2014, 7, 4 }, { 2015, 7, 3 }, { 2019, 4, 19 }, { 2021, 12, 24 }, { 2022, 6, 20 },
		{ 2023, 1, 2 }, { 2024, 1, 15 }, { 2024, 2, 19 }, { 2024, 3, 29 }, { 2024, 5, 27 },
		{ 2024, 6, 19 }, { 2024, 9, 2 }, { 2024, 11, 28 }, { 2024, 12, 25 }, { 2025, 1, 9 },
		{ 2004, 6, 11 }, { 2012, 10, 29 }, { 2024, 3, 9 }, { 2024, 3, 10 } };
	size_t i;

	for (i = 0; i < sizeof(shut) / sizeof(shut[0]); i++)
		cr_expect_not(trades_on(shut[i][0], shut[i][1], shut[i][2]), "%d-%d-%d", shut[i][0],
		    shut[i][1], shut[i][2]);
}

Test(session, ordinary_days_and_near_holidays_trade)
{
	static const int open[][3] = { { 2008, 10, 14 }, { 2021, 12, 31 }, { 2021, 6, 18 },
		{ 2024, 10, 14 }, { 2024, 11, 11 }, { 2013, 10, 7 }, { 2024, 3, 28 },
		{ 2024, 4, 1 } };
	size_t i;

	for (i = 0; i < sizeof(open) / sizeof(open[0]); i++)
		cr_expect(trades_on(open[i][0], open[i][1], open[i][2]), "%d-%d-%d", open[i][0],
		    open[i][1], open[i][2]);
}

Test(session, is_open_from_half_past_nine_until_four)
{
	cr_expect_not(session_is_open(at("2013-10-07T13:29:59.999999999Z")));
	cr_expect(session_is_open(at("2013-10-07T13:30:00Z")));
	cr_expect(session_is_open(at("2013-10-07T19:59:59.999999999Z")));
	cr_expect_not(session_is_open(at("2013-10-07T20:00:00Z")));
	cr_expect(session_is_open(at("2024-03-08T14:30:00Z")), "an hour later in winter");
	cr_expect_not(session_is_open(at("2024-03-08T13:45:00Z")));
	cr_expect_not(session_is_open(at("2024-11-29T18:00:00Z")), "closes at one");
	cr_expect(session_is_open(at("2024-11-29T17:59:59Z")));
}

Test(session, the_next_open_skips_weekends_and_holidays)
{
	cr_expect_eq(session_next_open(at("2024-03-08T20:45:00Z")), at("2024-03-11T13:30:00Z"),
	    "summer time begins in between");
	cr_expect_eq(session_next_open(at("2024-03-28T20:00:00Z")), at("2024-04-01T13:30:00Z"));
	cr_expect_eq(session_next_open(at("2013-10-07T13:30:00Z")), at("2013-10-08T13:30:00Z"),
	    "strictly later");
	cr_expect_eq(session_next_close(at("2013-10-07T13:30:00Z")), at("2013-10-07T20:00:00Z"));
	cr_expect_eq(session_next_close(at("2013-10-07T20:00:00Z")), at("2013-10-08T20:00:00Z"));
}

Test(session, times_carry_new_yorks_offset)
{
	char text[CLOCK_TEXT];

	session_format(at("2020-06-09T02:38:49.042731234Z"), text);
	cr_expect_str_eq(text, "2020-06-08T22:38:49.042731234-04:00");
	session_format(at("2024-01-02T14:30:00Z"), text);
	cr_expect_str_eq(text, "2024-01-02T09:30:00-05:00");
}

Test(session, a_day_is_new_yorks_not_greenwichs)
{
	cr_expect_eq(session_day(at("2013-10-08T03:59:59Z")), clock_days(2013, 10, 7));
	cr_expect_eq(session_day(at("2013-10-08T04:00:00Z")), clock_days(2013, 10, 8));
	cr_expect_eq(session_instant(clock_days(2024, 1, 2), 0), at("2024-01-02T05:00:00Z"));
	cr_expect_eq(session_instant(clock_days(2024, 7, 2), 0), at("2024-07-02T04:00:00Z"));
}

Test(story, moves_at_its_speed_and_stays_at_the_end)
{
	struct story s = { .start = 1000, .end = 5000, .began_mono = 100, .speed = 2 };

	cr_expect_eq(story_now(&s, 100), 1000);
	cr_expect_eq(story_now(&s, 600), 2000);
	cr_expect_eq(story_now(&s, 1000000), 5000);
	s.speed = 0;
	cr_expect_eq(story_now(&s, 1000000), 1000, "stands");
}

Test(story, begins_anew_when_it_loops)
{
	struct story s = { .start = 1000, .end = 5000, .speed = 1, .loops = true };

	cr_expect_eq(story_now(&s, 3999), 4999);
	cr_expect_eq(story_now(&s, 4000), 1000);
	cr_expect_eq(story_now(&s, 4001 + 8000), 1001);
}
