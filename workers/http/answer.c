/* answer.c - answers as clients read them: body, headers, and what is counted of each. */
#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "http_worker.h"
#include "json_write.h"

#define JSON_TYPE   "application/json"
#define HEADERS_MAX 1024
/* What stands between the stored parts of a good answer: names, times, id, status. */
#define ENVELOPE_MAX 512

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

/* Decimal digits; returns how many. */
static size_t
digits_of(uint64_t v, char out[24])
{
	char back[24];
	size_t n = 0;

	do
		back[n++] = (char)('0' + v % 10);
	while ((v /= 10) > 0);
	for (size_t i = 0; i < n; i++)
		out[i] = back[n - 1 - i];
	out[n] = '\0';
	return n;
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

const char *
worker_time(struct worker *w, size_t *len)
{
	int64_t now = clock_wall() / CLOCK_MS;

	if (now != w->time_ms) {
		w->time_ms = now;
		w->time_len = clock_format_ms(now * CLOCK_MS, w->time_text);
	}
	*len = w->time_len;
	return w->time_text;
}

const char *
safe_text(char *out, size_t size, const char *in)
{
	size_t i;

	for (i = 0; i + 1 < size && in[i] != '\0'; i++)
		out[i] = (char)(in[i] >= 0x20 && in[i] <= 0x7e ? in[i] : '?');
	out[i] = '\0';
	return out;
}

static bool
is_sane_id(const char *id)
{
	size_t n = 0;

	for (; id[n] != '\0'; n++)
		if (n == REQUEST_ID_MAX || !(isalnum((unsigned char)id[n]) || id[n] == '.' ||
					       id[n] == '_' || id[n] == '-'))
			return false;
	return n > 0;
}

/* 00-<32 hex>-<16 hex>-<2 hex>, ids not all zero: https://www.w3.org/TR/trace-context/ */
static bool
is_traceparent(const char *t)
{
	static const char form[] = "hh-hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh-hhhhhhhhhhhhhhhh-hh";

	if (strlen(t) != TRACEPARENT_LEN || strncmp(t, "ff", 2) == 0)
		return false;
	for (size_t i = 0; i < TRACEPARENT_LEN; i++)
		if (form[i] == '-'
			? t[i] != '-'
			: !(isdigit((unsigned char)t[i]) || (t[i] >= 'a' && t[i] <= 'f')))
			return false;
	return strspn(t + 3, "0") < 32 && strspn(t + 36, "0") < 16;
}

static void
id_make(struct worker *w, char out[REQUEST_ID_MAX + 1])
{
	static const char hex[] = "0123456789abcdef";
	uint64_t n = w->id_count++;
	size_t len = strlen(w->id_prefix);

	memcpy(out, w->id_prefix, len);
	for (int shift = 44; shift >= 0; shift -= 4)
		out[len++] = hex[n >> shift & 15];
	out[len] = '\0';
}

void
asker_begin(struct asker *a, struct worker *w, struct http_request *request, enum route route)
{
	const char *id = http_header(request, "X-Request-Id");
	const char *trace = http_header(request, "traceparent");

	a->worker = w;
	a->request = request;
	a->route = route;
	if (id != NULL && is_sane_id(id))
		strcpy(a->id, id);
	else
		id_make(w, a->id);
	a->trace[0] = '\0';
	if (trace != NULL && is_traceparent(trace))
		strcpy(a->trace, trace);
}

/* Sends; afterwards the request is gone. Counted first, so that whoever has the answer finds it counted. */
static void
answer_send(struct asker *a, const struct http_answer *answer)
{
	struct worker *w = a->worker;
	struct stats *s = &w->proc->stats;

	metric_add(s, M_HTTP_REQUESTS, a->route, label_code(answer->status), 1);
	metric_observe(s, M_HTTP_DURATION, a->route, clock_mono() - http_arrived(a->request));
	metric_set(s, M_HTTP_IN_FLIGHT, 0, 0, --w->in_flight);
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

static char *
put(char *at, const void *from, size_t len)
{
	memcpy(at, from, len);
	return at + len;
}

#define PUT_TEXT(at, literal) put((at), (literal), sizeof(literal) - 1)

static int64_t
found_age_ns(const struct shown *s)
{
	int64_t age = s->received_ns != 0 ? clock_wall() - s->received_ns : 0;

	return age > 0 ? age : 0;
}

/* Seconds with three digits behind the point. */
static char *
put_seconds(char *at, int64_t ns)
{
	uint64_t ms = (uint64_t)(ns / CLOCK_MS);

	at += digits_of(ms / 1000, at);
	at[0] = '.';
	at[1] = (char)('0' + ms / 100 % 10);
	at[2] = (char)('0' + ms / 10 % 10);
	at[3] = (char)('0' + ms % 10);
	return at + 4;
}

static char *
put_metadata(
    char *at, struct worker *w, const char *id, const struct ask *ask, const struct found *f)
{
	const struct shown *s = f->what.shown;
	const char *way = cache_way_name(f->way);
	const char *status = session_name(lookup_session(w->lookup, ask->asset)), *time;
	size_t len;

	time = worker_time(w, &len);
	at = put(at, shown_head(s), s->head_len);
	at = put(at, way, strlen(way));
	at = PUT_TEXT(at, "\",\"timestamp\":\"");
	at = put(at, time, len);
	at = put(at, shown_middle(s), s->middle_len);
	at = s->received_ns != 0 ? put_seconds(at, found_age_ns(s)) : PUT_TEXT(at, "null");
	at = PUT_TEXT(at, ",\"market_status\":\"");
	at = put(at, status, strlen(status));
	at = PUT_TEXT(at, "\",\"request_id\":\"");
	at = put(at, id, strlen(id));
	return put(at, shown_tail(s), s->tail_len);
}

/* The hot path of quotes and trades: a few copies into room that is reserved once. */
static int
compose_whole(
    struct worker *w, struct buf *out, const char *id, const struct ask *ask, const struct found *f)
{
	const struct shown *s = f->what.shown;
	char *begin, *at;
	int r;

	r = buf_reserve(
	    out, s->data_len + s->head_len + s->middle_len + s->tail_len + ENVELOPE_MAX);
	if (r != E_OK)
		return r;
	at = begin = (char *)buf_tail(out);
	at = PUT_TEXT(at, "\"data\":");
	at = put(at, s->text, s->data_len);
	at = put_metadata(at, w, id, ask, f);
	buf_commit(out, (size_t)(at - begin));
	return E_OK;
}

static void
compose_bars(struct json *j, const struct ask *ask, const struct shown *s)
{
	json_text(j, "symbol", ask->fetch.symbol);
	json_text(j, "timeframe", ask->fetch.timeframe);
	json_text_or_null(j, "adjustment", ask->fetch.adjustment);
	json_raw(j, "bars", shown_data(s), s->data_len);
	json_u64(j, "count", s->count);
	json_bool(j, "complete", s->complete);
	json_raw(j, "next_page_token", shown_token(s), s->token_len);
}

static void
compose_filters(struct json *j, const struct msg_fetch *f)
{
	json_object_open(j, "filters_applied");
	if (f->option_type[0] != '\0')
		json_text(j, "type", f->option_type);
	if (!isnan(f->strike_min))
		json_f64(j, "strike_price_gte", f->strike_min);
	if (!isnan(f->strike_max))
		json_f64(j, "strike_price_lte", f->strike_max);
	if (f->expiration[0] != '\0')
		json_text(j, "expiration_date", f->expiration);
	if (f->expiration_min[0] != '\0')
		json_text(j, "expiration_date_gte", f->expiration_min);
	if (f->expiration_max[0] != '\0')
		json_text(j, "expiration_date_lte", f->expiration_max);
	if (f->root_symbol[0] != '\0')
		json_text(j, "root_symbol", f->root_symbol);
	json_object_close(j);
}

static void
compose_chain(struct json *j, const struct ask *ask, const struct shown *s)
{
	json_text(j, "underlying_symbol", ask->fetch.symbol);
	json_raw(j, "expiration_dates", shown_dates(s), s->dates_len);
	json_raw(j, "contracts", shown_data(s), s->data_len);
	json_u64(j, "total_contracts", s->count);
	compose_filters(j, &ask->fetch);
	json_bool(j, "complete", s->complete);
	json_raw(j, "next_page_token", shown_token(s), s->token_len);
}

static int
compose_rows(
    struct worker *w, struct buf *out, const char *id, const struct ask *ask, const struct found *f)
{
	const struct shown *s = f->what.shown;
	struct json j;
	char *begin;
	int r;

	if ((r = buf_add_text(out, "\"data\":")) != E_OK)
		return r;
	json_begin(&j, out);
	json_object_open(&j, NULL);
	if (ask->kind == ASK_BARS)
		compose_bars(&j, ask, s);
	else
		compose_chain(&j, ask, s);
	json_object_close(&j);
	if ((r = json_end(&j)) != E_OK ||
	    (r = buf_reserve(out, s->head_len + s->middle_len + s->tail_len + ENVELOPE_MAX)) !=
		E_OK)
		return r;
	begin = (char *)buf_tail(out);
	buf_commit(out, (size_t)(put_metadata(begin, w, id, ask, f) - begin));
	return E_OK;
}

int
compose_found(
    struct worker *w, struct buf *out, const char *id, const struct ask *ask, const struct found *f)
{
	if (ask->kind == ASK_BARS || ask->kind == ASK_CHAIN)
		return compose_rows(w, out, id, ask, f);
	return compose_whole(w, out, id, ask, f);
}

/* max-age is the whole life of the value and Age what of it is over, so that a cache between us and the
 * client drops it when we would: RFC 9111, 4.2. */
static void
lines_add_cache(struct lines *l, const struct found *f)
{
	const struct shown *s = f->what.shown;

	lines_add(
	    l, "X-Data-Source", s->source != 0 ? source_name((enum source)s->source) : "none");
	lines_add(l, "X-Cache-Status", cache_way_name(f->way));
	lines_add_number(l, "Age", "", (uint64_t)(found_age_ns(s) / CLOCK_SEC));
	lines_add_number(l, "Cache-Control",
	    "private, max-age=", (uint64_t)(f->fresh_ns > 0 ? f->fresh_ns / CLOCK_SEC : 0));
}

void
answer_found(struct asker *a, const struct ask *ask, const struct found *f)
{
	struct worker *w = a->worker;
	struct fault fault = { .code = f->what.error,
		.symbol = ask->fetch.symbol,
		.reason = f->what.reason,
		.retry_ms = f->what.retry_ms };
	struct lines l;

	if (ask->kind == ASK_CLOCK) {
		market_answer(a, f);
		return;
	}
	out_reset(&w->out);
	if (fault.code == E_OK && buf_add(&w->out, "{", 1) != E_OK)
		fault.code = E_INTERNAL_SERVICE_ERROR;
	if (fault.code == E_OK && compose_found(w, &w->out, a->id, ask, f) != E_OK)
		fault.code = E_INTERNAL_SERVICE_ERROR;
	if (fault.code != E_OK) {
		answer_fault(a, &fault);
		return;
	}
	lines_begin(&l, a);
	lines_add_cache(&l, f);
	answer_send(a, &(struct http_answer){ .status = 200,
			   .type = JSON_TYPE,
			   .headers = l.text,
			   .headers_len = l.len,
			   .body = buf_data(&w->out),
			   .body_len = buf_len(&w->out) });
}

int64_t
fault_retry_after(const struct fault *f)
{
	int64_t seconds = (int64_t)((f->retry_ms + 999) / 1000);

	if (err_is_final(f->code))
		return -1;
	return seconds > 0 ? seconds : 1;
}

int
compose_error(struct buf *out, const struct fault *f)
{
	char text[320];
	struct json j;

	json_begin(&j, out);
	json_object_open(&j, NULL);
	json_text(&j, "code", err_name(f->code));
	json_text(&j, "message", err_text(f->code));
	json_text(&j, "type", err_type(f->code));
	json_object_open(&j, "details");
	if (f->symbol != NULL && f->symbol[0] != '\0')
		json_text(&j, "symbol", safe_text(text, sizeof(text), f->symbol));
	if (f->parameter != NULL)
		json_text(&j, "parameter", safe_text(text, sizeof(text), f->parameter));
	if (f->reason != NULL)
		json_text(&j, "reason", safe_text(text, sizeof(text), f->reason));
	json_object_close(&j);
	json_object_close(&j);
	return json_end(&j);
}

static int
compose_fault(struct asker *a, const struct fault *f, int64_t retry_after)
{
	struct buf *out = &a->worker->out;
	char path[512];
	const char *time;
	struct json j;
	size_t len;
	int r;

	if ((r = buf_add_text(out, "{\"error\":")) != E_OK || (r = compose_error(out, f)) != E_OK ||
	    (r = buf_add_text(out, ",\"metadata\":")) != E_OK)
		return r;
	time = worker_time(a->worker, &len);
	json_begin(&j, out);
	json_object_open(&j, NULL);
	json_text(&j, "request_id", a->id);
	json_text(&j, "timestamp", time);
	json_text(&j, "endpoint", safe_text(path, sizeof(path), http_path(a->request)));
	json_text(&j, "suggested_action", err_action(f->code));
	if (retry_after >= 0)
		json_i64(&j, "retry_after", retry_after);
	else
		json_absent(&j, "retry_after");
	json_object_close(&j);
	if ((r = json_end(&j)) != E_OK)
		return r;
	return buf_add(out, "}", 1);
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
	out_reset(&w->out);
	r = compose_fault(a, f, retry_after);
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
