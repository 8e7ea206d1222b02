/* history.h - the past of one series, read from a store: rows, and how far they are known to be all there were.
 *
 * The store is read behind the loop's back, or by it without waiting; the hook is called from the loop, once, and
 * never from within history_ask. A row is answered only out of coverage that is trusted:
 *
 *   final      received later than `final_after` behind the interval's end: for good
 *   not final  as long as it is younger than `fresh`
 *   future     received later than now, by a clock that was ahead: never, as nobody knows when that was
 *   adjusted   (stock bars that are not raw) besides that until the next midnight in New York, as splits and
 *              dividends change all earlier rows with a trading day; and void when a later call of the same day
 *              gave another value for a row of an earlier day
 *
 * and coverage only counts when the store holds as many rows of that call as it speaks of: rows that were put out,
 * refused by a database or lost with a damaged record are missed, and the range is a hole again. Of several calls
 * that cover an instant the newest answers for it.
 */
#ifndef HISTORY_H
#define HISTORY_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "conf.h"
#include "err.h"
#include "hours.h"
#include "json_write.h"
#include "loop.h"
#include "value.h"

#define HISTORY_WHY	 200
#define HISTORY_ROWS_MAX 10000	/* of one answer */

struct history_series {
	enum covered	 what;
	enum asset	 asset;
	char		 symbol[32], feed[16];
	char		 timeframe[12], adjustment[32];	/* bars */
};

struct history_row {
	union {
		struct bar   bar;
		struct trade trade;
	}		 v;
	/* Different states received of this row, the running interval's left out; 0: there were too many to look
	 * at. */
	unsigned	 versions;
};

struct history_question;

/* How rows are shown by who asks: written by who reads them, while the next ones come, and not by the loop. Called from
 * other threads; both touch nothing but their arguments. */
struct history_writer {
	int		(*begin)(struct buf *);	/* empties it; its limit, and what stands in front of the rows */
	void		(*row)(struct json *, const struct history_row *, const struct history_question *);
};

struct history_question {
	struct history_series series;
	int64_t		 start, end;	/* inclusive */
	bool		 descending;	/* rows from the end on, newest first */
	/* The start may lie within an interval, and what upstream gives for it counts; false: it is an end of a hole
	 * or of a page. */
	bool		 start_is_asked;
	uint64_t	 skip;		/* rows of the first instant that were given before */
	size_t		 limit;		/* 1 to HISTORY_ROWS_MAX */
	bool		 is_market;	/* upstream is the market: what a recording said is no answer */
	enum hours	 hours;		/* stocks, intraday: only rows within these */
	int64_t		 now_ns, fresh_ns, final_after_ns;
	int64_t		 wait_ms;
	const struct history_writer *writer;	/* null: rows are not written */
};

struct history_answer {		/* borrowed for the call */
	int		 error;		/* E_OK, or E_STORE with `why`; E_OVERLOADED: not asked */
	bool		 late;		/* E_STORE, as it was not there in time */
	char		 why[HISTORY_WHY];
	/* Rows in the order asked for, of the part that is proven from the beginning on (the end, descending). The
	 * hook may take them, and leaves null. */
	struct history_row *rows;
	size_t		 room;		/* how many rows there is memory for */
	size_t		 count;
	/* All of them as an array, behind what the writer began with; empty: they are not written. The hook may take it
	 * as it takes the rows. */
	struct buf	 written;
	bool		 full;		/* the limit was reached and there is more */
	/* That part ends here, inclusive; before the start (behind the end, descending): nothing is proven. */
	int64_t		 reach;
	int64_t		 next;		/* the hole behind it ends before here; equal to reach: there is none */
	unsigned	 holes;		/* in all of the range */
	/* Of the calls it rests on, with rows or because there were none; 0 without any. */
	int64_t		 oldest_ns;	/* received time of the oldest */
	int64_t		 unsettled_ns;	/* the same of those that are trusted only while they are fresh */
	uint64_t	 source;	/* enum source; a recording's when one of them is */
};

typedef void history_hook(struct history_answer *, void *owner);

struct history;
struct history_ticket;		/* of a question under way; gone when its hook is called */

/* Never fails: what cannot be read now is tried again with later questions. */
struct history	*history_open(struct loop *, const struct conf *);
void		 history_close(struct history **);	/* hooks of what is under way are not called */
const char	*history_store(const struct history *);	/* "sqlite", "postgres" */
/* E_OVERLOADED: the queue is full; E_CLOSED: the breaker is open. The hook is not called then. */
int		 history_ask(struct history *h, const struct history_question *q, history_hook *hook, void *owner,
		    struct history_ticket **out) MUST_CHECK;
void		 history_cancel(struct history_ticket *);
/* Rows that were taken, when they are done with; nulls *rows. Their memory serves the next answer, if one comes soon. */
void		 history_give_back(struct history *, struct history_row **rows, size_t room);

#endif /* HISTORY_H */
