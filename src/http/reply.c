/* reply.c - answers: composed, gathered, sent.
 *
 * While a connection works off its input its answers gather in the server's buffer and leave
 * together. An answer given later, or too large to gather, goes to the kernel from where it
 * lies. What the kernel does not take is copied to the connection, which asks for nothing more
 * until it is gone: at most one gathering and one answer.
 */
#include "http_room.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "build_config.h"
#include "clock.h"
#include "mem.h"

#define REPLY_PARTS 8
#define HEAD_SIZE   256 /* status line, Server, Date, Content-Length, Connection */

struct reply {
	struct iovec parts[REPLY_PARTS];
	int count;
	size_t len;
	char head[HEAD_SIZE];
	size_t head_len;
};

static const struct status_row {
	int status;
	const char *reason;
} status_rows[] = {
	{ 200, "OK" },
	{ 201, "Created" },
	{ 202, "Accepted" },
	{ 204, "No Content" },
	{ 301, "Moved Permanently" },
	{ 302, "Found" },
	{ 304, "Not Modified" },
	{ 307, "Temporary Redirect" },
	{ 308, "Permanent Redirect" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 406, "Not Acceptable" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 410, "Gone" },
	{ 412, "Precondition Failed" },
	{ 413, "Content Too Large" },
	{ 414, "URI Too Long" },
	{ 415, "Unsupported Media Type" },
	{ 417, "Expectation Failed" },
	{ 422, "Unprocessable Content" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 502, "Bad Gateway" },
	{ 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" },
	{ 505, "HTTP Version Not Supported" },
};

static const char *
status_reason(int status)
{
	size_t i;

	for (i = 0; i < sizeof(status_rows) / sizeof(status_rows[0]); i++)
		if (status_rows[i].status == status)
			return status_rows[i].reason;
	return "Unknown";
}

/* Server and Date, composed once a second. Not strftime: names of days must not follow a locale. */
static void
reply_date_lines(struct http_server *s)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	int64_t wall = clock_wall();
	time_t seconds = (time_t)(wall / CLOCK_SEC);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	s->lines_len = (size_t)snprintf(s->lines, sizeof(s->lines),
	    "Server: " PACKAGE_NAME "\r\nDate: %.3s, %02d %.3s %04d %02d:%02d:%02d GMT\r\n",
	    days + 3 * tm.tm_wday, tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900,
	    tm.tm_hour, tm.tm_min, tm.tm_sec);
	s->lines_until = s->now + CLOCK_SEC - wall % CLOCK_SEC;
}

static void
reply_put(struct reply *p, const char *text, size_t len)
{
	assert(p->head_len + len <= sizeof(p->head));
	memcpy(p->head + p->head_len, text, len);
	p->head_len += len;
}

static void
reply_put_text(struct reply *p, const char *text)
{
	reply_put(p, text, strlen(text));
}

static void
reply_put_number(struct reply *p, size_t n)
{
	char digits[24];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	reply_put(p, digits + at, sizeof(digits) - at);
}

static void
reply_part(struct reply *p, const void *bytes, size_t len)
{
	struct iovec *v = &p->parts[p->count];

	if (len == 0)
		return;
	assert(p->count < REPLY_PARTS);
	memcpy(&v->iov_base, &bytes, sizeof(bytes)); /* iovec knows no const */
	v->iov_len = len;
	p->len += len;
	p->count++;
}

/* Status line and the fields that are ours. */
static void
reply_head(
    struct reply *p, const struct http_request *r, const struct http_answer *a, bool has_length)
{
	struct http_server *s = r->server;
	struct http_connection *c = r->connection;

	if (s->now >= s->lines_until || s->lines_len == 0)
		reply_date_lines(s);
	reply_put(p, "HTTP/1.1 ", 9);
	reply_put_number(p, (size_t)a->status);
	reply_put(p, " ", 1);
	reply_put_text(p, status_reason(a->status));
	reply_put(p, "\r\n", 2);
	reply_put(p, s->lines, s->lines_len);
	if (has_length) {
		reply_put(p, "Content-Length: ", 16);
		reply_put_number(p, a->body_len + a->body2_len + a->body3_len);
		reply_put(p, "\r\n", 2);
	}
	if (c->closing)
		reply_put_text(p, "Connection: close\r\n");
	else if (r->parser.http_minor == 0)
		reply_put_text(p, "Connection: keep-alive\r\n");
	if (a->type != NULL)
		reply_put(p, "Content-Type: ", 14);
}

static void
reply_compose(struct reply *p, const struct http_request *r, const struct http_answer *a)
{
	bool bodyless = a->status == 204 || a->status == 304 || a->status < 200;

	p->count = 0;
	p->len = p->head_len = 0;
	reply_head(p, r, a, !bodyless && r->stage != HTTP_STREAMED);
	reply_part(p, p->head, p->head_len);
	if (a->type != NULL) {
		reply_part(p, a->type, strlen(a->type));
		reply_part(p, "\r\n", 2);
	}
	if (a->headers != NULL)
		reply_part(p, a->headers, a->headers_len);
	reply_part(p, "\r\n", 2);
	if (bodyless || r->is_head || r->stage == HTTP_STREAMED)
		return;
	if (a->body != NULL)
		reply_part(p, a->body, a->body_len);
	if (a->body2 != NULL)
		reply_part(p, a->body2, a->body2_len);
	if (a->body3 != NULL)
		reply_part(p, a->body3, a->body3_len);
}

static void
reply_broke(struct http_connection *c, enum http_drop why)
{
	if (!c->dead)
		http_server_count_drop(c->server, why);
	c->dead = true;
}

static void
reply_forget_rest(struct http_connection *c)
{
	c->server->waiting -= c->rest_len;
	mem_free(&c->rest);
	c->rest_len = c->rest_sent = 0;
}

/* The parts behind the first `sent` bytes wait in the connection. */
static void
reply_keep(struct http_connection *c, const struct iovec *parts, int count, size_t sent)
{
	struct http_server *s = c->server;
	size_t more = 0, n;
	int i;

	for (i = 0; i < count; i++)
		more += parts[i].iov_len;
	if (s->limits.output_max > 0 && s->waiting + more - sent > s->limits.output_max) {
		reply_broke(c, HTTP_DROP_LIMIT);
		return;
	}
	s->waiting += more - sent;
	c->rest = mem_grow(c->rest, c->rest_len, c->rest_len + more - sent);
	for (i = 0; i < count; i++) {
		n = parts[i].iov_len;
		if (sent >= n) {
			sent -= n;
			continue;
		}
		memcpy(c->rest + c->rest_len, (const uint8_t *)parts[i].iov_base + sent, n - sent);
		c->rest_len += n - sent;
		sent = 0;
	}
}

static void
reply_send(struct http_connection *c, struct iovec *parts, int count, size_t len)
{
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = (size_t)count };
	ssize_t n;

	if (c->dead)
		return;
	if (c->rest != NULL) {
		reply_keep(c, parts, count, 0);
		return;
	}
	n = count == 1 ? send(c->fd, parts->iov_base, len, MSG_NOSIGNAL)
		       : sendmsg(c->fd, &message, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		reply_broke(c, HTTP_DROP_RESET);
		return;
	}
	if (n < 0)
		n = 0;
	c->server->bytes_out += (size_t)n;
	if ((size_t)n < len)
		reply_keep(c, parts, count, (size_t)n);
}

void
http_reply_flush(struct http_connection *c)
{
	struct http_server *s = c->server;
	struct iovec all = { .iov_base = s->gather, .iov_len = s->gathered };

	if (s->gathered == 0)
		return;
	s->gathered = 0;
	reply_send(c, &all, 1, all.iov_len);
}

void
http_reply_send_rest(struct http_connection *c)
{
	ssize_t n = send(c->fd, c->rest + c->rest_sent, c->rest_len - c->rest_sent, MSG_NOSIGNAL);

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			reply_broke(c, HTTP_DROP_RESET);
		return;
	}
	c->server->bytes_out += (size_t)n;
	c->rest_sent += (size_t)n;
	if (c->rest_sent == c->rest_len)
		reply_forget_rest(c);
}

/* Into the gathering, which the connection's run flushes; at once where it cannot wait or does
 * not fit. */
static void
reply_dispatch(struct http_connection *c, struct iovec *parts, int count, size_t len)
{
	struct http_server *s = c->server;
	int i;

	if (c->running && s->gathered + len > HTTP_GATHER_SIZE)
		http_reply_flush(c);
	if (!c->running || len > HTTP_GATHER_SIZE) {
		reply_send(c, parts, count, len);
		return;
	}
	for (i = 0; i < count; i++) {
		memcpy(s->gather + s->gathered, parts[i].iov_base, parts[i].iov_len);
		s->gathered += parts[i].iov_len;
	}
}

void
http_reply_continue(struct http_connection *c)
{
	char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct iovec part = { .iov_base = text, .iov_len = sizeof(text) - 1 };

	reply_dispatch(c, &part, 1, part.iov_len);
}

/* The client left while the application worked, and there is no hook to tell it: this ends the
 * request. */
static void
reply_to_nobody(struct http_request *r)
{
	mem_free(&r->body);
	mem_free(&r->bytes);
	mem_free(&r);
}

void
http_reply(struct http_request *r, const struct http_answer *a)
{
	struct http_connection *c = r->connection;
	struct reply p;

	if (c == NULL) {
		reply_to_nobody(r);
		return;
	}
	assert(r->stage == HTTP_HANDED);
	if (a->close || (r->server->draining && !http_drain_is_followed(c)))
		c->closing = true;
	reply_compose(&p, r, a);
	r->stage = HTTP_ANSWERED;
	reply_dispatch(c, p.parts, p.count, p.len);
	if (!c->running)
		http_exchange_answered(c);
}

void
http_reply_stream(struct http_connection *c, const void *bytes, size_t len)
{
	struct iovec part = { .iov_len = len };

	memcpy(&part.iov_base, &bytes, sizeof(bytes));
	reply_dispatch(c, &part, 1, len);
}

void
http_stream_begin(struct http_request *r, const struct http_answer *a)
{
	struct http_connection *c = r->connection;
	const int small = 32768;
	struct reply p;

	assert(r->stage == HTTP_HANDED && r->server->hooks.gone != NULL);
	/* Small, so that one who does not read is soon told from one who does. */
	(void)setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	c->closing = true;
	r->stage = HTTP_STREAMED;
	reply_compose(&p, r, a);
	reply_dispatch(c, p.parts, p.count, p.len);
	if (!c->running)
		http_stream_settle(c);
}
