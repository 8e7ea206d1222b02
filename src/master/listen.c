/* listen.c - the listening sockets: opened once, held as long as the master lives.
 *
 * Connections wait in the socket's queue, not in a worker: whichever worker dies, the queue stays.
 */
#include "master_room.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "text.h"

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

void
listen_open(struct listener *l, const char *name, const char *address, int backlog)
{
	struct addrinfo *at = listen_resolve(name, address);
	int on = 1;

	(void)text_copy(l->name, sizeof(l->name), name);
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
}
