/* waiting.c - fetches on their way to the fetcher and back, each with those who wait for it.
 *
 * Identical questions share one fetch. All fetches wait equally long, so the list in the order
 * of asking is the list in the order of deadlines and one timer serves all. When the fetcher
 * dies nobody is told: the next one is asked again, within the deadline of each.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "label.h"
#include "log.h"
#include "lookup.h"

TAILQ_HEAD(waiters, waiter);
TAILQ_HEAD(fetchings, fetching);

struct fetching {
	struct msg_fetch fetch;
	int64_t deadline_ns; /* monotonic */
	bool sent;
	struct waiters waiters;
	TAILQ_ENTRY(fetching) next;
	UT_hash_handle by_ticket, by_key;
	char key[FETCH_KEY];
};

struct waiting {
	struct proc *proc;
	struct peer *fetcher; /* null while there is none */
	int64_t gone_ns;      /* since when there is none */
	struct fetching *tickets, *keys;
	struct fetchings by_deadline;
	struct loop_timer timer;
	uint64_t last_ticket;
	size_t count, waiters;
};

struct waiting *
waiting_new(struct proc *p)
{
	struct waiting *w = mem_alloc(sizeof(*w));

	w->proc = p;
	w->gone_ns = clock_mono();
	TAILQ_INIT(&w->by_deadline);
	loop_timer_open(p->loop, &w->timer, waiting_expire, w);
	return w;
}

static void
waiting_show(struct waiting *w)
{
	metric_set(&w->proc->stats, M_FETCH_WAITING, 0, 0, w->count);
}

static struct fetching *
fetching_new(struct waiting *w, const char *key, const struct msg_fetch *f)
{
	struct fetching *g = mem_alloc(sizeof(*g));

	assert(strlen(key) < sizeof(g->key));
	g->fetch = *f;
	g->fetch.ticket = ++w->last_ticket;
	g->deadline_ns = clock_mono() + w->proc->conf.http_fetch_timeout * CLOCK_MS;
	TAILQ_INIT(&g->waiters);
	strcpy(g->key, key);
	HASH_ADD(by_ticket, w->tickets, fetch.ticket, sizeof(g->fetch.ticket), g);
	HASH_ADD_KEYPTR(by_key, w->keys, g->key, strlen(g->key), g);
	TAILQ_INSERT_TAIL(&w->by_deadline, g, next);
	w->count++;
	waiting_show(w);
	return g;
}

/* Off every list; those who waited stay on it. */
static void
fetching_unlink(struct waiting *w, struct fetching *g)
{
	HASH_DELETE(by_ticket, w->tickets, g);
	HASH_DELETE(by_key, w->keys, g);
	TAILQ_REMOVE(&w->by_deadline, g, next);
	w->count--;
	waiting_show(w);
}

static void
waiter_off(struct waiting *w, struct fetching *g, struct waiter *who)
{
	TAILQ_REMOVE(&g->waiters, who, next);
	who->on = NULL;
	w->waiters--;
}

/* The fetch is off every list by now: whoever is told may ask the same again. */
static void
fetching_tell(struct waiting *w, struct fetching *g, const struct outcome *what)
{
	struct waiter *who;

	while ((who = TAILQ_FIRST(&g->waiters)) != NULL) {
		waiter_off(w, g, who);
		waited_fetched(who, &g->fetch, what);
		who->done(who, what);
	}
	mem_free(&g);
}

static void
fetching_finish(struct waiting *w, struct fetching *g, const struct outcome *what)
{
	fetching_unlink(w, g);
	fetching_tell(w, g, what);
}

void
waiting_free(struct waiting **wp)
{
	struct waiting *w = *wp;
	struct fetching *g;
	struct waiter *who;

	if (w == NULL)
		return;
	while ((g = TAILQ_FIRST(&w->by_deadline)) != NULL) {
		fetching_unlink(w, g);
		while ((who = TAILQ_FIRST(&g->waiters)) != NULL)
			waiter_off(w, g, who);
		mem_free(&g);
	}
	loop_timer_close(&w->timer);
	mem_free(wp);
}

/* E_OK also when there is no fetcher to ask: the next one will be. */
static int
fetching_send(struct waiting *w, struct fetching *g)
{
	int64_t left = g->deadline_ns - clock_mono();
	int r;

	g->sent = false;
	if (w->fetcher == NULL || left <= 0)
		return E_OK;
	g->fetch.timeout_ms = (uint64_t)(left / CLOCK_MS) + 1;
	r = peer_send(w->fetcher, MSG_FETCH, &g->fetch);
	if (r == E_FULL) {
		metric_add(&w->proc->stats, M_FETCH_REFUSED, 0, 0, 1);
		return E_OVERLOADED;
	}
	/* E_CLOSED: its end is about to be announced. */
	g->sent = r == E_OK;
	return E_OK;
}

/* Without a fetcher nobody waits longer than it takes to replace one. */
static int64_t
waiting_deadline(const struct waiting *w, const struct fetching *g)
{
	int64_t patience = w->gone_ns + WAITING_GRACE_NS;

	return w->fetcher == NULL && patience < g->deadline_ns ? patience : g->deadline_ns;
}

/* A millisecond late rather than one early, which would find nothing to do and come again at
 * once. */
static void
waiting_set_timer(struct waiting *w)
{
	const struct fetching *g = TAILQ_FIRST(&w->by_deadline);
	int64_t left;

	if (g == NULL) {
		loop_timer_clear(&w->timer);
		return;
	}
	left = waiting_deadline(w, g) - clock_mono();
	loop_timer_set(&w->timer, left > 0 ? left / CLOCK_MS + 1 : 0);
}

static struct fetching *
waiting_by_key(struct waiting *w, const char *key)
{
	struct fetching *g = NULL;

	HASH_FIND(by_key, w->keys, key, strlen(key), g);
	return g;
}

static struct fetching *
waiting_by_ticket(struct waiting *w, uint64_t ticket)
{
	struct fetching *g = NULL;

	HASH_FIND(by_ticket, w->tickets, &ticket, sizeof(ticket), g);
	return g;
}

/* Nobody in a hurry waits behind a backfill: that is a fetch of its own here, and the fetcher, which sees both, makes
 * one call of them in the faster lane. No endpoint's name, with which keys begin, has a blank. */
static const char *
waiting_key(const char *key, const struct msg_fetch *f, char mine[FETCH_KEY])
{
	if (f->lane != LANE_BACKFILL)
		return key;
	(void)snprintf(mine, FETCH_KEY, "backfill %s", key);
	return mine;
}

int
waiting_join(
    struct waiting *w, const char *key, const struct msg_fetch *f, struct waiter *who, bool *joined)
{
	char mine[FETCH_KEY];
	struct fetching *g = waiting_by_key(w, key = waiting_key(key, f, mine));
	bool is_new = g == NULL;
	int r;

	if (w->waiters >= WAITING_WAITERS_MAX || (is_new && w->count >= WAITING_FETCHES_MAX)) {
		metric_add(&w->proc->stats, M_FETCH_REFUSED, 0, 0, 1);
		return E_OVERLOADED;
	}
	if (is_new) {
		g = fetching_new(w, key, f);
		if ((r = fetching_send(w, g)) != E_OK) {
			fetching_unlink(w, g);
			mem_free(&g);
			return r;
		}
		if (!loop_timer_is_set(&w->timer))
			waiting_set_timer(w);
	}
	who->on = g;
	TAILQ_INSERT_TAIL(&g->waiters, who, next);
	w->waiters++;
	/* Of who asks first the fetcher records the call itself. */
	if (!is_new)
		waited_begin(who, WAITED_FETCH, &g->fetch);
	*joined = !is_new;
	return E_OK;
}

void
waiting_leave(struct waiting *w, struct waiter *who)
{
	if (who->on == NULL)
		return;
	waited_over_as(who, &who->on->fetch, "left", true);
	waiter_off(w, who->on, who);
}

/* Asks the fetcher for everything once more; what its queue does not take ends up in `refused`. */
static size_t
waiting_send_all(struct waiting *w, struct fetchings *refused)
{
	struct fetching *g = TAILQ_FIRST(&w->by_deadline), *next;
	size_t sent = 0;

	for (; g != NULL; g = next) {
		next = TAILQ_NEXT(g, next);
		if (fetching_send(w, g) != E_OK) {
			fetching_unlink(w, g);
			TAILQ_INSERT_TAIL(refused, g, next);
		}
		sent += g->sent;
	}
	return sent;
}

void
waiting_peer_up(struct waiting *w, struct peer *fetcher)
{
	const struct outcome full = {
		.error = E_OVERLOADED, .retry_ms = 1000, .reason = "the fetcher's queue is full"
	};
	struct fetchings refused = TAILQ_HEAD_INITIALIZER(refused);
	struct fetching *g;
	size_t sent;

	w->fetcher = fetcher;
	waiting_set_timer(w);
	sent = waiting_send_all(w, &refused);
	while ((g = TAILQ_FIRST(&refused)) != NULL) {
		TAILQ_REMOVE(&refused, g, next);
		fetching_tell(w, g, &full);
	}
	if (sent > 0)
		log_info("%s: asked again for %zu fetches", fetcher->slot, sent);
}

/* The successor may have come before its predecessor went. */
void
waiting_peer_down(struct waiting *w, const struct peer *fetcher)
{
	struct fetching *g;

	if (w->fetcher != fetcher)
		return;
	w->fetcher = NULL;
	w->gone_ns = clock_mono();
	TAILQ_FOREACH (g, &w->by_deadline, next)
		g->sent = false;
	waiting_set_timer(w);
}

void
waiting_tell(struct waiting *w, uint64_t ticket, const char *key, const struct outcome *what)
{
	struct fetching *g = ticket != 0 ? waiting_by_ticket(w, ticket) : NULL;

	/* Another worker's answer to the same question is as good as ours. */
	if (g == NULL)
		g = waiting_by_key(w, key);
	if (g != NULL)
		fetching_finish(w, g, what);
}

void
waiting_expire(void *arg)
{
	struct waiting *w = arg;
	const struct outcome late = { .error = E_UPSTREAM_TIMEOUT,
		.retry_ms = 1000,
		.reason = "the fetcher did not answer in time" };
	const struct outcome alone = { .error = E_UPSTREAM_SERVICE_ERROR,
		.retry_ms = 1000,
		.reason = "no fetcher is running" };
	struct fetching *g;
	int64_t now = clock_mono();

	while ((g = TAILQ_FIRST(&w->by_deadline)) != NULL && waiting_deadline(w, g) <= now)
		fetching_finish(w, g, g->sent ? &late : &alone);
	waiting_set_timer(w);
}

size_t
waiting_count(const struct waiting *w)
{
	return w->count;
}
