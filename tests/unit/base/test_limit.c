/* test_limit.c - the token bucket. */
#include "limit.h"

#include <criterion/criterion.h>

#include "clock.h"

Test(limit, a_burst_is_given_and_then_the_rate)
{
	struct limit l;
	int taken = 0;

	limit_init(&l, 5, 2, 0);
	while (limit_take(&l, 0, 0))
		taken++;
	cr_expect_eq(taken, 5);
	cr_expect_eq(limit_take(&l, 0, CLOCK_SEC / 2 - 1), 0);
	cr_expect_eq(limit_take(&l, 0, CLOCK_SEC / 2), 1);
	cr_expect_eq(limit_take(&l, 0, CLOCK_SEC / 2), 0);
}

Test(limit, no_window_ever_gives_more_than_burst_and_rate)
{
	struct limit l;
	int64_t now = 0;
	int taken = 0;
	uint64_t state = 7;

	limit_init(&l, 200, 200 / 60.0, 0);
	for (int i = 0; i < 1000000; i++) {
		state = state * UINT64_C(6364136223846793005) + 1;
		now += (int64_t)(state >> 40);
		taken += limit_take(&l, 0, now);
		if (taken > 200 + (double)now / 1e9 * (200 / 60.0) + 1e-6)
			cr_assert_fail("%d after %lld ns", taken, (long long)now);
	}
	cr_expect_gt(taken, 200);
}

Test(limit, waiting_as_long_as_told_is_enough)
{
	struct limit l;
	int64_t now = 0;

	limit_init(&l, 10, 3.3333, 0);
	for (int i = 0; i < 10000; i++) {
		now += limit_wait_ns(&l, 0, now);
		cr_assert_eq(limit_take(&l, 0, now), 1, "%d", i);
	}
}

Test(limit, the_reserve_is_left_untouched)
{
	struct limit l;
	int taken = 0;

	limit_init(&l, 10, 1, 0);
	while (limit_take(&l, 4, 0))
		taken++;
	cr_expect_eq(taken, 6);
	cr_expect_eq(limit_take(&l, 0, 0), 1, "others may have it");
	cr_expect_gt(limit_wait_ns(&l, 4, 0), CLOCK_SEC);
}

Test(limit, being_told_of_less_lowers_and_never_raises)
{
	struct limit l;

	limit_init(&l, 10, 1, 0);
	limit_lower(&l, 3, 0);
	cr_expect_eq(limit_left(&l, 0), 3);
	limit_lower(&l, 8, 0);
	cr_expect_eq(limit_left(&l, 0), 3);
	cr_expect_eq(limit_left(&l, 100 * CLOCK_SEC), 10, "it refills to the burst");
}

Test(limit, a_closed_bucket_gives_nothing_until_it_opens)
{
	struct limit l;

	limit_init(&l, 10, 1, 0);
	limit_close(&l, 5 * CLOCK_SEC, 0);
	limit_close(&l, 1 * CLOCK_SEC, 0);
	cr_expect_eq(limit_take(&l, 0, 5 * CLOCK_SEC - 1), 0);
	cr_expect_eq(limit_wait_ns(&l, 0, 4 * CLOCK_SEC), CLOCK_SEC);
	cr_expect_eq(limit_take(&l, 0, 5 * CLOCK_SEC), 1);
}

Test(limit, time_that_steps_back_gives_nothing)
{
	struct limit l;

	limit_init(&l, 1, 1, 10 * CLOCK_SEC);
	cr_expect_eq(limit_take(&l, 0, 10 * CLOCK_SEC), 1);
	cr_expect_eq(limit_take(&l, 0, 5 * CLOCK_SEC), 0);
	cr_expect_eq(limit_take(&l, 0, 10 * CLOCK_SEC), 0);
}
