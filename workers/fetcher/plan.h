/* plan.h - what is asked of the upstream and who waits for it: jobs, batches, lanes.
 *
 * asker  whoever waits for an answer: an http worker's ticket, or this process itself
 * job    one distinct question (fetch_key); identical ones join it while it lives
 * batch  the jobs that travel as one upstream call; it waits in a lane, then goes through tries and pages
 */
#ifndef PLAN_H
#define PLAN_H
#include <sys/queue.h>

#include "decode.h"
#include "endpoint.h"
#include "hash.h"
#include "proc.h"
#include "trace.h"

#define HOSTS	   2		/* enum endpoint_host: each has its own budget and connections */
#define ROWS_MAX   10000	/* of one answer, over all pages */
#define ROWS_USUAL 1000		/* where the asker names no limit */
#define ASKERS_MAX 4096		/* that may wait for one job */

struct fetcher;

struct answer {			/* to a job */
	int		 error;		/* E_OK or a code a client may see */
	bool		 definite;	/* asking again at once gives the same: other workers may keep it */
	bool		 complete;
	uint64_t	 retry_ms;
	enum source	 source;
	int64_t		 received;
	char		 reason[256];
	char		 page_token[DECODE_TOKEN];
	char		 feed[16];
	char		 request_id[64];
	struct records	 records;
};

typedef void answer_fn(const struct answer *, void *owner);

struct asker {
	struct asker	*next;
	struct peer	*peer;		/* null: `done` is called instead */
	uint64_t	 ticket;
	answer_fn	*done;
	void		*owner;
	int64_t		 deadline_ns;
	struct trace_context trace;	/* none: it has none, or asks for this process itself */
};

struct job {
	UT_hash_handle	 hh;
	TAILQ_ENTRY(job) link;		/* in its batch */
	struct batch	*batch;		/* null while its symbol is looked up (missing.c) */
	struct fetcher	*fetcher;
	const struct endpoint_row *row;
	struct asker	*askers;
	unsigned	 asker_count;
	int64_t		 deadline_ns;	/* of its most patient asker */
	int64_t		 start_by_ns;	/* later, a call could not end in time */
	bool		 finished;
	char		 key[FETCH_KEY];
	struct msg_fetch fetch;
	struct answer	 answer;
};
TAILQ_HEAD(jobs, job);

struct splits {			/* shared by all parts of what was one batch */
	unsigned	 batches;	/* that hold it: the last one frees it */
	unsigned	 left;		/* how often one of them may still be cut in halves */
};

struct batch {
	TAILQ_ENTRY(batch) link;	/* in its lane, while it waits */
	struct fetcher	*fetcher;
	const struct endpoint_row *row;
	char		 feed[16];	/* feed, or location */
	enum lane	 lane;
	struct jobs	 jobs;
	unsigned	 count;
	int64_t		 ready_ns;	/* not before: company or a pause is awaited */
	enum batch_state { BATCH_WAITING, BATCH_TRAVELLING, BATCH_SETTLING } state;
	bool		 sealed;	/* takes no further job */
	bool		 departed;	/* was under way at least once */
	unsigned	 tries;		/* of this page */
	unsigned	 culprits;	/* symbols taken out of it so far */
	struct splits	*splits;	/* null: it was never cut */
	unsigned	 pages;
	int		 last_error;	/* of the try before */
	char		 last_reason[256];
	/* bars and chains: the one job's walk through the pages */
	char		 token[DECODE_TOKEN];
	uint64_t	 token_mark;	/* hash of one used earlier: a walk that meets it goes round in a circle */
	uint64_t	 rows, rows_max;
	bool		 newest_first;	/* asked so of the upstream */
	bool		 incomplete;	/* contracts were refused */
	bool		 cut;		/* more rows came than were asked for */
	int64_t		 last_event;
	struct {		/* cover.c's: what is not proven yet, both ends inclusive */
		int64_t	 low, high;
		int64_t	 edge;		/* instant the page before ended in, which may go on; 0: none */
		int64_t	 edge_received;
		uint64_t edge_rows;
	} cover;
};
TAILQ_HEAD(batches, batch);

struct plan {
	struct job	*jobs;		/* by key */
	struct batches	 lanes[HOSTS][LANE_COUNT];
	unsigned	 batches[HOSTS][LANE_COUNT];	/* in each */
	unsigned	 jobs_in[LANE_COUNT];		/* of these batches */
	unsigned	 jobs_waiting;			/* in all lanes */
	unsigned	 in_flight[HOSTS];
	int64_t		 next_expiry_ns;
	bool		 kicked, over;
	struct loop_timer timer;
};

/* plan.c: admission */
void	plan_init(struct fetcher *);
void	plan_fini(struct fetcher *);
/* Answers exactly once, later or (when refused) at once, unless plan_forget came before. Copies both. */
void	plan_ask(struct fetcher *, const struct msg_fetch *, const struct asker *who);
void	plan_forget(struct fetcher *, const struct peer *);	/* nobody waits there any more */
int	plan_is_idle(const struct fetcher *);
uint64_t plan_retry_ms(struct fetcher *, const struct endpoint_row *, unsigned calls); /* for one refused now */
unsigned plan_family(const struct endpoint_row *);		/* index of label set `family` */
struct breaker *plan_breaker(struct fetcher *, const struct endpoint_row *);

/* pump.c: starting and giving up */
void	plan_kick(struct fetcher *);	/* something changed: at the end of this turn, see what can start */

/* lane.c: batches and where they wait */
struct batch *batch_new(struct fetcher *, const struct endpoint_row *, const char *feed, enum lane);
void	batch_add(struct batch *, struct job *);
void	batch_free(struct batch **);			/* without jobs, not in a lane */
void	batch_fail(struct batch *, int error, uint64_t retry_ms, const char *reason); /* every job; a waiting one goes */
/* The second half of its jobs, in a batch of their own; null when what it was part of was cut often enough. */
struct batch *batch_split(struct batch *);
int	batch_repeats_symbol(const struct batch *, const struct job *);	/* an earlier job asks for the same */
void	lane_enter(struct batch *, bool at_front);
void	lane_leave(struct batch *);
void	lane_promote(struct batch *, enum lane);	/* to a more urgent one */
void	lane_return(struct batch *, int64_t delay_ms);	/* to the front, taking no more jobs */
struct batch *lane_company(struct fetcher *, const struct endpoint_row *, const char *feed);	/* that takes one more */
unsigned lane_calls_ahead(const struct fetcher *, enum endpoint_host, enum lane);
unsigned lane_label(enum lane);

/* job.c */
struct job *job_new(struct fetcher *, const struct msg_fetch *, const char *key);
int	job_join(struct job *, const struct asker *, int64_t timeout_ms) MUST_CHECK; /* E_LIMIT: too many */
void	job_leave(struct job *);	/* its batch; a waiting batch left empty goes */
/* job->answer goes to everyone who waits; the job is over, its memory lasts until the turn is. */
void	job_finish(struct job *);
void	job_fail(struct job *, int error, uint64_t retry_ms, const char *reason);
void	job_expire(struct job *, int64_t now_ns);	/* answers those whose time is over */
void	job_forget(struct job *, const struct peer *);
void	job_discard(void *job);				/* frees; for loop_free_later */

#endif /* PLAN_H */
