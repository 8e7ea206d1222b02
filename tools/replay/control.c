/* control.c - /_replay: faults, bodies, time and statistics of a running replay. Only with
 * --control. */
#include "control.h"

#include <string.h>

#include "clock.h"
#include "control_json.h"
#include "fault.h"
#include "server.h"
#include "text.h"

static void
control_done(struct answer *a, const struct replay *r)
{
	struct json j;

	answer_json_begin(a, &j);
	json_object_open(&j, NULL);
	json_u64(&j, "faults", faults_count(r->faults));
	json_object_close(&j);
	answer_json_end(a, &j);
}

/* A fault that cannot be had is the caller's mistake, except that there may be too many. */
static void
control_add(struct replay *r, struct fault *f, struct answer *a)
{
	int e = faults_add(r->faults, f);

	if (e == E_OK) {
		control_done(a, r);
		return;
	}
	mem_free(&f->bytes);
	answer_refuse(a, 400, "%s",
	    e == E_FULL ? "there are as many faults as there may be"
			: "variant, count or delay_ms is not acceptable");
}

static void
control_fault(struct replay *r, const struct request *q, struct answer *a)
{
	struct fault f = { .count = 1 };
	struct control_order o;
	const char *why = "";

	if (control_json_read(q->body, q->body_length, &o, &why) != E_OK) {
		answer_refuse(a, 400, "%s", why);
		return;
	}
	if (!fault_kind_read(o.kind, &f.kind)) {
		answer_refuse(a, 400, "there is no fault of kind '%s'", o.kind);
		return;
	}
	f.count = o.count;
	f.delay_ms = o.delay_ms >= 0 ? o.delay_ms : f.kind == FAULT_SLOW ? 1000 : 0;
	text_copy(f.path, sizeof(f.path), o.path);
	text_copy(f.variant, sizeof(f.variant), o.variant);
	control_add(r, &f, a);
}

static void
control_body(struct replay *r, const struct request *q, struct answer *a)
{
	const char *count = request_param(q, "count"), *status = request_param(q, "status");
	const char *type = request_param(q, "type");
	struct fault f = { .kind = FAULT_BODY, .count = 1 };
	uint64_t code = 200;

	if ((*count != '\0' && text_to_i64(count, &f.count) != E_OK) ||
	    (*status != '\0' && (text_to_u64(status, &code) != E_OK || code < 200 || code > 599)) ||
	    !text_is_printable(type, strlen(type)) ||
	    text_copy(f.type, sizeof(f.type), *type != '\0' ? type : "application/json") != E_OK ||
	    text_copy(f.path, sizeof(f.path), request_param(q, "path")) != E_OK ||
	    f.path[0] != '/') {
		answer_refuse(a, 400, "wanted: path=/..., and if need be count, status, type");
		return;
	}
	f.status = (int)code;
	f.len = q->body_length;
	f.bytes = mem_alloc(f.len + 1);
	if (f.len > 0)
		memcpy(f.bytes, q->body, f.len);
	control_add(r, &f, a);
}

/* From here on the story stands at this instant, so that tests need not wait for it. */
static void
control_clock(struct replay *r, const struct request *q, struct answer *a)
{
	int64_t time;

	if (clock_parse(request_param(q, "time"), &time) != E_OK) {
		answer_refuse(a, 400, "wanted: time=, an RFC 3339 instant");
		return;
	}
	r->story.start = time;
	r->story.speed = 0;
	control_done(a, r);
}

static void
put_calls(const struct replay *r, struct json *j)
{
	size_t i;

	json_object_open(j, "calls");
	for (i = 0; i < route_count(); i++)
		if (r->route_calls[i] > 0)
			json_u64(j, route_row(i)->pattern, r->route_calls[i]);
	json_u64(j, "other", r->route_calls[route_count()]);
	json_object_close(j);
}

static void
put_statuses(const struct replay *r, struct json *j)
{
	char name[8];
	size_t i;

	json_object_open(j, "statuses");
	for (i = 100; i < 600; i++)
		if (r->stats.by_status[i] > 0) {
			snprintf(name, sizeof(name), "%zu", i);
			json_u64(j, name, r->stats.by_status[i]);
		}
	json_object_close(j);
}

static void
put_budgets(const struct replay *r, struct json *j)
{
	struct budget *b;

	json_array_open(j, "budgets");
	for (b = r->limiter.budgets; b != NULL; b = b->hh.next) {
		json_object_open(j, NULL);
		json_text(j, "api", b->id[0] == 't' ? "trading" : "data");
		json_f64(j, "tokens", limit_left(&b->limit, clock_mono()));
		json_object_close(j);
	}
	json_array_close(j);
}

static void
put_recent(const struct stats *s, struct json *j)
{
	uint64_t i = s->recent_count > RECENT_LINES ? s->recent_count - RECENT_LINES : 0;

	json_array_open(j, "recent");
	for (; i < s->recent_count; i++)
		json_text(j, NULL, s->recent[i % RECENT_LINES]);
	json_array_close(j);
}

static void
control_stats(struct replay *r, const struct request *q, struct answer *a)
{
	struct json j;

	(void)q;
	answer_json_begin(a, &j);
	json_object_open(&j, NULL);
	json_text(&j, "recording", r->recording.name);
	json_text_or_null(&j, "feed", r->recording.feed);
	json_time(&j, "clock", replay_now(r));
	json_u64(&j, "events", r->recording.events);
	json_u64(&j, "skipped", r->recording.skipped);
	json_u64(&j, "requests", r->stats.requests);
	put_calls(r, &j);
	put_statuses(r, &j);
	json_u64(&j, "rate_limited", r->stats.by_status[429]);
	put_budgets(r, &j);
	json_u64(&j, "open_connections", server_open_connections(r->server));
	json_u64(&j, "symbols_most", r->stats.symbols_most);
	json_u64(&j, "faults", faults_count(r->faults));
	json_u64(&j, "faults_served", r->stats.faults_served);
	put_recent(&r->stats, &j);
	json_object_close(&j);
	answer_json_end(a, &j);
}

static void
control_forget_faults(struct replay *r, const struct request *q, struct answer *a)
{
	(void)q;
	faults_clear(r->faults);
	control_done(a, r);
}

static void
control_forget_stats(struct replay *r, const struct request *q, struct answer *a)
{
	(void)q;
	memset(&r->stats, 0, sizeof(r->stats));
	memset(r->route_calls, 0, (route_count() + 1) * sizeof(*r->route_calls));
	control_done(a, r);
}

static const struct {
	const char *method, *what;
	void (*fn)(struct replay *, const struct request *, struct answer *);
} controls[] = {
	{ "POST", "fault", control_fault },
	{ "DELETE", "fault", control_forget_faults },
	{ "POST", "body", control_body },
	{ "POST", "clock", control_clock },
	{ "GET", "stats", control_stats },
	{ "DELETE", "stats", control_forget_stats },
};

bool
control_is_meant(const struct request *q)
{
	return q->segment_count > 0 && strcmp(q->segments[0], "_replay") == 0;
}

void
control_answer(struct replay *r, const struct request *q, struct answer *a)
{
	size_t i;

	for (i = 0; i < sizeof(controls) / sizeof(controls[0]); i++)
		if (q->segment_count == 2 && strcmp(q->segments[1], controls[i].what) == 0 &&
		    strcmp(q->method, controls[i].method) == 0) {
			controls[i].fn(r, q, a);
			return;
		}
	answer_refuse(a, 404, "there is no %s %s", q->method, q->path);
}
