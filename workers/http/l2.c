/* l2.c - latest quotes and trades out of Redis, where another gateway may have put them.
 *
 * A request waits for Redis redis.wait at most. Who had to wait so long in vain opens the breaker: from then on nobody
 * asks until a ping of this worker's own was answered in time. Pings go on while all is well, so that it is mostly
 * they who find out. What is read is checked like anything from outside, and its age counts from when it was
 * received: by the wall clock, since another process wrote it; by one that never steps back within this process.
 */
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <string.h>

#include "clock.h"
#include "label.h"
#include "latest.h"
#include "log.h"
#include "lookup.h"
#include "redis.h"
#include "text.h"

#define BEAT_MS	     1000 /* between pings while all is well */
#define BEAT_OPEN_MS 200  /* while the breaker is open */
#define MARKET_HOST  ".alpaca.markets"
#define OUTPUT_MAX   ((size_t)1 << 20)
#define FLIGHT_KEY   (LATEST_KEY + LATEST_FIELD)

TAILQ_HEAD(l2_waiters, waiter);
TAILQ_HEAD(l2_flights, l2_flight);

struct l2_flight {
	struct l2 *l2;
	struct ask ask;
	int64_t began_ns, deadline_ns;
	bool given_up; /* nobody waits; its answer is still to come */
	struct l2_waiters waiters;
	TAILQ_ENTRY(l2_flight) next;
	UT_hash_handle hh;
	char key[FLIGHT_KEY];
};

/* How it may be without a value. */
enum l2_end { L2_MISS, L2_REFUSED, L2_FAILED, L2_TIMEOUT };
static const char *const l2_end_names[] = { "miss", "refused", "failed", "timeout" };

struct l2 {
	struct lookup *lookup;
	struct proc *proc;
	struct redis *redis;
	struct redis_bounds bounds;
	bool open;	  /* the breaker: nobody is asked */
	bool told;	  /* of this episode in the log */
	int64_t since_ns; /* it is open */
	char why[REDIS_WHY];
	int64_t pinged_ns; /* 0: none on its way */
	struct loop_timer wait, beat;
	struct l2_flight *by_key;
	struct l2_flights waited, given_up;
	size_t count; /* of both */
	struct wall_guard wall;
};

static void
l2_count(struct l2 *l, enum label_hit hit)
{
	metric_add(&l->proc->stats, M_CACHE_REQUESTS, LABEL(layer, REDIS), (unsigned)hit, 1);
}

static void
l2_check_store(struct l2 *l, int error, int64_t took_ns)
{
	check_store(&l->proc->stats, CHECK_CACHE, error, took_ns, error == E_OK ? "" : l->why);
}

static void
flight_unlink(struct l2 *l, struct l2_flight *f)
{
	HASH_DEL(l->by_key, f);
	TAILQ_REMOVE(&l->waited, f, next);
}

/* Everybody goes on, with the value or, for this reason, without. The flight is off every list. */
static void
flight_tell(struct l2_flight *f, const union msg_any *value, int64_t age_ns, enum l2_end end)
{
	struct ask ask = f->ask;
	struct waiter *who;

	metric_observe(&f->l2->proc->stats, M_REDIS_READ, 0, clock_mono() - f->began_ns);
	while ((who = TAILQ_FIRST(&f->waiters)) != NULL) {
		TAILQ_REMOVE(&f->waiters, who, next);
		who->flight = NULL;
		if (value == NULL)
			waited_over_as(who, &ask.fetch, l2_end_names[end], end >= L2_FAILED);
		ask.max_age_ns = who->max_age_ns;
		waited_ask(who, &ask.fetch);
		lookup_after_l2(f->l2->lookup, &ask, who, value, age_ns);
	}
}

static void
flights_give_up(struct l2 *l, enum l2_end end)
{
	struct l2_flight *f;

	while ((f = TAILQ_FIRST(&l->waited)) != NULL) {
		flight_unlink(l, f);
		f->given_up = true;
		TAILQ_INSERT_TAIL(&l->given_up, f, next);
		l2_count(l, LABEL_hit_FAILED);
		flight_tell(f, NULL, 0, end);
	}
}

/* Nobody is asked from now on. */
static void
l2_trip(struct l2 *l, unsigned cause, const char *why)
{
	metric_add(&l->proc->stats, M_REDIS_ERRORS, cause, 0, 1);
	metric_set(&l->proc->stats, M_REDIS_UP, 0, 0, 0);
	metric_set(&l->proc->stats, M_REDIS_BREAKER, 0, 0, 1);
	(void)text_copy(l->why, sizeof(l->why), why);
	l2_check_store(l, E_STORE, 0);
	if (!l->open)
		l->since_ns = clock_mono();
	l->open = true;
	loop_timer_clear(&l->wait);
	loop_timer_set(&l->beat, BEAT_OPEN_MS);
	flights_give_up(l, cause == LABEL(redis, TIMEOUT) ? L2_TIMEOUT : L2_FAILED);
}

static void
l2_well(struct l2 *l, int64_t took_ns)
{
	struct stats *s = &l->proc->stats;

	if (l->open && l->told)
		log_info("redis %s: answers in time again after %" PRId64 " s",
		    redis_where(l->redis), (clock_mono() - l->since_ns) / CLOCK_SEC);
	l->open = l->told = false;
	metric_set(s, M_REDIS_UP, 0, 0, 1);
	metric_set(s, M_REDIS_BREAKER, 0, 0, 0);
	l2_check_store(l, E_OK, took_ns);
	loop_timer_set(&l->beat, BEAT_MS);
}

static void
l2_pinged(const struct redis_answer *a, void *arg)
{
	struct l2 *l = arg;
	int64_t took = clock_mono() - l->pinged_ns;

	l->pinged_ns = 0;
	if (a->reply == NULL)
		return; /* the end of the connection is told as well */
	if (a->cause != REDIS_WELL)
		l2_trip(l, a->cause, a->why);
	else if (took > l->proc->conf.redis_wait * CLOCK_MS)
		l2_trip(l, LABEL(redis, TIMEOUT), "a ping took longer than redis.wait");
	else
		l2_well(l, took);
}

/* An episode is worth a line once it has lasted. */
static void
l2_tell(struct l2 *l)
{
	if (!l->open || l->told || l->why[0] == '\0' || clock_mono() - l->since_ns < CLOCK_SEC)
		return;
	log_warn("redis %s: %s; it is not asked until it answers a ping in time",
	    redis_where(l->redis), l->why);
	l->told = true;
}

static void
l2_beat(void *arg)
{
	static const char ping[] = "*1\r\n$4\r\nPING\r\n";
	struct l2 *l = arg;

	loop_timer_set(&l->beat, l->open ? BEAT_OPEN_MS : BEAT_MS);
	l2_tell(l);
	if (l->pinged_ns != 0) {
		if (!l->open)
			l2_trip(l, LABEL(redis, TIMEOUT), "a ping is not answered");
	} else if (redis_is_up(l->redis) &&
		   redis_send(l->redis, NULL, ping, sizeof(ping) - 1, l2_pinged, l) == E_OK) {
		l->pinged_ns = clock_mono();
	}
}

static void
l2_waited(void *arg)
{
	struct l2 *l = arg;
	struct l2_flight *f = TAILQ_FIRST(&l->waited);
	int64_t left;

	if (f == NULL)
		return;
	left = f->deadline_ns - clock_mono();
	if (left > 0)
		loop_timer_set(&l->wait, left / CLOCK_MS + 1);
	else
		l2_trip(l, LABEL(redis, TIMEOUT), "no answer within redis.wait");
}

static void
l2_up(void *owner)
{
	struct l2 *l = owner;

	loop_timer_set(&l->beat, 0);
}

static void
l2_down(unsigned cause, const char *why, bool first, void *owner)
{
	(void)first;
	l2_trip(owner, cause, why);
	l2_tell(owner);
}

static const struct redis_hooks l2_hooks = { l2_up, l2_down };

struct l2 *
l2_open(struct lookup *lookup)
{
	const struct conf *conf = &lookup->proc->conf;
	struct redis_url url;
	char why[REDIS_WHY];
	struct l2 *l;

	if (conf->redis_url[0] == '\0')
		return NULL;
	if (redis_url_parse(conf->redis_url, &url, why) != E_OK)
		fatal(EXIT_WITH_CONFIG, "redis.url: %s", why);
	l = mem_alloc(sizeof(*l));
	l->lookup = lookup;
	l->proc = lookup->proc;
	l->bounds = (struct redis_bounds){ .connect_ms = conf->redis_connect_timeout,
		.answer_ms = conf->redis_connect_timeout,
		.commands_max = L2_FLIGHTS_MAX + 16,
		.output_max = OUTPUT_MAX };
	l->open = true;
	l->since_ns = clock_mono();
	TAILQ_INIT(&l->waited);
	TAILQ_INIT(&l->given_up);
	loop_timer_open(l->proc->loop, &l->wait, l2_waited, l);
	loop_timer_open(l->proc->loop, &l->beat, l2_beat, l);
	loop_timer_set(&l->beat, BEAT_OPEN_MS);
	metric_set(&l->proc->stats, M_REDIS_BREAKER, 0, 0, 1);
	l->redis = redis_open(l->proc->loop, &url, &l->bounds, &l2_hooks, l);
	mem_wipe(&url, sizeof(url));
	return l;
}

static void
flights_drop(struct l2_flights *list)
{
	struct l2_flight *f;
	struct waiter *who;

	while ((f = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, f, next);
		while ((who = TAILQ_FIRST(&f->waiters)) != NULL) {
			TAILQ_REMOVE(&f->waiters, who, next);
			who->flight = NULL;
		}
		mem_free(&f);
	}
}

void
l2_close(struct l2 **lp)
{
	struct l2 *l = *lp;

	if (l == NULL)
		return;
	redis_close(&l->redis);
	HASH_CLEAR(hh, l->by_key);
	flights_drop(&l->waited);
	flights_drop(&l->given_up);
	loop_timer_close(&l->wait);
	loop_timer_close(&l->beat);
	mem_free(lp);
}

bool
upstream_is_market(const struct proc *p)
{
	const struct board *b = p->stats.all;

	return b != NULL && strstr(b->upstream, MARKET_HOST) != NULL;
}

static const char *
value_mismatch(const struct l2 *l, const struct ask *a, const union msg_any *v)
{
	const struct quote *q = &v->quote;
	const struct trade *t = &v->trade;
	bool is_quote = a->kind == ASK_QUOTE;

	if ((is_quote ? q->asset : t->asset) != (uint64_t)a->asset)
		return "it is of another market";
	if (strcmp(is_quote ? q->symbol : t->symbol, a->fetch.symbol) != 0)
		return "it is of another symbol";
	if (strcmp(is_quote ? q->feed : t->feed, a->fetch.feed) != 0)
		return "it is of another feed";
	if ((is_quote ? q->source : t->source) == SOURCE_REPLAY && upstream_is_market(l->proc))
		return "it is of a recording";
	return NULL;
}

/* What can be shown, with its age; anything else is counted and null. */
static const union msg_any *
flight_read(struct l2_flight *f, const redisReply *reply, union msg_any *v, int64_t *age_ns,
    enum l2_end *end)
{
	enum msg_type type = f->ask.kind == ASK_QUOTE ? MSG_QUOTE : MSG_TRADE;
	const char *why = "it is no text";
	int r = E_DATA_VALIDATION_ERROR;

	if (reply->type == REDIS_REPLY_NIL) {
		*end = L2_MISS;
		l2_count(f->l2, LABEL_hit_MISS);
		return NULL;
	}
	if (reply->type == REDIS_REPLY_STRING)
		r = latest_read(type, reply->str, reply->len, v, &why);
	if (r == E_OK && (why = value_mismatch(f->l2, &f->ask, v)) != NULL)
		r = E_DATA_VALIDATION_ERROR;
	if (r == E_OK) {
		*age_ns = wall_age_ns(
		    &f->l2->wall, type == MSG_QUOTE ? v->quote.received : v->trade.received);
		why = "it was received in the future";
		if (*age_ns >= 0)
			return v;
	}
	*end = L2_REFUSED;
	log_debug("redis: what it holds of %s is refused: %s", f->ask.fetch.symbol, why);
	l2_count(f->l2, LABEL_hit_REFUSED);
	return NULL;
}

static void
flight_answered(const struct redis_answer *a, void *arg)
{
	struct l2_flight *f = arg;
	const union msg_any *value = NULL;
	enum l2_end end = L2_FAILED;
	struct l2 *l = f->l2;
	union msg_any room;
	int64_t age_ns = 0;

	l->count--;
	if (f->given_up) {
		TAILQ_REMOVE(&l->given_up, f, next);
		mem_free(&f);
		return;
	}
	flight_unlink(l, f);
	if (a->cause == REDIS_WELL)
		value = flight_read(f, a->reply, &room, &age_ns, &end);
	else
		l2_count(l, LABEL_hit_FAILED);
	flight_tell(f, value, age_ns, end);
	mem_free(&f);
	if (a->cause != REDIS_WELL && a->reply != NULL)
		l2_trip(l, a->cause, a->why);
}

static void
flight_key(const struct ask *a, char key[FLIGHT_KEY], size_t *hash_len)
{
	latest_key(key, a->kind == ASK_QUOTE ? "quote" : "trade", a->fetch.symbol);
	*hash_len = strlen(key);
	key[*hash_len] = ' '; /* no key has one */
	(void)text_copy(key + *hash_len + 1, LATEST_FIELD, a->fetch.feed);
}

static int
flight_send(struct l2 *l, struct l2_flight *f, size_t hash_len)
{
	char hash[FLIGHT_KEY];
	struct buf b;
	int r;

	(void)text_copy_n(hash, sizeof(hash), f->key, hash_len);
	buf_init(&b, 1024);
	if ((r = redis_words(&b, 3)) == E_OK && (r = redis_word_text(&b, "HGET")) == E_OK &&
	    (r = redis_word_text(&b, hash)) == E_OK &&
	    (r = redis_word_text(&b, f->ask.fetch.feed)) == E_OK)
		r = redis_send(l->redis, hash, buf_data(&b), buf_len(&b), flight_answered, f);
	buf_fini(&b);
	return r;
}

static int
flight_begin(
    struct l2 *l, const struct ask *a, const char *key, size_t hash_len, struct l2_flight **out)
{
	struct l2_flight *f;
	int r;

	if (l->count >= L2_FLIGHTS_MAX)
		return E_FULL;
	f = mem_alloc(sizeof(*f));
	f->l2 = l;
	f->ask = *a;
	f->began_ns = clock_mono();
	f->deadline_ns = f->began_ns + l->proc->conf.redis_wait * CLOCK_MS;
	TAILQ_INIT(&f->waiters);
	(void)text_copy(f->key, sizeof(f->key), key);
	if ((r = flight_send(l, f, hash_len)) != E_OK) {
		mem_free(&f);
		return r;
	}
	HASH_ADD_KEYPTR(hh, l->by_key, f->key, strlen(f->key), f);
	TAILQ_INSERT_TAIL(&l->waited, f, next);
	l->count++;
	if (!loop_timer_is_set(&l->wait))
		loop_timer_set(&l->wait, l->proc->conf.redis_wait);
	*out = f;
	return E_OK;
}

int
l2_join(struct l2 *l, const struct ask *a, struct waiter *who)
{
	struct l2_flight *f = NULL;
	char key[FLIGHT_KEY];
	size_t hash_len;
	int r;

	if (a->fetch.feed[0] == '\0')
		return E_CLOSED;
	if (l->open) {
		waited_refused(who, WAITED_REDIS, &a->fetch, "breaker_open");
		return E_CLOSED;
	}
	flight_key(a, key, &hash_len);
	HASH_FIND(hh, l->by_key, key, strlen(key), f);
	if (f != NULL) {
		l2_count(l, LABEL_hit_JOINED);
		waited_begin(who, WAITED_REDIS, &f->ask.fetch);
	} else if ((r = flight_begin(l, a, key, hash_len, &f)) != E_OK) {
		waited_refused(who, WAITED_REDIS, &a->fetch, "full");
		return r;
	} else {
		waited_begin(who, WAITED_REDIS, NULL);
	}
	who->flight = f;
	who->max_age_ns = a->max_age_ns;
	TAILQ_INSERT_TAIL(&f->waiters, who, next);
	return E_OK;
}

void
l2_leave(struct waiter *who)
{
	if (who->flight == NULL)
		return;
	waited_over_as(who, &who->flight->ask.fetch, "left", true);
	TAILQ_REMOVE(&who->flight->waiters, who, next);
	who->flight = NULL;
}
