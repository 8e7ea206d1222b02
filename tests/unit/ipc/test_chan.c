/* test_chan.c - channels between peers that keep the rules. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "ends.h"

static void
advance(struct chan *c, uint64_t sequence)
{
	struct msg_advanced m = { .sequence = sequence };

	cr_assert_eq(chan_send(c, MSG_ADVANCED, &m), E_OK);
}

Test(chan, both_ends_learn_who_the_other_is)
{
	struct ends e;

	ends_open(&e, ROLE_FETCHER, ROLE_CACHE_WRITER);
	cr_expect_not(chan_is_open(e.a.chan));
	ends_until(&e, e.a.opened && e.b.opened);
	cr_expect_str_eq(e.a.slot, "cache-writer");
	cr_expect_str_eq(e.b.slot, "fetcher-rest");
	cr_expect_eq(e.a.pid, getpid());
	cr_expect(chan_is_open(e.a.chan));
	cr_expect_geq(chan_fd(e.a.chan), 0);
	ends_close(&e);
}

Test(chan, messages_arrive_in_order_and_unchanged)
{
	struct quote q = { .asset = 1, .symbol = "AAPL", .bid_price = 185.92, .conditions = "x" };
	struct ends e;
	uint64_t i;

	ends_open(&e, ROLE_FETCHER, ROLE_HTTP);
	for (i = 1; i <= 5; i++) {
		q.received = (int64_t)i;
		cr_assert_eq(chan_send(e.a.chan, MSG_QUOTE, &q), E_OK);
	}
	ends_until(&e, e.b.count == 5);
	for (i = 0; i < 5; i++) {
		cr_expect_eq(e.b.types[i], MSG_QUOTE);
		cr_expect_eq((uint64_t)e.b.first[i].quote.received, i + 1);
		cr_expect_eq(e.b.first[i].quote.bid_price, 185.92);
		cr_expect_str_eq(e.b.first[i].quote.symbol, "AAPL");
		cr_expect_eq(e.b.fds[i], -1);
	}
	ends_close(&e);
}

static void
turn_end_is_near(void *arg)
{
	struct ends *e = arg;

	advance(e->a.chan, 1);
	advance(e->a.chan, 2);
	advance(e->a.chan, 3);
}

Test(chan, what_one_turn_says_leaves_as_one_frame)
{
	struct ends e;
	uint8_t bytes[200];
	ssize_t n;
	int waiting = 0;

	ends_open_raw(&e, ROLE_FETCHER, ROLE_CACHE_WRITER);
	cr_assert_gt(recv(e.raw, bytes, sizeof(bytes), 0), 0, "hello");
	loop_at_end(e.loop, turn_end_is_near, &e);
	cr_assert_eq(ioctl(e.raw, FIONREAD, &waiting), 0);
	cr_expect_eq(waiting, 0);
	loop_turn(e.loop, 0);
	n = recv(e.raw, bytes, sizeof(bytes), 0);
	cr_expect_eq(n, 4 + 3 * 3, "one head, three messages of three bytes");
	cr_expect_arr_eq(bytes, "\0\0\0\x09\x92\x2a\x01\x92\x2a\x02\x92\x2a\x03", 13);
	ends_close(&e);
}

Test(chan, much_does_not_wait_for_the_end_of_the_turn_and_goes_in_several_frames)
{
	struct msg_result r = { .ticket = 1 };
	static uint8_t bytes[2 * CHAN_WRITE_BYTES];
	struct ends e;
	size_t frames = 0, at, len;
	ssize_t n;

	ends_open_raw(&e, ROLE_FETCHER, ROLE_HTTP);
	cr_assert_gt(recv(e.raw, bytes, sizeof(bytes), 0), 0, "hello");
	memset(r.key, 'k', 500);
	while (chan_queued(e.a.chan) < CHAN_FRAME_FULL)
		cr_assert_eq(chan_send(e.a.chan, MSG_RESULT, &r), E_OK);
	cr_expect_lt(
	    recv(e.raw, bytes, sizeof(bytes), MSG_DONTWAIT), 0, "one frame waits for company");
	while (chan_queued(e.a.chan) > 0)
		cr_assert_eq(chan_send(e.a.chan, MSG_RESULT, &r), E_OK);
	n = recv(e.raw, bytes, sizeof(bytes), MSG_DONTWAIT);
	cr_assert_geq(n, CHAN_WRITE_BYTES);
	for (at = 0; at < (size_t)n; at += 4 + len, frames++) {
		len = (size_t)bytes[at + 1] << 16 | (size_t)bytes[at + 2] << 8 | bytes[at + 3];
		cr_assert_leq(len, CHAN_FRAME_FULL + 600);
	}
	cr_expect_eq(at, (size_t)n, "whole frames only");
	cr_expect_eq(frames, 3);
	ends_close(&e);
}

Test(chan, a_hundred_thousand_messages_arrive_in_order)
{
	struct msg_advanced m = { 0 };
	struct chan_counts counts;
	struct ends e;

	ends_open(&e, ROLE_FETCHER, ROLE_CACHE_WRITER);
	while (m.sequence < 100000) {
		m.sequence++;
		if (chan_send(e.a.chan, MSG_ADVANCED, &m) == E_FULL) {
			m.sequence--;
			loop_turn(e.loop, 20);
		}
	}
	ends_until(&e, e.b.count == 100000);
	cr_expect_not(e.b.disorder);
	chan_counts(e.a.chan, &counts);
	cr_expect_eq(counts.sent, 100000);
	chan_counts(e.b.chan, &counts);
	cr_expect_eq(counts.received, 100000);
	ends_close(&e);
}

Test(chan, the_queue_has_a_bound_and_recovers)
{
	struct msg_advanced m = { 0 };
	struct chan_counts counts;
	struct ends e;
	static uint8_t sink[1 << 20];
	ssize_t n, taken = 0;
	size_t queued;

	ends_open_raw(&e, ROLE_FETCHER, ROLE_CACHE_WRITER);
	do
		m.sequence++;
	while (chan_send(e.a.chan, MSG_ADVANCED, &m) == E_OK);
	queued = chan_queued(e.a.chan);
	cr_expect_leq(queued, QUEUE);
	cr_expect_geq(queued, QUEUE - 20);
	cr_expect_lt(chan_room(e.a.chan), 20);
	cr_expect_eq(chan_send(e.a.chan, MSG_ADVANCED, &m), E_FULL);
	cr_expect_eq(chan_queued(e.a.chan), queued, "what was refused left nothing behind");
	chan_counts(e.a.chan, &counts);
	cr_expect_eq(counts.refused, 2);
	while (chan_queued(e.a.chan) > 0) {
		n = recv(e.raw, sink, sizeof(sink), MSG_DONTWAIT);
		taken += n > 0 ? n : 0;
		loop_turn(e.loop, 0);
	}
	cr_expect_gt(taken, 0);
	cr_expect_eq(chan_room(e.a.chan), QUEUE);
	cr_expect_eq(chan_send(e.a.chan, MSG_ADVANCED, &m), E_OK);
	ends_close(&e);
}

Test(chan, a_slow_reader_gets_all_of_it_in_order)
{
	struct msg_advanced m = { 0 };
	struct ends e;
	int turns = 0;

	ends_open(&e, ROLE_FETCHER, ROLE_CACHE_WRITER);
	ends_until(&e, e.b.opened);
	while (m.sequence < 200000) {
		m.sequence++;
		if (chan_send(e.a.chan, MSG_ADVANCED, &m) != E_OK) {
			m.sequence--;
			loop_turn(e.loop, 0);
			turns++;
		}
	}
	ends_until(&e, e.b.count == 200000);
	cr_expect_gt(turns, 1, "the queue was never full: the test proves nothing");
	cr_expect_not(e.b.disorder);
	ends_close(&e);
}

Test(chan, one_turn_reads_a_bounded_amount)
{
	struct msg_advanced m = { 0 };
	struct ends e;
	size_t before;

	ends_open(&e, ROLE_FETCHER, ROLE_CACHE_WRITER);
	ends_until(&e, e.b.opened && e.a.opened);
	do
		m.sequence++;
	while (chan_send(e.a.chan, MSG_ADVANCED, &m) == E_OK);
	before = e.b.count;
	loop_turn(e.loop, 0);
	cr_expect_leq(e.b.count - before, 64 * 1024 / 3);
	cr_expect_gt(e.b.count, before);
	ends_close(&e);
}

static void
temporary_file(int *fd, struct stat *st)
{
	char path[] = "/tmp/opitios-chan-XXXXXX";

	*fd = mkstemp(path);
	cr_assert_geq(*fd, 0);
	unlink(path);
	cr_assert_eq(fstat(*fd, st), 0);
}

Test(chan, descriptors_come_with_their_own_message)
{
	struct msg_setting s = { .key = "k", .value = "v" };
	struct msg_peer p = { .role = ROLE_FETCHER };
	struct stat sent[3], got;
	struct ends e;
	int fd[3], i, flags;

	ends_open(&e, ROLE_MASTER, ROLE_HTTP);
	for (i = 0; i < 3; i++) {
		temporary_file(&fd[i], &sent[i]);
		cr_assert_eq(chan_send(e.a.chan, MSG_SETTING, &s), E_OK);
		p.role = (uint64_t)i;
		cr_assert_eq(chan_send_fd(e.a.chan, MSG_PEER, &p, fd[i]), E_OK);
		close(fd[i]);
	}
	ends_until(&e, e.b.count == 6);
	for (i = 0; i < 3; i++) {
		cr_expect_eq(e.b.types[2 * i], MSG_SETTING);
		cr_expect_eq(e.b.fds[2 * i], -1);
		cr_expect_eq(e.b.types[2 * i + 1], MSG_PEER);
		cr_expect_eq(e.b.first[2 * i + 1].peer.role, (uint64_t)i);
		cr_assert_geq(e.b.fds[2 * i + 1], 0);
		cr_assert_eq(fstat(e.b.fds[2 * i + 1], &got), 0);
		cr_expect_eq(got.st_ino, sent[i].st_ino, "each message has its own file");
		flags = fcntl(e.b.fds[2 * i + 1], F_GETFD);
		cr_expect(flags & FD_CLOEXEC);
	}
	ends_close(&e);
}

Test(chan, descriptors_keep_their_place_behind_a_full_socket)
{
	struct msg_setting s = { .key = "k" };
	struct msg_peer p = { 0 };
	struct stat st, got;
	struct ends e;
	size_t total = 0, i;
	int fd;

	ends_open(&e, ROLE_MASTER, ROLE_HTTP);
	temporary_file(&fd, &st);
	memset(s.value, 'v', 1000);
	while (chan_queued(e.a.chan) < QUEUE / 2) {
		cr_assert_eq(chan_send(e.a.chan, MSG_SETTING, &s), E_OK);
		total++;
	}
	for (i = 0; i < 10; i++)
		cr_assert_eq(chan_send_fd(e.a.chan, MSG_PEER, &p, fd), E_OK);
	close(fd);
	ends_until(&e, e.b.count == total + 10);
	cr_assert_leq(e.b.count, END_KEPT);
	for (i = 0; i < total; i++)
		cr_assert_eq(e.b.fds[i], -1);
	for (; i < total + 10; i++) {
		cr_assert_eq(e.b.types[i], MSG_PEER);
		cr_assert_eq(fstat(e.b.fds[i], &got), 0);
		cr_expect_eq(got.st_ino, st.st_ino);
	}
	ends_close(&e);
}

Test(chan, descriptors_waiting_to_be_sent_have_a_bound)
{
	struct msg_setting s = { .key = "k" };
	struct msg_peer p = { 0 };
	struct ends e;
	int sent = 0, r;

	ends_open_raw(&e, ROLE_MASTER, ROLE_HTTP);
	memset(s.value, 'v', 1000);
	while (chan_queued(e.a.chan) < QUEUE / 2)
		cr_assert_eq(chan_send(e.a.chan, MSG_SETTING, &s), E_OK);
	while ((r = chan_send_fd(e.a.chan, MSG_PEER, &p, 0)) == E_OK)
		cr_assert_lt(sent++, 1000);
	cr_expect_eq(r, E_FULL);
	cr_expect_eq(sent, 64);
	ends_close(&e);
}

Test(chan, the_death_of_the_peer_comes_after_its_last_words)
{
	struct ends e;

	ends_open(&e, ROLE_FETCHER, ROLE_CACHE_WRITER);
	ends_until(&e, e.a.opened && e.b.opened);
	advance(e.a.chan, 1);
	chan_close(&e.a.chan);
	ends_until(&e, e.b.closed);
	cr_expect_eq(e.b.count, 1);
	cr_expect_eq(e.b.error, E_CLOSED);
	cr_expect_not(chan_is_open(e.b.chan));
	ends_close(&e);
}

Test(chan, sending_to_a_dead_peer_says_so_and_calls_nobody)
{
	struct msg_stored m = { .sequence = 1 };
	struct ends e;
	int i, r = E_OK;

	ends_open(&e, ROLE_FETCHER, ROLE_CACHE_WRITER);
	ends_until(&e, e.a.opened && e.b.opened);
	advance(e.a.chan, 1);
	chan_close(&e.a.chan);
	for (i = 0; i < 100000 && r == E_OK; i++)
		r = chan_send(e.b.chan, MSG_STORED, &m);
	cr_expect_eq(r, E_CLOSED);
	cr_expect_eq(e.b.closed, 0, "never from within chan_send");
	ends_until(&e, e.b.closed);
	cr_expect_eq(e.b.count, 1, "its last words are still delivered");
	cr_expect_eq(e.b.error, E_CLOSED);
	cr_expect_eq(e.b.closed, 1);
	ends_close(&e);
}

Test(chan, the_owner_may_close_within_its_own_callback)
{
	struct ends e;

	ends_open(&e, ROLE_FETCHER, ROLE_CACHE_WRITER);
	e.b.stop_after_one = true;
	advance(e.a.chan, 1);
	advance(e.a.chan, 2);
	ends_until(&e, e.a.closed);
	cr_expect_eq(e.b.count, 1);
	cr_expect_null(e.b.chan);
	cr_expect_eq(e.b.closed, 0);
	ends_close(&e);
}

Test(chan, closing_right_after_sending_still_delivers)
{
	struct ends e;

	ends_open(&e, ROLE_FETCHER, ROLE_CACHE_WRITER);
	advance(e.a.chan, 1);
	chan_close(&e.a.chan);
	ends_until(&e, e.b.closed);
	cr_expect_eq(e.b.count, 1);
	ends_close(&e);
}

Test(chan, waiting_at_start_up_handles_messages_without_the_loop)
{
	struct ends e;

	ends_open(&e, ROLE_FETCHER, ROLE_CACHE_WRITER);
	advance(e.a.chan, 1);
	loop_turn(e.loop, 0);
	cr_expect_eq(chan_wait(e.b.chan, &e.b.got_one, 1000), E_OK);
	cr_expect(e.b.got_one);
	ends_close(&e);
}

Test(chan, waiting_at_start_up_ends_in_time)
{
	int64_t begun = clock_mono();
	bool never = false;
	struct ends e;

	ends_open_raw(&e, ROLE_FETCHER, ROLE_CACHE_WRITER);
	cr_expect_eq(chan_wait(e.a.chan, &never, 30), E_UPSTREAM_TIMEOUT);
	cr_expect_geq(clock_mono() - begun, 29 * CLOCK_MS);
	close(e.raw);
	e.raw = -1;
	cr_expect_eq(chan_wait(e.a.chan, &never, 5000), E_CLOSED);
	cr_expect_eq(e.a.closed, 1);
	cr_expect_eq(chan_wait(e.a.chan, &never, 5000), E_CLOSED, "and stays so");
	ends_close(&e);
}
