/* shown.h - values and results as JSON, made once and answered many times. Room header. */
#ifndef SHOWN_H
#define SHOWN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "json_write.h"
#include "value.h"

/* An end of the rows of a range: an instant, and how many of the rows are of it. */
struct shown_edge {
	int64_t		 event;
	uint64_t	 rows;
};

/* What metadata says of a value or a result. */
struct shown_facts {
	uint64_t	 source;	/* enum source; 0: null */
	const char	*feed;		/* "" is null */
	int64_t		 event_ns;	/* the newest among the values; 0: null */
	int64_t		 received_ns;	/* 0: null */
	unsigned	 quality;	/* bits of enum quality */
	uint64_t	 count;		/* rows of bars and chains */
	bool		 complete;
	const char	*page_token;	/* "" is null */
	struct shown_edge first, last;	/* of ranges */
	int64_t		 aged_ns, unsettled_ns;
};

/* Text lies in one block: data, then the three parts of the metadata between which the parts
 * that change with every answer go, then expiration dates and page token. An answer is a few
 * copies. */
struct shown {
	unsigned	 refs;
	uint64_t	 source;
	int64_t		 event_ns;
	int64_t		 received_ns;	/* wall; to be shown, never to be counted with */
	int64_t		 taken_ns;	/* clock_mono() of its intake, set by who keeps it; 0: none */
	unsigned	 quality;
	uint64_t	 count;
	bool		 complete;
	struct shown_edge first, last;	/* of ranges: where a next page begins */
	int64_t		 aged_ns;	/* since it was received, at its intake */
	int64_t		 unsettled_ns;	/* the same of what may still change: so much of its freshness is gone */
	char		 feed[16];
	size_t		 bytes;		/* of the whole block */
	size_t		 data_len;	/* an object, or the array of bars or contracts */
	size_t		 head_len;	/* ,"metadata":{"data_source":"x","feed":"y","cache":" */
	size_t		 middle_len;	/* ","event_time":"t","received_at":"t","data_freshness_seconds": */
	size_t		 tail_len;	/* ","quality":[...]}} */
	size_t		 dates_len;	/* array of the expiration dates of a chain, or of a range's gaps */
	size_t		 token_len;	/* next_page_token as JSON */
	char		 text[];
};

/* `data` and `dates` are JSON; `dates` may be null. Counted once: shown_put lets go. */
struct shown	*shown_new(const struct shown_facts *, const void *data, size_t len,
		    const void *dates, size_t dates_len);
/* The same, of data that was written behind room for the block's head: nothing is copied. The buffer is empty
 * afterwards; null: its limit was reached. */
int		 shown_room(struct buf *, size_t usual) MUST_CHECK;
struct shown	*shown_of_room(const struct shown_facts *, struct buf *, const void *dates, size_t dates_len);
struct shown	*shown_get(struct shown *);
void		 shown_put(struct shown **);
void		 shown_drop(void *);		/* shown_put for owners of void pointers */

const char	*shown_data(const struct shown *);
const char	*shown_head(const struct shown *);
const char	*shown_middle(const struct shown *);
const char	*shown_tail(const struct shown *);
const char	*shown_dates(const struct shown *);
const char	*shown_token(const struct shown *);

/* One latest quote or trade as a whole answer's data. */
struct shown	*shown_quote(const struct quote *);
struct shown	*shown_trade(const struct trade *);

/* What came of one symbol's snapshot; `has` holds bits of enum snapshot_parts. */
struct snapshot_parts_seen {
	unsigned	 has;
	char		 symbol[32];
	struct quote	 quote;
	struct trade	 trade;
	struct bar	 minute, daily, previous;
	struct greeks	 greeks;
};

/* Members into the object that is open in the writer. Absent is null; a side of a quote without
 * a price is null as a whole. */
void	render_quote(struct json *, const struct quote *);
void	render_trade(struct json *, const struct trade *);
void	render_bar(struct json *, const struct bar *);
/* A row of a range, with what is known of its state. versions: different ones that were received; 0: not known. */
void	render_bar_row(struct json *, const struct bar *, bool is_final, unsigned versions);
void	render_trade_row(struct json *, const struct trade *, bool is_final);
/* A row that was received so long after its interval's end counts as final. */
bool	bar_is_final(const struct bar *, int64_t final_after_ns);
bool	trade_is_final(const struct trade *, int64_t final_after_ns);
void	render_contract(struct json *, const char *symbol);	/* nothing when it is no contract */
void	render_snapshot(struct json *, enum asset, const struct snapshot_parts_seen *);
/* `"quality":[...]` and such. */
void	render_quality(struct json *, const char *name, unsigned bits);

#endif /* SHOWN_H */
