/* reading.h - one answer out of a store, whatever kind it is of: what is asked of it, and how its rows are read. */
#ifndef READING_H
#define READING_H
#include "history_room.h"

/* Arguments of each: a range of instants, and a third number. */
enum query {
	QUERY_COVERS,		/* start, end, received, rows, source of coverage that meets the range; newest first. Of the market alone
				 * where that is upstream: then rows of recordings belong to no call that answers */
	QUERY_VOID,		/* received of two calls: adjusted rows from before `from`, of calls since, where one
				 * has another value than the call before it; in the order of the second */
	QUERY_HEADS,		/* received: the calls with a bar in the range, newest first */
	QUERY_COUNT_BARS,	/* how many of the call `last` */
	QUERY_BARS,		/* those of the call `last` */
	QUERY_BARS_DOWN,	/* the same from the end on */
	QUERY_ALL_BARS,		/* of whatever call, by time and call */
	QUERY_ALL_BARS_DOWN,
	QUERY_LATE,		/* how many bars were received at least `last` behind their begin */
	QUERY_VERSIONS,		/* those, by time and call */
	QUERY_VERSIONS_DOWN,	/* later first, of one instant by call */
	QUERY_COUNT_TRADES,
	QUERY_TRADES,
	QUERY_TRADES_DOWN,
	QUERIES
};

/* Columns of bars and trades, in this order. */
#define BAR_COLUMNS   "event, received, source, open, high, low, close, volume, trade_count, vwap"
#define TRADE_COLUMNS "event, received, source, price, size, exchange, conditions, tape, has_id, trade_id, taker_side, \"update\""

struct reading;
/* A row of the result; false: no more are wanted. */
typedef bool reading_row(struct reading *, void *owner);

struct reading_kind {
	/* Ready to be asked, in a transaction of its own where the kind has one. E_STORE with `why`. */
	int		(*open)(struct reading *);
	void		(*done)(struct reading *, int error);	/* the answer is there, or failed */
	/* Not more than `limit` rows; 0: all. E_STORE with `why`. */
	int		(*each)(struct reading *, enum query, int64_t from, int64_t to, int64_t last, uint64_t limit,
			    reading_row *, void *owner);
	/* Cells of the row in hand. */
	int64_t		(*integer)(struct reading *, int column);
	double		(*number)(struct reading *, int column);	/* NaN: null */
	const char	*(*text)(struct reading *, int column);		/* null: null */
};

struct reading {		/* embedded, first, by what a kind reads with */
	const struct reading_kind *kind;
	struct history_ticket	*in_hand;
	bool			 sole;		/* one call alone speaks of the range, and no row of another was seen */
	bool			 damaged;	/* the row in hand holds what nobody sent */
	char			 why[HISTORY_WHY];
};

/* Fills the answer of the ticket. */
void	 reading_answer(struct reading *, struct history_ticket *);
/* Nobody waits any more, or not for long enough. */
bool	 reading_is_late(const struct reading *);

#endif /* READING_H */
