/* test_chan_hostile.c - channels to peers that break the rules: it costs them the channel, and nobody else. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "ends.h"
#include "log.h"

static void
expect_over(struct ends *e, const char *why)
{
	ends_until(e, e->a.closed);
	cr_expect_eq(e->a.error, E_PROTOCOL);
	cr_expect_str_eq(e->a.why, why);
	cr_expect_eq(e->a.closed, 1);
	cr_expect_not(chan_is_open(e->a.chan));
	ends_close(e);
}

/* A fetcher that listens to an http worker. */
static void
greeted(struct ends *e)
{
	ends_open_raw(e, ROLE_FETCHER, ROLE_HTTP);
	ends_write_hello(e, msg_protocol_id(), "http-3");
	ends_until(e, e->a.opened);
}

Test(chan_hostile, a_stranger_to_the_message_table_is_refused)
{
	struct ends e;

	ends_open_raw(&e, ROLE_FETCHER, ROLE_HTTP);
	ends_write_hello(&e, msg_protocol_id() ^ 1, "http-0");
	expect_over(&e, "its message table is not ours");
	cr_expect_eq(e.a.opened, 0);
}

Test(chan_hostile, a_hello_in_the_name_of_another_role_is_refused)
{
	static const char *const slots[] = { "fetcher-rest", "", "nobody", "http-\n", "httpd" };
	struct ends e;
	size_t i;

	for (i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
		ends_open_raw(&e, ROLE_FETCHER, ROLE_HTTP);
		ends_write_hello(&e, msg_protocol_id(), slots[i]);
		expect_over(&e, "a hello in the name of another role");
	}
}

Test(chan_hostile, nothing_counts_before_hello)
{
	struct ends e;

	ends_open_raw(&e, ROLE_MASTER, ROLE_HTTP);
	ends_write_frame(&e, "\x92\x25\x01", 3);
	expect_over(&e, "a message before hello");
	cr_expect_eq(e.a.count, 0);
}

Test(chan_hostile, a_second_hello_is_refused)
{
	struct ends e;

	greeted(&e);
	ends_write_hello(&e, msg_protocol_id(), "http-3");
	expect_over(&e, "a second hello");
}

Test(chan_hostile, no_role_may_say_what_is_anothers)
{
	struct ends e;

	greeted(&e); /* http tells the fetcher that something was stored */
	ends_write_frame(&e, "\x92\x2b\x01", 3);
	expect_over(&e, "a message its role may not send here");
	greeted(&e); /* ready, which http may say, but to the master only */
	ends_write_frame(&e, "\x92\x25\x01", 3);
	expect_over(&e, "a message its role may not send here");
}

Test(chan_hostile, the_five_bytes_bomb_ends_its_channel)
{
	struct ends e;

	greeted(&e);
	ends_write_frame(&e, "\xdd\xff\x00\x00\x00", 5);
	expect_over(&e, "a count of fields that no message has");
}

Test(chan_hostile, lengths_outside_the_limits_end_the_channel_at_once)
{
	struct ends e;

	greeted(&e);
	ends_write(&e, "\x00\x10\x00\x01", 4);
	expect_over(&e, "a frame above the limit");
	greeted(&e);
	ends_write(&e, "\x7f\xff\xff\xff", 4);
	expect_over(&e, "a frame above the limit");
	greeted(&e);
	ends_write(&e, "\x00\x00\x00\x00", 4);
	expect_over(&e, "an empty frame");
}

Test(chan_hostile, a_message_must_end_within_its_frame)
{
	struct ends e;

	ends_open_raw(&e, ROLE_MASTER, ROLE_HTTP);
	ends_write_hello(&e, msg_protocol_id(), "http-0");
	ends_write_frame(&e, "\x92\x25\xcd\x01", 4);
	expect_over(&e, "a message that does not end within its frame");
}

Test(chan_hostile, garbage_ends_the_channel)
{
	uint64_t seed = 5;
	uint8_t bytes[4096];
	struct ends e;
	size_t i, round;

	for (round = 0; round < 50; round++) {
		greeted(&e);
		for (i = 0; i < sizeof(bytes); i++) {
			seed = seed * 6364136223846793005 + 1442695040888963407;
			bytes[i] = (uint8_t)(seed >> 33);
		}
		ends_write_frame(&e, bytes, sizeof(bytes));
		ends_until(&e, e.a.closed);
		cr_expect_eq(e.a.error, E_PROTOCOL);
		ends_close(&e);
	}
}

Test(chan_hostile, half_frames_wait_and_byte_by_byte_is_fine)
{
	static const char bytes[] = "\x00\x00\x00\x06\x92\x25\x01\x92\x25\x02";
	struct ends e;
	size_t i;

	ends_open_raw(&e, ROLE_MASTER, ROLE_HTTP);
	ends_write_hello(&e, msg_protocol_id(), "http-0");
	ends_until(&e, e.a.opened);
	for (i = 0; i < sizeof(bytes) - 1; i++) {
		ends_write(&e, bytes + i, 1);
		loop_turn(e.loop, 0);
		cr_expect_eq(e.a.count, i < 6 ? 0 : i < 9 ? 1 : 2, "after byte %zu", i);
	}
	cr_expect_eq(e.a.closed, 0);
	ends_close(&e);
}

Test(chan_hostile, a_peer_that_dies_in_the_middle_of_a_frame_is_gone_and_no_more)
{
	struct ends e;

	greeted(&e);
	ends_write(&e, "\x00\x00\x00\x06\x92", 5);
	close(e.raw);
	e.raw = -1;
	ends_until(&e, e.a.closed);
	cr_expect_eq(e.a.error, E_CLOSED);
	cr_expect_eq(e.a.count, 0);
	ends_close(&e);
}

static void
write_with_fds(struct ends *e, const void *data, size_t len, int count)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * 16)];
		struct cmsghdr aligned;
	} control;
	struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *head;
	int fds[16] = { 0 };

	memset(&control, 0, sizeof(control));
	m.msg_control = control.bytes;
	m.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count);
	head = CMSG_FIRSTHDR(&m);
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
	memcpy(CMSG_DATA(head), fds, sizeof(int) * (size_t)count);
	cr_assert_eq(sendmsg(e->raw, &m, MSG_NOSIGNAL), (ssize_t)len);
}

static int
open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

/* `self` hears `from`; the frame is a valid one of that sender, `fds` descriptors come along. */
static void
expect_descriptors_refused(enum role self, enum role from, const char *slot, const char *frame,
    size_t len, int fds, const char *why)
{
	struct ends e;
	int before;

	/* Where it goes to a pipe, the log has a descriptor of its own. */
	log_open("test", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	before = open_descriptors();
	ends_open_raw(&e, self, from);
	ends_write_hello(&e, msg_protocol_id(), slot);
	ends_until(&e, e.a.opened);
	write_with_fds(&e, frame, len, fds);
	expect_over(&e, why);
	cr_expect_eq(open_descriptors(), before, "no descriptor may stay behind: %s", why);
}

#define READY_FRAME "\x00\x00\x00\x03\x92\x25\x01"
#define DRAIN_FRAME "\x00\x00\x00\x03\x92\x26\x01"
#define DRAIN_FLAGS "\x80\x00\x00\x03\x92\x26\x01"

Test(chan_hostile, descriptors_from_a_worker_are_refused)
{
	expect_descriptors_refused(ROLE_MASTER, ROLE_HTTP, "http-0", READY_FRAME, 7, 1,
	    "descriptors that it may not pass");
}

Test(chan_hostile, descriptors_that_belong_to_no_message_are_closed)
{
	expect_descriptors_refused(ROLE_HTTP, ROLE_MASTER, "master", DRAIN_FRAME, 7, 1,
	    "a descriptor that belongs to no message");
	expect_descriptors_refused(ROLE_HTTP, ROLE_MASTER, "master", DRAIN_FRAME, 7, 4,
	    "a descriptor that belongs to no message");
	expect_descriptors_refused(ROLE_HTTP, ROLE_MASTER, "master", DRAIN_FLAGS, 7, 2,
	    "a descriptor that belongs to no message");
	expect_descriptors_refused(ROLE_HTTP, ROLE_MASTER, "master", "\x80\x00\x00\x03", 4, 2,
	    "a descriptor that belongs to no message");
}

Test(chan_hostile, more_descriptors_than_may_wait_are_closed)
{
	expect_descriptors_refused(ROLE_HTTP, ROLE_MASTER, "master", DRAIN_FLAGS, 7, 16,
	    "descriptors that it may not pass");
}

Test(chan_hostile, a_descriptor_that_is_told_of_must_come)
{
	struct ends e;

	ends_open_raw(&e, ROLE_HTTP, ROLE_MASTER);
	ends_write_hello(&e, msg_protocol_id(), "master");
	ends_write(&e, DRAIN_FLAGS, 7);
	expect_over(&e, "a frame that tells of a descriptor and has none");
}

Test(chan_hostile, the_others_go_on_when_one_channel_is_refused)
{
	struct msg_advanced m = { .sequence = 1 };
	struct ends e, bad;

	ends_open(&e, ROLE_FETCHER, ROLE_CACHE_WRITER);
	greeted(&bad);
	ends_write_frame(&bad, "\xc1", 1);
	expect_over(&bad, "something else where a message is due");
	cr_assert_eq(chan_send(e.a.chan, MSG_ADVANCED, &m), E_OK);
	ends_until(&e, e.b.count == 1);
	ends_close(&e);
}

static void
refuse_to_open_for_peer(void)
{
	struct msg_stored m = { .sequence = 1 };
	struct ends e;

	ends_open_raw(&e, ROLE_FETCHER, ROLE_HTTP);
	(void)!chan_send(e.a.chan, MSG_STORED, &m);
}

Test(chan_hostile, saying_what_the_table_does_not_allow_is_our_own_bug, .signal = SIGABRT)
{
	refuse_to_open_for_peer();
}
