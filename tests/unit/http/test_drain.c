/* test_drain.c - the end of a server: who is answered, who is let go, and when. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mem.h"
#include "wire.h"

#define GET	"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define CLIENTS 20

static void
on_drained(void *arg)
{
	((struct wire *)arg)->drained++;
}

static void
drain(struct wire *w, int64_t timeout_ms, int64_t spread_ms)
{
	http_server_drain(w->server,
	    &(struct http_drain){
		.timeout_ms = timeout_ms, .spread_ms = spread_ms, .done = on_drained, .arg = w });
}

static void
fake_open(struct wire *w)
{
	clock_fake(CLOCK_DAY, CLOCK_DAY);
	wire_open(w);
}

/* A client beside w->client, at rest behind one answer. */
static int
rest_one(struct wire *w)
{
	char got[1024];
	int ends[2];
	size_t asked = w->requests;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	http_server_adopt(w->server, ends[1], NULL, 0);
	cr_assert_eq(send(ends[0], GET, sizeof(GET) - 1, 0), sizeof(GET) - 1);
	WIRE_UNTIL(w, w->requests > asked);
	cr_assert_gt(recv(ends[0], got, sizeof(got), 0), 0);
	return ends[0];
}

static bool
has_ended(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK) == 0;
}

static int
count_ended(const int *clients)
{
	int i, n = 0;

	for (i = 0; i < CLIENTS; i++)
		n += has_ended(clients[i]);
	return n;
}

static bool
says_close(struct wire *w, size_t index)
{
	struct wire_answer a = wire_answer(w, index);

	return wire_has(&a, "Connection: close");
}

static void
client_leaves(struct wire *w)
{
	close(w->client);
	w->client = -1;
}

Test(http_drain, a_connection_at_rest_is_let_go_at_once_when_nothing_is_spread)
{
	struct wire w = { .client = 0 };

	wire_open(&w);
	wire_ask(&w, GET);
	drain(&w, 30000, 0);
	WIRE_UNTIL(&w, w.ended);
	cr_expect_eq(wire_answers(&w), 1);
	cr_expect_eq(w.drained, 0, "it may still be about to speak");
	client_leaves(&w);
	WIRE_UNTIL(&w, w.drained == 1);
	wire_settle(&w);
	cr_expect_eq(w.drained, 1, "told once");
	cr_expect_eq(w.drops[HTTP_DROP_CROSSED], 0);
	wire_close(&w);
}

Test(http_drain, a_connection_that_never_spoke_has_its_first_request_answered)
{
	struct wire w = { .client = 0 };

	wire_open(&w);
	drain(&w, 30000, 0);
	wire_settle(&w);
	wire_say(&w, "\r\n"); /* is no request */
	wire_settle(&w);
	cr_assert_not(w.ended);
	cr_expect_eq(wire_ask(&w, GET).status, 200);
	cr_expect(says_close(&w, 0));
	WIRE_UNTIL(&w, w.ended);
	client_leaves(&w);
	WIRE_UNTIL(&w, w.drained == 1);
	wire_close(&w);
}

Test(http_drain, a_connection_that_never_speaks_is_let_go_after_the_time_for_a_header)
{
	struct wire w = { .limits = wire_limits() };

	w.limits.header_timeout_ms = 1000;
	fake_open(&w);
	wire_pass(&w, 300);
	drain(&w, 30000, 0);
	wire_pass(&w, 600);
	wire_settle(&w);
	cr_expect_not(w.ended);
	wire_pass(&w, 101);
	WIRE_UNTIL(&w, w.ended);
	cr_expect_eq(w.got_len, 0);
	wire_close(&w);
}

Test(http_drain, a_connection_that_never_speaks_is_let_go_after_five_seconds_at_most)
{
	struct wire w = { .client = 0 };

	fake_open(&w);
	drain(&w, 30000, 0);
	wire_pass(&w, 4900);
	wire_settle(&w);
	cr_expect_not(w.ended);
	wire_pass(&w, 101);
	WIRE_UNTIL(&w, w.ended);
	wire_close(&w);
}

Test(http_drain, a_connection_that_never_spoke_for_long_is_as_one_at_rest)
{
	struct wire w = { .client = 0 };

	fake_open(&w);
	wire_pass(&w, 5001);
	drain(&w, 30000, 0);
	WIRE_UNTIL(&w, w.ended);
	wire_close(&w);
}

Test(http_drain, a_request_that_has_come_to_a_connection_at_rest_is_answered)
{
	struct wire w = { .client = 0 };

	wire_open(&w);
	wire_ask(&w, GET);
	wire_say(&w, GET);
	drain(&w, 30000, 0);
	WIRE_UNTIL(&w, w.ended);
	cr_expect_eq(wire_answers(&w), 2);
	cr_expect(says_close(&w, 1));
	wire_close(&w);
}

Test(http_drain, connections_at_rest_are_let_go_evenly_over_the_window)
{
	struct wire w = { .client = 0 };
	int clients[CLIENTS], i, ended;

	fake_open(&w);
	for (i = 0; i < CLIENTS; i++)
		clients[i] = rest_one(&w);
	client_leaves(&w);
	drain(&w, 30000, 10000);
	wire_settle(&w);
	cr_expect_leq(count_ended(clients), 1);
	for (i = 1; i <= CLIENTS; i++) {
		wire_pass(&w, 10000 / CLIENTS);
		WIRE_UNTIL(&w, count_ended(clients) >= i);
		wire_settle(&w);
		ended = count_ended(clients);
		cr_expect_leq(
		    ended, i + 1, "%d of them left after %d parts of %d", ended, i, CLIENTS);
	}
	cr_expect(has_ended(clients[0]));
	for (i = 0; i < CLIENTS; i++)
		close(clients[i]);
	WIRE_UNTIL(&w, w.drained == 1);
	wire_close(&w);
}

Test(http_drain, the_moments_within_the_window_are_not_the_same_each_time)
{
	int64_t first = 0, since;
	struct wire w;
	int i, other = 0;

	for (i = 0; i < 8; i++) {
		w = (struct wire){ .client = 0 };
		fake_open(&w);
		wire_ask(&w, GET);
		drain(&w, 30000, 10000);
		wire_settle(&w);
		if (TAILQ_EMPTY(&w.server->phases[HTTP_IDLE])) {
			other++; /* left in the first instant, which may be */
		} else {
			since = TAILQ_FIRST(&w.server->phases[HTTP_IDLE])->since;
			cr_expect(since >= CLOCK_DAY && since < CLOCK_DAY + 10 * CLOCK_SEC);
			other += first != 0 && since != first;
			first = since;
		}
		wire_close(&w);
	}
	cr_expect_gt(other, 0);
}

Test(http_drain, the_window_is_half_of_the_deadline_at_most)
{
	struct wire w = { .client = 0 };
	int clients[CLIENTS], i;

	fake_open(&w);
	for (i = 0; i < CLIENTS; i++)
		clients[i] = rest_one(&w);
	drain(&w, 2000, 600000);
	wire_pass(&w, 1001);
	WIRE_UNTIL(&w, count_ended(clients) == CLIENTS && w.ended);
	for (i = 0; i < CLIENTS; i++)
		close(clients[i]);
	client_leaves(&w);
	WIRE_UNTIL(&w, w.drained == 1);
	wire_close(&w);
}

Test(http_drain, a_request_within_the_window_is_answered_with_close)
{
	struct wire w = { .client = 0 };

	wire_open(&w);
	wire_ask(&w, GET);
	drain(&w, 600000, 300000);
	wire_settle(&w);
	if (!w.ended) { /* one time in many the moment is the first one */
		cr_expect_eq(wire_ask(&w, GET).status, 200);
		cr_expect(says_close(&w, 1));
	}
	WIRE_UNTIL(&w, w.ended);
	wire_close(&w);
}

Test(http_drain, version_one_point_zero_is_told_to_close_too)
{
	struct wire w = { .later = true };

	wire_open(&w);
	wire_say(&w, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	WIRE_UNTIL(&w, w.held_count == 1);
	drain(&w, 30000, 1000);
	wire_settle(&w);
	wire_reply_held(&w, 0);
	WIRE_UNTIL(&w, w.ended);
	cr_expect(says_close(&w, 0));
	wire_close(&w);
}

Test(http_drain, the_busy_finish_and_are_told_to_close)
{
	struct wire w = { .later = true };

	wire_open(&w);
	wire_say(&w, GET);
	WIRE_UNTIL(&w, w.held_count == 1);
	drain(&w, 30000, 0);
	wire_settle(&w);
	cr_expect_eq(w.drained, 0);
	wire_reply_held(&w, 0);
	WIRE_UNTIL(&w, w.ended);
	cr_expect(says_close(&w, 0));
	client_leaves(&w);
	WIRE_UNTIL(&w, w.drained == 1);
	wire_close(&w);
}

Test(http_drain, pipelined_requests_are_all_answered_and_the_last_says_close)
{
	struct wire w = { .later = true };
	size_t i;

	wire_open(&w);
	wire_say(&w, GET GET GET);
	WIRE_UNTIL(&w, w.held_count == 1);
	drain(&w, 30000, 0);
	for (i = 0; i < 3; i++) {
		WIRE_UNTIL(&w, w.held_count == i + 1);
		wire_reply_held(&w, i);
	}
	WIRE_UNTIL(&w, w.ended);
	cr_assert_eq(wire_answers(&w), 3);
	cr_expect_not(says_close(&w, 0));
	cr_expect_not(says_close(&w, 1));
	cr_expect(says_close(&w, 2));
	wire_close(&w);
}

Test(http_drain, a_pipeline_longer_than_the_buffer_is_answered_to_its_end)
{
	struct wire w = { .client = 0 };
	char *all, text[64];
	size_t i, at = 0, count = 1000;
	struct wire_answer a;

	wire_open(&w);
	wire_ask(&w, GET);
	all = mem_alloc(count * 48);
	for (i = 0; i < count; i++)
		at += (size_t)sprintf(all + at, "GET /%zu HTTP/1.1\r\nHost: a\r\n\r\n", i);
	cr_assert_gt(at, 4 * HTTP_INPUT_FIRST);
	wire_send(&w, all, at);
	drain(&w, 30000, 0);
	WIRE_UNTIL(&w, w.ended || w.reset);
	cr_expect_eq(wire_answers(&w), count + 1);
	for (i = 1; i < count; i++)
		cr_assert_not(says_close(&w, i), "%zu", i);
	a = wire_answer(&w, count);
	snprintf(text, sizeof(text), "GET /%zu? ", count - 1);
	cr_expect_eq(memcmp(a.body, text, a.body_len), 0);
	cr_expect(wire_has(&a, "Connection: close"));
	mem_free(&all);
	wire_close(&w);
}

Test(http_drain, a_client_that_never_stops_asking_is_followed_only_for_the_grace)
{
	struct wire w = { .later = true };
	int i;

	fake_open(&w);
	wire_say(&w, GET GET);
	WIRE_UNTIL(&w, w.held_count == 1);
	drain(&w, 30000, 0);
	for (i = 0; i < 60 && !w.ended; i++) {
		wire_say(&w, GET);
		wire_pass(&w, 100);
		if (w.held_count > (size_t)i)
			wire_reply_held(&w, (size_t)i);
		wire_settle(&w);
	}
	cr_expect(w.ended);
	cr_expect_geq(wire_answers(&w), 45);
	cr_expect_leq(wire_answers(&w), 52);
	cr_expect(says_close(&w, wire_answers(&w) - 1));
	wire_close(&w);
}

Test(http_drain, a_request_that_crosses_the_end_meets_no_reset_and_is_counted)
{
	struct wire w = { .client = 0 };

	wire_open(&w);
	wire_ask(&w, GET);
	drain(&w, 30000, 0);
	WIRE_UNTIL(&w, w.ended);
	cr_expect_eq(send(w.client, GET, sizeof(GET) - 1, MSG_NOSIGNAL), sizeof(GET) - 1);
	WIRE_UNTIL(&w, w.drops[HTTP_DROP_CROSSED] == 1);
	w.ended = false;
	wire_settle(&w);
	cr_expect(w.ended && !w.reset);
	cr_expect_eq(w.requests, 1);
	wire_close(&w);
}

Test(http_drain, a_client_that_does_not_notice_the_end_is_left_after_a_moment)
{
	struct wire w = { .client = 0 };

	fake_open(&w);
	wire_ask(&w, GET);
	drain(&w, 30000, 0);
	WIRE_UNTIL(&w, w.ended);
	cr_expect_eq(w.drained, 0);
	wire_pass(&w, HTTP_PARTING_MS + 1);
	WIRE_UNTIL(&w, w.drained == 1);
	wire_close(&w);
}

Test(http_drain, an_answer_given_before_to_a_slow_reader_is_sent_to_its_end)
{
	struct wire w = { .big = 3U << 20 };

	wire_open(&w);
	wire_say(&w, GET);
	loop_turn(w.loop, 1);
	loop_turn(w.loop, 1);
	cr_assert_eq(w.requests, 1);
	drain(&w, 30000, 0);
	WIRE_UNTIL(&w, w.ended);
	cr_expect_eq(wire_answer(&w, 0).body_len, 3U << 20);
	client_leaves(&w);
	WIRE_UNTIL(&w, w.drained == 1);
	wire_close(&w);
}

Test(http_drain, asking_again_changes_nothing)
{
	struct wire w = { .client = 0 };

	wire_open(&w);
	wire_ask(&w, GET);
	drain(&w, 30000, 0);
	drain(&w, 1, 20000);
	WIRE_UNTIL(&w, w.ended);
	drain(&w, 30000, 0);
	client_leaves(&w);
	WIRE_UNTIL(&w, w.drained == 1);
	drain(&w, 30000, 0);
	wire_settle(&w);
	cr_expect_eq(w.drained, 1);
	wire_close(&w);
}

Test(http_drain, an_empty_server_is_told_at_once_and_may_be_freed)
{
	struct wire w = { .client = 0 };

	wire_open(&w);
	client_leaves(&w);
	WIRE_UNTIL(&w, w.open == 0);
	drain(&w, 30000, 10000);
	loop_turn(w.loop, 1);
	cr_expect_eq(w.drained, 1);
	wire_close(&w);

	w = (struct wire){ .later = true };
	wire_open(&w);
	wire_say(&w, GET);
	WIRE_UNTIL(&w, w.held_count == 1);
	drain(&w, 30000, 0);
	http_server_free(&w.server);
	loop_turn(w.loop, 1);
	cr_expect_eq(w.drained, 0, "nobody is told by a server that is no more");
	wire_close(&w);
}
