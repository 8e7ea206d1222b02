/* test_listen.c - sockets handed over at the start: which are taken, which are not, and where they go. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "master_room.h"

/* Criterion has descriptors of its own at 3 and above, so these tests move them away in their own process. */
static struct master *m;
static int next;

static void
setup(void)
{
	m = calloc(1, sizeof(*m));
	m->http.fd = m->admin_listener.fd = -1;
	next = 3;
}

static void
teardown(void)
{
	listen_close(&m->http);
	listen_close(&m->admin_listener);
	free(m);
}

TestSuite(listen, .init = setup, .fini = teardown, .timeout = 30);

/* What lay at the next number is kept and put back by nobody: the test ends by its exit code alone. */
static int saved[8];

static void
hand(int fd)
{
	saved[next - 3] = fcntl(next, F_DUPFD_CLOEXEC, 200);
	dup2(fd, next);
	close(fd);
	next++;
}

static void
put_back(void)
{
	int i;

	for (i = 3; i < next; i++)
		if (saved[i - 3] >= 0)
			dup2(saved[i - 3], i);
}

static void
receive(const char *names)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", next - 3);
	setenv("LISTEN_FDS", number, 1);
	snprintf(number, sizeof(number), "%d", (int)getpid());
	setenv("LISTEN_PID", number, 1);
	if (names != NULL)
		setenv("LISTEN_FDNAMES", names, 1);
	listen_receive(m);
}

static int
tcp(bool listens, in_port_t *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	if (listens)
		cr_assert_eq(listen(fd, 8), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	*port = ntohs(at.sin_port);
	return fd;
}

Test(listen, sockets_are_taken_by_their_names_out_of_the_way_and_closed_on_exec)
{
	in_port_t http, admin;
	char wanted[64];
	int fd;

	fd = tcp(true, &admin);
	hand(fd);
	fd = tcp(true, &http);
	hand(fd);
	receive("admin:http");
	put_back();
	cr_assert_gt(m->http.passed, 10);
	cr_assert_gt(m->admin_listener.passed, 10);
	cr_expect(fcntl(m->http.passed, F_GETFD) & FD_CLOEXEC);
	cr_expect(fcntl(m->http.passed, F_GETFL) & O_NONBLOCK);
	cr_expect_null(getenv("LISTEN_FDS"));
	cr_expect_null(getenv("LISTEN_PID"));
	cr_expect_null(getenv("LISTEN_FDNAMES"));
	listen_open(&m->http, "http", "127.0.0.1:1", 16);
	snprintf(wanted, sizeof(wanted), "127.0.0.1:%u", (unsigned)http);
	cr_expect_str_eq(m->http.address, wanted, "what was handed over wins");
	listen_open(&m->admin_listener, "admin", "127.0.0.1:1", 16);
	snprintf(wanted, sizeof(wanted), "127.0.0.1:%u", (unsigned)admin);
	cr_expect_str_eq(m->admin_listener.address, wanted);
}

Test(listen, one_without_a_name_is_taken_as_http)
{
	static const char *const names[] = { NULL, "", "connection", "unknown", "stored",
		"opitios-alpaca.socket" };
	in_port_t port;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		next = 3;
		hand(tcp(true, &port));
		receive(names[i]);
		put_back();
		cr_expect_gt(m->http.passed, 10, "%s", names[i] != NULL ? names[i] : "(none)");
		close(m->http.passed);
		m->http.passed = 0;
	}
}

Test(listen, of_several_without_a_name_none_is_guessed)
{
	in_port_t port;

	hand(tcp(true, &port));
	hand(tcp(true, &port));
	receive(NULL);
	put_back();
	cr_expect_eq(m->http.passed, 0);
}

Test(listen, what_is_no_listening_tcp_socket_is_not_taken)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	in_port_t port;
	int i, fd;

	for (i = 0; i < 5; i++) {
		next = 3;
		if (i == 0)
			fd = open("/dev/null", O_RDWR);
		else if (i == 1)
			fd = socket(AF_INET, SOCK_DGRAM, 0);
		else if (i == 2)
			fd = tcp(false, &port);
		else
			fd = socket(AF_UNIX, SOCK_STREAM, 0);
		if (i == 4) {
			snprintf(at.sun_path + 1, sizeof(at.sun_path) - 1, "opitios-%d", getpid());
			cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
			cr_assert_eq(listen(fd, 1), 0);
		}
		hand(fd);
		receive("http");
		put_back();
		cr_expect_eq(m->http.passed, 0, "case %d", i);
	}
}

Test(listen, a_name_that_is_not_ours_and_one_too_many_are_closed)
{
	in_port_t first, port;
	char wanted[64];

	hand(tcp(true, &first));
	hand(tcp(true, &port));
	hand(tcp(true, &port));
	receive("http:http:metrics");
	put_back();
	listen_open(&m->http, "http", "127.0.0.1:1", 16);
	snprintf(wanted, sizeof(wanted), "127.0.0.1:%u", (unsigned)first);
	cr_expect_str_eq(m->http.address, wanted);
	cr_expect_eq(m->admin_listener.passed, 0);
}

Test(listen, what_is_meant_for_another_process_is_left_alone)
{
	in_port_t port;
	bool still;

	hand(tcp(true, &port));
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_PID", "1", 1);
	listen_receive(m);
	still = fcntl(3, F_GETFD) >= 0;
	close(3);
	put_back();
	cr_expect(still);
	cr_expect_eq(m->http.passed, 0);
	cr_expect_null(getenv("LISTEN_FDS"));
}

Test(listen, nonsense_in_the_variables_takes_nothing)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "many", 1);
	listen_receive(m);
	setenv("LISTEN_PID", "me", 1);
	setenv("LISTEN_FDS", "1", 1);
	listen_receive(m);
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "0", 1);
	listen_receive(m);
	cr_expect_eq(m->http.passed, 0);
}

Test(listen, one_for_an_address_that_is_off_is_closed_and_lets_nobody_wait)
{
	int fds[2];

	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	strcpy(m->conf.admin_address, "off");
	m->admin_listener.passed = fds[0];
	admin_open(m);
	cr_expect(fcntl(fds[0], F_GETFD) < 0);
	cr_expect_eq(m->admin_listener.fd, -1);
	close(fds[1]);
}

Test(listen, closing_does_not_end_the_socket_for_others_who_hold_it)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	in_port_t port;
	int held = tcp(true, &port), client = socket(AF_INET, SOCK_STREAM, 0);

	m->http.fd = fcntl(held, F_DUPFD_CLOEXEC, 100);
	listen_close(&m->http);
	at.sin_port = htons(port);
	cr_expect_eq(connect(client, (struct sockaddr *)&at, sizeof(at)), 0);
	close(client);
	close(held);
}
