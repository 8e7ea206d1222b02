/* log_sink.c - where lines go, without ever waiting for who reads them.
 *
 * Standard error is shared with whoever started the gateway: to make it non-blocking would change it for them.
 * A pipe or terminal is therefore opened a second time, which has flags of its own. Where the system does not allow
 * that (another user's pipe) it is asked before each line whether it would take one; then a line may still
 * have to wait when another process takes the room in between.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log_room.h"

#define LOG_SINK_HIGH_FD                                                                           \
	100 /* above what others expect at a number: a worker's channel, sockets handed over */

/* Out of the way, where the limit of descriptors allows. */
static int
log_sink_lift(int fd)
{
	int high =
	    fd >= 0 && fd < LOG_SINK_HIGH_FD ? fcntl(fd, F_DUPFD_CLOEXEC, LOG_SINK_HIGH_FD) : -1;

	if (high < 0)
		return fd;
	close(fd);
	return high;
}

void
log_sink_close(struct log_sink *s)
{
	if (s->own && s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	s->own = false;
}

void
log_sink_stderr(struct log_sink *s)
{
	char self[64];
	struct stat is;
	int fd = -1;

	log_sink_close(s);
	s->kind = LOG_SINK_PLAIN;
	s->fd = STDERR_FILENO;
	s->torn = false;
	if (fstat(STDERR_FILENO, &is) != 0 || S_ISREG(is.st_mode))
		return;
	if (S_ISSOCK(is.st_mode)) {
		s->kind = LOG_SINK_SOCKET;
		return;
	}
	snprintf(self, sizeof(self), "/proc/self/fd/%d", STDERR_FILENO);
	fd = log_sink_lift(open(self, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
	if (fd < 0) {
		s->kind = LOG_SINK_POLLED;
		return;
	}
	s->fd = fd;
	s->own = true;
}

int
log_sink_file(struct log_sink *s, const char *path)
{
	/* Non-blocking for the case that it is a named pipe; files do not mind. */
	int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	int fd = log_sink_lift(open(path, flags, 0640));

	if (fd < 0)
		return E_SYSTEM;
	log_sink_close(s);
	s->fd = fd;
	s->own = true;
	s->kind = LOG_SINK_PLAIN;
	s->torn = false;
	return E_OK;
}

static ssize_t
log_sink_put(const struct log_sink *s, const char *bytes, size_t len)
{
	struct pollfd room = { .fd = s->fd, .events = POLLOUT };

	switch (s->kind) {
	case LOG_SINK_SOCKET:
		return send(s->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	case LOG_SINK_POLLED:
		if (poll(&room, 1, 0) != 1 || (room.revents & POLLOUT) == 0)
			return -1;
		break;
	case LOG_SINK_PLAIN:
		break;
	}
	return write(s->fd, bytes, len);
}

static bool
log_sink_try(struct log_sink *s, const char *line, size_t len)
{
	ssize_t n;

	do {
		errno = 0;
		n = log_sink_put(s, line, len);
	} while (n < 0 && errno == EINTR);
	/* A child between fork and exec has closed what is not one of the standard three. */
	if (n < 0 && errno == EBADF && s->own)
		n = write(STDERR_FILENO, line, len);
	s->torn = n > 0 && (size_t)n < len;
	return n == (ssize_t)len;
}

/* What a terminal or a full disk took half of is ended before the next line. */
bool
log_sink_write(struct log_sink *s, const char *line, size_t len)
{
	if (s->torn && !log_sink_try(s, "\n", 1)) {
		s->torn = true;
		return false;
	}
	return log_sink_try(s, line, len);
}
