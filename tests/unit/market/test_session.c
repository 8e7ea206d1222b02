/* test_session.c - how long a clock can be believed. */
#include <criterion/criterion.h>

#include "session.h"

#define SEC INT64_C(1000000000)

/* A recording's clock: its time is not ours. */
static const struct market_clock open_clock = { .timestamp = 100000 * SEC,
	.received = 5000000 * SEC,
	.is_open = true,
	.next_open = 180000 * SEC,
	.next_close = 100060 * SEC };

Test(session, is_what_the_clock_said_until_the_change_it_announced)
{
	cr_expect_eq(session_of(&open_clock, 0 * SEC), SESSION_OPEN);
	cr_expect_eq(session_of(&open_clock, 59 * SEC), SESSION_OPEN);
	cr_expect_eq(session_of(&open_clock, 60 * SEC), SESSION_UNKNOWN);
}

Test(session, is_unknown_without_a_clock_or_with_one_too_old)
{
	struct market_clock c = open_clock;

	c.next_close = 200000 * SEC;
	cr_expect_eq(session_of(&c, SESSION_CLOCK_AGE_NS), SESSION_OPEN);
	cr_expect_eq(session_of(&c, SESSION_CLOCK_AGE_NS + 1), SESSION_UNKNOWN);
	c.received = 0;
	cr_expect_eq(session_of(&c, 1), SESSION_UNKNOWN);
}

Test(session, closed_lasts_until_the_next_open)
{
	struct market_clock c = open_clock;

	c.is_open = false;
	c.next_open = 100010 * SEC;
	cr_expect_eq(session_of(&c, 9 * SEC), SESSION_CLOSED);
	cr_expect_eq(session_of(&c, 10 * SEC), SESSION_UNKNOWN);
	c.next_open = 0;
	cr_expect_eq(session_of(&c, 0 * SEC), SESSION_UNKNOWN, "a clock that announces nothing");
}

Test(session, has_names)
{
	cr_expect_str_eq(session_name(SESSION_OPEN), "open");
	cr_expect_str_eq(session_name(SESSION_CLOSED), "closed");
	cr_expect_str_eq(session_name(SESSION_UNKNOWN), "unknown");
}
