/* test_stream.c - answers without an end: what is sent, who is slow, how they end. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mem.h"
#include "wire.h"

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

/* A stream that has begun; in held[0]. */
static void
stream_open(struct wire *w)
{
	w->later = true;
	wire_open(w);
	wire_say(w, GET);
	WIRE_UNTIL(w, w->held_count == 1);
	http_stream_begin(w->held[0], &(struct http_answer){ .status = 200,
					  .type = "text/event-stream",
					  .headers = "X-A: 1\r\n",
					  .headers_len = 8 });
}

static bool
has(const struct wire *w, const char *text)
{
	return memmem(w->got, w->got_len, text, strlen(text)) != NULL;
}

Test(http_stream, pieces_leave_as_they_are_given_behind_a_head_without_a_length)
{
	struct wire w = { .client = 0 };

	stream_open(&w);
	cr_expect(http_is_stream(w.held[0]));
	cr_assert_eq(http_stream_send(w.held[0], "one", 3), E_OK);
	WIRE_UNTIL(&w, has(&w, "one"));
	cr_expect(has(&w, "HTTP/1.1 200 OK\r\n"));
	cr_expect(
	    has(&w, "Connection: close\r\nContent-Type: text/event-stream\r\nX-A: 1\r\n\r\none"));
	cr_expect_not(has(&w, "Content-Length"));
	cr_assert_eq(http_stream_send(w.held[0], "two", 3), E_OK);
	WIRE_UNTIL(&w, has(&w, "onetwo"));
	http_stream_end(w.held[0]);
	WIRE_UNTIL(&w, w.ended);
	cr_expect_eq(w.gone, 0, "who ends it knows");
	wire_close(&w);
}

Test(http_stream, no_timeout_ends_one)
{
	struct wire w = { .limits = wire_limits() };

	w.limits.total_timeout_ms = w.limits.idle_timeout_ms = 1000;
	clock_fake(CLOCK_DAY, CLOCK_DAY);
	stream_open(&w);
	for (int i = 0; i < 5; i++)
		wire_pass(&w, 1000);
	wire_settle(&w);
	cr_assert_not(w.ended);
	cr_expect_eq(http_stream_send(w.held[0], "still", 5), E_OK);
	WIRE_UNTIL(&w, has(&w, "still"));
	wire_close(&w);
	cr_expect_eq(w.gone, 1);
}

Test(http_stream, a_client_that_leaves_is_told_at_once)
{
	struct wire w = { .client = 0 };

	stream_open(&w);
	wire_settle(&w);
	close(w.client);
	w.client = -1;
	WIRE_UNTIL(&w, w.gone == 1);
	cr_expect_eq(w.open, 0);
	wire_close(&w);
}

Test(http_stream, what_a_client_says_meanwhile_is_thrown_away)
{
	struct wire w = { .client = 0 };

	stream_open(&w);
	for (int i = 0; i < 50; i++)
		wire_say(&w, GET);
	wire_settle(&w);
	cr_expect_eq(w.requests, 1);
	cr_expect_not(w.ended);
	wire_close(&w);
}

Test(http_stream, a_client_that_does_not_read_has_one_piece_waiting_and_no_more)
{
	static char piece[30000];
	struct wire w = { .client = 0 };
	int sent = 0;

	stream_open(&w);
	memset(piece, 'x', sizeof(piece));
	while (sent < 100 && http_stream_send(w.held[0], piece, sizeof(piece)) == E_OK) {
		loop_turn(w.loop, 1);
		sent++;
	}
	cr_assert_lt(sent, 20, "its kernel buffer is small");
	cr_expect_leq(w.server->waiting, sizeof(piece));
	for (int i = 0; i < 10; i++)
		cr_assert_eq(http_stream_send(w.held[0], piece, sizeof(piece)), E_FULL);
	cr_expect_leq(w.server->waiting, sizeof(piece));
	/* It reads on, and is served on. */
	WIRE_UNTIL(&w, w.got_len > (size_t)sent * sizeof(piece));
	cr_expect_eq(http_stream_send(w.held[0], "more", 4), E_OK);
	WIRE_UNTIL(&w, has(&w, "more"));
	wire_close(&w);
}

Test(http_stream, a_client_that_is_cut_is_gone_in_the_next_turn)
{
	static char piece[30000];
	struct wire w = { .client = 0 };

	stream_open(&w);
	while (http_stream_send(w.held[0], piece, sizeof(piece)) == E_OK)
		loop_turn(w.loop, 1);
	http_stream_cut(w.held[0]);
	cr_expect_eq(w.gone, 0, "not from within");
	http_stream_cut(w.held[0]);
	loop_turn(w.loop, 1);
	cr_expect_eq(w.gone, 1);
	cr_expect_eq(w.drops[HTTP_DROP_LIMIT], 1);
	cr_expect_eq(w.server->waiting, 0);
	cr_expect_eq(w.open, 0);
	wire_close(&w);
}

static void
on_drained(void *arg)
{
	((struct wire *)arg)->drained++;
}

Test(http_stream, draining_ends_one_and_tells_its_owner)
{
	struct wire w = { .client = 0 };

	stream_open(&w);
	wire_settle(&w);
	http_server_drain(
	    w.server, &(struct http_drain){ .timeout_ms = 30000, .done = on_drained, .arg = &w });
	WIRE_UNTIL(&w, w.ended);
	cr_expect_eq(w.gone, 1);
	close(w.client);
	w.client = -1;
	WIRE_UNTIL(&w, w.drained == 1);
	wire_close(&w);
}

Test(http_stream, one_that_begins_while_draining_ends_too)
{
	struct wire w = { .client = 0 };

	w.later = true;
	wire_open(&w);
	wire_say(&w, GET);
	WIRE_UNTIL(&w, w.held_count == 1);
	http_server_drain(
	    w.server, &(struct http_drain){ .timeout_ms = 30000, .done = on_drained, .arg = &w });
	wire_settle(&w);
	http_stream_begin(w.held[0], &(struct http_answer){ .status = 200 });
	WIRE_UNTIL(&w, w.ended);
	cr_expect_eq(w.gone, 1);
	wire_close(&w);
}
