/* test_strategy.c - the real master over test workers: who falls with whom, and when a slot has failed. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "build_config.h"
#include "clock.h"
#include "label.h"
#include "stage.h"

static struct stage st;

static void
setup(void)
{
	stage_open(&st);
}

static void
teardown(void)
{
	stage_close(&st);
}

TestSuite(strategy, .init = setup, .fini = teardown, .timeout = 120);

/* In the order in which they start. */
static const char *const slots[] = { "fetcher-rest", "cache-writer", "http-0", "http-1" };
#define SLOTS 4

enum kind { ONE_FOR_ONE, REST_FOR_ONE, ONE_FOR_ALL };
static const char *const kinds[] = { "one_for_one", "rest_for_one", "one_for_all" };
static const char *const roles[] = { "fetcher", "cache_writer", "http" };

/* What a worker dies of: killed, by a fault, asked to end. */
#ifdef WITH_SANITIZERS /* which have a report of their own for the other one */
static const int signals[] = { SIGKILL, SIGABRT, SIGTERM };
#else
static const int signals[] = { SIGKILL, SIGSEGV, SIGTERM };
#endif

static bool
falls(enum kind kind, int dead, int other)
{
	return other != dead && (kind == ONE_FOR_ALL || (kind == REST_FOR_ONE && other > dead));
}

static bool
all_are_ready(void)
{
	int i;

	for (i = 0; i < SLOTS; i++)
		if (!stage_is_ready(&st, slots[i]))
			return false;
	return true;
}

static void
check_fall(enum kind kind, int dead, const pid_t before[SLOTS])
{
	int64_t last_end = INT64_MAX, first_begin, at;
	int i;

	for (i = 0; i < SLOTS; i++) {
		if (i == dead)
			continue;
		if (!falls(kind, dead, i)) {
			cr_expect_eq(
			    stage_page(&st, slots[i])->pid, before[i], "%s fell too", slots[i]);
			continue;
		}
		cr_expect_neq(stage_page(&st, slots[i])->pid, before[i], "%s stayed", slots[i]);
		cr_expect_eq(stage_count(&st, slots[i], "drained"), 1);
		at = stage_time(&st, slots[i], "end", 0);
		cr_expect_lt(at, last_end, "%s ends before those that started earlier", slots[i]);
		last_end = at;
	}
	first_begin = stage_time(&st, slots[dead], "begin", 1);
	for (i = 0; i < SLOTS; i++)
		if (falls(kind, dead, i))
			cr_expect_gt(first_begin, stage_time(&st, slots[i], "end", 0),
			    "the dead one comes back once %s has ended", slots[i]);
	for (i = 1; i < SLOTS; i++)
		if (falls(kind, dead, i) && (falls(kind, dead, i - 1) || i - 1 == dead))
			cr_expect_gt(stage_time(&st, slots[i], "begin", 1),
			    stage_time(&st, slots[i - 1], "begin", 1), "%s before %s", slots[i],
			    slots[i - 1]);
}

/* Ends of slots[i] must be in reverse, so check_fall walks forwards and wants falling times. */
static void
one_case(enum kind kind, int dead, int signal_number)
{
	char setting[80];
	const char *settings[] = { setting, NULL };
	pid_t before[SLOTS];
	int i;

	snprintf(setting, sizeof(setting), "--supervisor.strategy_%s=%s",
	    roles[dead < 2 ? dead : 2], kinds[kind]);
	stage_start(&st, settings);
	stage_ready(&st);
	WAIT_FOR(5000, all_are_ready());
	for (i = 0; i < SLOTS; i++)
		before[i] = stage_page(&st, slots[i])->pid;
	kill(before[dead], signal_number);
	for (i = 0; i < SLOTS; i++)
		if (i == dead || falls(kind, dead, i))
			WAIT_FOR(8000, stage_count(&st, slots[i], "begin") == 2);
	WAIT_FOR(8000, all_are_ready());
	check_fall(kind, dead, before);
	kill(st.master, SIGTERM);
	cr_expect_eq(stage_exit(&st, 10000), 0);
}

struct fall_case {
	int kind, dead, signal_number;
};

ParameterizedTestParameters(strategy, every_role_strategy_and_cause)
{
	static struct fall_case cases[3 * 3 * 3];
	size_t n = 0;
	int k, d, c;

	for (k = 0; k < 3; k++)
		for (d = 0; d < 3; d++)
			for (c = 0; c < 3; c++)
				cases[n++] = (struct fall_case){ k, d, signals[c] };
	return cr_make_param_array(struct fall_case, cases, n);
}

ParameterizedTest(struct fall_case *c, strategy, every_role_strategy_and_cause)
{
	one_case((enum kind)c->kind, c->dead, c->signal_number);
}

Test(strategy, five_deaths_in_the_window_are_a_failure_that_the_page_shows_and_tries_go_on)
{
	const struct slot_page *page;

	stage_start(&st,
	    (const char *[]){ "--supervisor.stable_after=60s", "--supervisor.restart_floor=10ms",
		"--supervisor.restart_ceiling=300ms", "--supervisor.fail_timeout=0", NULL });
	stage_ready(&st);
	page = stage_page(&st, "cache-writer");
	stage_mode(&st, "cache-writer", "exit 70");
	cr_expect_eq(page->failed_ns, 0);
	kill(page->pid, SIGKILL);
	WAIT_FOR(5000, page->failed_ns != 0);
	cr_expect_eq(page->restarts, 5);
	cr_expect(stage_logged(&st, "cache-writer: has failed: 5 deaths within 60 s"));
	WAIT_FOR(5000, page->restarts >= 7);
	cr_expect(stage_is_ready(&st, "http-0"));
	stage_mode(&st, "cache-writer", NULL);
	WAIT_FOR(5000, stage_is_ready(&st, "cache-writer"));
	cr_expect_neq(page->failed_ns, 0, "ready is not steady");
}

Test(strategy, a_slot_that_was_steady_has_not_failed_any_more)
{
	const struct slot_page *page;

	stage_start(&st,
	    (const char *[]){ "--supervisor.stable_after=300ms", "--supervisor.restart_floor=10ms",
		"--supervisor.restart_ceiling=100ms", NULL });
	stage_ready(&st);
	page = stage_page(&st, "http-1");
	stage_mode(&st, "http-1", "exit 70");
	kill(page->pid, SIGKILL);
	WAIT_FOR(5000, page->failed_ns != 0);
	stage_mode(&st, "http-1", NULL);
	WAIT_FOR(5000, page->failed_ns == 0);
	cr_expect(stage_is_ready(&st, "http-1"));
}

Test(strategy, a_required_role_that_has_failed_for_long_ends_the_gateway_with_its_own_code)
{
	stage_start(&st,
	    (const char *[]){ "--supervisor.stable_after=60s", "--supervisor.restart_floor=10ms",
		"--supervisor.restart_ceiling=50ms", "--supervisor.fail_timeout=500ms", NULL });
	stage_ready(&st);
	stage_mode(&st, "fetcher-rest", "exit 70");
	kill(stage_page(&st, "fetcher-rest")->pid, SIGKILL);
	cr_expect_eq(stage_exit(&st, 10000), 69);
	cr_expect(stage_logged(&st, "fetcher: a required role, has failed for"));
	cr_expect_eq(stage_count(&st, "http-0", "drained"), 1, "the others finish their work");
}

Test(strategy, one_bad_http_worker_of_two_does_not_end_the_gateway)
{
	stage_start(&st,
	    (const char *[]){ "--supervisor.stable_after=60s", "--supervisor.restart_floor=10ms",
		"--supervisor.restart_ceiling=50ms", "--supervisor.fail_timeout=100ms", NULL });
	stage_ready(&st);
	stage_mode(&st, "http-1", "exit 70");
	kill(stage_page(&st, "http-1")->pid, SIGKILL);
	WAIT_FOR(5000, stage_page(&st, "http-1")->restarts >= 20);
	cr_expect_neq(stage_page(&st, "http-1")->failed_ns, 0);
	cr_expect(stage_is_ready(&st, "http-0"));
	cr_expect_eq(st.board->stopping, 0);
}

Test(strategy, deaths_of_workers_that_were_steady_are_no_failure)
{
	int i;

	stage_start(&st, (const char *[]){ "--supervisor.stable_after=20ms", NULL });
	stage_ready(&st);
	for (i = 0; i < 10; i++) {
		const struct slot_page *page = stage_page(&st, "http-0");
		pid_t old = page->pid;

		WAIT_FOR(5000,
		    stage_is_ready(&st, "http-0") && clock_wall() - page->ready_ns > 60 * CLOCK_MS);
		old = page->pid;
		kill(old, SIGKILL);
		WAIT_FOR(5000, page->pid != old && stage_is_ready(&st, "http-0"));
	}
	cr_expect_eq(stage_page(&st, "http-0")->failed_ns, 0);
	cr_expect_eq(stage_page(&st, "http-0")->restarts, 10);
}
