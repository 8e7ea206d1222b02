/* accept.c - taking connections from listening sockets that other processes accept from too.
 *
 * Of all that wait for a listener a connection wakes one, the first in the kernel's list of waiters
 * (EPOLLEXCLUSIVE). It takes one connection and lines up anew at the end of that list: so all get
 * the same number of them, and nobody is woken for nothing. Who comes back for the next one at once
 * lets those run first that were woken meanwhile. Who does not wait, because it is busy or was
 * stopped, is passed over. Only one that is woken and then ends or is stopped before it
 * accepts leaves a connection that nobody was told of; so all line up anew now and then, which
 * shows them what is there.
 *
 * When descriptors run out one client is told with the descriptor held in reserve, and accepting
 * pauses instead of spinning on a queue it cannot empty.
 */
#include "http_room.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "mem.h"

#define ACCEPT_RETRY_MS	 100
#define ACCEPT_LOOK_MS	 200
#define ACCEPT_AGAIN_NS	 (100 * 1000) /* so soon after the last one it has not waited in line */
#define ACCEPT_EPOLL_MAX 256	      /* the loop is made early: its descriptor is a small one */

enum { EPOLL_UNKNOWN = -1, EPOLL_NONE = -2 }; /* instead of a descriptor */

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

/* The epoll instance of the loop, which libevent does not tell: the one that gives the listener up. */
static int
accept_find_epoll(int fd)
{
	int at;

	for (at = 0; at < ACCEPT_EPOLL_MAX; at++)
		if (epoll_ctl(at, EPOLL_CTL_DEL, fd, NULL) == 0)
			return at;
	return EPOLL_NONE;
}

/* libevent knows no EPOLLEXCLUSIVE, and the kernel changes no registration to it: so libevent's is
 * taken out and another one put in its place. Where libevent uses no epoll all are woken. */
static void
accept_line_up(struct http_listener *l)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLEXCLUSIVE, .data.fd = l->fd };
	struct http_server *s = l->server;

	if (s->epoll_fd == EPOLL_UNKNOWN)
		s->epoll_fd = accept_find_epoll(l->fd);
	else if (s->epoll_fd >= 0)
		(void)epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, l->fd, NULL);
	if (s->epoll_fd < 0 || epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, l->fd, &e) == 0)
		return;
	log_warn("http: connections cannot be waited for in line: %s", strerror(errno));
	s->epoll_fd = EPOLL_NONE;
	event_del(l->event);
	event_add(l->event, NULL);
}

static void
accept_look(void *arg)
{
	struct http_server *s = arg;
	struct http_listener *l;

	if (s->accepting)
		for (l = s->listeners; l != NULL; l = l->next)
			accept_line_up(l);
	loop_timer_set(&s->accept_look, ACCEPT_LOOK_MS);
}

void
http_accept_init(struct http_server *s)
{
	s->reserve_fd = -1;
	s->epoll_fd = EPOLL_UNKNOWN;
	accept_reserve(s);
	loop_timer_open(s->loop, &s->accept_retry, accept_retry, s);
	loop_timer_open(s->loop, &s->accept_look, accept_look, s);
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
		if (event_add(l->event, NULL) == 0)
			accept_line_up(l);
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
	if (s->hooks.starved != NULL)
		s->hooks.starved(error, s->owner);
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
	struct http_server *s = l->server;
	struct sockaddr_storage peer = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(peer);
	int fd, error;

	fd = accept4(l->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0) {
		s->starved = false;
		http_server_adopt(s, fd, (struct sockaddr *)&peer, len);
		return s->accepting;
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
	struct http_server *s = l->server;

	(void)fd, (void)what;
	if (clock_mono() - l->accepted_ns < ACCEPT_AGAIN_NS)
		sched_yield();
	if (accept_one(l))
		l->accepted_ns = clock_mono();
	if (s->accepting)
		accept_line_up(l);
}

void
http_accept_all(struct http_server *s)
{
	struct http_listener *l;

	for (l = s->listeners; l != NULL; l = l->next)
		while (s->accepting && accept_one(l))
			;
}

int
http_server_listen(struct http_server *s, int fd)
{
	struct http_listener *l;
	int on = 1;

	if (s->draining) { /* it came too late to be of use */
		close(fd);
		return E_OK;
	}
	l = mem_alloc(sizeof(*l));
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
	if (s->accepting)
		accept_line_up(l);
	if (s->epoll_fd >= 0)
		loop_timer_set(&s->accept_look, ACCEPT_LOOK_MS);
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
	loop_timer_close(&s->accept_look);
	if (s->reserve_fd >= 0)
		close(s->reserve_fd);
	s->reserve_fd = -1;
}
