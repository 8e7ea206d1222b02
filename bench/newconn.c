/* newconn.c - load of requests that each come on a connection of their own.
 *
 * usage: newconn PORT PATH REQUESTS [CLIENTS [STEP [TIMEOUT_MS]]]
 *
 * CLIENTS connections to 127.0.0.1:PORT are under way at once, each for one GET with `Connection: close`. It goes
 * on until REQUESTS have ended and its standard input is at its end. After every STEP requests it prints "at
 * COUNT", so that who drives it can do something at that moment; at the end one line of JSON with the answers by
 * status, the failures by kind and the latencies from connect to last byte.
 *
 * An answer counts when its status line is read and its body is as long as its header says. Failures: refused,
 * reset, timeout, empty (closed before a byte came), short (closed before the end), other.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NEWCONN_ANSWER	65536
#define NEWCONN_CLIENTS 4096
#define NEWCONN_EVENTS	256
#define NEWCONN_SWEEP	50  /* ms between two looks for those that take too long */
#define NEWCONN_BUCKETS 700 /* of latency: 32 for each doubling, from 1 us */
#define NEWCONN_STATUS	600

enum failure { REFUSED, RESET, TIMEOUT, EMPTY, SHORT, OTHER, FAILURES };

static const char *const failure_names[FAILURES] = { "refused", "reset", "timeout", "empty",
	"short", "other" };

struct client {
	int fd;
	bool sent;
	int64_t began_ns;
	size_t len;
	char answer[NEWCONN_ANSWER];
};

struct newconn {
	struct sockaddr_in to;
	char request[2048];
	size_t request_len;
	uint64_t wanted, ended, good, step,
	    local; /* local: this machine had no port left, tried again */
	int64_t timeout_ns;
	bool closing; /* standard input is at its end */
	int poll;
	size_t count, open;
	struct client *clients;
	uint64_t failures[FAILURES], statuses[NEWCONN_STATUS], buckets[NEWCONN_BUCKETS];
	int64_t worst_ns;
};

static int64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void
give_up(const char *what)
{
	fprintf(stderr, "newconn: %s: %s\n", what, strerror(errno));
	exit(70);
}

static size_t
bucket_of(int64_t ns)
{
	uint64_t us = (uint64_t)ns / 1000 + 1;
	unsigned top = 63 - (unsigned)__builtin_clzll(us);
	size_t at = top < 5 ? (size_t)us : (size_t)(top - 4) * 32 + (size_t)(us >> (top - 5)) - 32;

	return at < NEWCONN_BUCKETS ? at : NEWCONN_BUCKETS - 1;
}

/* The lower end of a bucket, in microseconds. */
static uint64_t
bucket_us(size_t at)
{
	if (at < 32)
		return at;
	return (uint64_t)(at % 32 + 32) << (at / 32 - 1);
}

static uint64_t
percentile_us(const struct newconn *n, double share)
{
	uint64_t sum = 0, limit = (uint64_t)((double)n->good * share);
	size_t i;

	for (i = 0; i < NEWCONN_BUCKETS; i++)
		if ((sum += n->buckets[i]) > limit)
			return bucket_us(i);
	return (uint64_t)n->worst_ns / 1000;
}

static void
client_watch(struct newconn *n, struct client *c, int how, uint32_t what)
{
	struct epoll_event e = { .events = what, .data.ptr = c };

	if (epoll_ctl(n->poll, how, c->fd, &e) != 0)
		give_up("epoll_ctl");
}

static void client_end(struct newconn *, struct client *);

static void
client_fail(struct newconn *n, struct client *c, enum failure kind)
{
	n->failures[kind]++;
	client_end(n, c);
}

static enum failure
failure_of(int error)
{
	return error == ECONNREFUSED		       ? REFUSED
	       : error == ECONNRESET || error == EPIPE ? RESET
	       : error == ETIMEDOUT		       ? TIMEOUT
						       : OTHER;
}

/* False when this machine has nothing left to connect with: tried again at the next sweep. */
static bool
client_begin(struct newconn *n, struct client *c)
{
	c->began_ns = now_ns();
	c->len = 0;
	c->sent = false;
	if ((c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) < 0)
		give_up("socket");
	n->open++;
	if (connect(c->fd, (struct sockaddr *)&n->to, sizeof(n->to)) != 0 && errno != EINPROGRESS) {
		if (errno == EADDRNOTAVAIL || errno == EAGAIN) {
			n->local++;
			n->open--;
			close(c->fd);
			c->fd = -1;
			return false;
		}
		client_watch(n, c, EPOLL_CTL_ADD, EPOLLOUT); /* its error is told there */
		return true;
	}
	client_watch(n, c, EPOLL_CTL_ADD, EPOLLOUT);
	return true;
}

static bool
newconn_is_over(const struct newconn *n)
{
	return n->closing && n->ended >= n->wanted;
}

static void
client_end(struct newconn *n, struct client *c)
{
	close(c->fd);
	c->fd = -1;
	n->open--;
	n->ended++;
	if (n->step > 0 && n->ended % n->step == 0 && n->ended <= n->wanted) {
		printf("at %llu\n", (unsigned long long)n->ended);
		fflush(stdout);
	}
}

/* The answer's end was seen: is it all there? */
static void
client_judge(struct newconn *n, struct client *c)
{
	const char *length, *body;
	int status = 0;
	int64_t took = now_ns() - c->began_ns;

	c->answer[c->len] = '\0';
	if (c->len == 0) {
		client_fail(n, c, EMPTY);
		return;
	}
	body = strstr(c->answer, "\r\n\r\n");
	length = strcasestr(c->answer, "\r\ncontent-length:");
	if (sscanf(c->answer, "HTTP/1.1 %3d", &status) != 1 || status < 100 ||
	    status >= NEWCONN_STATUS || body == NULL || length == NULL || length > body ||
	    c->len - (size_t)(body + 4 - c->answer) != strtoul(length + 17, NULL, 10)) {
		client_fail(n, c, SHORT);
		return;
	}
	n->statuses[status]++;
	if (status == 200) {
		n->good++;
		n->buckets[bucket_of(took)]++;
		if (took > n->worst_ns)
			n->worst_ns = took;
	}
	client_end(n, c);
}

static void
client_on_event(struct newconn *n, struct client *c)
{
	int error = 0;
	socklen_t len = sizeof(error);
	ssize_t got;

	if (!c->sent) {
		if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0) {
			client_fail(n, c, failure_of(error));
			return;
		}
		if (send(c->fd, n->request, n->request_len, MSG_NOSIGNAL) !=
		    (ssize_t)n->request_len) {
			client_fail(n, c, failure_of(errno));
			return;
		}
		c->sent = true;
		client_watch(n, c, EPOLL_CTL_MOD, EPOLLIN);
		return;
	}
	got = recv(c->fd, c->answer + c->len, sizeof(c->answer) - 1 - c->len, 0);
	if (got < 0 && errno == EAGAIN)
		return;
	if (got < 0)
		client_fail(n, c, failure_of(errno));
	else if (got == 0)
		client_judge(n, c);
	else if ((c->len += (size_t)got) == sizeof(c->answer) - 1)
		client_fail(n, c, OTHER);
}

static void
newconn_look_at_input(struct newconn *n)
{
	char waste[256];
	ssize_t got = read(STDIN_FILENO, waste, sizeof(waste));

	if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
		n->closing = true;
}

static void
newconn_sweep(struct newconn *n)
{
	int64_t now = now_ns();
	size_t i;

	newconn_look_at_input(n);
	for (i = 0; i < n->count; i++) {
		struct client *c = &n->clients[i];

		if (c->fd >= 0 && now - c->began_ns > n->timeout_ns)
			client_fail(n, c, TIMEOUT);
		if (c->fd < 0 && !newconn_is_over(n))
			(void)client_begin(n, c);
	}
}

static void
newconn_run(struct newconn *n)
{
	struct epoll_event events[NEWCONN_EVENTS];
	int64_t swept = 0;
	int i, count;

	while (!newconn_is_over(n) || n->open > 0) {
		if (now_ns() - swept >= NEWCONN_SWEEP * INT64_C(1000000)) {
			newconn_sweep(n);
			swept = now_ns();
		}
		count = epoll_wait(n->poll, events, NEWCONN_EVENTS, NEWCONN_SWEEP);
		for (i = 0; i < count; i++) {
			struct client *c = events[i].data.ptr;

			if (c->fd >= 0)
				client_on_event(n, c);
			if (c->fd < 0 && !newconn_is_over(n))
				(void)client_begin(n, c);
		}
	}
}

static void
newconn_print(const struct newconn *n, double seconds)
{
	unsigned i;
	const char *comma = "";

	printf("{\"requests\":%llu,\"good\":%llu,\"seconds\":%.3f,\"rate\":%.0f,\"no_port\":%llu,",
	    (unsigned long long)n->ended, (unsigned long long)n->good, seconds,
	    (double)n->ended / seconds, (unsigned long long)n->local);
	printf("\"p50_us\":%llu,\"p99_us\":%llu,\"max_us\":%llu,\"failures\":{",
	    (unsigned long long)percentile_us(n, 0.5), (unsigned long long)percentile_us(n, 0.99),
	    (unsigned long long)n->worst_ns / 1000);
	for (i = 0; i < FAILURES; i++)
		printf("%s\"%s\":%llu", i > 0 ? "," : "", failure_names[i],
		    (unsigned long long)n->failures[i]);
	printf("},\"statuses\":{");
	for (i = 0; i < NEWCONN_STATUS; i++) {
		if (n->statuses[i] == 0)
			continue;
		printf("%s\"%u\":%llu", comma, i, (unsigned long long)n->statuses[i]);
		comma = ",";
	}
	printf("}}\n");
}

static uint64_t
argument(char **argv, int argc, int at, uint64_t otherwise)
{
	return at < argc ? strtoull(argv[at], NULL, 10) : otherwise;
}

int
main(int argc, char **argv)
{
	static struct newconn n;
	int64_t began;
	size_t i;

	if (argc < 4) {
		fprintf(
		    stderr, "usage: newconn PORT PATH REQUESTS [CLIENTS [STEP [TIMEOUT_MS]]]\n");
		return 64;
	}
	signal(SIGPIPE, SIG_IGN);
	n.to.sin_family = AF_INET;
	n.to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	n.to.sin_port = htons((uint16_t)argument(argv, argc, 1, 0));
	n.request_len = (size_t)snprintf(n.request, sizeof(n.request),
	    "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", argv[2]);
	n.wanted = argument(argv, argc, 3, 0);
	n.count = argument(argv, argc, 4, 32);
	n.step = argument(argv, argc, 5, 0);
	n.timeout_ns = (int64_t)argument(argv, argc, 6, 10000) * 1000000;
	if (n.request_len >= sizeof(n.request) || n.count == 0 || n.count > NEWCONN_CLIENTS) {
		fprintf(stderr, "newconn: a path of less than 1900 bytes, 1 to %d clients\n",
		    NEWCONN_CLIENTS);
		return 64;
	}
	fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
	n.poll = epoll_create1(EPOLL_CLOEXEC);
	n.clients = calloc(n.count, sizeof(*n.clients));
	if (n.poll < 0 || n.clients == NULL)
		give_up("start");
	for (i = 0; i < n.count; i++)
		n.clients[i].fd = -1;
	began = now_ns();
	newconn_run(&n);
	newconn_print(&n, (double)(now_ns() - began) / 1e9);
	free(n.clients);
	return 0;
}
