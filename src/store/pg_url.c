/* pg_url.c - where PostgreSQL is: what the URL says, and what came of it, told without any secret. */
#include "pg_room.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

void
pg_one_line(const char *text, char *out, size_t size)
{
	size_t n = 0, len;

	for (; text != NULL && *text != '\0' && n + 1 < size; text += len) {
		len = text_utf8_len(text);
		if (n + len + 1 > size)
			break;
		if (len > 1 || (len == 1 && !isspace((unsigned char)*text))) {
			memcpy(out + n, text, len);
			n += len;
		} else if (len == 0) {
			out[n++] = '?';
			len = 1;
		} else if (n > 0 && out[n - 1] != ' ') {
			out[n++] = ' ';
		}
	}
	while (n > 0 && out[n - 1] == ' ')
		n--;
	out[n] = '\0';
}

/* Value of an option, "" when it is not given. */
static const char *
option_of(const PQconninfoOption *options, const char *name)
{
	for (; options != NULL && options->keyword != NULL; options++)
		if (strcmp(options->keyword, name) == 0)
			return options->val != NULL ? options->val : "";
	return "";
}

/* A list with commas, begun at its nth word. */
static void
list_rotate(const char *list, unsigned by, char *out, size_t size)
{
	const char *at = list, *comma;
	unsigned count = 1;

	out[0] = '\0';
	for (const char *p = list; *p != '\0'; p++)
		count += *p == ',';
	if (count == 1 || strlen(list) >= size) {
		(void)text_copy(out, size, list);
		return;
	}
	for (by %= count; by > 0 && (comma = strchr(at, ',')) != NULL; by--)
		at = comma + 1;
	(void)text_copy(out, size, at);
	if (at != list) {
		size_t used = strlen(out);

		out[used++] = ',';
		memcpy(out + used, list, (size_t)(at - list - 1));
		out[used + (size_t)(at - list) - 1] = '\0';
	}
}

static void
option_add(struct pg_options *o, const char *name, const char *value)
{
	o->names[o->count] = name;
	o->values[o->count] = value;
	o->count++;
}

/* Ours first, so that the URL may say otherwise; the hosts last, in the order of this attempt: a host which
 * never answers takes the whole time there is for connecting, and must not do so every time. */
void
pg_options_make(struct pg_options *o, const char *url, unsigned attempt, int64_t timeout_ms)
{
	PQconninfoOption *options = PQconninfoParse(url, NULL);
	unsigned by = attempt > 0 ? attempt - 1 : 0;

	memset(o, 0, sizeof(*o));
	(void)snprintf(o->user_timeout, sizeof(o->user_timeout), "%lld", (long long)timeout_ms);
	option_add(o, "application_name", "opitios-alpaca");
	option_add(o, "target_session_attrs", "read-write");
	option_add(o, "keepalives_idle", "10");
	option_add(o, "keepalives_interval", "5");
	option_add(o, "keepalives_count", "3");
	option_add(o, "tcp_user_timeout", o->user_timeout);
	option_add(o, "dbname", url);
	option_add(o, "client_encoding", "UTF8");
	list_rotate(option_of(options, "host"), by, o->host, sizeof(o->host));
	list_rotate(option_of(options, "hostaddr"), by, o->hostaddr, sizeof(o->hostaddr));
	list_rotate(option_of(options, "port"), by, o->port, sizeof(o->port));
	PQconninfoFree(options);
}

void
pg_options_end(struct pg_options *o)
{
	if (o->host[0] != '\0')
		option_add(o, "host", o->host);
	if (o->hostaddr[0] != '\0')
		option_add(o, "hostaddr", o->hostaddr);
	if (o->port[0] != '\0')
		option_add(o, "port", o->port);
}

static const char *
or_unknown(const char *text)
{
	return text != NULL && text[0] != '\0' ? text : "?";
}

/* libpq gives no SQLSTATE for this. What is not recognized, because the server speaks another language, is
 * told in its own words. */
int
pg_connect_why(PGconn *conn, char why[STORE_WHY])
{
	const char *text = PQerrorMessage(conn), *user = or_unknown(PQuser(conn));
	const char *db = or_unknown(PQdb(conn)), *host = or_unknown(PQhost(conn));
	const char *port = or_unknown(PQport(conn));
	char line[STORE_WHY];

	if (strstr(text, "password authentication failed") != NULL ||
	    strstr(text, "no password supplied") != NULL) {
		(void)snprintf(why, STORE_WHY,
		    "password refused for user %.60s at %.80s:%.8s/%.60s", user, host, port, db);
		return E_SYSTEM;
	}
	if (strstr(text, "database \"") != NULL && strstr(text, "does not exist") != NULL) {
		(void)snprintf(
		    why, STORE_WHY, "database %.60s does not exist at %.80s:%.8s", db, host, port);
		return E_SYSTEM;
	}
	if (strstr(text, "role \"") != NULL && strstr(text, "does not exist") != NULL) {
		(void)snprintf(
		    why, STORE_WHY, "user %.60s does not exist at %.80s:%.8s", user, host, port);
		return E_SYSTEM;
	}
	if (strstr(text, "Connection refused") != NULL) {
		(void)snprintf(why, STORE_WHY,
		    "connection refused at %.100s:%.8s: is PostgreSQL running there?", host, port);
		return E_STORE;
	}
	pg_one_line(text, line, sizeof(line));
	(void)snprintf(why, STORE_WHY, "%s", line[0] != '\0' ? line : "no connection");
	return E_STORE;
}
