/* test_connection.c - requests one behind the other, answers at once and later, and the ways a
 * connection ends. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mem.h"
#include "wire.h"

#define GET "GET / HTTP/1.1\r\nHost: a\r\n"

static bool
body_is(struct wire *w, size_t index, const char *text)
{
	struct wire_answer a = wire_answer(w, index);

	return a.body_len == strlen(text) && memcmp(a.body, text, a.body_len) == 0;
}

Test(http_connection, version_one_point_zero_closes_unless_asked_to_keep)
{
	struct wire w = { .client = 0 };
	struct wire_answer a;

	wire_open(&w);
	a = wire_ask(&w, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	cr_expect(wire_has(&a, "Connection: keep-alive"));
	a = wire_ask(&w, "GET / HTTP/1.0\r\n\r\n");
	cr_expect(wire_has(&a, "Connection: close"));
	WIRE_UNTIL(&w, w.ended);
	cr_expect_eq(w.open, 0);
	wire_close(&w);
}

Test(http_connection, a_client_that_asks_to_close_is_closed_behind_its_answer)
{
	struct wire w = { .client = 0 };
	struct wire_answer a;

	wire_open(&w);
	wire_say(&w, GET "Connection: foo, Close\r\n\r\n" GET "\r\n");
	WIRE_UNTIL(&w, w.ended);
	cr_expect_eq(wire_answers(&w), 1);
	a = wire_answer(&w, 0);
	cr_expect(wire_has(&a, "Connection: close"));
	cr_expect_eq(w.requests, 1, "what follows is not looked at");
	wire_close(&w);
}

Test(http_connection, head_gets_the_length_and_no_body)
{
	struct wire w = { .heads_only = true };
	struct wire_answer a;

	wire_open(&w);
	a = wire_ask(&w, "HEAD /abc HTTP/1.1\r\nHost: a\r\n\r\n");
	cr_expect(wire_has(&a, "Content-Length: 11"));
	wire_settle(&w);
	cr_expect_eq(w.got_len, a.head_len);
	a = wire_ask(&w, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
	cr_expect_eq(a.status, 200, "the connection is in step");
	wire_close(&w);
}

Test(http_connection, pipelined_requests_are_answered_in_order)
{
	struct wire w = { .client = 0 };
	char text[64], *all;
	size_t i, at = 0;

	wire_open(&w);
	all = mem_alloc(2000 * 48);
	for (i = 0; i < 2000; i++)
		at += (size_t)sprintf(all + at, "GET /%zu HTTP/1.1\r\nHost: a\r\n\r\n", i);
	wire_send(&w, all, at);
	WIRE_UNTIL(&w, wire_answers(&w) == 2000);
	for (i = 0; i < 2000; i += 99) {
		snprintf(text, sizeof(text), "GET /%zu? ", i);
		cr_assert(body_is(&w, i, text), "%zu", i);
	}
	cr_expect_eq(w.bytes_in, at);
	cr_expect_eq(w.bytes_out, w.got_len);
	cr_expect_eq(
	    w.server->pool->size, HTTP_INPUT_FIRST, "the buffer has no need to grow for it");
	mem_free(&all);
	wire_close(&w);
}

Test(http_connection, one_request_of_a_connection_is_in_hand_at_a_time)
{
	struct wire w = { .later = true };
	size_t i;

	wire_open(&w);
	wire_say(&w, "GET /0 HTTP/1.1\r\nHost: a\r\n\r\nGET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
	wire_say(&w, "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
	for (i = 0; i < 3; i++) {
		WIRE_UNTIL(&w, w.held_count == i + 1);
		wire_settle(&w);
		cr_assert_eq(w.held_count, i + 1);
		cr_expect_eq(wire_answers(&w), i);
		wire_reply_held(&w, i);
		cr_assert_eq(w.held_count, i + 1, "no hook is called from within http_reply");
	}
	WIRE_UNTIL(&w, wire_answers(&w) == 3);
	cr_expect(body_is(&w, 0, "GET /0? "));
	cr_expect(body_is(&w, 2, "GET /2? "));
	wire_close(&w);
}

Test(http_connection, what_is_pipelined_behind_a_request_in_hand_is_bounded)
{
	struct wire w = { .later = true };
	char *flood;
	ssize_t n, sent = 0;
	int i;

	wire_open(&w);
	wire_say(&w, GET "\r\n");
	WIRE_UNTIL(&w, w.held_count == 1);
	flood = mem_alloc(1 << 20);
	memset(flood, 'x', 1 << 20);
	for (i = 0; i < 50; i++) {
		n = send(w.client, flood, 1 << 20, MSG_NOSIGNAL);
		sent += n > 0 ? n : 0;
		wire_turn(&w);
	}
	cr_expect_lt(w.bytes_in, 2 * HTTP_INPUT_FIRST,
	    "the rest waits in the kernel, and with it the client");
	cr_expect_lt(sent, 1 << 20);
	wire_reply_held(&w, 0);
	WIRE_UNTIL(&w, w.refused == E_MALFORMED_REQUEST);
	mem_free(&flood);
	wire_close(&w);
}

Test(http_connection, a_request_keeps_its_bytes_while_others_come_behind_it)
{
	struct wire w = { .later = true };
	const char *path, *header;

	wire_open(&w);
	wire_say(
	    &w, "POST /stay?q=1 HTTP/1.1\r\nHost: a\r\nX-A: kept\r\nContent-Length: 4\r\n\r\nbody");
	WIRE_UNTIL(&w, w.held_count == 1);
	path = http_path(w.held[0]);
	header = http_header(w.held[0], "x-a");
	wire_say(
	    &w, "GET /other/and/much/longer/than/that HTTP/1.1\r\nHost: a\r\nX-A: lost\r\n\r\n");
	wire_settle(&w);
	cr_expect_str_eq(path, "/stay");
	cr_expect_str_eq(header, "kept");
	wire_reply_held(&w, 0);
	WIRE_UNTIL(&w, w.held_count == 2);
	cr_expect(body_is(&w, 0, "POST /stay?q=1 body"));
	cr_expect_eq(http_tag(w.held[1]), &w, "set by the application");
	wire_reply_held(&w, 1);
	wire_close(&w);
}

Test(http_connection, the_application_may_close_behind_an_answer)
{
	struct wire w = { .closes = true };
	struct wire_answer a;

	wire_open(&w);
	a = wire_ask(&w, GET "\r\n");
	cr_expect(wire_has(&a, "Connection: close"));
	WIRE_UNTIL(&w, w.ended);
	cr_expect_eq(w.open, 1, "lingers, so that bytes on their way do not reset the answer");
	close(w.client);
	w.client = -1;
	WIRE_UNTIL(&w, w.open == 0);
	wire_close(&w);
}

Test(http_connection, a_client_that_half_closes_gets_its_answers)
{
	struct wire w = { .client = 0 };

	wire_open(&w);
	wire_say(&w, GET "\r\n" GET "\r\n");
	shutdown(w.client, SHUT_WR);
	WIRE_UNTIL(&w, w.ended);
	cr_expect_eq(wire_answers(&w), 2);
	cr_expect_eq(w.open, 0);

	w.later = true;
	wire_connect(&w);
	wire_say(&w, GET "\r\n");
	shutdown(w.client, SHUT_WR);
	WIRE_UNTIL(&w, w.held_count == 1);
	wire_settle(&w);
	cr_expect_eq(w.gone, 0);
	wire_reply_held(&w, 0);
	WIRE_UNTIL(&w, w.ended);
	cr_expect_eq(wire_answers(&w), 1);
	wire_close(&w);
}

Test(http_connection, a_request_cut_short_is_malformed)
{
	struct wire w = { .client = 0 };

	wire_open(&w);
	wire_say(&w, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
	shutdown(w.client, SHUT_WR);
	WIRE_UNTIL(&w, w.ended);
	cr_expect_eq(wire_answer(&w, 0).status, 400);
	wire_connect(&w);
	wire_say(&w, "GET / HT");
	shutdown(w.client, SHUT_WR);
	WIRE_UNTIL(&w, w.ended);
	cr_expect_eq(wire_answer(&w, 0).status, 400);
	wire_connect(&w);
	shutdown(w.client, SHUT_WR);
	WIRE_UNTIL(&w, w.ended);
	cr_expect_eq(w.got_len, 0, "nothing was asked");
	wire_close(&w);
}

Test(http_connection, a_request_cut_short_behind_one_in_hand_is_malformed_too)
{
	struct wire w = { .later = true };

	wire_open(&w);
	wire_say(&w, GET "\r\n"
			 "GET / HT");
	shutdown(w.client, SHUT_WR);
	WIRE_UNTIL(&w, w.held_count == 1);
	wire_settle(&w);
	wire_reply_held(&w, 0);
	WIRE_UNTIL(&w, w.ended);
	cr_expect_eq(wire_answer(&w, 0).status, 200);
	cr_expect_eq(wire_answer(&w, 1).status, 400);
	wire_close(&w);
}

Test(http_connection, the_application_hears_of_a_client_that_left)
{
	struct wire w = { .later = true };

	wire_open(&w);
	wire_say(&w, GET "\r\n");
	WIRE_UNTIL(&w, w.held_count == 1);
	close(w.client);
	w.client = -1;
	wire_settle(&w);
	cr_expect_eq(w.gone, 0, "it may have half-closed");
	wire_pass(&w, HTTP_LINGER_MS + 1);
	WIRE_UNTIL(&w, w.gone == 1);
	cr_expect_eq(w.open, 0);
	wire_close(&w);
}

Test(http_connection, the_application_hears_of_a_reset_at_once)
{
	struct wire w = { .client = 0 };

	wire_open(&w);
	wire_ask(&w, GET "\r\n");
	wire_say(&w, GET "\r\n");
	loop_turn(w.loop, 1);
	w.later = true;
	wire_say(&w, GET "\r\n");
	WIRE_UNTIL(&w, w.held_count == 1);
	w.later = false;
	/* An answer nobody read makes the close of a Unix socket a reset. */
	cr_assert_eq(send(w.held[0]->connection->fd, "x", 1, 0), 1);
	close(w.client);
	w.client = -1;
	WIRE_UNTIL(&w, w.gone == 1);
	cr_expect_eq(w.drops[HTTP_DROP_RESET], 1);
	wire_close(&w);
}

Test(http_connection, a_request_whose_client_left_may_be_answered_where_nobody_listens_for_that)
{
	struct wire w = { .later = true };
	struct http_request *r;

	wire_open(&w);
	w.server->hooks.gone = NULL;
	wire_say(&w, "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
	WIRE_UNTIL(&w, w.held_count == 1);
	r = w.held[0];
	close(w.client);
	w.client = -1;
	wire_pass(&w, HTTP_LINGER_MS + 1);
	WIRE_UNTIL(&w, w.open == 0);
	cr_expect_str_eq(http_path(r), "/p", "it still has its bytes");
	cr_expect_str_eq(http_client(r), "");
	wire_reply_held(&w, 0);
	wire_close(&w);
}

Test(http_connection, a_server_that_is_freed_gives_up_what_is_in_hand)
{
	struct wire w = { .later = true };

	wire_open(&w);
	wire_say(&w, GET "\r\n");
	WIRE_UNTIL(&w, w.held_count == 1);
	http_server_free(&w.server);
	cr_expect_eq(w.gone, 1);
	cr_expect_null(w.server);
	wire_close(&w);
}

Test(http_connection, at_rest_it_is_one_small_struct)
{
	struct wire w = { .client = 0 };
	struct http_connection *c;

	wire_open(&w);
	wire_ask(&w, GET "\r\n");
	wire_settle(&w);
	c = TAILQ_FIRST(&w.server->phases[HTTP_IDLE]);
	cr_assert_not_null(c);
	cr_expect_null(c->request);
	cr_expect_null(c->rest);
	cr_expect_leq(sizeof(*c), 512);
	cr_expect_eq(w.server->pooled, 1, "its buffer is the next one's");
	wire_close(&w);
}
