/* test_body.c - bodies of a stated length and in chunks. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "wire.h"

#define POST	"POST /p HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

static bool
body_is(const struct wire_answer *a, const char *text)
{
	return a->body_len == strlen(text) && memcmp(a->body, text, a->body_len) == 0;
}

Test(http_body, a_body_of_stated_length_ends_where_it_says)
{
	struct wire w = { .client = 0 };
	struct wire_answer a;

	wire_open(&w);
	wire_say(&w, POST "Content-Length: 3\r\n\r\nabcGET /n HTTP/1.1\r\nHost: a\r\n\r\n");
	WIRE_UNTIL(&w, wire_answers(&w) == 2);
	a = wire_answer(&w, 0);
	cr_expect(body_is(&a, "POST /p? abc"));
	a = wire_answer(&w, 1);
	cr_expect(body_is(&a, "GET /n? "));
	a = wire_ask(&w, POST "Content-Length: 0\r\n\r\n");
	cr_expect(body_is(&a, "POST /p? "));
	a = wire_ask(&w, "GET /g HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
	cr_expect(body_is(&a, "GET /g? x"), "a GET may have one");
	wire_close(&w);
}

Test(http_body, a_chunked_body_split_at_every_byte_is_read_the_same)
{
	static const char request[] =
	    CHUNKED "5\r\nhello\r\n00A;name=value;x=\"y\"\r\n0123456789\r\n1\r\n!\r\n"
		    "0;last\r\nX-Trailer: t\r\nX-More: u\r\n\r\n";
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
		cr_assert(body_is(&a, "POST /p? hello0123456789!"), "cut at %zu", cut);
	}
	a = wire_ask(&w, "GET /after HTTP/1.1\r\nHost: a\r\n\r\n");
	cr_expect_eq(a.status, 200, "the connection is in step");
	wire_close(&w);
}

Test(http_body, chunks_of_one_byte_each_fill_the_whole_limit)
{
	struct wire w = { .limits = wire_limits() };
	struct wire_answer a;
	char *text;
	size_t i, at;

	w.limits.body_max = 9000;
	wire_open(&w);
	text = mem_alloc(9000 * 6 + 512);
	at = (size_t)sprintf(text, CHUNKED);
	for (i = 0; i < 9000; i++)
		at += (size_t)sprintf(text + at, "1\r\n%c\r\n", (char)('a' + i % 26));
	strcpy(text + at, "0\r\n\r\n");
	a = wire_ask(&w, text);
	cr_expect_eq(a.status, 200);
	cr_expect_eq(a.body_len, 9 + 9000);
	cr_expect_eq(a.body[9 + 8999], (char)('a' + 8999 % 26));
	strcpy(text + at, "1\r\n!\r\n0\r\n\r\n");
	wire_expect_refusal(&w, text, strlen(text), 413);
	mem_free(&text);
	wire_close(&w);
}

Test(http_body, large_bodies_arrive_whole)
{
	struct wire w = { .client = 0 };
	struct wire_answer a;
	char *text;
	size_t i, at;

	wire_open(&w);
	text = mem_alloc(70000);
	at = (size_t)sprintf(text, POST "Content-Length: 65536\r\n\r\n");
	for (i = 0; i < 65536; i++)
		text[at + i] = (char)('a' + i % 26);
	a = wire_ask(&w, text);
	cr_assert_eq(a.body_len, 9 + 65536);
	cr_expect_eq(memcmp(a.body + 9, text + at, 65536), 0);
	mem_free(&text);
	wire_close(&w);
}

Test(http_body, a_stated_length_above_the_limit_is_refused_before_it_is_read)
{
	struct wire w = { .client = 0 };

	wire_open(&w);
	WIRE_REFUSED(&w, POST "Content-Length: 65537\r\n\r\n", 413);
	WIRE_REFUSED(&w, POST "Content-Length: 9999999999999999999\r\n\r\n", 413);
	WIRE_REFUSED(&w, POST "Content-Length: 65537\r\nExpect: 100-continue\r\n\r\n", 413);
	WIRE_REFUSED(&w, CHUNKED "10001\r\n", 413);
	WIRE_REFUSED(&w, CHUNKED "fffffffffffffffffffffff\r\n", 413);
	cr_expect_eq(w.drops[HTTP_DROP_LIMIT], 5);
	wire_close(&w);
}

Test(http_body, broken_chunks_are_refused)
{
	struct wire w = { .client = 0 };

	wire_open(&w);
	WIRE_REFUSED(&w, CHUNKED "\r\n", 400);
	WIRE_REFUSED(&w, CHUNKED "x\r\n", 400);
	WIRE_REFUSED(&w, CHUNKED "0x5\r\nhello\r\n0\r\n\r\n", 400);
	WIRE_REFUSED(&w, CHUNKED "+5\r\nhello\r\n0\r\n\r\n", 400);
	WIRE_REFUSED(&w, CHUNKED " 5\r\nhello\r\n0\r\n\r\n", 400);
	WIRE_REFUSED(&w, CHUNKED "5 \r\nhello\r\n0\r\n\r\n", 400);
	WIRE_REFUSED(&w, CHUNKED "5\nhello\r\n0\r\n\r\n", 400);
	WIRE_REFUSED(&w, CHUNKED "5;a\nb\r\nhello\r\n0\r\n\r\n", 400);
	WIRE_REFUSED(&w, CHUNKED "5\r\nhello0\r\n\r\n", 400);
	WIRE_REFUSED(&w, CHUNKED "5\r\nhello\n0\r\n\r\n", 400);
	WIRE_REFUSED(&w, CHUNKED "5\r\nhello\rx0\r\n\r\n", 400);
	WIRE_REFUSED(&w, CHUNKED "0\r\nX: y\n\r\n", 400);
	WIRE_REFUSED(&w, CHUNKED "0\r\nX: y\r\n z\r\n\r\n", 400);
	WIRE_REFUSED(&w, CHUNKED "0\r\n\rx", 400);
	WIRE_REFUSED(&w, CHUNKED "5;\0\r\nhello\r\n0\r\n\r\n", 400);
	wire_close(&w);
}

Test(http_body, trailers_and_framing_are_bounded)
{
	struct wire w = { .client = 0 };
	char text[8192];
	int len;

	wire_open(&w);
	len = snprintf(text, sizeof(text), CHUNKED "0\r\nX: %0*d\r\n\r\n", 2100, 1);
	wire_expect_refusal(&w, text, (size_t)len, 431);
	len = snprintf(text, sizeof(text), CHUNKED "1;%0*d\r\nx\r\n0\r\n\r\n", 4000, 1);
	wire_expect_refusal(&w, text, (size_t)len, 413);
	len = snprintf(text, sizeof(text), CHUNKED "%0*d\r\n", 4000, 0);
	wire_expect_refusal(&w, text, (size_t)len, 413);
	wire_close(&w);
}

Test(http_body, continue_is_said_only_when_the_body_is_wanted)
{
	struct wire w = { .client = 0 };
	struct wire_answer a;

	wire_open(&w);
	wire_say(&w, POST "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
	WIRE_UNTIL(&w, wire_answers(&w) == 1);
	cr_expect_eq(wire_answer(&w, 0).status, 100);
	cr_expect_eq(w.requests, 0);
	wire_say(&w, "abc");
	WIRE_UNTIL(&w, wire_answers(&w) == 2);
	a = wire_answer(&w, 1);
	cr_expect(body_is(&a, "POST /p? abc"));

	wire_connect(&w);
	wire_say(&w, POST "Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n\r\n");
	WIRE_UNTIL(&w, wire_answers(&w) == 1);
	cr_expect_eq(wire_answer(&w, 0).status, 100);
	wire_say(&w, "1\r\n");
	wire_settle(&w);
	cr_expect_eq(wire_answers(&w), 1, "it is said once");
	wire_say(&w, "x\r\n0\r\n\r\n");
	WIRE_UNTIL(&w, wire_answers(&w) == 2);

	wire_connect(&w);
	a = wire_ask(&w, POST "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc");
	cr_expect_eq(a.status, 200, "the body came without waiting");
	a = wire_ask(&w, "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n");
	cr_expect_eq(a.status, 200, "there is no body to wait for");
	a = wire_ask(&w, "POST /p HTTP/1.0\r\nConnection: keep-alive\r\nExpect: "
			 "100-continue\r\nContent-Length: 1\r\n\r\nx");
	cr_expect_eq(a.status, 200);
	WIRE_REFUSED(&w, POST "Expect: wonders\r\nContent-Length: 3\r\n\r\n", 417);
	wire_close(&w);
}

Test(http_body, an_answer_to_a_refused_upload_survives_the_upload)
{
	struct wire w = { .client = 0 };
	char *text;
	size_t len;

	wire_open(&w);
	text = mem_alloc(600000);
	len = (size_t)sprintf(text, POST "Content-Length: 500000\r\n\r\n");
	wire_expect_refusal(&w, text, len + 500000, 413);
	mem_free(&text);
	wire_close(&w);
}
