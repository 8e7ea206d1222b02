/* test_exchange.c - HTTP exchanges with a server in the same process, which answers as each test wishes. */
#include "exchange.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "clock.h"
#include "log.h"
#include "mem.h"

#define KEY    "PKTESTKEY0000000001"
#define SECRET "s3cr3t-never-to-be-seen"
#define OK     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

struct bench {
	struct loop *loop;
	struct conf conf;
	struct upstream *upstream;
	struct event *listener, *connections[16];
	unsigned connection_count, requests;
	char seen[4096];    /* of the last request */
	const char *answer; /* null: says nothing */
	size_t answer_len;
	unsigned
	    close_from; /* from this request on the connection is closed: unanswered when it was kept */
	bool close_after;
	struct exchange *done;
	struct exchange copy;
	char body[8192];
	bool ready;
};

static struct bench *b;
static atomic_bool silent_asked;

/* The program's own comes before libc's, for libcurl's resolver too: a name whose server says nothing for long. */
int
getaddrinfo(
    const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
	void *symbol = dlsym(RTLD_NEXT, __func__);

	memcpy(&real, &symbol, sizeof(real));
	if (node == NULL || strcmp(node, "silent.invalid") != 0)
		return real(node, service, hints, result);
	silent_asked = true;
	sleep(4);
	return EAI_AGAIN;
}

static void
on_request(evutil_socket_t fd, short what, void *owner)
{
	struct event **self = owner;
	char data[4096];
	ssize_t n = read(fd, data, sizeof(data) - 1);

	(void)what;
	if (n > 0) {
		data[n] = '\0';
		memcpy(b->seen, data, (size_t)n + 1);
		b->requests++;
	}
	if (n > 0 && b->answer != NULL && (b->close_from == 0 || b->requests != b->close_from))
		cr_assert_eq(write(fd, b->answer, b->answer_len), (ssize_t)b->answer_len);
	if (n <= 0 || b->close_after || (b->close_from != 0 && b->requests == b->close_from)) {
		event_free(*self);
		*self = NULL;
		close(fd);
	}
}

static void
on_accept(evutil_socket_t fd, short what, void *owner)
{
	int c = accept(fd, NULL, NULL);
	struct event **slot = &b->connections[b->connection_count++];

	(void)what, (void)owner;
	cr_assert_lt(b->connection_count, 16u);
	*slot = event_new(loop_base(b->loop), c, EV_READ | EV_PERSIST, on_request, slot);
	event_add(*slot, NULL);
}

static void
on_ready(void *owner)
{
	((struct bench *)owner)->ready = true;
}

static void
serve(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	cr_assert_eq(listen(fd, 16), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	b->listener = event_new(loop_base(b->loop), fd, EV_READ | EV_PERSIST, on_accept, NULL);
	event_add(b->listener, NULL);
	snprintf(b->conf.alpaca_data_url, sizeof(b->conf.alpaca_data_url), "http://127.0.0.1:%d/",
	    ntohs(a.sin_port));
}

static void
setup(void)
{
	log_open("test", LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	b = mem_alloc(sizeof(*b));
	b->loop = loop_new();
	conf_defaults(&b->conf);
	strcpy(b->conf.alpaca_key, KEY);
	strcpy(b->conf.alpaca_secret, SECRET);
	serve();
	strcpy(b->conf.alpaca_trading_url, "http://silent.invalid");
	b->upstream = upstream_new(b->loop, &b->conf, on_ready, b);
	for (int64_t end = clock_mono() + 20 * CLOCK_SEC; !b->ready && clock_mono() < end;)
		loop_turn(b->loop, 50);
	cr_assert(b->ready, "libcurl was not loaded");
}

static void
teardown(void)
{
	upstream_free(&b->upstream);
	close(event_get_fd(b->listener));
	event_free(b->listener);
	for (unsigned i = 0; i < b->connection_count; i++)
		if (b->connections[i] != NULL) {
			close(event_get_fd(b->connections[i]));
			event_free(b->connections[i]);
		}
	loop_free(&b->loop);
	mem_free(&b);
}

TestSuite(exchange, .init = setup, .fini = teardown);

static void
on_done(struct exchange *e, void *owner)
{
	struct bench *bench = owner;
	size_t n = buf_len(&e->body) < sizeof(bench->body) - 1 ? buf_len(&e->body)
							       : sizeof(bench->body) - 1;

	bench->copy = *e;
	if (n > 0)
		memcpy(bench->body, buf_data(&e->body), n);
	bench->body[n] = '\0';
	bench->done = e;
}

static void
answer_with(const char *text, size_t len)
{
	b->answer = text;
	b->answer_len = len;
}

static const struct exchange *
call(int64_t timeout_ms)
{
	int64_t end = clock_mono() + 20 * CLOCK_SEC;

	b->done = NULL;
	upstream_call(b->upstream, HOST_DATA, "/v2/x?symbols=AAPL", timeout_ms, NULL, on_done, b);
	while (b->done == NULL && clock_mono() < end)
		loop_turn(b->loop, 50);
	cr_assert_not_null(b->done, "the exchange does not end");
	return &b->copy;
}

Test(exchange, takes_no_header_that_is_not_what_it_should_be)
{
	static const char text[] =
	    "HTTP/1.1 200 OK\r\nX-RateLimit-Limit: 99999999999999999999999\r\n"
	    "X-RateLimit-Remaining: -4\r\nX-RateLimit-Reset: 17 o'clock\r\n"
	    "X-Request-ID: a\x1b[31mb\xc3\xa4\r\nContent-Length: 2\r\n\r\n{}";
	const struct exchange *e;

	answer_with(text, sizeof(text) - 1);
	e = call(5000);
	cr_expect_eq(e->status, 200);
	cr_expect_eq(e->rate_limit, -1);
	cr_expect_eq(e->rate_remaining, -1);
	cr_expect_eq(e->rate_reset, -1);
	cr_expect_str_eq(e->request_id, "");
}

Test(exchange, sends_the_key_and_takes_what_the_headers_say)
{
	static const char text[] =
	    "HTTP/1.1 200 OK\r\nx-ratelimit-limit: 200\r\nX-RateLimit-Remaining: 42\r\n"
	    "X-RateLimit-Reset: 1700000000\r\nX-Request-ID: abc-1\r\nX-Opitios-Replay: "
	    "yes\r\nContent-Length: 13\r\n\r\n"
	    "{\"quotes\":{}}";
	const struct exchange *e;

	answer_with(text, sizeof(text) - 1);
	e = call(5000);
	cr_expect_eq(e->end, EXCHANGE_ANSWERED);
	cr_expect_eq(e->status, 200);
	cr_expect_str_eq(b->body, "{\"quotes\":{}}");
	cr_expect_eq(e->rate_limit, 200);
	cr_expect_eq(e->rate_remaining, 42);
	cr_expect_eq(e->rate_reset, 1700000000);
	cr_expect_str_eq(e->request_id, "abc-1");
	cr_expect(e->is_replay);
	cr_expect_eq(e->sent, 1);
	cr_expect_gt(e->latency_ns, 0);
	cr_expect_eq(strncmp(b->seen, "GET /v2/x?symbols=AAPL HTTP/1.1\r\n", 33), 0, "%s", b->seen);
	cr_expect_not_null(strstr(b->seen, "APCA-API-KEY-ID: " KEY "\r\n"));
	cr_expect_not_null(strstr(b->seen, "APCA-API-SECRET-KEY: " SECRET "\r\n"));
	cr_expect_not_null(strstr(b->seen, "Accept-Encoding: gzip\r\n"));
	cr_expect_not_null(strstr(b->seen, "User-Agent: opitios-alpaca/"));
	cr_expect_null(strstr(e->path, SECRET));
	cr_expect_str_eq(
	    b->conf.alpaca_secret, "", "and the configuration does not hold it any more");
}

Test(exchange, the_date_of_an_answer_is_read_and_a_strange_one_is_none)
{
	static const char right[] = "HTTP/1.1 200 OK\r\nDate: Fri, 08 Mar 2024 17:00:00 GMT\r\n"
				    "Content-Length: 2\r\n\r\n{}";
	static const char wrong[] = "HTTP/1.1 200 OK\r\nDate: Fri, 88 Mar 99999 17:00:00\r\n"
				    "Content-Length: 2\r\n\r\n{}";

	answer_with(right, sizeof(right) - 1);
	cr_expect_eq(call(5000)->date_ns, INT64_C(1709917200) * CLOCK_SEC);
	answer_with(wrong, sizeof(wrong) - 1);
	cr_expect_eq(call(5000)->date_ns, 0);
	answer_with(OK, sizeof(OK) - 1);
	cr_expect_eq(call(5000)->date_ns, 0, "of an answer before");
}

Test(exchange, a_kept_connection_is_used_again)
{
	answer_with(OK, sizeof(OK) - 1);
	for (int i = 0; i < 5; i++)
		cr_expect_eq(call(5000)->status, 200);
	cr_expect_eq(b->connection_count, 1);
}

Test(exchange, a_request_sent_again_behind_our_back_is_counted)
{
	answer_with(OK, sizeof(OK) - 1);
	cr_expect_eq(call(5000)->sent, 1);
	b->close_from = 2;
	cr_expect_eq(call(5000)->status, 200);
	cr_expect_eq(b->copy.sent, 2);
	cr_expect_eq(b->requests, 3);
}

Test(exchange, a_packed_body_is_unpacked)
{
	static const char body[] = "{\"quotes\":{\"AAPL\":null}}";
	static char text[512];
	z_stream z = { .next_in = (Bytef *)body, .avail_in = sizeof(body) - 1 };
	Bytef packed[256];
	size_t len;

	deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
	z.next_out = packed;
	z.avail_out = sizeof(packed);
	cr_assert_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	len = (size_t)snprintf(text, sizeof(text),
	    "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %lu\r\n\r\n",
	    z.total_out);
	memcpy(text + len, packed, z.total_out);
	answer_with(text, len + z.total_out);
	deflateEnd(&z);
	cr_expect_eq(call(5000)->end, EXCHANGE_ANSWERED);
	cr_expect_str_eq(b->body, body);
}

Test(exchange, a_redirect_is_an_answer_and_not_followed)
{
	static const char text[] =
	    "HTTP/1.1 301 Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n";

	answer_with(text, sizeof(text) - 1);
	cr_expect_eq(call(5000)->status, 301);
	cr_expect_eq(b->requests, 1);
}

Test(exchange, a_body_beyond_the_bound_is_cut_off_while_it_comes)
{
	static char text[300000];
	size_t n = (size_t)snprintf(
	    text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");

	memset(text + n, 'x', sizeof(text) - n);
	b->conf.upstream_response_max = 65536;
	b->answer = text;
	b->answer_len = 150000;
	cr_expect_eq(call(5000)->end, EXCHANGE_TOO_LARGE);
	cr_expect_leq(buf_len(&b->copy.body), 65536);
}

Test(exchange, a_body_that_breaks_off_is_no_answer)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"quotes\":";

	answer_with(text, sizeof(text) - 1);
	b->close_after = true;
	cr_expect_eq(call(5000)->end, EXCHANGE_UNREACHABLE);
	cr_expect_neq(b->copy.text[0], '\0');
}

Test(exchange, silence_ends_at_its_time)
{
	int64_t begun = clock_mono();

	cr_expect_eq(call(200)->end, EXCHANGE_TIMED_OUT);
	cr_expect_geq(clock_mono() - begun, 190 * CLOCK_MS);
	cr_expect_eq(b->requests, 1);
}

Test(exchange, what_is_not_http_is_garbled)
{
	answer_with("220 smtp.example.org ESMTP\r\n", 28);
	b->close_after = true;
	cr_expect_eq(call(2000)->end, EXCHANGE_GARBLED);
}

Test(exchange, nobody_there_is_unreachable_at_once)
{
	int64_t begun = clock_mono();

	event_del(b->listener);
	shutdown(event_get_fd(b->listener), SHUT_RDWR);
	cr_expect_eq(call(5000)->end, EXCHANGE_UNREACHABLE);
	cr_expect_lt(clock_mono() - begun, 2 * CLOCK_SEC);
	cr_expect_eq(b->copy.sent, 0);
}

Test(exchange, calls_under_way_end_with_the_upstream)
{
	upstream_call(b->upstream, HOST_DATA, "/v2/x", 5000, NULL, on_done, b);
	loop_turn(b->loop, 10);
	upstream_free(&b->upstream);
	cr_expect_null(b->done);
}

Test(exchange, a_silent_name_server_does_not_stop_the_loop)
{
	int64_t begun = clock_mono(), end = begun + 20 * CLOCK_SEC;

	upstream_call(b->upstream, HOST_TRADING, "/v2/clock", 200, NULL, on_done, b);
	while (b->done == NULL && clock_mono() < end)
		loop_turn(b->loop, 50);
	cr_expect_eq(b->copy.end, EXCHANGE_TIMED_OUT);
	cr_expect(silent_asked, "the name was looked up elsewhere");
	cr_expect_lt(clock_mono() - begun, 2 * CLOCK_SEC);
	upstream_call(b->upstream, HOST_TRADING, "/v2/clock", 5000, NULL, on_done, b);
	loop_turn(b->loop, 50);
	begun = clock_mono();
	upstream_free(&b->upstream);
	cr_expect_lt(clock_mono() - begun, 2 * CLOCK_SEC, "its end waited for an answer");
}
