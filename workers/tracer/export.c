/* export.c - one request to the collector at a time: libcurl's multi interface on the loop.
 *
 * What the collector answers is read to its end, bounded; its beginning says whether it took all of the batch. A
 * redirect is not followed, as the header fields are for the collector that was configured.
 */
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "build_config.h"
#include "log.h"
#include "mem.h"
#include "text.h"
#include "tracer.h"

#define HEADERS_MAX	  32
#define ANSWER_MAX	  ((size_t)64 * 1024)
#define ANSWER_KEPT	  1024
#define RETRY_AFTER_MAX_S 60
#define HEADER_NAME	  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~"
#define URL_SIZE	  320
#define PATH		  "/v1/traces"

struct exporter {
	struct loop *loop;
	struct exporter_ends ends;
	CURLM *multi;
	CURL *easy;
	struct curl_slist *headers; /* with secrets in them */
	struct loop_timer timer;
	char url[URL_SIZE];
	char text[CURL_ERROR_SIZE];
	size_t answered; /* bytes of this answer's body */
	uint8_t answer[ANSWER_KEPT];
};

static size_t
exporter_on_body(char *data, size_t one, size_t len, void *owner)
{
	struct exporter *e = owner;
	size_t room = e->answered < ANSWER_KEPT ? ANSWER_KEPT - e->answered : 0;

	(void)one;
	if (room > 0)
		memcpy(e->answer + e->answered, data, len < room ? len : room);
	e->answered += len;
	return e->answered <= ANSWER_MAX ? len : 0;
}

static bool
status_is_passing(long status)
{
	return status == 429 || (status >= 502 && status <= 504);
}

static void
exporter_conclude(struct exporter *e, CURLcode code)
{
	curl_off_t after = 0;
	uint64_t rejected = 0;
	char why[160] = "";
	long status = 0;
	int r = E_OK;

	curl_easy_getinfo(e->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(e->easy, CURLINFO_RETRY_AFTER, &after);
	if (code != CURLE_OK) {
		(void)text_copy(
		    why, sizeof(why), e->text[0] != '\0' ? e->text : curl_easy_strerror(code));
		r = E_UPSTREAM_SERVICE_ERROR;
	} else if (status < 200 || status > 299) {
		(void)snprintf(why, sizeof(why), "it answered %ld", status);
		r = status_is_passing(status) ? E_UPSTREAM_SERVICE_ERROR : E_PROTOCOL;
	} else {
		rejected =
		    otlp_rejected(e->answer, e->answered < ANSWER_KEPT ? e->answered : ANSWER_KEPT);
	}
	if (after < 0 || after > RETRY_AFTER_MAX_S)
		after = RETRY_AFTER_MAX_S;
	curl_multi_remove_handle(e->multi, e->easy);
	e->ends.done(r, after * 1000, rejected, why, e->ends.owner);
}

static void
exporter_reap(struct exporter *e)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(e->multi, &left)) != NULL)
		if (m->msg == CURLMSG_DONE)
			exporter_conclude(e, m->data.result);
}

static void
exporter_on_timer(void *owner)
{
	struct exporter *e = owner;
	int running;

	curl_multi_socket_action(e->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	exporter_reap(e);
}

static void
exporter_on_event(evutil_socket_t fd, short what, void *owner)
{
	struct exporter *e = owner;
	int running, ready = 0;

	ready |= what & EV_READ ? CURL_CSELECT_IN : 0;
	ready |= what & EV_WRITE ? CURL_CSELECT_OUT : 0;
	curl_multi_socket_action(e->multi, fd, ready, &running);
	exporter_reap(e);
}

/* libcurl's word on one socket: what to wait for. `kept` is the event made for it before. */
static int
exporter_on_socket(CURL *easy, curl_socket_t fd, int what, void *owner, void *kept)
{
	struct exporter *e = owner;
	struct event *event = kept;
	short flags = EV_PERSIST;

	(void)easy;
	if (event != NULL)
		event_free(event);
	event = NULL;
	if (what != CURL_POLL_REMOVE) {
		flags = (short)(flags | (what & CURL_POLL_IN ? EV_READ : 0) |
				(what & CURL_POLL_OUT ? EV_WRITE : 0));
		event = event_new(loop_base(e->loop), fd, flags, exporter_on_event, e);
		if (event == NULL || event_add(event, NULL) != 0)
			fatal(EXIT_WITH_SYSTEM, "collector: a socket cannot be watched");
	}
	curl_multi_assign(e->multi, fd, event);
	return 0;
}

static int
exporter_on_timeout(CURLM *multi, long ms, void *owner)
{
	struct exporter *e = owner;

	(void)multi;
	if (ms < 0)
		loop_timer_clear(&e->timer);
	else
		loop_timer_set(&e->timer, ms);
	return 0;
}

static void
exporter_set_url(struct exporter *e, const struct conf *c)
{
	size_t len = strlen(c->trace_endpoint);

	if (c->trace_traces_endpoint[0] != '\0') {
		(void)text_copy(e->url, sizeof(e->url), c->trace_traces_endpoint);
		return;
	}
	while (len > 0 && c->trace_endpoint[len - 1] == '/')
		len--;
	(void)snprintf(e->url, sizeof(e->url), "%.*s" PATH, (int)len, c->trace_endpoint);
}

static void
exporter_add_header(struct exporter *e, const char *line)
{
	struct curl_slist *more = curl_slist_append(e->headers, line);

	if (more == NULL)
		fatal(EXIT_WITH_SYSTEM, "out of memory: libcurl");
	e->headers = more;
}

/* Those of the export itself would tell of another body than is sent. A name that is none is mostly a header as HTTP
 * writes it, "name: value", with a secret in it. */
static bool
header_may_be_set(const char *name)
{
	static const char *const own[] = { "Content-Length", "Content-Type", "Content-Encoding",
		"Transfer-Encoding" };

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (strcasecmp(name, own[i]) == 0)
			return false;
	return name[strspn(name, HEADER_NAME)] == '\0';
}

static int
headers_read(char *list, struct pair pairs[HEADERS_MAX], size_t *count)
{
	int r = pairs_read(list, pairs, HEADERS_MAX, count);

	for (size_t i = 0; r == E_OK && i < *count; i++)
		if (!header_may_be_set(pairs[i].name))
			r = E_CONFIG;
	if (r != E_OK)
		*count = 0;
	return r;
}

static void
exporter_set_headers(struct exporter *e, const struct conf *c)
{
	struct pair pairs[HEADERS_MAX];
	char list[sizeof(c->trace_headers)], line[sizeof(list) + 2];
	bool is_own = c->trace_traces_headers[0] != '\0';
	size_t count = 0;

	(void)text_copy(list, sizeof(list), is_own ? c->trace_traces_headers : c->trace_headers);
	/* All of it is left out then, as with the resource's attributes: the collector says what it misses. */
	if (headers_read(list, pairs, &count) != E_OK)
		log_warn("trace.%s: it is not name=value,name=value with values "
			 "percent-encoded and names an export may set; left out",
		    is_own ? "traces_headers (OTEL_EXPORTER_OTLP_TRACES_HEADERS)"
			   : "headers (OTEL_EXPORTER_OTLP_HEADERS)");
	exporter_add_header(e, "Content-Type: application/x-protobuf");
	exporter_add_header(e, "Expect:"); /* no round trip before a body */
	if (strcmp(c->trace_compression, "gzip") == 0)
		exporter_add_header(e, "Content-Encoding: gzip");
	for (size_t i = 0; i < count; i++) {
		(void)snprintf(line, sizeof(line), "%s: %s", pairs[i].name, pairs[i].value);
		exporter_add_header(e, line);
	}
	mem_wipe(list, sizeof(list));
	mem_wipe(line, sizeof(line));
}

static void
exporter_set_options(struct exporter *e)
{
	curl_multi_setopt(e->multi, CURLMOPT_SOCKETFUNCTION, exporter_on_socket);
	curl_multi_setopt(e->multi, CURLMOPT_SOCKETDATA, e);
	curl_multi_setopt(e->multi, CURLMOPT_TIMERFUNCTION, exporter_on_timeout);
	curl_multi_setopt(e->multi, CURLMOPT_TIMERDATA, e);
	curl_easy_setopt(e->easy, CURLOPT_URL, e->url);
	curl_easy_setopt(e->easy, CURLOPT_HTTPHEADER, e->headers);
	curl_easy_setopt(e->easy, CURLOPT_USERAGENT, PACKAGE_NAME "/" PACKAGE_VERSION);
	curl_easy_setopt(e->easy, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* A name server that is silent: libcurl would stand still for its own resolver's thread, at the time limit and
	 * at the end. */
	curl_easy_setopt(e->easy, CURLOPT_QUICK_EXIT, 1L);
#endif
	curl_easy_setopt(e->easy, CURLOPT_WRITEFUNCTION, exporter_on_body);
	curl_easy_setopt(e->easy, CURLOPT_WRITEDATA, e);
	curl_easy_setopt(e->easy, CURLOPT_ERRORBUFFER, e->text);
	curl_easy_setopt(e->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
}

struct exporter *
exporter_new(struct loop *loop, const struct conf *c, const struct exporter_ends *ends)
{
	struct exporter *e = mem_alloc(sizeof(*e));

	e->loop = loop;
	e->ends = *ends;
	loop_timer_open(loop, &e->timer, exporter_on_timer, e);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0 || (e->multi = curl_multi_init()) == NULL ||
	    (e->easy = curl_easy_init()) == NULL)
		fatal(EXIT_WITH_SYSTEM, "libcurl: it refuses to start");
	exporter_set_url(e, c);
	exporter_set_headers(e, c);
	exporter_set_options(e);
	return e;
}

void
exporter_free(struct exporter **ep)
{
	struct exporter *e = *ep;

	if (e == NULL)
		return;
	curl_multi_remove_handle(e->multi, e->easy);
	curl_easy_cleanup(e->easy);
	curl_multi_cleanup(e->multi);
	for (struct curl_slist *h = e->headers; h != NULL; h = h->next)
		mem_wipe(h->data, strlen(h->data));
	curl_slist_free_all(e->headers);
	loop_timer_close(&e->timer);
	curl_global_cleanup();
	mem_free(ep);
}

void
exporter_send(struct exporter *e, const struct buf *body, int64_t timeout_ms)
{
	e->answered = 0;
	e->text[0] = '\0';
	curl_easy_setopt(e->easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	curl_easy_setopt(e->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)buf_len(body));
	curl_easy_setopt(e->easy, CURLOPT_POSTFIELDS, (const char *)buf_data(body));
	if (curl_multi_add_handle(e->multi, e->easy) != CURLM_OK)
		panic("collector: libcurl refused a request");
}
