/* conn.c - one connection to a Redis server: found, connected, greeted, then commands in and answers out in order.
 *
 * Commands wait in one buffer, written at the end of the turn; who asked waits in a ring in the order of asking.
 * There is one way to end: redis_conn_fail, which tells everybody in the ring why, then the owner.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "mem.h"
#include "redis_room.h"
#include "text.h"

#define READ_BYTES     (64 * 1024)
#define READS_MAX      8 /* in one turn of the loop */
#define RING_FIRST     64
#define HELLO_COMMANDS 8

struct asked {
	REDIS_DONE(done);
	void *arg;
	int64_t sent_ns;
};

enum conn_state { CONN_RESOLVES, CONN_CONNECTS, CONN_GREETS, CONN_UP, CONN_DEAD };

struct redis_conn {
	struct loop *loop;
	struct redis_conn_spec spec;
	struct redis_host host;
	const struct redis_conn_hooks *hooks;
	void *owner;
	enum conn_state state;
	struct resolving *resolving;
	struct resolved addresses;
	size_t tried;
	int fd;
	struct event *readable, *writable;
	struct loop_timer begin, deadline, answers;
	struct redis_reader reader;
	struct buf out;
	bool flush_due;
	size_t unsent; /* of the commands in the ring, those of this turn */
	struct asked *ring;
	size_t ring_size, ring_first, ring_count;
};

static void conn_connect(struct redis_conn *);

bool
redis_conn_is_up(const struct redis_conn *c)
{
	return c != NULL && c->state == CONN_UP;
}

static void
conn_close_socket(struct redis_conn *c)
{
	if (c->readable != NULL)
		event_free(c->readable);
	if (c->writable != NULL)
		event_free(c->writable);
	c->readable = c->writable = NULL;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

static struct asked
ring_take(struct redis_conn *c)
{
	struct asked a = c->ring[c->ring_first];

	c->ring_first = (c->ring_first + 1) & (c->ring_size - 1);
	c->ring_count--;
	return a;
}

static void
ring_add(struct redis_conn *c, REDIS_DONE(done), void *arg)
{
	struct asked *larger;

	if (c->ring_count == c->ring_size) {
		larger = mem_array(c->ring_size * 2, sizeof(*larger));
		for (size_t i = 0; i < c->ring_count; i++)
			larger[i] = c->ring[(c->ring_first + i) & (c->ring_size - 1)];
		mem_free(&c->ring);
		c->ring = larger;
		c->ring_size *= 2;
		c->ring_first = 0;
	}
	c->ring[(c->ring_first + c->ring_count++) & (c->ring_size - 1)] =
	    (struct asked){ done, arg, loop_mono(c->loop) };
}

/* Ends without a word; what was asked stays in the ring. */
static void
conn_end(struct redis_conn *c)
{
	c->state = CONN_DEAD;
	conn_close_socket(c);
	resolve_cancel(&c->resolving);
	loop_timer_clear(&c->begin);
	loop_timer_clear(&c->deadline);
	loop_timer_clear(&c->answers);
}

void
redis_conn_fail(struct redis_conn *c, unsigned cause, const char *why)
{
	char kept[REDIS_WHY];
	const struct redis_answer none = { .cause = cause, .why = kept };
	struct asked a;

	if (c->state == CONN_DEAD)
		return;
	(void)text_copy(kept, sizeof(kept), why);
	conn_end(c);
	while (c->ring_count > 0) {
		a = ring_take(c);
		if (a.done != NULL)
			a.done(&none, a.arg);
	}
	if (c->hooks != NULL)
		c->hooks->down(cause, kept, c->owner);
}

static void
conn_fail_errno(struct redis_conn *c, unsigned cause, const char *doing, int error)
{
	char why[REDIS_WHY];

	(void)snprintf(why, sizeof(why), "%s: %s", doing, strerror(error));
	redis_conn_fail(c, cause, why);
}

/* Writes what the socket takes; the rest when there is room. */
static void
conn_flush(struct redis_conn *c)
{
	ssize_t n;

	while (buf_len(&c->out) > 0) {
		n = send(c->fd, buf_data(&c->out), buf_len(&c->out), MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			event_add(c->writable, NULL);
			return;
		}
		if (n < 0) {
			conn_fail_errno(c, LABEL(redis, CLOSED), "the connection broke", errno);
			return;
		}
		buf_consume(&c->out, (size_t)n);
	}
	if (c->out.capacity > READ_BYTES * 4)
		buf_shrink(&c->out);
}

static void
conn_turn_ended(void *arg)
{
	struct redis_conn *c = arg;

	c->flush_due = false;
	c->unsent = 0;
	if (c->state == CONN_GREETS || c->state == CONN_UP)
		conn_flush(c);
}

static int
conn_queue(struct redis_conn *c, const void *command, size_t len, REDIS_DONE(done), void *arg)
{
	int r;

	if ((r = buf_add(&c->out, command, len)) != E_OK)
		return r;
	ring_add(c, done, arg);
	c->unsent++;
	if (!loop_timer_is_set(&c->answers))
		loop_timer_set(&c->answers, c->spec.bounds->answer_ms);
	if (!c->flush_due)
		loop_at_end(c->loop, conn_turn_ended, c);
	c->flush_due = true;
	return E_OK;
}

int
redis_conn_send(struct redis_conn *c, const void *command, size_t len, REDIS_DONE(done), void *arg)
{
	if (!redis_conn_is_up(c))
		return E_CLOSED;
	if (c->ring_count >= c->spec.bounds->commands_max)
		return E_FULL;
	return conn_queue(c, command, len, done, arg);
}

void
redis_conn_say(struct redis_conn *c, const struct buf *command, REDIS_DONE(done))
{
	if (conn_queue(c, buf_data(command), buf_len(command), done, c) != E_OK)
		redis_conn_fail(c, LABEL(redis, PROTOCOL), "the greeting does not fit the output");
}

void
redis_conn_hello_over(struct redis_conn *c)
{
	c->state = CONN_UP;
	loop_timer_clear(&c->deadline);
	if (c->hooks != NULL)
		c->hooks->up(c->owner);
}

/* The oldest command has waited too long: whoever hangs answers the others no sooner. */
static void
conn_answers_late(void *arg)
{
	struct redis_conn *c = arg;
	char why[REDIS_WHY];
	int64_t left;

	if (c->ring_count == 0)
		return;
	left = c->ring[c->ring_first].sent_ns + c->spec.bounds->answer_ms * CLOCK_MS - clock_mono();
	if (left > 0) {
		loop_timer_set(&c->answers, left / CLOCK_MS + 1);
		return;
	}
	(void)snprintf(
	    why, sizeof(why), "no answer within %lld ms", (long long)c->spec.bounds->answer_ms);
	redis_conn_fail(c, LABEL(redis, TIMEOUT), why);
}

static void
conn_deadline(void *arg)
{
	struct redis_conn *c = arg;
	static const char *const doing[] = { "the name is not resolved", "not connected",
		"no answer to the greeting" };
	char why[REDIS_WHY];

	(void)snprintf(why, sizeof(why), "%s after %lld ms",
	    c->state < CONN_UP ? doing[c->state] : "", (long long)c->spec.bounds->connect_ms);
	redis_conn_fail(c, LABEL(redis, TIMEOUT), why);
}

/* Tells whoever asked. The answer may end this connection. */
static void
conn_answer(struct redis_conn *c, redisReply *reply)
{
	struct redis_answer answer = { .reply = reply, .cause = REDIS_WELL, .why = "" };
	char why[REDIS_WHY];
	struct asked a;

	if (c->ring_count <= c->unsent) {
		redis_conn_fail(c, LABEL(redis, PROTOCOL), "it answers what nobody asked");
		return;
	}
	if (reply->type == REDIS_REPLY_ERROR) {
		answer.cause = redis_cause_of(reply->str);
		answer.why = text_safe(why, sizeof(why), reply->str);
	}
	a = ring_take(c);
	if (a.done != NULL)
		a.done(&answer, a.arg);
}

static void
conn_take(struct redis_conn *c, const char *bytes, size_t len)
{
	redisReply *reply;
	int r;

	if ((r = redis_reader_feed(&c->reader, bytes, len)) == E_OK)
		while (
		    c->state != CONN_DEAD && (r = redis_reader_next(&c->reader, &reply)) == E_OK) {
			conn_answer(c, reply);
			freeReplyObject(reply);
		}
	if (c->state != CONN_DEAD && r == E_PROTOCOL)
		redis_conn_fail(c, LABEL(redis, PROTOCOL),
		    "what it sends is not Redis' protocol, or passes the bound");
}

static void
conn_read(evutil_socket_t fd, short what, void *arg)
{
	static char bytes[READ_BYTES];
	struct redis_conn *c = arg;
	ssize_t n = READ_BYTES;

	(void)what;
	for (int i = 0; i < READS_MAX && n == READ_BYTES && c->state != CONN_DEAD; i++) {
		n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (n > 0)
			conn_take(c, bytes, (size_t)n);
		else if (n == 0)
			redis_conn_fail(c, LABEL(redis, CLOSED), "it closed the connection");
		else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
			conn_fail_errno(c, LABEL(redis, CLOSED), "the connection broke", errno);
	}
}

static void
conn_greet(struct redis_conn *c)
{
	int one = 1;

	c->state = CONN_GREETS;
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	event_add(c->readable, NULL);
	redis_conn_hello(c, &c->spec);
}

static void
conn_write(evutil_socket_t fd, short what, void *arg)
{
	struct redis_conn *c = arg;
	socklen_t len = sizeof(int);
	int error = 0;

	(void)what;
	if (c->state != CONN_CONNECTS) {
		conn_flush(c);
		return;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error == 0) {
		conn_greet(c);
	} else if (c->tried < c->addresses.count) {
		conn_close_socket(c);
		conn_connect(c);
	} else {
		conn_fail_errno(c, LABEL(redis, CONNECT), "cannot connect", error);
	}
}

/* To the next address. */
static void
conn_connect(struct redis_conn *c)
{
	const struct sockaddr *address = (const struct sockaddr *)&c->addresses.at[c->tried];
	socklen_t len = c->addresses.len[c->tried++];

	c->state = CONN_CONNECTS;
	c->fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0) {
		conn_fail_errno(c, LABEL(redis, CONNECT), "no socket", errno);
		return;
	}
	c->readable = event_new(loop_base(c->loop), c->fd, EV_READ | EV_PERSIST, conn_read, c);
	c->writable = event_new(loop_base(c->loop), c->fd, EV_WRITE, conn_write, c);
	if (connect(c->fd, address, len) == 0 || errno == EINPROGRESS)
		event_add(c->writable, NULL);
	else if (c->tried < c->addresses.count) {
		conn_close_socket(c);
		conn_connect(c);
	} else
		conn_fail_errno(c, LABEL(redis, CONNECT), "cannot connect", errno);
}

static void
conn_resolved(const struct resolved *found, void *arg)
{
	struct redis_conn *c = arg;

	c->resolving = NULL;
	if (found == NULL) {
		redis_conn_fail(c, LABEL(redis, CONNECT), "its name is not known");
		return;
	}
	c->addresses = *found;
	conn_connect(c);
}

static void
conn_begin(void *arg)
{
	struct redis_conn *c = arg;
	struct sockaddr_un *un = (struct sockaddr_un *)&c->addresses.at[0];
	int r;

	loop_timer_set(&c->deadline, c->spec.bounds->connect_ms);
	if (c->spec.host == NULL) {
		un->sun_family = AF_UNIX;
		(void)text_copy(un->sun_path, sizeof(un->sun_path), c->spec.url->path);
		c->addresses.len[0] = sizeof(*un);
		c->addresses.count = 1;
		conn_connect(c);
		return;
	}
	r = resolve(c->loop, c->spec.dns, c->host.name, c->host.port, &c->addresses, conn_resolved,
	    c, &c->resolving);
	if (r == E_OK)
		conn_connect(c);
	else if (r != E_PARTIAL)
		redis_conn_fail(c, LABEL(redis, CONNECT), "its name is not known");
}

struct redis_conn *
redis_conn_new(struct loop *loop, const struct redis_conn_spec *spec,
    const struct redis_conn_hooks *hooks, void *owner)
{
	struct redis_conn *c = mem_alloc(sizeof(*c));

	c->loop = loop;
	c->spec = *spec;
	if (spec->host != NULL) {
		c->host = *spec->host;
		c->spec.host = &c->host;
	}
	c->hooks = hooks;
	c->owner = owner;
	c->fd = -1;
	c->ring_size = RING_FIRST;
	c->ring = mem_array(c->ring_size, sizeof(*c->ring));
	buf_init(&c->out, spec->bounds->output_max);
	redis_reader_open(&c->reader);
	loop_timer_open(loop, &c->begin, conn_begin, c);
	loop_timer_open(loop, &c->deadline, conn_deadline, c);
	loop_timer_open(loop, &c->answers, conn_answers_late, c);
	loop_timer_set(&c->begin, 0);
	return c;
}

static void
conn_destroy(void *arg)
{
	struct redis_conn *c = arg;

	loop_timer_close(&c->begin);
	loop_timer_close(&c->deadline);
	loop_timer_close(&c->answers);
	redis_reader_close(&c->reader);
	buf_fini(&c->out);
	mem_free(&c->ring);
	mem_free(&c);
}

/* We may be within one of its own callbacks, and the end of the turn may still want to write. */
void
redis_conn_free(struct redis_conn **cp)
{
	struct redis_conn *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	c->hooks = NULL;
	conn_end(c);
	loop_free_later(c->loop, conn_destroy, c);
}
