/* fetcher.h - the room of fetcher[rest]: one upstream, asked by REST.
 *
 * The way through: fetcher.c takes a fetch -> plan.c finds or makes its job and a batch -> pump.c starts the
 * batch when lane, budget, breaker and connections allow -> exchange.c asks -> settle.c reads the answer, keeps
 * it in the journal and decides: answer, next page, another try, or who of the batch is to blame ->
 * job.c gives the answer to all who wait -> publish.c sends it.
 */
#ifndef FETCHER_H
#define FETCHER_H
#include "budget.h"
#include "exchange.h"
#include "journal.h"
#include "label.h"
#include "plan.h"
#include "span.h"

#define FAMILIES	   LABEL_family_COUNT
#define TRIM_AFTER_MS	   1000	/* since the last thing that took much memory */
#define TRADING_PER_MINUTE 200	/* calls the trading API allows */

struct assets;

struct clock_watch {
	struct loop_timer timer;
	bool		 known, asking;
	struct market_clock now;
	int64_t		 last_call_ns;	/* of any kind, monotonic */
};

struct fetcher {
	struct proc	*proc;
	struct upstream *upstream;
	struct journal	*journal;	/* null in tests that need none */
	bool		 journal_full;
	bool		 journal_failing;
	uint64_t	 counted[LABEL_kind_COUNT];	/* records that the journal keeps, as far as the metric knows */
	bool		 lost;		/* something gathered since the last page began was not kept */
	bool		 refusing;	/* of what is gathered, something cannot be kept */
	bool		 clock_is_off;	/* ours and upstream's differ, or it does not tell its own */
	bool		 has_key;
	bool		 draining;
	struct budget_mark *marks;
	struct budget	 budgets[HOSTS];
	struct breaker	 breakers[FAMILIES];
	struct plan	 plan;
	struct assets	*assets;
	struct clock_watch clock;
	struct loop_timer sync_timer, trim_timer;
	struct tracing	 tracing;
};

/* traced.c: whom of those who wait a call is for, as far as they are sampled; told again when more may have come */
void	traced_gather(const struct batch *, struct exchange *);
/* What the upstream is told of it; false: nothing. `traceparent` holds the text. */
bool	traced_header(const struct batch *, struct exchange *, char traceparent[TRACEPARENT_LEN + 1],
	    struct call_trace *);
void	traced_call(struct fetcher *, const struct exchange *, const struct verdict *);	/* it is over */
void	traced_append(struct fetcher *, struct exchange *, int64_t begun_ns, int result);	/* wall */

/* settle.c: a call is over */
void	batch_settle(struct exchange *, void *batch);

/* walk.c: bars and chains, page by page */
void	walk_begin(struct batch *);
void	walk_settle(struct batch *, const struct body *, struct decode *, struct exchange *);

/* cover.c: what a walk proves, page by page */
void	cover_begin(struct batch *);
/* The rows from `from` on are a page; the last one when nothing of the range is missing behind it. */
void	cover_page(struct batch *, const struct records *, size_t from, bool is_last, const struct decode *);
void	cover_settle(struct batch *);	/* the page was written, or not */

/* missing.c */
struct assets *assets_new(void);
void	assets_free(struct assets **);
/* Upstream has nothing for this job: finds out whether the symbol or only the data does not exist, and
 * finishes it, now or later. */
void	missing_decide(struct job *);

/* request.c: path and query of a batch's next call. E_FULL when it does not fit. */
int	request_path(const struct batch *, struct buf *) MUST_CHECK;
const char *request_feed(const struct endpoint_row *, const char *asked, const struct conf *);

/* publish.c */
/* Gathers the records from `from` on for the journal; publish_flush adds the audit of the call they came with
 * and writes all at once. E_OVERLOADED: something could not be kept, and the configuration says that then it
 * must not be served. */
/* seen.c: a record that arrived, for the statistics. */
void	seen_record(struct stats *, const struct record *);
void	publish_state(struct fetcher *);	/* tells whether the journal takes more */
void	publish_gather(struct fetcher *, const struct records *, size_t from, bool backwards);
/* Behind the rows it speaks of; nothing when one of those gathered could not be kept. */
void	publish_coverage(struct fetcher *, const struct coverage *);
int	publish_flush(struct fetcher *, struct exchange *) MUST_CHECK;
void	publish_answer(const struct job *);
void	publish_refusal(struct fetcher *, const struct msg_fetch *, const struct asker *, int error,
	    uint64_t retry_ms, const char *reason);
void	publish_position(struct fetcher *);	/* rings the cache-writer, shows the journal's gauges */
void	publish_clock(struct fetcher *, struct peer *only); /* the last known; null: to all */
unsigned publish_kind(enum msg_type);		/* index of label set `kind` */

/* clock_watch.c */
void	clock_watch_begin(struct fetcher *);
void	clock_watch_end(struct fetcher *);
/* When to ask again, given the last value and how long ago it came. */
int64_t	clock_watch_next_ms(const struct market_clock *, int64_t age_ns, int64_t interval_ms);

/* rest.c: memory that only start or a large body needed goes back to the system. */
void	rest_give_back(void);

#endif /* FETCHER_H */
