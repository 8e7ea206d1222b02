/* range.h - an answer with bars or trades in the making, and how it is shown. Room header. */
#ifndef RANGE_H
#define RANGE_H
#include "http_worker.h"

#define RANGE_FETCHES_MAX 32	/* for one answer: more holes than that and a page ends early */

struct range {
	struct pending	 pending;	/* first: the request's tag */
	struct waiter	 waiter;
	struct asker	 asker;
	struct ask	 ask, part;	/* the client's; of the fetch under way */
	struct history_ticket *ticket;
	int64_t		 asked_ns;	/* the store, monotonic */
	bool		 down;		/* from the end of the range on */
	bool		 plain;		/* the fetch under way is the client's own question */
	bool		 unstored;	/* the store is not asked (any more) */
	size_t		 limit;
	int64_t		 low, high;	/* what is left of the range, inclusive */
	uint64_t	 skip;		/* rows of its first instant that were given */
	int64_t		 begun_at;	/* where the page begins, and how many of that instant were given before */
	uint64_t	 begun_skip;
	bool		 more;		/* the page is over before the range is */
	unsigned	 fetches;
	/* Of all that this rests on, that there is nothing included; 0: nothing yet. */
	int64_t		 oldest_ns, unsettled_ns; /* received; of what the store has, what may still change */
	uint64_t	 source;	/* a recording's when any is */
	struct history_row *rows;	/* in the order of the walk */
	size_t		 count, capacity;
	struct buf	 written;	/* so many rows as they are shown, when these are all there are; empty otherwise */
	size_t		 written_rows;
	struct {
		int64_t	 start, end;
	}		 proven[RANGE_FETCHES_MAX + 2];	/* by the store, in the order of the walk */
	unsigned	 proven_count;
};

/* Rows as they are shown, where that is the order of the walk. */
extern const struct history_writer range_writer;
/* The answer's data. E_OVERLOADED: it is too large. */
int	range_show(struct range *, struct shown **) MUST_CHECK;

#endif /* RANGE_H */
