/* rules.c - the facts of health.def, and its judgement over them. */
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "err.h"
#include "health_room.h"
#include "label.h"
#include "text.h"

/* So long no word of the master: longer than a busy machine takes, and than one executable takes to follow another. */
#define MASTER_SILENT_NS (5 * CLOCK_SEC)

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
		/* The tracer serves nobody: it is told when it has failed, not when it starts again. */
		f->all_ready &= is_ready || v->role == ROLE_TRACER;
		f->any_failed |= slot_has_failed(v);
		if (v->role != ROLE_HTTP)
			continue;
		has_http = true;
		if (is_ready && !slot_has_failed(v))
			f->http_down = false;
	}
	f->http_down &= has_http;
}

/* The last call's outcome is any family's: one that works would hide one that does not. */
static bool
breaker_is_open(const struct slot_view *fetcher)
{
	for (unsigned i = 0; fetcher != NULL && i < label_count(LABELS_family); i++)
		if (metric_read(fetcher->current, M_UPSTREAM_BREAKER, i, 0) != 0)
			return true;
	return false;
}

/* The writer looks: it is at home there. Of one that is gone nothing is known. */
static bool
disk_is_low(const struct slot_view *writer)
{
	uint64_t all, left;

	if (writer == NULL)
		return false;
	all = metric_read(writer->current, M_STATE_DISK, 0, 0);
	left = metric_read(writer->current, M_STATE_DISK_LEFT, 0, 0);
	return health_disk_is_low(all, left);
}

/* Of both seats: a predecessor that drains may be the one. What stands there a worker gone mad may have written. */
static void
gather_trouble(struct health_trouble *to, const struct slot_view *v, unsigned kind, int64_t now)
{
	const struct trouble *t = &v->current->troubles[kind];
	const struct trouble *other = v->other != NULL ? &v->other->troubles[kind] : t;

	if (trouble_is_recent(other, now) && other->at_ns > t->at_ns)
		t = other;
	if (!trouble_is_recent(t, now))
		return;
	if (to->slot[0] != '\0')
		to->others++;
	if (t->at_ns <= to->at_ns)
		return;
	to->at_ns = t->at_ns;
	(void)text_copy(to->slot, sizeof(to->slot), v->label);
	(void)text_copy_n(to->text, sizeof(to->text), t->text, strnlen(t->text, sizeof(t->text)));
}

static void
gather_troubles(const struct health_slots *s, int64_t now, struct health_facts *f)
{
	for (size_t i = 0; i < s->count; i++)
		for (unsigned kind = 0; kind < LABEL_trouble_COUNT; kind++)
			gather_trouble(&f->troubles[kind], &s->at[i], kind, now);
}

/* Who stands still cannot say so. Until it goes on, and notes it itself, it is told by those that hear nothing of it. */
static void
gather_silence(const struct health_slots *s, int64_t now, struct health_facts *f)
{
	const struct slot_view *master = slots_first(s, ROLE_MASTER);
	struct health_trouble *to = &f->troubles[LABEL(trouble, STALL)];
	int64_t beat;

	if (master == NULL)
		return;
	beat = __atomic_load_n(&master->current->heartbeat_ns, __ATOMIC_RELAXED);
	if (beat <= 0 || now - beat < MASTER_SILENT_NS)
		return;
	*to = (struct health_trouble){ .at_ns = now };
	(void)text_copy(to->slot, sizeof(to->slot), master->label);
	(void)snprintf(to->text, sizeof(to->text), "its loop stands still, for %.1f s by now",
	    (double)(now - beat) / (double)CLOCK_SEC);
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
		.breaker_open = breaker_is_open(fetcher),
		.journal_blocked =
		    fetcher != NULL && metric_read(fetcher->current, M_JOURNAL_BLOCKED, 0, 0) != 0,
		.disk_low = disk_is_low(writer),
	};
	f->fetcher_ever_ready = f->fetcher_ready || own->fetcher_was_ready || b->all_ready_ns != 0;
	gather_slots(&slots, f);
	gather_troubles(&slots, now, f);
	gather_silence(&slots, now, f);
}

static const struct health_reason rows[] = {
#define READY				       false
#define UNREADY				       true
#define HEALTH(code, WORD, ready, holds, text) { #code, (text), WORD, ready, -1 },
#define HEALTH_OF(code, WORD, ready, TROUBLE, text)                                                \
	{ #code, (text), WORD, ready, LABEL_trouble_##TROUBLE },
#include "tables/health.def"
#undef READY
#undef UNREADY
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))
_Static_assert(ROWS <= HEALTH_REASONS_MAX, "a reason for each row");

enum health
health_judge(const struct health_facts *f, const struct health_reason *reasons[HEALTH_REASONS_MAX],
    size_t *count)
{
	const bool holds[] = {
#define HEALTH(code, WORD, ready, question, text) (question),
#include "tables/health.def"
	};
	size_t n = 0;

	for (size_t i = 0; i < ROWS; i++)
		if (holds[i])
			reasons[n++] = &rows[i];
	*count = n;
	return n > 0 ? reasons[0]->health : HEALTHY;
}

const char *
health_reason_text(
    const struct health_facts *f, const struct health_reason *r, char out[HEALTH_REASON_TEXT])
{
	const struct health_trouble *t;
	char others[32] = "";

	if (r->trouble < 0)
		return r->text;
	t = &f->troubles[r->trouble];
	if (t->others > 0)
		(void)snprintf(others, sizeof(others), "; %u more", t->others);
	(void)snprintf(out, HEALTH_REASON_TEXT, "%s (%s: %s%s)", r->text, t->slot, t->text, others);
	return out;
}
