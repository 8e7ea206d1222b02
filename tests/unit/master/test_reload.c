/* test_reload.c - the real master over test workers: reload, replacement, scaling, recycling. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

TestSuite(reload, .init = setup, .fini = teardown, .timeout = 120);

static void
start(const char *conf, const char *const *settings)
{
	stage_conf(&st, conf);
	stage_start(&st, settings);
	stage_ready(&st);
}

static void
reload(const char *conf)
{
	stage_conf(&st, conf);
	kill(st.master, SIGHUP);
}

static bool
serves(const char *label, uint64_t generation)
{
	const struct slot_page *p = stage_slot(&st, label);

	return p->generation == generation && strcmp(p->state, "ready") == 0;
}

Test(reload, gives_every_http_worker_a_successor_and_leaves_alone_whom_it_does_not_concern)
{
	pid_t fetcher, writer, http;

	start("[http]\nheader_timeout = 5s\n", NULL);
	fetcher = stage_slot(&st, "fetcher-rest")->pid;
	writer = stage_slot(&st, "cache-writer")->pid;
	http = stage_slot(&st, "http-0")->pid;
	reload("[http]\nheader_timeout = 7s\n");
	WAIT_FOR(5000, serves("http-0", 2) && serves("http-1", 2));
	cr_expect_neq(stage_slot(&st, "http-0")->pid, http);
	cr_expect_eq(stage_count(&st, "http-0.1", "header_timeout 7000"), 1);
	cr_expect_eq(stage_slot(&st, "fetcher-rest")->pid, fetcher);
	cr_expect_eq(stage_slot(&st, "cache-writer")->pid, writer);
	cr_expect_eq(st.board->generation, 2);
	WAIT_FOR(5000, stage_count(&st, "http-0", "end") == 1);
	cr_expect_eq(stage_count(&st, "http-0", "drained"), 1, "it finished what was in hand");
	cr_expect_eq(stage_slots(&st), 4, "no slot more than before");
	WAIT_FOR(5000, metric_read(stage_page(&st, "http-0"), M_WORKER_RESTARTS,
			   LABEL(cause, RELOAD), 0) == 1);
	cr_expect_eq(stage_page(&st, "http-0")->restarts, 0, "a wish is no death");
	cr_expect_gt(stage_time(&st, "http-0", "drain", 0), stage_time(&st, "http-0.1", "begin", 0),
	    "ready before the old one drains");
}

Test(reload, a_successor_is_wired_to_the_fetcher_as_its_predecessor_was)
{
	start("", NULL);
	reload("");
	WAIT_FOR(5000, stage_count(&st, "http-0.1", "up fetcher-rest") == 1);
	WAIT_FOR(5000, stage_count(&st, "fetcher-rest", "up http-0.1") == 1);
	WAIT_FOR(5000, serves("http-0", 2));
	reload("");
	WAIT_FOR(5000, serves("http-0", 3));
	WAIT_FOR(5000, stage_count(&st, "fetcher-rest", "up http-0") >= 3);
}

Test(reload, renews_a_fetcher_whose_settings_changed)
{
	pid_t fetcher, writer;

	start("", NULL);
	fetcher = stage_slot(&st, "fetcher-rest")->pid;
	writer = stage_slot(&st, "cache-writer")->pid;
	reload("[upstream]\ntimeout = 3s\n");
	WAIT_FOR(5000, serves("fetcher-rest", 2) && serves("http-1", 2));
	cr_expect_neq(stage_slot(&st, "fetcher-rest")->pid, fetcher);
	cr_expect_eq(stage_slot(&st, "cache-writer")->pid, writer);
	cr_expect_eq(stage_count(&st, "fetcher-rest", "drained"), 1);
	cr_expect(stage_logged(&st, "generation 2: 3 workers replaced"));
}

Test(reload, a_bad_configuration_changes_nothing_and_says_why)
{
	pid_t http;

	start("", NULL);
	http = stage_slot(&st, "http-0")->pid;
	reload("[http]\nheader_timeout = soon\n");
	WAIT_FOR(5000, stage_logged(&st, "reload: refused, nothing has changed"));
	cr_expect(stage_logged(&st, "http.header_timeout"));
	cr_expect_eq(stage_slot(&st, "http-0")->pid, http);
	cr_expect_eq(st.board->generation, 1);
	reload("[http]\nheader_timeout = 3s\n");
	WAIT_FOR(5000, serves("http-0", 2));
}

Test(reload, names_the_keys_that_only_a_restart_changes_and_keeps_them)
{
	start("", NULL);
	reload("[alpaca]\ncrypto_loc = eu-1\n[http]\nbacklog = 17\nbody_max = 1k\n");
	WAIT_FOR(5000, serves("http-0", 2));
	WAIT_FOR(5000, stage_logged(&st, "only a restart changes http.backlog, alpaca.crypto_loc"));
	cr_expect(!stage_logged(&st, "changes http.body_max"));
}

Test(reload, a_successor_that_does_not_get_ready_leaves_the_old_generation_serving)
{
	pid_t zero, one;

	start("", (const char *[]){ "--supervisor.ready_timeout=700ms", NULL });
	zero = stage_slot(&st, "http-0")->pid;
	one = stage_slot(&st, "http-1")->pid;
	stage_mode(&st, "http-1.1", "never");
	reload("[http]\nheader_timeout = 3s\n");
	WAIT_FOR(8000, stage_logged(&st, "the old configuration serves on: http-1: the successor"));
	cr_expect_eq(stage_slot(&st, "http-0")->pid, zero);
	cr_expect_eq(stage_slot(&st, "http-1")->pid, one);
	cr_expect_eq(st.board->generation, 1);
	WAIT_FOR(5000, stage_child(&st, "http-0.1") == 0 && stage_child(&st, "http-1.1") == 0);
	cr_expect_eq(stage_count(&st, "http-0.1", "listener"), 0, "it was ready and took clients");
	stage_mode(&st, "http-1.1", NULL);
	reload("[http]\nheader_timeout = 3s\n");
	WAIT_FOR(8000, serves("http-0", 2) && serves("http-1", 2));
	WAIT_FOR(2000, stage_count(&st, "http-0.1", "listener") == 1);
}

Test(reload, a_successor_that_dies_at_once_fails_the_reload_with_its_reason)
{
	pid_t zero;

	start("", NULL);
	zero = stage_slot(&st, "http-0")->pid;
	stage_mode(&st, "http-0.1", "exit 70");
	reload("");
	WAIT_FOR(5000, stage_logged(&st, "did not get ready: exit 70 (SOFTWARE)"));
	cr_expect_eq(stage_slot(&st, "http-0")->pid, zero);
	cr_expect_eq(st.board->generation, 1);
}

Test(reload, a_fetcher_that_cannot_live_with_the_new_settings_gets_the_old_ones_back)
{
	pid_t zero;

	start("", NULL);
	zero = stage_slot(&st, "http-0")->pid;
	stage_mode(&st, "fetcher-rest", "once exit 78");
	reload("[upstream]\ntimeout = 3s\n");
	WAIT_FOR(8000, stage_logged(&st, "the old configuration serves on: fetcher-rest:"));
	WAIT_FOR(5000, serves("fetcher-rest", 1));
	cr_expect_eq(stage_slot(&st, "http-0")->pid, zero);
	cr_expect_eq(st.board->generation, 1);
}

Test(reload, makes_more_workers_and_fewer)
{
	start("[http]\nworkers = 2\n", NULL);
	cr_expect_eq(stage_slots(&st), 4);
	reload("[http]\nworkers = 5\n");
	WAIT_FOR(5000, serves("http-1", 2) && stage_slots(&st) == 7);
	WAIT_FOR(5000, serves("http-4", 2));
	reload("[http]\nworkers = 1\n");
	WAIT_FOR(5000, serves("http-0", 3));
	WAIT_FOR(5000, stage_child(&st, "http-4.1") == 0 && stage_child(&st, "http-1.1") == 0);
	cr_expect_eq(
	    stage_count(&st, "http-4", "drained") + stage_count(&st, "http-4.1", "drained"), 1,
	    "it finished what was in hand");
	reload("[http]\nworkers = 3\n");
	WAIT_FOR(5000, serves("http-0", 4) && serves("http-2", 4));
	cr_expect_eq(stage_slots(&st), 7, "series do not go");
}

Test(reload, twice_at_once_is_refused_and_the_first_goes_on)
{
	start("", (const char *[]){ "--supervisor.ready_timeout=3s", NULL });
	stage_mode(&st, "http-0.1", "once never");
	reload("");
	WAIT_FOR(5000, stage_count(&st, "http-0.1", "begin") == 1);
	reload("");
	WAIT_FOR(5000, stage_logged(&st, "another reload is under way"));
	WAIT_FOR(8000, stage_logged(&st, "the old configuration serves on"));
}

Test(reload, waits_for_the_generation_that_still_drains)
{
	start("", (const char *[]){ "--supervisor.drain_timeout=900ms",
		      "--supervisor.dump_timeout=200ms", NULL });
	stage_mode(&st, "http-0", "stuck");
	kill(stage_slot(&st, "http-0")->pid, SIGKILL);
	WAIT_FOR(5000, stage_count(&st, "http-0", "begin stuck") == 1 && serves("http-0", 1));
	reload("");
	WAIT_FOR(5000, serves("http-0", 2));
	cr_expect_neq(stage_child(&st, "http-0"), 0, "it still drains");
	reload("");
	WAIT_FOR(8000, serves("http-0", 3));
	cr_expect_eq(stage_count(&st, "http-0", "begin"), 3);
	cr_expect(stage_logged(&st, "did not finish in time: aborted"));
}

Test(reload, a_stop_in_the_middle_of_it_ends_everything)
{
	start("", (const char *[]){ "--supervisor.ready_timeout=30s", NULL });
	stage_mode(&st, "http-0.1", "never");
	reload("");
	WAIT_FOR(5000, stage_count(&st, "http-0.1", "begin") == 1);
	kill(st.master, SIGTERM);
	WAIT_FOR(5000, stage_count(&st, "fetcher-rest", "drained") == 1 ||
			   stage_count(&st, "http-1", "drained") == 1);
	kill(st.master, SIGTERM);
	cr_expect_eq(stage_exit(&st, 3000), 0);
}

static int
descriptors(void)
{
	char command[64], said[16] = "";
	FILE *f;

	snprintf(command, sizeof(command), "ls /proc/%d/fd | wc -l", (int)st.master);
	f = popen(command, "re");
	cr_assert(f != NULL && fgets(said, sizeof(said), f) != NULL);
	pclose(f);
	return atoi(said);
}

/* Who says that he ends has not been reaped yet: his channels are closed a moment later. */
static int
descriptors_at_rest(void)
{
	int last = -1, now, same = 0;

	for (int look = 0; same < 20 && look < 1000; look++) {
		now = descriptors();
		same = now == last ? same + 1 : 0;
		last = now;
	}
	cr_assert_eq(same, 20, "the master's descriptors do not come to rest");
	return last;
}

Test(reload, after_fifty_the_master_has_no_descriptor_more)
{
	int before = 0, after = 0, i;

	start("", NULL);
	for (i = 0; i < 50; i++) {
		reload("");
		WAIT_FOR(5000, st.board->generation == (uint64_t)i + 2);
		if (i == 4 || i == 49) {
			WAIT_FOR(5000, stage_count(&st, NULL, "end") == 2 * (i + 1));
			*(i == 4 ? &before : &after) = descriptors_at_rest();
		}
	}
	cr_expect_eq(before, after, "%d, then %d", before, after);
}

Test(reload, an_old_worker_is_recycled_with_its_successor_ready_first)
{
	start("", (const char *[]){ "--http.recycle_age=1500ms", NULL });
	WAIT_FOR(8000, stage_count(&st, "http-0.1", "begin") == 1 &&
			   stage_count(&st, "http-1.1", "begin") == 1);
	WAIT_FOR(8000, stage_count(&st, "http-0", "end") == 1);
	cr_expect_gt(
	    stage_time(&st, "http-0", "drain", 0), stage_time(&st, "http-0.1", "begin", 0));
	WAIT_FOR(5000, metric_read(stage_page(&st, "http-0"), M_WORKER_RESTARTS,
			   LABEL(cause, RECYCLE), 0) == 1);
	cr_expect_eq(stage_page(&st, "http-0")->restarts, 0);
}

Test(reload, a_successor_that_dies_before_it_takes_over_fails_the_reload)
{
	pid_t zero;

	start("", (const char *[]){ "--supervisor.ready_timeout=5s", NULL });
	zero = stage_slot(&st, "http-0")->pid;
	stage_mode(&st, "fetcher-rest",
	    "once never"); /* holds the reload up after all successors are ready */
	reload("[upstream]\ntimeout = 3s\n");
	WAIT_FOR(5000, stage_count(&st, "fetcher-rest", "begin never") == 1);
	WAIT_FOR(5000, stage_child(&st, "http-0.1") != 0 && stage_is_ready(&st, "http-0.1"));
	stage_mode(&st, "http-0.1", "exit 70");
	kill(stage_child(&st, "http-0.1"), SIGKILL);
	WAIT_FOR(12000, stage_logged(&st, "the old configuration serves on"));
	cr_expect_eq(stage_slot(&st, "http-0")->pid, zero);
	cr_expect_eq(st.board->generation, 1);
	WAIT_FOR(8000, serves("fetcher-rest", 1));
}
