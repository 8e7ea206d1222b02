/* test_reply.c - what an answer looks like, and how large ones leave. */
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "mem.h"
#include "wire.h"

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

struct fixed {
	struct wire wire;
	struct http_answer answer;
};

static void
fixed_on_request(struct http_request *r, void *owner)
{
	struct fixed *f = owner;

	f->wire.requests++;
	http_reply(r, &f->answer);
}

static void
fixed_open(struct fixed *f)
{
	wire_open(&f->wire);
	f->wire.server->hooks.request = fixed_on_request;
}

Test(http_reply, an_answer_carries_date_server_type_length_and_further_lines)
{
	static const char lines[] = "X-One: 1\r\nX-Two: 2\r\n";
	struct fixed f = { .answer = { .status = 503,
			       .type = "application/json",
			       .headers = lines,
			       .headers_len = sizeof(lines) - 1,
			       .body = "{\"a\":",
			       .body_len = 5,
			       .body2 = "[1]",
			       .body2_len = 3,
			       .body3 = "}",
			       .body3_len = 1 } };
	struct wire_answer a;

	clock_fake(INT64_C(784111777) * CLOCK_SEC, CLOCK_DAY);
	fixed_open(&f);
	a = wire_ask(&f.wire, GET);
	cr_expect_eq(strncmp(a.head, "HTTP/1.1 503 Service Unavailable\r\n", 34), 0);
	cr_expect(wire_has(&a, "Date: Sun, 06 Nov 1994 08:49:37 GMT"));
	cr_expect(wire_has(&a, "Server: opitios-alpaca"));
	cr_expect(wire_has(&a, "Content-Type: application/json"));
	cr_expect(wire_has(&a, "Content-Length: 9"));
	cr_expect(wire_has(&a, "X-One: 1"));
	cr_expect(wire_has(&a, "X-Two: 2"));
	cr_expect_eq(memcmp(a.body, "{\"a\":[1]}", 9), 0);
	clock_fake(INT64_C(784111778) * CLOCK_SEC, CLOCK_DAY + CLOCK_SEC);
	a = wire_ask(&f.wire, GET);
	cr_expect(wire_has(&a, "Date: Sun, 06 Nov 1994 08:49:38 GMT"), "the second moved on");
	wire_close(&f.wire);
}

Test(http_reply, answers_without_a_body_have_no_length)
{
	struct fixed f = { .answer = { .status = 204, .body = "ignored", .body_len = 7 } };
	struct wire_answer a;

	fixed_open(&f);
	a = wire_ask(&f.wire, GET);
	cr_expect_null(memmem(a.head, a.head_len, "Content-", 8));
	wire_settle(&f.wire);
	cr_expect_eq(f.wire.got_len, a.head_len);
	f.answer.status = 304;
	a = wire_ask(&f.wire, GET);
	cr_expect_null(memmem(a.head, a.head_len, "Content-", 8));
	f.answer = (struct http_answer){ .status = 200 };
	a = wire_ask(&f.wire, GET);
	cr_expect(wire_has(&a, "Content-Length: 0"));
	wire_close(&f.wire);
}

static void
expect_pattern(struct wire *w, size_t index, const uint8_t *pattern, size_t len)
{
	struct wire_answer a = wire_answer(w, index);

	cr_assert_eq(a.body_len, len);
	cr_assert_eq(memcmp(a.body, pattern, len), 0, "answer %zu", index);
}

/* Sizes around the gathering's and beyond what a socket takes at once, alone and pipelined. */
Test(http_reply, answers_of_every_size_arrive_whole_and_in_order)
{
	static const size_t sizes[] = { 0, 1, 600, 30000, HTTP_GATHER_SIZE - 200, HTTP_GATHER_SIZE,
		HTTP_GATHER_SIZE + 1, 900000 };
	struct fixed f = { .answer = { .status = 200 } };
	uint8_t *pattern = mem_alloc(1000000);
	size_t i, k;

	for (i = 0; i < 1000000; i++)
		pattern[i] = (uint8_t)(i * 7 + i / 251);
	fixed_open(&f);
	f.answer.body = pattern;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		f.answer.body_len = sizes[i];
		f.wire.got_len = 0;
		wire_say(&f.wire, GET GET GET);
		WIRE_UNTIL(&f.wire, wire_answers(&f.wire) == 3);
		for (k = 0; k < 3; k++)
			expect_pattern(&f.wire, k, pattern, sizes[i]);
	}
	mem_free(&pattern);
	wire_close(&f.wire);
}

Test(http_reply, a_blocked_client_stops_the_work_on_what_it_pipelined)
{
	struct fixed f = { .answer = { .status = 200, .body_len = 60000 } };
	uint8_t *pattern = mem_alloc(60000);
	size_t i;

	fixed_open(&f);
	f.answer.body = pattern;
	for (i = 0; i < 40; i++)
		cr_assert_eq(
		    send(f.wire.client, GET, sizeof(GET) - 1, 0), (ssize_t)sizeof(GET) - 1);
	for (i = 0; i < 20; i++)
		loop_turn(f.wire.loop, 1);
	cr_expect_lt(f.wire.requests, 20, "the kernel's buffer is full by then");
	WIRE_UNTIL(&f.wire, wire_answers(&f.wire) == 40);
	expect_pattern(&f.wire, 39, pattern, 60000);
	mem_free(&pattern);
	wire_close(&f.wire);
}

Test(http_reply, an_answer_given_inside_another_connections_hook_does_not_mix_with_its)
{
	struct wire w = { .later = true };
	struct wire_answer a;
	int first;

	wire_open(&w);
	wire_say(&w, "GET /first HTTP/1.1\r\nHost: a\r\n\r\n");
	WIRE_UNTIL(&w, w.held_count == 1);
	first = w.client;
	w.client = -1;
	wire_connect(&w);
	w.later = false;
	w.server->gathered = 0;
	wire_say(&w, "GET /second HTTP/1.1\r\nHost: a\r\n\r\n");
	memcpy(w.server->gather, "GATHERED", 8);
	w.server->gathered = 8; /* as if in the middle of the second's run */
	wire_reply_held(&w, 0);
	cr_expect_eq(w.server->gathered, 8);
	w.server->gathered = 0;
	close(w.client);
	w.client = first;
	WIRE_UNTIL(&w, wire_answers(&w) == 1);
	a = wire_answer(&w, 0);
	cr_expect_eq(a.body_len, 12);
	cr_expect_eq(memcmp(a.body, "GET /first? ", 12), 0);
	wire_close(&w);
}
