/* exchange.c - one request after the other: bytes in, the application asked, its answer out.
 *
 * http_exchange_run works off what has been read as long as the application answers at once;
 * http_reply only notes the answer meanwhile, so the depth of the stack does not depend on what
 * a client pipelines.
 */
#include "http_room.h"

#include <assert.h>
#include <errno.h>

#include "clock.h"

/* Between requests: at rest when nothing is pipelined. */
static void
exchange_next(struct http_connection *c)
{
	struct http_request *r = c->request;

	http_body_drop(r);
	r->tag = NULL;
	c->served = true;
	r->start = r->next_start;
	if (r->start == r->end)
		http_server_return(c->server, &c->request);
	else
		http_head_begin(r);
	c->began = c->server->now;
}

static enum http_drop
exchange_drop_reason(int error)
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

void
http_exchange_refuse(struct http_connection *c, int error)
{
	struct http_server *s = c->server;
	struct http_request *r = c->request;

	http_server_count_drop(s, exchange_drop_reason(error));
	http_head_salvage(r);
	r->stage = HTTP_HANDED;
	r->next_start = r->end;
	r->arrived = s->now;
	c->closing = true;
	c->polite = false;
	s->hooks.refused(r, error, s->owner);
}

static void
exchange_hand_over(struct http_connection *c)
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
exchange_read_request(struct http_connection *c)
{
	struct http_request *r = c->request;
	int e;

	if (r->stage == HTTP_READ_HEAD) {
		if ((e = http_head_read(r)) != E_OK)
			return e;
		r->stage = HTTP_READ_BODY;
	}
	e = http_body_read(r);
	if (e == E_PARTIAL && r->expects && !c->eof) {
		http_reply_continue(c);
		r->expects = false;
	}
	return e;
}

/* One request, if it is whole. True when it was answered at once, and so the next may be looked
 * at. */
static bool
exchange_step(struct http_connection *c)
{
	struct http_request *r = c->request;
	int e;

	if (r == NULL || r->stage == HTTP_HANDED || r->stage == HTTP_STREAMED || c->dead ||
	    c->rest != NULL)
		return false;
	if (r->stage == HTTP_ANSWERED) {
		if (c->closing)
			return false;
		exchange_next(c);
		return c->request != NULL;
	}
	if (r->stage == HTTP_READ_HEAD && r->start == r->end)
		return false;
	e = exchange_read_request(c);
	if (e == E_PARTIAL && !c->eof)
		return false;
	if (e == E_PARTIAL) /* and the rest will never come */
		e = E_MALFORMED_REQUEST;
	if (e != E_OK)
		http_exchange_refuse(c, e);
	else
		exchange_hand_over(c);
	return true;
}

void
http_exchange_run(struct http_connection *c)
{
	c->running = true;
	while (exchange_step(c))
		;
	http_reply_flush(c);
	c->running = false;
	http_connection_settle(c);
}

/* The application answered later, maybe from deep inside its own work: what is pipelined behind
 * waits for the next turn of the loop, so that no hook is called from within http_reply. */
void
http_exchange_answered(struct http_connection *c)
{
	c->server->now = clock_mono();
	if (!c->dead && c->rest == NULL && !c->closing) {
		if (http_connection_has_input(c)) {
			http_connection_wake(c);
			return;
		}
		exchange_next(c);
	}
	http_connection_settle(c);
}

/* The client ended its side. What it asked for before is still answered, as half-closing is
 * legal; but most that do so are gone altogether, which cannot be told apart, so the application
 * is given HTTP_LINGER_MS. */
static void
exchange_on_end(struct http_connection *c)
{
	c->eof = true;
	http_exchange_run(c);
}

static void
exchange_on_failure(struct http_connection *c)
{
	if (errno == EAGAIN || errno == EINTR)
		return;
	if (c->request != NULL)
		http_server_count_drop(c->server, HTTP_DROP_RESET);
	http_connection_close(c);
}

/* Where the next bytes go: straight into a body of known length, else behind what was read. */
static uint8_t *
exchange_room(struct http_connection *c, size_t *len, bool *into_body)
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
exchange_took(struct http_connection *c, size_t n, bool into_body)
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

void
http_exchange_read(struct http_connection *c)
{
	bool into_body;
	size_t len;
	uint8_t *to = exchange_room(c, &len, &into_body);
	ssize_t n = recv(c->fd, to, len, 0);

	if (n > 0) {
		exchange_took(c, (size_t)n, into_body);
		http_exchange_run(c);
		return;
	}
	/* The buffer was borrowed for nothing. */
	if (c->request->end == 0)
		http_server_return(c->server, &c->request);
	if (n == 0)
		exchange_on_end(c);
	else
		exchange_on_failure(c);
}
