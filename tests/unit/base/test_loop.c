/* test_loop.c - timers, freeing after the turn, work at its end. */
#include "loop.h"

#include <criterion/criterion.h>
#include <unistd.h>

#include "clock.h"

static struct loop *loop;
static int fired, freed, ended;

static void
set_up(void)
{
	loop = loop_new();
	fired = freed = ended = 0;
}

static void
tear_down(void)
{
	loop_free(&loop);
	cr_expect_null(loop);
}

TestSuite(loop, .init = set_up, .fini = tear_down);

static void
on_fire(void *arg)
{
	(void)arg;
	fired++;
	loop_stop(loop);
}

static void
on_free(void *arg)
{
	(*(int *)arg)++;
}

static void
on_end(void *arg)
{
	(void)arg;
	ended++;
}

Test(loop, a_timer_fires_once_and_not_early)
{
	struct loop_timer t;
	int64_t begun = clock_mono();

	loop_timer_open(loop, &t, on_fire, NULL);
	loop_timer_set(&t, 20);
	cr_expect(loop_timer_is_set(&t));
	loop_run(loop);
	cr_expect_eq(fired, 1);
	cr_expect_geq(clock_mono() - begun, 19 * CLOCK_MS);
	cr_expect(!loop_timer_is_set(&t));
	loop_turn(loop, 1);
	cr_expect_eq(fired, 1);
	loop_timer_close(&t);
	loop_timer_close(&t);
	cr_expect(!loop_timer_is_set(&t));
}

Test(loop, a_timer_is_moved_and_cleared)
{
	struct loop_timer t;

	loop_timer_open(loop, &t, on_fire, NULL);
	loop_timer_set(&t, 60000);
	loop_timer_set(&t, 1);
	loop_run(loop);
	cr_expect_eq(fired, 1);
	loop_timer_set(&t, 1);
	loop_timer_clear(&t);
	loop_turn(loop, 10);
	cr_expect_eq(fired, 1);
	loop_timer_set(&t, -5);
	loop_run(loop);
	cr_expect_eq(fired, 2, "a time that has passed is now");
	loop_timer_close(&t);
}

static void
on_fire_free_later(void *arg)
{
	loop_free_later(loop, on_free, &freed);
	cr_expect_eq(freed, 0, "not inside the callback");
	on_fire(arg);
}

Test(loop, objects_are_freed_when_the_turn_is_over)
{
	struct loop_timer t;

	loop_timer_open(loop, &t, on_fire_free_later, NULL);
	loop_timer_set(&t, 0);
	loop_run(loop);
	cr_expect_eq(freed, 1);
	loop_timer_close(&t);
}

static void
on_free_add_end(void *arg)
{
	(void)arg;
	freed++;
	loop_at_end(loop, on_end, NULL);
}

static void
on_end_add_free(void *arg)
{
	(void)arg;
	ended++;
	loop_free_later(loop, on_free, &freed);
}

Test(loop, work_added_while_the_turn_ends_is_done_before_it_waits)
{
	loop_at_end(loop, on_end_add_free, NULL);
	loop_free_later(loop, on_free_add_end, NULL);
	loop_turn(loop, 0);
	cr_expect_eq(ended, 2);
	cr_expect_eq(freed, 2);
}

Test(loop, many_calls_are_all_made)
{
	for (int i = 0; i < 1000; i++)
		loop_free_later(loop, on_free, &freed);
	loop_turn(loop, 0);
	cr_expect_eq(freed, 1000);
}

Test(loop, freeing_it_runs_what_is_left)
{
	struct loop *other = loop_new();

	loop_free_later(other, on_free, &freed);
	loop_free(&other);
	cr_expect_eq(freed, 1);
	loop_free(&other);
}

Test(loop, a_turn_waits_no_longer_than_told)
{
	int64_t begun = clock_mono();

	loop_turn(loop, 10);
	cr_expect_geq(clock_mono() - begun, 9 * CLOCK_MS);
	cr_expect_geq(loop_mono(loop), begun);
}
