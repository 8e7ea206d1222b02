/* waited.h - spans of what a request waits for: Redis, the store, another one's fetch. Room header. */
#ifndef WAITED_H
#define WAITED_H
#include <stdbool.h>
#include <stdint.h>

#include "trace.h"

struct asker;
struct msg_fetch;
struct outcome;
struct waiter;

enum waited_for { WAITED_NOTHING, WAITED_REDIS, WAITED_STORE, WAITED_FETCH };

/* Of one who waits; at most one span at a time, and all zeros where nothing is recorded. */
struct waited {
	const struct asker *asker;	/* borrowed; null: nobody is told */
	enum waited_for	 what;		/* WAITED_NOTHING: no span is under way */
	uint64_t	 id;
	int64_t		 begun;		/* wall */
	struct trace_context leader;	/* the request whose work it shares; none: it is its own */
};

struct waited_end {
	const char	*outcome;	/* "hit", "timeout", ..: doc/tracing.md has them all */
	bool		 failed;
	int		 error;		/* E_OK: the outcome says all */
	const char	*reason;	/* null: none */
	size_t		 rows;
};

/* What this one waits for from now on is recorded if its request is. */
void	waited_record(struct waiter *, const struct asker *);
/* Who asks now what others asked before: the fetch is its own, recorded or not, and carries nobody else's trace. */
void	waited_ask(const struct waiter *, struct msg_fetch *);
/* `leads` is the fetch of who began what is joined; null: it is this one's own. */
void	waited_begin(struct waiter *, enum waited_for, const struct msg_fetch *leads);
/* Nothing happens where no span is under way: whoever lets go of a waiter may call it. */
void	waited_over(struct waiter *, const struct msg_fetch *asked, const struct waited_end *);
/* The same in short. */
void	waited_over_as(struct waiter *, const struct msg_fetch *asked, const char *outcome, bool failed);
/* Of a fetch. */
void	waited_fetched(struct waiter *, const struct msg_fetch *asked, const struct outcome *);
/* Begun and over: it was not even asked. */
void	waited_refused(struct waiter *, enum waited_for, const struct msg_fetch *asked, const char *outcome);

#endif /* WAITED_H */
