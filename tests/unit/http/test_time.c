/* test_time.c - every wait has an end: idle, head, body, whole request, lingering. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "wire.h"

#define GET  "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n"

static void
time_open(struct wire *w)
{
	w->limits = wire_limits();
	w->limits.header_timeout_ms = 1000;
	w->limits.body_timeout_ms = 2000;
	w->limits.idle_timeout_ms = 3000;
	w->limits.total_timeout_ms = 5000;
	clock_fake(CLOCK_DAY, CLOCK_DAY);
	wire_open(w);
}

Test(http_time, an_idle_connection_is_closed_without_a_word)
{
	struct wire w = { .client = 0 };

	time_open(&w);
	wire_ask(&w, GET "\r\n");
	wire_pass(&w, 2900);
	wire_settle(&w);
	cr_expect_not(w.ended);
	wire_ask(&w, GET "\r\n");
	wire_pass(&w, 2900);
	wire_settle(&w);
	cr_expect_not(w.ended, "a request starts it anew");
	wire_pass(&w, 101);
	WIRE_UNTIL(&w, w.ended);
	cr_expect_eq(wire_answers(&w), 2, "and no third answer");
	cr_expect_eq(w.drops[HTTP_DROP_TIMEOUT], 0);
	wire_close(&w);
}

Test(http_time, a_head_has_its_time_however_it_trickles)
{
	struct wire w = { .client = 0 };
	int i;

	time_open(&w);
	for (i = 0; i < 9; i++) {
		wire_send(&w, &GET[i], 1);
		wire_pass(&w, 110);
	}
	wire_settle(&w);
	cr_expect_eq(w.got_len, 0);
	wire_send(&w, &GET[i], 1);
	wire_pass(&w, 110);
	WIRE_UNTIL(&w, w.ended);
	cr_expect_eq(wire_answer(&w, 0).status, 408);
	cr_expect_eq(w.drops[HTTP_DROP_TIMEOUT], 1);
	wire_close(&w);
}

Test(http_time, empty_lines_are_not_the_start_of_a_head)
{
	struct wire w = { .client = 0 };

	time_open(&w);
	wire_say(&w, "\r\n");
	wire_pass(&w, 1500);
	wire_settle(&w);
	cr_expect_eq(w.got_len, 0);
	cr_expect_eq(wire_ask(&w, GET "\r\n").status, 200);
	wire_close(&w);
}

Test(http_time, a_body_may_pause_only_so_long)
{
	struct wire w = { .client = 0 };

	time_open(&w);
	wire_say(&w, POST "a");
	wire_pass(&w, 1900);
	wire_say(&w, "b");
	wire_pass(&w, 1900);
	wire_settle(&w);
	cr_expect_eq(w.got_len, 0, "each byte starts the pause anew");
	wire_pass(&w, 101);
	WIRE_UNTIL(&w, w.ended);
	cr_expect_eq(wire_answer(&w, 0).status, 408);
	wire_close(&w);
}

Test(http_time, a_body_that_trickles_ends_with_the_time_of_the_whole)
{
	struct wire w = { .client = 0 };
	int i;

	time_open(&w);
	wire_say(&w, POST);
	for (i = 0; i < 4; i++) {
		wire_say(&w, "x");
		wire_pass(&w, 1200);
	}
	wire_settle(&w);
	cr_expect_eq(w.got_len, 0);
	wire_say(&w, "x");
	wire_pass(&w, 201);
	WIRE_UNTIL(&w, w.ended);
	cr_expect_eq(wire_answer(&w, 0).status, 408);
	cr_expect_eq(w.drops[HTTP_DROP_TIMEOUT], 1);
	wire_close(&w);
}

Test(http_time, an_application_that_never_answers_loses_the_request)
{
	struct wire w = { .later = true };

	time_open(&w);
	wire_say(&w, GET "\r\n");
	WIRE_UNTIL(&w, w.held_count == 1);
	wire_pass(&w, 4900);
	wire_settle(&w);
	cr_expect_eq(w.gone, 0);
	wire_pass(&w, 101);
	WIRE_UNTIL(&w, w.gone == 1);
	WIRE_UNTIL(&w, w.ended || w.reset);
	cr_expect_eq(w.open, 0);
	wire_close(&w);
}

Test(http_time, a_reader_too_slow_for_its_answer_is_cut)
{
	struct wire w = { .big = 8U << 20 };

	time_open(&w);
	wire_say(&w, GET "\r\n" GET "\r\n" GET "\r\n");
	loop_turn(w.loop, 1);
	loop_turn(w.loop, 1);
	cr_expect_eq(w.requests, 1, "the next one waits until this answer is taken");
	cr_expect_eq(w.open, 1);
	clock_fake(clock_wall(), clock_mono() + 5001 * CLOCK_MS);
	while (w.open > 0)
		loop_turn(w.loop, 10);
	cr_expect_eq(w.drops[HTTP_DROP_TIMEOUT], 1);
	wire_close(&w);
}

Test(http_time, lingering_ends)
{
	struct wire w = { .closes = true };

	time_open(&w);
	wire_ask(&w, GET "\r\n");
	WIRE_UNTIL(&w, w.ended);
	wire_settle(&w);
	cr_expect_eq(w.open, 1);
	clock_fake(clock_wall(), clock_mono() + (HTTP_LINGER_MS + 1) * CLOCK_MS);
	WIRE_UNTIL(&w, w.open == 0);
	wire_close(&w);
}

Test(http_time, short_limits_hold_on_the_real_clock)
{
	struct wire w = { .limits = wire_limits() };
	int64_t start;

	w.limits.header_timeout_ms = 50;
	wire_open(&w);
	start = wire_now();
	wire_say(&w, "GET / HT");
	WIRE_UNTIL(&w, w.ended);
	cr_expect_eq(wire_answer(&w, 0).status, 408);
	cr_expect_geq(wire_now() - start, 50 * CLOCK_MS);
	wire_close(&w);
}

Test(http_time, each_pipelined_request_has_a_time_of_its_own)
{
	struct wire w = { .later = true };
	int i;

	time_open(&w);
	wire_say(&w, GET "\r\n" GET "\r\n" GET "\r\n");
	for (i = 0; i < 3; i++) {
		WIRE_UNTIL(&w, w.held_count == (size_t)i + 1);
		wire_pass(&w, 3000);
		wire_settle(&w);
		wire_reply_held(&w, (size_t)i);
	}
	WIRE_UNTIL(&w, wire_answers(&w) == 3);
	wire_close(&w);
}

Test(http_time, many_connections_end_in_one_go)
{
	struct wire w = { .client = 0 };
	int i, ends[2];

	time_open(&w);
	for (i = 0; i < 80; i++) {
		cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
		http_server_adopt(w.server, ends[1], NULL, 0);
	}
	cr_expect_eq(w.open, 81);
	wire_pass(&w, 3001);
	WIRE_UNTIL(&w, w.open == 0);
	wire_close(&w);
}
