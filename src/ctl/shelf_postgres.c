/* shelf_postgres.c - the PostgreSQL the gateway stores into, read row by row, within a transaction that only reads.
 *
 * Nothing of the URL but host, port, database and user, as libpq tells them, gets into a message: what does not parse
 * may hold the password anywhere.
 */
#include <inttypes.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "shelf.h"

#define PG_NUMBER  24
#define PG_LOOK_MS 200

struct pg_shelf {
	PGconn *conn;
	PGresult *row;
	bool asked; /* a query is not read to its end */
	char why[CTL_LINE];
};

/* libpq's words in one line. */
static void
pg_why(char why[CTL_LINE], const char *words)
{
	size_t n = 0;

	for (; *words != '\0' && n + 1 < CTL_LINE; words++)
		if (*words != '\n' && *words != '\t')
			why[n++] = *words;
		else if (n > 0 && why[n - 1] != ' ' && words[1] != '\0')
			why[n++] = ' ';
	why[n] = '\0';
}

static int
pg_connect(PGconn **conn, const struct conf *conf, char why[CTL_LINE])
{
	const char *url =
	    conf->postgres_read_url[0] != '\0' ? conf->postgres_read_url : conf->postgres_url;
	char seconds[PG_NUMBER];
	const char *names[] = { "dbname", "connect_timeout", "application_name", NULL };
	const char *values[] = { url, seconds, "opitios-ctl", NULL };
	PQconninfoOption *parsed;

	(void)snprintf(
	    seconds, sizeof(seconds), "%" PRId64, (conf->postgres_connect_timeout + 999) / 1000);
	if ((parsed = PQconninfoParse(url, NULL)) == NULL) {
		(void)snprintf(why, CTL_LINE,
		    "postgres.url or postgres.read_url is no address of a PostgreSQL database");
		return E_CONFIG;
	}
	PQconninfoFree(parsed);
	*conn = PQconnectdbParams(names, values, 1);
	if (PQstatus(*conn) == CONNECTION_OK)
		return E_OK;
	pg_why(why, *conn != NULL ? PQerrorMessage(*conn) : "no memory");
	PQfinish(*conn);
	return E_STORE;
}

static void
pg_ignore_notice(void *arg, const char *message)
{
	(void)arg, (void)message;
}

static int
pg_open(void **result, const struct conf *conf, char why[CTL_LINE])
{
	struct pg_shelf *s;
	PGresult *begun;
	PGconn *conn;
	int r;

	if ((r = pg_connect(&conn, conf, why)) != E_OK)
		return r;
	(void)PQsetNoticeProcessor(conn, pg_ignore_notice, NULL);
	begun = PQexec(conn, "BEGIN READ ONLY");
	if (PQresultStatus(begun) != PGRES_COMMAND_OK) {
		pg_why(why, PQerrorMessage(conn));
		PQclear(begun);
		PQfinish(conn);
		return E_STORE;
	}
	PQclear(begun);
	s = mem_alloc(sizeof(*s));
	s->conn = conn;
	*result = s;
	return E_OK;
}

/* A query that is not read to its end is given up with the connection's other results. */
static void
pg_finish(void *store)
{
	struct pg_shelf *s = store;
	PGcancel *cancel;
	PGresult *rest;
	char ignored[256];

	if (s->asked && (cancel = PQgetCancel(s->conn)) != NULL) {
		(void)PQcancel(cancel, ignored, sizeof(ignored));
		PQfreeCancel(cancel);
	}
	PQclear(s->row);
	s->row = NULL;
	s->asked = false;
	while ((rest = PQgetResult(s->conn)) != NULL)
		PQclear(rest);
}

static void
pg_close(void *store)
{
	struct pg_shelf *s = store;

	pg_finish(s);
	PQfinish(s->conn);
	mem_free(&s);
}

static int
pg_failed(struct pg_shelf *s)
{
	pg_why(s->why, PQerrorMessage(s->conn));
	return E_STORE;
}

static int
pg_query(void *store, const char *sql, const struct shelf_param *params, size_t count)
{
	static const Oid text_type = 25, bigint_type = 20;
	char numbers[SHELF_PARAMS][PG_NUMBER];
	const char *values[SHELF_PARAMS];
	Oid types[SHELF_PARAMS];
	struct pg_shelf *s = store;

	for (size_t i = 0; i < count; i++) {
		(void)snprintf(numbers[i], sizeof(numbers[i]), "%" PRId64, params[i].number);
		values[i] = params[i].text != NULL ? params[i].text : numbers[i];
		types[i] = params[i].text != NULL ? text_type : bigint_type;
	}
	if (PQsendQueryParams(s->conn, sql, (int)count, types, values, NULL, NULL, 0) != 1 ||
	    PQsetSingleRowMode(s->conn) != 1)
		return pg_failed(s);
	s->asked = true;
	return E_OK;
}

/* The server may sort for minutes: an interrupt is heard meanwhile. */
static int
pg_wait(struct pg_shelf *s)
{
	struct pollfd p = { .fd = PQsocket(s->conn), .events = POLLIN };

	while (PQisBusy(s->conn) == 1) {
		if (local_interrupted()) {
			(void)snprintf(s->why, sizeof(s->why), "interrupted");
			return E_STORE;
		}
		if (poll(&p, 1, PG_LOOK_MS) > 0 && PQconsumeInput(s->conn) != 1)
			return pg_failed(s);
	}
	return E_OK;
}

static int
pg_next(void *store)
{
	struct pg_shelf *s = store;

	if (pg_wait(s) != E_OK)
		return E_STORE;
	PQclear(s->row);
	s->row = PQgetResult(s->conn);
	if (PQresultStatus(s->row) == PGRES_SINGLE_TUPLE)
		return E_OK;
	if (s->row != NULL && PQresultStatus(s->row) != PGRES_TUPLES_OK)
		return pg_failed(s);
	PQclear(s->row);
	s->row = NULL;
	s->asked = false;
	return E_ABSENT;
}

static bool
pg_is_null(void *store, int column)
{
	struct pg_shelf *s = store;

	return PQgetisnull(s->row, 0, column) == 1;
}

static const char *
pg_text(void *store, int column)
{
	struct pg_shelf *s = store;

	return PQgetvalue(s->row, 0, column);
}

/* A boolean is a letter. */
static int64_t
pg_i64(void *store, int column)
{
	const char *text = pg_text(store, column);

	return text[0] == 't' ? 1 : strtoll(text, NULL, 10);
}

static double
pg_f64(void *store, int column)
{
	return strtod(pg_text(store, column), NULL);
}

static const char *
pg_last_why(void *store)
{
	struct pg_shelf *s = store;

	return s->why;
}

const struct shelf_kind shelf_postgres = { .open = pg_open,
	.close = pg_close,
	.query = pg_query,
	.next = pg_next,
	.finish = pg_finish,
	.is_null = pg_is_null,
	.i64 = pg_i64,
	.f64 = pg_f64,
	.text = pg_text,
	.why = pg_last_why,
	.shared = true };
