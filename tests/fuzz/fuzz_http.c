/* fuzz_http.c - any bytes to the HTTP server, from a client's socket.
 *
 * The first byte says in which pieces the rest arrives and when the application answers. The
 * oracle: what comes back must not depend on that. Each input is sent whole and answered at
 * once, then in pieces, and the answers compared. The refusals' statuses are left out of it, for
 * a whole head may break two rules at a time.
 */
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "http_room.h"

#define OUT_MAX	  (1U << 20)
#define TURNS_MAX 20000
#define CONTINUE  "HTTP/1.1 100 Continue\r\n\r\n"

struct fuzz {
	struct loop *loop;
	struct http_server *server;
	struct http_request *held;
	bool later;
	char out[2][OUT_MAX];
	size_t len[2];
};

static struct fuzz fuzz;

static void
fuzz_answer(struct http_request *r)
{
	char text[4096];
	struct http_answer a = { .status = 200, .body = text };
	size_t len;
	const uint8_t *body = http_body(r, &len);
	const char *agent = http_header(r, "user-agent");

	a.body_len = (size_t)snprintf(text, sizeof(text), "%s %s %s %s %zu %02x%02x",
	    http_method(r), http_path(r), http_query(r), agent != NULL ? agent : "", len,
	    len > 0 ? body[0] : 0, len > 0 ? body[len - 1] : 0);
	if (a.body_len >= sizeof(text))
		a.body_len = sizeof(text) - 1;
	http_reply(r, &a);
}

/* Names and values end where they should, none inside another. */
static void
fuzz_check_fields(const struct http_request *r)
{
	const char *start = (const char *)r->bytes + r->start;
	const struct http_field *f;
	size_t i;

	for (i = 0; i < r->field_count; i++) {
		f = &r->fields[i];
		assert(strlen(start + f->name) == f->name_len && f->name_len > 0);
		assert(strlen(start + f->value) == f->value_len);
		assert(f->value + f->value_len < r->head_len);
		assert(http_header(r, start + f->name) != NULL);
	}
}

static void
fuzz_on_request(struct http_request *r, void *owner)
{
	(void)owner;
	assert(fuzz.held == NULL);
	fuzz_check_fields(r);
	if (fuzz.later)
		fuzz.held = r;
	else
		fuzz_answer(r);
}

static void
fuzz_on_refused(struct http_request *r, int error, void *owner)
{
	struct http_answer a = { .status = 400 };

	(void)owner;
	assert(err_status(error) >= 400);
	assert(http_path(r) != NULL && http_method(r) != NULL && http_query(r) != NULL);
	http_reply(r, &a);
}

static void
fuzz_on_gone(struct http_request *r, void *owner)
{
	(void)owner;
	assert(r == fuzz.held);
	fuzz.held = NULL;
}

static void
fuzz_start(void)
{
	const struct http_limits limits = { .connections_max = 10,
		.request_line_max = 256,
		.headers_max = 512,
		.body_max = 1024,
		.header_timeout_ms = 60000,
		.body_timeout_ms = 60000,
		.idle_timeout_ms = 60000,
		.total_timeout_ms = 60000 };
	const struct http_hooks hooks = {
		.request = fuzz_on_request, .refused = fuzz_on_refused, .gone = fuzz_on_gone
	};

	signal(SIGPIPE, SIG_IGN);
	clock_fake(CLOCK_DAY, CLOCK_DAY);
	fuzz.loop = loop_new();
	fuzz.server = http_server_new(fuzz.loop, &limits, &hooks, NULL);
}

/* One turn without waiting; false when the server has ended the connection. */
static bool
fuzz_turn(int fd, int run)
{
	struct http_request *r = fuzz.held;
	ssize_t n;

	loop_turn(fuzz.loop, 0);
	if (r != NULL && fuzz.held == r) {
		fuzz.held = NULL;
		fuzz_answer(r);
	}
	n = recv(fd, fuzz.out[run] + fuzz.len[run], OUT_MAX - fuzz.len[run], 0);
	if (n > 0)
		fuzz.len[run] += (size_t)n;
	return n > 0 || (n < 0 && errno == EAGAIN);
}

static void
fuzz_converse(const uint8_t *data, size_t size, size_t piece, int run)
{
	int ends[2], turns = 0;
	size_t sent = 0, want;
	ssize_t n;

	assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
	http_server_adopt(fuzz.server, ends[1], NULL, 0);
	fuzz.len[run] = 0;
	do {
		if (sent < size) {
			want = size - sent < piece ? size - sent : piece;
			n = send(ends[0], data + sent, want, MSG_NOSIGNAL);
			sent = n < 0 && errno != EAGAIN ? size : sent + (n > 0 ? (size_t)n : 0);
			if (sent == size)
				shutdown(ends[0], SHUT_WR);
		}
		assert(turns++ < TURNS_MAX);
	} while (fuzz_turn(ends[0], run));
	close(ends[0]);
	while (http_server_connections(fuzz.server) > 0)
		assert(turns++ < TURNS_MAX), loop_turn(fuzz.loop, 0);
}

/* Whether 100 was said depends on when the body came. */
static void
fuzz_strip_continue(int run)
{
	char *at, *out = fuzz.out[run];
	size_t rest;

	while ((at = memmem(out, fuzz.len[run], CONTINUE, sizeof(CONTINUE) - 1)) != NULL) {
		rest = fuzz.len[run] - (size_t)(at - out) - (sizeof(CONTINUE) - 1);
		memmove(at, at + sizeof(CONTINUE) - 1, rest);
		fuzz.len[run] -= sizeof(CONTINUE) - 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (fuzz.loop == NULL)
		fuzz_start();
	if (size < 2)
		return 0;
	fuzz.later = false;
	fuzz_converse(data + 1, size - 1, size, 0);
	fuzz.later = (data[0] & 0x80) != 0;
	fuzz_converse(data + 1, size - 1, (size_t)1 + (data[0] & 0x7f), 1);
	fuzz_strip_continue(0);
	fuzz_strip_continue(1);
	assert(fuzz.len[0] == fuzz.len[1]);
	assert(memcmp(fuzz.out[0], fuzz.out[1], fuzz.len[0]) == 0);
	return 0;
}
