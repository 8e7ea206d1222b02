/* url.c - where Redis is, as an operator writes it.
 *
 * redis://[[user]:password@]host[:port][/db], unix://[[user]:password@]/path[?db=N],
 * redis+sentinel://[[user]:password@]host[:port],.../name[/db], redis+cluster://[[user]:password@]host[:port],...
 * What is refused is told without repeating it: any part may be a piece of a password.
 */
#include <stdio.h>
#include <string.h>

#include "mem.h"
#include "redis.h"
#include "text.h"

#define URL_MAX	      1024
#define PORT_REDIS    6379
#define PORT_SENTINEL 26379
#define DB_MAX	      1000000
#define HOST_LETTERS  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"
#define V6_LETTERS    "0123456789abcdefABCDEF:."

static int
refuse(char why[REDIS_WHY], const char *text)
{
	(void)text_copy(why, REDIS_WHY, text);
	return E_CONFIG;
}

/* A part with its escapes undone. */
static int
part_copy(char *to, size_t size, const char *from, const char *name, char why[REDIS_WHY])
{
	if (text_copy(to, size, from) != E_OK) {
		(void)snprintf(why, REDIS_WHY, "the %s is longer than %zu bytes", name, size - 1);
		return E_CONFIG;
	}
	if (text_unescape(to, 0) != E_OK) {
		(void)snprintf(why, REDIS_WHY, "the %s holds a %% that begins no escape", name);
		return E_CONFIG;
	}
	return E_OK;
}

/* user:password, :password, or a password alone as older clients write it. */
static int
url_credentials(char *text, struct redis_url *u, char why[REDIS_WHY])
{
	char *colon = strchr(text, ':');

	if (colon == NULL)
		return refuse(why, "credentials are user:password@ or :password@");
	*colon = '\0';
	if (colon[1] == '\0')
		return refuse(why, "the password is empty");
	if (part_copy(u->user, sizeof(u->user), text, "user", why) != E_OK)
		return E_CONFIG;
	return part_copy(u->password, sizeof(u->password), colon + 1, "password", why);
}

static int
url_db(const char *text, struct redis_url *u, char why[REDIS_WHY])
{
	uint64_t db;

	if (text_to_u64(text, &db) != E_OK || db > DB_MAX)
		return refuse(why, "the database is not a number");
	u->db = (unsigned)db;
	return E_OK;
}

/* host, host:port or [v6]:port. */
static int
url_host(char *text, struct redis_url *u, uint16_t port, char why[REDIS_WHY])
{
	struct redis_host *h = &u->hosts[u->host_count];
	char *name = text, *end = text + strcspn(text, ":");
	const char *letters = HOST_LETTERS;
	uint64_t number = port;

	if (u->host_count == REDIS_HOSTS_MAX)
		return refuse(why, "it names more than 16 hosts");
	if (text[0] == '[') {
		name++;
		letters = V6_LETTERS;
		if ((end = strchr(text, ']')) == NULL)
			return refuse(why, "a bracket of an address is not closed");
		*end++ = '\0';
	}
	if (*end == ':') {
		*end++ = '\0';
		if (text_to_u64(end, &number) != E_OK || number == 0 || number > UINT16_MAX)
			return refuse(why, "a port is not a number from 1 to 65535");
	} else if (*end != '\0') {
		return refuse(why, "something stands behind the bracket of an address");
	}
	if (name[0] == '\0' || name[0] == '-' || name[strspn(name, letters)] != '\0')
		return refuse(why, "a host is missing or is no name");
	if (text_copy(h->name, sizeof(h->name), name) != E_OK)
		return refuse(why, "a host is longer than 111 bytes");
	h->port = (uint16_t)number;
	u->host_count++;
	return E_OK;
}

static int
url_hosts(char *text, struct redis_url *u, uint16_t port, char why[REDIS_WHY])
{
	char *rest = text;
	int r;

	while (rest != NULL)
		if ((r = url_host(text_split(&rest, ','), u, port, why)) != E_OK)
			return r;
	return E_OK;
}

/* Cuts `text` at its first slash; what is behind, null when there is none. */
static char *
cut_at_slash(char *text)
{
	char *slash = strchr(text, '/');

	if (slash == NULL)
		return NULL;
	*slash = '\0';
	return slash + 1;
}

static int
url_unix(char *text, struct redis_url *u, char why[REDIS_WHY])
{
	char *query = strchr(text, '?');

	if (query != NULL)
		*query++ = '\0';
	if (text[0] != '/')
		return refuse(why, "behind unix:// stands no absolute path");
	if (query != NULL && strncmp(query, "db=", 3) != 0)
		return refuse(why, "behind the path only ?db=N is known");
	if (query != NULL && url_db(query + 3, u, why) != E_OK)
		return E_CONFIG;
	return part_copy(u->path, sizeof(u->path), text, "path", why);
}

static int
url_tcp(char *text, struct redis_url *u, char why[REDIS_WHY])
{
	char *db = cut_at_slash(text);

	if (strchr(text, ',') != NULL)
		return refuse(why,
		    "redis:// takes one host: several need redis+sentinel:// or redis+cluster://");
	if (db != NULL && db[0] != '\0' && url_db(db, u, why) != E_OK)
		return E_CONFIG;
	return url_host(text, u, PORT_REDIS, why);
}

static int
url_sentinel(char *text, struct redis_url *u, char why[REDIS_WHY])
{
	char *name = cut_at_slash(text), *db;

	if (name == NULL || name[0] == '\0')
		return refuse(
		    why, "the name of the master is missing: redis+sentinel://host:port/name");
	db = cut_at_slash(name);
	if (db != NULL && db[0] != '\0' && url_db(db, u, why) != E_OK)
		return E_CONFIG;
	if (part_copy(u->master, sizeof(u->master), name, "name of the master", why) != E_OK)
		return E_CONFIG;
	return url_hosts(text, u, PORT_SENTINEL, why);
}

static int
url_cluster(char *text, struct redis_url *u, char why[REDIS_WHY])
{
	const char *rest = cut_at_slash(text);

	if (rest != NULL && rest[0] != '\0' && strcmp(rest, "0") != 0)
		return refuse(why, "a cluster has no databases and no path");
	return url_hosts(text, u, PORT_REDIS, why);
}

static const struct {
	const char *scheme;
	enum redis_form form;
	int (*read)(char *, struct redis_url *, char why[REDIS_WHY]);
} forms[] = {
	{ "redis://", REDIS_TCP, url_tcp },
	{ "unix://", REDIS_UNIX, url_unix },
	{ "redis+sentinel://", REDIS_SENTINEL, url_sentinel },
	{ "redis+cluster://", REDIS_CLUSTER, url_cluster },
};

/* Credentials end at the last @: none may stand unescaped in what follows. */
static int
url_read(char *text, size_t form, struct redis_url *u, char why[REDIS_WHY])
{
	char *at = strrchr(text, '@');

	u->form = forms[form].form;
	if (at != NULL) {
		*at = '\0';
		if (url_credentials(text, u, why) != E_OK)
			return E_CONFIG;
		text = at + 1;
	}
	return forms[form].read(text, u, why);
}

int
redis_url_parse(const char *text, struct redis_url *result, char why[REDIS_WHY])
{
	struct redis_url u = { .form = REDIS_TCP };
	char copy[URL_MAX];
	int r = E_CONFIG;

	(void)text_copy(why, REDIS_WHY,
	    "it begins with none of redis://, unix://, redis+sentinel://, redis+cluster://");
	if (text_starts(text, "rediss://"))
		return refuse(why,
		    "rediss:// needs TLS, which hiredis 0.14 does not have: use a tunnel "
		    "or a Unix socket");
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (!text_starts(text, forms[i].scheme))
			continue;
		if (text_copy(copy, sizeof(copy), text + strlen(forms[i].scheme)) != E_OK)
			r = refuse(why, "it is longer than 1000 bytes");
		else
			r = url_read(copy, i, &u, why);
		break;
	}
	if (r == E_OK)
		*result = u;
	mem_wipe(copy, sizeof(copy));
	mem_wipe(&u, sizeof(u));
	return r;
}

void
redis_url_show(const struct redis_url *u, char *out, size_t size)
{
	const struct redis_host *h = &u->hosts[0];
	const char *more = u->host_count > 1 ? " and others" : "";
	bool is_v6 = strchr(h->name, ':') != NULL;
	size_t len;

	if (u->form == REDIS_UNIX)
		(void)snprintf(out, size, "%s", u->path);
	else
		(void)snprintf(out, size, "%s%s%s:%u%s", is_v6 ? "[" : "", h->name,
		    is_v6 ? "]" : "", (unsigned)h->port, more);
	len = strlen(out);
	if (u->form == REDIS_SENTINEL)
		(void)snprintf(out + len, size - len, " (Sentinel, master %s)", u->master);
	else if (u->form == REDIS_CLUSTER)
		(void)snprintf(out + len, size - len, " (cluster)");
	len = strlen(out);
	if (u->db != 0)
		(void)snprintf(out + len, size - len, " db %u", u->db);
}
