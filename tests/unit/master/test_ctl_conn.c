/* test_ctl_conn.c - clients of the control socket that wait for an action, leave, or come back. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl.h"
#include "mem.h"

#define WAITING 64

static struct master *m;
static char heard[65536];
static void *waiting[WAITING]; /* what the actions under way are to call ctl_done with */
static unsigned begun;

/* The table of this test: `now` is done at once, `later` by the test, `never` is refused, `ask` is a query. */
static void
act_later(struct ctl_answer *a, const struct ctl_request *q)
{
	(void)q;
	waiting[begun++ % WAITING] = a->wait;
}

static void
act_now(struct ctl_answer *a, const struct ctl_request *q)
{
	(void)q;
	ctl_done(a->wait, E_OK, "done at once");
}

static void
act_never(struct ctl_answer *a, const struct ctl_request *q)
{
	(void)q;
	ctl_refuse(a, E_ABSENT, "there is no %s", "such thing");
}

static void
ask_all(struct ctl_answer *a, const struct ctl_request *q)
{
	json_u64(a->json, "words", q->argc);
}

const struct ctl_command *
ctl_command_find(const char *name)
{
	static const struct ctl_command table[] = { { "later", CTL_ACTION, "", act_later },
		{ "now", CTL_ACTION, "", act_now }, { "never", CTL_ACTION, "", act_never },
		{ "ask", CTL_QUERY, "[X]", ask_all } };

	for (size_t i = 0; i < 4; i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}

bool
ctl_command_takes(const struct ctl_command *command, size_t argc)
{
	return argc <= strlen(command->arguments) / 3;
}

/* The page is the master's own; here nothing is ever refused for want of anything. */
void
page_refused(struct master *of, const char *who, const char *what, int error)
{
	cr_assert_fail("%p: %s: no %s: %s", (void *)of, who, what, strerror(error));
}

static void
setup(void)
{
	begun = 0;
	m = mem_alloc(sizeof(*m));
	strcpy(m->conf.state_dir, "/tmp/opitios-conn-XXXXXX");
	cr_assert_not_null(mkdtemp(m->conf.state_dir));
	m->loop = loop_new();
	ctl_open(m);
}

static void
teardown(void)
{
	ctl_close(m);
	loop_free(&m->loop);
	cr_expect_eq(rmdir(m->conf.state_dir), 0, "nothing is left behind");
	mem_free(&m);
}

TestSuite(ctl_conn, .init = setup, .fini = teardown, .timeout = 20);

static void
turns(void)
{
	for (int i = 0; i < 8; i++)
		loop_turn(m->loop, 1);
}

static int
dial(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%.80s/control.sock", m->conf.state_dir);
	cr_assert_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	turns();
	return fd;
}

static void
say(int fd, const char *command)
{
	char line[128];
	int n = snprintf(line, sizeof(line), "{\"command\":\"%s\"}\n", command);

	cr_assert_eq(send(fd, line, (size_t)n, MSG_NOSIGNAL), n);
	turns();
}

/* All that came so far; the end of the connection is "". Null: nothing. */
static const char *
hear(int fd)
{
	ssize_t n = recv(fd, heard, sizeof(heard) - 1, 0);

	if (n < 0) {
		cr_assert_eq(errno, EAGAIN);
		return NULL;
	}
	heard[n] = '\0';
	return heard;
}

Test(ctl_conn, an_action_is_answered_when_it_is_done_and_what_follows_after_it)
{
	int fd = dial();

	say(fd, "later");
	say(fd, "ask");
	cr_expect_null(hear(fd));
	cr_assert_eq(begun, 1);
	ctl_done(waiting[0], E_OK, "all 4 are ready");
	turns();
	cr_assert_not_null(hear(fd));
	cr_expect_str_eq(heard, "{\"ok\":true,\"command\":\"later\",\"text\":\"all 4 are ready\"}\n"
				"{\"ok\":true,\"command\":\"ask\",\"words\":0}\n");
	close(fd);
}

Test(ctl_conn, an_action_may_be_done_at_once_fail_later_or_be_refused)
{
	int fd = dial();

	say(fd, "now");
	cr_expect_str_eq(hear(fd), "{\"ok\":true,\"command\":\"now\",\"text\":\"done at once\"}\n");
	say(fd, "never");
	cr_expect_not_null(strstr(
	    hear(fd), "\"error\":\"there is no such thing\",\"code\":49,\"name\":\"ABSENT\""));
	say(fd, "later");
	ctl_done(waiting[0], E_CONFIG, "http.workers: \"x\" is not a number");
	turns();
	cr_expect_not_null(strstr(
	    hear(fd), "\"ok\":false,\"command\":\"later\",\"error\":\"http.workers: \\\"x\\\""));
	say(fd, "ask");
	cr_expect_not_null(hear(fd));
	close(fd);
}

Test(ctl_conn, the_action_of_a_client_that_left_goes_on)
{
	int fd = dial(), other;

	say(fd, "later");
	close(fd);
	turns();
	cr_expect_eq(m->ctl->conn_count, 0);
	other = dial();
	say(other, "later");
	ctl_done(waiting[0], E_OK, "nobody hears it");
	turns();
	cr_expect_null(hear(other), "it is not the other's answer");
	ctl_done(waiting[1], E_OK, "heard");
	turns();
	cr_expect_not_null(strstr(hear(other), "heard"));
	close(other);
}

Test(ctl_conn, one_that_only_ended_its_own_side_still_hears_the_answer)
{
	int fd = dial();

	say(fd, "later");
	shutdown(fd, SHUT_WR);
	turns();
	cr_expect_eq(m->ctl->conn_count, 1);
	ctl_done(waiting[0], E_OK, "done");
	turns();
	cr_expect_not_null(strstr(hear(fd), "\"text\":\"done\""));
	cr_expect_str_eq(hear(fd), "", "and then it ends");
	cr_expect_eq(m->ctl->conn_count, 0);
	close(fd);
}

Test(ctl_conn, actions_under_way_are_bounded_also_when_their_clients_left)
{
	int fd;

	for (int i = 0; i < CTL_WAITS_MAX; i++) {
		fd = dial();
		say(fd, "later");
		close(fd);
		turns();
	}
	cr_expect_eq(begun, CTL_WAITS_MAX);
	fd = dial();
	say(fd, "later");
	cr_expect_not_null(strstr(hear(fd), "too many actions are under way"), "%s", heard);
	say(fd, "ask");
	cr_expect_not_null(strstr(hear(fd), "\"ok\":true"), "queries are answered all the same");
	ctl_done(waiting[5], E_OK, "done");
	say(fd, "later");
	cr_expect_eq(begun, CTL_WAITS_MAX + 1);
	close(fd);
}

Test(ctl_conn, the_end_of_the_server_ends_clients_that_wait)
{
	int fd = dial();

	say(fd, "later");
	ctl_close(m);
	cr_expect_str_eq(hear(fd), "");
	close(fd);
	ctl_open(m);
}

Test(ctl_conn, a_silent_client_has_a_deadline_but_not_while_it_waits_for_an_action)
{
	int fd = dial();

	cr_expect(loop_timer_is_set(&m->ctl->conns[0].idle));
	say(fd, "later");
	cr_expect_not(loop_timer_is_set(&m->ctl->conns[0].idle));
	ctl_done(waiting[0], E_OK, "done");
	turns();
	cr_expect(loop_timer_is_set(&m->ctl->conns[0].idle));
	loop_timer_set(&m->ctl->conns[0].idle, 0);
	turns();
	cr_expect_eq(m->ctl->conn_count, 0);
	cr_expect_not_null(strstr(hear(fd), "done"));
	cr_expect_str_eq(hear(fd), "", "and then it ends");
	close(fd);
}
