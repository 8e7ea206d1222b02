/* server.c - a server as a whole: its limits, its deadlines, its pool, its end.
 *
 * No connection has a timer. Each is in the list of its phase, ordered by when it entered, and
 * while a request is under way in the list of totals, ordered by the first byte; a coarse timer
 * looks at the heads of these lists.
 */
#include "http_room.h"

#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "mem.h"

#define SWEEP_SHARE	 8 /* a deadline is noticed late by at most this part of it */
#define SWEEP_FLOOR_MS	 5
#define SWEEP_CEILING_MS 500
#define SWEEP_BATCH	 512 /* connections ended in one sweep; the rest right after the next turn */

void
http_server_count_drop(struct http_server *s, enum http_drop why)
{
	if (s->hooks.dropped != NULL)
		s->hooks.dropped(why, s->owner);
}

/* The first connection of the list whose time is over, or null. */
static struct http_connection *
sweep_head(const struct http_server *s, enum http_phase phase)
{
	struct http_connection *c = TAILQ_FIRST(&s->phases[phase]);
	int64_t timeout = s->phase_timeout_ns[phase];

	return c != NULL && timeout > 0 && s->now - c->since >= timeout ? c : NULL;
}

static struct http_connection *
sweep_total(const struct http_server *s)
{
	struct http_connection *c = TAILQ_FIRST(&s->totals);
	int64_t timeout = s->limits.total_timeout_ms * CLOCK_MS;

	return c != NULL && s->now - c->listed >= timeout ? c : NULL;
}

static void
server_sweep(void *arg)
{
	struct http_server *s = arg;
	struct http_connection *c;
	int phase, left = SWEEP_BATCH;

	s->now = clock_mono();
	for (phase = 0; phase < HTTP_PHASES; phase++)
		while (left > 0 && (c = sweep_head(s, (enum http_phase)phase)) != NULL) {
			http_connection_expire(c, false);
			left--;
		}
	while (left > 0 && (c = sweep_total(s)) != NULL) {
		http_connection_expire(c, true);
		left--;
	}
	if (s->connections > 0)
		loop_timer_set(&s->sweep, left > 0 ? s->sweep_ms : 0);
}

static int64_t
sweep_interval(const struct http_limits *l)
{
	const int64_t all[] = { l->header_timeout_ms, l->body_timeout_ms, l->idle_timeout_ms,
		l->total_timeout_ms };
	int64_t ms = SWEEP_CEILING_MS;
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i] / SWEEP_SHARE < ms)
			ms = all[i] / SWEEP_SHARE;
	return ms < SWEEP_FLOOR_MS ? SWEEP_FLOOR_MS : ms;
}

static void
server_set_deadlines(struct http_server *s)
{
	int phase;

	for (phase = 0; phase < HTTP_PHASES; phase++)
		TAILQ_INIT(&s->phases[phase]);
	TAILQ_INIT(&s->totals);
	s->phase_timeout_ns[HTTP_FRESH] = s->limits.idle_timeout_ms * CLOCK_MS;
	s->phase_timeout_ns[HTTP_IDLE] = s->limits.idle_timeout_ms * CLOCK_MS;
	s->phase_timeout_ns[HTTP_IN_HEAD] = s->limits.header_timeout_ms * CLOCK_MS;
	s->phase_timeout_ns[HTTP_IN_BODY] = s->limits.body_timeout_ms * CLOCK_MS;
	s->phase_timeout_ns[HTTP_LEAVING] = HTTP_LINGER_MS * CLOCK_MS;
	s->phase_timeout_ns[HTTP_PARTING] = HTTP_PARTING_MS * CLOCK_MS;
	s->phase_timeout_ns[HTTP_LINGERING] = HTTP_LINGER_MS * CLOCK_MS;
	s->sweep_ms = sweep_interval(&s->limits);
}

struct http_server *
http_server_new(struct loop *loop, const struct http_limits *limits, const struct http_hooks *hooks,
    void *owner)
{
	struct http_server *s = mem_alloc(sizeof(*s));

	s->loop = loop;
	s->limits = *limits;
	s->hooks = *hooks;
	s->owner = owner;
	s->now = clock_mono();
	s->input_max = limits->request_line_max + limits->headers_max + 4 + HTTP_INPUT_ROOM;
	s->gather = mem_alloc(HTTP_GATHER_SIZE);
	s->accepting = true;
	server_set_deadlines(s);
	http_accept_init(s);
	loop_timer_open(loop, &s->sweep, server_sweep, s);
	http_drain_init(s);
	return s;
}

/* drain_tell may be waiting for the end of this turn, and runs before this. */
static void
server_free_now(void *server)
{
	mem_free(&server);
}

void
http_server_free(struct http_server **sp)
{
	struct http_server *s = *sp;
	struct http_request *r;
	struct http_connection *c;
	int phase;

	if (s == NULL)
		return;
	*sp = NULL;
	s->done = NULL;
	http_accept_close(s);
	for (phase = 0; phase < HTTP_PHASES; phase++)
		while ((c = TAILQ_FIRST(&s->phases[phase])) != NULL)
			http_connection_close(c);
	while ((r = s->pool) != NULL) {
		s->pool = r->next;
		mem_free(&r->bytes);
		mem_free(&r);
	}
	loop_timer_close(&s->sweep);
	loop_timer_close(&s->leave);
	mem_free(&s->gather);
	loop_free_later(s->loop, server_free_now, s);
}

size_t
http_server_connections(const struct http_server *s)
{
	return s->connections;
}

/* Closes the one that has waited the longest of those nothing is owed to; not the newest, which came just now. */
static bool
server_make_room(struct http_server *s, const struct http_connection *newest)
{
	static const enum http_phase phases[] = { HTTP_FRESH, HTTP_IDLE, HTTP_LINGERING,
		HTTP_IN_HEAD, HTTP_IN_BODY };
	struct http_connection *c;
	size_t i;

	for (i = 0; s->limits.evicts && i < sizeof(phases) / sizeof(phases[0]); i++) {
		c = TAILQ_FIRST(&s->phases[phases[i]]);
		if (c == NULL || c == newest)
			continue;
		http_server_count_drop(s, HTTP_DROP_LIMIT);
		http_connection_close(c);
		return true;
	}
	return false;
}

void
http_server_opened_one(struct http_server *s, const struct http_connection *c)
{
	s->connections++;
	if (!loop_timer_is_set(&s->sweep))
		loop_timer_set(&s->sweep, s->sweep_ms);
	if (s->connections >= s->limits.connections_max && !server_make_room(s, c))
		http_accept_pause(s);
	if (s->hooks.connections != NULL)
		s->hooks.connections(s->connections, true, s->owner);
}

void
http_server_closed_one(struct http_server *s)
{
	s->connections--;
	if (s->hooks.connections != NULL)
		s->hooks.connections(s->connections, false, s->owner);
	if (s->connections < s->limits.connections_max)
		http_accept_resume(s);
	http_drain_check(s);
}

struct http_request *
http_server_borrow(struct http_server *s)
{
	struct http_request *r = s->pool;

	if (r != NULL) {
		s->pool = r->next;
		s->pooled--;
		r->next = NULL;
		return r;
	}
	r = mem_alloc(sizeof(*r));
	r->server = s;
	r->size = HTTP_INPUT_FIRST;
	r->bytes = mem_alloc(r->size);
	return r;
}

/* A buffer that had to grow is not kept: the pool stays small whatever clients send. */
void
http_server_return(struct http_server *s, struct http_request **rp)
{
	struct http_request *r = *rp;

	*rp = NULL;
	if (r == NULL)
		return;
	http_body_drop(r);
	r->connection = NULL;
	r->tag = NULL;
	if (s->pooled < HTTP_POOL_MAX && r->size == HTTP_INPUT_FIRST) {
		r->next = s->pool;
		s->pool = r;
		s->pooled++;
		return;
	}
	mem_free(&r->bytes);
	mem_free(&r);
}
