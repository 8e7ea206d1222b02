/* answer.c - the bodies of /api/v1/health, its detailed form, /livez, /readyz and /startupz.
 *
 * Nothing here waits: checks are read off the board, where their makers left them, with the time at which they were
 * made.
 */
#include <math.h>
#include <string.h>

#include "clock.h"
#include "health_room.h"
#include "label.h"
#include "mem.h"
#include "text.h"

struct health_view {
	const struct board *board;
	const struct health_own *own;
	int64_t now_ns;
	struct health_facts facts;
	enum health health;
	const struct health_reason *reasons[HEALTH_REASONS_MAX];
	size_t reason_count;
	struct health_slots slots;
};

void
page_text(struct json *j, const char *name, const char *field, size_t size)
{
	char text[256];

	(void)text_copy_n(text, sizeof(text), field, strnlen(field, size));
	json_text_or_null(j, name, text);
}

/* 1970 to 2200. */
static bool
is_time(int64_t ns)
{
	return ns > 0 && ns < INT64_C(7258118400) * CLOCK_SEC;
}

void
page_time(struct json *j, const char *name, int64_t ns)
{
	json_time_ms(j, name, is_time(ns) ? ns : 0);
}

/* Not every reader of JSON knows numbers above what is signed. */
static void
page_count(struct json *j, const char *name, uint64_t n)
{
	json_u64(j, name, n & INT64_MAX);
}

double
page_seconds(int64_t then, int64_t now)
{
	return is_time(then) ? (double)((now - then) / CLOCK_MS) / 1000 : NAN;
}

static struct health_view *
view_new(const struct board *b, const struct health_own *own)
{
	struct health_view *v = mem_alloc(sizeof(*v));

	v->board = b;
	v->own = own;
	v->now_ns = clock_wall();
	slots_read(&v->slots, b);
	health_gather(b, own, v->now_ns, &v->facts);
	v->health = health_judge(&v->facts, v->reasons, &v->reason_count);
	return v;
}

static void
render_head(struct json *j, const struct health_view *v)
{
	json_text(j, "status", health_name(v->health));
	json_text(j, "service", SERVICE_NAME);
	json_text(j, "version", v->board->version);
	json_time_ms(j, "timestamp", v->now_ns);
}

/* Machines read `reason_codes`, people `reasons`; both are in the order of the rules. */
static void
render_reasons(struct json *j, const struct health_view *v)
{
	char text[HEALTH_REASON_TEXT];

	json_array_open(j, "reasons");
	for (size_t i = 0; i < v->reason_count; i++)
		json_text(j, NULL, health_reason_text(&v->facts, v->reasons[i], text));
	json_array_close(j);
	json_array_open(j, "reason_codes");
	for (size_t i = 0; i < v->reason_count; i++)
		json_text(j, NULL, v->reasons[i]->code);
	json_array_close(j);
}

/* Why it failed last, also where it has succeeded since: when that was stands beside it. */
static void
render_last_error(struct json *j, const struct check_result *c)
{
	if (!is_time(c->failed_ns))
		json_absent(j, "last_error");
	else if (c->text[0] != '\0')
		PAGE_TEXT(j, "last_error", c->text);
	else
		json_text(j, "last_error", err_text((int)c->error));
}

static void
render_check(struct json *j, const char *name, const struct check_result *c, int64_t now)
{
	bool was_made = is_time(c->checked_ns);

	json_object_open(j, name);
	json_text(j, "status", check_state_name(health_check_state(c, now)));
	json_f64(j, "response_time_ms",
	    was_made && c->response_us > 0 ? (double)c->response_us / 1000 : NAN);
	page_time(j, "checked_at", c->checked_ns);
	json_f64(j, "age_seconds", page_seconds(c->checked_ns, now));
	page_time(j, "last_success", c->ok_ns);
	render_last_error(j, c);
	page_time(j, "last_error_at", c->failed_ns);
	json_object_close(j);
}

static const struct check_result *
check_of(const struct health_view *v, enum role role, enum check_name name)
{
	static const struct check_result never;
	const struct slot_view *maker = slots_first(&v->slots, role);

	return maker != NULL ? &maker->current->checks[name] : &never;
}

/* Without a cache of its own the asking process tells what an http worker found last. */
static const struct check_result *
check_of_cache(const struct health_view *v)
{
	const struct check_result *last = check_of(v, ROLE_HTTP, CHECK_CACHE), *c;

	if (cache_fault_of_writer(&v->slots, v->now_ns) != NULL)
		return cache_fault_of_writer(&v->slots, v->now_ns);
	if (v->own->cache != NULL)
		return v->own->cache;
	for (size_t i = 0; i < v->slots.count; i++) {
		c = &v->slots.at[i].current->checks[CHECK_CACHE];
		if (v->slots.at[i].role == ROLE_HTTP && c->checked_ns > last->checked_ns)
			last = c;
	}
	return last;
}

static void
render_checks(struct json *j, const struct health_view *v)
{
	json_object_open(j, "checks");
	render_check(j, "database", check_of(v, ROLE_CACHE_WRITER, CHECK_DATABASE), v->now_ns);
	render_check(j, "cache", check_of_cache(v), v->now_ns);
	render_check(j, "external_api", check_of(v, ROLE_FETCHER, CHECK_EXTERNAL_API), v->now_ns);
	json_object_close(j);
}

static void
render_process(struct json *j, const struct slot_page *p, int64_t now)
{
	PAGE_TEXT(j, "state", p->state);
	if (p->pid > 0)
		json_i64(j, "pid", p->pid);
	else
		json_absent(j, "pid");
	json_f64(j, "uptime_seconds", p->pid > 0 ? page_seconds(p->spawned_ns, now) : NAN);
	json_f64(j, "heartbeat_age", page_seconds(p->heartbeat_ns, now));
}

/* The request or job in hand; null between two. */
static void
render_doing(struct json *j, const struct slot_page *p, int64_t now)
{
	bool is_busy = p->pid > 0 && p->doing_on != 0;

	if (is_busy)
		PAGE_TEXT(j, "doing", p->doing);
	else
		json_absent(j, "doing");
	json_f64(j, "doing_seconds", is_busy ? page_seconds(p->doing_ns, now) : NAN);
}

/* One slot: its current seat, and what both seats count or saw last. */
static void
render_worker(struct json *j, const struct slot_view *v, int64_t now)
{
	const struct slot_page *p = v->current, *other = v->other, *ended = p;

	if (other != NULL && other->last_exit_ns > p->last_exit_ns)
		ended = other;
	json_object_open(j, NULL);
	json_text(j, "slot", v->label);
	json_text(j, "role", role_name(v->role));
	render_process(j, p, now);
	page_count(j, "restarts", p->restarts + (other != NULL ? other->restarts : 0));
	PAGE_TEXT(j, "last_exit", ended->last_exit);
	page_time(j, "last_exit_at", ended->last_exit_ns);
	json_bool(j, "failed", p->failed_ns != 0);
	page_time(j, "failed_at", p->failed_ns);
	json_u64(j, "generation", p->generation);
	render_doing(j, p, now);
	PAGE_TEXT(j, "note", p->note);
	json_object_close(j);
}

static void
render_workers(struct json *j, const struct health_view *v)
{
	json_array_open(j, "workers");
	for (size_t i = 0; i < v->slots.count; i++)
		if (v->slots.at[i].role != ROLE_MASTER)
			render_worker(j, &v->slots.at[i], v->now_ns);
	json_array_close(j);
}

/* Processes of seats that are not the slot's any more, or not yet. */
static void
render_draining(struct json *j, const struct health_view *v)
{
	const struct slot_page *p;

	json_array_open(j, "draining");
	for (size_t i = 0; i < v->slots.count; i++) {
		if ((p = v->slots.at[i].other) == NULL || p->pid <= 0)
			continue;
		json_object_open(j, NULL);
		json_text(j, "slot", v->slots.at[i].label);
		PAGE_TEXT(j, "seat", p->slot);
		render_process(j, p, v->now_ns);
		json_u64(j, "generation", p->generation);
		json_object_close(j);
	}
	json_array_close(j);
}

static void
render_breakers(struct json *j, const struct slot_page *fetcher)
{
	json_object_open(j, "breaker");
	for (unsigned i = 0; i < label_count(LABELS_family); i++)
		json_text(j, label_text(LABELS_family, i),
		    metric_read(fetcher, M_UPSTREAM_BREAKER, i, 0) != 0 ? "open" : "closed");
	json_object_close(j);
}

/* A dead fetcher's gauges are zero, which is not what they were: they are told as unknown. */
static void
render_upstream(struct json *j, const struct health_view *v)
{
	const struct slot_view *writer = slots_first(&v->slots, ROLE_CACHE_WRITER);
	const struct slot_view *fetcher = slots_first(&v->slots, ROLE_FETCHER);
	bool is_known = fetcher != NULL && slot_view_is_ready(fetcher);

	json_object_open(j, "upstream");
	json_text_or_null(j, "url", v->board->upstream);
	if (is_known)
		render_breakers(j, fetcher->current);
	else
		json_absent(j, "breaker");
	json_f64(j, "budget_left",
	    is_known ? (double)metric_read(fetcher->current, M_UPSTREAM_BUDGET, 0, 0) / 1000 : NAN);
	page_count(j, "merged", metric_sum(v->board, M_UPSTREAM_MERGED));
	render_last_error(j, check_of(v, ROLE_FETCHER, CHECK_EXTERNAL_API));
	if (writer != NULL && slot_view_is_ready(writer))
		json_u64(
		    j, "journal_lag_records", metric_read(writer->current, M_JOURNAL_LAG, 0, 0));
	else
		json_absent(j, "journal_lag_records");
	json_object_close(j);
}

struct role_sum { /* of the slots of one role */
	unsigned slots, ready, failed;
	const struct slot_page
	    *worst; /* a failed one, else the first not ready, else one that is ready */
};

static struct role_sum
role_sum(const struct health_slots *s, enum role role)
{
	struct role_sum sum = { 0 };
	bool worst_is_ready = true;

	for (size_t i = 0; i < s->count; i++) {
		const struct slot_page *p = s->at[i].current;
		bool is_ready = slot_page_is_ready(p);

		if (s->at[i].role != role)
			continue;
		sum.slots++;
		sum.ready += is_ready;
		sum.failed += p->failed_ns != 0;
		if (sum.worst == NULL || (p->failed_ns != 0 && sum.failed == 1) ||
		    (worst_is_ready && !is_ready && sum.failed == 0)) {
			sum.worst = p;
			worst_is_ready = is_ready;
		}
	}
	return sum;
}

/* A word why the role is not what it should be; null when it is. */
static const char *
role_reason(const struct health_view *v, const struct role_sum *sum)
{
	if (sum->worst == NULL)
		return "absent";
	if (sum->failed > 0)
		return "failed";
	if (sum->ready == sum->slots)
		return NULL;
	if (v->facts.stopping)
		return "stopping";
	if (strncmp(sum->worst->state, "starting", sizeof(sum->worst->state)) == 0)
		return "starting";
	return "not_ready";
}

static void
render_roles(struct json *j, const struct health_view *v)
{
	static const enum role roles[] = { ROLE_FETCHER, ROLE_CACHE_WRITER, ROLE_HTTP };

	json_object_open(j, "roles");
	for (size_t r = 0; r < sizeof(roles) / sizeof(roles[0]); r++) {
		struct role_sum sum = role_sum(&v->slots, roles[r]);

		json_object_open(j, role_name(roles[r]));
		if (sum.worst != NULL)
			PAGE_TEXT(j, "state", sum.worst->state);
		else
			json_text(j, "state", "absent");
		json_text(j, "reason", role_reason(v, &sum));
		json_u64(j, "workers", sum.slots);
		json_u64(j, "ready", sum.ready);
		json_u64(j, "failed", sum.failed);
		json_object_close(j);
	}
	json_object_close(j);
}

static const struct health_reason *
reason_unready(const struct health_view *v)
{
	for (size_t i = 0; i < v->reason_count; i++)
		if (v->reasons[i]->unready)
			return v->reasons[i];
	return NULL;
}

static const struct health_reason *
reason_unstarted(const struct health_view *v)
{
	static const struct health_reason starting = { "starting",
		"not every required worker has been ready yet", UNHEALTHY, true, -1 };

	return v->board->all_ready_ns == 0 ? &starting : NULL;
}

static int
render_probe(struct json *j, const struct health_view *v, const struct health_reason *no)
{
	json_text(j, "status", no == NULL ? "ok" : "unavailable");
	json_text(j, "reason", no != NULL ? no->text : NULL);
	json_text(j, "code", no != NULL ? no->code : NULL);
	render_roles(j, v);
	return no == NULL ? 200 : 503;
}

/* The newest of each kind. */
static void
render_troubles(struct json *j, const struct health_view *v)
{
	const struct health_trouble *t;

	json_array_open(j, "troubles");
	for (unsigned kind = 0; kind < label_count(LABELS_trouble); kind++) {
		t = &v->facts.troubles[kind];
		if (t->slot[0] == '\0')
			continue;
		json_object_open(j, NULL);
		json_text(j, "trouble", label_text(LABELS_trouble, kind));
		PAGE_TEXT(j, "slot", t->slot);
		PAGE_TEXT(j, "what", t->text);
		page_time(j, "at", t->at_ns);
		json_f64(j, "age_seconds", page_seconds(t->at_ns, v->now_ns));
		json_u64(j, "other_slots", t->others);
		json_object_close(j);
	}
	json_array_close(j);
}

static void
render_details(struct json *j, const struct health_view *v)
{
	render_reasons(j, v);
	render_troubles(j, v);
	render_checks(j, v);
	render_workers(j, v);
	render_draining(j, v);
	system_render(j, v->board, &v->slots, v->own->state_dir, v->now_ns);
	render_upstream(j, v);
}

static int
render_page(struct json *j, const struct health_view *v, enum health_page page)
{
	switch (page) {
	case HEALTH_READY:
		return render_probe(j, v, reason_unready(v));
	case HEALTH_STARTUP:
		return render_probe(j, v, reason_unstarted(v));
	case HEALTH_DETAILED:
		render_head(j, v);
		render_details(j, v);
		break;
	case HEALTH_SHORT:
		render_head(j, v);
		break;
	case HEALTH_LIVE: /* needs no board */
		break;
	}
	return v->health == UNHEALTHY ? 503 : 200;
}

int
health_answer(
    enum health_page page, const struct board *b, const struct health_own *own, struct buf *out)
{
	struct health_view *v;
	struct json j;
	int status;

	if (page == HEALTH_LIVE)
		return buf_add_text(out, "{\"status\":\"ok\"}") == E_OK ? 200 : 500;
	v = view_new(b, own);
	json_begin(&j, out);
	json_object_open(&j, NULL);
	status = render_page(&j, v, page);
	json_object_close(&j);
	mem_free(&v);
	return json_end(&j) == E_OK ? status : 500;
}
