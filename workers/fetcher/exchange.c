/* exchange.c - HTTP exchanges with the upstream: libcurl's multi interface on the loop.
 *
 * libcurl says which sockets it wants watched and when it wants to be woken; the loop does both. A request
 * that libcurl sends again behind our back, because a kept connection turned out to be dead, is counted in
 * `sent`: each one costs the upstream's budget.
 */
#include "exchange.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>

#include "build_config.h"
#include "clock.h"
#include "libcurl.h"
#include "log.h"
#include "mem.h"
#include "text.h"

#define SECRET_MIN 16 /* Alpaca's keys have 20 characters, its secrets 40 */
#define USER_AGENT PACKAGE_NAME "/" PACKAGE_VERSION

struct flight { /* an exchange with its place in the list */
	struct exchange exchange;
	char trace_lines[2][TRACESTATE_MAX + 32]; /* header lines of its own, before those of all */
	struct curl_slist trace_headers[2];
	LIST_ENTRY(flight) link;
};

struct upstream {
	struct loop *loop;
	struct libcurl_loader *loader;
	const struct libcurl *curl; /* null until it is loaded */
	void (*ready)(void *owner);
	void *ready_owner;
	CURLM *multi;
	struct loop_timer timer;
	char key_lines[2][560];	      /* header lines; wiped at the end */
	struct curl_slist headers[2]; /* of them */
	bool has_key;
	const struct conf *conf;
	char base[2][256]; /* by enum endpoint_host, without the last slash */
	LIST_HEAD(, flight) flights;
};

static size_t
exchange_on_body(char *data, size_t one, size_t len, void *owner)
{
	struct exchange *c = owner;

	(void)one;
	if (buf_add(&c->body, data, len) == E_OK)
		return len;
	c->end = EXCHANGE_TOO_LARGE;
	return 0;
}

/* The value of a header line when it has this name; null otherwise, and when it is longer than any such value. */
static const char *
header_value(const char *line, size_t len, const char *name, char *out, size_t size)
{
	size_t n = strlen(name);

	if (len <= n || line[n] != ':' || strncasecmp(line, name, n) != 0)
		return NULL;
	for (line += n + 1, len -= n + 1; len > 0 && (*line == ' ' || *line == '\t'); line++)
		len--;
	while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == '\n' || line[len - 1] == ' '))
		len--;
	return text_copy_n(out, size, line, len) == E_OK && strlen(out) == len ? out : NULL;
}

static void
header_number(const char *line, size_t len, const char *name, int64_t *out)
{
	char text[32];
	int64_t v;

	if (header_value(line, len, name, text, sizeof(text)) != NULL &&
	    text_to_i64(text, &v) == E_OK && v >= 0)
		*out = v;
}

static void
exchange_forget_headers(struct exchange *c)
{
	c->rate_limit = c->rate_remaining = c->rate_reset = -1;
	c->is_replay = false;
	c->replay_ns = c->date_ns = 0;
	c->request_id[0] = '\0';
}

static void
header_date(struct exchange *c, const char *line, size_t len)
{
	char text[64];
	time_t date;

	if (header_value(line, len, "Date", text, sizeof(text)) == NULL)
		return;
	date = c->upstream->curl->getdate(text, NULL);
	c->date_ns = date > 0 && date < INT64_MAX / CLOCK_SEC ? date * CLOCK_SEC : 0;
}

static size_t
exchange_on_header(char *line, size_t one, size_t len, void *owner)
{
	struct exchange *c = owner;
	char text[sizeof(c->request_id)];

	(void)one;
	if (len > 5 && strncmp(line, "HTTP/", 5) == 0)
		exchange_forget_headers(c); /* a 100 Continue came before */
	header_number(line, len, "X-RateLimit-Limit", &c->rate_limit);
	header_number(line, len, "X-RateLimit-Remaining", &c->rate_remaining);
	header_number(line, len, "X-RateLimit-Reset", &c->rate_reset);
	if (header_value(line, len, "X-Opitios-Replay", text, sizeof(text)) != NULL)
		c->is_replay = true;
	header_number(line, len, "X-Opitios-Replay-Clock", &c->replay_ns);
	header_date(c, line, len);
	if (header_value(line, len, "X-Request-ID", text, sizeof(text)) != NULL &&
	    text_is_printable(text, strlen(text)))
		text_copy(c->request_id, sizeof(c->request_id), text);
	return len;
}

/* Only for counting: nothing of what is told here is kept or logged, it holds the key. */
static int
exchange_on_debug(CURL *easy, curl_infotype what, char *data, size_t len, void *owner)
{
	struct exchange *c = owner;

	(void)easy, (void)data, (void)len;
	c->sent += what == CURLINFO_HEADER_OUT;
	return 0;
}

static enum exchange_end
exchange_end_of(CURLcode code)
{
	switch (code) {
	case CURLE_OK:
		return EXCHANGE_ANSWERED;
	case CURLE_OPERATION_TIMEDOUT:
		return EXCHANGE_TIMED_OUT;
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_BAD_CONTENT_ENCODING:
		return EXCHANGE_GARBLED;
	default:
		return EXCHANGE_UNREACHABLE;
	}
}

static void
exchange_conclude(struct exchange *c, CURLcode code)
{
	const struct libcurl *curl = c->upstream->curl;
	curl_off_t total = 0, before = 0;

	if (c->end != EXCHANGE_TOO_LARGE)
		c->end = exchange_end_of(code);
	curl->easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &c->status);
	curl->easy_getinfo(c->easy, CURLINFO_TOTAL_TIME_T, &total);
	curl->easy_getinfo(c->easy, CURLINFO_PRETRANSFER_TIME_T, &before);
	c->latency_ns = (total - (before < total ? before : 0)) * 1000;
	c->received_ns = clock_wall();
	if (c->end != EXCHANGE_ANSWERED)
		text_copy(c->text, sizeof(c->text),
		    c->curl_text[0] != '\0' ? c->curl_text : curl->easy_strerror(code));
}

static void
flight_discard(void *object)
{
	struct flight *f = object;

	buf_fini(&f->exchange.body);
	mem_free(&f);
}

static void
flight_land(struct upstream *u, struct flight *f)
{
	u->curl->multi_remove_handle(u->multi, f->exchange.easy);
	u->curl->easy_cleanup(f->exchange.easy);
	f->exchange.easy = NULL;
	LIST_REMOVE(f, link);
}

/* An upstream, or a proxy before it, that repeats our key or secret in a body: from here on neither is in it. What is
 * shorter than any real one is left alone, it may be part of a word. */
static void
exchange_blank(const struct upstream *u, struct buf *body)
{
	const size_t lines = sizeof(u->key_lines) / sizeof(u->key_lines[0]);
	const char *value;
	uint8_t *at;
	size_t len;

	for (size_t i = 0; u->has_key && buf_len(body) > 0 && i < lines; i++) {
		value = strchr(u->key_lines[i], ' ') + 1;
		len = strlen(value);
		while (len >= SECRET_MIN &&
		       (at = memmem(buf_data(body), buf_len(body), value, len)) != NULL)
			memset(at, '*', len);
	}
}

static void
upstream_reap(struct upstream *u)
{
	struct flight *f;
	CURLMsg *m;
	int left;

	while ((m = u->curl->multi_info_read(u->multi, &left)) != NULL) {
		if (m->msg != CURLMSG_DONE)
			continue;
		f = NULL;
		u->curl->easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &f);
		exchange_conclude(&f->exchange, m->data.result);
		exchange_blank(u, &f->exchange.body);
		flight_land(u, f);
		f->exchange.done(&f->exchange, f->exchange.owner);
		loop_free_later(u->loop, flight_discard, f);
	}
}

static void
upstream_on_timer(void *owner)
{
	struct upstream *u = owner;
	int running;

	u->curl->multi_socket_action(u->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	upstream_reap(u);
}

static void
upstream_on_event(evutil_socket_t fd, short what, void *owner)
{
	struct upstream *u = owner;
	int running, ready = 0;

	if (what & EV_READ)
		ready |= CURL_CSELECT_IN;
	if (what & EV_WRITE)
		ready |= CURL_CSELECT_OUT;
	u->curl->multi_socket_action(u->multi, fd, ready, &running);
	upstream_reap(u);
}

/* libcurl's word on one socket: what to wait for. `kept` is the event made for it before. */
static int
upstream_on_socket(CURL *easy, curl_socket_t fd, int what, void *owner, void *kept)
{
	struct upstream *u = owner;
	struct event *event = kept;
	short flags = EV_PERSIST;

	(void)easy;
	if (event != NULL)
		event_free(event);
	event = NULL;
	if (what != CURL_POLL_REMOVE) {
		flags = (short)(flags | (what & CURL_POLL_IN ? EV_READ : 0) |
				(what & CURL_POLL_OUT ? EV_WRITE : 0));
		event = event_new(loop_base(u->loop), fd, flags, upstream_on_event, u);
		if (event == NULL || event_add(event, NULL) != 0)
			fatal(EXIT_WITH_SYSTEM, "upstream: a socket cannot be watched");
	}
	u->curl->multi_assign(u->multi, fd, event);
	return 0;
}

static int
upstream_on_timeout(CURLM *multi, long ms, void *owner)
{
	struct upstream *u = owner;

	(void)multi;
	if (ms < 0)
		loop_timer_clear(&u->timer);
	else
		loop_timer_set(&u->timer, ms);
	return 0;
}

static void
upstream_base(char out[256], const char *url, const char *otherwise)
{
	size_t len;

	text_copy(out, 256, url[0] != '\0' ? url : otherwise);
	for (len = strlen(out); len > 0 && out[len - 1] == '/'; len--)
		out[len - 1] = '\0';
}

static void
upstream_key(struct upstream *u, struct conf *conf)
{
	if (conf->alpaca_key[0] == '\0' || conf->alpaca_secret[0] == '\0')
		return;
	if (!text_is_printable(conf->alpaca_key, strlen(conf->alpaca_key)) ||
	    !text_is_printable(conf->alpaca_secret, strlen(conf->alpaca_secret)))
		fatal(EXIT_WITH_CONFIG, "alpaca.key or alpaca.secret holds characters no key has");
	snprintf(u->key_lines[0], sizeof(u->key_lines[0]), "APCA-API-KEY-ID: %s", conf->alpaca_key);
	snprintf(u->key_lines[1], sizeof(u->key_lines[1]), "APCA-API-SECRET-KEY: %s",
	    conf->alpaca_secret);
	u->headers[0] = (struct curl_slist){ u->key_lines[0], &u->headers[1] };
	u->headers[1] = (struct curl_slist){ u->key_lines[1], NULL };
	u->has_key = true;
}

static void
upstream_set_options(struct upstream *u)
{
	const struct libcurl *curl = u->curl;
	long connections = (long)u->conf->upstream_connections_max;

	curl->multi_setopt(u->multi, CURLMOPT_SOCKETFUNCTION, upstream_on_socket);
	curl->multi_setopt(u->multi, CURLMOPT_SOCKETDATA, u);
	curl->multi_setopt(u->multi, CURLMOPT_TIMERFUNCTION, upstream_on_timeout);
	curl->multi_setopt(u->multi, CURLMOPT_TIMERDATA, u);
	curl->multi_setopt(u->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
	curl->multi_setopt(u->multi, CURLMOPT_MAX_HOST_CONNECTIONS, connections);
	curl->multi_setopt(u->multi, CURLMOPT_MAXCONNECTS, connections * 2);
}

static void
upstream_on_loaded(const struct libcurl *curl, void *owner)
{
	struct upstream *u = owner;

	if ((u->multi = curl->multi_init()) == NULL)
		fatal(EXIT_WITH_SYSTEM, "out of memory: libcurl");
	u->curl = curl;
	upstream_set_options(u);
	u->ready(u->ready_owner);
}

struct upstream *
upstream_new(struct loop *loop, struct conf *conf, void (*ready)(void *owner), void *owner)
{
	struct upstream *u = mem_alloc(sizeof(*u));

	u->loop = loop;
	u->conf = conf;
	u->ready = ready;
	u->ready_owner = owner;
	LIST_INIT(&u->flights);
	upstream_base(u->base[HOST_DATA], conf->alpaca_data_url, "https://data.alpaca.markets");
	upstream_base(u->base[HOST_TRADING], conf->alpaca_trading_url,
	    conf->alpaca_paper_trading ? "https://paper-api.alpaca.markets"
				       : "https://api.alpaca.markets");
	loop_timer_open(loop, &u->timer, upstream_on_timer, u);
	upstream_key(u, conf);
	conf_wipe_secrets(conf);
	u->loader = libcurl_load(loop, upstream_on_loaded, u);
	return u;
}

int
upstream_is_ready(const struct upstream *u)
{
	return u->curl != NULL;
}

void
upstream_free(struct upstream **up)
{
	struct upstream *u = *up;
	struct flight *f;

	if (u == NULL)
		return;
	while ((f = LIST_FIRST(&u->flights)) != NULL) {
		flight_land(u, f);
		flight_discard(f);
	}
	if (u->curl != NULL)
		u->curl->multi_cleanup(u->multi);
	libcurl_unload(&u->loader);
	loop_timer_close(&u->timer);
	mem_wipe(u->key_lines, sizeof(u->key_lines));
	mem_free(up);
}

static void
exchange_set_protocols(const struct exchange *c)
{
	CURLcode r;

#if LIBCURL_VERSION_NUM >= 0x075500
	r = c->upstream->curl->easy_setopt(c->easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	r = c->upstream->curl->easy_setopt(
	    c->easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
	if (r != CURLE_OK)
		fatal(EXIT_WITH_SYSTEM, "libcurl: older than the one this program was built for");
}

static void
exchange_set_options(struct exchange *c, const char *url, int64_t timeout_ms)
{
	const struct conf *conf = c->upstream->conf;
	const struct libcurl *curl = c->upstream->curl;
	int64_t connect = conf->upstream_connect_timeout;

	curl->easy_setopt(c->easy, CURLOPT_URL, url);
	exchange_set_protocols(c);
	curl->easy_setopt(c->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl->easy_setopt(c->easy, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* A name server that is silent: libcurl would stand still for its own resolver's thread at the time limit, and
	 * the loop with it. An older one at run time refuses the option and does. */
	curl->easy_setopt(c->easy, CURLOPT_QUICK_EXIT, 1L);
#endif
	curl->easy_setopt(c->easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl->easy_setopt(c->easy, CURLOPT_ACCEPT_ENCODING, "gzip");
	curl->easy_setopt(c->easy, CURLOPT_USERAGENT, USER_AGENT);
	curl->easy_setopt(
	    c->easy, CURLOPT_HTTPHEADER, c->upstream->has_key ? c->upstream->headers : NULL);
	curl->easy_setopt(c->easy, CURLOPT_CONNECTTIMEOUT_MS,
	    (long)(connect < timeout_ms ? connect : timeout_ms));
	curl->easy_setopt(c->easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	curl->easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, exchange_on_body);
	curl->easy_setopt(c->easy, CURLOPT_WRITEDATA, c);
	curl->easy_setopt(c->easy, CURLOPT_HEADERFUNCTION, exchange_on_header);
	curl->easy_setopt(c->easy, CURLOPT_HEADERDATA, c);
	curl->easy_setopt(c->easy, CURLOPT_DEBUGFUNCTION, exchange_on_debug);
	curl->easy_setopt(c->easy, CURLOPT_DEBUGDATA, c);
	curl->easy_setopt(c->easy, CURLOPT_VERBOSE, 1L);
	curl->easy_setopt(c->easy, CURLOPT_ERRORBUFFER, c->curl_text);
}

/* The header lines of this call: those of its trace, then those of all calls. */
static struct curl_slist *
flight_headers(struct flight *f, const struct call_trace *trace)
{
	struct upstream *u = f->exchange.upstream;
	struct curl_slist *first = u->has_key ? &u->headers[0] : NULL;
	const char *const names[] = { "tracestate", "traceparent" };
	const char *const values[] = { trace != NULL ? trace->tracestate : "",
		trace != NULL ? trace->traceparent : "" };

	for (size_t i = 0; i < 2; i++) {
		if (values[i] == NULL || values[i][0] == '\0')
			continue;
		snprintf(
		    f->trace_lines[i], sizeof(f->trace_lines[i]), "%s: %s", names[i], values[i]);
		f->trace_headers[i] = (struct curl_slist){ f->trace_lines[i], first };
		first = &f->trace_headers[i];
	}
	return first;
}

struct exchange *
upstream_call(struct upstream *u, enum endpoint_host host, const char *path, int64_t timeout_ms,
    const struct call_trace *trace, void (*done)(struct exchange *, void *owner), void *owner)
{
	struct flight *f = mem_alloc(sizeof(*f));
	struct exchange *c = &f->exchange;
	size_t size = strlen(u->base[host]) + strlen(path) + 1;
	char *url = mem_alloc(size);

	c->upstream = u;
	c->done = done;
	c->owner = owner;
	c->timeout_ms = timeout_ms;
	exchange_forget_headers(c);
	buf_init(&c->body, u->conf->upstream_response_max);
	text_copy(c->path, sizeof(c->path), path);
	snprintf(url, size, "%s%s", u->base[host], path);
	if ((c->easy = u->curl->easy_init()) == NULL)
		fatal(EXIT_WITH_SYSTEM, "out of memory: an upstream call");
	exchange_set_options(c, url, timeout_ms);
	u->curl->easy_setopt(c->easy, CURLOPT_HTTPHEADER, flight_headers(f, trace));
	u->curl->easy_setopt(c->easy, CURLOPT_PRIVATE, f);
	c->started_ns = clock_wall();
	LIST_INSERT_HEAD(&u->flights, f, link);
	if (u->curl->multi_add_handle(u->multi, c->easy) != CURLM_OK)
		panic("upstream: libcurl refused a call");
	mem_free(&url);
	return c;
}
