/* client.c - the other end of the control socket. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "ctl_room.h"
#include "text.h"

#define CLIENT_ANSWER_MAX (32u << 20)
#define CLIENT_CHUNK	  65536
#define CLIENT_AGAIN_MS	  20 /* between attempts while the master's queue is full */

static int client_fail(char[CTL_LINE], int, const char *, ...) PRINTF_LIKE(3, 4);

static int
client_fail(char why[CTL_LINE], int error, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(why, CTL_LINE, fmt, args);
	va_end(args);
	return error;
}

void
client_init(struct client *c, const char *path, int64_t timeout_ms)
{
	memset(c, 0, sizeof(*c));
	(void)text_copy(c->path, sizeof(c->path), path);
	c->timeout_ms = timeout_ms;
	c->fd = -1;
	buf_init(&c->in, CLIENT_ANSWER_MAX);
}

void
client_close(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	buf_fini(&c->in);
}

/* A path that is longer than an address is reached through a descriptor of its folder, which stays open meanwhile. */
static int
client_address(const char *path, struct sockaddr_un *address, int *dir_fd)
{
	const char *slash = strrchr(path, '/');
	char dir[CTL_PATH];

	*dir_fd = -1;
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	if (text_copy(address->sun_path, sizeof(address->sun_path), path) == E_OK)
		return E_OK;
	if (slash == NULL || text_copy_n(dir, sizeof(dir), path, (size_t)(slash - path)) != E_OK)
		return E_LIMIT;
	if ((*dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
		return E_SYSTEM;
	if ((size_t)snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d/%s",
		*dir_fd, slash + 1) >= sizeof(address->sun_path)) {
		close(*dir_fd);
		return E_LIMIT;
	}
	return E_OK;
}

/* A full queue of the master's is waited for. errno says why not. */
static int
client_connect(int fd, const struct sockaddr_un *address, int64_t deadline)
{
	while (connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0) {
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN || clock_mono() > deadline)
			return E_SYSTEM;
		(void)poll(NULL, 0, CLIENT_AGAIN_MS);
	}
	return E_OK;
}

int
client_open(struct client *c, char why[CTL_LINE])
{
	struct sockaddr_un address;
	int dir_fd, r, error;

	client_close(c);
	if ((r = client_address(c->path, &address, &dir_fd)) == E_OK) {
		c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		r = c->fd < 0
			? E_SYSTEM
			: client_connect(c->fd, &address, clock_mono() + c->timeout_ms * CLOCK_MS);
	}
	error = errno;
	if (dir_fd >= 0)
		close(dir_fd);
	if (r == E_OK)
		return E_OK;
	client_close(c);
	return client_fail(why, r, "no gateway answers on %.300s (%s): %s", c->path,
	    r == E_LIMIT ? "the path is too long" : strerror(error),
	    error == EACCES ? "ask as root or as the user it runs as"
			    : "is it running, and is this its state directory? See --state-dir");
}

static int
client_wait(struct client *c, short what, int64_t deadline)
{
	struct pollfd p = { .fd = c->fd, .events = what };
	int64_t left = deadline - clock_mono();
	int n;

	if (left < 0)
		return E_REQUEST_TIMEOUT;
	n = poll(&p, 1, (int)(left / CLOCK_MS) + 1);
	if (n < 0)
		return errno == EINTR ? E_PARTIAL : E_SYSTEM;
	return n == 0 ? E_REQUEST_TIMEOUT : E_OK;
}

static int
client_send(struct client *c, const char *line, size_t len, int64_t deadline)
{
	ssize_t n;
	int r;

	while (len > 0) {
		if ((n = send(c->fd, line, len, MSG_NOSIGNAL)) > 0) {
			line += n;
			len -= (size_t)n;
		} else if (errno != EAGAIN && errno != EINTR) {
			return E_CLOSED;
		} else if ((r = client_wait(c, POLLOUT, deadline)) != E_OK && r != E_PARTIAL) {
			return r;
		}
	}
	return E_OK;
}

/* Up to a newline, which is behind what *len counts. */
static int
client_receive(struct client *c, size_t *len, int64_t deadline)
{
	size_t seen = 0;
	const uint8_t *end;
	ssize_t n;
	int r;

	for (;;) {
		end = buf_len(&c->in) > seen
			  ? memchr(buf_data(&c->in) + seen, '\n', buf_len(&c->in) - seen)
			  : NULL;
		if (end != NULL) {
			*len = (size_t)(end - buf_data(&c->in));
			return E_OK;
		}
		seen = buf_len(&c->in);
		if (buf_reserve(&c->in, CLIENT_CHUNK) != E_OK)
			return E_PROTOCOL;
		n = recv(c->fd, buf_tail(&c->in), CLIENT_CHUNK, 0);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return E_CLOSED;
		if (n > 0)
			buf_commit(&c->in, (size_t)n);
		else if ((r = client_wait(c, POLLIN, deadline)) != E_OK && r != E_PARTIAL)
			return r;
	}
}

/* A request with its newline: sent in one piece, so that one who answers the first half and leaves
 * does not reset the connection under his answer. */
static char *
client_request(const char *command, const char *const *args, unsigned limit)
{
	json_t *words = json_array(), *request;
	char *text, *line = NULL;

	for (; args != NULL && *args != NULL; args++)
		(void)json_array_append_new(words, json_string(*args));
	request = json_pack("{s:s, s:o}", "command", command, "args", words);
	if (request != NULL && limit > 0)
		(void)json_object_set_new(request, "limit", json_integer((json_int_t)limit));
	text = request != NULL ? json_dumps(request, JSON_COMPACT) : NULL;
	if (text != NULL && asprintf(&line, "%s\n", text) < 0)
		line = NULL;
	free(text);
	json_decref(request);
	return line;
}

static int
client_exchange(struct client *c, const char *line, int64_t timeout_ms, json_t **answer)
{
	int64_t deadline = clock_mono() + timeout_ms * CLOCK_MS;
	size_t len;
	int r;

	r = client_send(c, line, strlen(line), deadline);
	if (r != E_OK && r != E_CLOSED)
		return r;
	/* Who closed before he read all may have said why. */
	if ((r = client_receive(c, &len, deadline)) != E_OK)
		return r;
	*answer = json_loadb((const char *)buf_data(&c->in), len, 0, NULL);
	buf_consume(&c->in, len + 1);
	return json_is_object(*answer) ? E_OK : E_PROTOCOL;
}

int
client_ask(struct client *c, const char *command, const char *const *args, unsigned limit,
    int64_t timeout_ms, json_t **answer, char why[CTL_LINE])
{
	char *line;
	int r;

	*answer = NULL;
	if (c->fd < 0 && (r = client_open(c, why)) != E_OK)
		return r;
	if ((line = client_request(command, args, limit)) == NULL)
		return client_fail(why, E_INVALID_PARAMETER, "an argument is not UTF-8 text");
	r = client_exchange(c, line, timeout_ms, answer);
	free(line);
	if (r == E_OK)
		return E_OK;
	client_close(c);
	json_decref(*answer);
	*answer = NULL;
	if (r == E_REQUEST_TIMEOUT)
		return client_fail(why, r,
		    "no answer on %.300s within %.3g s: see the gateway's log, or give it longer "
		    "with "
		    "--timeout",
		    c->path, (double)timeout_ms / 1000);
	if (r == E_PROTOCOL)
		return client_fail(
		    why, r, "what answers on %.300s is no gateway of this kind", c->path);
	return client_fail(
	    why, E_CLOSED, "the gateway on %.300s closed the connection: it ended", c->path);
}

void
client_print(const json_t *answer)
{
	(void)json_dumpf(answer, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15));
	(void)fputc('\n', stdout);
	(void)fflush(stdout);
}

bool
answer_is_ok(const json_t *answer)
{
	return json_is_true(json_object_get(answer, "ok"));
}
