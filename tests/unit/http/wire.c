/* wire.c - a server and the client's end of a connection to it, for the tests of the HTTP room. */
#include "wire.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mem.h"

static void
wire_reply(struct wire *w, struct http_request *r)
{
	struct http_answer a = { .status = 200, .type = "text/plain", .close = w->closes };
	struct buf b;
	size_t len;
	const uint8_t *body = http_body(r, &len);

	buf_init(&b, 1 << 22);
	cr_assert_eq(
	    buf_printf(&b, "%s %s?%s ", http_method(r), http_path(r), http_query(r)), E_OK);
	cr_assert_eq(buf_add(&b, body, len), E_OK);
	a.body = buf_data(&b);
	a.body_len = buf_len(&b);
	if (w->big > 0) {
		a.body = mem_alloc(w->big);
		a.body_len = w->big;
	}
	http_reply(r, &a);
	if (w->big > 0)
		mem_free(&a.body);
	buf_fini(&b);
}

static void
wire_on_request(struct http_request *r, void *owner)
{
	struct wire *w = owner;

	w->requests++;
	if (!w->later) {
		wire_reply(w, r);
		return;
	}
	cr_assert_lt(w->held_count, WIRE_HELD);
	http_tag_set(r, w);
	w->held[w->held_count++] = r;
}

static void
wire_on_refused(struct http_request *r, int error, void *owner)
{
	struct wire *w = owner;
	struct http_answer a = { .status = err_status(error), .type = "text/plain" };

	w->refused = error;
	cr_assert_lt(strlen(http_path(r)), sizeof(w->refused_path));
	strcpy(w->refused_path, http_path(r));
	a.body = err_name(error);
	a.body_len = strlen(err_name(error));
	http_reply(r, &a);
}

static void
wire_on_gone(struct http_request *r, void *owner)
{
	struct wire *w = owner;
	size_t i;

	cr_assert_eq(http_tag(r), w, "the tag is the application's");
	for (i = 0; i < w->held_count; i++)
		if (w->held[i] == r)
			w->held[i] = NULL;
	w->gone++;
}

static void
wire_on_dropped(enum http_drop why, void *owner)
{
	((struct wire *)owner)->drops[why]++;
}

static void
wire_on_bytes(size_t in, size_t out, void *owner)
{
	struct wire *w = owner;

	w->bytes_in += in;
	w->bytes_out += out;
}

static void
wire_on_connections(size_t open, bool accepted, void *owner)
{
	(void)accepted;
	((struct wire *)owner)->open = open;
}

static void
wire_on_starved(int error, void *owner)
{
	struct wire *w = owner;

	w->starved++;
	w->starved_error = error;
}

struct http_limits
wire_limits(void)
{
	return (struct http_limits){ .connections_max = 100,
		.request_line_max = 512,
		.headers_max = 2048,
		.body_max = 65536,
		.header_timeout_ms = 60000,
		.body_timeout_ms = 60000,
		.idle_timeout_ms = 60000,
		.total_timeout_ms = 60000 };
}

void
wire_open(struct wire *w)
{
	if (w->limits.connections_max == 0)
		w->limits = wire_limits();
	w->hooks = (struct http_hooks){ .request = wire_on_request,
		.refused = wire_on_refused,
		.gone = wire_on_gone,
		.connections = wire_on_connections,
		.dropped = wire_on_dropped,
		.starved = wire_on_starved,
		.bytes = wire_on_bytes };
	w->got = mem_alloc(WIRE_BYTES);
	w->loop = loop_new();
	w->server = http_server_new(w->loop, &w->limits, &w->hooks, w);
	w->client = -1;
	wire_connect(w);
}

void
wire_close(struct wire *w)
{
	if (w->client >= 0)
		close(w->client);
	http_server_free(&w->server);
	loop_free(&w->loop);
	mem_free(&w->got);
}

void
wire_connect(struct wire *w)
{
	int ends[2];

	if (w->client >= 0)
		close(w->client);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	w->client = ends[0];
	w->got_len = 0;
	w->ended = w->reset = false;
	w->refused = E_OK;
	http_server_adopt(w->server, ends[1], NULL, 0);
}

int64_t
wire_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * CLOCK_SEC + ts.tv_nsec;
}

void
wire_pass(struct wire *w, int64_t ms)
{
	int64_t mono = clock_mono() + ms * CLOCK_MS;

	wire_settle(w);
	clock_fake(clock_wall() + ms * CLOCK_MS, mono);
}

static bool
wire_take(struct wire *w)
{
	ssize_t n;

	if (w->client < 0 || w->ended || w->reset)
		return false;
	n = recv(w->client, w->got + w->got_len, WIRE_BYTES - w->got_len, 0);
	if (n > 0)
		w->got_len += (size_t)n;
	else if (n == 0)
		w->ended = true;
	else if (errno != EAGAIN)
		w->reset = true;
	return n > 0;
}

void
wire_turn(struct wire *w)
{
	loop_turn(w->loop, 1);
	wire_take(w);
}

void
wire_settle(struct wire *w)
{
	int quiet;

	for (quiet = 0; quiet < 3; quiet++) {
		loop_turn(w->loop, 1);
		if (wire_take(w))
			quiet = 0;
	}
}

void
wire_send(struct wire *w, const char *bytes, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = send(w->client, bytes, len, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			return; /* the server has ended it: the test looks at the answer */
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		} else {
			wire_turn(w);
		}
	}
}

void
wire_say(struct wire *w, const char *text)
{
	wire_send(w, text, strlen(text));
}

/* Length of the answer at `at`, 0 while it is not whole. */
static size_t
wire_measure(struct wire *w, size_t at, struct wire_answer *a)
{
	char *head = w->got + at, *end, *field;

	end = memmem(head, w->got_len - at, "\r\n\r\n", 4);
	if (end == NULL)
		return 0;
	cr_assert_eq(
	    strncmp(head, "HTTP/1.1 ", 9), 0, "an answer starts with its version: %.40s", head);
	a->status = atoi(head + 9);
	a->head = head;
	a->head_len = (size_t)(end - head) + 4;
	a->body = end + 4;
	field = memmem(head, a->head_len, "\r\nContent-Length: ", 18);
	a->body_len = field != NULL && !w->heads_only ? strtoul(field + 18, NULL, 10) : 0;
	return at + a->head_len + a->body_len <= w->got_len ? a->head_len + a->body_len : 0;
}

size_t
wire_answers(struct wire *w)
{
	struct wire_answer a;
	size_t at = 0, n = 0, len;

	while ((len = wire_measure(w, at, &a)) > 0) {
		at += len;
		n++;
	}
	return n;
}

struct wire_answer
wire_answer(struct wire *w, size_t index)
{
	struct wire_answer a = { .status = 0 };
	size_t at = 0, len, i;

	for (i = 0; i <= index; i++) {
		len = wire_measure(w, at, &a);
		cr_assert_gt(len, 0, "there are only %zu answers: %.200s", i, w->got);
		at += len;
	}
	return a;
}

struct wire_answer
wire_ask(struct wire *w, const char *request)
{
	size_t before = wire_answers(w);

	wire_say(w, request);
	WIRE_UNTIL(w, wire_answers(w) > before || w->ended || w->reset);
	return wire_answer(w, before);
}

bool
wire_has(const struct wire_answer *a, const char *line)
{
	const char *at = memmem(a->head, a->head_len, line, strlen(line));

	return at != NULL && at[-1] == '\n' && at[strlen(line)] == '\r';
}

void
wire_reply_held(struct wire *w, size_t index)
{
	struct http_request *r = w->held[index];

	cr_assert_not_null(r);
	w->held[index] = NULL;
	wire_reply(w, r);
}

void
wire_expect_refusal(struct wire *w, const char *request, size_t len, int status)
{
	struct wire_answer a;

	wire_connect(w);
	wire_send(w, request, len);
	WIRE_UNTIL(w, w->ended || w->reset);
	cr_expect_not(w->reset, "the answer must arrive before any reset: %.60s", request);
	cr_assert_eq(
	    wire_answers(w), 1, "one answer to %.*s, got %.300s", (int)len, request, w->got);
	a = wire_answer(w, 0);
	cr_expect_eq(
	    a.status, status, "%d instead of %d to: %.*s", a.status, status, (int)len, request);
	cr_expect(wire_has(&a, "Connection: close"));
}
