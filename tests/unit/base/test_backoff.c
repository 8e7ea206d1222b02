/* test_backoff.c - growing delays. */
#include "backoff.h"

#include <criterion/criterion.h>

Test(backoff, grows_to_the_ceiling_and_starts_over)
{
	struct backoff b = { .floor_ms = 100, .ceiling_ms = 350 };

	cr_expect_eq(backoff_next_ms(&b), 100);
	cr_expect_eq(backoff_next_ms(&b), 200);
	cr_expect_eq(backoff_next_ms(&b), 350, "must not pass the ceiling");
	cr_expect_eq(backoff_next_ms(&b), 350);
	backoff_reset(&b);
	cr_expect_eq(backoff_next_ms(&b), 100);
}

Test(backoff, any_number_of_failures_is_answered_at_once)
{
	struct backoff b = { .floor_ms = 0, .ceiling_ms = 1000, .failures = UINT32_MAX };
	struct backoff c = { .floor_ms = UINT32_MAX, .ceiling_ms = UINT32_MAX };

	cr_expect_eq(backoff_next_ms(&b), 0);
	cr_expect_eq(b.failures, UINT32_MAX, "and does not wrap");
	cr_expect_eq(backoff_next_ms(&c), UINT32_MAX);
	cr_expect_eq(backoff_next_ms(&c), UINT32_MAX);
}

Test(backoff, jitter_stays_within_its_part_and_below_the_ceiling)
{
	int below = 0, above = 0;

	for (int i = 0; i < 1000; i++) {
		struct backoff b = { .floor_ms = 1000, .ceiling_ms = 5000 };
		struct backoff top = { .floor_ms = 1000, .ceiling_ms = 1000 };
		uint32_t ms = backoff_next_jittered_ms(&b, 20);

		cr_assert(ms >= 800 && ms <= 1200, "%u", ms);
		below += ms < 1000;
		above += ms > 1000;
		cr_assert_leq(backoff_next_jittered_ms(&top, 20), 1000);
	}
	cr_expect(below > 300 && above > 300, "%d below, %d above", below, above);
}

Test(backoff, more_jitter_than_all_is_all)
{
	for (int i = 0; i < 1000; i++) {
		struct backoff b = { .floor_ms = 100, .ceiling_ms = 1000 };

		cr_assert_leq(backoff_next_jittered_ms(&b, 300), 200);
	}
}
