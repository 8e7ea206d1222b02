/* ctl_conn.c - one client of the control socket: reads a line, answers it, reads the next.
 *
 * While an answer waits to be taken or an action is under way only the buffer of one request is filled, which tells
 * whether the client is still there; so it costs its own buffers and no more. One that neither speaks nor reads is
 * let go after a minute.
 */
#include "ctl.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "text.h"

static void
conn_watch(struct ctl_conn *c)
{
	if (c->ended || c->last || c->in_len == sizeof(c->in))
		(void)event_del(c->readable);
	else
		(void)event_add(c->readable, NULL);
	if (buf_len(&c->out) > 0)
		(void)event_add(c->writable, NULL);
	if (c->wait != NULL)
		loop_timer_clear(&c->idle);
	else
		loop_timer_set(&c->idle, CTL_IDLE_MS);
}

/* What the kernel does not take at once waits. False: the client is gone. */
static bool
conn_send(struct ctl_conn *c)
{
	ssize_t n;

	while (buf_len(&c->out) > 0) {
		n = send(c->fd, buf_data(&c->out), buf_len(&c->out), MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK;
		buf_consume(&c->out, (size_t)n);
	}
	buf_shrink(&c->out);
	return true;
}

/* Answer lines, the good one and the other. */
static void
answer_begin(struct json *j, struct buf *text, bool ok, const char *command)
{
	buf_reset(text);
	json_begin(j, text);
	json_object_open(j, NULL);
	json_bool(j, "ok", ok);
	json_text_or_null(j, "command", command);
}

static void
answer_refusal(struct buf *text, const char *command, int error, const char *why)
{
	struct json j;

	answer_begin(&j, text, false, command);
	json_text(&j, "error", why);
	json_i64(&j, "code", -error);
	json_text(&j, "name", err_name(error));
	json_object_close(&j);
	if (json_end(&j) != E_OK)
		panic("control socket: a refusal does not fit its buffer");
}

static void
conn_put(struct ctl_conn *c, struct buf *text)
{
	if (buf_add(&c->out, buf_data(text), buf_len(text)) != E_OK ||
	    buf_add(&c->out, "\n", 1) != E_OK)
		panic("control socket: an answer is longer than what may wait");
	buf_reset(text);
}

static void
conn_refuse(struct ctl_conn *c, const char *command, int error, const char *why)
{
	answer_refusal(&c->server->text, command, error, why);
	conn_put(c, &c->server->text);
}

void
ctl_refuse(struct ctl_answer *a, int error, const char *fmt, ...)
{
	va_list args;

	a->refused = true;
	a->error = error;
	va_start(args, fmt);
	(void)vsnprintf(a->text, sizeof(a->text), fmt, args);
	va_end(args);
}

/* May run inside the handler that began the action, or in any later turn. */
void
ctl_done(void *arg, int error, const char *text)
{
	struct ctl_wait *w = arg;
	struct ctl_conn *c = w->conn;
	struct json j;

	if (!w->used)
		panic("control socket: %s is done twice", w->command);
	w->used = false;
	w->conn = NULL;
	text = text != NULL ? text : err_text(error);
	if (error == E_OK)
		log_info("control socket: %s: %s", w->command, text);
	else
		log_warn("control socket: %s: %s", w->command, text);
	if (c == NULL)
		return;
	c->wait = NULL;
	if (error != E_OK) {
		conn_refuse(c, w->command, error, text);
	} else {
		answer_begin(&j, &c->server->text, true, w->command);
		json_text(&j, "text", text);
		json_object_close(&j);
		if (json_end(&j) != E_OK)
			panic("control socket: an answer does not fit its buffer");
		conn_put(c, &c->server->text);
	}
	conn_watch(c);
}

static struct ctl_wait *
wait_new(struct ctl_conn *c, const char *command)
{
	struct ctl_server *s = c->server;
	size_t i;

	for (i = 0; i < CTL_WAITS_MAX; i++) {
		if (s->waits[i].used)
			continue;
		s->waits[i].used = true;
		s->waits[i].conn = c;
		(void)text_copy(s->waits[i].command, sizeof(s->waits[i].command), command);
		return &s->waits[i];
	}
	return NULL;
}

static void
conn_act(struct ctl_conn *c, const struct ctl_command *command, const struct ctl_request *q)
{
	struct ctl_answer a = { .master = c->server->master };

	if ((a.wait = c->wait = wait_new(c, q->command)) == NULL) {
		conn_refuse(c, q->command, E_FULL,
		    "too many actions are under way: try again when one is done");
		return;
	}
	command->handle(&a, q);
	if (!a.refused)
		return;
	a.wait->used = false;
	a.wait->conn = NULL;
	c->wait = NULL;
	conn_refuse(c, q->command, a.error, a.text);
}

static void
conn_query(struct ctl_conn *c, const struct ctl_command *command, const struct ctl_request *q)
{
	struct buf *text = &c->server->text;
	struct json j;
	struct ctl_answer a = { .master = c->server->master, .json = &j };

	answer_begin(&j, text, true, q->command);
	command->handle(&a, q);
	if (!a.refused) {
		json_object_close(&j);
		if (json_end(&j) == E_OK) {
			conn_put(c, text);
			return;
		}
		ctl_refuse(&a, E_FULL, "the answer is longer than %u bytes", CTL_OUT_MAX);
	}
	conn_refuse(c, q->command, a.error, a.text);
}

static void
conn_request(struct ctl_conn *c, const char *line, size_t len)
{
	const struct ctl_command *command;
	struct ctl_request q;
	char why[256];
	int r;

	if ((r = ctl_request_read(line, len, &q, why, sizeof(why))) != E_OK) {
		conn_refuse(c, NULL, r, why);
	} else if ((command = ctl_command_find(q.command)) == NULL) {
		(void)snprintf(why, sizeof(why), "there is no command \"%s\"", q.command);
		conn_refuse(c, q.command, E_NOT_FOUND, why);
	} else if (!ctl_command_takes(command, q.argc)) {
		(void)snprintf(why, sizeof(why), "%s takes %s", q.command,
		    command->arguments[0] != '\0' ? command->arguments : "no argument");
		conn_refuse(c, q.command, E_INVALID_PARAMETER, why);
	} else if (command->kind == CTL_ACTION) {
		conn_act(c, command, &q);
	} else {
		conn_query(c, command, &q);
	}
}

/* Lines that are complete, until one has to be waited for. False: the client is gone. */
static bool
conn_work(struct ctl_conn *c)
{
	size_t len;
	char *end;

	while (c->wait == NULL && buf_len(&c->out) == 0 && !c->last && c->in_len > 0) {
		if ((end = memchr(c->in, '\n', c->in_len)) == NULL)
			break;
		len = (size_t)(end - c->in) + 1;
		conn_request(c, c->in, len - 1);
		c->in_len -= len;
		memmove(c->in, c->in + len, c->in_len);
		if (!conn_send(c))
			return false;
	}
	if (c->wait != NULL || buf_len(&c->out) > 0 || c->last)
		return true;
	if (c->in_len == sizeof(c->in)) {
		conn_refuse(c, NULL, E_REQUEST_SIZE_EXCEEDED,
		    "a request is one line of at most 4096 bytes");
		c->last = true;
		return conn_send(c);
	}
	return !c->ended;
}

/* Half a connection may still be read from; a whole one that ended has nobody to answer to. */
static bool
conn_is_gone(const struct ctl_conn *c)
{
	struct pollfd p = { .fd = c->fd };

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR)) != 0;
}

static void
conn_go_on(struct ctl_conn *c, bool alive)
{
	if (!alive || (c->last && buf_len(&c->out) == 0))
		ctl_conn_close(c);
	else
		conn_watch(c);
}

static void
conn_on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct ctl_conn *c = arg;
	ssize_t n;

	(void)what;
	n = recv(fd, c->in + c->in_len, sizeof(c->in) - c->in_len, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		c->in_len += (size_t)n;
	else
		c->ended = true;
	conn_go_on(c, !(c->ended && (n < 0 || conn_is_gone(c))) && conn_work(c));
}

static void
conn_on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct ctl_conn *c = arg;

	(void)fd, (void)what;
	conn_go_on(c, conn_send(c) && conn_work(c));
}

static void
conn_on_idle(void *arg)
{
	ctl_conn_close(arg);
}

bool
ctl_conn_open(struct ctl_server *s, int fd)
{
	struct event_base *base = loop_base(s->master->loop);
	struct ctl_conn *c = s->conns;

	while (c < s->conns + CTL_CONNS_MAX && c->server != NULL)
		c++;
	if (c == s->conns + CTL_CONNS_MAX)
		return false;
	memset(c, 0, sizeof(*c));
	c->server = s;
	c->fd = fd;
	buf_init(&c->out, 2 * CTL_OUT_MAX);
	c->readable = event_new(base, fd, EV_READ | EV_PERSIST, conn_on_readable, c);
	c->writable = event_new(base, fd, EV_WRITE, conn_on_writable, c);
	if (c->readable == NULL || c->writable == NULL)
		fatal(EXIT_WITH_SYSTEM, "the control socket cannot be watched");
	loop_timer_open(s->master->loop, &c->idle, conn_on_idle, c);
	s->conn_count++;
	conn_watch(c);
	return true;
}

int
ctl_release(struct master *m, void *arg)
{
	const struct ctl_server *s = m->ctl;
	const struct ctl_wait *w = arg;

	if (s == NULL || w < s->waits || w >= s->waits + CTL_WAITS_MAX || !w->used ||
	    w->conn == NULL)
		return -1;
	return w->conn->fd;
}

void *
ctl_adopt(struct master *m, int fd, done_fn **done)
{
	struct ctl_conn *c;

	*done = NULL;
	if (fd < 0)
		return NULL;
	if (!ctl_conn_open(m->ctl, fd)) {
		close(fd);
		return NULL;
	}
	for (c = m->ctl->conns; c->server == NULL || c->fd != fd; c++)
		;
	c->wait = wait_new(c, "upgrade");
	conn_watch(c);
	*done = ctl_done;
	return c->wait;
}

/* An action it waited for goes on. The struct stays where it is, so this may run inside its own callbacks. */
void
ctl_conn_close(struct ctl_conn *c)
{
	if (c->wait != NULL)
		c->wait->conn = NULL;
	c->wait = NULL;
	event_free(c->readable);
	event_free(c->writable);
	loop_timer_close(&c->idle);
	close(c->fd);
	buf_fini(&c->out);
	c->server->conn_count--;
	c->server = NULL;
}
