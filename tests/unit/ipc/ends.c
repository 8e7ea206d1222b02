/* ends.c - a loop and one or two ends of a channel, recording what happens at each. */
#include "ends.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "text.h"

static const char *
end_slot(enum role role)
{
	switch (role) {
	case ROLE_MASTER:
		return "master";
	case ROLE_FETCHER:
		return "fetcher-rest";
	case ROLE_CACHE_WRITER:
		return "cache-writer";
	default:
		return "http-0";
	}
}

static void
end_on_message(struct chan *c, enum msg_type type, const void *data, int fd, void *owner)
{
	struct end *e = owner;
	const struct msg_advanced *advanced = data;

	(void)c;
	if (e->count < END_KEPT) {
		e->types[e->count] = type;
		memcpy(&e->first[e->count], data, msg_desc(type)->size);
		e->fds[e->count] = fd;
	} else if (fd >= 0) {
		close(fd);
	}
	if (type == MSG_ADVANCED && advanced->sequence != ++e->expected)
		e->disorder = true;
	e->count++;
	e->got_one = true;
	if (e->stop_after_one)
		chan_close(&e->chan);
}

static void
end_on_opened(struct chan *c, const char *slot, int pid, void *owner)
{
	struct end *e = owner;

	(void)c;
	e->opened++;
	e->pid = pid;
	text_copy(e->slot, sizeof(e->slot), slot);
}

static void
end_on_closed(struct chan *c, int error, const char *why, void *owner)
{
	struct end *e = owner;

	(void)c;
	e->closed++;
	e->error = error;
	text_copy(e->why, sizeof(e->why), why);
}

static const struct chan_hooks end_hooks = { end_on_message, end_on_opened, end_on_closed };

static void
ends_prepare(struct ends *e, int fds[2])
{
	memset(e, 0, sizeof(*e));
	log_open("test", LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	e->loop = loop_new();
	e->raw = -1;
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
}

void
ends_open(struct ends *e, enum role a, enum role b)
{
	int fds[2];

	ends_prepare(e, fds);
	e->a.chan = chan_open(e->loop, fds[0], a, b, end_slot(a), QUEUE, &end_hooks, &e->a);
	e->b.chan = chan_open(e->loop, fds[1], b, a, end_slot(b), QUEUE, &end_hooks, &e->b);
}

void
ends_open_raw(struct ends *e, enum role a, enum role b)
{
	int fds[2];

	ends_prepare(e, fds);
	e->a.chan = chan_open(e->loop, fds[0], a, b, end_slot(a), QUEUE, &end_hooks, &e->a);
	e->raw = fds[1];
}

void
ends_close(struct ends *e)
{
	size_t i;

	for (i = 0; i < END_KEPT; i++) {
		if (i < e->a.count && e->a.fds[i] >= 0)
			close(e->a.fds[i]);
		if (i < e->b.count && e->b.fds[i] >= 0)
			close(e->b.fds[i]);
	}
	chan_close(&e->a.chan);
	chan_close(&e->b.chan);
	if (e->raw >= 0)
		close(e->raw);
	loop_free(&e->loop);
}

void
ends_write(struct ends *e, const void *data, size_t len)
{
	cr_assert_eq(send(e->raw, data, len, MSG_NOSIGNAL), (ssize_t)len);
}

void
ends_write_frame(struct ends *e, const void *data, size_t len)
{
	uint32_t head = htonl((uint32_t)len);

	ends_write(e, &head, sizeof(head));
	ends_write(e, data, len);
}

void
ends_write_hello(struct ends *e, uint64_t protocol, const char *slot)
{
	struct msg_hello hello = { .protocol = protocol, .pid = 4321 };
	struct buf b;

	text_copy(hello.slot, sizeof(hello.slot), slot);
	buf_init(&b, 1000);
	cr_assert_eq(msg_encode(MSG_HELLO, &hello, &b), E_OK);
	ends_write_frame(e, buf_data(&b), buf_len(&b));
	buf_fini(&b);
}
