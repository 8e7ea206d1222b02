/* wire.c - the socket under a channel: bytes and descriptors, each in its place.
 *
 * The kernel delivers a descriptor with the byte it was sent with, and a read never goes beyond such a piece.
 * So a descriptor goes with the first byte of its frame, and has always arrived when that frame's head has.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc_room.h"

void
wire_init(struct wire *w, int fd, bool takes_fds)
{
	memset(w, 0, sizeof(*w));
	w->fd = fd;
	w->takes_fds = takes_fds;
}

void
wire_fini(struct wire *w)
{
	size_t i;

	for (i = 0; i < w->out_count; i++)
		close(w->out[i].fd);
	for (i = 0; i < w->in_count; i++)
		close(w->in[i]);
	w->out_count = w->in_count = 0;
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

int
wire_add_fd(struct wire *w, uint64_t at, int fd)
{
	if (w->out_count == WIRE_FDS_OUT)
		return E_FULL;
	w->out[w->out_count].at = at;
	w->out[w->out_count].fd = fd;
	w->out_count++;
	return E_OK;
}

int
wire_take_fd(struct wire *w)
{
	int fd;

	if (w->in_count == 0)
		return -1;
	fd = w->in[0];
	w->in_count--;
	memmove(w->in, w->in + 1, w->in_count * sizeof(w->in[0]));
	return fd;
}

static void
wire_drop_out(struct wire *w)
{
	close(w->out[0].fd);
	w->out_count--;
	memmove(w->out, w->out + 1, w->out_count * sizeof(w->out[0]));
}

union control {
	char bytes[CMSG_SPACE(sizeof(int) * WIRE_FDS_IN)];
	struct cmsghdr aligned;
};

static void
control_attach(struct msghdr *m, union control *control, int fd)
{
	struct cmsghdr *head;

	memset(control, 0, sizeof(*control));
	m->msg_control = control->bytes;
	m->msg_controllen = CMSG_SPACE(sizeof(fd));
	head = CMSG_FIRSTHDR(m);
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(head), &fd, sizeof(fd));
}

/* One piece: up to the byte the next descriptor goes with. */
static ssize_t
wire_write_piece(struct wire *w, const uint8_t *data, size_t len)
{
	bool carries = w->out_count > 0 && w->out[0].at == w->sent;
	size_t next = carries ? 1 : 0;
	struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control;
	ssize_t n;

	if (next < w->out_count && w->out[next].at - w->sent < len)
		iov.iov_len = w->out[next].at - w->sent;
	if (carries)
		control_attach(&m, &control, w->out[0].fd);
	do
		n = sendmsg(w->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n > 0 && carries)
		wire_drop_out(w);
	return n;
}

static int
wire_break(struct wire *w)
{
	int error = errno;

	/* What the peer said before stays readable, and then the stream ends: one way to be over. */
	w->broken = true;
	shutdown(w->fd, SHUT_RDWR);
	errno = error;
	return error == EPIPE || error == ECONNRESET ? E_CLOSED : E_SYSTEM;
}

int
wire_write(struct wire *w, struct buf *b)
{
	ssize_t n;

	if (w->broken)
		return E_CLOSED;
	while (buf_len(b) > 0) {
		n = wire_write_piece(w, buf_data(b), buf_len(b));
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return E_PARTIAL;
		if (n < 0)
			return wire_break(w);
		w->sent += (uint64_t)n;
		buf_consume(b, (size_t)n);
	}
	return E_OK;
}

/* All descriptors of a read become ours; those there is no room for are closed. */
static int
wire_keep_fds(struct wire *w, struct msghdr *m)
{
	struct cmsghdr *head;
	bool lost = (m->msg_flags & MSG_CTRUNC) != 0;
	size_t i, count;
	int fd;

	for (head = CMSG_FIRSTHDR(m); head != NULL; head = CMSG_NXTHDR(m, head)) {
		if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
			continue;
		count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(fd);
		for (i = 0; i < count; i++) {
			memcpy(&fd, CMSG_DATA(head) + i * sizeof(fd), sizeof(fd));
			if (w->in_count < WIRE_FDS_IN) {
				w->in[w->in_count++] = fd;
				continue;
			}
			close(fd);
			lost = true;
		}
	}
	return lost ? E_PROTOCOL : E_OK;
}

int
wire_read(struct wire *w, struct frame_in *in, const char **why)
{
	union control control;
	struct iovec iov;
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	iov.iov_base = frame_space(in, &iov.iov_len);
	/* Without room for them the kernel closes descriptors itself. */
	if (w->takes_fds) {
		m.msg_control = control.bytes;
		m.msg_controllen = sizeof(control.bytes);
	}
	do
		n = recvmsg(w->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return E_PARTIAL;
	if (n <= 0) {
		*why = n == 0 ? "the peer is gone" : strerror(errno);
		return n == 0 || errno == ECONNRESET ? E_CLOSED : E_SYSTEM;
	}
	frame_filled(in, (size_t)n);
	if (wire_keep_fds(w, &m) == E_OK)
		return E_OK;
	*why = "descriptors that it may not pass";
	return E_PROTOCOL;
}
