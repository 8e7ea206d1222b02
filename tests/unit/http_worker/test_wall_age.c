/* test_wall_age.c - ages by a wall clock that is set back, set forward, and not the writer's. */
#include <criterion/criterion.h>

#include "clock.h"
#include "lookup.h"

#define NOW (INT64_C(1700000000) * CLOCK_SEC)

static struct wall_guard guard;

Test(wall_age, counts_from_receipt)
{
	clock_fake(NOW, 50 * CLOCK_SEC);
	cr_expect_eq(wall_age_ns(&guard, NOW - 3 * CLOCK_SEC), 3 * CLOCK_SEC);
	cr_expect_eq(wall_age_ns(&guard, NOW), 0);
	cr_expect_eq(wall_age_ns(&guard, NOW + CLOCK_SEC), 0, "as far as machines differ");
	cr_expect_eq(wall_age_ns(&guard, NOW + CLOCK_SEC + 1), -1, "the future has no age");
	cr_expect_eq(wall_age_ns(&guard, INT64_MAX), -1);
}

Test(wall_age, a_clock_set_back_makes_nothing_younger)
{
	clock_fake(NOW, 50 * CLOCK_SEC);
	cr_expect_eq(wall_age_ns(&guard, NOW - CLOCK_SEC), CLOCK_SEC);
	/* Two seconds later somebody sets it back by ten minutes. */
	clock_fake(NOW - 598 * CLOCK_SEC, 52 * CLOCK_SEC);
	cr_expect_eq(
	    wall_age_ns(&guard, NOW - 600 * CLOCK_SEC), 602 * CLOCK_SEC, "not two seconds");
	cr_expect_eq(
	    wall_age_ns(&guard, NOW), -1, "what was received before the step is of the future");
	/* An hour later the clock is believed. */
	clock_fake(NOW - 598 * CLOCK_SEC + 3601 * CLOCK_SEC, 3653 * CLOCK_SEC);
	cr_expect_eq(wall_age_ns(&guard, NOW - 598 * CLOCK_SEC + 3600 * CLOCK_SEC), CLOCK_SEC);
}

Test(wall_age, a_clock_set_forward_makes_everything_older)
{
	clock_fake(NOW, 50 * CLOCK_SEC);
	cr_expect_eq(wall_age_ns(&guard, NOW), 0);
	clock_fake(NOW + 60 * CLOCK_SEC, 51 * CLOCK_SEC);
	cr_expect_eq(wall_age_ns(&guard, NOW), 60 * CLOCK_SEC);
}
