/* test_budget.c - the upstream's bucket is never overdrawn, whatever happens to this process. */
#include "budget.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

#define START (INT64_C(500) * CLOCK_SEC)

/* The upstream as it was measured: burst 200, 200 a minute. */
struct bucket {
	double tokens;
	int64_t at;
};

static int
bucket_serves(struct bucket *b, int64_t now)
{
	b->tokens += (double)(now - b->at) / 1e9 * (200.0 / 60);
	if (b->tokens > 200)
		b->tokens = 200;
	b->at = now;
	if (b->tokens < 1 - 1e-9)
		return 0;
	b->tokens -= 1;
	return 1;
}

static void
set_clock(int64_t mono)
{
	clock_fake(INT64_C(1700000000) * CLOCK_SEC + mono, mono);
}

static void
setup(void)
{
	log_open("test", LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	set_clock(START);
}

TestSuite(budget, .init = setup, .fini = clock_real);

Test(budget, gives_the_burst_but_the_reserve_and_then_waits_for_refill)
{
	struct budget b;
	int n = 0;

	budget_init(&b, 200, 10, NULL, 1);
	while (budget_take(&b))
		n++;
	cr_expect_eq(n, 190);
	cr_expect_gt(budget_wait_ns(&b, 1), 299 * CLOCK_MS);
	cr_expect_lt(budget_wait_ns(&b, 1), 301 * CLOCK_MS);
	cr_expect_gt(budget_wait_ns(&b, 5), 1499 * CLOCK_MS);
	set_clock(START + 301 * CLOCK_MS);
	cr_expect(budget_take(&b));
	cr_expect(!budget_take(&b));
}

Test(budget, never_overdraws_the_upstream_over_many_kills)
{
	for (unsigned seed = 1; seed <= 40; seed++) {
		struct budget_mark marks[BUDGET_MARKS] = { 0 };
		struct bucket upstream = { .tokens = 200, .at = START };
		struct budget b;
		int64_t now = START;
		unsigned served = 0;

		srand(seed);
		set_clock(now);
		budget_init(&b, 200, 0, marks, 7);
		for (int step = 0; step < 3000; step++) {
			now += rand() % 40 * CLOCK_MS;
			set_clock(now);
			if (rand() % 50 == 0) /* killed: all that is left is what is in the marks */
				budget_init(&b, 200, 0, marks, 7);
			if (budget_take(&b)) {
				cr_assert(bucket_serves(&upstream, now),
				    "seed %u step %d drew a 429", seed, step);
				served++;
			}
		}
		cr_expect_gt(served, 350u, "and the budget is used: %u", served);
	}
}

Test(budget, a_half_written_mark_counts_as_the_one_before)
{
	struct budget_mark marks[BUDGET_MARKS] = { 0 };
	struct budget b, again;

	budget_init(&b, 200, 0, marks, 7);
	for (int i = 0; i < 100; i++)
		cr_assert(budget_take(&b));
	marks[b.sequence % BUDGET_MARKS].tokens += 50; /* its check does not fit any more */
	budget_init(&again, 200, 0, marks, 7);
	cr_expect_float_eq(budget_left(&again), 101, 1e-6);
}

Test(budget, unreadable_marks_mean_an_empty_bucket)
{
	struct budget_mark marks[BUDGET_MARKS];
	struct budget b;

	memset(marks, 0x5a, sizeof(marks));
	budget_init(&b, 200, 0, marks, 7);
	cr_expect(!budget_take(&b));
}

Test(budget, another_boot_counts_by_the_wall_clock_and_never_backwards)
{
	struct budget_mark marks[BUDGET_MARKS] = { 0 };
	struct budget b;

	budget_init(&b, 200, 0, marks, 7);
	while (budget_take(&b))
		;
	clock_fake(
	    clock_wall() + 3 * CLOCK_SEC, 1 * CLOCK_SEC); /* the monotonic clock began anew */
	budget_init(&b, 200, 0, marks, 8);
	cr_expect_float_eq(budget_left(&b), 10, 0.01);
	clock_fake(clock_wall() - 3600 * CLOCK_SEC, 1 * CLOCK_SEC);
	budget_init(&b, 200, 0, marks, 9);
	cr_expect_float_eq(budget_left(&b), 10, 0.01);
}

Test(budget, headers_lower_and_never_raise)
{
	struct budget b;

	budget_init(&b, 200, 0, NULL, 1);
	budget_hear(&b, 200, 120);
	cr_expect_float_eq(budget_left(&b), 120, 1e-6);
	budget_hear(&b, 200, 199);
	cr_expect_float_eq(budget_left(&b), 120, 1e-6);
	budget_hear(&b, 10000, -1);
	cr_expect_float_eq(b.limit.burst, 200, 1e-6);
	budget_hear(&b, 60, -1);
	cr_expect_float_eq(b.limit.burst, 60, 1e-6);
	cr_expect_float_eq(budget_left(&b), 60, 1e-6);
	cr_expect_float_eq(b.limit.per_second, 1, 1e-6);
}

Test(budget, a_limit_below_the_reserve_slows_it_down_and_never_stops_it)
{
	struct budget b;

	budget_init(&b, 200, 10, NULL, 1);
	budget_hear(&b, 10, -1);
	budget_hear(&b, 1, -1);
	cr_expect(budget_take(&b));
	cr_expect(!budget_take(&b));
	cr_expect_leq(budget_wait_ns(&b, 1), 60 * CLOCK_SEC + 1);
	set_clock(START + 60 * CLOCK_SEC + 1);
	cr_expect(budget_take(&b));
	budget_hear(&b, 200, -1);
	cr_expect_float_eq(b.limit.burst, 200, 1e-6);
	set_clock(START + 180 * CLOCK_SEC);
	cr_expect_float_eq(budget_left(&b), 200, 1e-6);
}

Test(budget, headers_that_make_no_sense_are_ignored)
{
	static const int64_t senseless[] = { 0, -1, -7, INT64_MIN, INT64_MAX, 1000001 };
	struct budget b;

	budget_init(&b, 200, 10, NULL, 1);
	budget_hear(&b, 60, -1);
	for (size_t i = 0; i < sizeof(senseless) / sizeof(senseless[0]); i++) {
		budget_hear(&b, senseless[i], -7);
		cr_expect_float_eq(b.limit.burst, 60, 1e-6);
		cr_expect_float_eq(budget_left(&b), 60, 1e-6);
	}
}

Test(budget, refusals_close_it_for_longer_each_time_and_survive_a_kill)
{
	struct budget_mark marks[BUDGET_MARKS] = { 0 };
	struct budget b;
	int64_t first, second;

	budget_init(&b, 200, 0, marks, 7);
	budget_refused(&b, 0);
	first = b.limit.closed_until_ns - START;
	budget_refused(&b, 0);
	second = b.limit.closed_until_ns - START;
	cr_expect_gt(second, first);
	budget_refused(&b, 20 * CLOCK_SEC);
	cr_expect_eq(b.limit.closed_until_ns, START + 20 * CLOCK_SEC);
	set_clock(START + 5 * CLOCK_SEC);
	budget_init(&b, 200, 0, marks, 7);
	cr_expect(!budget_take(&b));
	set_clock(START + 21 * CLOCK_SEC);
	cr_expect(budget_take(&b));
}

Test(budget, a_library_that_sends_twice_is_charged_twice)
{
	struct budget b;

	budget_init(&b, 200, 0, NULL, 1);
	cr_assert(budget_take(&b));
	budget_charge(&b, 1);
	cr_expect_float_eq(budget_left(&b), 198, 1e-6);
}

Test(budget, the_level_lives_in_a_file)
{
	char path[] = "/tmp/opitios-budget-XXXXXX";
	struct budget_mark *marks;
	struct budget b;
	struct stat st;

	cr_assert_neq(close(mkstemp(path)), -1);
	cr_assert_not_null(marks = budget_file_open(path, 2));
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_gt(st.st_blocks, 0, "a hole would be a SIGBUS once the disk is full");
	budget_init(&b, 200, 0, marks + BUDGET_MARKS, 7);
	for (int i = 0; i < 150; i++)
		cr_assert(budget_take(&b));
	budget_file_close(&marks, 2);
	cr_assert_null(marks);
	cr_assert_not_null(marks = budget_file_open(path, 2));
	budget_init(&b, 200, 0, marks + BUDGET_MARKS, 7);
	cr_expect_float_eq(budget_left(&b), 50, 1e-6);
	budget_file_close(&marks, 2);
	unlink(path);
}

Test(budget, a_path_that_is_no_file_is_done_without)
{
	cr_expect_null(budget_file_open("/tmp", 2));
	cr_expect_null(budget_file_open("/dev/null", 2));
}
