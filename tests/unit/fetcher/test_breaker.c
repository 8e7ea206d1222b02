/* test_breaker.c - opens after failures in a row, tries with one call, doubles its patience. */
#include "budget.h"

#include <criterion/criterion.h>

#include "clock.h"
#include "err.h"

#define MS CLOCK_MS

static void
fail(struct breaker *b, int times, int64_t now)
{
	for (int i = 0; i < times; i++)
		breaker_ended(b, b->state == BREAKER_PROBING, E_UPSTREAM_TIMEOUT, now);
}

Test(breaker, opens_after_so_many_failures_in_a_row)
{
	struct breaker b;

	breaker_init(&b, 3, 2000);
	fail(&b, 2, 0);
	cr_expect_eq(breaker_wait_ns(&b, 0), 0);
	breaker_ended(&b, false, E_OK, 0);
	fail(&b, 2, 0);
	cr_expect_eq(breaker_wait_ns(&b, 0), 0, "a success in between starts the count again");
	cr_expect(breaker_ended(&b, false, E_UPSTREAM_TIMEOUT, 0), "the change is told");
	cr_expect_eq(b.state, BREAKER_OPEN);
	cr_expect_eq(breaker_wait_ns(&b, 500 * MS), 1500 * MS);
}

Test(breaker, lets_one_call_probe_and_closes_when_it_succeeds)
{
	struct breaker b;

	breaker_init(&b, 1, 2000);
	fail(&b, 1, 0);
	cr_expect_eq(breaker_wait_ns(&b, 2000 * MS), 0);
	cr_expect(breaker_started(&b, 2000 * MS), "it is the probe");
	cr_expect_eq(b.state, BREAKER_PROBING);
	cr_expect_gt(breaker_wait_ns(&b, 2000 * MS), 0, "only one at a time");
	cr_expect(breaker_ended(&b, true, E_OK, 2100 * MS));
	cr_expect_eq(b.state, BREAKER_CLOSED);
	cr_expect_eq(breaker_wait_ns(&b, 2100 * MS), 0);
}

Test(breaker, a_failed_probe_doubles_the_time_up_to_thirty_seconds)
{
	struct breaker b;
	int64_t now = 0, wait = 2000 * MS;

	breaker_init(&b, 1, 2000);
	fail(&b, 1, now);
	for (int i = 0; i < 8; i++) {
		cr_expect_eq(breaker_wait_ns(&b, now), wait);
		now += wait;
		breaker_started(&b, now);
		breaker_ended(&b, true, E_UPSTREAM_TIMEOUT, now);
		wait = wait * 2 < 30000 * MS ? wait * 2 : 30000 * MS;
	}
	cr_expect_eq(breaker_wait_ns(&b, now), 30000 * MS);
	now += 30000 * MS;
	breaker_started(&b, now);
	breaker_ended(&b, true, E_OK, now);
	fail(&b, 1, now);
	cr_expect_eq(breaker_wait_ns(&b, now), 2000 * MS, "after a success it starts over");
}

Test(breaker, failures_of_calls_that_left_before_it_opened_change_nothing)
{
	struct breaker b;

	breaker_init(&b, 2, 2000);
	fail(&b, 2, 0);
	fail(&b, 5, 1000 * MS);
	cr_expect_eq(breaker_wait_ns(&b, 1000 * MS), 1000 * MS);
}

Test(breaker, only_the_probe_decides_while_it_is_under_way)
{
	struct breaker b;

	breaker_init(&b, 1, 2000);
	fail(&b, 1, 0);
	cr_expect(!breaker_ended(&b, false, E_OK, 1000 * MS), "it left before");
	cr_expect_eq(b.state, BREAKER_OPEN);
	cr_expect(breaker_started(&b, 2000 * MS));
	cr_expect(!breaker_started(&b, 2000 * MS));
	cr_expect(!breaker_ended(&b, false, E_OK, 2050 * MS));
	cr_expect(!breaker_ended(&b, false, E_UPSTREAM_TIMEOUT, 2060 * MS));
	cr_expect_eq(b.state, BREAKER_PROBING);
	cr_expect(breaker_ended(&b, true, E_OK, 2100 * MS));
	cr_expect_eq(b.state, BREAKER_CLOSED);
}

Test(breaker, remembers_that_it_was_a_bad_key)
{
	struct breaker b;

	breaker_init(&b, 1, 2000);
	breaker_ended(&b, false, E_UPSTREAM_AUTHENTICATION_FAILED, 0);
	cr_expect_eq(breaker_error(&b), E_UPSTREAM_AUTHENTICATION_FAILED);
	breaker_started(&b, 2000 * MS);
	breaker_ended(&b, true, E_UPSTREAM_TIMEOUT, 2000 * MS);
	cr_expect_eq(breaker_error(&b), E_UPSTREAM_SERVICE_ERROR);
}

Test(breaker, is_told_as_open_while_somebody_asks_and_not_for_ever_after)
{
	struct breaker b;

	breaker_init(&b, 1, 2000);
	breaker_asked(&b, 1000 * MS);
	cr_expect_eq(breaker_shown_until(&b), 0, "a closed one is not");
	breaker_ended(&b, false, E_UPSTREAM_TIMEOUT, 1000 * MS);
	cr_expect_eq(breaker_shown_until(&b), 91000 * MS);
	breaker_asked(&b, 50000 * MS);
	breaker_started(&b, 50000 * MS);
	cr_expect_eq(breaker_shown_until(&b), 140000 * MS, "also while one call tries");
	breaker_ended(&b, true, E_OK, 50100 * MS);
	cr_expect_eq(breaker_shown_until(&b), 0);
	breaker_init(&b, 1, 600000);
	breaker_ended(&b, false, E_UPSTREAM_TIMEOUT, 0);
	cr_expect_eq(breaker_shown_until(&b), 600000 * MS, "and while it refuses");
}
