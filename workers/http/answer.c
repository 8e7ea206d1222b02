/* answer.c - answers as clients read them: who asked, headers, and what is counted of each. */
#include <assert.h>
#include <string.h>

#include "http_worker.h"

#define JSON_TYPE   "application/json"
#define HEADERS_MAX 1024

struct lines { /* header lines; every value in them is bounded */
	char text[HEADERS_MAX];
	size_t len;
};

static void
lines_add(struct lines *l, const char *name, const char *value)
{
	size_t n = strlen(name), v = strlen(value);

	assert(l->len + n + v + 4 <= sizeof(l->text));
	memcpy(l->text + l->len, name, n);
	memcpy(l->text + l->len + n, ": ", 2);
	memcpy(l->text + l->len + n + 2, value, v);
	memcpy(l->text + l->len + n + 2 + v, "\r\n", 2);
	l->len += n + v + 4;
}

static void
lines_add_number(struct lines *l, const char *name, const char *before, uint64_t v)
{
	char text[64];
	size_t n = strlen(before);

	memcpy(text, before, n);
	digits_of(v, text + n);
	lines_add(l, name, text);
}

void
asker_begin(struct asker *a, struct worker *w, struct http_request *request, enum route route)
{
	a->worker = w;
	a->request = request;
	a->route = route;
	a->cache = a->code = a->symbol = NULL;
	request_id(&w->ids, request, a->id);
	asker_trace_begin(a);
}

/* Sends; afterwards the request is gone. Counted first, so that whoever has the answer finds it
 * counted. */
static void
answer_count(struct asker *a, const struct http_answer *answer)
{
	struct worker *w = a->worker;
	struct stats *s = &w->proc->stats;
	int64_t duration = clock_mono() - http_arrived(a->request);

	metric_add(s, M_HTTP_REQUESTS, a->route, label_code(answer->status), 1);
	metric_observe(s, M_HTTP_DURATION, a->route, duration);
	metric_set(s, M_HTTP_IN_FLIGHT, 0, 0, --w->in_flight);
	if (w->access.kind != ACCESS_OFF)
		access_answered(&w->access, a, answer, duration);
	asker_trace_answered(a, answer->status);
}

static void
answer_send(struct asker *a, const struct http_answer *answer)
{
	answer_count(a, answer);
	http_reply(a->request, answer);
	a->request = NULL;
}

static void
lines_begin(struct lines *l, const struct asker *a)
{
	l->len = 0;
	lines_add(l, "X-Request-Id", a->id);
	if (a->trace[0] != '\0')
		lines_add(l, "traceparent", a->trace);
}

/* A large answer's memory must not stay with an idle worker. */
static void
out_reset(struct buf *out)
{
	buf_reset(out);
	if (out->capacity > ANSWER_BYTES_KEPT)
		buf_shrink(out);
}

void
answer_plain(struct asker *a, int status, const char *type, const void *body, size_t len,
    const char *headers)
{
	struct lines l;

	lines_begin(&l, a);
	lines_add(&l, "Cache-Control", "no-store");
	if (headers != NULL) {
		assert(l.len + strlen(headers) <= sizeof(l.text));
		memcpy(l.text + l.len, headers, strlen(headers));
		l.len += strlen(headers);
	}
	answer_send(a, &(struct http_answer){ .status = status,
			   .type = type,
			   .headers = l.text,
			   .headers_len = l.len,
			   .body = body,
			   .body_len = len });
}

/* Counted as an answer when it begins. */
void
answer_stream(struct asker *a)
{
	struct lines l;

	lines_begin(&l, a);
	lines_add(&l, "Cache-Control", "no-store");
	answer_count(a, &(struct http_answer){ .status = 200 });
	status_feed_add(a->worker->feed, a->request, l.text, l.len);
	a->request = NULL;
}

/* max-age counts from the value's intake and Age says what of it is over, so that a cache between
 * us and the client drops it when we would: RFC 9111, 4.2. What is left is cut to whole seconds,
 * not the sum: 0.1 seconds left of 30 at an Age of 29 must not become one. */
static void
lines_add_cache(struct lines *l, const struct found *f)
{
	const struct shown *s = f->what.shown;

	int64_t left = f->fresh_ns > f->age_ns ? (f->fresh_ns - f->age_ns) / CLOCK_SEC : 0;
	int64_t age = f->age_ns / CLOCK_SEC;

	lines_add(
	    l, "X-Data-Source", s->source != 0 ? source_name((enum source)s->source) : "none");
	lines_add(l, "X-Cache-Status", cache_way_name(f->way));
	lines_add_number(l, "Age", "", (uint64_t)age);
	lines_add_number(
	    l, "Cache-Control", "private, max-age=", (uint64_t)(left > 0 ? age + left : 0));
}

/* Rows go to the kernel from where they lie: ten thousand of them are two megabytes. */
static void
answer_split(struct http_answer *answer, const struct shown *s, size_t gap)
{
	const char *all = answer->body;

	answer->body2 = shown_data(s);
	answer->body2_len = s->data_len;
	answer->body3 = all + gap;
	answer->body3_len = answer->body_len - gap;
	answer->body_len = gap;
}

void
answer_found(struct asker *a, const struct ask *ask, const struct found *f)
{
	struct worker *w = a->worker;
	struct fault fault = { .code = f->what.error,
		.symbol = ask->fetch.symbol,
		.reason = f->what.reason,
		.retry_ms = f->what.retry_ms };
	struct http_answer answer;
	struct lines l;
	size_t gap = 0;

	if (ask->kind == ASK_CLOCK) {
		market_answer(a, f);
		return;
	}
	out_reset(&w->out);
	if (fault.code == E_OK && buf_add(&w->out, "{", 1) != E_OK)
		fault.code = E_INTERNAL_SERVICE_ERROR;
	if (fault.code == E_OK && compose_around(w, &w->out, a->id, ask, f, &gap) != E_OK)
		fault.code = E_INTERNAL_SERVICE_ERROR;
	if (fault.code != E_OK) {
		answer_fault(a, &fault);
		return;
	}
	a->cache = cache_way_name(f->way);
	a->symbol = ask->fetch.symbol[0] != '\0' ? ask->fetch.symbol : NULL;
	metric_observe(&w->proc->stats, M_DATA_AGE, 0, f->age_ns);
	lines_begin(&l, a);
	lines_add_cache(&l, f);
	answer = (struct http_answer){ .status = 200,
		.type = JSON_TYPE,
		.headers = l.text,
		.headers_len = l.len,
		.body = buf_data(&w->out),
		.body_len = buf_len(&w->out) };
	if (gap > 0)
		answer_split(&answer, f->what.shown, gap);
	answer_send(a, &answer);
}

/* What is ours to mend is told; what the client or upstream did is for whoever looks closely. */
static void
answer_fault_log(struct asker *a, const struct fault *f)
{
	struct trace_texts texts;
	struct log_about about;

	a->code = err_name(f->code);
	a->symbol = f->symbol != NULL && f->symbol[0] != '\0' ? f->symbol : NULL;
	if (!log_level_enabled(LOG_LEVEL_DEBUG) && f->code != E_INTERNAL_SERVICE_ERROR)
		return;
	about = asker_about(a, &texts);
	about.status = err_status(f->code);
	if (f->code == E_INTERNAL_SERVICE_ERROR)
		log_error_of(&about, "%s %s: answered %s", http_method(a->request),
		    http_path(a->request), err_text(f->code));
	else
		log_debug_of(&about, "%s %s: answered %s", http_method(a->request),
		    http_path(a->request), err_text(f->code));
}

void
answer_fault_allowing(struct asker *a, const struct fault *f, const char *allow)
{
	struct worker *w = a->worker;
	int64_t retry_after = fault_retry_after(f);
	struct lines l;
	int r;

	assert(err_status(f->code) !=
	       0); /* codes that stay inside were turned before they came here */
	answer_fault_log(a, f);
	out_reset(&w->out);
	r = compose_fault(a, f);
	assert(r == E_OK); /* every part is bounded, and together they are far below the limit */
	(void)r;
	lines_begin(&l, a);
	lines_add(&l, "Cache-Control", "no-store");
	if (retry_after >= 0)
		lines_add_number(&l, "Retry-After", "", (uint64_t)retry_after);
	if (allow != NULL)
		lines_add(&l, "Allow", allow);
	answer_send(a, &(struct http_answer){ .status = err_status(f->code),
			   .type = JSON_TYPE,
			   .headers = l.text,
			   .headers_len = l.len,
			   .body = buf_data(&w->out),
			   .body_len = buf_len(&w->out) });
}

void
answer_fault(struct asker *a, const struct fault *f)
{
	answer_fault_allowing(a, f, NULL);
}
