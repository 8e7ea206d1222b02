/* lookup.c - book, then L1, then the fetcher; and what is kept of what comes back. */
#include "lookup.h"

#include <assert.h>
#include <string.h>

#include "clock.h"
#include "label.h"
#include "log.h"
#include "text.h"

/* The fetcher that answers REST questions; others carry streams. */
#define FETCHER_REST "fetcher-rest"

/* No fetch has this key: those begin with the name of an endpoint. */
#define PROBE_KEY "probe"

struct lookup {
	struct proc *proc;
	struct book *book;
	struct cache *cache;
	struct waiting *waiting;
	struct market_clock clock;
	uint64_t uses; /* orders book and L1 by use, together */
};

const char *
cache_way_name(enum cache_way way)
{
	static const char *const names[] = { "book", "l1", "miss", "stale" };

	return names[way];
}

struct lookup *
lookup_new(struct proc *p)
{
	struct lookup *l = mem_alloc(sizeof(*l));

	l->proc = p;
	l->book = book_new(shown_drop);
	l->cache = cache_new();
	l->waiting = waiting_new(p);
	return l;
}

void
lookup_free(struct lookup **lp)
{
	struct lookup *l = *lp;

	if (l == NULL)
		return;
	waiting_free(&l->waiting);
	cache_free(&l->cache);
	book_free(&l->book);
	mem_free(lp);
}

static void
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

/* Book and L1 share one bound; what was used longest ago goes, in whichever of them it is. */
static void
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

enum session
lookup_session(const struct lookup *l, enum asset asset)
{
	return asset == ASSET_CRYPTO ? SESSION_OPEN : session_of(&l->clock, clock_wall());
}

const struct market_clock *
lookup_clock(const struct lookup *l)
{
	return &l->clock;
}

static int64_t
lookup_freshness_of_kind(const struct conf *c, enum ask_kind kind)
{
	switch (kind) {
	case ASK_QUOTE:
		return c->freshness_quote;
	case ASK_TRADE:
		return c->freshness_trade;
	case ASK_SNAPSHOT:
	case ASK_CHAIN:
		return c->freshness_snapshot;
	case ASK_BARS:
		return c->freshness_bars;
	case ASK_CLOCK:
		break;
	}
	return SESSION_CLOCK_AGE_NS / CLOCK_MS;
}

static int64_t
at_most(int64_t limit, const struct ask *a)
{
	return a->max_age_ns != ASK_ANY_AGE && a->max_age_ns < limit ? a->max_age_ns : limit;
}

static int64_t
lookup_freshness(const struct lookup *l, const struct ask *a)
{
	const struct conf *c = &l->proc->conf;
	bool is_closed = lookup_session(l, a->asset) == SESSION_CLOSED;

	return at_most(
	    (is_closed ? c->freshness_closed : lookup_freshness_of_kind(c, a->kind)) * CLOCK_MS, a);
}

/* Quotes and trades live in the book, everything else in L1. */
static bool
ask_is_latest(const struct ask *a)
{
	return a->kind == ASK_QUOTE || a->kind == ASK_TRADE;
}

static int64_t
entry_received(const struct book_entry *e)
{
	return e->kind == BOOK_QUOTE ? e->quote.received : e->trade.received;
}

/* The entry's JSON, made at the first look since it changed: a tick nobody asks for is never rendered. */
static struct shown *
entry_shown(struct lookup *l, struct book_entry *e)
{
	struct shown *s = e->shown;

	if (s == NULL) {
		s = e->kind == BOOK_QUOTE ? shown_quote(&e->quote) : shown_trade(&e->trade);
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
	int64_t fresh;

	if (e == NULL) {
		lookup_count(l, LABEL_layer_BOOK, LABEL_hit_MISS);
		return false;
	}
	fresh = lookup_freshness(l, a);
	if (clock_wall() - entry_received(e) >= fresh) {
		lookup_count(l, LABEL_layer_BOOK, LABEL_hit_EXPIRED);
		return false;
	}
	lookup_count(l, LABEL_layer_BOOK, LABEL_hit_HIT);
	*f =
	    (struct found){ .what.shown = entry_shown(l, e), .way = CACHE_BOOK, .fresh_ns = fresh };
	return true;
}

/* A range without a single row is no data, unless it is the end of a walk over pages. */
static void
found_refuse_empty(const struct ask *a, struct found *f)
{
	const struct shown *s = f->what.shown;
	bool is_rows = a->kind == ASK_BARS || a->kind == ASK_CHAIN;

	if (f->what.error != E_OK || s == NULL || !is_rows || s->count > 0 ||
	    a->fetch.page_token[0] != '\0')
		return;
	f->what.error =
	    a->kind == ASK_BARS ? E_HISTORICAL_DATA_UNAVAILABLE : E_OPTIONS_CHAIN_UNAVAILABLE;
	f->what.shown = NULL;
}

static void
found_from_cache(
    const struct cached *c, enum cache_way way, int64_t fresh, int64_t age, struct found *f)
{
	uint64_t left_ms = (uint64_t)((fresh > age ? fresh - age : 0) / CLOCK_MS);

	*f = (struct found){ .way = way,
		.fresh_ns = fresh,
		.what = { .error = c->error,
		    .shown = c->shown,
		    .reason = c->reason[0] != '\0' ? c->reason : NULL } };
	/* Asking before the refusal is forgotten draws the same one. */
	if (c->error != E_OK)
		f->what.retry_ms = c->retry_ms > left_ms ? c->retry_ms : left_ms;
}

static bool
lookup_in_cache(struct lookup *l, const struct ask *a, struct found *f)
{
	char key[FETCH_KEY];
	const struct cached *c;
	int64_t fresh, age;

	fetch_key(&a->fetch, key);
	c = cache_find(l->cache, key, ++l->uses);
	if (c == NULL) {
		lookup_count(l, LABEL_layer_L1, LABEL_hit_MISS);
		return false;
	}
	age = clock_wall() - c->received_ns;
	fresh = c->error == E_OK ? lookup_freshness(l, a)
				 : at_most(l->proc->conf.freshness_negative * CLOCK_MS, a);
	lookup_count(l, LABEL_layer_L1, age >= fresh ? LABEL_hit_EXPIRED : LABEL_hit_HIT);
	if (age >= fresh)
		return false;
	found_from_cache(c, CACHE_L1, fresh, age, f);
	found_refuse_empty(a, f);
	return true;
}

bool
lookup_now(struct lookup *l, const struct ask *a, struct found *f)
{
	if (a->kind == ASK_CLOCK) {
		if (lookup_session(l, ASSET_STOCK) == SESSION_UNKNOWN)
			return false;
		*f = (struct found){ .way = CACHE_BOOK, .fresh_ns = SESSION_CLOCK_AGE_NS };
		return true;
	}
	if (ask_is_latest(a) && lookup_in_book(l, a, f))
		return true;
	return lookup_in_cache(l, a, f);
}

int
lookup_later(struct lookup *l, const struct ask *a, struct waiter *who)
{
	char key[FETCH_KEY];
	bool joined;
	int r;

	fetch_key(&a->fetch, key);
	if ((r = waiting_join(l->waiting, key, &a->fetch, who, &joined)) == E_OK)
		lookup_count(l, LABEL_layer_UPSTREAM, joined ? LABEL_hit_JOINED : LABEL_hit_MISS);
	return r;
}

void
lookup_leave(struct lookup *l, struct waiter *who)
{
	waiting_leave(l->waiting, who);
}

/* The last real value, when upstream is the one who fails and neither operator nor client finds it too old. */
static bool
lookup_stale(struct lookup *l, const struct ask *a, struct found *f)
{
	int64_t limit = at_most(l->proc->conf.freshness_stale_if_error * CLOCK_MS, a);
	const struct cached *c;
	struct book_entry *e;
	char key[FETCH_KEY];

	if (ask_is_latest(a)) {
		if ((e = lookup_entry(l, a)) == NULL || clock_wall() - entry_received(e) >= limit)
			return false;
		*f = (struct found){ .what.shown = entry_shown(l, e), .way = CACHE_STALE };
		lookup_count(l, LABEL_layer_BOOK, LABEL_hit_STALE);
		return true;
	}
	fetch_key(&a->fetch, key);
	c = cache_find(l->cache, key, ++l->uses);
	if (c == NULL || c->error != E_OK || clock_wall() - c->received_ns >= limit)
		return false;
	found_from_cache(c, CACHE_STALE, 0, 0, f);
	found_refuse_empty(a, f);
	lookup_count(l, LABEL_layer_L1, LABEL_hit_STALE);
	return true;
}

/* Upstream or we failed: the symbol may well have data. */
static bool
error_is_failure(int error)
{
	return err_status(error) >= 500 || error == E_RATE_LIMIT_EXCEEDED;
}

void
lookup_settle(struct lookup *l, const struct ask *a, const struct outcome *what, struct found *f)
{
	if (error_is_failure(what->error) && lookup_stale(l, a, f))
		return;
	*f = (struct found){ .what = *what, .way = CACHE_MISS, .fresh_ns = lookup_freshness(l, a) };
	found_refuse_empty(a, f);
}

int
lookup_probe(struct lookup *l)
{
	struct cached probe = { .error = E_ABSENT, .received_ns = clock_wall() };
	const struct cached *back;
	int r;

	cache_put(l->cache, PROBE_KEY, &probe, ++l->uses);
	back = cache_find(l->cache, PROBE_KEY, ++l->uses);
	r = back != NULL && back->received_ns == probe.received_ns ? E_OK
								   : E_INTERNAL_SERVICE_ERROR;
	cache_drop(l->cache, PROBE_KEY);
	return r;
}

static void
lookup_take_clock(struct lookup *l, const struct market_clock *c)
{
	if (c->received >= l->clock.received)
		l->clock = *c;
}

static int
error_without_data(uint64_t endpoint)
{
	switch (endpoint) {
	case ENDPOINT_OPTION_QUOTE:
	case ENDPOINT_OPTION_SNAPSHOT:
		return E_OPTION_DATA_UNAVAILABLE;
	case ENDPOINT_OPTION_CHAIN:
		return E_OPTIONS_CHAIN_UNAVAILABLE;
	case ENDPOINT_STOCK_BARS:
	case ENDPOINT_CRYPTO_BARS:
		return E_HISTORICAL_DATA_UNAVAILABLE;
	default:
		return E_REAL_DATA_UNAVAILABLE;
	}
}

static void
lookup_keep(struct lookup *l, const char *key, const struct outcome *what, int64_t received)
{
	struct cached c = { .error = what->error,
		.retry_ms = what->retry_ms,
		.shown = what->shown,
		.received_ns = received };

	if (what->reason != NULL)
		(void)text_copy(c.reason, sizeof(c.reason), what->reason);
	cache_put(l->cache, key, &c, ++l->uses);
}

/* Latest values go to the book; what the client is shown is what the book holds then, the newer of the two. */
static struct shown *
lookup_book_values(struct lookup *l, const struct assembled *got)
{
	const struct quote *q = got->quote;
	const struct trade *t = got->trade;
	struct book_entry *e = NULL;

	if (t != NULL) {
		(void)book_put_trade(l->book, t, ++l->uses);
		e = book_find(
		    l->book, BOOK_TRADE, (enum asset)t->asset, t->feed, t->symbol, ++l->uses);
	}
	if (q != NULL) {
		(void)book_put_quote(l->book, q, ++l->uses);
		e = book_find(
		    l->book, BOOK_QUOTE, (enum asset)q->asset, q->feed, q->symbol, ++l->uses);
	}
	if (got->shown != NULL || e == NULL)
		return NULL;
	return shown_get(e->shown != NULL ? e->shown : entry_shown(l, e));
}

/* A good result: kept where it belongs. *what says what to tell; its `shown` is counted for the caller. */
static void
lookup_take_good(struct lookup *l, const struct msg_result_end *end, const struct assembled *got,
    struct outcome *what)
{
	const char *key = got->head->key;

	what->shown = lookup_book_values(l, got);
	if (what->shown != NULL) {
		cache_drop(l->cache, key); /* an earlier refusal */
	} else if (got->shown != NULL) {
		what->shown = got->shown;
		lookup_keep(l, key, what, end->received);
	} else if (got->clock == NULL) {
		what->error = error_without_data(got->head->endpoint);
		lookup_keep(l, key, what, end->received != 0 ? end->received : clock_wall());
	}
	if (got->clock != NULL)
		lookup_take_clock(l, got->clock);
}

static bool
error_is_verdict(int error)
{
	return err_status(error) == 404;
}

/* What a client may see of an error that came over a channel. */
static int
error_for_client(int64_t error)
{
	int code = error < 0 && error > -1000 ? (int)error : E_INTERNAL_SERVICE_ERROR;

	if (error == E_OK)
		return E_OK;
	return err_status(code) != 0 ? code : E_INTERNAL_SERVICE_ERROR;
}

static void
lookup_take(struct lookup *l, const struct msg_result_end *end, struct assembled *got)
{
	struct outcome what = { .error = error_for_client(end->error),
		.retry_ms = end->retry_ms,
		.reason = end->reason[0] != '\0' ? end->reason : NULL };
	bool is_ours = end->ticket != 0;

	if (what.error == E_OK)
		lookup_take_good(l, end, got, &what);
	else if (error_is_verdict(what.error))
		lookup_keep(
		    l, got->head->key, &what, end->received != 0 ? end->received : clock_wall());
	/* Another worker's failure is not ours: our own fetch may have been luckier. */
	if (is_ours || !error_is_failure(what.error))
		waiting_tell(l->waiting, end->ticket, got->head->key, &what);
	shown_put(&what.shown);
	lookup_trim(l);
}

void
lookup_on_result(struct peer *from, const void *data, void *owner)
{
	struct assembly *a = from->user;

	(void)owner;
	if (a == NULL)
		return;
	if (assembly_is_open(a))
		log_warn("%s: a result began within another; the first is dropped", from->slot);
	assembly_begin(a, data);
}

void
lookup_on_result_end(struct peer *from, const void *data, void *owner)
{
	const struct msg_result_end *end = data;
	struct lookup *l = owner;
	struct outcome broken = { .reason = "the result was not received whole" };
	struct assembled got;

	if (from->user == NULL)
		return;
	broken.error = assembly_end(from->user, end, &got);
	if (broken.error == E_OK) {
		lookup_take(l, end, &got);
		return;
	}
	log_warn("%s: result of ticket %llu dropped: %s", from->slot,
	    (unsigned long long)end->ticket, err_text(broken.error));
	broken.error = error_for_client(broken.error);
	if (end->ticket != 0)
		waiting_tell(l->waiting, end->ticket, "", &broken);
}

/* Part of the open result, if there is one: then it is used only when that has ended. */
static bool
lookup_gather(struct peer *from, enum msg_type type, const void *value)
{
	struct assembly *a = from->user;

	if (a == NULL || !assembly_is_open(a))
		return false;
	assembly_add(a, type, value);
	return true;
}

void
lookup_on_quote(struct peer *from, const void *data, void *owner)
{
	struct lookup *l = owner;

	if (lookup_gather(from, MSG_QUOTE, data))
		return;
	(void)book_put_quote(l->book, data, ++l->uses);
	lookup_trim(l);
}

void
lookup_on_trade(struct peer *from, const void *data, void *owner)
{
	struct lookup *l = owner;

	if (lookup_gather(from, MSG_TRADE, data))
		return;
	(void)book_put_trade(l->book, data, ++l->uses);
	lookup_trim(l);
}

void
lookup_on_bar(struct peer *from, const void *data, void *owner)
{
	(void)owner;
	(void)lookup_gather(from, MSG_BAR, data);
}

void
lookup_on_greeks(struct peer *from, const void *data, void *owner)
{
	(void)owner;
	(void)lookup_gather(from, MSG_GREEKS, data);
}

void
lookup_on_snapshot(struct peer *from, const void *data, void *owner)
{
	(void)owner;
	(void)lookup_gather(from, MSG_SNAPSHOT, data);
}

void
lookup_on_market_clock(struct peer *from, const void *data, void *owner)
{
	struct lookup *l = owner;

	if (!lookup_gather(from, MSG_MARKET_CLOCK, data))
		lookup_take_clock(l, data);
}

void
lookup_peer_up(struct lookup *l, struct peer *p)
{
	if (p->role != ROLE_FETCHER)
		return;
	p->user = assembly_new();
	if (strcmp(p->slot, FETCHER_REST) == 0)
		waiting_peer_up(l->waiting, p);
}

void
lookup_peer_down(struct lookup *l, struct peer *p)
{
	struct assembly *half = p->user;

	if (p->role != ROLE_FETCHER)
		return;
	assembly_free(&half);
	p->user = NULL;
	if (l != NULL && strcmp(p->slot, FETCHER_REST) == 0)
		waiting_peer_down(l->waiting, p);
}
