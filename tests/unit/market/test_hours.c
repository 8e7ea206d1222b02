/* test_hours.c - sessions by the clock of New York, and where intervals begin. */
#include <criterion/criterion.h>

#include "clock.h"
#include "hours.h"

static int64_t
at(const char *text)
{
	int64_t ns = 0;

	cr_assert_eq(clock_parse(text, &ns), E_OK, "%s", text);
	return ns;
}

Test(hours, follow_the_wall_clock_over_both_changes_of_time)
{
	/* Friday before and Monday after the clocks go forward, and back. */
	static const char *const opens[] = { "2024-03-08T14:30:00Z", "2024-03-11T13:30:00Z",
		"2024-11-01T13:30:00Z", "2024-11-04T14:30:00Z" };

	for (int i = 0; i < 4; i++) {
		int64_t open = at(opens[i]), close = open + 390 * 60 * CLOCK_SEC;

		cr_expect(hours_contain(HOURS_REGULAR, open));
		cr_expect_not(hours_contain(HOURS_REGULAR, open - 1));
		cr_expect(hours_contain(HOURS_REGULAR, close - 1));
		cr_expect_not(hours_contain(HOURS_REGULAR, close), "the end does not belong to it");
		cr_expect_eq(hours_end(HOURS_REGULAR, open), close);
		cr_expect(hours_contain(HOURS_EXTENDED, open - 330 * 60 * CLOCK_SEC));
		cr_expect_not(hours_contain(HOURS_EXTENDED, open - 330 * 60 * CLOCK_SEC - 1));
		cr_expect_eq(hours_next(HOURS_REGULAR, open - 1), open);
		cr_expect_eq(hours_next(HOURS_REGULAR, open + 1), open + 1);
	}
	cr_expect_eq(hours_next(HOURS_REGULAR, at("2024-03-08T21:00:00Z")), at(opens[1]),
	    "over the week-end");
	cr_expect_eq(hours_next(HOURS_REGULAR, at("2024-11-01T20:00:00Z")), at(opens[3]));
	cr_expect_not(hours_contain(HOURS_EXTENDED, at("2024-03-09T15:00:00Z")), "a Saturday");
	cr_expect(hours_contain(HOURS_ALL, at("2024-03-09T15:00:00Z")));
	cr_expect_eq(hours_end(HOURS_ALL, 5), INT64_MAX);
	cr_expect_eq(hours_next(HOURS_ALL, 5), 5);
}

Test(hours, intervals_begin_where_it_is_known)
{
	cr_expect(timeframe_begins("1Min", ASSET_STOCK, at("2024-03-08T14:31:00Z")));
	cr_expect_not(timeframe_begins("1Min", ASSET_STOCK, at("2024-03-08T14:31:01Z")));
	cr_expect(timeframe_begins("15Min", ASSET_CRYPTO, at("2024-03-08T14:45:00Z")));
	cr_expect_not(timeframe_begins("15Min", ASSET_STOCK, at("2024-03-08T14:50:00Z")));
	cr_expect_not(timeframe_begins("7Min", ASSET_STOCK, 0));
	cr_expect(timeframe_begins("1Hour", ASSET_STOCK, at("2024-03-08T14:00:00Z")));
	cr_expect_not(timeframe_begins("4Hour", ASSET_STOCK, 0));
	cr_expect(timeframe_begins("1Day", ASSET_STOCK, at("2024-03-08T05:00:00Z")));
	cr_expect(timeframe_begins("1Day", ASSET_OPTION, at("2024-03-11T04:00:00Z")));
	cr_expect_not(timeframe_begins("1Day", ASSET_STOCK, at("2024-03-11T05:00:00Z")));
	cr_expect_not(timeframe_begins("1Day", ASSET_CRYPTO, at("2024-03-08T05:00:00Z")));
	cr_expect_not(timeframe_begins("1Week", ASSET_STOCK, at("2024-03-11T04:00:00Z")));
	cr_expect(timeframe_is_intraday("59Min") && timeframe_is_intraday("2Hour"));
	cr_expect_not(timeframe_is_intraday("1Day") || timeframe_is_intraday("3Month"));
}
