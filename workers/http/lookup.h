/* lookup.h - where an answer comes from: book, cache (L1), fetcher. Room header. */
#ifndef LOOKUP_H
#define LOOKUP_H
#include <sys/queue.h>

#include "book.h"
#include "endpoint.h"
#include "history.h"
#include "hours.h"
#include "label.h"
#include "proc.h"
#include "session.h"
#include "shown.h"
#include "waited.h"

enum cache_way { CACHE_BOOK, CACHE_L1, CACHE_MISS, CACHE_STALE, CACHE_REDIS, CACHE_STORE };
const char	*cache_way_name(enum cache_way);	/* "book", "l1", "miss", "stale", "redis", "store" */

/* What a client asks for. */
enum ask_kind { ASK_QUOTE, ASK_TRADE, ASK_SNAPSHOT, ASK_BARS, ASK_CHAIN, ASK_CLOCK, ASK_TRADES };

#define ASK_ANY_AGE INT64_C(-1)

struct ask {
	enum ask_kind	 kind;
	enum asset	 asset;
	struct msg_fetch fetch;		/* ticket and timeout are filled in when it is sent */
	int64_t		 max_age_ns;	/* ASK_ANY_AGE: the client does not tighten */
	enum hours	 hours;		/* ranges: rows within these alone */
	bool		 gaps;		/* ranges: where it is proven that nothing was traded */
};

/* Bars or trades of a range of time: range.c's. */
bool	ask_is_range(enum ask_kind);
/* What two equal answers have in common: fetch_key(), and what is made of it here. */
void	ask_key(const struct ask *, char out[FETCH_KEY]);

/* What became of a fetch; borrowed for the call. */
struct outcome {
	int		 error;		/* E_OK, or a code a client may see */
	const char	*reason;	/* what upstream said; null when it said nothing */
	uint64_t	 retry_ms;	/* 0: nothing said */
	struct shown	*shown;		/* with E_OK, except for a clock */
	bool		 from_redis;
	const struct history_row *rows;	/* of a range, as they came */
	size_t		 row_count;
};

/* What a client is answered; borrowed for the call. */
struct found {
	struct outcome	 what;
	enum cache_way	 way;
	enum session	 session;	/* of its market, when it was looked up */
	int64_t		 age_ns;	/* since it was taken in */
	int64_t		 fresh_ns;	/* from its intake until it is no longer fresh */
};

/* L1: results and refusals by fetch_key(). */
struct cache;
struct cached {
	int		 error;		/* E_OK: `shown` holds it */
	uint64_t	 retry_ms;
	int64_t		 taken_ns;	/* clock_mono() of its intake */
	struct shown	*shown;		/* counted; null with an error */
	char		 reason[256];
};

struct cache	*cache_new(void);
void		 cache_free(struct cache **);
/* Null when it is not held; borrowed until the cache changes. */
const struct cached *cache_find(struct cache *, const char *key, uint64_t use);
/* Replaces what the key held. A `shown` is shared: the cache takes its own count. */
void		 cache_put(struct cache *, const char *key, const struct cached *, uint64_t use);
void		 cache_drop(struct cache *, const char *key);
size_t		 cache_bytes(const struct cache *);
size_t		 cache_entries(const struct cache *);
uint64_t	 cache_oldest(const struct cache *);	/* UINT64_MAX when empty */
void		 cache_evict(struct cache *);

/* Fetches on their way, each with those who wait for it. */
#define WAITING_GRACE_NS    (1000 * CLOCK_MS) /* without a fetcher: its successor is due in milliseconds; behind it 503 */
#define WAITING_FETCHES_MAX 4096	/* as many as the fetcher queues by default; beyond it 503 */
#define WAITING_WAITERS_MAX 65536	/* requests and entries of batches; beyond it 503 */

struct waiting;
struct fetching;

struct waiter {			/* embedded by who waits */
	void	(*done)(struct waiter *, const struct outcome *);
	/* the rest is waiting.c's */
	struct fetching *on;		/* null when it does not wait */
	struct l2_flight *flight;	/* l2.c: it waits for Redis first */
	int64_t		 max_age_ns;	/* l2.c: as its ask has it */
	struct waited	 waited;	/* waited.c */
	TAILQ_ENTRY(waiter) next;
};

struct waiting	*waiting_new(struct proc *);
/* Lets go of everybody without a word. */
void		 waiting_free(struct waiting **);
/* Joins the fetch of this key or begins one. E_OVERLOADED: no room, or the fetcher's queue is
 * full. *joined tells which it was. Without a fetcher it waits for one. */
int		 waiting_join(struct waiting *, const char *key, const struct msg_fetch *,
		    struct waiter *, bool *joined) MUST_CHECK;
/* Nobody waits here any more; the fetch goes on. Nothing happens to one that does not wait. */
void		 waiting_leave(struct waiting *, struct waiter *);
/* A fetcher came: everything is asked again of it. It went: everything waits for the next. */
void		 waiting_peer_up(struct waiting *, struct peer *);
void		 waiting_peer_down(struct waiting *, const struct peer *);
/* Tells everybody who waits for this ticket, or for this key. Nobody may. */
void		 waiting_tell(struct waiting *, uint64_t ticket, const char *key,
		    const struct outcome *);
/* Tells those whose time is over; called by its own timer, and by tests. */
void		 waiting_expire(void *);
size_t		 waiting_count(const struct waiting *);

/* A result as it arrives, between `result` and `result_end`. One a channel. */
struct assembly;
struct assembly	*assembly_new(const struct conf *);	/* borrowed */
void		 assembly_free(struct assembly **);
void		 assembly_begin(struct assembly *, const struct msg_result *);
bool		 assembly_is_open(const struct assembly *);
/* A result of this endpoint is open. */
bool		 assembly_is_of(const struct assembly *, enum endpoint);
/* A value that belongs to the open result. */
void		 assembly_add(struct assembly *, enum msg_type, const void *value);

struct assembled {		/* borrowed from the assembly until the next begin */
	const struct msg_result *head;
	const struct quote	*quote;	/* latest ones, for the book; null when there was none */
	const struct trade	*trade;
	const struct market_clock *clock;
	const struct history_row *rows;	/* of a range */
	size_t			 row_count;
	struct shown		*shown;	/* the caller's; null where there is nothing to keep in L1 */
};
/* Closes. E_OK, with *out filled; E_PROTOCOL when it is not the end of what was begun; E_OVERLOADED
 * when the values were more than ASSEMBLY_BYTES_MAX. */
#define ASSEMBLY_BYTES_MAX ((size_t)32 * 1024 * 1024)
int		 assembly_end(struct assembly *, const struct msg_result_end *,
		    struct assembled *out) MUST_CHECK;

/* The wall clock against the one that never steps: the largest difference, and when it was seen. */
struct wall_guard {
	int64_t	 ahead_ns, seen_ns;
	bool	 set;
};
/* How long ago another process received something at this wall time. A clock set back makes nothing younger: for an
 * hour ages count from where it would be. -1: from the future by more than machines differ, so of no age. */
int64_t		 wall_age_ns(struct wall_guard *, int64_t received_ns);

/* L2: latest quotes and trades in Redis, asked for a bounded time, by a breaker of this worker's own. */
#define L2_FLIGHTS_MAX 1024	/* distinct values asked for and not answered; beyond it the fetcher is asked at once */
struct l2;
struct lookup;
/* Null when none is configured. */
struct l2	*l2_open(struct lookup *);
void		 l2_close(struct l2 **);
/* E_OK: lookup_after_l2 is called, never from within. Otherwise it is not asked now. */
int		 l2_join(struct l2 *, const struct ask *, struct waiter *) MUST_CHECK;
void		 l2_leave(struct waiter *);
/* What a recording said is not the market's: nobody whose own upstream is the market may show it. */
bool		 upstream_is_market(const struct proc *);

struct lookup {
	struct proc		*proc;
	struct book		*book;
	struct cache		*cache;
	struct waiting		*waiting;
	struct l2		*l2;	/* null without Redis */
	struct market_clock	 clock;	/* the last; received is 0 before the first */
	int64_t			 clock_taken_ns; /* clock_mono() of its intake */
	uint64_t		 uses;	/* orders book and L1 by use, together */
};

struct lookup	*lookup_new(struct proc *);
void		 lookup_free(struct lookup **);

/* Tries what this worker holds. False: it has to be fetched. */
bool		 lookup_now(struct lookup *, const struct ask *, struct found *);
/* Has it fetched; `done` is called once, never from within. An error was not queued: settle it
 * at once. */
int		 lookup_later(struct lookup *, const struct ask *, struct waiter *) MUST_CHECK;
void		 lookup_leave(struct lookup *, struct waiter *);
/* What the client is answered when a fetch came to this: the value, an older one, or the error. */
void		 lookup_settle(struct lookup *, const struct ask *, const struct outcome *,
		    struct found *);
/* Puts what was made for this question by others than the fetcher into L1. */
void		 lookup_put(struct lookup *, const struct ask *, struct shown *);
/* How old an answer to this may be now. */
int64_t		 lookup_fresh(const struct lookup *, const struct ask *);
/* What the client is answered with something made right now; an empty range is none. */
void		 lookup_found(struct lookup *, const struct ask *, enum cache_way, struct shown *, struct found *);
void		 lookup_count(struct lookup *, enum label_layer, enum label_hit);
int64_t		 lookup_clock_age(const struct lookup *);
/* Of the stock market now; crypto is always open. */
enum session	 lookup_session(const struct lookup *, enum asset);
/* Book and L1 share one bound; what was used longest ago goes, in whichever of them it is. */
void		 lookup_trim(struct lookup *);
/* The entry's JSON, made at the first look since it changed: a tick nobody asks for is never
 * rendered. */
struct shown	*lookup_entry_shown(struct lookup *, struct book_entry *);
/* Upstream or this gateway failed: the symbol may well have data. */
bool		 error_is_failure(int error);
/* Stores and finds a probe in L1: E_OK, or E_INTERNAL_SERVICE_ERROR. */
int		 lookup_probe(struct lookup *) MUST_CHECK;

/* Redis' part of lookup_later is over for this one: with a value, or without (null); age since it was received. */
void		 lookup_after_l2(struct lookup *, const struct ask *, struct waiter *,
		    const union msg_any *, int64_t age_ns);

/* From the fetcher. */
void		 lookup_on_result(struct peer *, const void *, void *lookup);
void		 lookup_on_result_end(struct peer *, const void *, void *lookup);
void		 lookup_on_quote(struct peer *, const void *, void *lookup);
void		 lookup_on_trade(struct peer *, const void *, void *lookup);
void		 lookup_on_bar(struct peer *, const void *, void *lookup);
void		 lookup_on_greeks(struct peer *, const void *, void *lookup);
void		 lookup_on_snapshot(struct peer *, const void *, void *lookup);
void		 lookup_on_market_clock(struct peer *, const void *, void *lookup);
void		 lookup_peer_up(struct lookup *, struct peer *);
void		 lookup_peer_down(struct lookup *, struct peer *);

#endif /* LOOKUP_H */
