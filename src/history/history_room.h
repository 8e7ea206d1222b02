/* history_room.h - what the kinds of store share: which calls answer for what, and which rows of them. Room header. */
#ifndef HISTORY_ROOM_H
#define HISTORY_ROOM_H
#include <stdatomic.h>
#include <sys/queue.h>

#include "history.h"

/* Of one record of coverage. */
struct cover {
	int64_t		 start, end, received;
	uint64_t	 rows;
	uint64_t	 source;
};

/* A part of the asked range, and the call that answers for it. */
struct span {
	int64_t		 start, end;
	struct cover	 of;
};

/* Disjoint, in order of time; embedded, owns `at`. */
struct spans {
	int64_t		 start, end;	/* nothing outside of it is taken */
	struct span	*at;
	size_t		 count, capacity;
};

#define SPANS_MAX  20000	/* more parts than that and the rest is a hole */
#define COVERS_MAX 100000	/* records looked at for one answer */

void	 spans_init(struct spans *, int64_t start, int64_t end);
void	 spans_fini(struct spans *);
/* Takes what no call before had; so the newest come first. */
void	 spans_add(struct spans *, const struct cover *, int64_t trusted_end);
/* Lets go of all that this call answers for. */
void	 spans_drop(struct spans *, const struct cover *);
bool	 spans_are_whole(const struct spans *);
bool	 spans_have_hole(const struct spans *, int64_t start, int64_t end);
const struct span *spans_find(const struct spans *, int64_t ns);	/* null: a hole */

/* The last instant of it that is trusted; INT64_MIN: nothing. Adjusted rows of before `void_before` are void. */
int64_t	 cover_trusted(const struct history_question *, const struct cover *, int64_t void_before);
/* A row of the call `before` has another value in the call `after`: all that is older than that one is void. What
 * is void already says nothing. In the order of `after`. */
int64_t	 void_after(int64_t void_before, int64_t before, int64_t after);
bool	 series_is_adjusted(const struct history_series *);
int64_t	 midnight_after(int64_t ns);		/* in New York */
int64_t	 midnight_before(int64_t ns);

/* The range in which rows are looked for: from before the start, where an interval may hold it. */
int64_t	 question_from(const struct history_question *);

/* The calls that gave rows of the interval the start lies in, from question_from() to before the start. */
#define HEADS_MAX 64
struct heads {
	int64_t		 received[HEADS_MAX];
	size_t		 count;
	bool		 more;		/* than fit */
};

/* An answer in the making. */
struct picking {
	const struct history_question *question;
	struct spans	 spans;
	struct history_answer answer;	/* owns rows */
	uint64_t	 skipped;
	size_t		 touched;	/* rows up to here, and some behind it, have their memory */
	struct json	 json;		/* into what is written of the answer */
	size_t		 written;	/* rows */
	size_t		 written_touched;	/* bytes up to here have their memory */
	bool		 is_writing;
	bool		 unwritable;	/* they do not fit */
	struct history_row surplus;	/* one more than is answered */
};

void	 picking_init(struct picking *, const struct history_question *);
void	 picking_fini(struct picking *);
/* Once the spans are there, where the question is ambiguous: what the start means. */
bool	 question_is_ambiguous(const struct history_question *);
void	 picking_heads(struct picking *, const struct heads *);
/* How far the spans reach from the beginning on; again when some were dropped. */
void	 picking_reach(struct picking *);
/* Where the next row may be written, to be copied no more. */
struct history_row *picking_room(struct picking *);
/* The next row of the proven part, in the order asked for; false: no more are wanted. */
bool	 picking_row(struct picking *, const struct history_row *);
/* The answer uses what this call gave of the span, or that it gave nothing. */
void	 picking_rests_on(struct picking *, const struct span *);
/* The answer's rows as far as they are, by its question's writer; nothing without one. */
void	 writing_go_on(struct picking *);
/* Rows went, or may not stay as they are. */
void	 writing_drop(struct picking *);
/* All rows are there and stay as they are. */
void	 writing_end(struct picking *);
int64_t	 row_event(const struct history_series *, const struct history_row *);
bool	 bars_differ(const struct bar *, const struct bar *);

/* A question on its way; the kinds of store embed it. */
struct history_ticket {
	TAILQ_ENTRY(history_ticket) link;	/* of those somebody waits for */
	TAILQ_ENTRY(history_ticket) queue;	/* the kind's */
	atomic_bool	 gone;		/* nobody waits any more */
	struct history	*history;
	struct history_question question;
	history_hook	*hook;
	void		*owner;
	int64_t		 deadline_ns;	/* monotonic */
	struct picking	 picking;
};
TAILQ_HEAD(history_tickets, history_ticket);

/* One per kind of store. */
struct history_kind {
	const char	*name;
	unsigned	 threads;	/* that read it */
	/* What a thread reads with, made on the loop and used by that thread alone: opens nothing yet. A wait that has
	 * no other end looks at `stopping`. */
	void		*(*begin)(const struct conf *, const atomic_bool *stopping);
	void		 (*end)(void **);
	/* Fills the ticket's answer; gives up soon after its deadline, or when nobody waits any more. */
	void		 (*read)(void *, struct history_ticket *);
};
extern const struct history_kind history_sqlite, history_postgres;

#define HISTORY_WAITING_MAX 64

/* threads.c */
struct threads;
struct threads *threads_open(struct history *, const struct history_kind *, const struct conf *);
void	 threads_close(struct threads *);		/* gives back every ticket */
int	 threads_ask(struct threads *, struct history_ticket *) MUST_CHECK; /* E_OVERLOADED: the queue is full */

struct loop *history_loop(const struct history *);

/* The ticket's answer is there; frees it. On the loop. */
void	 history_done(struct history_ticket *);

#endif /* HISTORY_ROOM_H */
