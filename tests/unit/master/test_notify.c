/* test_notify.c - what a real datagram socket hears in systemd's place. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "master_room.h"

#define TICKS 4 /* looks in half a watchdog's time, as the timer makes them */

static char dir[64], path[96], text[2048];
static int receiver, passed;
static struct master *m;
static struct board *board;
static int64_t now;

static int
bind_to(const char *name)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	size_t len = strlen(name);

	memcpy(at.sun_path, name, len);
	if (name[0] == '@')
		at.sun_path[0] = '\0';
	cr_assert_eq(bind(fd, (struct sockaddr *)&at,
			 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
	    0);
	return fd;
}

static void
setup(void)
{
	strcpy(dir, "/tmp/opitios-notify-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/notify", dir);
	receiver = bind_to(path);
	m = calloc(1, sizeof(*m));
	board = aligned_alloc(4096, sizeof(*board));
	memset(board, 0, sizeof(*board));
	m->board = board;
	m->loop = loop_new();
	m->http.fd = m->admin_listener.fd = -1;
	m->conf.supervisor_drain_timeout = 30000;
	strcpy(m->http.name, "http");
	strcpy(m->http.address, "127.0.0.1:8081");
	strcpy(m->admin_listener.name, "admin");
	m->generation = 3;
	setenv("NOTIFY_SOCKET", path, 1);
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	now = clock_mono();
	clock_fake(clock_wall(), now);
}

static void
teardown(void)
{
	notify_close(m);
	loop_free(&m->loop);
	close(receiver);
	unlink(path);
	rmdir(dir);
	free(m);
	free(board);
}

TestSuite(notify, .init = setup, .fini = teardown, .timeout = 30);

static void
pass(int64_t ns)
{
	now += ns;
	clock_fake(clock_wall(), now);
}

/* The next datagram; "" when there is none. A descriptor that came along is in `passed`. */
static const char *
hear(void)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr aligned;
	} control;
	struct iovec part = { text, sizeof(text) - 1 };
	struct msghdr message = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	struct cmsghdr *head;
	ssize_t n = recvmsg(receiver, &message, MSG_CMSG_CLOEXEC);

	text[n > 0 ? n : 0] = '\0';
	passed = -1;
	if (n > 0 && (head = CMSG_FIRSTHDR(&message)) != NULL)
		memcpy(&passed, CMSG_DATA(head), sizeof(passed));
	return text;
}

static void
drop_all(void)
{
	while (hear()[0] != '\0')
		;
}

static struct slot *
add(enum role role, enum slot_state state)
{
	struct slot *s = &m->slots[m->slot_count];

	s->master = m;
	s->role = role;
	s->required = s->current = s->wanted = true;
	s->state = state;
	s->ready_ms = 30000;
	s->pid = (pid_t)(1000 + m->slot_count);
	s->page = &board->slots[m->slot_count];
	m->slot_count++;
	return s;
}

static void
add_all(void)
{
	add(ROLE_FETCHER, SLOT_READY);
	add(ROLE_CACHE_WRITER, SLOT_READY);
	add(ROLE_HTTP, SLOT_READY);
	add(ROLE_HTTP, SLOT_READY);
}

static void
open_quiet(void)
{
	notify_open(m);
	cr_assert_not_null(m->notify);
	drop_all();
}

static void
beat(size_t but)
{
	size_t i;

	for (i = 0; i < m->slot_count; i++)
		if (i != but)
			board->slots[i].beats++;
}

/* So many pings are heard in so many seconds of a watchdog of 4 s, while all hearts but one beat. */
static int
pings(int seconds, size_t but)
{
	int i, n = 0;

	for (i = 0; i < seconds * TICKS; i++) {
		pass(CLOCK_SEC / TICKS);
		beat(but);
		notify_look(m);
		while (hear()[0] != '\0')
			n += strcmp(text, "WATCHDOG=1") == 0;
	}
	return n;
}

Test(notify, without_the_variable_nothing_is_told)
{
	unsetenv("NOTIFY_SOCKET");
	notify_open(m);
	cr_expect_null(m->notify);
	notify_ready(m);
	notify_reloading(m);
	notify_reloaded(m);
	notify_status(m);
	notify_store(m);
	notify_look(m);
	notify_stopping(m);
	cr_expect_str_empty(hear());
}

Test(notify, an_address_that_is_none_is_as_good_as_no_address)
{
	char longer[300];

	memset(longer, 'x', sizeof(longer) - 1);
	longer[0] = '/';
	longer[sizeof(longer) - 1] = '\0';
	setenv("NOTIFY_SOCKET", "vsock:2:1", 1);
	notify_open(m);
	cr_expect_null(m->notify);
	setenv("NOTIFY_SOCKET", longer, 1);
	notify_open(m);
	cr_expect_null(m->notify);
}

Test(notify, the_start_asks_for_the_time_the_slowest_worker_has)
{
	add_all();
	m->slots[1].ready_ms = 600000;
	m->slots[1].state = SLOT_STARTING;
	notify_open(m);
	cr_expect_str_eq(hear(), "EXTEND_TIMEOUT_USEC=610000000\n"
				 "STATUS=starting, listening on 127.0.0.1:8081: 3 of 4 workers "
				 "ready, generation 3");
}

Test(notify, ready_names_the_main_process_and_what_it_does)
{
	char wanted[256];

	add_all();
	open_quiet();
	board->all_ready_ns = 1;
	notify_ready(m);
	snprintf(wanted, sizeof(wanted),
	    "READY=1\nMAINPID=%d\nSTATUS=serving on 127.0.0.1:8081: 4 of 4 workers ready, "
	    "generation 3",
	    (int)getpid());
	cr_expect_str_eq(hear(), wanted);
	cr_expect_str_empty(hear());
}

Test(notify, reloading_carries_the_monotonic_clock_in_microseconds)
{
	int64_t usec = 0, real;

	clock_real();
	open_quiet();
	board->all_ready_ns = 1;
	notify_reloading(m);
	real = clock_mono() / 1000;
	cr_assert_eq(sscanf(hear(), "RELOADING=1\nMONOTONIC_USEC=%" SCNd64 "\nSTATUS=", &usec), 1);
	cr_expect(real - usec >= 0 && real - usec < 1000000, "%" PRId64 " us apart", real - usec);
	notify_reloaded(m);
	cr_expect_eq(strncmp(hear(), "READY=1\nSTATUS=serving on", 25), 0, "%s", text);
}

Test(notify, a_reload_before_all_were_ready_does_not_make_the_gateway_ready)
{
	open_quiet();
	notify_reloaded(m);
	cr_expect_str_empty(hear());
}

Test(notify, stopping_is_told_once_and_asks_for_the_time_draining_may_take)
{
	m->conf.supervisor_drain_delay = 5000;
	open_quiet();
	m->stop.phase = STOP_DELAY;
	notify_stopping(m);
	cr_expect_eq(strncmp(hear(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=45000000\nSTATUS=", 47), 0,
	    "%s", text);
	notify_stopping(m);
	notify_ready(m);
	notify_reloaded(m);
	cr_expect_str_empty(hear());
}

Test(notify, a_status_is_told_when_it_changed_and_a_second_after_the_last)
{
	add_all();
	open_quiet();
	board->all_ready_ns = 1;
	pass(2 * CLOCK_SEC);
	notify_status(m);
	cr_expect_str_eq(
	    hear(), "STATUS=serving on 127.0.0.1:8081: 4 of 4 workers ready, generation 3");
	m->slots[2].state = SLOT_WAITING;
	m->slots[2].failed = true;
	notify_status(m);
	cr_expect_str_empty(hear());
	pass(CLOCK_SEC);
	notify_status(m);
	cr_expect_str_eq(hear(), "STATUS=serving on 127.0.0.1:8081: 3 of 4 workers ready, 1 "
				 "failing again and again, generation 3");
	pass(CLOCK_SEC);
	notify_status(m);
	cr_expect_str_empty(hear());
}

Test(notify, an_abstract_name_is_reached)
{
	char name[64];

	snprintf(name, sizeof(name), "@opitios-notify-%d", (int)getpid());
	close(receiver);
	receiver = bind_to(name);
	setenv("NOTIFY_SOCKET", name, 1);
	open_quiet();
	notify_ready(m);
	cr_expect_eq(strncmp(hear(), "READY=1\n", 8), 0, "%s", text);
}

static int
listening(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	cr_assert_eq(listen(fd, 8), 0);
	return fd;
}

static bool
is_same(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_ino == y.st_ino;
}

Test(notify, listening_sockets_are_stored_each_by_its_name)
{
	m->http.fd = listening();
	m->admin_listener.fd = listening();
	open_quiet();
	notify_store(m);
	cr_expect_str_eq(hear(), "FDSTORE=1\nFDNAME=http");
	cr_expect(is_same(passed, m->http.fd));
	cr_expect_str_eq(hear(), "FDSTORE=1\nFDNAME=admin");
	cr_expect(is_same(passed, m->admin_listener.fd));
	notify_look(m);
	cr_expect_eq(strncmp(hear(), "FDSTORE", 7) == 0, false, "not twice");
}

Test(notify, a_socket_that_was_handed_over_is_not_stored_again)
{
	m->http.fd = m->http.passed = listening();
	open_quiet();
	notify_store(m);
	cr_expect_str_empty(hear());
}

Test(notify, what_an_earlier_image_could_not_store_is_offered_again_and_nothing_else)
{
	struct options options = { .handover = "7" };

	m->options = &options;
	m->http.fd = listening();
	m->admin_listener.fd = listening();
	m->admin_listener.unstored = true;
	open_quiet();
	notify_store(m);
	cr_expect_str_eq(hear(), "FDSTORE=1\nFDNAME=admin");
	cr_expect_str_empty(hear());
}

Test(notify, a_full_receiver_blocks_nobody_and_gets_the_newest_state_and_the_sockets_later)
{
	int i, readies = 0, stores = 0;

	m->http.fd = listening();
	board->all_ready_ns = 1;
	open_quiet();
	for (i = 0; i < 10000; i++)
		notify_ready(m);
	notify_store(m);
	notify_reloading(m);
	notify_reloaded(m);
	/* Full to here: all that was heard is old. */
	drop_all();
	notify_look(m);
	while (hear()[0] != '\0') {
		readies += strncmp(text, "READY=1\nSTATUS=", 15) == 0;
		stores += strcmp(text, "FDSTORE=1\nFDNAME=http") == 0 && passed >= 0;
		cr_expect(strncmp(text, "RELOADING", 9) != 0, "an old state");
	}
	cr_expect_eq(readies, 1);
	cr_expect_eq(stores, 1);
}

Test(notify, a_receiver_that_is_missing_is_told_once_it_is_there)
{
	close(receiver);
	unlink(path);
	notify_open(m);
	cr_assert_not_null(m->notify);
	notify_ready(m);
	notify_look(m);
	receiver = bind_to(path);
	notify_look(m);
	cr_expect_eq(strncmp(hear(), "READY=1\n", 8), 0, "%s", text);
}

Test(notify, the_watchdog_hears_one_ping_in_half_its_time)
{
	setenv("WATCHDOG_USEC", "4000000", 1);
	add_all();
	open_quiet();
	cr_expect_eq(pings(20, SIZE_MAX), 10);
}

Test(notify, a_watchdog_of_another_process_is_left_alone)
{
	setenv("WATCHDOG_USEC", "4000000", 1);
	setenv("WATCHDOG_PID", "1", 1);
	add_all();
	open_quiet();
	cr_expect_eq(pings(20, SIZE_MAX), 0);
}

Test(notify, a_watchdog_time_that_is_none_is_no_watchdog)
{
	static const char *const times[] = { "", "0", "-1", "often", "99999999999999999999" };
	size_t i;

	add_all();
	for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		setenv("WATCHDOG_USEC", times[i], 1);
		open_quiet();
		cr_expect_eq(pings(8, SIZE_MAX), 0, "%s", times[i]);
		notify_close(m);
	}
}

Test(notify, pings_stop_within_the_time_when_a_required_role_stands_still_and_go_on_after)
{
	setenv("WATCHDOG_USEC", "4000000", 1);
	add_all();
	open_quiet();
	cr_expect_geq(pings(8, SIZE_MAX), 3);
	/* The beat last seen may be a look old, then half the time passes: one more at most. */
	cr_expect_leq(pings(8, 1), 1);
	cr_expect_eq(pings(8, 1), 0);
	cr_expect_geq(pings(8, SIZE_MAX), 3);
}

Test(notify, one_of_two_workers_that_stands_still_does_not_stop_the_pings)
{
	setenv("WATCHDOG_USEC", "4000000", 1);
	add_all();
	open_quiet();
	cr_expect_geq(pings(20, 3), 9);
}

Test(notify, a_worker_that_asked_for_patience_gets_it)
{
	setenv("WATCHDOG_USEC", "4000000", 1);
	add_all();
	board->slots[1].patience_ms = 20000;
	open_quiet();
	cr_expect_geq(pings(18, 1), 8);
	pings(8, 1);
	cr_expect_eq(pings(8, 1), 0);
}

Test(notify, a_role_that_is_being_replaced_has_its_ready_time)
{
	setenv("WATCHDOG_USEC", "4000000", 1);
	add_all();
	open_quiet();
	pings(4, SIZE_MAX);
	m->slots[0].state = SLOT_STARTING;
	cr_expect_geq(pings(28, 0), 13);
	pings(4, 0);
	cr_expect_eq(pings(8, 0), 0);
	m->slots[0].state = SLOT_READY;
	m->slots[0].pid++;
	cr_expect_geq(pings(8, SIZE_MAX), 3);
}

Test(notify, the_other_seat_of_a_slot_does_not_stand_in_for_it)
{
	setenv("WATCHDOG_USEC", "4000000", 1);
	add(ROLE_FETCHER, SLOT_READY);
	add(ROLE_CACHE_WRITER, SLOT_READY);
	add(ROLE_HTTP, SLOT_READY)->twin = &m->slots[3];
	add(ROLE_HTTP, SLOT_READY)->twin = &m->slots[2];
	m->slots[3].current = false;
	open_quiet();
	pings(8, 2);
	cr_expect_eq(pings(8, 2), 0);
}

Test(notify, while_the_gateway_stops_its_own_loop_is_enough)
{
	setenv("WATCHDOG_USEC", "4000000", 1);
	add_all();
	open_quiet();
	m->stop.phase = STOP_DRAIN;
	m->slots[0].state = m->slots[1].state = SLOT_IDLE;
	cr_expect_geq(pings(60, 2), 28);
}

Test(notify, the_timer_of_the_loop_does_the_looking)
{
	int64_t deadline;

	clock_real();
	setenv("WATCHDOG_USEC", "80000", 1);
	add_all();
	open_quiet();
	deadline = clock_mono() + 5 * CLOCK_SEC;
	while (clock_mono() < deadline && strcmp(hear(), "WATCHDOG=1") != 0)
		loop_turn(m->loop, 20);
	cr_expect_str_eq(text, "WATCHDOG=1");
}
