/* test_head.c - request lines and header fields: what is read, bounded and refused. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "wire.h"

#define GET "GET / HTTP/1.1\r\nHost: a\r\n"

static bool
body_is(const struct wire_answer *a, const char *text)
{
	return a->body_len == strlen(text) && memcmp(a->body, text, a->body_len) == 0;
}

Test(http_head, a_request_is_answered_and_the_connection_kept)
{
	struct wire w = { .client = 0 };
	struct wire_answer a;

	wire_open(&w);
	a = wire_ask(&w, "GET /a/b?c=d HTTP/1.1\r\nHost: x\r\n\r\n");
	cr_expect_eq(a.status, 200);
	cr_expect(body_is(&a, "GET /a/b?c=d "));
	cr_expect(wire_has(&a, "Content-Type: text/plain"));
	cr_expect_not(wire_has(&a, "Connection: close"));
	a = wire_ask(&w, "DELETE /z HTTP/1.1\r\nHost: x\r\n\r\n");
	cr_expect(body_is(&a, "DELETE /z? "));
	cr_expect_not(w.ended);
	wire_close(&w);
}

Test(http_head, a_request_split_at_every_byte_is_read_the_same)
{
	static const char request[] =
	    "\r\nPOST /p/q?r=s HTTP/1.1\r\nHost: h:1\r\nX-Long:  v w \t\r\nX-Empty:\r\n"
	    "Content-Length: 5\r\n\r\nhello";
	struct wire w = { .client = 0 };
	struct wire_answer a;
	size_t cut;

	wire_open(&w);
	for (cut = 1; cut < sizeof(request) - 1; cut++) {
		w.got_len = 0;
		wire_send(&w, request, cut);
		wire_settle(&w);
		cr_assert_eq(w.got_len, 0, "no answer before the whole request (%zu)", cut);
		wire_send(&w, request + cut, sizeof(request) - 1 - cut);
		WIRE_UNTIL(&w, wire_answers(&w) == 1);
		a = wire_answer(&w, 0);
		cr_assert(body_is(&a, "POST /p/q?r=s hello"), "cut at %zu", cut);
	}
	wire_close(&w);
}

Test(http_head, a_request_may_come_one_byte_at_a_time)
{
	static const char request[] = "GET /slow HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n";
	struct wire w = { .client = 0 };
	size_t i;

	wire_open(&w);
	for (i = 0; i < sizeof(request) - 1; i++) {
		wire_send(&w, request + i, 1);
		wire_turn(&w);
	}
	WIRE_UNTIL(&w, wire_answers(&w) == 1);
	cr_expect_eq(wire_answer(&w, 0).status, 200);
	wire_close(&w);
}

Test(http_head, fields_are_found_in_any_case_without_blanks_around)
{
	struct wire w = { .client = 0, .later = true };
	struct http_request *r;

	wire_open(&w);
	wire_say(
	    &w, "GET / HTTP/1.1\r\nhOsT: h\r\nX-One:   a b\t \r\nx-one: second\r\nX-None:\r\n\r\n");
	WIRE_UNTIL(&w, w.held_count == 1);
	r = w.held[0];
	cr_expect_str_eq(http_header(r, "Host"), "h");
	cr_expect_str_eq(http_header(r, "x-ONE"), "a b", "the first of two");
	cr_expect_str_eq(http_header(r, "X-None"), "");
	cr_expect_null(http_header(r, "X-On"));
	cr_expect_null(http_header(r, "X-Other"));
	cr_expect_str_eq(http_client(r), "local");
	cr_expect_gt(http_arrived(r), 0);
	wire_reply_held(&w, 0);
	wire_close(&w);
}

Test(http_head, targets_are_taken_in_each_form)
{
	struct wire w = { .client = 0 };
	struct wire_answer a;

	wire_open(&w);
	a = wire_ask(&w, "GET http://h.x:80/p?q=1 HTTP/1.1\r\nHost: h\r\n\r\n");
	cr_expect(body_is(&a, "GET /p?q=1 "));
	a = wire_ask(&w, "GET HTTPS://h HTTP/1.1\r\nHost: h\r\n\r\n");
	cr_expect(body_is(&a, "GET /? "));
	a = wire_ask(&w, "GET http://h?q=1 HTTP/1.1\r\nHost: h\r\n\r\n");
	cr_expect(body_is(&a, "GET /?q=1 "));
	a = wire_ask(&w, "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n");
	cr_expect(body_is(&a, "OPTIONS *? "));
	a = wire_ask(&w, "GET /a?b?c HTTP/1.1\r\nHost: h\r\n\r\n");
	cr_expect(body_is(&a, "GET /a?b?c "));
	a = wire_ask(&w, "GET //x/%2e HTTP/1.1\r\nHost: h\r\n\r\n");
	cr_expect(body_is(&a, "GET //x/%2e? "), "escapes and slashes stay as sent");
	wire_close(&w);
}

Test(http_head, targets_that_are_none_are_refused)
{
	struct wire w = { .client = 0 };

	wire_open(&w);
	WIRE_REFUSED(&w, "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400);
	WIRE_REFUSED(&w, "GET a/b HTTP/1.1\r\nHost: a\r\n\r\n", 400);
	WIRE_REFUSED(&w, "GET http:///p HTTP/1.1\r\nHost: a\r\n\r\n", 400);
	WIRE_REFUSED(&w, "GET http://u@h/p HTTP/1.1\r\nHost: a\r\n\r\n", 400);
	WIRE_REFUSED(&w, "GET ftp://h/p HTTP/1.1\r\nHost: a\r\n\r\n", 400);
	WIRE_REFUSED(&w, "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400);
	WIRE_REFUSED(&w, "GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n", 400);
	WIRE_REFUSED(&w, "GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n", 400);
	WIRE_REFUSED(&w, "GET /a\x80 HTTP/1.1\r\nHost: a\r\n\r\n", 400);
	WIRE_REFUSED(&w, "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400);
	WIRE_REFUSED(&w, "GET  HTTP/1.1\r\nHost: a\r\n\r\n", 400);
	WIRE_REFUSED(&w, "CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", 501);
	wire_close(&w);
}

Test(http_head, what_is_no_http_is_refused_at_once)
{
	struct wire w = { .client = 0 };

	wire_open(&w);
	WIRE_REFUSED(&w, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400);
	WIRE_REFUSED(&w, "hello\r\n", 400);
	WIRE_REFUSED(&w, "GET\r\n", 400);
	WIRE_REFUSED(&w, "GET /\r\n", 400);
	WIRE_REFUSED(&w, "get / HTTP/1.1\r\nHost: a\r\n\r\n", 400);
	WIRE_REFUSED(&w, " GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400);
	WIRE_REFUSED(&w, "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400);
	WIRE_REFUSED(&w, "GET / http/1.1\r\nHost: a\r\n\r\n", 400);
	WIRE_REFUSED(&w, "\r\n\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400);
	cr_expect_gt(w.drops[HTTP_DROP_MALFORMED], 0);
	wire_close(&w);
}

Test(http_head, other_versions_and_methods_are_named_as_such)
{
	struct wire w = { .client = 0 };

	wire_open(&w);
	WIRE_REFUSED(&w, "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505);
	WIRE_REFUSED(&w, "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505);
	WIRE_REFUSED(&w, "GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505);
	WIRE_REFUSED(&w, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505);
	WIRE_REFUSED(&w, "BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501);
	cr_expect_eq(w.refused, E_NOT_IMPLEMENTED);
	wire_close(&w);
}

Test(http_head, a_request_line_may_be_as_long_as_its_limit_and_no_longer)
{
	struct wire w = { .client = 0 };
	char line[600];
	int len;

	wire_open(&w);
	len = snprintf(line, sizeof(line), "GET /%0*d HTTP/1.1\r\nHost: a\r\n\r\n", 512 - 14, 7);
	cr_expect_eq(wire_ask(&w, line).status, 200);
	len = snprintf(line, sizeof(line), "GET /%0*d HTTP/1.1\r\nHost: a\r\n\r\n", 512 - 13, 7);
	wire_expect_refusal(&w, line, (size_t)len, 414);
	len = snprintf(line, sizeof(line), "GET /%0*d", 550, 7);
	wire_expect_refusal(&w, line, (size_t)len, 414);
	cr_expect_eq(w.drops[HTTP_DROP_LIMIT], 2);
	wire_close(&w);
}

Test(http_head, fields_are_bounded_in_bytes_and_in_number)
{
	struct wire w = { .client = 0 };
	char text[8192];
	int len, i;

	wire_open(&w);
	len = snprintf(text, sizeof(text), GET "X: %0*d\r\n\r\n", 2048 - 9 - 5, 1);
	cr_expect_eq(wire_ask(&w, text).status, 200, "exactly the limit");
	len = snprintf(text, sizeof(text), GET "X: %0*d\r\n\r\n", 2048 - 9 - 4, 1);
	wire_expect_refusal(&w, text, (size_t)len, 431);
	cr_expect_str_eq(w.refused_path, "/", "the path is known by then");
	len = snprintf(text, sizeof(text), GET "X: %0*d", 3000, 1);
	wire_expect_refusal(&w, text, (size_t)len, 431);
	wire_close(&w);

	w = (struct wire){ .limits = wire_limits() };
	w.limits.headers_max = 8000;
	wire_open(&w);
	len = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n");
	for (i = 1; i < HTTP_FIELDS_MAX; i++)
		len += snprintf(text + len, sizeof(text) - (size_t)len, "X-%d: y\r\n", i);
	strcpy(text + len, "\r\n");
	cr_expect_eq(wire_ask(&w, text).status, 200);
	strcpy(text + len, "Y: z\r\n\r\n");
	wire_expect_refusal(&w, text, (size_t)len + 8, 431);
	wire_close(&w);
}

Test(http_head, host_is_sent_once_and_sane)
{
	struct wire w = { .client = 0 };

	wire_open(&w);
	WIRE_REFUSED(&w, "GET / HTTP/1.1\r\n\r\n", 400);
	WIRE_REFUSED(&w, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400);
	WIRE_REFUSED(&w, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400);
	WIRE_REFUSED(&w, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400);
	wire_connect(&w);
	cr_expect_eq(
	    wire_ask(&w, "GET / HTTP/1.1\r\nHost:\r\n\r\n").status, 200, "empty is allowed");
	cr_expect_eq(wire_ask(&w, "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n").status, 200);
	cr_expect_eq(wire_ask(&w, "GET / HTTP/1.0\r\n\r\n").status, 200, "1.0 needs none");
	wire_close(&w);
}

Test(http_head, lines_end_in_cr_lf_and_nothing_else)
{
	struct wire w = { .client = 0 };

	wire_open(&w);
	WIRE_REFUSED(&w, "GET / HTTP/1.1\nHost: a\n\n", 400);
	WIRE_REFUSED(&w, "GET / HTTP/1.1\r\nHost: a\n\r\n", 400);
	WIRE_REFUSED(&w, "GET / HTTP/1.1\r\nHost: a\r\n\n", 400);
	WIRE_REFUSED(&w, "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400);
	WIRE_REFUSED(&w, "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", 400);
	WIRE_REFUSED(&w, "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\r\r\n", 400);
	WIRE_REFUSED(&w, "GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n", 400);
	WIRE_REFUSED(&w, "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", 400);
	WIRE_REFUSED(&w, "GET / HTTP/1.1\r\n X: b\r\nHost: a\r\n\r\n", 400);
	WIRE_REFUSED(&w, "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\tc\r\n\r\n", 400);
	wire_close(&w);
}

Test(http_head, names_are_tokens_that_end_at_the_colon)
{
	struct wire w = { .client = 0 };

	wire_open(&w);
	WIRE_REFUSED(&w, "GET / HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n", 400);
	WIRE_REFUSED(&w, "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400);
	WIRE_REFUSED(&w, "GET / HTTP/1.1\r\n: b\r\nHost: a\r\n\r\n", 400);
	WIRE_REFUSED(&w, "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", 400);
	WIRE_REFUSED(&w, "GET / HTTP/1.1\r\nHost: a\r\nX(: b\r\n\r\n", 400);
	WIRE_REFUSED(&w, "GET / HTTP/1.1\r\nHost: a\r\nX\x80: b\r\n\r\n", 400);
	WIRE_REFUSED(&w, "GET / HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n", 400);
	wire_close(&w);
}

Test(http_head, two_ways_of_saying_how_long_a_body_is_are_refused)
{
	struct wire w = { .client = 0 };

	wire_open(&w);
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"
	WIRE_REFUSED(
	    &w, POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400);
	WIRE_REFUSED(
	    &w, POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400);
	WIRE_REFUSED(&w, POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400);
	WIRE_REFUSED(&w, POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400);
	WIRE_REFUSED(&w, POST "Content-Length: 5, 5\r\n\r\nhello", 400);
	WIRE_REFUSED(&w, POST "Content-Length: +5\r\n\r\nhello", 400);
	WIRE_REFUSED(&w, POST "Content-Length: -5\r\n\r\nhello", 400);
	WIRE_REFUSED(&w, POST "Content-Length: 0x5\r\n\r\nhello", 400);
	WIRE_REFUSED(&w, POST "Content-Length: 5 5\r\n\r\nhello", 400);
	WIRE_REFUSED(&w, POST "Content-Length:\r\n\r\nhello", 400);
	WIRE_REFUSED(&w, POST "Content-Length : 5\r\n\r\nhello", 400);
	WIRE_REFUSED(&w, POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400);
	WIRE_REFUSED(&w,
	    POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400);
	WIRE_REFUSED(&w, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400);
	wire_close(&w);
}

Test(http_head, codings_other_than_chunked_are_not_implemented)
{
	struct wire w = { .client = 0 };

	wire_open(&w);
	WIRE_REFUSED(&w, POST "Transfer-Encoding: gzip\r\n\r\n", 501);
	WIRE_REFUSED(&w, POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501);
	WIRE_REFUSED(&w, POST "Transfer-Encoding: identity\r\n\r\n", 501);
	WIRE_REFUSED(&w, POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501);
	WIRE_REFUSED(&w, POST "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", 501);
	wire_close(&w);
}
