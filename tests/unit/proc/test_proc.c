/* test_proc.c - a worker's life, seen from a master's end of its control channel. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "label.h"
#include "proc.h"

struct scene {
	char dir[40];
	struct loop *loop;
	struct board *board;
	struct slot_page *page;
	int board_rw, board_ro;
	struct chan *control;
	pid_t pid;
	bool opened, ready, over;
	uint64_t ready_generation;
	char slot[SLOT_NAME];
	struct msg_peer_lost lost;
	int lost_count;
	struct chan *peer; /* our end of a channel to it */
	bool peer_opened, peer_over;
	int peer_error;
};

static struct scene sc;

static void
on_message(struct chan *c, enum msg_type type, const void *data, int fd, void *owner)
{
	(void)c, (void)owner;
	cr_assert_eq(fd, -1);
	if (type == MSG_READY) {
		sc.ready = true;
		sc.ready_generation = ((const struct msg_ready *)data)->generation;
	} else if (type == MSG_PEER_LOST) {
		sc.lost = *(const struct msg_peer_lost *)data;
		sc.lost_count++;
	}
}

static void
on_opened(struct chan *c, const char *slot, int pid, void *owner)
{
	(void)c, (void)owner;
	cr_expect_eq(pid, (int)sc.pid);
	snprintf(sc.slot, sizeof(sc.slot), "%s", slot);
	sc.opened = true;
}

static void
on_closed(struct chan *c, int error, const char *why, void *owner)
{
	(void)c, (void)error, (void)why, (void)owner;
	sc.over = true;
}

static const struct chan_hooks hooks = { on_message, on_opened, on_closed };

static void
on_peer_message(struct chan *c, enum msg_type type, const void *data, int fd, void *owner)
{
	(void)c, (void)type, (void)data, (void)fd, (void)owner;
}

static void
on_peer_opened(struct chan *c, const char *slot, int pid, void *owner)
{
	(void)c, (void)slot, (void)pid, (void)owner;
	sc.peer_opened = true;
}

static void
on_peer_closed(struct chan *c, int error, const char *why, void *owner)
{
	(void)c, (void)why, (void)owner;
	sc.peer_over = true;
	sc.peer_error = error;
}

static const struct chan_hooks peer_hooks = { on_peer_message, on_peer_opened, on_peer_closed };

#define TURN_UNTIL(what)                                                                           \
	do {                                                                                       \
		int64_t turn_end = clock_mono() + 10 * CLOCK_SEC;                                  \
		while (!(what)) {                                                                  \
			cr_assert_lt(clock_mono(), turn_end, "waited for %s", #what);              \
			loop_turn(sc.loop, 5);                                                     \
		}                                                                                  \
	} while (0)

static void
setup(void)
{
	strcpy(sc.dir, "/tmp/opitios-proc-XXXXXX");
	cr_assert_not_null(mkdtemp(sc.dir));
	sc.loop = loop_new();
	sc.board = board_create(&sc.board_rw, &sc.board_ro);
	sc.page = board_slot(sc.board, "http-0", ROLE_HTTP);
}

static void
teardown(void)
{
	char command[80];
	int status;

	if (sc.pid > 0 && waitpid(sc.pid, &status, WNOHANG) == 0) {
		kill(sc.pid, SIGKILL);
		waitpid(sc.pid, &status, 0);
	}
	chan_close(&sc.peer);
	chan_close(&sc.control);
	loop_free(&sc.loop);
	snprintf(command, sizeof(command), "rm -rf '%s'", sc.dir);
	cr_assert_eq(system(command), 0);
}

TestSuite(proc, .init = setup, .fini = teardown, .timeout = 60);

static void
start(const char *slot)
{
	int fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	if ((sc.pid = fork()) == 0) {
		int from[3] = { fcntl(fds[1], F_DUPFD, 20), fcntl(sc.board_rw, F_DUPFD, 20),
			fcntl(sc.board_ro, F_DUPFD, 20) };
		int i;

		for (i = 0; i < 3; i++)
			dup2(from[i], PROC_FD_CONTROL + i);
		close_range(PROC_FD_FIRST_FREE, ~0u, 0);
		execl(BUILD_DIR "/test_worker", "test_worker", "--slot", slot, (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	sc.control =
	    chan_open(sc.loop, fds[0], ROLE_MASTER, ROLE_HTTP, "master", 65536, &hooks, NULL);
}

static void
set(const char *key, const char *value)
{
	struct msg_setting m = { 0 };

	snprintf(m.key, sizeof(m.key), "%s", key);
	snprintf(m.value, sizeof(m.value), "%s", value);
	cr_assert_eq(chan_send(sc.control, MSG_SETTING, &m), E_OK);
}

static void
settle(uint64_t generation)
{
	struct msg_settled m = { .generation = generation };

	set("state.dir", sc.dir);
	cr_assert_eq(chan_send(sc.control, MSG_SETTLED, &m), E_OK);
}

static int
ended(void)
{
	int status = 0;

	TURN_UNTIL(waitpid(sc.pid, &status, WNOHANG) == sc.pid);
	sc.pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void
give_peer(const char *slot, enum role role, uint64_t link)
{
	struct msg_peer m = { .role = role, .link = link };
	int fds[2];

	snprintf(m.slot, sizeof(m.slot), "%s", slot);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	cr_assert_eq(chan_send_fd(sc.control, MSG_PEER, &m, fds[1]), E_OK);
	close(fds[1]);
	chan_close(&sc.peer);
	sc.peer_opened = sc.peer_over = false;
	sc.peer = chan_open(sc.loop, fds[0], role, ROLE_HTTP, slot, 65536, &peer_hooks, NULL);
}

static int
events(const char *what)
{
	char path[80], line[600];
	int n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/events", sc.dir);
	if ((f = fopen(path, "re")) == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL)
		n += strstr(line, what) != NULL;
	fclose(f);
	return n;
}

Test(proc, says_who_it_is_and_is_ready_on_the_configuration_it_got)
{
	start("http-0");
	set("http.header_timeout", "777ms");
	settle(42);
	TURN_UNTIL(sc.ready);
	cr_expect(sc.opened);
	cr_expect_str_eq(sc.slot, "http-0");
	cr_expect_eq(sc.ready_generation, 42);
	cr_expect_eq(events("header_timeout 777"), 1);
}

Test(proc, its_heartbeat_is_on_its_page)
{
	int64_t first;

	start("http-0");
	settle(1);
	TURN_UNTIL(sc.ready && sc.page->heartbeat_ns != 0);
	first = sc.page->heartbeat_ns;
	TURN_UNTIL(sc.page->heartbeat_ns > first);
	cr_expect_eq(
	    (int64_t)metric_read(sc.page, M_WORKER_HEARTBEAT, 0, 0), sc.page->heartbeat_ns);
}

Test(proc, ends_as_orphan_when_the_master_vanishes_before_the_configuration)
{
	start("http-0");
	TURN_UNTIL(sc.opened);
	chan_close(&sc.control);
	cr_expect_eq(ended(), EXIT_WITH_ORPHANED);
}

Test(proc, ends_as_orphan_when_the_master_vanishes_later)
{
	start("http-0");
	settle(1);
	TURN_UNTIL(sc.ready);
	chan_close(&sc.control);
	cr_expect_eq(ended(), EXIT_WITH_ORPHANED);
	cr_expect_eq(events(" end"), 1, "in good order");
}

Test(proc, ends_with_78_on_a_setting_it_cannot_take)
{
	start("http-0");
	set("http.header_timeout", "soon");
	cr_expect_eq(ended(), EXIT_WITH_CONFIG);
}

Test(proc, ends_with_76_when_the_master_speaks_nonsense)
{
	start("http-0");
	settle(1);
	TURN_UNTIL(sc.ready);
	cr_assert_eq(write(chan_fd(sc.control), "\0\0\0\4\xff\xff\xff\xff", 8), 8);
	cr_expect_eq(ended(), EXIT_WITH_PROTOCOL);
}

Test(proc, is_not_started_by_hand)
{
	int status;

	if ((sc.pid = fork()) == 0) {
		close_range(3, ~0u, 0);
		execl(BUILD_DIR "/test_worker", "test_worker", "--slot", "http-0", (char *)NULL);
		_exit(127);
	}
	waitpid(sc.pid, &status, 0);
	sc.pid = 0;
	cr_expect_eq(WEXITSTATUS(status), EXIT_WITH_USAGE);
}

Test(proc, drains_when_told_and_ends_with_0)
{
	struct msg_drain drain = { .timeout_ms = 5000 };

	start("http-0");
	settle(1);
	TURN_UNTIL(sc.ready);
	cr_assert_eq(chan_send(sc.control, MSG_DRAIN, &drain), E_OK);
	cr_expect_eq(ended(), 0);
	cr_expect_eq(events(" drained"), 1);
}

Test(proc, drains_by_sigterm_too)
{
	start("http-0");
	settle(1);
	TURN_UNTIL(sc.ready && events(" begin") == 1);
	give_peer("fetcher-rest", ROLE_FETCHER, 1);
	TURN_UNTIL(sc.peer_opened);
	kill(sc.pid, SIGTERM);
	cr_expect_eq(ended(), 0);
	cr_expect_eq(events(" drained"), 1);
}

Test(proc, announces_a_peer_that_came_before_the_loop)
{
	start("http-0");
	settle(1);
	give_peer("fetcher-rest", ROLE_FETCHER, 7);
	TURN_UNTIL(events(" up fetcher-rest") == 1);
	cr_expect(sc.ready);
	cr_expect(sc.peer_opened);
}

Test(proc, tells_the_master_which_channel_was_lost)
{
	start("http-0");
	settle(1);
	give_peer("fetcher-rest", ROLE_FETCHER, 7);
	TURN_UNTIL(events(" up fetcher-rest") == 1);
	chan_close(&sc.peer);
	TURN_UNTIL(sc.lost_count == 1);
	cr_expect_eq(sc.lost.link, 7);
	cr_expect_eq(sc.lost.error, E_CLOSED);
	cr_expect_eq(events(" down fetcher-rest"), 1);
}

Test(proc, a_new_channel_to_a_slot_replaces_the_old_without_complaint)
{
	start("http-0");
	settle(1);
	give_peer("fetcher-rest", ROLE_FETCHER, 7);
	TURN_UNTIL(events(" up fetcher-rest") == 1);
	give_peer("fetcher-rest", ROLE_FETCHER, 8);
	TURN_UNTIL(events(" up fetcher-rest") == 2);
	cr_expect_eq(events(" down fetcher-rest"), 1);
	chan_close(&sc.peer);
	TURN_UNTIL(sc.lost.link == 8);
}

Test(proc, a_peer_that_speaks_nonsense_costs_its_channel_only)
{
	start("http-0");
	settle(1);
	give_peer("fetcher-rest", ROLE_FETCHER, 7);
	TURN_UNTIL(events(" up fetcher-rest") == 1);
	cr_assert_eq(write(chan_fd(sc.peer), "\0\0\0\4\xff\xff\xff\xff", 8), 8);
	TURN_UNTIL(sc.lost_count == 1);
	cr_expect_eq(sc.lost.error, E_PROTOCOL);
	cr_expect_eq(metric_read(sc.page, M_CHANNEL_REFUSED, 0, 0), 1);
	cr_expect_eq(metric_read(sc.page, M_TROUBLES, LABEL(trouble, CHANNEL), 0), 1);
	cr_expect_not_null(strstr(
	    sc.page->troubles[LABEL(trouble, CHANNEL)].text, "channel to fetcher-rest: refused: "));
	give_peer("fetcher-rest", ROLE_FETCHER, 8);
	TURN_UNTIL(events(" up fetcher-rest") == 2);
}

Test(proc, a_peer_under_another_name_is_refused)
{
	struct msg_peer m = { .role = ROLE_FETCHER, .link = 3, .slot = "fetcher-rest" };
	int fds[2];

	start("http-0");
	settle(1);
	TURN_UNTIL(sc.ready);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	cr_assert_eq(chan_send_fd(sc.control, MSG_PEER, &m, fds[1]), E_OK);
	close(fds[1]);
	sc.peer = chan_open(
	    sc.loop, fds[0], ROLE_FETCHER, ROLE_HTTP, "fetcher-other", 65536, &peer_hooks, NULL);
	TURN_UNTIL(sc.lost_count == 1);
	cr_expect_eq(sc.lost.error, E_PROTOCOL);
	cr_expect_eq(metric_read(sc.page, M_TROUBLES, LABEL(trouble, CHANNEL), 0), 1);
	cr_expect_eq(events(" up "), 0);
}
