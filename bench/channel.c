/* channel.c - messages through a channel against the same bytes through a bare socketpair.
 *
 * Two processes, one core each where there are two. A round sends the same number of bytes in the same frames both
 * ways, one after the other, so that whatever else the machine does falls on both alike; medians are compared. The
 * channel's side encodes typed messages, frames, reads, decodes and checks every one of them; the bare side writes
 * frames that are ready and looks at nothing.
 *
 * usage: channel [ROUNDS [MEGABYTES [GOAL]]]     exit status 1 when the ratio stays below GOAL
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chan.h"
#include "clock.h"
#include "log.h"

#define MESSAGE_BYTES  256
#define FRAME_MESSAGES (CHAN_FRAME_FULL / MESSAGE_BYTES)
#define FRAME_BYTES    (4 + FRAME_MESSAGES * MESSAGE_BYTES)
#define QUEUE_BYTES    (256 * 1024)
#define READ_BYTES     (64 * 1024)
#define ROUNDS_MAX     99

static void
stay_on(unsigned cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	/* A machine with one core runs it too, only slower. */
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		return;
}

/* A result whose encoding has MESSAGE_BYTES: its key is made as long as that takes. */
static void
sample_message(struct msg_result *m)
{
	struct buf b;

	memset(m, 0, sizeof(*m));
	snprintf(m->symbol, sizeof(m->symbol), "AAPL");
	m->endpoint = 1;
	m->ticket = UINT64_C(1) << 40;
	do {
		m->key[strlen(m->key)] = 'k';
		buf_init(&b, 4096);
		if (msg_encode(MSG_RESULT, m, &b) != E_OK)
			panic("the sample does not encode");
		buf_fini(&b);
		buf_init(&b, 4096);
		if (msg_encode(MSG_RESULT, m, &b) != E_OK || buf_len(&b) > MESSAGE_BYTES)
			panic("no message of %d bytes can be made", MESSAGE_BYTES);
	} while (buf_len(&b) < MESSAGE_BYTES);
	buf_fini(&b);
}

static void
bare_send(int fd, uint64_t frames)
{
	static char frame[FRAME_BYTES];
	size_t at;
	ssize_t n;

	memset(frame, 'x', sizeof(frame));
	for (; frames > 0; frames--) {
		for (at = 0; at < sizeof(frame); at += (size_t)n)
			if ((n = write(fd, frame + at, sizeof(frame) - at)) < 0)
				fatal(EXIT_WITH_SYSTEM, "write: %s", strerror(errno));
	}
}

static void
bare_receive(int fd, uint64_t frames)
{
	static char bytes[READ_BYTES];
	uint64_t left = frames * FRAME_BYTES;
	ssize_t n;

	for (; left > 0; left -= (uint64_t)n)
		if ((n = read(fd, bytes, sizeof(bytes))) <= 0)
			fatal(EXIT_WITH_SYSTEM, "the sender is gone");
}

struct receiver {
	struct loop *loop;
	uint64_t expected, next;
};

static void
receiver_on_message(struct chan *c, enum msg_type type, const void *data, int fd, void *owner)
{
	const struct msg_result *m = data;
	struct receiver *r = owner;

	(void)c, (void)fd;
	if (type != MSG_RESULT || m->ticket != (UINT64_C(1) << 40) + r->next)
		panic("message %llu is not the one that is due", (unsigned long long)r->next);
	if (++r->next == r->expected)
		loop_stop(r->loop);
}

static void
receiver_on_closed(struct chan *c, int error, const char *why, void *owner)
{
	(void)c, (void)error, (void)owner;
	fatal(EXIT_WITH_SYSTEM, "the channel ended: %s", why);
}

/* The receiver leaves when it has counted all: the sender learns of anything earlier by E_CLOSED. */
static void
sender_on_closed(struct chan *c, int error, const char *why, void *owner)
{
	(void)c, (void)error, (void)why, (void)owner;
}

static const struct chan_hooks receiver_hooks = { receiver_on_message, NULL, receiver_on_closed };
static const struct chan_hooks sender_hooks = { NULL, NULL, sender_on_closed };

static void
channel_send(int fd, uint64_t frames)
{
	struct loop *loop = loop_new();
	struct chan *c = chan_open(
	    loop, fd, ROLE_FETCHER, ROLE_HTTP, "fetcher-rest", QUEUE_BYTES, &sender_hooks, NULL);
	uint64_t left = frames * FRAME_MESSAGES;
	struct msg_result m;
	int r;

	sample_message(&m);
	while (left > 0) {
		r = chan_send(c, MSG_RESULT, &m);
		if (r == E_FULL)
			loop_turn(loop, 1000);
		else if (r != E_OK)
			fatal(EXIT_WITH_SYSTEM, "chan_send: %s", err_name(r));
		else
			m.ticket++, left--;
	}
	while (chan_queued(c) > 0)
		loop_turn(loop, 1000);
	chan_close(&c);
	loop_free(&loop);
}

static void
channel_receive(int fd, uint64_t frames)
{
	struct receiver r = { .loop = loop_new(), .expected = frames * FRAME_MESSAGES };
	struct chan *c = chan_open(
	    r.loop, fd, ROLE_HTTP, ROLE_FETCHER, "http-0", QUEUE_BYTES, &receiver_hooks, &r);

	loop_run(r.loop);
	chan_close(&c);
	loop_free(&r.loop);
}

/* Processor time of this process and of the senders that ended. */
static double
processor_seconds(void)
{
	static const int whose[] = { RUSAGE_SELF, RUSAGE_CHILDREN };
	struct rusage u;
	double sum = 0;
	int i;

	for (i = 0; i < 2; i++) {
		if (getrusage(whose[i], &u) != 0)
			fatal(EXIT_WITH_SYSTEM, "getrusage: %s", strerror(errno));
		sum += (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec);
		sum += (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
	}
	return sum;
}

struct round {
	double per_second; /* bytes */
	double per_processor_second;
};

static void
round_run(struct round *out, uint64_t frames, void (*sender)(int, uint64_t),
    void (*receiver)(int, uint64_t))
{
	double used = processor_seconds();
	int fds[2], status = 0;
	int64_t begun, took;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0 || (pid = fork()) < 0)
		fatal(EXIT_WITH_SYSTEM, "socketpair or fork: %s", strerror(errno));
	if (pid == 0) {
		close(fds[0]);
		stay_on(1);
		sender(fds[1], frames);
		_exit(0);
	}
	close(fds[1]);
	begun = clock_mono();
	receiver(fds[0], frames);
	took = clock_mono() - begun;
	if (waitpid(pid, &status, 0) != pid || status != 0)
		fatal(EXIT_WITH_SYSTEM, "the sender failed");
	used = processor_seconds() - used;
	out->per_second = (double)(frames * FRAME_BYTES) * 1e9 / (double)took;
	out->per_processor_second = (double)(frames * FRAME_BYTES) / (used > 0 ? used : 1e-6);
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static struct round
median(const struct round *rounds, size_t count)
{
	double wall[ROUNDS_MAX], processor[ROUNDS_MAX];
	size_t i;

	for (i = 0; i < count; i++) {
		wall[i] = rounds[i].per_second;
		processor[i] = rounds[i].per_processor_second;
	}
	qsort(wall, count, sizeof(wall[0]), by_size);
	qsort(processor, count, sizeof(processor[0]), by_size);
	return (struct round){ wall[count / 2], processor[count / 2] };
}

static void
show(const char *name, struct round r)
{
	printf("%-8s %8.0f MB/s %9.0f frames/s %11.0f messages/s %8.0f MB per processor second\n",
	    name, r.per_second / 1e6, r.per_second / FRAME_BYTES,
	    r.per_second / FRAME_BYTES * FRAME_MESSAGES, r.per_processor_second / 1e6);
}

int
main(int argc, char **argv)
{
	size_t rounds = argc > 1 ? (size_t)atoi(argv[1]) : 15, i;
	uint64_t frames = (argc > 2 ? (uint64_t)atoi(argv[2]) : 256) * 1000000 / FRAME_BYTES;
	struct round bare[ROUNDS_MAX], channel[ROUNDS_MAX], b, c;
	double goal = argc > 3 ? atof(argv[3]) : 0;

	if (rounds < 1 || rounds > ROUNDS_MAX || frames < 1) {
		fprintf(stderr, "usage: channel [ROUNDS [MEGABYTES [GOAL]]]\n");
		return 2;
	}
	log_open("bench", LOG_FORMAT_TEXT, LOG_LEVEL_WARN);
	stay_on(0);
	for (i = 0; i < rounds; i++) {
		round_run(&bare[i], frames, bare_send, bare_receive);
		round_run(&channel[i], frames, channel_send, channel_receive);
	}
	b = median(bare, rounds);
	c = median(channel, rounds);
	printf("%d-byte messages, %d-byte frames, %zu rounds of %llu frames, medians\n",
	    MESSAGE_BYTES, FRAME_BYTES, rounds, (unsigned long long)frames);
	show("bare", b);
	show("channel", c);
	printf("ratio    %.2f     by processor time %.2f\n", c.per_second / b.per_second,
	    c.per_processor_second / b.per_processor_second);
	return c.per_second / b.per_second < goal;
}
