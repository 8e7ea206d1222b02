/* decode.h - bodies of the upstream into values: pure, no process, no clock. */
#ifndef DECODE_H
#define DECODE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "endpoint.h"
#include "err.h"
#include "msg.h"
#include "value.h"

#define DECODE_DEPTH	  16		/* nesting of a body */
#define DECODE_VALUES_MAX 600000	/* members of a body, which bounds the memory jansson takes for it */
#define DECODE_TOKEN	  256		/* a page token, NUL included */
#define DECODE_WHY	  128

struct record {
	enum msg_type	 type;
	union {
		struct quote	    quote;
		struct trade	    trade;
		struct bar	    bar;
		struct greeks	    greeks;
		struct snapshot	    snapshot;
		struct market_clock clock;
	} v;
};

struct records {			/* embedded; owns `at` */
	struct record	*at;
	size_t		 count, capacity;
};

struct record	*records_add(struct records *, enum msg_type);	/* zeroed; borrowed until the next add */
void		 records_cut(struct records *, size_t count);	/* forgets what is behind */
void		 records_reverse(struct records *, size_t from);
void		 records_fini(struct records *);

/* What the records of one answer have in common, and what was wrong with the last that was refused. */
struct decode {
	enum asset	 asset;
	enum shape	 shape;
	enum source	 source;
	int64_t		 received;
	int64_t		 seen;			/* the upstream's own time then: a recording's stands still; 0: not known */
	const char	*feed, *timeframe, *adjustment;
	bool		 descending;		/* bars: the order asked of the upstream */
	int64_t		 start, end;		/* bars: asked range, both inclusive; 0 is open */
	const char	*asked;			/* asset: its symbol; null: any */
	const struct msg_fetch *filters;	/* chain: what was asked for; null: anything goes */
	int64_t		 last_event;		/* bars: of the row before, over pages; 0 at first */
	/* out, with E_DATA_VALIDATION_ERROR */
	enum msg_type	 refused;
	char		 why[DECODE_WHY];
};

struct body;			/* parsed JSON; remembers which numbers JSON libraries would have bent */

/* Numbers that a double or an int64 cannot hold exactly are put in quotes behind `mark`, so that whoever
 * reads the field decides. Bounds depth and members. E_DATA_VALIDATION_ERROR with *why (static). */
int	 decode_scan(const uint8_t *, size_t, const char *mark, struct buf *out, const char **why) MUST_CHECK;
/* Whether two JSON numbers are the same decimal: 1.50e1 and 15 are. */
int	 decode_same_number(const char *, size_t, const char *, size_t);

int	 body_parse(const uint8_t *, size_t, struct body **, const char **why) MUST_CHECK;
void	 body_free(struct body **);

/* Adds the records of one symbol. E_ABSENT: upstream has nothing for it; E_DATA_VALIDATION_ERROR: what it has
 * breaks the schema, nothing was added. Bars: all rows of this page; when the first repeats the last record that
 * is there already, it is left out. */
int	 body_symbol(const struct body *, struct decode *, const char *symbol, struct records *) MUST_CHECK;
/* Adds every contract of a chain's page, also those that have no part at all; those that break the schema are left out and counted. E_ABSENT: none. */
int	 body_chain(const struct body *, struct decode *, struct records *, size_t *contracts, size_t *refused) MUST_CHECK;
int	 body_clock(const struct body *, struct decode *, struct records *) MUST_CHECK;
int	 body_asset(const struct body *, struct decode *) MUST_CHECK;	/* E_OK: it describes one */
/* The next page's token, "" at the end. */
int	 body_token(const struct body *, struct decode *, char out[DECODE_TOKEN]) MUST_CHECK;
/* An error body's message, cut and made printable; "" when there is none. *code 0 when there is none. */
void	 body_message(const struct body *, char *out, size_t size, int64_t *code);

#endif /* DECODE_H */
