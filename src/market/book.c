/* book.c - the latest quote and trade of every symbol on every feed.
 *
 * One hash table over a short text key, one list in the order of use. Memory is counted by what
 * an entry takes from the allocator, give or take its bookkeeping.
 */
#include "book.h"

#include <string.h>

/* malloc's header, and the entry's part of the hash table. */
#define BOOK_OVERHEAD 48

TAILQ_HEAD(book_uses, book_entry);

struct book {
	struct book_entry *entries;
	struct book_uses by_use; /* longest unused first */
	size_t bytes, count;
	void (*drop)(void *shown);
};

struct book *
book_new(void (*drop)(void *shown))
{
	struct book *b = mem_alloc(sizeof(*b));

	TAILQ_INIT(&b->by_use);
	b->drop = drop;
	return b;
}

static void
book_unshow(struct book *b, struct book_entry *e)
{
	if (e->shown == NULL)
		return;
	b->drop(e->shown);
	b->bytes -= e->shown_bytes;
	e->shown = NULL;
	e->shown_bytes = 0;
}

static void
book_remove(struct book *b, struct book_entry *e)
{
	book_unshow(b, e);
	HASH_DEL(b->entries, e);
	TAILQ_REMOVE(&b->by_use, e, by_use);
	b->bytes -= sizeof(*e) + BOOK_OVERHEAD;
	b->count--;
	mem_free(&e);
}

void
book_free(struct book **bp)
{
	struct book *b = *bp;
	struct book_entry *e;

	if (b == NULL)
		return;
	while ((e = TAILQ_FIRST(&b->by_use)) != NULL)
		book_remove(b, e);
	mem_free(bp);
}

static size_t
book_key(
    char key[BOOK_KEY], enum book_kind kind, enum asset asset, const char *feed, const char *symbol)
{
	size_t feed_len = strnlen(feed, sizeof(((struct quote *)0)->feed) - 1);
	size_t symbol_len = strnlen(symbol, sizeof(((struct quote *)0)->symbol) - 1);

	key[0] = (char)kind;
	key[1] = (char)asset;
	memcpy(key + 2, feed, feed_len);
	key[2 + feed_len] = '/'; /* no feed has one */
	memcpy(key + 3 + feed_len, symbol, symbol_len);
	return 3 + feed_len + symbol_len;
}

static void
book_touch(struct book *b, struct book_entry *e, uint64_t use)
{
	e->used = use;
	if (TAILQ_NEXT(e, by_use) == NULL)
		return;
	TAILQ_REMOVE(&b->by_use, e, by_use);
	TAILQ_INSERT_TAIL(&b->by_use, e, by_use);
}

static struct book_entry *
book_lookup(struct book *b, const char *key, size_t len)
{
	struct book_entry *e = NULL;

	HASH_FIND(hh, b->entries, key, len, e);
	return e;
}

struct book_entry *
book_find(struct book *b, enum book_kind kind, enum asset asset, const char *feed,
    const char *symbol, uint64_t use)
{
	char key[BOOK_KEY];
	struct book_entry *e = book_lookup(b, key, book_key(key, kind, asset, feed, symbol));

	if (e != NULL)
		book_touch(b, e, use);
	return e;
}

/* The entry of this key, new and empty when there was none. */
static struct book_entry *
book_entry(struct book *b, enum book_kind kind, const char *key, size_t len, uint64_t use)
{
	struct book_entry *e = book_lookup(b, key, len);

	if (e != NULL) {
		book_touch(b, e, use);
		return e;
	}
	e = mem_alloc(sizeof(*e));
	e->kind = kind;
	e->used = use;
	e->key_len = len;
	memcpy(e->key, key, len);
	HASH_ADD_KEYPTR(hh, b->entries, e->key, len, e);
	TAILQ_INSERT_TAIL(&b->by_use, e, by_use);
	b->bytes += sizeof(*e) + BOOK_OVERHEAD;
	b->count++;
	return e;
}

static bool
book_is_news(const struct book_entry *e, int64_t held_event, int64_t event, int64_t taken_ns)
{
	if (e->taken_ns == 0 || event > held_event)
		return true;
	if (event == held_event)
		return taken_ns >= e->taken_ns;
	return taken_ns - e->taken_ns > BOOK_SETTLED_NS;
}

bool
book_put_quote(struct book *b, const struct quote *q, int64_t taken_ns, uint64_t use)
{
	char key[BOOK_KEY];
	size_t len = book_key(key, BOOK_QUOTE, (enum asset)q->asset, q->feed, q->symbol);
	struct book_entry *e = book_entry(b, BOOK_QUOTE, key, len, use);

	if (!book_is_news(e, e->quote.event, q->event, taken_ns))
		return false;
	e->quote = *q;
	e->taken_ns = taken_ns;
	book_unshow(b, e);
	return true;
}

bool
book_put_trade(struct book *b, const struct trade *t, int64_t taken_ns, uint64_t use)
{
	char key[BOOK_KEY];
	size_t len = book_key(key, BOOK_TRADE, (enum asset)t->asset, t->feed, t->symbol);
	struct book_entry *e = book_entry(b, BOOK_TRADE, key, len, use);

	if (!book_is_news(e, e->trade.event, t->event, taken_ns))
		return false;
	e->trade = *t;
	e->taken_ns = taken_ns;
	book_unshow(b, e);
	return true;
}

void
book_show(struct book *b, struct book_entry *e, void *takes, size_t bytes)
{
	book_unshow(b, e);
	e->shown = takes;
	e->shown_bytes = bytes;
	b->bytes += bytes;
}

size_t
book_bytes(const struct book *b)
{
	return b->bytes;
}

size_t
book_entries(const struct book *b)
{
	return b->count;
}

uint64_t
book_oldest(const struct book *b)
{
	const struct book_entry *e = TAILQ_FIRST(&b->by_use);

	return e != NULL ? e->used : UINT64_MAX;
}

void
book_evict(struct book *b)
{
	struct book_entry *e = TAILQ_FIRST(&b->by_use);

	if (e != NULL)
		book_remove(b, e);
}
