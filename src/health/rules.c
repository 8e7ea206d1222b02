/* rules.c - the rules of health.h, as a table over the facts. */
#include <string.h>

#include "err.h"
#include "health_room.h"

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
	int64_t checked = __atomic_load_n(&c->checked_ns, __ATOMIC_ACQUIRE);

	if (checked <= 0 || (checked < now && now - checked > HEALTH_TOO_OLD_NS))
		return CHECK_STATE_UNKNOWN;
	return c->error == E_OK ? CHECK_STATE_HEALTHY : CHECK_STATE_UNHEALTHY;
}

void
slots_read(struct health_slots *s, const struct board *b)
{
	size_t count = board_view(b, s->at);

	s->count = 0;
	for (size_t i = 0; i < count; i++)
		if (!s->at[i].retired)
			s->at[s->count++] = s->at[i];
}

const struct slot_view *
slots_first(const struct health_slots *s, enum role role)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->at[i].role == role)
			return &s->at[i];
	return NULL;
}

static enum check_state
check_state_of(const struct slot_view *maker, enum check_name name, int64_t now)
{
	return maker != NULL ? health_check_state(&maker->current->checks[name], now)
			     : CHECK_STATE_UNKNOWN;
}

static bool
slot_has_failed(const struct slot_view *v)
{
	return v != NULL && v->current->failed_ns != 0;
}

const struct check_result *
cache_fault_of_writer(const struct health_slots *s, int64_t now)
{
	const struct slot_view *writer = slots_first(s, ROLE_CACHE_WRITER);
	const struct check_result *c =
	    writer != NULL ? &writer->current->checks[CHECK_CACHE] : NULL;

	return c != NULL && health_check_state(c, now) == CHECK_STATE_UNHEALTHY ? c : NULL;
}

/* The check an http worker made last: of both seats, whoever made it. The writer has one too, where the cache is also
 * written. */
static enum check_state
cache_state(const struct health_slots *s, const struct check_result *own, int64_t now)
{
	static const struct check_result never;
	const struct check_result *last = &never, *c;

	if (cache_fault_of_writer(s, now) != NULL)
		return CHECK_STATE_UNHEALTHY;
	if (own != NULL)
		return health_check_state(own, now);

	for (size_t i = 0; i < s->count; i++) {
		if (s->at[i].role != ROLE_HTTP)
			continue;
		c = &s->at[i].current->checks[CHECK_CACHE];
		last = c->checked_ns > last->checked_ns ? c : last;
	}
	return health_check_state(last, now);
}

static void
gather_slots(const struct health_slots *s, struct health_facts *f)
{
	bool has_http = false;

	f->all_ready = true;
	f->http_down = true;
	for (size_t i = 0; i < s->count; i++) {
		const struct slot_view *v = &s->at[i];
		bool is_ready = slot_view_is_ready(v);

		if (v->role == ROLE_MASTER)
			continue;
		f->all_ready &= is_ready;
		f->any_failed |= slot_has_failed(v);
		if (v->role != ROLE_HTTP)
			continue;
		has_http = true;
		if (is_ready && !slot_has_failed(v))
			f->http_down = false;
	}
	f->http_down &= has_http;
}

void
health_gather(
    const struct board *b, const struct health_own *own, int64_t now, struct health_facts *f)
{
	const struct slot_view *fetcher, *writer;
	struct health_slots slots;

	slots_read(&slots, b);
	fetcher = slots_first(&slots, ROLE_FETCHER);
	writer = slots_first(&slots, ROLE_CACHE_WRITER);

	*f = (struct health_facts){
		.stopping = __atomic_load_n(&b->stopping, __ATOMIC_RELAXED) != 0,
		.fetcher_ready = fetcher != NULL && slot_view_is_ready(fetcher),
		.fetcher_failed = slot_has_failed(fetcher),
		.writer_failed = slot_has_failed(writer),
		.external_api = check_state_of(fetcher, CHECK_EXTERNAL_API, now),
		.database = check_state_of(writer, CHECK_DATABASE, now),
		.cache = cache_state(&slots, own->cache, now),
	};
	f->fetcher_ever_ready = f->fetcher_ready || own->fetcher_was_ready || b->all_ready_ns != 0;
	gather_slots(&slots, f);
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
fetcher_failed(const struct health_facts *f)
{
	return f->fetcher_failed;
}

static bool
writer_failed(const struct health_facts *f)
{
	return f->writer_failed;
}

static bool
http_is_down(const struct health_facts *f)
{
	return f->http_down;
}

static bool
has_no_fetcher(const struct health_facts *f)
{
	return f->fetcher_ever_ready && !f->fetcher_ready;
}

static bool
a_worker_failed(const struct health_facts *f)
{
	return f->any_failed;
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
	struct health_reason reason;
} rules[] = {
	{ is_stopping, { "stopping", "the gateway is stopping", UNHEALTHY, true } },
	{ is_starting, { "starting", "no fetcher has been ready yet", UNHEALTHY, true } },
	{ fetcher_failed, { "fetcher_failed", "the fetcher has failed: its processes die too often",
			      UNHEALTHY, true } },
	{ writer_failed,
	    { "cache_writer_failed", "the cache-writer has failed: its processes die too often",
		UNHEALTHY, true } },
	{ http_is_down,
	    { "http_not_ready", "every http worker has failed or is not ready", UNHEALTHY, true } },
	{ has_no_fetcher, { "fetcher_not_ready", "the fetcher is not ready", DEGRADED, false } },
	{ a_worker_failed, { "worker_failed", "a worker has failed: its processes die too often",
			       DEGRADED, false } },
	{ lacks_a_worker, { "worker_not_ready", "a worker is not ready", DEGRADED, false } },
	{ external_api_fails,
	    { "upstream_fails", "the last call to the upstream failed", DEGRADED, false } },
	{ external_api_is_unknown,
	    { "upstream_unknown", "the upstream was not tried yet, or not for three periods",
		DEGRADED, false } },
	{ database_fails,
	    { "store_fails", "the last check of the history store failed", DEGRADED, false } },
	{ database_is_unknown,
	    { "store_unknown", "the history store was not tried yet, or not for three periods",
		DEGRADED, false } },
	{ cache_fails, { "cache_fails", "the last check of the cache failed", DEGRADED, false } },
};

#define RULES (sizeof(rules) / sizeof(rules[0]))
_Static_assert(RULES <= HEALTH_REASONS_MAX, "a reason for each rule");

enum health
health_judge(const struct health_facts *f, const struct health_reason *reasons[HEALTH_REASONS_MAX],
    size_t *count)
{
	size_t n = 0;

	for (size_t i = 0; i < RULES; i++)
		if (rules[i].holds(f))
			reasons[n++] = &rules[i].reason;
	*count = n;
	return n > 0 ? reasons[0]->health : HEALTHY;
}
