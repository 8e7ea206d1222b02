/* pg_link.c - one connection to PostgreSQL on the loop: nothing here waits.
 *
 * A query is a string of statements, which the server runs as one implicit transaction: an error anywhere
 * undoes all of it, and no state is left in the session, so that a pooler may give every transaction
 * another one. Every answer is awaited for a bounded time; a connection that is late is given up, because
 * nobody can tell a server that is slow from one that is gone.
 */
#include "pg_room.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "text.h"

#define CHUNK	    (64 * 1024) /* of COPY data encoded at once */
#define CHUNK_ROOM  (CHUNK + 16 * 1024)
#define RESOLVER_MS 30000 /* libpq may look a name up after all, while we stand still */

static void link_events(struct pg_link *);

static void
link_down(struct pg_link *l, const char *why)
{
	loop_timer_clear(&l->timer);
	event_del(l->readable);
	event_del(l->writable);
	l->busy = false;
	l->down(why, l->owner);
}

static void
link_broke(struct pg_link *l)
{
	char why[STORE_WHY];

	pg_one_line(PQerrorMessage(l->conn), why, sizeof(why));
	link_down(l, why[0] != '\0' ? why : "the connection broke");
}

/* Writes what libpq holds; wants to know of room when the socket is full. */
static int
link_flush(struct pg_link *l)
{
	int r = PQflush(l->conn);

	if (r == 1)
		event_add(l->writable, NULL);
	return r;
}

/* Encodes and sends until the socket is full or the copy is over. */
static void
link_copy(struct pg_link *l)
{
	bool more = true;
	int r = 0;

	while (more && r == 0) {
		buf_reset(&l->out);
		more = l->feed(l->copies - 1, &l->out, l->owner);
		if (PQputCopyData(
			l->conn, (const char *)buf_data(&l->out), (int)buf_len(&l->out)) != 1) {
			link_broke(l);
			return;
		}
		if (!more && PQputCopyEnd(l->conn, NULL) != 1) {
			link_broke(l);
			return;
		}
		r = link_flush(l);
	}
	if (!more)
		l->copying = false;
	if (r < 0)
		link_broke(l);
}

static void
answer_value(struct pg_answer *a, const PGresult *result)
{
	a->has_value = PQntuples(result) > 0 && PQnfields(result) > 0 && !PQgetisnull(result, 0, 0);
	if (a->has_value)
		(void)snprintf(a->value, sizeof(a->value), "%s", PQgetvalue(result, 0, 0));
}

/* The first error is the one that tells. */
static void
answer_error(struct pg_answer *a, const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

	if (!a->ok)
		return;
	a->ok = false;
	(void)snprintf(a->state, sizeof(a->state), "%s", state != NULL ? state : "");
	pg_one_line(text != NULL ? text : PQresultErrorMessage(result), a->why, sizeof(a->why));
}

static void
link_result(struct pg_link *l, const PGresult *result)
{
	switch (PQresultStatus(result)) {
	case PGRES_TUPLES_OK:
		answer_value(&l->answer, result);
		break;
	case PGRES_COMMAND_OK:
	case PGRES_EMPTY_QUERY:
		break;
	case PGRES_COPY_IN:
		l->copies++;
		l->copying = true;
		break;
	default:
		answer_error(&l->answer, result);
	}
}

static void
link_done(struct pg_link *l)
{
	loop_timer_clear(&l->timer);
	l->busy = false;
	l->done(&l->answer, l->owner);
}

/* Takes what has arrived. */
static void
link_take(struct pg_link *l)
{
	PGresult *result;

	while (l->busy && !l->copying && !PQisBusy(l->conn)) {
		if ((result = PQgetResult(l->conn)) == NULL) {
			if (PQstatus(l->conn) != CONNECTION_OK)
				link_broke(l);
			else
				link_done(l);
			return;
		}
		link_result(l, result);
		PQclear(result);
		if (l->copying)
			link_copy(l);
	}
}

static void
link_connected(struct pg_link *l, int error, const char *why)
{
	l->connecting = false;
	loop_timer_clear(&l->timer);
	if (error != E_OK) {
		event_del(l->readable);
		event_del(l->writable);
	}
	l->up(error, why, l->owner);
}

/* libpq changes sockets from host to host, and what it waits for. */
static void
link_poll(struct pg_link *l)
{
	char why[STORE_WHY];
	PostgresPollingStatusType status = PQconnectPoll(l->conn);

	if (status == PGRES_POLLING_FAILED) {
		link_connected(l, pg_connect_why(l->conn, why), why);
		return;
	}
	l->connecting = status != PGRES_POLLING_OK;
	link_events(l);
	if (status == PGRES_POLLING_OK) {
		if (PQsetnonblocking(l->conn, 1) != 0) {
			link_connected(l, E_STORE, "the connection cannot be made non-blocking");
			return;
		}
		event_add(l->readable, NULL);
		link_connected(l, E_OK, "");
		return;
	}
	event_add(status == PGRES_POLLING_WRITING ? l->writable : l->readable, NULL);
}

static void
link_readable(evutil_socket_t fd, short what, void *arg)
{
	struct pg_link *l = arg;

	(void)fd, (void)what;
	if (l->connecting) {
		link_poll(l);
		return;
	}
	if (PQconsumeInput(l->conn) != 1) {
		link_broke(l);
		return;
	}
	if (l->busy)
		link_take(l);
	else if (PQstatus(l->conn) != CONNECTION_OK)
		link_broke(l);
}

static void
link_writable(evutil_socket_t fd, short what, void *arg)
{
	struct pg_link *l = arg;
	int r;

	(void)fd, (void)what;
	if (l->connecting) {
		link_poll(l);
		return;
	}
	if ((r = link_flush(l)) < 0)
		link_broke(l);
	else if (r == 0 && l->copying)
		link_copy(l);
	if (l->busy && !l->copying)
		link_take(l);
}

/* Events of the socket there is now; none is pending afterwards. */
static void
link_events(struct pg_link *l)
{
	struct event_base *base = loop_base(l->loop);
	int fd = PQsocket(l->conn);

	if (l->readable != NULL)
		event_free(l->readable);
	if (l->writable != NULL)
		event_free(l->writable);
	l->readable = event_new(
	    base, fd, (short)(l->connecting ? EV_READ : EV_READ | EV_PERSIST), link_readable, l);
	l->writable = event_new(base, fd, EV_WRITE, link_writable, l);
	if (l->readable == NULL || l->writable == NULL)
		fatal(EXIT_WITH_SYSTEM, "out of memory: an event was refused");
}

static void
link_late(void *arg)
{
	struct pg_link *l = arg;
	char why[STORE_WHY];

	if (l->lookup != NULL) {
		pg_lookup_drop(&l->lookup);
		l->connecting = false;
		l->up(E_STORE, "looking up the host takes longer than postgres.connect_timeout",
		    l->owner);
	} else if (l->connecting && l->broken) {
		link_connected(l, pg_connect_why(l->conn, why), why);
	} else if (l->broken) {
		link_broke(l);
	} else if (l->connecting) {
		(void)snprintf(why, sizeof(why),
		    "%.100s:%.20s: no connection within postgres.connect_timeout",
		    PQhost(l->conn) != NULL ? PQhost(l->conn) : "?",
		    PQport(l->conn) != NULL ? PQport(l->conn) : "?");
		link_connected(l, E_STORE, why);
	} else {
		l->late = true;
		link_down(l, "no answer within postgres.timeout");
	}
}

static void
link_start(struct pg_link *l)
{
	pg_options_end(&l->options);
	if (l->stats != NULL)
		stats_patience(l->stats, RESOLVER_MS);
	l->conn = PQconnectStartParams(l->options.names, l->options.values, 1);
	if (l->stats != NULL)
		stats_patience(l->stats, 0);
	if (l->conn == NULL)
		fatal(EXIT_WITH_SYSTEM, "out of memory: a connection was refused");
	link_events(l);
	/* A failure is told by the timer, never within the call. */
	l->broken = PQstatus(l->conn) == CONNECTION_BAD || PQsocket(l->conn) < 0;
	if (l->broken)
		loop_timer_set(&l->timer, 0);
	else
		event_add(l->writable, NULL);
}

static void
link_looked(const char *why, void *owner)
{
	struct pg_link *l = owner;

	l->lookup = NULL;
	if (why == NULL) {
		link_start(l);
		return;
	}
	l->connecting = false;
	loop_timer_clear(&l->timer);
	l->up(E_STORE, why, l->owner);
}

void
pg_link_open(struct pg_link *l, const char *url, unsigned attempt, const struct conf *conf,
    struct stats *stats)
{
	buf_init(&l->out, CHUNK_ROOM);
	loop_timer_open(l->loop, &l->timer, link_late, l);
	l->stats = stats;
	l->timeout_ms = conf->postgres_timeout;
	l->connecting = true;
	loop_timer_set(&l->timer, conf->postgres_connect_timeout);
	pg_options_make(&l->options, url, attempt, conf->postgres_timeout);
	l->lookup = pg_lookup_begin(l->loop, &l->options, link_looked, l);
	if (l->lookup == NULL)
		link_start(l);
}

void
pg_link_close(struct pg_link *l)
{
	if (l->readable != NULL)
		event_free(l->readable);
	if (l->writable != NULL)
		event_free(l->writable);
	l->readable = l->writable = NULL;
	loop_timer_close(&l->timer);
	pg_lookup_drop(&l->lookup);
	PQfinish(l->conn);
	l->conn = NULL;
	buf_fini(&l->out);
}

static void
link_sent(struct pg_link *l, int sent)
{
	memset(&l->answer, 0, sizeof(l->answer));
	l->answer.ok = true;
	l->copies = 0;
	l->copying = false;
	l->busy = true;
	l->broken = sent != 1 || link_flush(l) < 0;
	loop_timer_set(&l->timer, l->broken ? 0 : l->timeout_ms);
}

void
pg_link_query(struct pg_link *l, const char *sql)
{
	link_sent(l, PQsendQuery(l->conn, sql));
}

void
pg_link_query_params(struct pg_link *l, const char *sql, int count, const char *const *values)
{
	link_sent(l, PQsendQueryParams(l->conn, sql, count, NULL, values, NULL, NULL, 0));
}
