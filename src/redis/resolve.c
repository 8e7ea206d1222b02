/* resolve.c - names into addresses without waiting: numbers at once, names by libevent's resolver. */
#include <arpa/inet.h>
#include <event2/dns.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "mem.h"
#include "redis_room.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define HOSTS_FILE  "/etc/hosts"

struct resolving {
	void (*done)(const struct resolved *, void *); /* null: nobody wants to know any more */
	void *arg;
	uint16_t port;
	struct evdns_getaddrinfo_request *request;
	bool asking; /* within the call that asks: the answer may come at once */
	bool over;
	struct resolved found;
};

static void
resolved_add(struct resolved *r, const void *address, socklen_t len)
{
	if (r->count == RESOLVE_MAX || len > sizeof(r->at[0]))
		return;
	memcpy(&r->at[r->count], address, len);
	r->len[r->count++] = len;
}

/* Both families; false when it is a name. */
static bool
numeric(const char *name, uint16_t port, struct resolved *out)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	out->count = 0;
	if (inet_pton(AF_INET, name, &v4.sin_addr) == 1)
		resolved_add(out, &v4, sizeof(v4));
	else if (inet_pton(AF_INET6, name, &v6.sin6_addr) == 1)
		resolved_add(out, &v6, sizeof(v6));
	return out->count > 0;
}

static void
resolving_tell(struct resolving *g)
{
	if (g->done != NULL)
		g->done(g->found.count > 0 ? &g->found : NULL, g->arg);
	mem_free(&g);
}

static void
resolve_answered(int result, struct evutil_addrinfo *list, void *arg)
{
	struct resolving *g = arg;

	for (struct evutil_addrinfo *a = list; result == 0 && a != NULL; a = a->ai_next)
		resolved_add(&g->found, a->ai_addr, a->ai_addrlen);
	if (list != NULL)
		evutil_freeaddrinfo(list);
	g->request = NULL;
	g->over = true;
	if (!g->asking)
		resolving_tell(g);
}

/* Without a name server the hosts file still tells. */
static struct evdns_base *
resolver_open(struct loop *loop)
{
	struct evdns_base *dns = evdns_base_new(loop_base(loop), EVDNS_BASE_DISABLE_WHEN_INACTIVE);

	if (dns == NULL)
		return NULL;
	/* libevent asks all name servers in turn and waits 5 s for each: one that is silent would
	 * cost the whole time of a connection, again and again. */
	(void)evdns_base_set_option(dns, "timeout:", "0.4");
	(void)evdns_base_set_option(dns, "max-timeouts:", "1");
	(void)evdns_base_resolv_conf_parse(dns, DNS_OPTIONS_ALL, RESOLV_CONF);
	(void)evdns_base_load_hosts(dns, HOSTS_FILE);
	return dns;
}

int
resolve(struct loop *loop, struct evdns_base **dns, const char *name, uint16_t port,
    struct resolved *out, void (*done)(const struct resolved *, void *), void *arg,
    struct resolving **result)
{
	struct evutil_addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct resolving *g;
	char service[8];

	if (numeric(name, port, out))
		return E_OK;
	if (*dns == NULL && (*dns = resolver_open(loop)) == NULL)
		return E_SYSTEM;
	g = mem_alloc(sizeof(*g));
	g->done = done;
	g->arg = arg;
	g->asking = true;
	(void)snprintf(service, sizeof(service), "%u", (unsigned)port);
	g->request = evdns_getaddrinfo(*dns, name, service, &hints, resolve_answered, g);
	g->asking = false;
	if (!g->over) {
		*result = g;
		return E_PARTIAL;
	}
	*out = g->found;
	mem_free(&g);
	return out->count > 0 ? E_OK : E_ABSENT;
}

void
resolve_cancel(struct resolving **gp)
{
	struct resolving *g = *gp;

	*gp = NULL;
	if (g == NULL)
		return;
	g->done = NULL;
	if (g->request != NULL)
		evdns_getaddrinfo_cancel(g->request);
}

void
resolve_close(struct evdns_base **dns)
{
	if (*dns != NULL)
		evdns_base_free(*dns, 1);
	*dns = NULL;
}
