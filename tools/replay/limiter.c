/* limiter.c - one token bucket per key and API: the burst is the minute's figure, refilled
 * evenly. */
#include <math.h>
#include <stdio.h>

#include "clock.h"
#include "replay.h"

void
limiter_init(struct limiter *l, uint64_t per_minute)
{
	l->budgets = NULL;
	l->per_minute = per_minute;
	l->refused = 0;
}

static void
limiter_forget(struct limiter *l, struct budget *b)
{
	HASH_DEL(l->budgets, b);
	mem_free(&b);
}

void
limiter_fini(struct limiter *l)
{
	struct budget *b, *next;

	HASH_ITER (hh, l->budgets, b, next)
		limiter_forget(l, b);
}

/* Moves the bucket behind all others, so that the first is the one unused longest. */
static struct budget *
limiter_find(struct limiter *l, enum api api, const char *key, int64_t now)
{
	struct budget *b;
	char id[sizeof(b->id)];

	snprintf(id, sizeof(id), "%c:%s", api == API_TRADING ? 't' : 'd', key);
	HASH_FIND_STR(l->budgets, id, b);
	if (b != NULL) {
		HASH_DEL(l->budgets, b);
		HASH_ADD_STR(l->budgets, id, b);
		return b;
	}
	if (HASH_COUNT(l->budgets) >= KEYS_MAX)
		limiter_forget(l, l->budgets);
	b = mem_alloc(sizeof(*b));
	snprintf(b->id, sizeof(b->id), "%s", id);
	limit_init(&b->limit, (double)l->per_minute, (double)l->per_minute / 60, now);
	HASH_ADD_STR(l->budgets, id, b);
	return b;
}

bool
limiter_admit(struct limiter *l, enum api api, const char *key, struct answer *a)
{
	int64_t now = clock_mono();
	struct budget *b;
	double missing;

	if (l->per_minute == 0)
		return true;
	b = limiter_find(l, api, key, now);
	if (!limit_take(&b->limit, 0, now)) {
		l->refused++;
		return false;
	}
	a->shows_budget = true;
	a->budget_limit = b->limit.burst;
	a->budget_left = floor(b->limit.tokens);
	missing = b->limit.burst - b->limit.tokens;
	a->budget_reset = clock_wall() / CLOCK_SEC + (int64_t)ceil(missing / b->limit.per_second);
	return true;
}
