/* test_ctl.c - the control socket: what it answers, to whom, and what nobody can do to it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <grp.h>
#include <jansson.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "stage.h"

#define CONNS_MAX  16
#define ANSWER_MAX (4 << 20)

static struct stage st;
static char answer[ANSWER_MAX];

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

TestSuite(ctl, .init = setup, .fini = teardown, .timeout = 60);

static const char *
socket_path(void)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/control.sock", st.state);
	return path;
}

/* -1: not to be had. */
static int
dial(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = 10 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(a.sun_path, socket_path());
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
		close(fd);
		return -1;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

static void
say(int fd, const char *text)
{
	cr_assert_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* One line, without its newline; false at the end of the connection. */
static bool
hear(int fd)
{
	size_t n = 0;

	while (n < sizeof(answer) - 1) {
		ssize_t r = recv(fd, answer + n, 1, 0);

		if (r != 1) {
			answer[n] = '\0';
			return false;
		}
		if (answer[n] == '\n')
			break;
		n++;
	}
	answer[n] = '\0';
	return true;
}

static json_t *
ask(int fd, const char *line)
{
	json_t *a;

	say(fd, line);
	say(fd, "\n");
	cr_assert(hear(fd), "no answer to %s", line);
	a = json_loads(answer, 0, NULL);
	cr_assert(json_is_object(a), "%s -> %s", line, answer);
	return a;
}

static bool
is_ok(const json_t *a)
{
	return json_is_true(json_object_get(a, "ok"));
}

/* Refused with one clear line, and the connection is as good as before. */
static void
refused(int fd, const char *line, const char *why)
{
	json_t *a = ask(fd, line);

	cr_expect_not(is_ok(a), "%s -> %s", line, answer);
	cr_expect_not_null(strstr(answer, why), "%.80s -> %s", line, answer);
	cr_expect(json_is_integer(json_object_get(a, "code")));
	json_decref(a);
	a = ask(fd, "{\"command\":\"status\"}");
	cr_expect(is_ok(a));
	json_decref(a);
}

Test(ctl, the_socket_is_for_its_owner_alone_and_goes_with_the_master)
{
	struct stat s;

	stage_start(&st, NULL);
	stage_ready(&st);
	cr_assert_eq(stat(socket_path(), &s), 0);
	cr_expect(S_ISSOCK(s.st_mode));
	cr_expect_eq(s.st_mode & 07777, 0600);
	kill(st.master, SIGTERM);
	cr_expect_eq(stage_exit(&st, 10000), 0);
	cr_expect_eq(stat(socket_path(), &s), -1);
}

Test(ctl, a_dead_masters_socket_is_replaced)
{
	int fd;

	stage_start(&st, NULL);
	stage_ready(&st);
	kill(st.master, SIGKILL);
	stage_exit(&st, 5000);
	cr_assert_eq(access(socket_path(), F_OK), 0);
	cr_expect_eq(dial(), -1);
	stage_start(&st, NULL);
	WAIT_FOR(10000, (fd = dial()) >= 0);
	json_decref(ask(fd, "{\"command\":\"status\"}"));
	close(fd);
}

Test(ctl, a_file_in_its_place_is_not_removed_but_told)
{
	static char said[4096];
	FILE *f = fopen(socket_path(), "w");

	fclose(f);
	cr_expect_eq(stage_run(&st, (const char *[]){ "--http.address=127.0.0.1:0", NULL }, said,
			 sizeof(said)),
	    73);
	cr_expect_not_null(strstr(said, "control.sock"), "%s", said);
	cr_expect_eq(access(socket_path(), F_OK), 0);
}

Test(ctl, a_state_directory_with_a_long_path_has_its_socket_too)
{
	char deep[256], path[300], address[300];
	struct stat s;

	snprintf(deep, sizeof(deep), "--state.dir=%s/%0100d", st.state, 7);
	snprintf(path, sizeof(path), "%s/control.sock", deep + strlen("--state.dir="));
	snprintf(address, sizeof(address), "%s/http.address", deep + strlen("--state.dir="));
	stage_start(&st, (const char *[]){ deep, NULL });
	/* That file is the last a master writes when it starts. */
	WAIT_FOR(10000, access(address, F_OK) == 0);
	cr_assert_eq(stat(path, &s), 0);
	cr_expect(S_ISSOCK(s.st_mode));
	kill(st.master, SIGTERM);
	cr_expect_eq(stage_exit(&st, 10000), 0);
	cr_expect_eq(stat(path, &s), -1);
}

Test(ctl, status_and_workers_tell_what_runs)
{
	const json_t *w;
	json_t *a;
	int fd;

	stage_start(&st, NULL);
	stage_ready(&st);
	fd = dial();
	a = ask(fd, "{\"command\":\"status\",\"args\":[]}");
	cr_expect_str_eq(json_string_value(json_object_get(a, "health")), "degraded");
	cr_expect(json_is_true(json_object_get(a, "ready")));
	cr_expect_eq(json_integer_value(json_object_get(a, "pid")), st.master);
	cr_expect_eq(json_integer_value(json_object_get(json_object_get(a, "slots"), "ready")), 4);
	json_decref(a);
	a = ask(fd, "{\"command\":\"workers\"}");
	cr_assert_eq(json_array_size(json_object_get(a, "workers")), 4);
	w = json_array_get(json_object_get(a, "workers"), 2);
	cr_expect_str_eq(json_string_value(json_object_get(w, "slot")), "http-0");
	cr_expect_eq(json_integer_value(json_object_get(w, "pid")), stage_page(&st, "http-0")->pid);
	cr_expect_gt(json_number_value(json_object_get(w, "rss_bytes")), 100000);
	cr_expect(json_is_number(json_object_get(w, "cpu_seconds")));
	cr_expect_eq(json_array_size(json_object_get(w, "duration_buckets")),
	    json_array_size(json_object_get(a, "bucket_seconds")) + 1);
	json_decref(a);
	close(fd);
}

Test(ctl, a_death_is_counted_and_told)
{
	const json_t *w;
	json_t *a;
	pid_t pid;
	int fd;

	stage_start(&st, NULL);
	stage_ready(&st);
	pid = stage_page(&st, "http-1")->pid;
	kill(pid, SIGKILL);
	WAIT_FOR(5000, stage_is_ready(&st, "http-1") && stage_page(&st, "http-1")->pid != pid);
	fd = dial();
	a = ask(fd, "{\"command\":\"workers\"}");
	w = json_array_get(json_object_get(a, "workers"), 3);
	cr_expect_eq(json_integer_value(json_object_get(w, "restarts")), 1);
	cr_expect_eq(json_integer_value(json_object_get(w, "replaced")), 0);
	cr_expect_not_null(strstr(json_string_value(json_object_get(w, "last_exit")), "signal 9"));
	json_decref(a);
	close(fd);
}

Test(ctl, what_is_no_request_is_refused_with_one_clear_line)
{
	char deep[3000] = "{\"command\":\"status\",\"args\":", words[600];
	int fd;

	stage_start(&st, NULL);
	stage_ready(&st);
	fd = dial();
	refused(fd, "", "not JSON");
	refused(fd, "\x01\xff\xfe", "not JSON");
	refused(fd, "{\"command\":\"sta", "not JSON");
	refused(fd, "[]", "not an object");
	refused(fd, "{}", "\\\"command\\\" is missing");
	refused(fd, "{\"command\":7}", "\\\"command\\\"");
	refused(fd, "{\"command\":\"\"}", "\\\"command\\\"");
	refused(fd, "{\"command\":\"a\",\"command\":\"b\"}", "not JSON");
	refused(fd, "{\"command\":\"bogus\"}", "there is no command \\\"bogus\\\"");
	refused(fd, "{\"command\":\"top\"}", "there is no command");
	refused(fd, "{\"command\":\"status\",\"args\":\"x\"}", "\\\"args\\\" is not a list");
	refused(fd, "{\"command\":\"status\",\"args\":[{}]}", "\\\"args\\\"[0]");
	refused(fd, "{\"command\":\"restart\",\"args\":[\"a\\u0007b\"]}", "\\\"args\\\"[0]");
	refused(fd, "{\"command\":\"status\",\"args\":[\"x\"]}", "takes no argument");
	refused(fd, "{\"command\":\"restart\"}", "restart takes SLOT");
	refused(fd, "{\"command\":\"restart\",\"args\":[\"http-77\"]}",
	    "there is no slot \\\"http-77\\\"");
	refused(fd, "{\"command\":\"scale\",\"args\":[\"http\",\"0\"]}", "1 to 256");
	refused(fd, "{\"command\":\"scale\",\"args\":[\"fetcher\",\"2\"]}", "cannot be scaled");
	refused(
	    fd, "{\"command\":\"log-level\",\"args\":[\"loud\"]}", "debug, info, warn or error");
	refused(fd, "{\"command\":\"crashes\",\"limit\":-1}", "\\\"limit\\\"");
	refused(fd, "{\"command\":\"crashes\",\"args\":[\"../../etc/passwd\"]}", "no number");
	refused(fd, "{\"command\":\"crashes\",\"args\":[\"4711\"]}", "no crash report 4711");
	memset(deep + strlen(deep), '[', 2500);
	refused(fd, deep, "not JSON");
	snprintf(words, sizeof(words), "{\"command\":\"status\",\"args\":[\"%0200d\"]}", 1);
	refused(fd, words, "\\\"args\\\"[0]");
	close(fd);
}

Test(ctl, a_line_that_is_too_long_ends_its_connection_with_a_word)
{
	static char long_line[5000];
	json_t *a;
	int fd;

	stage_start(&st, NULL);
	stage_ready(&st);
	fd = dial();
	memset(long_line, 'x', 4096);
	say(fd, long_line);
	cr_assert(hear(fd));
	cr_expect_not_null(strstr(answer, "at most 4096 bytes"), "%s", answer);
	cr_expect_not(hear(fd), "the connection is over");
	close(fd);
	/* One byte less, with its newline, is a request. */
	memset(long_line, ' ', 4095);
	memcpy(long_line, "{\"command\":\"status\"}", 20);
	long_line[4095] = '\0';
	fd = dial();
	a = ask(fd, long_line);
	cr_expect(is_ok(a), "%s", answer);
	json_decref(a);
	close(fd);
}

Test(ctl, requests_may_come_in_pieces_or_many_at_once_and_the_last_half_closed)
{
	int fd, i;

	stage_start(&st, NULL);
	stage_ready(&st);
	fd = dial();
	say(fd, "{\"comm");
	usleep(20000);
	say(fd, "and\":\"status\"}\n{\"command\":\"workers\"}\n");
	for (i = 0; i < 50; i++)
		say(fd, "{\"command\":\"crashes\"}\n");
	shutdown(fd, SHUT_WR);
	for (i = 0; i < 52; i++) {
		cr_assert(hear(fd), "%d", i);
		cr_expect_eq(strncmp(answer, "{\"ok\":true,", 11), 0, "%s", answer);
	}
	cr_expect_not(hear(fd), "it ends when all is answered");
	close(fd);
}

Test(ctl, beyond_the_bound_a_connection_is_refused_and_room_is_made_by_leaving)
{
	int fds[CONNS_MAX], i, extra;
	json_t *a;

	stage_start(&st, NULL);
	stage_ready(&st);
	for (i = 0; i < CONNS_MAX; i++) {
		fds[i] = dial();
		json_decref(ask(fds[i], "{\"command\":\"status\"}"));
	}
	extra = dial();
	cr_assert(hear(extra));
	cr_expect_not_null(strstr(answer, "as many connections as it allows"), "%s", answer);
	close(extra);
	a = ask(fds[0], "{\"command\":\"status\"}");
	cr_expect_eq(
	    json_integer_value(json_object_get(json_object_get(a, "control"), "connections")),
	    CONNS_MAX);
	cr_expect_eq(
	    json_integer_value(json_object_get(json_object_get(a, "control"), "refused")), 1);
	json_decref(a);
	close(fds[3]);
	WAIT_FOR(5000, ({
		extra = dial();
		say(extra, "{\"command\":\"status\"}\n");
		bool good = hear(extra) && strncmp(answer, "{\"ok\":true,", 11) == 0;
		close(extra);
		good;
	}));
	for (i = 0; i < CONNS_MAX; i++)
		if (i != 3)
			close(fds[i]);
}

Test(ctl, a_client_that_does_not_read_costs_only_itself)
{
	int deaf, fd, small = 4096;
	int64_t begun, slowest = 0;
	size_t sent = 0;

	stage_start(&st, NULL);
	stage_ready(&st);
	deaf = dial();
	setsockopt(deaf, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	/* Until the master takes no more of it for a while: what it has not answered it does not read. */
	while (sent < 20000) {
		struct pollfd p = { .fd = deaf, .events = POLLOUT };

		if (send(deaf, "{\"command\":\"workers\"}\n", 22, MSG_DONTWAIT | MSG_NOSIGNAL) ==
		    22)
			sent++;
		else if (poll(&p, 1, 300) != 1)
			break;
	}
	cr_expect_lt(sent, 20000, "its own requests wait as well");
	fd = dial();
	for (int i = 0; i < 100; i++) {
		begun = clock_mono();
		json_decref(ask(fd, "{\"command\":\"status\"}"));
		if (clock_mono() - begun > slowest)
			slowest = clock_mono() - begun;
	}
	cr_expect_lt(slowest, 500 * CLOCK_MS);
	/* What it asked for before is answered when it reads at last. */
	for (int i = 0; i < 20; i++)
		cr_assert(hear(deaf), "%d", i);
	close(deaf);
	close(fd);
}

/* As another user: 0 when refused with a word, 1 when heard, 2 when not even connected. */
static int
as_nobody(void)
{
	const struct passwd *nobody = getpwnam("nobody");
	int status = 0;
	pid_t pid;

	if ((pid = fork()) == 0) {
		int fd;

		if (setgroups(0, NULL) != 0 || setgid(nobody->pw_gid) != 0 ||
		    setuid(nobody->pw_uid) != 0)
			_exit(9);
		if ((fd = dial()) < 0)
			_exit(2);
		(void)!send(fd, "{\"command\":\"drain\"}\n", 20, MSG_NOSIGNAL);
		_exit(hear(fd) && strstr(answer, "only root") != NULL ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

Test(ctl, another_user_is_refused_by_the_file_and_by_the_kernels_word)
{
	if (geteuid() != 0)
		cr_skip_test("only root can become another user");
	stage_start(&st, NULL);
	stage_ready(&st);
	cr_expect_eq(as_nobody(), 2, "mode 0600 in a folder of mode 0700");
	/* Somebody opened folder and file to all. */
	chmod(st.dir, 0755);
	chmod(st.state, 0755);
	chmod(socket_path(), 0666);
	cr_expect_eq(as_nobody(), 0);
	cr_expect_not_null(strstr(stage_read(&st, "log"), "control socket: refused process"));
	cr_expect_eq(st.board->stopping, 0, "nor did it drain");
}

Test(ctl, drain_is_answered_and_then_the_gateway_ends)
{
	json_t *a;
	int fd;

	stage_start(&st, NULL);
	stage_ready(&st);
	fd = dial();
	a = ask(fd, "{\"command\":\"drain\"}");
	cr_expect(is_ok(a), "%s", answer);
	json_decref(a);
	cr_expect_eq(stage_exit(&st, 15000), 0);
	close(fd);
}

static void
write_report(const char *name, const char *text)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof(path), "%s/crashes", st.state);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/crashes/%s", st.state, name);
	f = fopen(path, "w");
	fputs(text, f);
	fclose(f);
}

Test(ctl, crashes_lists_the_newest_first_and_leaves_out_what_is_none)
{
	const json_t *list;
	char name[32], text[64];
	json_t *a;
	int fd;

	stage_start(&st, NULL);
	stage_ready(&st);
	for (int i = 1; i <= 30; i++) {
		snprintf(name, sizeof(name), "%06d.json", i * 7 % 31);
		snprintf(text, sizeof(text), "{\"id\":%d,\n \"log\":[\"a\"]}\n", i * 7 % 31);
		write_report(name, text);
	}
	write_report("000029.json", "{\"id\":29, cut");
	write_report("notes.txt", "x");
	write_report("000031.json.new", "{}");
	fd = dial();
	a = ask(fd, "{\"command\":\"crashes\"}");
	list = json_object_get(a, "crashes");
	cr_expect_eq(json_integer_value(json_object_get(a, "kept")), 30);
	cr_expect_eq(json_array_size(list), 19, "twenty, one of them spoiled: %s", answer);
	cr_expect_eq(json_integer_value(json_object_get(json_array_get(list, 0), "id")), 30);
	cr_expect_eq(json_integer_value(json_object_get(json_array_get(list, 1), "id")), 28);
	cr_expect_eq(json_integer_value(json_object_get(json_array_get(list, 18), "id")), 11);
	json_decref(a);
	a = ask(fd, "{\"command\":\"crashes\",\"args\":[\"000012\"]}");
	list = json_object_get(a, "crashes");
	cr_expect_eq(json_integer_value(json_object_get(json_array_get(list, 0), "id")), 12);
	json_decref(a);
	a = ask(fd, "{\"command\":\"crashes\",\"limit\":2}");
	cr_expect_eq(json_array_size(json_object_get(a, "crashes")), 1);
	json_decref(a);
	a = ask(fd, "{\"command\":\"status\"}");
	cr_expect_eq(
	    json_integer_value(json_object_get(json_object_get(a, "crashes"), "newest")), 30);
	json_decref(a);
	close(fd);
}
