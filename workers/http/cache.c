/* cache.c - L1: results and refusals by the question that drew them, by use. */
#include <assert.h>
#include <string.h>

#include "lookup.h"
#include "mem.h"

/* malloc's headers, and the entry's part of the hash table. */
#define CACHE_OVERHEAD 64

struct cache_entry {
	struct cached what;
	uint64_t used;
	size_t bytes;
	TAILQ_ENTRY(cache_entry) by_use;
	UT_hash_handle hh;
	char key[];
};

TAILQ_HEAD(cache_uses, cache_entry);

struct cache {
	struct cache_entry *entries;
	struct cache_uses by_use; /* longest unused first */
	size_t bytes, count;
};

struct cache *
cache_new(void)
{
	struct cache *c = mem_alloc(sizeof(*c));

	TAILQ_INIT(&c->by_use);
	return c;
}

static void
cache_remove(struct cache *c, struct cache_entry *e)
{
	HASH_DEL(c->entries, e);
	TAILQ_REMOVE(&c->by_use, e, by_use);
	c->bytes -= e->bytes;
	c->count--;
	shown_put(&e->what.shown);
	mem_free(&e);
}

void
cache_free(struct cache **cp)
{
	struct cache *c = *cp;
	struct cache_entry *e;

	if (c == NULL)
		return;
	while ((e = TAILQ_FIRST(&c->by_use)) != NULL)
		cache_remove(c, e);
	mem_free(cp);
}

static struct cache_entry *
cache_lookup(struct cache *c, const char *key)
{
	struct cache_entry *e = NULL;

	HASH_FIND_STR(c->entries, key, e);
	return e;
}

const struct cached *
cache_find(struct cache *c, const char *key, uint64_t use)
{
	struct cache_entry *e = cache_lookup(c, key);

	if (e == NULL)
		return NULL;
	e->used = use;
	TAILQ_REMOVE(&c->by_use, e, by_use);
	TAILQ_INSERT_TAIL(&c->by_use, e, by_use);
	return &e->what;
}

void
cache_put(struct cache *c, const char *key, const struct cached *what, uint64_t use)
{
	size_t len = strlen(key);
	struct cache_entry *e = mem_alloc(sizeof(*e) + len + 1);

	assert(len < FETCH_KEY);
	e->what = *what;
	if (e->what.shown != NULL)
		shown_get(e->what.shown);
	/* Only now: `what` may be the entry that goes. */
	cache_drop(c, key);
	e->used = use;
	e->bytes = sizeof(*e) + len + 1 + CACHE_OVERHEAD;
	if (e->what.shown != NULL)
		e->bytes += e->what.shown->bytes;
	memcpy(e->key, key, len + 1);
	HASH_ADD_KEYPTR(hh, c->entries, e->key, len, e);
	TAILQ_INSERT_TAIL(&c->by_use, e, by_use);
	c->bytes += e->bytes;
	c->count++;
}

void
cache_drop(struct cache *c, const char *key)
{
	struct cache_entry *e = cache_lookup(c, key);

	if (e != NULL)
		cache_remove(c, e);
}

size_t
cache_bytes(const struct cache *c)
{
	return c->bytes;
}

size_t
cache_entries(const struct cache *c)
{
	return c->count;
}

uint64_t
cache_oldest(const struct cache *c)
{
	const struct cache_entry *e = TAILQ_FIRST(&c->by_use);

	return e != NULL ? e->used : UINT64_MAX;
}

void
cache_evict(struct cache *c)
{
	struct cache_entry *e = TAILQ_FIRST(&c->by_use);

	if (e != NULL)
		cache_remove(c, e);
}
