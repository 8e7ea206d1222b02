/* pg_hosts.c - names of hosts to addresses, looked up by threads of the C library.
 *
 * libpq looks names up by itself, and stands still meanwhile: with a resolver that does not answer for longer than a hang
 * is allowed. So it is given addresses beside the names. A lookup nobody waits for any more cannot be called back: it
 * lives on until it is over, and then frees itself.
 */
#include "pg_room.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "mem.h"
#include "text.h"

#define NAMES_MAX 8
#define LOOK_MS	  5
#define NAME_SIZE 256

struct pg_lookup {
	struct pg_options *options; /* null: nobody waits */
	void (*done)(const char *why, void *owner);
	void *owner;
	struct loop *loop;
	struct loop_timer timer;
	struct addrinfo hints;
	struct gaicb requests[NAMES_MAX];
	char names[NAMES_MAX][NAME_SIZE];
	int count;
};

/* The nth word of a list with commas; of a list of one word that one. */
static void
word_of(const char *list, int n, char *out, size_t size)
{
	const char *at = list, *comma;

	while (n-- > 0 && (comma = strchr(at, ',')) != NULL)
		at = comma + 1;
	(void)text_copy_n(out, size, at, strcspn(at, ","));
}

static int
words(const char *list)
{
	int count = list[0] != '\0';

	for (; *list != '\0'; list++)
		count += *list == ',';
	return count;
}

/* A folder of a socket, and an address, need no lookup. */
static bool
is_name(const char *host)
{
	struct in6_addr any;

	return host[0] != '\0' && host[0] != '/' && host[0] != '@' &&
	       inet_pton(AF_INET, host, &any) != 1 && inet_pton(AF_INET6, host, &any) != 1;
}

static int
hosts_add(char *list, size_t size, const char *word, bool first)
{
	size_t used = strlen(list);

	if (snprintf(list + used, size - used, "%s%s", first ? "" : ",", word) < (int)(size - used))
		return E_OK;
	list[used] = '\0';
	return E_FULL;
}

/* To all three or to none: libpq refuses lists that differ in length. */
static int
lists_add(
    struct pg_options *to, const char *host, const char *address, const char *port, bool first)
{
	size_t host_len = strlen(to->host), address_len = strlen(to->hostaddr);

	if (hosts_add(to->host, sizeof(to->host), host, first) == E_OK &&
	    hosts_add(to->hostaddr, sizeof(to->hostaddr), address, first) == E_OK &&
	    hosts_add(to->port, sizeof(to->port), port, first) == E_OK)
		return E_OK;
	to->host[host_len] = to->hostaddr[address_len] = '\0';
	return E_FULL;
}

/* Every address of the name, each a host of its own for libpq. */
static int
addresses_add(struct pg_options *to, const struct gaicb *request, const char *port, int *added)
{
	char address[INET6_ADDRSTRLEN];

	for (const struct addrinfo *a = request->ar_result; a != NULL; a = a->ai_next) {
		const void *bytes =
		    a->ai_family == AF_INET6
			? (const void *)&((struct sockaddr_in6 *)a->ai_addr)->sin6_addr
			: (const void *)&((struct sockaddr_in *)a->ai_addr)->sin_addr;

		if (inet_ntop(a->ai_family, bytes, address, sizeof(address)) == NULL)
			continue;
		if (lists_add(to, request->ar_name, address, port, *added == 0) != E_OK)
			return E_FULL;
		++*added;
	}
	return E_OK;
}

/* The lists anew, with addresses. Names that are not known drop out; *why tells of the last one. */
static int
options_resolve(struct pg_lookup *l, struct pg_options *o, char why[STORE_WHY])
{
	struct pg_options *from = mem_alloc(sizeof(*from));
	char host[NAME_SIZE], port[16];
	int hosts = words(o->host), added = 0, name = 0, r = E_OK;

	*from = *o;
	o->host[0] = o->hostaddr[0] = o->port[0] = '\0';
	for (int i = 0; i < hosts && r == E_OK; i++) {
		word_of(from->host, i, host, sizeof(host));
		word_of(from->port, i, port, sizeof(port));
		if (!is_name(host) || name == l->count) {
			r = lists_add(o, host, "", port, added++ == 0);
			continue;
		}
		if (gai_error(&l->requests[name]) != 0)
			(void)snprintf(why, STORE_WHY, "host %.100s: %s", host,
			    gai_strerror(gai_error(&l->requests[name])));
		r = addresses_add(o, &l->requests[name++], port, &added);
	}
	mem_free(&from);
	return added > 0 ? E_OK : E_STORE;
}

static void
lookup_free(struct pg_lookup *l)
{
	for (int i = 0; i < l->count; i++)
		if (l->requests[i].ar_result != NULL)
			freeaddrinfo(l->requests[i].ar_result);
	loop_timer_close(&l->timer);
	mem_free(&l);
}

static void
lookup_free_later(void *lookup)
{
	lookup_free(lookup);
}

static void
lookup_look(void *arg)
{
	struct pg_lookup *l = arg;
	char why[STORE_WHY] = "";
	int r;

	for (int i = 0; i < l->count; i++)
		if (gai_error(&l->requests[i]) == EAI_INPROGRESS) {
			loop_timer_set(&l->timer, LOOK_MS);
			return;
		}
	loop_free_later(l->loop, lookup_free_later, l);
	if (l->options == NULL)
		return;
	r = options_resolve(l, l->options, why);
	l->done(r == E_OK ? NULL : why, l->owner);
}

struct pg_lookup *
pg_lookup_begin(
    struct loop *loop, struct pg_options *o, void (*done)(const char *, void *), void *owner)
{
	struct pg_lookup *l;
	struct gaicb *list[NAMES_MAX];
	int hosts = words(o->host);

	if (o->hostaddr[0] != '\0' || hosts == 0)
		return NULL;
	l = mem_alloc(sizeof(*l));
	l->hints = (struct addrinfo){ .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	for (int i = 0; i < hosts && l->count < NAMES_MAX; i++) {
		word_of(o->host, i, l->names[l->count], NAME_SIZE);
		if (!is_name(l->names[l->count]))
			continue;
		l->requests[l->count].ar_name = l->names[l->count];
		l->requests[l->count].ar_request = &l->hints;
		list[l->count] = &l->requests[l->count];
		l->count++;
	}
	if (l->count == 0 || getaddrinfo_a(GAI_NOWAIT, list, l->count, NULL) != 0) {
		mem_free(&l); /* none, or no thread to be had: then libpq looks itself */
		return NULL;
	}
	l->options = o;
	l->done = done;
	l->owner = owner;
	l->loop = loop;
	loop_timer_open(loop, &l->timer, lookup_look, l);
	loop_timer_set(&l->timer, 0);
	return l;
}

void
pg_lookup_drop(struct pg_lookup **lookup)
{
	if (*lookup != NULL)
		(*lookup)->options = NULL;
	*lookup = NULL;
}
