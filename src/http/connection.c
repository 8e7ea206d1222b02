/* connection.c - where a connection stands: its list, its events, its buffers, its end.
 *
 * After every event http_connection_settle puts it where it belongs by now. exchange.c does the
 * talking.
 */
#include "http_room.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "mem.h"

static void connection_on_event(evutil_socket_t, short, void *);

static void
connection_free(void *arg)
{
	struct http_connection *c = arg;

	mem_free(&c->rest);
	mem_free(&c);
}

static void
connection_watch(struct http_connection *c, short what)
{
	if (c->watched == what)
		return;
	if (c->watched != 0)
		event_del(&c->event);
	c->watched = what;
	if (what == 0)
		return;
	event_assign(&c->event, loop_base(c->server->loop), c->fd, (short)(what | EV_PERSIST),
	    connection_on_event, c);
	if (event_add(&c->event, NULL) != 0)
		c->dead = true;
}

/* Into the list of a phase; again, with a new time, when it is there already and `again`. */
static void
connection_enter(struct http_connection *c, enum http_phase phase, bool again)
{
	struct http_server *s = c->server;

	if (c->phase == phase && !again)
		return;
	TAILQ_REMOVE(&s->phases[c->phase], c, in_phase);
	TAILQ_INSERT_TAIL(&s->phases[phase], c, in_phase);
	c->phase = (uint8_t)phase;
	c->since = s->now;
}

/* The list of totals holds exactly the connections with a request under way, by its first byte. */
static void
connection_list_total(struct http_connection *c, bool under_way)
{
	struct http_server *s = c->server;

	if (c->listed != 0 && (!under_way || c->listed != c->began)) {
		TAILQ_REMOVE(&s->totals, c, in_total);
		c->listed = 0;
	}
	if (under_way && c->listed == 0) {
		TAILQ_INSERT_TAIL(&s->totals, c, in_total);
		c->listed = c->began;
	}
}

void
http_server_adopt(struct http_server *s, int fd, const struct sockaddr *peer, socklen_t len)
{
	struct http_connection *c = mem_alloc(sizeof(*c));

	c->server = s;
	c->fd = fd;
	if (peer != NULL && len <= sizeof(c->peer))
		memcpy(&c->peer, peer, len);
	s->now = clock_mono();
	c->since = s->now;
	TAILQ_INSERT_TAIL(&s->phases[HTTP_FRESH], c, in_phase);
	c->phase = HTTP_FRESH;
	http_server_opened_one(s, c);
	connection_watch(c, EV_READ);
	if (c->dead)
		http_connection_close(c);
}

/* The application still has the request: it hears of it, or the request outlives the connection. */
static void
connection_orphan_request(struct http_connection *c)
{
	struct http_request *r = c->request;
	struct http_server *s = c->server;

	if (r == NULL)
		return;
	c->request = NULL;
	if (r->stage != HTTP_HANDED && r->stage != HTTP_STREAMED) {
		http_server_return(s, &r);
	} else if (s->hooks.gone != NULL) {
		s->hooks.gone(r, s->owner);
		http_server_return(s, &r);
	} else {
		r->connection = NULL;
		r->server = NULL;
	}
}

void
http_connection_close(struct http_connection *c)
{
	struct http_server *s = c->server;

	connection_watch(c, 0);
	connection_list_total(c, false);
	TAILQ_REMOVE(&s->phases[c->phase], c, in_phase);
	connection_orphan_request(c);
	close(c->fd);
	c->fd = -1;
	s->waiting -= c->rest_len; /* the bytes go with the connection, when the turn is over */
	loop_free_later(s->loop, connection_free, c);
	http_server_closed_one(s);
}

/* A slow reader: the kernel must not go on keeping his bytes either. */
static void
connection_cut(struct http_connection *c)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	http_connection_close(c);
}

bool
http_connection_has_input(const struct http_connection *c)
{
	return c->request != NULL && c->request->next_start < c->request->end;
}

/* The last answer is with the kernel. Closing with unread input would reset it on its way, so
 * unless the client is known to be silent its bytes are thrown away for a moment. */
static void
connection_finish(struct http_connection *c)
{
	connection_list_total(c, false);
	if (c->eof || (c->polite && !http_connection_has_input(c))) {
		http_connection_close(c);
		return;
	}
	http_server_return(c->server, &c->request);
	shutdown(c->fd, SHUT_WR);
	connection_enter(c, HTTP_LINGERING, true);
	connection_watch(c, EV_READ);
}

/* While draining its moment to leave is set, whatever empty lines come. */
static void
connection_rest(struct http_connection *c)
{
	struct http_server *s = c->server;

	connection_enter(c, c->served ? HTTP_IDLE : HTTP_FRESH, !s->draining);
	if (s->draining)
		http_drain_rest(s);
}

/* Where a connection stands whose request is being read. */
static void
connection_settle_reading(struct http_connection *c)
{
	struct http_request *r = c->request;

	/* Nothing but empty lines came: still at rest. */
	if (r != NULL && r->start == r->end) {
		http_server_return(c->server, &c->request);
		r = NULL;
	}
	if (c->eof) {
		http_connection_close(c);
		return;
	}
	connection_list_total(c, r != NULL);
	if (r == NULL)
		connection_rest(c);
	else if (r->stage == HTTP_READ_BODY)
		connection_enter(c, HTTP_IN_BODY, true);
	else
		connection_enter(c, HTTP_IN_HEAD, c->since < c->began);
	connection_watch(c, EV_READ);
}

static void
connection_settle_busy(struct http_connection *c)
{
	bool room = c->request->end < c->request->size;

	/* Reading on is how a client that leaves is noticed. One that has filled the buffer
	 * behind its request is not read, and its leaving is seen when the answer is sent. */
	connection_list_total(c, true);
	connection_enter(c, c->eof ? HTTP_LEAVING : HTTP_BUSY, false);
	connection_watch(c, room && !c->eof ? EV_READ : 0);
}

/* It is in no list of totals, and no phase times it out: only draining ends it. */
static void
connection_settle_stream(struct http_connection *c)
{
	connection_list_total(c, false);
	connection_enter(c, HTTP_STREAMING, false);
	connection_watch(c, (short)(EV_READ | (c->rest != NULL ? EV_WRITE : 0)));
}

void
http_connection_settle(struct http_connection *c)
{
	struct http_server *s = c->server;
	struct http_request *r = c->request;

	if (s->hooks.bytes != NULL && (s->bytes_in | s->bytes_out) != 0)
		s->hooks.bytes(s->bytes_in, s->bytes_out, s->owner);
	s->bytes_in = s->bytes_out = 0;
	if (c->dead) {
		http_connection_close(c);
	} else if (r != NULL && r->stage == HTTP_STREAMED) {
		connection_settle_stream(c);
	} else if (c->rest != NULL) {
		connection_list_total(c, true);
		connection_enter(c, HTTP_WRITING, false);
		connection_watch(c, EV_WRITE);
	} else if (r != NULL && r->stage == HTTP_HANDED) {
		connection_settle_busy(c);
	} else if (r != NULL && r->stage == HTTP_ANSWERED) {
		connection_finish(c);
	} else {
		connection_settle_reading(c);
	}
}

/* Its pipelined requests are looked at in the next turn, from the loop. */
void
http_connection_wake(struct http_connection *c)
{
	connection_list_total(c, true);
	connection_watch(c, EV_READ);
	event_active(&c->event, EV_TIMEOUT, 0);
}

/* What broke inside somebody else's call. The kernel must not go on keeping a slow reader's bytes either. */
void
http_connection_abort(struct http_connection *c)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	connection_watch(c, EV_READ);
	event_active(&c->event, EV_TIMEOUT, 0);
}

static void
connection_discard(struct http_connection *c)
{
	uint8_t waste[16384];
	ssize_t n = recv(c->fd, waste, sizeof(waste), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0 && c->phase == HTTP_PARTING && c->discarded == 0)
		http_server_count_drop(c->server, HTTP_DROP_CROSSED);
	if (n > 0)
		c->discarded += (size_t)n;
	if (n <= 0 || c->discarded > HTTP_LINGER_MAX)
		http_connection_close(c);
}

static void
connection_on_event(evutil_socket_t fd, short what, void *arg)
{
	struct http_connection *c = arg;

	(void)fd;
	c->server->now = clock_mono();
	if (what & EV_TIMEOUT) {
		http_exchange_run(c);
	} else if (what & EV_WRITE) {
		http_reply_send_rest(c);
		if (c->dead || c->rest == NULL)
			http_exchange_run(c);
	} else if (c->phase == HTTP_LINGERING || c->phase == HTTP_PARTING ||
		   c->phase == HTTP_STREAMING) {
		connection_discard(c);
	} else {
		http_exchange_read(c);
	}
}

/* A request that has come already is still answered: the socket is read before it is let go. */
void
http_connection_part(struct http_connection *c)
{
	http_exchange_read(c);
	if (c->fd < 0 || (c->phase != HTTP_IDLE && c->phase != HTTP_FRESH))
		return;
	shutdown(c->fd, SHUT_WR);
	connection_enter(c, HTTP_PARTING, true);
	connection_watch(c, EV_READ);
}

/* The time of its phase is over, or that of the whole request. */
void
http_connection_expire(struct http_connection *c, bool total)
{
	struct http_server *s = c->server;

	switch ((enum http_phase)c->phase) {
	case HTTP_FRESH:
		if (s->draining)
			http_connection_part(c);
		else
			http_connection_close(c);
		break;
	case HTTP_IDLE:
	case HTTP_PARTING:
	case HTTP_LINGERING:
	case HTTP_LEAVING:
		http_connection_close(c);
		break;
	case HTTP_IN_HEAD:
	case HTTP_IN_BODY:
		c->began = s->now;
		c->running = true;
		http_exchange_refuse(c, E_REQUEST_TIMEOUT);
		http_exchange_run(c);
		break;
	case HTTP_STREAMING:
		http_stream_drained(c);
		break;
	case HTTP_BUSY:
	case HTTP_WRITING:
	case HTTP_PHASES:
		assert(total);
		http_server_count_drop(s, HTTP_DROP_TIMEOUT);
		connection_cut(c);
		break;
	}
}
