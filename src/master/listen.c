/* listen.c - the listening sockets: opened once or handed over, held as long as the master lives.
 *
 * Connections wait in the socket's queue, not in a worker: whichever worker dies, the queue stays. A socket that
 * was handed over (by a socket unit, or because systemd kept it across a restart) is in the hands of others as
 * well, so its queue outlives the master too.
 */
#include "master_room.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "text.h"

#define LISTEN_FIRST 3	/* where LISTEN_FDS begin */
#define LISTEN_HIGH  10 /* above the numbers a child expects */
#define LISTEN_MAX   64 /* more than anybody hands over */
#define LISTEN_NAMES 4096

static struct addrinfo *
listen_resolve(const char *name, const char *address)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	char host[112], service[8];
	uint16_t port;
	int r;

	if (conf_address(address, host, &port) != E_OK)
		fatal(EXIT_WITH_CONFIG, "%s.address: \"%s\" is not host:port", name, address);
	snprintf(service, sizeof(service), "%u", (unsigned)port);
	/* A number needs no resolver, which would cost the master memory for ever. */
	hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV | AI_NUMERICHOST;
	if ((r = getaddrinfo(host, service, &hints, &found)) == EAI_NONAME) {
		hints.ai_flags &= ~AI_NUMERICHOST;
		r = getaddrinfo(host, service, &hints, &found);
	}
	if (r != 0)
		fatal(EXIT_WITH_ADDRESS, "%s.address: \"%s\": %s", name, address, gai_strerror(r));
	return found;
}

static void
listen_address(struct listener *l)
{
	struct sockaddr_storage bound = { 0 };
	socklen_t len = sizeof(bound);
	char host[48], port[8];

	if (getsockname(l->fd, (struct sockaddr *)&bound, &len) != 0 ||
	    getnameinfo((struct sockaddr *)&bound, len, host, sizeof(host), port, sizeof(port),
		NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		fatal(EXIT_WITH_SYSTEM, "%s: the bound address cannot be read", l->name);
	snprintf(l->address, sizeof(l->address), bound.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s",
	    host, port);
}

/* What was handed over wins over the setting: a restart must not lose it. */
static void
listen_take(struct listener *l, const char *address)
{
	l->fd = l->passed;
	listen_address(l);
	log_info("%s: listening on %s, a socket handed over at the start", l->name, l->address);
	if (strcmp(l->address, address) != 0)
		log_info(
		    "%s.address: \"%s\" is not used: to have it, stop the unit and its socket and "
		    "start it again",
		    l->name, address);
}

void
listen_open(struct listener *l, const char *name, const char *address, int backlog)
{
	struct addrinfo *at;
	int on = 1;

	(void)text_copy(l->name, sizeof(l->name), name);
	if (l->passed > 0) {
		listen_take(l, address);
		return;
	}
	at = listen_resolve(name, address);
	l->fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd < 0 || setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0)
		fatal(EXIT_WITH_SYSTEM, "%s.address: \"%s\": %s", name, address, strerror(errno));
	if (bind(l->fd, at->ai_addr, at->ai_addrlen) != 0 || listen(l->fd, backlog) != 0)
		fatal(EXIT_WITH_ADDRESS, "%s.address: \"%s\": %s", name, address, strerror(errno));
	freeaddrinfo(at);
	listen_address(l);
	log_info("%s: listening on %s", name, l->address);
}

void
listen_close(struct listener *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	l->passed = 0;
}

static int
listen_option(int fd, int option)
{
	socklen_t len = sizeof(int);
	int value = -1;

	return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 ? value : -1;
}

/* Null: it is a TCP socket that listens. */
static const char *
listen_why_not(int fd)
{
	int domain = listen_option(fd, SO_DOMAIN);

	if (listen_option(fd, SO_TYPE) != SOCK_STREAM)
		return "is no stream socket";
	if (domain != AF_INET && domain != AF_INET6)
		return "is no TCP socket";
	if (listen_option(fd, SO_ACCEPTCONN) != 1)
		return "does not listen (a socket unit needs Accept=no)";
	return NULL;
}

/* A socket unit with one socket and no FileDescriptorName= gives it a name that tells nothing. */
static bool
listen_is_unnamed(const char *name)
{
	static const char unit[] = ".socket";
	size_t len = strlen(name);

	return len == 0 || strcmp(name, "unknown") == 0 || strcmp(name, "connection") == 0 ||
	       strcmp(name, "stored") == 0 ||
	       (len >= sizeof(unit) && strcmp(name + len - (sizeof(unit) - 1), unit) == 0);
}

static void
listen_assign(struct master *m, int fd, const char *name, bool alone)
{
	struct listener *l = NULL;
	const char *why;

	if (strcmp(name, "http") == 0 || (alone && listen_is_unnamed(name)))
		l = &m->http;
	else if (strcmp(name, "admin") == 0)
		l = &m->admin_listener;
	if (l == NULL)
		why = "has a name that is neither http nor admin";
	else if (l->passed > 0)
		why = "is one more of that name";
	else
		why = listen_why_not(fd);
	if (why != NULL) {
		log_warn("LISTEN_FDS: the descriptor named \"%.64s\" %s: closed", name, why);
		close(fd);
		return;
	}
	l->passed = fd;
	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/* How many are handed to this process; the variables may also be those of a process above it. */
static unsigned
listen_count(void)
{
	const char *count = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");
	uint64_t n, to;

	if (count == NULL || pid == NULL)
		return 0;
	if (text_to_u64(pid, &to) != E_OK || text_to_u64(count, &n) != E_OK) {
		log_warn("LISTEN_FDS, LISTEN_PID: not numbers: no socket is taken over");
		return 0;
	}
	if (to != (uint64_t)getpid())
		return 0;
	if (n > LISTEN_MAX)
		log_warn("LISTEN_FDS: %" PRIu64 " is more than %d: the rest is left alone", n,
		    LISTEN_MAX);
	return n > LISTEN_MAX ? LISTEN_MAX : (unsigned)n;
}

void
listen_receive(struct master *m)
{
	const char *given = getenv("LISTEN_FDNAMES");
	char names[LISTEN_NAMES], *rest = names, *name;
	unsigned count = listen_count(), i;
	int high;

	if (text_copy(names, sizeof(names), given != NULL ? given : "") != E_OK)
		names[0] = '\0';
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDNAMES");
	for (i = 0; i < count; i++) {
		name = rest != NULL ? text_split(&rest, ':') : NULL;
		high = fcntl(LISTEN_FIRST + (int)i, F_DUPFD_CLOEXEC, LISTEN_HIGH + LISTEN_MAX);
		if (high < 0) {
			log_warn("LISTEN_FDS: descriptor %d: %s", LISTEN_FIRST + (int)i,
			    strerror(errno));
			continue;
		}
		close(LISTEN_FIRST + (int)i);
		listen_assign(m, high, name != NULL ? name : "", count == 1);
	}
}
