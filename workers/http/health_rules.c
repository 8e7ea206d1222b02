/* health_rules.c - the rules of health.h, as a table over the facts. */
#include <string.h>

#include "err.h"
#include "health.h"

const char *
health_name(enum health health)
{
	static const char *const names[] = { "healthy", "degraded", "unhealthy" };

	return names[health];
}

const char *
check_state_name(enum check_state state)
{
	static const char *const names[] = { "healthy", "unhealthy", "unknown" };

	return names[state];
}

enum check_state
health_check_state(const struct check_result *c, int64_t now)
{
	if (c->checked_ns == 0 || now - c->checked_ns > HEALTH_TOO_OLD_NS)
		return CHECK_STATE_UNKNOWN;
	return c->error == E_OK ? CHECK_STATE_HEALTHY : CHECK_STATE_UNHEALTHY;
}

bool
slot_is_ready(const struct slot_page *p)
{
	return p->pid != 0 && strcmp(p->state, "ready") == 0;
}

const struct slot_page *
board_first(const struct board *b, enum role role)
{
	for (uint32_t i = 0; i < b->slot_count && i < BOARD_SLOTS; i++)
		if (b->slots[i].in_use && b->slots[i].role == (uint32_t)role)
			return &b->slots[i];
	return NULL;
}

static enum check_state
check_state_of(const struct slot_page *maker, enum check_name name, int64_t now)
{
	return maker != NULL ? health_check_state(&maker->checks[name], now) : CHECK_STATE_UNKNOWN;
}

static bool
board_all_ready(const struct board *b)
{
	for (uint32_t i = 0; i < b->slot_count && i < BOARD_SLOTS; i++)
		if (b->slots[i].in_use && b->slots[i].role != ROLE_MASTER &&
		    !slot_is_ready(&b->slots[i]))
			return false;
	return true;
}

void
health_gather(const struct board *b, bool fetcher_was_ready, int cache_error, int64_t now,
    struct health_facts *f)
{
	const struct slot_page *fetcher = board_first(b, ROLE_FETCHER);

	*f = (struct health_facts){
		.stopping = b->stopping != 0,
		.fetcher_ready = fetcher != NULL && slot_is_ready(fetcher),
		.all_ready = board_all_ready(b),
		.external_api = check_state_of(fetcher, CHECK_EXTERNAL_API, now),
		.database = check_state_of(board_first(b, ROLE_CACHE_WRITER), CHECK_DATABASE, now),
		.cache = cache_error == E_OK ? CHECK_STATE_HEALTHY : CHECK_STATE_UNHEALTHY,
	};
	f->fetcher_ever_ready = f->fetcher_ready || fetcher_was_ready || b->all_ready_ns != 0;
}

static bool
is_stopping(const struct health_facts *f)
{
	return f->stopping;
}

static bool
is_starting(const struct health_facts *f)
{
	return !f->fetcher_ever_ready;
}

static bool
has_no_fetcher(const struct health_facts *f)
{
	return f->fetcher_ever_ready && !f->fetcher_ready;
}

static bool
lacks_a_worker(const struct health_facts *f)
{
	return !f->all_ready;
}

static bool
external_api_fails(const struct health_facts *f)
{
	return f->external_api == CHECK_STATE_UNHEALTHY;
}

static bool
external_api_is_unknown(const struct health_facts *f)
{
	return f->external_api == CHECK_STATE_UNKNOWN;
}

static bool
database_fails(const struct health_facts *f)
{
	return f->database == CHECK_STATE_UNHEALTHY;
}

static bool
database_is_unknown(const struct health_facts *f)
{
	return f->database == CHECK_STATE_UNKNOWN;
}

static bool
cache_fails(const struct health_facts *f)
{
	return f->cache == CHECK_STATE_UNHEALTHY;
}

static const struct {
	bool (*holds)(const struct health_facts *);
	enum health health;
	const char *reason;
} rules[] = {
	{ is_stopping, UNHEALTHY, "the gateway is stopping" },
	{ is_starting, UNHEALTHY, "no fetcher has been ready yet" },
	{ has_no_fetcher, DEGRADED, "the fetcher is not ready" },
	{ lacks_a_worker, DEGRADED, "a worker is not ready" },
	{ external_api_fails, DEGRADED, "the last call to the upstream failed" },
	{ external_api_is_unknown, DEGRADED,
	    "the upstream was not tried yet, or not for three periods" },
	{ database_fails, DEGRADED, "the last check of the history store failed" },
	{ database_is_unknown, DEGRADED,
	    "the history store was not tried yet, or not for three periods" },
	{ cache_fails, DEGRADED, "the cache did not give back what was put in" },
};

#define RULES (sizeof(rules) / sizeof(rules[0]))
_Static_assert(RULES <= HEALTH_REASONS_MAX, "a reason for each rule");

enum health
health_judge(const struct health_facts *f, const char *reasons[HEALTH_REASONS_MAX], size_t *count)
{
	enum health health = HEALTHY;
	size_t n = 0;

	for (size_t i = 0; i < RULES; i++) {
		if (!rules[i].holds(f))
			continue;
		if (n == 0)
			health = rules[i].health;
		reasons[n++] = rules[i].reason;
	}
	*count = n;
	return health;
}
