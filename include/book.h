/* book.h - the latest quote and trade of every symbol on every feed, as far as memory goes.
 *
 * Kept by event time: what the market made last wins. Entries are put out by their owner, the
 * longest unused first, so that a book can share one bound with another cache.
 */
#ifndef BOOK_H
#define BOOK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "hash.h"
#include "value.h"

#define BOOK_KEY 64

enum book_kind { BOOK_QUOTE = 1, BOOK_TRADE = 2 };

struct book_entry {
	enum book_kind	 kind;
	union {
		struct quote	 quote;
		struct trade	 trade;
	};
	void		*shown;		/* what the owner made of it; null after a change */
	size_t		 shown_bytes;
	int64_t		 taken_ns;	/* clock_mono() when it was put in: ages count from it */
	uint64_t	 used;		/* the caller's count at the last look-up */
	/* the rest is book.c's */
	TAILQ_ENTRY(book_entry) by_use;
	UT_hash_handle	 hh;
	size_t		 key_len;
	char		 key[BOOK_KEY];
};

struct book;

/* `drop` lets go of an entry's `shown`; never called with null. */
struct book	*book_new(void (*drop)(void *shown));
void		 book_free(struct book **);

/* Null when it is not held. `use` is any count that only grows: it orders the entries by use.
 * The entry is borrowed until the book changes. */
struct book_entry *book_find(struct book *, enum book_kind, enum asset, const char *feed,
		    const char *symbol, uint64_t use);

/* True when it is in the book now: it is newer than the one held; or as old, then it only tells
 * that the market has not moved and is fresh again; or it is older, but what was held was
 * taken in so long before (BOOK_SETTLED_NS) that the upstream must have taken it back. `taken`
 * is clock_mono(): the wall clock may step back, and nothing would be news until it caught up. */
#define BOOK_SETTLED_NS (INT64_C(10) * 1000000000)
bool		 book_put_quote(struct book *, const struct quote *, int64_t taken_ns, uint64_t use);
bool		 book_put_trade(struct book *, const struct trade *, int64_t taken_ns, uint64_t use);

/* Hangs `takes` on the entry, counted with `bytes`. */
void		 book_show(struct book *, struct book_entry *, void *takes, size_t bytes);

size_t		 book_bytes(const struct book *);
size_t		 book_entries(const struct book *);
/* Last use of the entry that goes next; UINT64_MAX when the book is empty. */
uint64_t	 book_oldest(const struct book *);
void		 book_evict(struct book *);

#endif /* BOOK_H */
