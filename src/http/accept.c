/* accept.c - taking connections from listening sockets that other processes accept from too.
 *
 * A few at each wake-up, so that the others get theirs; every 16 the listener is registered
 * anew, which moves this process to the end of the kernel's list of waiters. When descriptors
 * run out one client is told with the descriptor held in reserve, and accepting pauses instead
 * of spinning on a queue it cannot empty.
 */
#include "http_room.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "mem.h"

#define ACCEPT_AT_ONCE	4
#define ACCEPT_READD	16
#define ACCEPT_RETRY_MS 100

static void
accept_reserve(struct http_server *s)
{
	if (s->reserve_fd < 0)
		s->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void
accept_retry(void *arg)
{
	struct http_server *s = arg;

	accept_reserve(s);
	if (s->connections < s->limits.connections_max)
		http_accept_resume(s);
}

void
http_accept_init(struct http_server *s)
{
	s->reserve_fd = -1;
	accept_reserve(s);
	loop_timer_open(s->loop, &s->accept_retry, accept_retry, s);
}

void
http_accept_pause(struct http_server *s)
{
	struct http_listener *l;

	if (!s->accepting)
		return;
	s->accepting = false;
	for (l = s->listeners; l != NULL; l = l->next)
		event_del(l->event);
}

void
http_accept_resume(struct http_server *s)
{
	struct http_listener *l;

	if (s->accepting || loop_timer_is_set(&s->accept_retry))
		return;
	s->accepting = true;
	for (l = s->listeners; l != NULL; l = l->next)
		event_add(l->event, NULL);
}

/* Out of descriptors: the first in the queue hears it, the others wait for the retry or another
 * process. */
static void
accept_starved(struct http_listener *l, int error)
{
	static const char busy[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n"
				   "Retry-After: 1\r\nConnection: close\r\n\r\n";
	struct http_server *s = l->server;
	uint8_t unread[4096];
	int fd;

	if (!s->starved)
		log_warn("http: no connection can be accepted: %s", strerror(error));
	s->starved = true;
	http_server_count_drop(s, HTTP_DROP_LIMIT);
	if (s->reserve_fd >= 0) {
		close(s->reserve_fd);
		s->reserve_fd = -1;
		fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			/* What is left unread would turn the answer into a reset. */
			(void)!recv(fd, unread, sizeof(unread), 0);
			(void)!send(fd, busy, sizeof(busy) - 1, MSG_NOSIGNAL);
			shutdown(fd, SHUT_WR);
			close(fd);
		}
		accept_reserve(s);
	}
	http_accept_pause(s);
	loop_timer_set(&s->accept_retry, ACCEPT_RETRY_MS);
}

/* False when there is nothing more to take for now. */
static bool
accept_one(struct http_listener *l)
{
	struct sockaddr_storage peer = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(peer);
	int fd, error;

	fd = accept4(l->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0) {
		l->accepted++;
		l->server->starved = false;
		http_server_adopt(l->server, fd, (struct sockaddr *)&peer, len);
		return l->server->accepting;
	}
	error = errno;
	if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM)
		accept_starved(l, error);
	/* Anything else is the fate of that one client: reset before it was taken, or taken by
	 * another. */
	return error == ECONNABORTED || error == EINTR;
}

static void
accept_on_event(evutil_socket_t fd, short what, void *arg)
{
	struct http_listener *l = arg;
	int left = ACCEPT_AT_ONCE;

	(void)fd, (void)what;
	while (left-- > 0 && accept_one(l))
		;
	if (l->accepted >= ACCEPT_READD && l->server->accepting) {
		l->accepted = 0;
		event_del(l->event);
		event_add(l->event, NULL);
	}
}

int
http_server_listen(struct http_server *s, int fd)
{
	struct http_listener *l = mem_alloc(sizeof(*l));
	int on = 1;

	/* Accepted sockets inherit it, which spares a call for each. Not for Unix sockets: no
	 * matter. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	l->server = s;
	l->fd = fd;
	l->event = event_new(loop_base(s->loop), fd, EV_READ | EV_PERSIST, accept_on_event, l);
	if (l->event == NULL || (s->accepting && event_add(l->event, NULL) != 0)) {
		if (l->event != NULL)
			event_free(l->event);
		mem_free(&l);
		return E_SYSTEM;
	}
	l->next = s->listeners;
	s->listeners = l;
	return E_OK;
}

void
http_accept_close(struct http_server *s)
{
	struct http_listener *l;

	s->accepting = false;
	while ((l = s->listeners) != NULL) {
		s->listeners = l->next;
		event_free(l->event);
		close(l->fd);
		mem_free(&l);
	}
	loop_timer_close(&s->accept_retry);
	if (s->reserve_fd >= 0)
		close(s->reserve_fd);
	s->reserve_fd = -1;
}
