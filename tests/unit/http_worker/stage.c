/* stage.c - an http worker without sockets: the fakes of the server library and of the fetcher's channel. */
#include "stage.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "mem.h"
#include "text.h"

static struct stage *on_stage;

int
peer_send(struct peer *p, enum msg_type type, const void *message)
{
	struct stage *s = on_stage;

	cr_assert_eq(p, &s->fetcher);
	cr_assert_eq(type, MSG_FETCH);
	if (s->send_error != E_OK)
		return s->send_error;
	cr_assert_lt(s->sent_count, STAGE_SENT);
	s->sent[s->sent_count++] = *(const struct msg_fetch *)message;
	return E_OK;
}

static struct slot_page *
stage_slot(struct stage *s, const char *slot, enum role role, int pid)
{
	struct slot_page *p = board_slot(s->board, slot, role);

	strcpy(p->state, "ready");
	p->pid = pid;
	p->spawned_ns = p->ready_ns = p->heartbeat_ns = s->wall;
	return p;
}

void
stage_open(struct stage *s)
{
	int rw, ro;

	bool with_history = s->with_history;

	memset(s, 0, sizeof(*s));
	s->with_history = with_history;
	on_stage = s;
	s->wall = STAGE_WALL;
	s->mono = INT64_C(1000) * CLOCK_SEC;
	clock_fake(s->wall, s->mono);
	s->board = board_create(&rw, &ro);
	s->board->started_ns = s->board->all_ready_ns = s->wall;
	strcpy(s->board->version, "0.1.0");
	s->fetcher_page = stage_slot(s, "fetcher-rest", ROLE_FETCHER, 11);
	s->writer_page = stage_slot(s, "cache-writer", ROLE_CACHE_WRITER, 12);
	s->http = stage_slot(s, "http-0", ROLE_HTTP, 13);
	s->proc.role = ROLE_HTTP;
	s->proc.loop = loop_new();
	conf_defaults(&s->proc.conf);
	strcpy(s->proc.conf.state_dir, "/");
	s->proc.conf.history_wait = s->with_history ? 250 : 0;
	s->proc.stats.mine = s->http;
	s->proc.stats.all = s->board;
	worker_open(&s->worker, &s->proc);
	s->fetcher.proc = &s->proc;
	s->fetcher.role = ROLE_FETCHER;
	strcpy(s->fetcher.slot, "fetcher-rest");
	lookup_peer_up(s->worker.lookup, &s->fetcher);
}

void
stage_close(struct stage *s)
{
	lookup_peer_down(s->worker.lookup, &s->fetcher);
	worker_close(&s->worker);
	loop_free(&s->proc.loop);
	clock_real();
}

void
stage_pass(struct stage *s, int64_t ms)
{
	s->wall += ms * CLOCK_MS;
	s->mono += ms * CLOCK_MS;
	clock_fake(s->wall, s->mono);
}

struct http_request *
ask(struct stage *s, const char *method, const char *target, const char *headers, const char *body)
{
	struct http_request *r = mem_alloc(sizeof(*r));
	const char *query = strchr(target, '?');
	size_t path_len = query != NULL ? (size_t)(query - target) : strlen(target);

	(void)text_copy(r->method, sizeof(r->method), method);
	(void)text_copy_n(r->path, sizeof(r->path), target, path_len);
	(void)text_copy(r->query, sizeof(r->query), query != NULL ? query + 1 : "");
	(void)text_copy(r->headers, sizeof(r->headers), headers != NULL ? headers : "");
	r->body_len = body != NULL ? strlen(body) : 0;
	memcpy(r->body, body != NULL ? body : "", r->body_len);
	worker_serve(&s->worker, r);
	return r;
}

struct http_request *
get(struct stage *s, const char *target)
{
	return ask(s, "GET", target, NULL, NULL);
}

void
ask_free(struct http_request *r)
{
	json_decref(r->json);
	mem_free(&r->answer);
	mem_free(&r);
}

const char *
http_method(const struct http_request *r)
{
	return r->method;
}

const char *
http_path(const struct http_request *r)
{
	return r->path;
}

const char *
http_query(const struct http_request *r)
{
	return r->query;
}

static const char *
line_value(const char *lines, const char *name)
{
	static char value[512];
	size_t len = strlen(name);

	for (const char *l = lines; l != NULL && *l != '\0';) {
		const char *end = strstr(l, "\r\n");

		cr_assert_not_null(end, "a header line without its end: %s", l);
		if (strncasecmp(l, name, len) == 0 && l[len] == ':') {
			(void)text_copy_n(
			    value, sizeof(value), l + len + 2, (size_t)(end - l) - len - 2);
			return value;
		}
		l = end + 2;
	}
	return NULL;
}

const char *
http_header(const struct http_request *r, const char *name)
{
	return line_value(r->headers, name);
}

/* One of a name is all this knows. */
const char *
http_header_nth(const struct http_request *r, const char *name, unsigned nth)
{
	return nth == 0 ? line_value(r->headers, name) : NULL;
}

const uint8_t *
http_body(const struct http_request *r, size_t *len)
{
	*len = r->body_len;
	return (const uint8_t *)r->body;
}

bool
http_is_head(const struct http_request *r)
{
	return strcmp(r->method, "HEAD") == 0;
}

const char *
http_client(const struct http_request *r)
{
	(void)r;
	return "127.0.0.1:5000";
}

int64_t
http_arrived(const struct http_request *r)
{
	(void)r;
	return on_stage->mono;
}

void *
http_tag(const struct http_request *r)
{
	return r->tag;
}

void
http_tag_set(struct http_request *r, void *tag)
{
	r->tag = tag;
}

void
http_reply(struct http_request *r, const struct http_answer *a)
{
	cr_assert_not(r->answered, "%s is answered twice", r->path);
	cr_assert_null(r->tag, "an answered request must wait for nothing");
	r->answered = true;
	r->status = a->status;
	(void)text_copy(r->type, sizeof(r->type), a->type != NULL ? a->type : "");
	(void)text_copy_n(r->answer_headers, sizeof(r->answer_headers), a->headers, a->headers_len);
	r->answer_len = a->body_len + a->body2_len + a->body3_len;
	r->answer = mem_alloc(r->answer_len + 1);
	memcpy(r->answer, a->body != NULL ? a->body : "", a->body_len);
	if (a->body2_len > 0)
		memcpy(r->answer + a->body_len, a->body2, a->body2_len);
	if (a->body3_len > 0)
		memcpy(r->answer + a->body_len + a->body2_len, a->body3, a->body3_len);
	if (strcmp(r->type, "application/json") == 0) {
		json_error_t why;

		r->json = json_loadb(r->answer, r->answer_len, JSON_REJECT_DUPLICATES, &why);
		cr_assert_not_null(r->json, "no JSON: %s in %s", why.text, r->answer);
	}
}

bool
http_is_stream(const struct http_request *r)
{
	return r->streams;
}

void
http_stream_begin(struct http_request *r, const struct http_answer *a)
{
	cr_assert_not(r->answered, "%s is answered twice", r->path);
	r->answered = r->streams = true;
	r->status = a->status;
	(void)text_copy(r->type, sizeof(r->type), a->type != NULL ? a->type : "");
	(void)text_copy_n(r->answer_headers, sizeof(r->answer_headers), a->headers, a->headers_len);
}

int
http_stream_send(struct http_request *r, const void *bytes, size_t len)
{
	if (r->full)
		return E_FULL;
	r->answer = mem_grow(r->answer, r->answer_len, r->answer_len + len + 1);
	memcpy(r->answer + r->answer_len, bytes, len);
	r->answer_len += len;
	return E_OK;
}

void
http_stream_cut(struct http_request *r)
{
	r->cut++;
}

const char *
answer_header(const struct http_request *r, const char *name)
{
	const char *v = line_value(r->answer_headers, name);

	return v != NULL ? v : "";
}

json_t *
at(const json_t *from, const char *path)
{
	const json_t *v = from;
	char name[128];
	size_t len;

	for (; v != NULL && *path != '\0'; path += len + (path[len] == '.')) {
		len = strcspn(path, ".");
		(void)text_copy_n(name, sizeof(name), path, len);
		v = json_is_array(v) ? json_array_get(v, strtoul(name, NULL, 10))
				     : json_object_get(v, name);
	}
	return (json_t *)(uintptr_t)v;
}

const char *
member(const struct http_request *r, const char *path)
{
	static char texts[4][512];
	static unsigned turn;
	char *out = texts[turn++ % 4], *dump;
	const json_t *v = at(r->json, path);

	out[0] = '\0';
	if (v == NULL)
		return out;
	if (json_is_string(v)) {
		(void)text_copy(out, 512, json_string_value(v));
		return out;
	}
	dump = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(12));
	(void)text_copy(out, 512, dump);
	free(dump);
	return out;
}

void
tell_begin(struct stage *s, const struct msg_fetch *to, bool ours)
{
	struct msg_result head = { .ticket = ours ? to->ticket : 0, .endpoint = to->endpoint };

	fetch_key(to, head.key);
	strcpy(head.symbol, to->symbol);
	lookup_on_result(&s->fetcher, &head, s->worker.lookup);
}

void
tell_end(struct stage *s, const struct msg_fetch *to, bool ours, int error, const char *reason,
    uint64_t count)
{
	struct msg_result_end end = { .ticket = ours ? to->ticket : 0,
		.error = error,
		.definite = error != E_OK && !s->is_unsure,
		.count = count,
		.complete = true,
		.source = SOURCE_LATEST,
		.received = s->wall };

	strcpy(end.feed, to->feed);
	strcpy(end.reason, reason);
	lookup_on_result_end(&s->fetcher, &end, s->worker.lookup);
}

void
tell_quote(struct stage *s, const struct msg_fetch *to, const struct quote *q)
{
	tell_begin(s, to, true);
	lookup_on_quote(&s->fetcher, q, s->worker.lookup);
	tell_end(s, to, true, E_OK, "", 1);
}

void
tell_error(struct stage *s, const struct msg_fetch *to, int error, const char *reason)
{
	tell_begin(s, to, true);
	tell_end(s, to, true, error, reason, 0);
}

void
tell_bars(struct stage *s, const struct msg_fetch *to, size_t count)
{
	struct bar b = { .asset = ASSET_STOCK,
		.source = SOURCE_HISTORY,
		.received = s->wall,
		.open = 1.5,
		.high = 2,
		.low = 1,
		.close = 1.75,
		.volume = 1000,
		.trade_count = NAN,
		.vwap = NAN };

	strcpy(b.symbol, to->symbol);
	tell_begin(s, to, true);
	for (size_t i = 0; i < count; i++) {
		b.event = STAGE_WALL - (int64_t)(count - i) * CLOCK_DAY;
		lookup_on_bar(&s->fetcher, &b, s->worker.lookup);
	}
	tell_end(s, to, true, E_OK, "", count);
}

void
tell_clock(struct stage *s, bool is_open, int64_t next_in_ns)
{
	struct market_clock c = { .source = SOURCE_LATEST,
		.timestamp = s->wall,
		.received = s->wall,
		.is_open = is_open,
		.next_open = s->wall + next_in_ns + (is_open ? CLOCK_DAY : 0),
		.next_close = s->wall + next_in_ns + (is_open ? 0 : CLOCK_DAY) };

	lookup_on_market_clock(&s->fetcher, &c, s->worker.lookup);
}

struct quote
a_quote(struct stage *s, const char *symbol)
{
	struct quote q = { .asset = ASSET_STOCK,
		.source = SOURCE_LATEST,
		.event = s->wall - 1500000000,
		.received = s->wall,
		.bid_price = 189.98,
		.bid_size = 100,
		.bid_exchange = "V",
		.ask_price = 190.02,
		.ask_size = 200,
		.ask_exchange = "Q",
		.tape = "C" };

	strcpy(q.symbol, symbol);
	strcpy(q.feed, "iex");
	cr_assert_eq(list_add(q.conditions, sizeof(q.conditions), "R"), E_OK);
	return q;
}

const struct msg_fetch *
last_sent(const struct stage *s)
{
	return &s->sent[s->sent_count - 1];
}

void
warm_quote(struct stage *s, const char *symbol)
{
	char target[128];
	struct http_request *r;
	struct quote q = a_quote(s, symbol);

	(void)snprintf(target, sizeof(target), "/api/v1/stocks/%s/quote", symbol);
	r = get(s, target);
	cr_assert_not(r->answered);
	tell_quote(s, last_sent(s), &q);
	cr_assert_eq(r->status, 200, "%s", r->answer);
	cr_assert_str_eq(member(r, "metadata.cache"), "miss");
	ask_free(r);
}

void
expect_way(struct stage *s, const char *target, const char *way)
{
	struct http_request *r = get(s, target);

	cr_assert(r->answered, "%s should have been answered at once", target);
	cr_expect_eq(r->status, 200, "%s", r->answer);
	cr_expect_str_eq(member(r, "metadata.cache"), way);
	cr_expect_str_eq(answer_header(r, "X-Cache-Status"), way);
	ask_free(r);
}

struct http_request *
expect_asked(struct stage *s, const char *target)
{
	size_t before = s->sent_count;
	struct http_request *r = get(s, target);

	cr_assert_not(r->answered, "%s: %s", target, r->answer);
	cr_assert_eq(s->sent_count, before + 1);
	return r;
}

void
expect_error(struct http_request *r, int status, const char *code)
{
	cr_assert(r->answered);
	cr_expect_eq(r->status, status, "%s", r->answer);
	cr_expect_str_eq(member(r, "error.code"), code);
	ask_free(r);
}
