/* test_accept.c - listening sockets: shared, bounded, out of descriptors. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "wire.h"

#define CLIENTS 24

struct port {
	struct wire w;
	struct sockaddr_in at;
	int clients[CLIENTS];
};

static void
port_open(struct port *p)
{
	socklen_t len = sizeof(p->at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	wire_open(&p->w);
	close(p->w.client);
	p->w.client = -1;
	WIRE_UNTIL(&p->w, p->w.open == 0);
	p->at = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	cr_assert_eq(bind(fd, (struct sockaddr *)&p->at, len), 0);
	cr_assert_eq(listen(fd, CLIENTS), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&p->at, &len), 0);
	cr_assert_eq(http_server_listen(p->w.server, fd), E_OK);
}

static void
port_connect(struct port *p, int count)
{
	int i;

	for (i = 0; i < count; i++) {
		p->clients[i] = socket(AF_INET, SOCK_STREAM, 0);
		cr_assert_eq(connect(p->clients[i], (struct sockaddr *)&p->at, sizeof(p->at)), 0);
		fcntl(p->clients[i], F_SETFL, O_NONBLOCK);
	}
}

Test(http_accept, clients_of_a_port_are_taken_and_named)
{
	struct port p = { .w = { .later = true } };
	struct sockaddr_in self;
	socklen_t len = sizeof(self);
	char text[64];

	port_open(&p);
	port_connect(&p, 1);
	p.w.client = p.clients[0];
	wire_say(&p.w, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	WIRE_UNTIL(&p.w, p.w.held_count == 1);
	getsockname(p.clients[0], (struct sockaddr *)&self, &len);
	snprintf(text, sizeof(text), "127.0.0.1:%u", ntohs(self.sin_port));
	cr_expect_str_eq(http_client(p.w.held[0]), text);
	wire_reply_held(&p.w, 0);
	WIRE_UNTIL(&p.w, wire_answers(&p.w) == 1);
	wire_close(&p.w);
}

Test(http_accept, a_wake_up_takes_a_few_so_that_other_processes_get_theirs)
{
	struct port p = { .w = { .client = 0 } };
	size_t before;

	port_open(&p);
	port_connect(&p, CLIENTS);
	do {
		before = p.w.open;
		loop_turn(p.w.loop, 1);
		cr_assert_leq(p.w.open - before, 4);
	} while (p.w.open < CLIENTS);
	wire_close(&p.w);
}

Test(http_accept, two_servers_share_a_socket)
{
	struct port p = { .w = { .client = 0 } };
	struct http_server *other;

	port_open(&p);
	other = http_server_new(p.w.loop, &p.w.limits, &p.w.hooks, &p.w);
	cr_assert_eq(http_server_listen(other, dup(p.w.server->listeners->fd)), E_OK);
	port_connect(&p, CLIENTS);
	WIRE_UNTIL(
	    &p.w, http_server_connections(other) + http_server_connections(p.w.server) == CLIENTS);
	cr_expect_gt(http_server_connections(other), 0);
	cr_expect_gt(http_server_connections(p.w.server), 0);
	http_server_free(&other);
	wire_close(&p.w);
}

Test(http_accept, connections_above_the_limit_wait_in_the_kernel)
{
	struct port p = { .w = { .limits = wire_limits() } };

	p.w.limits.connections_max = 3;
	port_open(&p);
	port_connect(&p, 5);
	WIRE_UNTIL(&p.w, p.w.open == 3);
	wire_settle(&p.w);
	cr_expect_eq(p.w.open, 3);
	p.w.client = p.clients[4];
	wire_say(&p.w, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	wire_settle(&p.w);
	cr_expect_eq(wire_answers(&p.w), 0);
	close(p.clients[0]);
	close(p.clients[1]);
	WIRE_UNTIL(&p.w, wire_answers(&p.w) == 1);
	cr_expect_eq(p.w.open, 3);
	wire_close(&p.w);
}

static rlim_t
forbid_descriptors(void)
{
	struct rlimit limit;
	int fd = dup(0);
	rlim_t before;

	getrlimit(RLIMIT_NOFILE, &limit);
	before = limit.rlim_cur;
	limit.rlim_cur = (rlim_t)fd;
	close(fd);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return before;
}

Test(http_accept, without_descriptors_one_client_is_told_and_the_loop_does_not_spin)
{
	struct port p = { .w = { .client = 0 } };
	struct rlimit limit;
	struct wire_answer a;
	int64_t start;
	int turns = 0;

	port_open(&p);
	port_connect(&p, 8);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = forbid_descriptors();
	start = wire_now();
	while (wire_now() - start < 300 * CLOCK_MS) {
		loop_turn(p.w.loop, 300);
		turns++;
	}
	cr_expect_eq(p.w.open, 0);
	cr_expect_lt(turns, 12, "%d turns: it sleeps between tries", turns);
	cr_expect_geq(p.w.drops[HTTP_DROP_LIMIT], 1);
	cr_expect_eq(p.w.starved, p.w.drops[HTTP_DROP_LIMIT]);
	cr_expect_eq(p.w.starved_error, EMFILE);
	p.w.client = p.clients[0];
	WIRE_UNTIL(&p.w, p.w.ended || p.w.reset);
	a = wire_answer(&p.w, 0);
	cr_expect_eq(a.status, 503);
	cr_expect(wire_has(&a, "Retry-After: 1"));
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	WIRE_UNTIL(&p.w, p.w.open > 0);
	cr_expect_geq(p.w.server->reserve_fd, 0, "the next time finds a reserve again");
	wire_close(&p.w);
}

Test(http_accept, draining_closes_the_listener)
{
	struct port p = { .w = { .client = 0 } };
	int fd;

	port_open(&p);
	fd = p.w.server->listeners->fd;
	http_server_drain(p.w.server, &(struct http_drain){ .timeout_ms = 1000 });
	loop_turn(p.w.loop, 1);
	cr_expect_eq(fcntl(fd, F_GETFD), -1);
	wire_close(&p.w);
}

Test(http_accept, a_server_that_evicts_closes_the_longest_silent_one_for_a_new_one)
{
	struct port p = { .w = { .limits = wire_limits() } };
	char byte;

	p.w.limits.connections_max = 4;
	p.w.limits.evicts = true;
	port_open(&p);
	port_connect(&p, 3);
	WIRE_UNTIL(&p.w, p.w.open == 3);
	/* The first speaks, so the second is now the one that is silent the longest. */
	p.w.client = p.clients[0];
	wire_say(&p.w, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	WIRE_UNTIL(&p.w, wire_answers(&p.w) == 1);
	p.clients[3] = socket(AF_INET, SOCK_STREAM, 0);
	cr_assert_eq(connect(p.clients[3], (struct sockaddr *)&p.at, sizeof(p.at)), 0);
	fcntl(p.clients[3], F_SETFL, O_NONBLOCK);
	WIRE_UNTIL(&p.w, recv(p.clients[1], &byte, 1, 0) == 0);
	cr_expect_eq(p.w.open, 3);
	cr_expect_eq(recv(p.clients[2], &byte, 1, 0), -1);
	cr_expect_eq(recv(p.clients[3], &byte, 1, 0), -1);
	wire_say(&p.w, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	WIRE_UNTIL(&p.w, wire_answers(&p.w) == 2);
	wire_close(&p.w);
}

Test(http_accept, nobody_is_evicted_while_his_request_is_in_hand)
{
	struct port p = { .w = { .limits = wire_limits(), .later = true } };
	int i;

	p.w.limits.connections_max = 2;
	p.w.limits.evicts = true;
	port_open(&p);
	port_connect(&p, 2);
	for (i = 0; i < 2; i++)
		cr_assert_eq(send(p.clients[i], "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27, 0), 27);
	/* The second finds the first silent or busy; either way one that is busy stays. */
	WIRE_UNTIL(&p.w, p.w.held_count >= 1);
	wire_settle(&p.w);
	cr_expect_eq(p.w.gone, 0);
	for (i = 0; i < (int)p.w.held_count; i++)
		wire_reply_held(&p.w, (size_t)i);
	wire_close(&p.w);
}

Test(http_accept, a_listener_that_comes_after_draining_is_closed)
{
	struct port p = { .w = { .client = 0 } };
	int fd;

	port_open(&p);
	fd = dup(p.w.server->listeners->fd);
	http_server_drain(p.w.server, &(struct http_drain){ .timeout_ms = 1000 });
	cr_expect_eq(http_server_listen(p.w.server, fd), E_OK);
	cr_expect_eq(fcntl(fd, F_GETFD), -1);
	cr_expect_null(p.w.server->listeners);
	wire_close(&p.w);
}

Test(http_accept, what_waits_when_one_server_drains_is_the_others)
{
	struct port p = { .w = { .client = 0 } };
	struct http_server *other;

	port_open(&p);
	other = http_server_new(p.w.loop, &p.w.limits, &p.w.hooks, &p.w);
	cr_assert_eq(http_server_listen(other, dup(p.w.server->listeners->fd)), E_OK);
	port_connect(&p, CLIENTS);
	http_server_drain(p.w.server, &(struct http_drain){ .timeout_ms = 1000 });
	WIRE_UNTIL(&p.w, http_server_connections(other) == CLIENTS);
	cr_expect_eq(http_server_connections(p.w.server), 0);
	http_server_free(&other);
	wire_close(&p.w);
}

Test(http_accept, the_last_server_takes_what_waits_before_it_drains)
{
	struct port p = { .w = { .client = 0 } };

	port_open(&p);
	port_connect(&p, CLIENTS);
	http_server_drain(p.w.server, &(struct http_drain){ .timeout_ms = 1000, .last = true });
	cr_expect_eq(p.w.open, CLIENTS);
	p.w.client = p.clients[CLIENTS - 1];
	wire_say(&p.w, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	WIRE_UNTIL(&p.w, wire_answers(&p.w) == 1);
	wire_close(&p.w);
}

/* As if the process that was woken for it had been killed before it accepted. */
Test(http_accept, a_connection_nobody_was_woken_for_is_found)
{
	struct port p = { .w = { .client = 0 } };

	port_open(&p);
	cr_assert_geq(p.w.server->epoll_fd, 0, "the epoll of libevent is known");
	cr_assert_eq(
	    epoll_ctl(p.w.server->epoll_fd, EPOLL_CTL_DEL, p.w.server->listeners->fd, NULL), 0);
	port_connect(&p, 1);
	WIRE_UNTIL(&p.w, p.w.open == 1);
	wire_close(&p.w);
}
