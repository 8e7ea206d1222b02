/* health.c - /api/v1/health and its detailed form, /livez, /readyz, /startupz.
 *
 * Nothing here waits: checks of others are read off the board, where their makers left them,
 * with the time at which they were made; only this worker's own cache is tried while the client
 * waits.
 */
#include "health.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "http_worker.h"
#include "label.h"

struct health_view {
	const struct board *board;
	int64_t now_ns;
	struct check_result cache;
	struct health_facts facts;
	enum health health;
	const char *reasons[HEALTH_REASONS_MAX];
	size_t reason_count;
};

/* This worker's own round trip, measured. */
static void
view_check_cache(struct health_view *v, struct worker *w)
{
	int64_t begun = clock_mono();
	int r = lookup_probe(w->lookup);
	int64_t took = clock_mono() - begun;

	v->cache = (struct check_result){ .checked_ns = v->now_ns,
		.error = r,
		.ok_ns = r == E_OK ? v->now_ns : 0,
		.response_us = (uint64_t)(took / 1000) };
	check_store(&w->proc->stats, CHECK_CACHE, r, took, r == E_OK ? "" : err_text(r));
	if (w->proc->stats.mine != NULL)
		v->cache = w->proc->stats.mine->checks[CHECK_CACHE];
}

static void
view_open(struct health_view *v, struct worker *w)
{
	v->board = w->proc->stats.all;
	v->now_ns = clock_wall();
	view_check_cache(v, w);
	health_gather(v->board, w->fetcher_was_ready, (int)v->cache.error, v->now_ns, &v->facts);
	v->health = health_judge(&v->facts, v->reasons, &v->reason_count);
}

static void
render_head(struct json *j, const struct health_view *v)
{
	json_text(j, "status", health_name(v->health));
	json_text(j, "service", SERVICE_NAME);
	json_text(j, "version", v->board->version);
	json_time_ms(j, "timestamp", v->now_ns);
}

static double
seconds_since(int64_t then, int64_t now)
{
	return then != 0 ? (double)((now - then) / CLOCK_MS) / 1000 : NAN;
}

static void
render_check(struct json *j, const char *name, const struct check_result *c, int64_t now)
{
	json_object_open(j, name);
	json_text(j, "status", check_state_name(health_check_state(c, now)));
	json_f64(j, "response_time_ms", c->checked_ns != 0 ? (double)c->response_us / 1000 : NAN);
	json_time_ms(j, "checked_at", c->checked_ns);
	json_f64(j, "age_seconds", seconds_since(c->checked_ns, now));
	json_time_ms(j, "last_success", c->ok_ns);
	if (c->checked_ns != 0 && c->error != E_OK)
		json_text(j, "last_error", c->text[0] != '\0' ? c->text : err_text((int)c->error));
	else
		json_absent(j, "last_error");
	json_object_close(j);
}

static void
render_checks(struct json *j, const struct health_view *v)
{
	static const struct check_result never;
	const struct slot_page *writer = board_first(v->board, ROLE_CACHE_WRITER);
	const struct slot_page *fetcher = board_first(v->board, ROLE_FETCHER);

	json_object_open(j, "checks");
	render_check(
	    j, "database", writer != NULL ? &writer->checks[CHECK_DATABASE] : &never, v->now_ns);
	render_check(j, "cache", &v->cache, v->now_ns);
	render_check(j, "external_api",
	    fetcher != NULL ? &fetcher->checks[CHECK_EXTERNAL_API] : &never, v->now_ns);
	json_object_close(j);
}

static void
render_worker(struct json *j, const struct slot_page *p, int64_t now)
{
	json_object_open(j, NULL);
	json_text(j, "slot", p->slot);
	json_text(j, "role", role_name((enum role)p->role));
	json_text(j, "state", p->state);
	if (p->pid != 0)
		json_i64(j, "pid", p->pid);
	else
		json_absent(j, "pid");
	json_f64(j, "uptime_seconds", p->pid != 0 ? seconds_since(p->spawned_ns, now) : NAN);
	json_u64(j, "restarts", p->restarts);
	json_text_or_null(j, "last_exit", p->last_exit);
	json_time_ms(j, "last_exit_at", p->last_exit_ns);
	json_f64(j, "heartbeat_age", seconds_since(p->heartbeat_ns, now));
	json_text_or_null(j, "note", p->note);
	json_object_close(j);
}

static void
render_workers(struct json *j, const struct health_view *v)
{
	const struct slot_page *p;

	json_array_open(j, "workers");
	for (uint32_t i = 0; i < v->board->slot_count && i < BOARD_SLOTS; i++) {
		p = &v->board->slots[i];
		if (p->in_use && p->role != ROLE_MASTER)
			render_worker(j, p, v->now_ns);
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
	const struct slot_page *fetcher = board_first(v->board, ROLE_FETCHER);
	const struct slot_page *writer = board_first(v->board, ROLE_CACHE_WRITER);
	bool is_known = fetcher != NULL && slot_is_ready(fetcher);
	const struct check_result *c =
	    fetcher != NULL ? &fetcher->checks[CHECK_EXTERNAL_API] : NULL;

	json_object_open(j, "upstream");
	json_text_or_null(j, "url", v->board->upstream);
	if (is_known)
		render_breakers(j, fetcher);
	else
		json_absent(j, "breaker");
	json_f64(j, "budget_left",
	    is_known ? (double)metric_read(fetcher, M_UPSTREAM_BUDGET, 0, 0) / 1000 : NAN);
	json_u64(j, "merged", metric_sum(v->board, M_UPSTREAM_MERGED));
	json_text(
	    j, "last_error", c != NULL && c->checked_ns != 0 && c->error != E_OK ? c->text : NULL);
	if (writer != NULL && slot_is_ready(writer))
		json_u64(j, "journal_lag_records", metric_read(writer, M_JOURNAL_LAG, 0, 0));
	else
		json_absent(j, "journal_lag_records");
	json_object_close(j);
}

static void
render_reasons(struct json *j, const struct health_view *v)
{
	json_array_open(j, "reasons");
	for (size_t i = 0; i < v->reason_count; i++)
		json_text(j, NULL, v->reasons[i]);
	json_array_close(j);
}

static void
health_send(struct visit *c, struct json *j, int status)
{
	struct buf *out = &c->worker->out;
	int r = json_end(j);

	assert(r ==
	       E_OK); /* slots are bounded, and the largest board's health is far below the limit */
	(void)r;
	answer_plain(&c->asker, status, "application/json", buf_data(out), buf_len(out), NULL);
}

static void
health_begin(struct visit *c, struct json *j)
{
	buf_reset(&c->worker->out);
	json_begin(j, &c->worker->out);
	json_object_open(j, NULL);
}

void
route_health(struct visit *c)
{
	struct health_view v;
	struct json j;

	view_open(&v, c->worker);
	health_begin(c, &j);
	render_head(&j, &v);
	json_object_close(&j);
	health_send(c, &j, v.health == UNHEALTHY ? 503 : 200);
}

void
route_health_detailed(struct visit *c)
{
	struct health_view v;
	struct json j;

	view_open(&v, c->worker);
	health_begin(c, &j);
	render_head(&j, &v);
	render_reasons(&j, &v);
	render_checks(&j, &v);
	render_workers(&j, &v);
	system_render(&j, v.board, c->worker->proc->conf.state_dir, v.now_ns);
	render_upstream(&j, &v);
	json_object_close(&j);
	health_send(c, &j, v.health == UNHEALTHY ? 503 : 200);
}

void
route_livez(struct visit *c)
{
	static const char body[] = "{\"status\":\"ok\"}";

	answer_plain(&c->asker, 200, "application/json", body, sizeof(body) - 1, NULL);
}

/* By role: "ready", or the state its first worker that is not ready is in. */
static void
render_roles(struct json *j, const struct board *b)
{
	static const enum role roles[] = { ROLE_FETCHER, ROLE_CACHE_WRITER, ROLE_HTTP };
	const struct slot_page *p;
	const char *state;

	json_object_open(j, "roles");
	for (size_t r = 0; r < sizeof(roles) / sizeof(roles[0]); r++) {
		state = board_first(b, roles[r]) != NULL ? "ready" : "absent";
		for (uint32_t i = 0; i < b->slot_count && i < BOARD_SLOTS; i++) {
			p = &b->slots[i];
			if (p->in_use && p->role == (uint32_t)roles[r] && !slot_is_ready(p))
				state = p->state;
		}
		json_text(j, role_name(roles[r]), state);
	}
	json_object_close(j);
}

static void
probe_send(struct visit *c, const char *reason)
{
	struct json j;

	health_begin(c, &j);
	json_text(&j, "status", reason == NULL ? "ok" : "unavailable");
	json_text(&j, "reason", reason);
	render_roles(&j, c->worker->proc->stats.all);
	json_object_close(&j);
	health_send(c, &j, reason == NULL ? 200 : 503);
}

void
route_readyz(struct visit *c)
{
	const struct board *b = c->worker->proc->stats.all;
	const struct slot_page *fetcher = board_first(b, ROLE_FETCHER);
	const char *reason = NULL;

	if (b->stopping)
		reason = "the gateway is stopping";
	else if (!c->worker->fetcher_was_ready && b->all_ready_ns == 0 &&
		 (fetcher == NULL || !slot_is_ready(fetcher)))
		reason = "no fetcher has been ready yet";
	probe_send(c, reason);
}

void
route_startupz(struct visit *c)
{
	bool has_started = c->worker->proc->stats.all->all_ready_ns != 0;

	probe_send(c, has_started ? NULL : "not every required worker has been ready yet");
}
