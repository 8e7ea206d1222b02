/* test_replace.c - the real master over test workers: what gets in the way of a replacement, and who is told. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
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

TestSuite(replace, .init = setup, .fini = teardown, .timeout = 60);

static void
start(const char *const *settings)
{
	stage_conf(&st, "");
	stage_start(&st, settings);
	stage_ready(&st);
	WAIT_FOR(5000, stage_is_ready(&st, "cache-writer") && stage_is_ready(&st, "http-1"));
}

/* A connection over which this was asked; the answer may come later. */
static int
ask(const char *command, const char *args)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = 10 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), n;
	char line[200];

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/control.sock", st.state);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	cr_assert_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	n = snprintf(line, sizeof(line), "{\"command\":\"%s\",\"args\":[%s]}\n", command, args);
	cr_assert_eq(write(fd, line, (size_t)n), n);
	return fd;
}

static const char *
answer(int fd)
{
	static char line[2000];
	ssize_t n = recv(fd, line, sizeof(line) - 1, 0);

	line[n > 0 ? n : 0] = '\0';
	close(fd);
	return line;
}

static bool
said(int fd, const char *what)
{
	const char *line = answer(fd);

	if (strstr(line, what) == NULL)
		cr_log_error("the answer is: %s", line);
	return strstr(line, what) != NULL;
}

static uint64_t
failed_reloads(void)
{
	return metric_read(stage_page(&st, "master"), M_RELOADS, LABEL(result, FAILED), 0);
}

static void
allow_descriptors(rlim_t most)
{
	struct rlimit limit = { .rlim_cur = most, .rlim_max = 4096 };

	cr_assert_eq(prlimit(st.master, RLIMIT_NOFILE, &limit, NULL), 0);
}

Test(replace, whoever_asked_for_one_that_is_given_up_is_told)
{
	int restart;

	start(NULL);
	stage_mode(&st, "http-1.1", "never");
	restart = ask("restart", "\"http-1\"");
	WAIT_FOR(5000, stage_count(&st, "http-1.1", "begin") == 1);
	cr_expect(said(ask("scale", "\"http\",\"1\""), "\"ok\":true"));
	cr_expect(said(restart, "http-1: given up"));
}

Test(replace, a_restart_beside_a_reload_is_refused_and_the_reload_goes_on)
{
	start(NULL);
	stage_mode(&st, "http-0.1", "slow 500");
	stage_conf(&st, "[upstream]\ntimeout = 3s\n");
	kill(st.master, SIGHUP);
	WAIT_FOR(5000, stage_count(&st, "http-0.1", "begin") == 1);
	cr_expect(said(ask("restart", "\"fetcher-rest\""), "a reload or an upgrade is under way"));
	WAIT_FOR(5000, st.board->generation == 2);
	cr_expect_eq(failed_reloads(), 0);
}

Test(replace, scaling_waits_for_slots_that_are_stopped_together)
{
	start((const char *[]){ "--supervisor.strategy_fetcher=one_for_all",
	    "--supervisor.drain_timeout=700ms", "--supervisor.dump_timeout=50ms", NULL });
	stage_mode(&st, "http-1", "once stuck");
	kill(stage_page(&st, "http-1")->pid, SIGKILL);
	WAIT_FOR(5000, stage_count(&st, "http-1", "begin stuck") == 1);
	WAIT_FOR(5000, stage_is_ready(&st, "http-1"));
	kill(stage_page(&st, "fetcher-rest")->pid, SIGKILL);
	WAIT_FOR(5000, stage_count(&st, "http-1", "drain") == 1);
	cr_expect(said(ask("scale", "\"http\",\"2\""), "a restart of several slots"));
	WAIT_FOR(8000, stage_is_ready(&st, "fetcher-rest") && stage_is_ready(&st, "http-1") &&
			   stage_is_ready(&st, "http-0"));
	WAIT_FOR(5000, strstr(answer(ask("reload", "")), "\"ok\":true") != NULL);
}

Test(replace, failures_of_earlier_successors_are_not_held_against_the_one_that_serves)
{
	uint64_t i;

	start((const char *[]){ "--supervisor.stable_after=60s", NULL });
	stage_mode(&st, "http-0.1", "exit 70");
	for (i = 1; i <= 6; i++) {
		kill(st.master, SIGHUP);
		WAIT_FOR(5000, failed_reloads() == i);
	}
	stage_mode(&st, "http-0.1", NULL);
	cr_expect(said(ask("reload", ""), "\"ok\":true"));
	cr_expect_eq(stage_slot(&st, "http-0")->failed_ns, 0);
	cr_expect_str_eq(stage_slot(&st, "http-0")->slot, "http-0.1");
}

Test(replace, without_a_descriptor_for_the_successor_the_old_ones_serve_on)
{
	pid_t zero, one;

	start(NULL);
	zero = stage_page(&st, "http-0")->pid;
	one = stage_page(&st, "http-1")->pid;
	stage_mode(&st, "http-0.1", "once slow 300");
	stage_mode(&st, "http-1.1", "once slow 300");
	kill(st.master, SIGHUP);
	WAIT_FOR(5000, stage_count(&st, "http-0.1", "begin") == 1 &&
			   stage_count(&st, "http-1.1", "begin") == 1);
	allow_descriptors(3);
	WAIT_FOR(5000, failed_reloads() == 1);
	cr_expect(stage_logged(&st, "descriptors ran out"));
	cr_expect_eq(stage_slot(&st, "http-0")->pid, zero);
	cr_expect_eq(stage_slot(&st, "http-1")->pid, one);
	allow_descriptors(1024);
	WAIT_FOR(5000, stage_child(&st, "http-0.1") == 0);
	cr_expect(said(ask("reload", ""), "\"ok\":true"));
}

Test(replace, a_single_one_without_a_descriptor_for_its_successor_serves_on_too)
{
	pid_t zero;
	int fd;

	start(NULL);
	zero = stage_page(&st, "http-0")->pid;
	stage_mode(&st, "http-0.1", "once slow 300");
	fd = ask("restart", "\"http-0\"");
	WAIT_FOR(5000, stage_count(&st, "http-0.1", "begin") == 1);
	allow_descriptors(3);
	cr_expect(said(fd, "\"ok\":false"));
	allow_descriptors(1024);
	cr_expect_eq(stage_slot(&st, "http-0")->pid, zero);
	cr_expect_eq(stage_count(&st, "http-0", "drain"), 0);
}

Test(replace, a_slot_whose_processes_cannot_be_born_has_failed)
{
	start((const char *[]){ "--supervisor.stable_after=60s", "--supervisor.restart_floor=10ms",
	    "--supervisor.restart_ceiling=50ms", "--supervisor.fail_timeout=300ms", NULL });
	allow_descriptors(3);
	kill(stage_page(&st, "cache-writer")->pid, SIGKILL);
	WAIT_FOR(8000, stage_logged(&st, "cache-writer: a required role, has failed for"));
	allow_descriptors(1024); /* a sanitizer wants some at the end */
	cr_expect_eq(stage_exit(&st, 10000), 69);
}

/* Traced by this process it is not gone for the master before this process has seen it. */
Test(replace, a_process_that_does_not_end_is_told_and_holds_up_a_reload_for_a_bounded_time)
{
	pid_t old;
	int status;

	start((const char *[]){
	    "--supervisor.drain_timeout=50ms", "--supervisor.dump_timeout=50ms", NULL });
	old = stage_page(&st, "http-0")->pid;
	if (ptrace(PTRACE_SEIZE, old, NULL, NULL) != 0)
		cr_skip_test("nobody may be traced here");
	cr_expect(said(ask("restart", "\"http-0\""), "\"ok\":true"));
	cr_expect(said(ask("reload", ""), "of the generation before, does not end"));
	WAIT_FOR(
	    5000, stage_logged(&st, "was killed and does not end: the kernel holds it, state Z"));
	cr_expect(said(ask("scale", "\"http\",\"2\""), "\"ok\":true"));
	while (waitpid(old, &status, __WALL) == old && WIFSTOPPED(status))
		(void)ptrace(PTRACE_CONT, old, NULL, NULL);
	WAIT_FOR(5000, stage_child(&st, "http-0") == 0);
	WAIT_FOR(5000, strstr(answer(ask("reload", "")), "\"ok\":true") != NULL);
}

Test(replace, whoever_accuses_one_after_the_other_is_the_broken_one)
{
	const struct slot_page *fetcher, *http;

	start(NULL);
	fetcher = stage_page(&st, "fetcher-rest");
	http = stage_page(&st, "http-0");
	stage_mode(&st, "http-0", "once accuse");
	kill(http->pid, SIGKILL);
	WAIT_FOR(8000, http->restarts == 2);
	WAIT_FOR(5000, stage_is_ready(&st, "fetcher-rest") && stage_is_ready(&st, "http-0"));
	cr_expect_eq(fetcher->restarts, 1);
	cr_expect(stage_logged(&st, "says of a second process"));
	cr_expect_eq(metric_read(http, M_WORKER_RESTARTS, LABEL(cause, PROTOCOL), 0), 1);
}

Test(replace, recycling_backs_off_when_the_successor_dies)
{
	start((const char *[]){
	    "--http.recycle_age=300ms", "--supervisor.restart_ceiling=20s", NULL });
	stage_mode(&st, "http-0.1", "exit 70");
	stage_mode(&st, "http-1.1", "exit 70");
	WAIT_FOR(5000, stage_count(&st, NULL, "begin exit") == 1);
	usleep(1300 * 1000);
	cr_expect_eq(stage_count(&st, NULL, "begin exit"), 1);
}

Test(replace, as_many_deaths_as_the_setting_says_are_a_failure_also_when_they_are_many)
{
	const struct slot_page *page;

	start((const char *[]){ "--supervisor.fail_deaths=80", "--supervisor.stable_after=60s",
	    "--supervisor.restart_floor=1ms", "--supervisor.restart_ceiling=1ms",
	    "--supervisor.fail_timeout=0", NULL });
	page = stage_page(&st, "http-1");
	stage_mode(&st, "http-1", "exit 70");
	kill(page->pid, SIGKILL);
	WAIT_FOR(20000, page->failed_ns != 0);
	cr_expect_geq(page->restarts, 80);
}
