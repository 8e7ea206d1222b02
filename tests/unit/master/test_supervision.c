/* test_supervision.c - the real master over test workers: births, deaths, stops. */
#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
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

TestSuite(supervision, .init = setup, .fini = teardown, .timeout = 120);

#define KILLS 100

static int
compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static bool
is_replaced(const char *slot, pid_t old)
{
	const struct slot_page *page = stage_page(&st, slot);

	return page->pid != 0 && page->pid != old && strcmp(page->state, "ready") == 0;
}

static uint64_t
deaths(const char *slot, unsigned cause)
{
	return metric_read(stage_page(&st, slot), M_WORKER_RESTARTS, cause, 0);
}

Test(supervision, starts_every_slot_and_tells_where_it_listens)
{
	char *address;

	stage_start(&st, NULL);
	stage_ready(&st);
	cr_expect_eq(stage_slots(&st), 4);
	cr_expect(stage_is_ready(&st, "fetcher-rest"));
	cr_expect(stage_is_ready(&st, "cache-writer"));
	cr_expect(stage_is_ready(&st, "http-0"));
	cr_expect(stage_is_ready(&st, "http-1"));
	address = stage_read(&st, "state/http.address");
	address[strcspn(address, "\n")] = '\0';
	cr_expect_str_eq(address, st.board->http_address);
	cr_expect(strncmp(address, "127.0.0.1:", 10) == 0 && atoi(address + 10) > 0);
	address = stage_read(&st, "state/admin.address");
	address[strcspn(address, "\n")] = '\0';
	cr_expect_str_eq(address, st.board->admin_address);
	cr_expect_str_eq(stage_page(&st, "master")->state, "ready");
	cr_expect_eq(stage_page(&st, "master")->pid, st.master);
	cr_expect_eq(metric_read(stage_page(&st, "master"), M_HTTP_WORKERS, 0, 0), 2);
	cr_expect_geq(metric_read(stage_page(&st, "master"), M_CPUS, 0, 0), 1);
	WAIT_FOR(2000, stage_count(&st, "http-0", "listener http") == 1);
	WAIT_FOR(2000, stage_count(&st, "http-1", "listener http") == 1);
	cr_expect_eq(stage_count(&st, "fetcher-rest", "listener"), 0);
	WAIT_FOR(2000, stage_count(&st, "fetcher-rest", "up http-0") == 1);
	WAIT_FOR(2000, stage_count(&st, "fetcher-rest", "up http-1") == 1);
	WAIT_FOR(2000, stage_count(&st, "fetcher-rest", "up cache-writer") == 1);
	WAIT_FOR(2000, stage_count(&st, "http-0", "up fetcher-rest") == 1);
	cr_expect_eq(stage_count(&st, "http-0", "up"), 1, "http talks to the fetcher alone");
}

Test(supervision, a_worker_inherits_five_descriptors_and_no_secret)
{
	char path[64], text[8192];
	ssize_t n;
	FILE *f;

	stage_start(&st, (const char *[]){ "--http.header_timeout=1234ms", NULL });
	stage_ready(&st);
	cr_expect_eq(stage_count(&st, NULL, "fds 0 1 2 3 4 5"), 4);
	cr_expect_eq(stage_count(&st, NULL, "fds 0 1 2 3 4 5 "), 0);
	cr_expect_geq(stage_count(&st, NULL, "env PATH="), 4);
	cr_expect_eq(stage_count(&st, NULL, "env TZ=UTC"), 4);
	cr_expect_eq(stage_count(&st, NULL, "env ALPACA"), 0);
	cr_expect_eq(stage_count(&st, NULL, "env HOME"), 0);
	cr_expect_eq(stage_count(&st, "fetcher-rest", "secret held"), 1);
	cr_expect_eq(stage_count(&st, NULL, "secret held"), 1);
	cr_expect_eq(stage_count(&st, "http-0", "header_timeout 1234"), 1);
	cr_expect_eq(stage_count(&st, "fetcher-rest", "header_timeout 1234"), 0,
	    "a setting of another role");
	snprintf(path, sizeof(path), "/proc/%d/environ", (int)stage_child(&st, "http-0"));
	cr_assert_not_null(f = fopen(path, "re"));
	n = (ssize_t)fread(text, 1, sizeof(text), f);
	fclose(f);
	cr_expect_null(memmem(text, (size_t)n, "the-secret-of-the-test", 22));
}

/* From the kill to the successor's ready, by the master's own stamps; the 99th of a hundred. */
static int64_t
kill_a_hundred(const char *const *slots)
{
	const struct slot_page *page;
	int64_t took[KILLS], killed;
	pid_t old;
	int i;

	for (i = 0; i < KILLS; i++) {
		page = stage_page(&st, slots[i % 4]);
		WAIT_FOR(5000, stage_is_ready(&st, slots[i % 4]) &&
				   clock_wall() - page->ready_ns > 30 * CLOCK_MS);
		old = page->pid;
		killed = clock_wall();
		cr_assert_eq(kill(old, SIGKILL), 0);
		WAIT_FOR(5000, is_replaced(slots[i % 4], old));
		took[i] = page->ready_ns - killed;
		cr_expect_str_eq(page->last_exit, "signal 9 (Killed)");
	}
	qsort(took, KILLS, sizeof(took[0]), compare);
	fprintf(stderr, "kill to ready: median %.1f ms, p99 %.1f ms\n",
	    (double)took[KILLS / 2] / 1e6, (double)took[KILLS - 2] / 1e6);
	return took[KILLS - 2];
}

/* Whether the machine is too busy to tell: to run /bin/true takes what is 1 to 3 ms on an idle one. */
static bool
machine_is_busy(void)
{
	int64_t took[21], begun;
	int i, status;
	pid_t pid;

	for (i = 0; i < 21; i++) {
		begun = clock_mono();
		if ((pid = fork()) == 0) {
			execl("/bin/true", "true", (char *)NULL);
			_exit(127);
		}
		waitpid(pid, &status, 0);
		took[i] = clock_mono() - begun;
	}
	qsort(took, 21, sizeof(took[0]), compare);
	fprintf(stderr, "to run /bin/true takes %.1f ms\n", (double)took[10] / 1e6);
	return took[10] > 8 * CLOCK_MS;
}

/* Other programs share the machine, so the best of three rounds counts; no round may lose a death. */
Test(supervision, a_killed_worker_is_ready_again_within_50_ms)
{
	static const char *const slots[] = { "http-0", "fetcher-rest", "cache-writer", "http-1" };
	int64_t best = INT64_MAX, p99;
	int rounds = 0, i;

	stage_start(&st, NULL);
	stage_ready(&st);
	do {
		p99 = kill_a_hundred(slots);
		best = p99 < best ? p99 : best;
	} while (++rounds < 3 && best > 50 * CLOCK_MS);
	for (i = 0; i < 4; i++) {
		cr_expect_eq(stage_page(&st, slots[i])->restarts, (uint64_t)rounds * KILLS / 4);
		cr_expect_eq(deaths(slots[i], LABEL(cause, SIGNAL)), (uint64_t)rounds * KILLS / 4);
	}
#ifdef WITH_SANITIZERS
	(void)machine_is_busy;
#else
	cr_expect(best <= 50 * CLOCK_MS || machine_is_busy());
#endif
}

Test(supervision, a_crash_loop_is_slowed_and_costs_the_others_nothing)
{
	static const int wanted[] = { 0, 40, 80, 160, 160 };
	pid_t other, fetcher;
	int64_t gap;
	int i;

	stage_mode(&st, "http-0", "exit 70");
	stage_start(
	    &st, (const char *[]){ "--supervisor.restart_floor=40ms",
		     "--supervisor.restart_ceiling=160ms", "--supervisor.stable_after=60s", NULL });
	WAIT_FOR(10000, stage_count(&st, "http-0", "begin") >= 6);
	other = stage_child(&st, "http-1");
	fetcher = stage_child(&st, "fetcher-rest");
	for (i = 0; i < 5; i++) {
		gap = (stage_time(&st, "http-0", "begin", i + 1) -
			  stage_time(&st, "http-0", "begin", i)) /
		      CLOCK_MS;
		/* Between two births, of which the first may have been the slower one. */
		cr_expect_geq(
		    gap, wanted[i] * 8 / 10 - 10, "restart %d came after %d ms", i, (int)gap);
#ifndef WITH_SANITIZERS
		cr_expect_leq(
		    gap, wanted[i] * 12 / 10 + 300, "restart %d came after %d ms", i, (int)gap);
#endif
	}
	stage_mode(&st, "http-0", NULL);
	stage_ready(&st);
	cr_expect_eq(stage_child(&st, "http-1"), other);
	cr_expect_eq(stage_child(&st, "fetcher-rest"), fetcher);
	cr_expect_str_eq(stage_page(&st, "http-0")->last_exit, "exit 70 (SOFTWARE)");
	cr_expect_geq(deaths("http-0", LABEL(cause, EXIT)), 5);
	cr_expect_eq(deaths("http-1", LABEL(cause, EXIT)), 0);
}

Test(supervision, a_worker_that_refuses_the_configuration_ends_the_gateway)
{
	char *log;

	stage_mode(&st, "cache-writer", "exit 78");
	stage_start(&st, NULL);
	cr_expect_eq(stage_exit(&st, 10000), 78);
	log = stage_read(&st, "log");
	cr_expect_not_null(
	    strstr(log, "cache-writer: ended before it was ever ready (exit 78 (CONFIG))"));
}

Test(supervision, the_same_exit_of_one_that_was_ready_only_restarts_it)
{
	pid_t old;

	stage_start(&st, NULL);
	stage_ready(&st);
	old = stage_page(&st, "cache-writer")->pid;
	stage_mode(&st, "cache-writer", "once exit 78");
	kill(old, SIGKILL);
	WAIT_FOR(10000,
	    deaths("cache-writer", LABEL(cause, EXIT)) == 1 && stage_is_ready(&st, "cache-writer"));
	cr_expect_str_eq(stage_page(&st, "cache-writer")->last_exit, "exit 78 (CONFIG)");
}

Test(supervision, a_worker_that_is_not_ready_in_time_is_killed_and_counted)
{
	stage_mode(&st, "http-1", "once never");
	stage_start(&st, (const char *[]){ "--supervisor.ready_timeout=1s", NULL });
	stage_ready(&st);
	cr_expect_eq(deaths("http-1", LABEL(cause, NOT_READY)), 1);
	cr_expect_not_null(strstr(stage_page(&st, "http-1")->last_exit, "not ready in time"));
}

static void
misbehaves(const char *mode)
{
	pid_t other, fetcher, old;

	stage_start(&st, NULL);
	stage_ready(&st);
	other = stage_page(&st, "http-1")->pid;
	fetcher = stage_page(&st, "fetcher-rest")->pid;
	old = stage_page(&st, "http-0")->pid;
	stage_mode(&st, "http-0", mode);
	kill(old, SIGKILL);
	WAIT_FOR(
	    10000, deaths("http-0", LABEL(cause, PROTOCOL)) == 1 && stage_is_ready(&st, "http-0"));
	cr_expect_not_null(strstr(stage_page(&st, "http-0")->last_exit, "broke the protocol"));
	cr_expect_eq(stage_page(&st, "http-1")->pid, other);
	cr_expect_eq(stage_page(&st, "fetcher-rest")->pid, fetcher);
}

Test(supervision, a_master_that_stood_still_as_long_as_no_worker_may_says_so)
{
	const char *const settings[] = { "--supervisor.hang_timeout=300ms", NULL };
	const unsigned stall = LABEL(trouble, STALL);
	uint64_t before; /* a machine that is busy may have held it up already */

	stage_start(&st, settings);
	stage_ready(&st);
	before = metric_read(stage_page(&st, "master"), M_TROUBLES, stall, 0);
	kill(st.master, SIGSTOP);
	usleep(400000);
	kill(st.master, SIGCONT);
	WAIT_FOR(5000, metric_read(stage_page(&st, "master"), M_TROUBLES, stall, 0) > before);
	cr_expect(stage_logged(&st, "the master stood still for "));
	cr_expect_not_null(strstr(stage_page(&st, "master")->troubles[stall].text, "stood still"));
}

/* The master's page says whose channel it was, and why it was ended. */
static void
expect_channel_trouble(const char *why)
{
	const struct slot_page *p = stage_page(&st, "master");
	const struct trouble *t = &p->troubles[LABEL(trouble, CHANNEL)];

	cr_expect_gt(t->at_ns, 0);
	cr_expect_not_null(strstr(t->text, "control channel of http-0: "), "%s", t->text);
	cr_expect_not_null(strstr(t->text, why), "%s", t->text);
	cr_expect_eq(metric_read(p, M_TROUBLES, LABEL(trouble, CHANNEL), 0), 1);
}

Test(supervision, a_worker_that_floods_the_master_is_replaced_alone)
{
	misbehaves("once flood");
	expect_channel_trouble("it floods");
}

Test(supervision, a_worker_that_sends_garbage_is_replaced_alone)
{
	misbehaves("once garbage");
	expect_channel_trouble("frame");
}

Test(supervision, a_worker_that_closes_its_control_channel_and_stays_is_replaced_alone)
{
	misbehaves("once mute");
}

Test(supervision, a_worker_that_breaks_the_protocol_with_a_peer_is_replaced_alone)
{
	misbehaves("once babble");
	WAIT_FOR(5000, stage_count(&st, "fetcher-rest", "up http-0") >= 3 ||
			   stage_count(&st, "fetcher-rest", "up http-0") ==
			       stage_count(&st, "fetcher-rest", "down http-0") + 1);
}

Test(supervision, two_that_lost_their_channel_get_a_new_one_and_both_live)
{
	pid_t http, fetcher;

	stage_mode(&st, "http-0", "once hangup");
	stage_start(&st, NULL);
	stage_ready(&st);
	http = stage_page(&st, "http-0")->pid;
	fetcher = stage_page(&st, "fetcher-rest")->pid;
	WAIT_FOR(5000, stage_count(&st, "http-0", "up fetcher-rest") == 2);
	WAIT_FOR(5000, stage_count(&st, "fetcher-rest", "up http-0") == 2);
	cr_expect_eq(stage_count(&st, "http-0", "down fetcher-rest"), 1);
	cr_expect_eq(stage_page(&st, "http-0")->pid, http);
	cr_expect_eq(stage_page(&st, "fetcher-rest")->pid, fetcher);
}

Test(supervision, peers_of_a_replaced_worker_get_new_ends)
{
	pid_t old;

	stage_start(&st, NULL);
	stage_ready(&st);
	WAIT_FOR(5000, stage_count(&st, "http-0", "up fetcher-rest") == 1);
	WAIT_FOR(5000, stage_count(&st, "http-1", "up fetcher-rest") == 1);
	WAIT_FOR(5000, stage_count(&st, "cache-writer", "up fetcher-rest") == 1);
	old = stage_page(&st, "fetcher-rest")->pid;
	kill(old, SIGKILL);
	WAIT_FOR(5000, stage_count(&st, "http-0", "up fetcher-rest") == 2);
	WAIT_FOR(5000, stage_count(&st, "http-1", "up fetcher-rest") == 2);
	WAIT_FOR(5000, stage_count(&st, "cache-writer", "up fetcher-rest") == 2);
	cr_expect_eq(stage_count(&st, "http-0", "down fetcher-rest"), 1);
}

Test(supervision, children_end_when_the_master_is_killed_even_stopped_ones)
{
	static const char *const slots[] = { "http-0", "fetcher-rest", "cache-writer", "http-1" };
	pid_t pids[4];
	int i;

	stage_start(&st, NULL);
	stage_ready(&st);
	for (i = 0; i < 4; i++)
		pids[i] = stage_page(&st, slots[i])->pid;
	kill(pids[3], SIGSTOP);
	kill(st.master, SIGKILL);
	for (i = 0; i < 4; i++) {
		char path[64], text[256] = "";

		snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pids[i]);
		/* A zombie of a reaper that is slow has no command line any more. */
		WAIT_FOR(1000, ({
			FILE *f = fopen(path, "re");
			size_t n = f ? fread(text, 1, sizeof(text), f) : 0;

			if (f)
				fclose(f);
			n == 0;
		}));
	}
}

static bool
nobody_is_left(void)
{
	int status;

	while (waitpid(-1, &status, WNOHANG) > 0)
		;
	return waitpid(-1, &status, WNOHANG) < 0 && errno == ECHILD;
}

/* Orphans become ours, so that each can be waited for; the moments fall before, in and after the forks. */
Test(supervision, a_master_killed_at_any_moment_of_its_start_leaves_nobody)
{
	int i;

	cr_assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	for (i = 0; i < 60; i++) {
		stage_start(&st, NULL);
		usleep((useconds_t)i * 700);
		kill(st.master, SIGKILL);
		WAIT_FOR(1000, nobody_is_left());
	}
	st.master = 0;
}

Test(supervision, sigterm_drains_http_then_fetcher_then_writer)
{
	stage_start(&st, NULL);
	stage_ready(&st);
	kill(st.master, SIGTERM);
	cr_expect_eq(stage_exit(&st, 10000), 0);
	cr_expect_eq(stage_count(&st, NULL, "end"), 4);
	cr_expect_gt(
	    stage_time(&st, "fetcher-rest", "drain", 0), stage_time(&st, "http-0", "end", 0));
	cr_expect_gt(
	    stage_time(&st, "fetcher-rest", "drain", 0), stage_time(&st, "http-1", "end", 0));
	cr_expect_gt(
	    stage_time(&st, "cache-writer", "drain", 0), stage_time(&st, "fetcher-rest", "end", 0));
	cr_expect_str_eq(stage_read(&st, "state/http.address"), "");
	cr_expect_str_eq(stage_read(&st, "state/master.lock"), "");
}

Test(supervision, sigterm_is_visible_at_once_and_waits_for_the_delay)
{
	int64_t asked;

	stage_start(&st, (const char *[]){ "--supervisor.drain_delay=400ms", NULL });
	stage_ready(&st);
	asked = clock_mono();
	kill(st.master, SIGTERM);
	WAIT_FOR(300, st.board->stopping == 1);
	cr_expect_eq(stage_exit(&st, 10000), 0);
	cr_expect_geq(stage_time(&st, "http-0", "drain", 0) - asked, 390 * CLOCK_MS);
}

Test(supervision, sigint_does_not_wait_for_the_delay)
{
	int64_t asked;

	stage_start(&st, (const char *[]){ "--supervisor.drain_delay=60s", NULL });
	stage_ready(&st);
	asked = clock_mono();
	kill(st.master, SIGINT);
	cr_expect_eq(stage_exit(&st, 10000), 0);
	cr_expect_leq(clock_mono() - asked, 8 * CLOCK_SEC);
}

Test(supervision, a_worker_that_does_not_drain_is_killed_at_the_deadline)
{
	int64_t asked;

	stage_mode(&st, "http-0", "stuck");
	stage_start(&st, (const char *[]){ "--supervisor.drain_timeout=2500ms",
			     "--supervisor.hang_timeout=0", NULL });
	stage_ready(&st);
	asked = clock_mono();
	kill(st.master, SIGTERM);
	cr_expect_eq(stage_exit(&st, 20000), 0);
	cr_expect_geq(clock_mono() - asked, 2500 * CLOCK_MS);
	cr_expect_eq(stage_count(&st, "cache-writer", "drained"), 1, "the others still drain");
}

Test(supervision, a_second_sigterm_ends_it_at_once)
{
	int64_t asked;

	stage_mode(&st, "http-0", "stuck");
	stage_start(&st, NULL);
	stage_ready(&st);
	kill(st.master, SIGTERM);
	WAIT_FOR(5000, stage_count(&st, "http-0", "drain") == 1);
	asked = clock_mono();
	kill(st.master, SIGTERM);
	cr_expect_eq(stage_exit(&st, 5000), 0);
	cr_expect_leq(clock_mono() - asked, 2 * CLOCK_SEC);
}

Test(supervision, stops_from_within_a_crash_loop)
{
	stage_mode(&st, "http-0", "exit 70");
	stage_start(&st, (const char *[]){ "--supervisor.restart_floor=20s", NULL });
	WAIT_FOR(10000, stage_count(&st, "http-0", "begin") == 2);
	kill(st.master, SIGTERM);
	cr_expect_eq(stage_exit(&st, 10000), 0);
}

Test(supervision, a_worker_heartbeat_moves)
{
	int64_t first;

	stage_start(&st, NULL);
	stage_ready(&st);
	first = stage_page(&st, "http-0")->heartbeat_ns;
	cr_expect_gt(first, 0);
	WAIT_FOR(3000, stage_page(&st, "http-0")->heartbeat_ns > first);
}

Test(supervision, a_hundred_http_workers_are_all_wired_to_the_fetcher)
{
	pid_t old;

	stage_start(&st, (const char *[]){ "--http.workers=100", NULL });
	WAIT_FOR(60000, stage_count(&st, "fetcher-rest", "up http-") == 100);
	stage_ready(&st);
	old = stage_page(&st, "fetcher-rest")->pid;
	cr_expect_eq(stage_page(&st, "fetcher-rest")->restarts, 0);
	kill(old, SIGKILL);
	WAIT_FOR(30000, stage_count(&st, "fetcher-rest", "up http-") == 200);
	cr_expect_eq(stage_page(&st, "fetcher-rest")->restarts, 1);
	kill(st.master, SIGTERM);
	cr_expect_eq(stage_exit(&st, 30000), 0);
}
