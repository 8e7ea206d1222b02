/* drain.c - the end of a server that fails nobody: who may still speak, who leaves, and when.
 *
 * A connection at rest leaves at a moment of its own within a window, so that not all clients come
 * back at once; the one silent for longest goes first, as it is the least likely to speak just
 * then. A request that comes before that moment is answered, with the word that the connection
 * closes. One that was accepted and has not spoken yet is waited for: to its client it is brand
 * new, and many give up when a new connection ends unanswered.
 *
 * Leaving is to end our side and to stay a moment: a request that crosses that on its way finds an
 * end, which every client repeats it on, and not a reset that takes an unread answer with it.
 */
#include "http_room.h"

#include "clock.h"
#include "hash.h"

#define DRAIN_GRACE_MS 5000 /* for connections that never spoke, and for pipelines to run dry */
#define DRAIN_BATCH    512  /* connections that leave in one turn */
#define DRAIN_LOOK_MS  50   /* nobody waits long for a deadline to be noticed */

static int64_t
drain_least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Those whose moment has come. */
static void
drain_leave(void *arg)
{
	struct http_server *s = arg;
	struct http_connection *c;
	int left = DRAIN_BATCH;
	int64_t wait_ms;

	s->now = clock_mono();
	while ((c = TAILQ_FIRST(&s->phases[HTTP_IDLE])) != NULL && c->since <= s->now && left > 0) {
		http_connection_part(c);
		left--;
	}
	if (c == NULL)
		return;
	wait_ms = (c->since - s->now + CLOCK_MS - 1) / CLOCK_MS;
	loop_timer_set(&s->leave, drain_least(wait_ms, DRAIN_LOOK_MS));
}

/* One accepted long ago that never spoke is as good as at rest. */
static void
drain_give_up_silent(struct http_server *s)
{
	struct http_connection *c;

	while ((c = TAILQ_FIRST(&s->phases[HTTP_FRESH])) != NULL &&
	       s->now - c->since >= s->phase_timeout_ns[HTTP_FRESH]) {
		TAILQ_REMOVE(&s->phases[HTTP_FRESH], c, in_phase);
		TAILQ_INSERT_HEAD(&s->phases[HTTP_IDLE], c, in_phase);
		c->phase = HTTP_IDLE;
	}
}

/* From here on `since` of a connection at rest is the moment at which it leaves: by chance within
 * its even share of the window. */
static void
drain_plan(struct http_server *s)
{
	struct http_connection *c;
	uint32_t draw, count = 0;
	double share;

	TAILQ_FOREACH (c, &s->phases[HTTP_IDLE], in_phase)
		count++;
	if (count == 0)
		return;
	share = (double)(s->spread_ms * CLOCK_MS) / count;
	count = 0;
	TAILQ_FOREACH (c, &s->phases[HTTP_IDLE], in_phase) {
		hash_random(&draw, sizeof(draw));
		c->since = s->now + (int64_t)(share * (count + draw / 4294967296.0));
		count++;
	}
}

static void
drain_begin(void *arg)
{
	struct http_server *s = arg;

	s->now = clock_mono();
	s->phase_timeout_ns[HTTP_FRESH] = s->grace_until - s->drain_began;
	drain_give_up_silent(s);
	drain_plan(s);
	/* Streams end at the next sweep, also those that begin meanwhile. */
	s->phase_timeout_ns[HTTP_STREAMING] = 1;
	s->phase_timeout_ns[HTTP_IDLE] = 0; /* who is at rest leaves as planned */
	s->sweep_ms = drain_least(s->sweep_ms, DRAIN_LOOK_MS);
	if (s->connections > 0)
		loop_timer_set(&s->sweep, s->sweep_ms);
	drain_leave(s);
	http_drain_check(s);
}

void
http_drain_init(struct http_server *s)
{
	loop_timer_open(s->loop, &s->leave, drain_leave, s);
}

void
http_server_drain(struct http_server *s, const struct http_drain *d)
{
	int64_t grace = drain_least(s->limits.header_timeout_ms, DRAIN_GRACE_MS);
	int64_t half = d->timeout_ms / 2;

	if (s->draining)
		return;
	s->draining = true;
	s->done = d->done;
	s->done_arg = d->arg;
	s->spread_ms = drain_least(d->spread_ms, half);
	s->now = s->drain_began = clock_mono();
	s->grace_until = s->now + drain_least(grace, half) * CLOCK_MS;
	if (d->last)
		http_accept_all(s);
	http_accept_close(s);
	/* Not from here: this may be inside a hook, with another connection's answers gathering. */
	loop_at_end(s->loop, drain_begin, s);
}

/* It came to rest after the plan was made. */
void
http_drain_rest(struct http_server *s)
{
	if (!loop_timer_is_set(&s->leave))
		loop_timer_set(&s->leave, 0);
}

/* Whether the client asked for more already: then the answer in hand is not its last. */
bool
http_drain_is_followed(const struct http_connection *c)
{
	char byte;

	if (c->server->now >= c->server->grace_until)
		return false;
	return http_connection_has_input(c) ||
	       recv(c->fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* Run at the end of a turn: nobody is told inside a call of his own. */
static void
drain_tell(void *arg)
{
	struct http_server *s = arg;

	if (s->done != NULL)
		s->done(s->done_arg);
}

void
http_drain_check(struct http_server *s)
{
	if (!s->draining || s->drained || s->connections > 0)
		return;
	s->drained = true;
	if (s->done != NULL)
		loop_at_end(s->loop, drain_tell, s);
}
