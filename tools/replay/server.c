/* server.c - connections: reading requests, sending answers, also wrong ones where a fault says so.
 *
 * evhttp would do for the answers, but not for the faults: a body cut in the middle, a connection
 * that is dropped or never answered, all need the connection itself. One request is in hand at a
 * time; what a client pipelines waits in the input, which is bounded, and reading stops meanwhile.
 */
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "clock.h"
#include "control.h"
#include "log.h"

#define IDLE_MS	   75000	 /* between requests */
#define RECEIVE_MS 10000	 /* for one request to arrive */
#define SEND_MS	   30000	 /* without any byte being taken */
#define HANG_MS	   600000	 /* even a hanging answer ends */
#define LINGER_MS  2000		 /* for a client that still sends to read why it was refused */
#define ACCEPT_MS  100		 /* before accepting again when descriptors ran out */
#define OUTPUT_MAX (1024 * 1024) /* unsent bytes beyond which no further request is taken up */
#define BACKLOG	   1024

enum phase {
	PHASE_RECEIVING, /* nothing, or a part of a request, is here */
	PHASE_BODY,	 /* the head is understood, its body is not all here */
	PHASE_HOLDING,	 /* the answer waits: a slow or hanging fault */
	PHASE_SENDING,	 /* closes once the answer is out */
	PHASE_LINGERING, /* our side is shut; what still comes is thrown away */
	PHASE_CLOSED
};

struct connection {
	struct server *server;
	struct bufferevent *bev;
	struct loop_timer timer;
	enum phase phase;
	bool arriving; /* a part of a request is here: RECEIVE_MS runs */
	char *head;    /* of the request in hand; HEAD_BYTES + 1 */
	struct request request;
	struct answer answer;
	LIST_ENTRY(connection) others;
};

struct server {
	struct replay *replay;
	struct evconnlistener *listener;
	LIST_HEAD(, connection) connections;
	size_t open;
	bool full; /* not accepting */
	struct loop_timer accept_again;
	char run[17]; /* random part of the request ids */
	uint64_t serial;
};

static void
connection_free(void *object)
{
	struct connection *c = object;

	bufferevent_free(c->bev);
	loop_timer_close(&c->timer);
	answer_fini(&c->answer);
	mem_free(&c->head);
	mem_free(&c);
}

static void
connection_close(struct connection *c)
{
	struct server *s = c->server;

	if (c->phase == PHASE_CLOSED)
		return;
	c->phase = PHASE_CLOSED;
	bufferevent_disable(c->bev, EV_READ | EV_WRITE);
	bufferevent_setcb(c->bev, NULL, NULL, NULL, NULL);
	loop_timer_clear(&c->timer);
	LIST_REMOVE(c, others);
	s->open--;
	if (s->full && s->listener != NULL && evconnlistener_enable(s->listener) == 0)
		s->full = false;
	loop_free_later(s->replay->loop, connection_free, c);
}

static void
connection_put_headers(struct connection *c, size_t length)
{
	struct evbuffer *out = bufferevent_get_output(c->bev);
	const struct answer *a = &c->answer;
	struct server *s = c->server;

	evbuffer_add_printf(out,
	    "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
	    "X-Request-ID: %s%012llx\r\nX-Opitios-Replay: %s\r\n"
	    "X-Opitios-Replay-Clock: %lld\r\n",
	    a->status, answer_reason(a->status), a->type, length, s->run,
	    (unsigned long long)++s->serial, s->replay->recording.name,
	    (long long)replay_now(s->replay));
	if (a->shows_budget)
		evbuffer_add_printf(out,
		    "X-RateLimit-Limit: %.0f\r\nX-RateLimit-Remaining: %.0f\r\n"
		    "X-RateLimit-Reset: %lld\r\n",
		    a->budget_limit, a->budget_left, (long long)a->budget_reset);
	evbuffer_add_printf(out, "Connection: %s\r\n\r\n", a->closes ? "close" : "keep-alive");
}

static void
connection_send(struct connection *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	struct answer *a = &c->answer;
	size_t len = buf_len(&a->body), sent = len;

	if (a->manner == MANNER_CUT) {
		sent = len / 2;
		len += len == 0; /* even an empty body must be missing something */
		a->closes = true;
	}
	connection_put_headers(c, len);
	if (sent > 0 && strcmp(c->request.method, "HEAD") != 0)
		evbuffer_add(bufferevent_get_output(c->bev), buf_data(&a->body), sent);
	if (a->closes)
		evbuffer_drain(in, evbuffer_get_length(in)); /* else reading stops at its bound */
	c->phase = a->closes ? PHASE_SENDING : PHASE_RECEIVING;
	c->arriving = false;
	answer_reset(a);
	loop_timer_set(&c->timer, IDLE_MS);
}

static void
connection_refuse(struct connection *c, int status)
{
	answer_refuse(&c->answer, status, "%s", answer_reason(status));
	c->answer.closes = true;
	connection_send(c);
}

static void
connection_answer(struct connection *c)
{
	struct answer *a = &c->answer;

	a->closes = !c->request.keeps_alive;
	replay_answer(c->server->replay, &c->request, a);
	if (a->manner == MANNER_DROP) {
		connection_close(c);
		return;
	}
	if (a->manner != MANNER_HANG && a->delay_ms == 0) {
		connection_send(c);
		return;
	}
	c->phase = PHASE_HOLDING;
	loop_timer_set(&c->timer, a->manner == MANNER_HANG ? HANG_MS : a->delay_ms);
}

/* True: the head is complete and understood, or refused. */
static bool
connection_take_head(struct connection *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	struct evbuffer_ptr end = evbuffer_search(in, "\r\n\r\n", 4, NULL);
	size_t len = end.pos >= 0 ? (size_t)end.pos + 4 : evbuffer_get_length(in);
	int status;

	if (len > HEAD_BYTES) {
		c->request.method = ""; /* there may not have been a request before */
		connection_refuse(c, 431);
		return true;
	}
	if (end.pos < 0)
		return false;
	evbuffer_remove(in, c->head, len);
	c->head[len] = '\0';
	if ((status = request_parse(&c->request, c->head, len)) != 0) {
		connection_refuse(c, status);
		return true;
	}
	if (c->request.body_length == 0) {
		connection_answer(c);
		return true;
	}
	if (c->request.body_length > BODY_IDLE_BYTES &&
	    !(c->server->replay->options.control && control_is_meant(&c->request))) {
		connection_refuse(c, 413);
		return true;
	}
	c->phase = PHASE_BODY;
	bufferevent_setwatermark(c->bev, EV_READ, 0, BODY_BYTES + HEAD_BYTES);
	if (c->request.expects_continue)
		evbuffer_add_printf(
		    bufferevent_get_output(c->bev), "HTTP/1.1 100 Continue\r\n\r\n");
	return true;
}

static bool
connection_take_body(struct connection *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	size_t len = (size_t)c->request.body_length;

	if (evbuffer_get_length(in) < len)
		return false;
	c->request.body = evbuffer_pullup(in, (ev_ssize_t)len);
	connection_answer(c);
	evbuffer_drain(in, len);
	bufferevent_setwatermark(c->bev, EV_READ, 0, HEAD_BYTES + 4);
	return true;
}

/* Takes up what is here, one request after the other, until one waits or the client takes too
 * little. */
static void
connection_work(struct connection *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	bool going = true;

	while (going && evbuffer_get_length(bufferevent_get_output(c->bev)) < OUTPUT_MAX) {
		if (c->phase == PHASE_RECEIVING && evbuffer_get_length(in) > 0)
			going = connection_take_head(c);
		else if (c->phase == PHASE_BODY)
			going = connection_take_body(c);
		else
			going = false;
	}
	if (!c->arriving && (c->phase == PHASE_BODY ||
				(c->phase == PHASE_RECEIVING && evbuffer_get_length(in) > 0))) {
		c->arriving = true;
		loop_timer_set(&c->timer, RECEIVE_MS);
	}
}

static void
connection_on_read(struct bufferevent *bev, void *owner)
{
	struct connection *c = owner;

	if (c->phase == PHASE_LINGERING || c->phase == PHASE_SENDING)
		evbuffer_drain(
		    bufferevent_get_input(bev), evbuffer_get_length(bufferevent_get_input(bev)));
	else
		connection_work(c);
}

/* Everything is out. A side that is shut while input still comes would lose the answer to a
 * reset, so it lingers. */
static void
connection_on_write(struct bufferevent *bev, void *owner)
{
	struct connection *c = owner;

	if (c->phase != PHASE_SENDING) {
		connection_work(c);
		return;
	}
	c->phase = PHASE_LINGERING;
	shutdown(bufferevent_getfd(bev), SHUT_WR);
	loop_timer_set(&c->timer, LINGER_MS);
}

static void
connection_on_event(struct bufferevent *bev, short what, void *owner)
{
	struct connection *c = owner;
	bool ended = (what & BEV_EVENT_EOF) && !(what & BEV_EVENT_ERROR);

	/* A client may shut its side and still want what is on its way. One whose answer is held
	 * back has gone, as far as anybody can tell. */
	if (!ended || c->phase == PHASE_HOLDING || c->phase == PHASE_LINGERING ||
	    evbuffer_get_length(bufferevent_get_output(bev)) == 0) {
		connection_close(c);
		return;
	}
	bufferevent_disable(bev, EV_READ);
	c->phase = PHASE_SENDING;
}

static void
connection_on_timer(void *owner)
{
	struct connection *c = owner;

	if (c->phase == PHASE_HOLDING && c->answer.manner != MANNER_HANG) {
		connection_send(c);
		connection_work(c);
		return;
	}
	connection_close(c);
}

static void
server_on_accept(
    struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *from, int len, void *owner)
{
	struct server *s = owner;
	struct connection *c = mem_alloc(sizeof(*c));
	struct timeval send_time = { SEND_MS / 1000, 0 };
	int on = 1;

	(void)from;
	(void)len;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c->server = s;
	c->bev = bufferevent_socket_new(loop_base(s->replay->loop), fd, BEV_OPT_CLOSE_ON_FREE);
	if (c->bev == NULL)
		fatal(EXIT_WITH_SYSTEM, "out of memory: a connection was refused");
	c->head = mem_alloc(HEAD_BYTES + 1);
	answer_init(&c->answer);
	loop_timer_open(s->replay->loop, &c->timer, connection_on_timer, c);
	loop_timer_set(&c->timer, IDLE_MS);
	bufferevent_setcb(c->bev, connection_on_read, connection_on_write, connection_on_event, c);
	bufferevent_setwatermark(c->bev, EV_READ, 0, HEAD_BYTES + 4);
	bufferevent_set_timeouts(c->bev, NULL, &send_time);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	LIST_INSERT_HEAD(&s->connections, c, others);
	if (++s->open >= s->replay->options.connections_max && evconnlistener_disable(l) == 0)
		s->full = true; /* the rest waits in the kernel's queue */
}

static void
server_on_accept_again(void *owner)
{
	struct server *s = owner;

	if (s->full && evconnlistener_enable(s->listener) == 0)
		s->full = false;
}

static void
server_on_accept_error(struct evconnlistener *l, void *owner)
{
	struct server *s = owner;

	log_warn("a connection could not be accepted: %s", strerror(errno));
	evconnlistener_disable(l);
	s->full = true;
	loop_timer_set(&s->accept_again, ACCEPT_MS);
}

/* Addresses are numbers: nothing is looked up. */
static int
server_bind(struct server *s, const char *address, uint16_t port, char *why)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
		.ai_socktype = SOCK_STREAM };
	struct addrinfo *found;
	char service[8];

	snprintf(service, sizeof(service), "%u", port);
	if (getaddrinfo(address, service, &hints, &found) != 0) {
		snprintf(why, LOAD_WHY, "%s is not an address", address);
		return E_SYSTEM;
	}
	s->listener = evconnlistener_new_bind(loop_base(s->replay->loop), server_on_accept, s,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_EXEC, BACKLOG,
	    found->ai_addr, (int)found->ai_addrlen);
	if (s->listener == NULL)
		snprintf(why, LOAD_WHY, "%s port %u: %s", address, port, strerror(errno));
	else
		evconnlistener_set_error_cb(s->listener, server_on_accept_error);
	freeaddrinfo(found);
	return s->listener != NULL ? E_OK : E_SYSTEM;
}

/* The port stands at the same place in both families' addresses. */
static uint16_t
server_port(const struct server *s)
{
	struct sockaddr_in6 own = { 0 };
	socklen_t len = sizeof(own);

	if (getsockname(evconnlistener_get_fd(s->listener), (struct sockaddr *)&own, &len) != 0)
		return 0;
	return ntohs(own.sin6_port);
}

int
server_open(struct replay *r, struct server **out, uint16_t *port, char why[LOAD_WHY])
{
	struct server *s = mem_alloc(sizeof(*s));
	uint64_t random;

	s->replay = r;
	LIST_INIT(&s->connections);
	hash_random(&random, sizeof(random));
	snprintf(s->run, sizeof(s->run), "%016llx", (unsigned long long)random);
	if (server_bind(s, r->options.address, r->options.port, why) != E_OK) {
		mem_free(&s);
		return E_SYSTEM;
	}
	loop_timer_open(r->loop, &s->accept_again, server_on_accept_again, s);
	*port = server_port(s);
	*out = s;
	return E_OK;
}

void
server_close(struct server **server)
{
	struct server *s = *server;

	evconnlistener_free(s->listener);
	s->listener = NULL;
	while (!LIST_EMPTY(&s->connections))
		connection_close(LIST_FIRST(&s->connections));
	loop_timer_close(&s->accept_again);
	mem_free(server);
}

size_t
server_open_connections(const struct server *s)
{
	return s->open;
}
