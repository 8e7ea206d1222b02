/* test_crash.c - the real master over test workers: what is left of a process that ended badly, and who hangs. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "build_config.h"
#include "clock.h"
#include "label.h"
#include "master_room.h"
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

TestSuite(crash, .init = setup, .fini = teardown, .timeout = 120);

static json_t *
report(int id)
{
	char name[64];
	json_t *o;

	snprintf(name, sizeof(name), "state/crashes/%06d.json", id);
	WAIT_FOR(5000, stage_read(&st, name)[0] != '\0');
	o = json_loads(st.text, 0, NULL);
	cr_assert_not_null(o, "no JSON: %s", st.text);
	return o;
}

static const char *
text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text != NULL ? text : "";
}

/* Starts everything, then makes http-1's next process do as told. */
static void
make(const char *mode, const char *const *settings)
{
	stage_start(&st, settings);
	stage_ready(&st);
	stage_mode(&st, "http-1", mode);
	kill(stage_page(&st, "http-1")->pid, SIGTERM);
}

struct crash_case {
	char mode[16], cause[48];
	int signal_number;
};

ParameterizedTestParameters(crash, every_way_to_die_leaves_a_report)
{
	static struct crash_case cases[] = {
#ifndef WITH_SANITIZERS /* which report these themselves, and would be right to */
		{ "segv", "signal 11 (Segmentation fault)", SIGSEGV },
		{ "bus", "signal 7 (Bus error)", SIGBUS },
		{ "fpe", "signal 8 (Floating point exception)", SIGFPE },
		{ "ill", "signal 4 (Illegal instruction)", SIGILL },
		{ "overflow", "signal 11 (Segmentation fault)", SIGSEGV },
#endif
		{ "die", "signal 6 (Aborted)", SIGABRT },
		{ "kill", "signal 9 (Killed)", SIGKILL },
		{ "leave 71", "exit 71 (SYSTEM)", 0 },
	};

	return cr_make_param_array(struct crash_case, cases, sizeof(cases) / sizeof(cases[0]));
}

static void
check_note(const json_t *o, const struct crash_case *c)
{
	const json_t *frames = json_object_get(o, "frames");
	bool own = false;
	size_t i;

	for (i = 0; i < json_array_size(frames); i++)
		own |= strcmp(text_of(json_array_get(frames, i), "module"), "test_worker") == 0;
	if (c->signal_number == 0 || c->signal_number == SIGKILL) {
		cr_expect_eq(json_array_size(frames), 0);
		return;
	}
	cr_expect_eq(json_integer_value(json_object_get(o, "signal")), c->signal_number);
	cr_expect_geq(json_array_size(frames), 3);
	cr_expect(own, "no frame of the worker's own");
	cr_expect_str_eq(text_of(json_array_get(frames, 0), "address"), text_of(o, "instruction"));
	if (strcmp(c->mode, "segv") == 0) {
		cr_expect_str_eq(text_of(o, "address"), "0x8");
		cr_expect_str_eq(text_of(o, "code"), "SEGV_MAPERR");
	}
}

ParameterizedTest(struct crash_case *c, crash, every_way_to_die_leaves_a_report)
{
	const json_t *log;
	char mode[32];
	json_t *o;

	snprintf(mode, sizeof(mode), "once %s", c->mode);
	make(mode, NULL);
	o = report(1);
	cr_expect_str_eq(text_of(o, "slot"), "http-1");
	cr_expect_str_eq(text_of(o, "role"), "http");
	cr_expect_str_eq(text_of(o, "cause"), c->cause);
	check_note(o, c);
	cr_expect_eq(strlen(text_of(o, "build_id")), 40);
	cr_expect_not_null(strstr(text_of(o, "executable"), "test_worker"));
	cr_expect_str_eq(text_of(json_object_get(o, "doing"), "text"), "GET /api/v1/test id-7");
	cr_expect(json_is_true(json_object_get(json_object_get(o, "doing"), "in_hand")));
	cr_expect_gt(json_integer_value(json_object_get(o, "peak_rss_bytes")), 500000);
	cr_expect_gt(strlen(text_of(o, "core")), 4);
	log = json_object_get(o, "log");
	cr_assert_geq(json_array_size(log), 1);
	cr_expect_not_null(strstr(json_string_value(json_array_get(log, json_array_size(log) - 1)),
			       "about to misbehave"),
	    "the last line before the end");
	WAIT_FOR(5000, stage_is_ready(&st, "http-1"));
	json_decref(o);
}

struct hang_case {
	char mode[16];
	char sees[24]; /* in the kernel's word for where it waits, or its state */
};

ParameterizedTestParameters(crash, every_kind_of_hang_is_found_and_told)
{
	static struct hang_case cases[] = {
		{ "loop", "R (running)" },
		{ "deadlock", "futex" },
		{ "read", "pipe_read" },
		{ "stop", "T (stopped)" },
		{ "patient", "T (stopped)" },
	};

	return cr_make_param_array(struct hang_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct hang_case *c, crash, every_kind_of_hang_is_found_and_told)
{
	const json_t *hang;
	char mode[32], seen[300];
	int64_t begun, took;
	json_t *o;

	snprintf(mode, sizeof(mode), "once %s", c->mode);
	make(mode, (const char *[]){
		       "--supervisor.hang_timeout=300ms", "--supervisor.dump_timeout=2s", NULL });
	WAIT_FOR(5000, stage_count(&st, "http-1", "begin") == 2);
	begun = clock_mono();
	o = report(1);
	took = (clock_mono() - begun) / CLOCK_MS;
	cr_expect_str_eq(text_of(o, "cause"), "hang");
	hang = json_object_get(o, "hang");
	snprintf(seen, sizeof(seen), "%s %s", text_of(hang, "state"), text_of(hang, "wchan"));
	cr_expect_not_null(strstr(seen, c->sees), "%s", seen);
	cr_expect_gt(strlen(text_of(hang, "syscall")), 0);
	cr_expect_geq(json_array_size(json_object_get(o, "frames")), 3, "it said where it stood");
	cr_expect_str_eq(text_of(json_object_get(o, "doing"), "text"), "GET /api/v1/test id-7");
#ifndef WITH_SANITIZERS
	cr_expect_leq(took, 3000, "found after %d ms", (int)took);
#else
	(void)took;
#endif
	WAIT_FOR(5000, stage_is_ready(&st, "http-1"));
	cr_expect_eq(
	    metric_read(stage_page(&st, "http-1"), M_WORKER_RESTARTS, LABEL(cause, HANG), 0), 1);
	json_decref(o);
}

Test(crash, a_worker_that_takes_no_abort_is_killed_when_its_time_to_dump_is_over)
{
	json_t *o;

	make("once loop", (const char *[]){ "--supervisor.hang_timeout=300ms",
			      "--supervisor.dump_timeout=0", NULL });
	o = report(1);
	cr_expect_str_eq(text_of(o, "cause"), "hang");
	WAIT_FOR(5000, stage_is_ready(&st, "http-1"));
	json_decref(o);
}

/* However the test ends, it must not spin on: nobody would find it. */
static pid_t
spinner(void)
{
	pid_t test = getpid(), pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (getppid() == test)
		;
	_exit(0);
}

/* Four that spin on two processors beside a worker that spins itself, but turns its loop. */
Test(crash, a_full_machine_makes_nobody_hang)
{
	pid_t spinners[4];
	int i, status;

	for (i = 0; i < 4; i++)
		cr_assert((spinners[i] = spinner()) > 0);
	make("busy", (const char *[]){ "--supervisor.hang_timeout=300ms", NULL });
	WAIT_FOR(10000, stage_count(&st, "http-1", "begin") == 2);
	stage_mode(&st, "http-1", NULL);
	for (i = 0; i < 30; i++) {
		uint64_t beats = stage_page(&st, "http-1")->beats;

		WAIT_FOR(10000, stage_page(&st, "http-1")->beats >= beats + 2);
	}
	for (i = 0; i < 4; i++) {
		kill(spinners[i], SIGKILL);
		waitpid(spinners[i], &status, 0);
	}
	for (i = 0; i < (int)st.board->slot_count; i++)
		cr_expect_eq(metric_read(&st.board->slots[i], M_WORKER_HANGS, 0, 0), 0, "%s",
		    st.board->slots[i].slot);
	cr_expect_eq(stage_count(&st, "http-1", "begin"), 2);
}

Test(crash, one_that_waits_for_a_disk_as_it_said_it_would_is_not_taken_for_hanging)
{
	make("once disk", (const char *[]){ "--supervisor.hang_timeout=300ms", NULL });
	WAIT_FOR(5000, stage_count(&st, "http-1", "begin disk") == 1);
	WAIT_FOR(5000, stage_page(&st, "http-1")->doing_on == 1);
	WAIT_FOR(5000, stage_page(&st, "http-1")->doing_on == 0);
	cr_expect_eq(metric_read(stage_page(&st, "http-1"), M_WORKER_HANGS, 0, 0), 0);
	cr_expect_eq(stage_count(&st, "http-1", "begin"), 2);
}

Test(crash, a_master_that_was_stopped_takes_nobody_for_hanging)
{
	uint64_t beats;

	stage_start(&st, (const char *[]){ "--supervisor.hang_timeout=300ms", NULL });
	stage_ready(&st);
	kill(st.master, SIGSTOP);
	beats = stage_page(&st, "http-0")->beats;
	WAIT_FOR(5000, stage_page(&st, "http-0")->beats >= beats + 20);
	kill(st.master, SIGCONT);
	beats = stage_page(&st, "http-0")->beats;
	WAIT_FOR(5000, stage_page(&st, "http-0")->beats >= beats + 5);
	cr_expect_eq(stage_page(&st, "http-0")->restarts, 0);
	cr_expect(!stage_logged(&st, "stands still"));
}

Test(crash, the_last_hundred_are_kept_and_numbers_go_on_over_a_restart)
{
	char path[200];
	FILE *f;
	json_t *o;

	snprintf(path, sizeof(path), "%s/crashes", st.state);
	cr_assert_eq(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/crashes/000141.json", st.state);
	cr_assert_not_null(f = fopen(path, "we"));
	fclose(f);
	snprintf(path, sizeof(path), "%s/crashes/000042.json", st.state);
	cr_assert_not_null(f = fopen(path, "we"));
	fclose(f);
	make("once kill", NULL);
	o = report(142);
	WAIT_FOR(2000, access(path, F_OK) != 0);
	json_decref(o);
}

Test(crash, a_report_that_cannot_be_kept_costs_a_line_and_nothing_else)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof(path), "%s/crashes", st.state);
	cr_assert_not_null(f = fopen(path, "we"), "a file in the folder's place");
	fclose(f);
	make("once kill", NULL);
	WAIT_FOR(5000, stage_logged(&st, "its crash report cannot be kept"));
	WAIT_FOR(5000, stage_is_ready(&st, "http-1"));
}

TestSuite(hang_add, .timeout = 10);

static const int64_t tick = 50 * CLOCK_MS;
static const struct hang_sight nothing;

Test(hang_add, adds_up_looks_without_a_beat_and_forgets_them_at_the_next)
{
	struct hang_watch w = { .beats = 7 };

	hang_add(&w, 7, tick, &nothing);
	hang_add(&w, 7, tick, &nothing);
	cr_expect_eq(w.still_ns, 2 * tick);
	hang_add(&w, 8, tick, &nothing);
	cr_expect_eq(w.still_ns, 0);
	cr_expect_eq(w.beats, 8);
}

Test(hang_add, a_look_that_came_an_hour_late_counts_as_half_a_second)
{
	struct hang_watch w = { .beats = 7 };

	hang_add(&w, 7, 3600 * CLOCK_SEC, &nothing);
	cr_expect_eq(w.still_ns, 500 * CLOCK_MS);
}

Test(hang_add, what_was_spent_waiting_for_a_processor_does_not_count)
{
	struct hang_sight seen = { .known = true, .state = 'R', .ran_ns = 500, .waited_ns = 1000 };
	struct hang_watch w = { .beats = 7 };
	int i;

	hang_add(&w, 7, tick, &seen);
	for (i = 0; i < 100; i++) {
		seen.waited_ns += (uint64_t)tick - 1000;
		seen.ran_ns += 1000;
		hang_add(&w, 7, tick, &seen);
	}
	cr_expect_eq(w.still_ns, tick + 100 * 1000, "starved, not hanging");
	seen.ran_ns += (uint64_t)tick;
	hang_add(&w, 7, tick, &seen);
	cr_expect_eq(w.still_ns, 2 * tick + 100 * 1000, "it had the processor and did not turn");
}

Test(hang_add, a_wait_that_has_not_ended_does_not_count_either)
{
	struct hang_sight seen = { .known = true, .state = 'R', .ran_ns = 500, .waited_ns = 1000 };
	struct hang_watch w = { .beats = 7 };
	int i;

	for (i = 0; i < 100; i++)
		hang_add(&w, 7, tick, &seen);
	cr_expect_eq(w.still_ns, tick, "ready to run, and never let");
	seen.state = 'S';
	hang_add(&w, 7, tick, &seen);
	cr_expect_eq(w.still_ns, 2 * tick, "it sleeps: nobody keeps it from running");
}

Test(hang_add, what_was_counted_before_the_kernel_told_is_taken_off_again)
{
	struct hang_sight seen = { .known = true, .state = 'S', .ran_ns = 500, .waited_ns = 1000 };
	struct hang_watch w = { .beats = 7 };

	hang_add(&w, 7, tick, &seen);
	hang_add(&w, 7, tick, &seen);
	seen.waited_ns += (uint64_t)(2 * tick);
	hang_add(&w, 7, tick, &seen);
	cr_expect_eq(w.still_ns, tick);
}

Test(crash_oom, kills_of_the_kernel_are_counted_from_its_own_file)
{
	char path[] = "/tmp/opitios-vmstat-XXXXXX";
	int fd = mkstemp(path);

	cr_assert_eq(write(fd, "pgfault 5\noom_kill 3\nnuma 1\n", 28), 28);
	cr_expect_eq(oom_kills(path), 3);
	cr_expect_eq(oom_kills("/nowhere"), 0);
	close(fd);
	unlink(path);
}

/* As the clock of look.c does. */
static void
oom_pass(struct oom *o, int64_t *now, uint64_t kills, int64_t seconds)
{
	int64_t end = *now + seconds * CLOCK_SEC;

	for (; *now < end; *now += CLOCK_SEC)
		if (oom_is_due(o, *now))
			oom_look(o, kills, *now);
}

Test(crash_oom, a_kill_of_long_ago_says_nothing_about_a_death_of_now)
{
	struct oom o = { 0 };
	int64_t now = CLOCK_DAY;

	oom_pass(&o, &now, 3, 60);
	cr_expect(!oom_grew(&o, 3), "those before the start are no news");
	cr_expect(oom_grew(&o, 4), "one of just now");
	cr_expect(!oom_grew(&o, 4), "told once");
	oom_pass(&o, &now, 5, 8);
	cr_expect(oom_grew(&o, 5), "one that took its time to be gone");
	oom_pass(&o, &now, 6, 30);
	cr_expect(!oom_grew(&o, 6), "another's, half a minute ago");
}

Test(crash_oom, a_count_that_could_not_be_read_makes_no_kill_of_an_old_one)
{
	struct oom o = { 0 };
	int64_t now = CLOCK_DAY;

	oom_pass(&o, &now, 3, 60);
	oom_pass(&o, &now, 0, 60);
	cr_expect(!oom_grew(&o, 0));
	cr_expect(!oom_grew(&o, 3), "those of long ago");
	cr_expect(oom_grew(&o, 4));
}
