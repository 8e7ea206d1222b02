/* lookup.c - book, then L1, then Redis, then the fetcher. */
#include "found.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "label.h"

/* No fetch has this key: those begin with the name of an endpoint. */
#define PROBE_KEY "probe"

const char *
cache_way_name(enum cache_way way)
{
	static const char *const names[] = { "book", "l1", "miss", "stale", "redis", "store" };

	return names[way];
}

bool
ask_is_range(enum ask_kind kind)
{
	return kind == ASK_BARS || kind == ASK_TRADES;
}

/* No part of a fetch's key holds a `#` but the token, which is the last of it and checked before anything is kept
 * under it. */
void
ask_key(const struct ask *a, char out[FETCH_KEY])
{
	size_t len;

	fetch_key(&a->fetch, out);
	if (a->hours == HOURS_ALL && !a->gaps)
		return;
	len = strlen(out);
	(void)snprintf(
	    out + len, FETCH_KEY - len, "#%s%s", hours_name(a->hours), a->gaps ? "#gaps" : "");
}

struct lookup *
lookup_new(struct proc *p)
{
	struct lookup *l = mem_alloc(sizeof(*l));

	l->proc = p;
	l->book = book_new(shown_drop);
	l->cache = cache_new();
	l->waiting = waiting_new(p);
	l->l2 = l2_open(l);
	return l;
}

void
lookup_free(struct lookup **lp)
{
	struct lookup *l = *lp;

	if (l == NULL)
		return;
	/* Channels that still stand end with the process, and nobody is told of it then. */
	for (struct peer *p = l->proc->peers; p != NULL; p = p->next)
		lookup_peer_down(l, p);
	l2_close(&l->l2);
	waiting_free(&l->waiting);
	cache_free(&l->cache);
	book_free(&l->book);
	mem_free(lp);
}

void
lookup_count(struct lookup *l, enum label_layer layer, enum label_hit hit)
{
	metric_add(&l->proc->stats, M_CACHE_REQUESTS, (unsigned)layer, (unsigned)hit, 1);
}

static void
lookup_show_size(struct lookup *l)
{
	struct stats *s = &l->proc->stats;

	metric_set(s, M_CACHE_BYTES, LABEL(layer, BOOK), 0, book_bytes(l->book));
	metric_set(s, M_CACHE_ENTRIES, LABEL(layer, BOOK), 0, book_entries(l->book));
	metric_set(s, M_CACHE_BYTES, LABEL(layer, L1), 0, cache_bytes(l->cache));
	metric_set(s, M_CACHE_ENTRIES, LABEL(layer, L1), 0, cache_entries(l->cache));
}

void
lookup_trim(struct lookup *l)
{
	struct stats *s = &l->proc->stats;
	uint64_t of_book, of_cache;

	while (book_bytes(l->book) + cache_bytes(l->cache) > l->proc->conf.http_cache_bytes) {
		of_book = book_oldest(l->book);
		of_cache = cache_oldest(l->cache);
		if (of_book == UINT64_MAX && of_cache == UINT64_MAX)
			break;
		if (of_book < of_cache) {
			book_evict(l->book);
			metric_add(s, M_CACHE_EVICTED, LABEL(layer, BOOK), 0, 1);
		} else {
			cache_evict(l->cache);
			metric_add(s, M_CACHE_EVICTED, LABEL(layer, L1), 0, 1);
		}
	}
	lookup_show_size(l);
}

int64_t
lookup_clock_age(const struct lookup *l)
{
	return clock_mono() - l->clock_taken_ns;
}

enum session
lookup_session(const struct lookup *l, enum asset asset)
{
	return asset == ASSET_CRYPTO ? SESSION_OPEN : session_of(&l->clock, lookup_clock_age(l));
}

/* Quotes and trades live in the book, everything else in L1. */
static bool
ask_is_latest(const struct ask *a)
{
	return a->kind == ASK_QUOTE || a->kind == ASK_TRADE;
}

struct shown *
lookup_entry_shown(struct lookup *l, struct book_entry *e)
{
	struct shown *s = e->shown;

	if (s == NULL) {
		s = e->kind == BOOK_QUOTE ? shown_quote(&e->quote) : shown_trade(&e->trade);
		s->taken_ns = e->taken_ns;
		book_show(l->book, e, s, s->bytes);
		lookup_trim(l);
	}
	return s;
}

static struct book_entry *
lookup_entry(struct lookup *l, const struct ask *a)
{
	return book_find(l->book, a->kind == ASK_QUOTE ? BOOK_QUOTE : BOOK_TRADE, a->asset,
	    a->fetch.feed, a->fetch.symbol, ++l->uses);
}

static bool
lookup_in_book(struct lookup *l, const struct ask *a, struct found *f)
{
	struct book_entry *e = lookup_entry(l, a);
	struct moment m;
	int64_t fresh;

	if (e == NULL) {
		lookup_count(l, LABEL_layer_BOOK, LABEL_hit_MISS);
		return false;
	}
	m = lookup_moment(l, a->asset);
	fresh = lookup_freshness(l, a, &m);
	if (m.now_ns - e->taken_ns >= fresh) {
		lookup_count(l, LABEL_layer_BOOK, LABEL_hit_EXPIRED);
		return false;
	}
	lookup_count(l, LABEL_layer_BOOK, LABEL_hit_HIT);
	found_begin(f, CACHE_BOOK, &m, e->taken_ns);
	f->what.shown = lookup_entry_shown(l, e);
	f->fresh_ns = fresh;
	return true;
}

static bool
lookup_in_cache(struct lookup *l, const struct ask *a, struct found *f)
{
	struct moment m = lookup_moment(l, a->asset);
	const struct cached *c;
	char key[FETCH_KEY];
	int64_t fresh, age;

	ask_key(a, key);
	c = cache_find(l->cache, key, ++l->uses);
	if (c == NULL) {
		lookup_count(l, LABEL_layer_L1, LABEL_hit_MISS);
		return false;
	}
	age = found_cached_age(c, &m);
	fresh = c->error == E_OK ? lookup_freshness(l, a, &m)
				 : found_at_most(l->proc->conf.freshness_negative * CLOCK_MS, a);
	lookup_count(l, LABEL_layer_L1, age >= fresh ? LABEL_hit_EXPIRED : LABEL_hit_HIT);
	if (age >= fresh)
		return false;
	found_begin(f, CACHE_L1, &m, c->taken_ns);
	found_fill(f, c, fresh);
	found_refuse_empty(a, f);
	return true;
}

static bool
lookup_in_clock(const struct lookup *l, struct found *f)
{
	struct moment m = lookup_moment(l, ASSET_STOCK);

	if (m.session == SESSION_UNKNOWN)
		return false;
	found_begin(f, CACHE_BOOK, &m, l->clock_taken_ns);
	f->fresh_ns = SESSION_CLOCK_AGE_NS;
	return true;
}

bool
lookup_now(struct lookup *l, const struct ask *a, struct found *f)
{
	if (a->kind == ASK_CLOCK)
		return lookup_in_clock(l, f);
	if (ask_is_latest(a) && lookup_in_book(l, a, f))
		return true;
	return lookup_in_cache(l, a, f);
}

static int
lookup_fetch(struct lookup *l, const struct ask *a, struct waiter *who)
{
	char key[FETCH_KEY];
	bool joined;
	int r;

	fetch_key(&a->fetch, key);
	if ((r = waiting_join(l->waiting, key, &a->fetch, who, &joined)) == E_OK)
		lookup_count(l, LABEL_layer_UPSTREAM, joined ? LABEL_hit_JOINED : LABEL_hit_MISS);
	return r;
}

int
lookup_later(struct lookup *l, const struct ask *a, struct waiter *who)
{
	if (l->l2 != NULL && ask_is_latest(a) && l2_join(l->l2, a, who) == E_OK)
		return E_OK;
	return lookup_fetch(l, a, who);
}

/* Into the book, whose age then counts from when it was received. Null: what the book holds is newer news. */
static struct book_entry *
lookup_book_redis(struct lookup *l, const struct ask *a, const union msg_any *v, int64_t taken_ns)
{
	bool is_news;

	if (a->kind == ASK_QUOTE)
		is_news = book_put_quote(l->book, &v->quote, taken_ns, ++l->uses);
	else
		is_news = book_put_trade(l->book, &v->trade, taken_ns, ++l->uses);
	return is_news ? lookup_entry(l, a) : NULL;
}

static bool
lookup_use_redis(struct lookup *l, const struct ask *a, const union msg_any *v, int64_t age_ns,
    struct outcome *what)
{
	struct moment m = lookup_moment(l, a->asset);
	struct book_entry *e = NULL;

	if (age_ns < lookup_freshness(l, a, &m))
		e = lookup_book_redis(l, a, v, m.now_ns - age_ns);
	lookup_count(l, LABEL_layer_REDIS, e != NULL ? LABEL_hit_HIT : LABEL_hit_EXPIRED);
	if (e == NULL)
		return false;
	*what =
	    (struct outcome){ .shown = shown_get(lookup_entry_shown(l, e)), .from_redis = true };
	return true;
}

void
lookup_after_l2(struct lookup *l, const struct ask *a, struct waiter *who, const union msg_any *v,
    int64_t age_ns)
{
	struct outcome what = { .retry_ms = 1000,
		.reason = "as many fetches wait as this gateway allows" };
	bool is_used = v != NULL && lookup_use_redis(l, a, v, age_ns, &what);

	if (v != NULL)
		waited_over_as(who, &a->fetch, is_used ? "hit" : "expired", false);
	if (is_used) {
		who->done(who, &what);
		shown_put(&what.shown);
		lookup_trim(l);
		return;
	}
	if ((what.error = lookup_fetch(l, a, who)) != E_OK)
		who->done(who, &what);
}

void
lookup_leave(struct lookup *l, struct waiter *who)
{
	l2_leave(who);
	waiting_leave(l->waiting, who);
}

static bool
lookup_stale_in_book(
    struct lookup *l, const struct ask *a, int64_t limit, const struct moment *m, struct found *f)
{
	struct book_entry *e = lookup_entry(l, a);

	if (e == NULL || m->now_ns - e->taken_ns >= limit)
		return false;
	found_begin(f, CACHE_STALE, m, e->taken_ns);
	f->what.shown = lookup_entry_shown(l, e);
	lookup_count(l, LABEL_layer_BOOK, LABEL_hit_STALE);
	return true;
}

/* The last real value, when upstream is the one who fails and neither operator nor client finds
 * it too old. */
static bool
lookup_stale(struct lookup *l, const struct ask *a, struct found *f)
{
	int64_t limit = found_at_most(l->proc->conf.freshness_stale_if_error * CLOCK_MS, a);
	struct moment m = lookup_moment(l, a->asset);
	const struct cached *c;
	char key[FETCH_KEY];

	if (ask_is_latest(a))
		return lookup_stale_in_book(l, a, limit, &m, f);
	ask_key(a, key);
	c = cache_find(l->cache, key, ++l->uses);
	if (c == NULL || c->error != E_OK || found_cached_age(c, &m) >= limit)
		return false;
	found_begin(f, CACHE_STALE, &m, c->taken_ns);
	found_fill(f, c, 0);
	found_refuse_empty(a, f);
	lookup_count(l, LABEL_layer_L1, LABEL_hit_STALE);
	return true;
}

bool
error_is_failure(int error)
{
	return err_status(error) >= 500 || error == E_RATE_LIMIT_EXCEEDED;
}

void
lookup_settle(struct lookup *l, const struct ask *a, const struct outcome *what, struct found *f)
{
	struct moment m;

	if (error_is_failure(what->error) && lookup_stale(l, a, f))
		return;
	m = lookup_moment(l, a->asset);
	found_begin(f, what->from_redis ? CACHE_REDIS : CACHE_MISS, &m,
	    what->shown != NULL ? what->shown->taken_ns : 0);
	f->what = *what;
	f->fresh_ns = lookup_freshness(l, a, &m);
	found_refuse_empty(a, f);
}

int64_t
lookup_fresh(const struct lookup *l, const struct ask *a)
{
	struct moment m = lookup_moment(l, a->asset);

	return lookup_freshness(l, a, &m);
}

void
lookup_put(struct lookup *l, const struct ask *a, struct shown *s)
{
	struct cached c = { .error = E_OK, .shown = s, .taken_ns = s->taken_ns };
	char key[FETCH_KEY];

	ask_key(a, key);
	cache_put(l->cache, key, &c, ++l->uses);
	lookup_trim(l);
}

void
lookup_found(
    struct lookup *l, const struct ask *a, enum cache_way way, struct shown *s, struct found *f)
{
	struct moment m = lookup_moment(l, a->asset);

	found_begin(f, way, &m, s->taken_ns);
	f->what.shown = s;
	f->fresh_ns = lookup_freshness(l, a, &m);
	found_age(f);
	found_refuse_empty(a, f);
}

int
lookup_probe(struct lookup *l)
{
	struct cached probe = { .error = E_ABSENT, .taken_ns = clock_mono() };
	const struct cached *back;
	int r;

	cache_put(l->cache, PROBE_KEY, &probe, ++l->uses);
	back = cache_find(l->cache, PROBE_KEY, ++l->uses);
	r = back != NULL && back->taken_ns == probe.taken_ns ? E_OK : E_INTERNAL_SERVICE_ERROR;
	cache_drop(l->cache, PROBE_KEY);
	return r;
}
