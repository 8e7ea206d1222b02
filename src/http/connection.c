/* connection.c - the life of one connection: bytes in, requests to the application one at a time, the end.
 *
 * connection_run works off what has been read, request after request, as long as the application answers at
 * once; http_reply only notes the answer meanwhile, so the depth of the stack does not depend on what a client
 * pipelines. connection_settle then puts the connection where it belongs: list, events, buffers.
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
	TAILQ_INSERT_TAIL(&s->phases[HTTP_IDLE], c, in_phase);
	http_server_opened_one(s);
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
	if (r->stage != HTTP_HANDED) {
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

static bool
connection_has_input(const struct http_connection *c)
{
	return c->request != NULL && c->request->next_start < c->request->end;
}

/* The last answer is with the kernel. Closing with unread input would reset it on its way, so unless the
 * client is known to be silent its bytes are thrown away for a moment. */
static void
connection_finish(struct http_connection *c)
{
	connection_list_total(c, false);
	if (c->eof || (c->polite && !connection_has_input(c))) {
		http_connection_close(c);
		return;
	}
	http_server_return(c->server, &c->request);
	shutdown(c->fd, SHUT_WR);
	connection_enter(c, HTTP_LINGERING, true);
	connection_watch(c, EV_READ);
}

/* Between requests: at rest when nothing is pipelined. */
static void
connection_next_request(struct http_connection *c)
{
	struct http_request *r = c->request;

	http_body_drop(r);
	r->tag = NULL;
	r->start = r->next_start;
	if (r->start == r->end)
		http_server_return(c->server, &c->request);
	else
		http_head_begin(r);
	c->began = c->server->now;
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
	if (c->eof || (r == NULL && c->server->draining)) {
		http_connection_close(c);
		return;
	}
	connection_list_total(c, r != NULL);
	if (r == NULL)
		connection_enter(c, HTTP_IDLE, true);
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

	/* Reading on is how a client that leaves is noticed. One that has filled the buffer behind its request is
	 * not read, and its leaving is seen when the answer is sent. */
	connection_list_total(c, true);
	connection_enter(c, c->eof ? HTTP_LEAVING : HTTP_BUSY, false);
	connection_watch(c, room && !c->eof ? EV_READ : 0);
}

static void
connection_settle(struct http_connection *c)
{
	struct http_server *s = c->server;
	struct http_request *r = c->request;

	if (s->hooks.bytes != NULL && (s->bytes_in | s->bytes_out) != 0)
		s->hooks.bytes(s->bytes_in, s->bytes_out, s->owner);
	s->bytes_in = s->bytes_out = 0;
	if (c->dead) {
		http_connection_close(c);
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

static enum http_drop
connection_drop_reason(int error)
{
	switch (error) {
	case E_REQUEST_TIMEOUT:
		return HTTP_DROP_TIMEOUT;
	case E_REQUEST_SIZE_EXCEEDED:
	case E_URI_TOO_LONG:
	case E_HEADERS_TOO_LARGE:
		return HTTP_DROP_LIMIT;
	default:
		return HTTP_DROP_MALFORMED;
	}
}

static void
connection_refuse(struct http_connection *c, int error)
{
	struct http_server *s = c->server;
	struct http_request *r = c->request;

	http_server_count_drop(s, connection_drop_reason(error));
	http_head_salvage(r);
	r->stage = HTTP_HANDED;
	r->next_start = r->end;
	r->arrived = s->now;
	c->closing = true;
	c->polite = false;
	s->hooks.refused(r, error, s->owner);
}

static void
connection_hand_over(struct http_connection *c)
{
	struct http_server *s = c->server;
	struct http_request *r = c->request;

	r->stage = HTTP_HANDED;
	r->arrived = s->now;
	if (!r->keep)
		c->closing = c->polite = true;
	s->hooks.request(r, s->owner);
}

/* E_OK: a whole request; E_PARTIAL: more bytes are needed; else why it cannot be. */
static int
connection_read_request(struct http_connection *c)
{
	struct http_request *r = c->request;
	int e;

	if (r->stage == HTTP_READ_HEAD) {
		if ((e = http_head_read(r)) != E_OK)
			return e;
		r->stage = HTTP_READ_BODY;
	}
	e = http_body_read(r);
	if (e == E_PARTIAL && r->expects) {
		http_reply_continue(c);
		r->expects = false;
	}
	return e;
}

/* One request, if it is whole. True when it was answered at once, and so the next may be looked at. */
static bool
connection_step(struct http_connection *c)
{
	struct http_request *r = c->request;
	int e;

	if (r == NULL || r->stage == HTTP_HANDED || c->dead || c->rest != NULL)
		return false;
	if (r->stage == HTTP_ANSWERED) {
		if (c->closing)
			return false;
		connection_next_request(c);
		return c->request != NULL;
	}
	e = connection_read_request(c);
	if (e == E_PARTIAL)
		return false;
	if (e != E_OK)
		connection_refuse(c, e);
	else
		connection_hand_over(c);
	return true;
}

static void
connection_run(struct http_connection *c)
{
	c->running = true;
	while (connection_step(c))
		;
	http_reply_flush(c);
	c->running = false;
	connection_settle(c);
}

/* The application answered later, maybe from deep inside its own work: what is pipelined behind waits for the
 * next turn of the loop, so that no hook is called from within http_reply. */
void
http_connection_answered(struct http_connection *c)
{
	c->server->now = clock_mono();
	if (!c->dead && c->rest == NULL && !c->closing) {
		if (connection_has_input(c)) {
			connection_list_total(c, true);
			connection_watch(c, EV_READ);
			event_active(&c->event, EV_TIMEOUT, 0);
			return;
		}
		connection_next_request(c);
	}
	connection_settle(c);
}

/* The client ended its side. What it asked for before is still answered, as half-closing is legal; but most that
 * do so are gone altogether, which cannot be told apart, so the application is given HTTP_LINGER_MS. */
static void
connection_on_end(struct http_connection *c)
{
	struct http_request *r = c->request;

	c->eof = true;
	if (r != NULL && (r->stage == HTTP_READ_HEAD || r->stage == HTTP_READ_BODY)) {
		c->running = true;
		connection_refuse(c, E_MALFORMED_REQUEST);
		connection_run(c);
		return;
	}
	connection_settle(c);
}

static void
connection_on_failure(struct http_connection *c)
{
	if (errno == EAGAIN || errno == EINTR)
		return;
	if (c->request != NULL)
		http_server_count_drop(c->server, HTTP_DROP_RESET);
	http_connection_close(c);
}

static void
connection_discard(struct http_connection *c)
{
	uint8_t waste[16384];
	ssize_t n = recv(c->fd, waste, sizeof(waste), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		c->discarded += (size_t)n;
	if (n <= 0 || c->discarded > HTTP_LINGER_MAX)
		http_connection_close(c);
}

/* Where the next bytes go: straight into a body of known length, else behind what was read. */
static uint8_t *
connection_room(struct http_connection *c, size_t *len, bool *into_body)
{
	struct http_request *r = c->request;
	uint8_t *to = NULL;

	*into_body = false;
	if (r == NULL) {
		r = c->request = http_server_borrow(c->server);
		r->connection = c;
		r->start = r->end = 0;
		http_head_begin(r);
	}
	if (r->stage == HTTP_READ_BODY && (to = http_body_room(r, len)) != NULL) {
		*into_body = true;
		return to;
	}
	if (r->stage == HTTP_READ_HEAD)
		http_head_make_room(r);
	*len = r->size - r->end;
	assert(*len > 0);
	return r->bytes + r->end;
}

static void
connection_took(struct http_connection *c, size_t n, bool into_body)
{
	struct http_request *r = c->request;

	c->server->bytes_in += n;
	if (into_body) {
		r->body_len += n;
		r->body_want -= n;
	} else {
		if (r->end == 0)
			c->began = c->server->now;
		r->end += n;
	}
}

static void
connection_read(struct http_connection *c)
{
	bool into_body;
	size_t len;
	uint8_t *to = connection_room(c, &len, &into_body);
	ssize_t n = recv(c->fd, to, len, 0);

	if (n > 0) {
		connection_took(c, (size_t)n, into_body);
		connection_run(c);
		return;
	}
	/* The buffer was borrowed for nothing. */
	if (c->request->end == 0)
		http_server_return(c->server, &c->request);
	if (n == 0)
		connection_on_end(c);
	else
		connection_on_failure(c);
}

static void
connection_on_event(evutil_socket_t fd, short what, void *arg)
{
	struct http_connection *c = arg;

	(void)fd;
	c->server->now = clock_mono();
	if (what & EV_TIMEOUT) {
		connection_run(c);
	} else if (what & EV_WRITE) {
		http_reply_send_rest(c);
		if (c->dead || c->rest == NULL)
			connection_run(c);
	} else if (c->phase == HTTP_LINGERING) {
		connection_discard(c);
	} else {
		connection_read(c);
	}
}

/* At rest and to be closed; but a request that is on its way in already is still answered. */
void
http_connection_drain(struct http_connection *c)
{
	c->server->now = clock_mono();
	connection_read(c);
	if (c->fd >= 0 && c->phase == HTTP_IDLE)
		http_connection_close(c);
}

/* The time of its phase is over, or that of the whole request. */
void
http_connection_expire(struct http_connection *c, bool total)
{
	struct http_server *s = c->server;

	switch ((enum http_phase)c->phase) {
	case HTTP_IDLE:
	case HTTP_LINGERING:
	case HTTP_LEAVING:
		http_connection_close(c);
		break;
	case HTTP_IN_HEAD:
	case HTTP_IN_BODY:
		c->began = s->now;
		c->running = true;
		connection_refuse(c, E_REQUEST_TIMEOUT);
		connection_run(c);
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
