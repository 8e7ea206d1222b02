/* postgres.c - history out of PostgreSQL.
 *
 * Each thread has a connection of its own, waited for by poll(2) with a deadline; a name server is waited for by
 * libpq itself, which is why this is no work for the loop. Statements are unnamed and stand alone, so that PgBouncer may give
 * each to another server connection; nothing but SELECT is asked, thousands of rows of it by COPY. Whoever reads first and
 * counts afterwards needs no transaction: what goes between the two is missed.
 */
#include <endian.h>
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "mem.h"
#include "pg_reading.h"
#include "text.h"

#define SLICE_MS 50 /* after which a wait looks whether it is to end */

_Static_assert(SOURCE_REPLAY == 4, "as {S} has it");

static struct pg_reading *
pg_of(struct reading *base)
{
	return (struct pg_reading *)base;
}

int
pg_say(struct pg_reading *s, const char *why)
{
	(void)text_copy_n(s->base.why, sizeof(s->base.why), why, strcspn(why, "\n"));
	return E_STORE;
}

static void
pg_drop(struct pg_reading *s)
{
	PQclear(s->result);
	s->result = NULL;
	PQfinish(s->conn);
	s->conn = NULL;
}

/* E_STORE: late. What came meanwhile is found by whoever asked. */
static int
pg_wait(struct pg_reading *s, short events, int64_t until_ns)
{
	struct pollfd p = { .fd = PQsocket(s->conn), .events = events };
	int64_t left = (until_ns - clock_mono()) / CLOCK_MS;

	if (left <= 0 || atomic_load(s->stopping))
		return pg_say(s, "it did not answer in time");
	if (poll(&p, 1, left < SLICE_MS ? (int)left : SLICE_MS) < 0 && errno != EINTR)
		return pg_say(s, strerror(errno));
	return E_OK;
}

/* A connection may take longer than one question waits: it is made for those behind it. */
static int
pg_connect(struct pg_reading *s)
{
	int64_t until = clock_mono() + s->connect_timeout_ms * CLOCK_MS;
	PostgresPollingStatusType state = PGRES_POLLING_WRITING;
	char *why = NULL;
	PQconninfoOption *options = PQconninfoParse(s->url, &why);

	bool refused = why != NULL;

	/* What libpq says of it may hold the password. */
	PQfreemem(why);
	if (options == NULL)
		return pg_say(s,
		    refused ? "postgres.read_url or postgres.url is not what libpq takes as a URL"
			    : PQerrorMessage(NULL));
	PQconninfoFree(options);
	s->conn = PQconnectStart(s->url);
	while (s->conn != NULL && PQstatus(s->conn) != CONNECTION_BAD) {
		if (state == PGRES_POLLING_OK)
			return PQsetnonblocking(s->conn, 1) == 0
				   ? E_OK
				   : pg_say(s, PQerrorMessage(s->conn));
		if (pg_wait(s, state == PGRES_POLLING_READING ? POLLIN : POLLOUT, until) != E_OK)
			return E_STORE;
		state = PQconnectPoll(s->conn);
		if (state == PGRES_POLLING_FAILED)
			break;
	}
	return pg_say(s, s->conn != NULL ? PQerrorMessage(s->conn) : "out of memory");
}

static int
pg_open(struct reading *base)
{
	struct pg_reading *s = pg_of(base);

	if (s->conn != NULL && PQstatus(s->conn) == CONNECTION_OK)
		return E_OK;
	pg_drop(s);
	return pg_connect(s);
}

/* A connection with an answer on its way is of no use to the next question. */
static void
pg_done(struct reading *base, int error)
{
	if (error != E_OK)
		pg_drop(pg_of(base));
}

int
pg_wait_for_answer(struct pg_reading *s, bool to_write)
{
	if (!atomic_load(&s->base.in_hand->gone) &&
	    pg_wait(s, (short)(POLLIN | (to_write ? POLLOUT : 0)), s->base.in_hand->deadline_ns) ==
		E_OK)
		return E_OK;
	return pg_say(s, "it did not answer in time");
}

/* Every other result is awaited as well, so that the connection is at rest. */
int
pg_receive(struct pg_reading *s, ExecStatusType wanted)
{
	int flushed = PQflush(s->conn);
	PGresult *next;

	for (;;) {
		while (flushed == 1 || PQisBusy(s->conn)) {
			if (pg_wait_for_answer(s, flushed == 1) != E_OK)
				return E_STORE;
			if (PQconsumeInput(s->conn) == 0 || (flushed = PQflush(s->conn)) < 0)
				return pg_say(s, PQerrorMessage(s->conn));
		}
		if ((next = PQgetResult(s->conn)) == NULL)
			break;
		PQclear(s->result);
		s->result = next;
		if (PQresultStatus(next) == PGRES_COPY_OUT)
			break; /* its rows come before any other result */
	}
	if (s->result != NULL && PQresultStatus(s->result) == wanted)
		return E_OK;
	return pg_say(
	    s, s->result != NULL ? PQresultErrorMessage(s->result) : PQerrorMessage(s->conn));
}

/* The row of the result, into the hand. */
static void
pg_take(struct pg_reading *s, int row)
{
	int columns = PQnfields(s->result);

	s->cell_count = columns < PG_CELLS ? columns : PG_CELLS;
	for (int i = 0; i < s->cell_count; i++) {
		s->cells[i].at = PQgetvalue(s->result, row, i);
		s->cells[i].len =
		    PQgetisnull(s->result, row, i) ? -1 : PQgetlength(s->result, row, i);
		s->cells[i].ended = true;
	}
}

static int
pg_each(struct reading *base, enum query which, int64_t from, int64_t to, int64_t last,
    uint64_t limit, reading_row *row, void *owner)
{
	const struct pg_question asked = { which, { from, to, last }, limit };
	struct pg_reading *s = pg_of(base);
	int r;

	if ((r = pg_send(s, &asked)) != E_OK)
		return r;
	if (pg_is_streamed(which)) {
		r = pg_stream(s, row, owner);
	} else if ((r = pg_receive(s, PGRES_TUPLES_OK)) == E_OK) {
		for (int i = 0; i < PQntuples(s->result); i++) {
			pg_take(s, i);
			if (!row(base, owner))
				break;
		}
	}
	PQclear(s->result);
	s->result = NULL;
	return r;
}

/* Null where it is null, or not there. */
static struct pg_cell *
cell_of(struct reading *base, int column)
{
	struct pg_reading *s = pg_of(base);

	return column < s->cell_count && s->cells[column].len >= 0 ? &s->cells[column] : NULL;
}

/* A bigint, or a boolean. */
static int64_t
pg_integer(struct reading *base, int column)
{
	const struct pg_cell *cell = cell_of(base, column);
	uint64_t bits;

	if (cell == NULL)
		return 0;
	if (cell->len != sizeof(bits))
		return cell->len > 0 && cell->at[0] != 0;
	memcpy(&bits, cell->at, sizeof(bits));
	return (int64_t)be64toh(bits);
}

static double
pg_number(struct reading *base, int column)
{
	const struct pg_cell *cell = cell_of(base, column);
	uint64_t bits;
	double v;

	if (cell == NULL || cell->len != sizeof(bits))
		return NAN;
	memcpy(&bits, cell->at, sizeof(bits));
	bits = be64toh(bits);
	memcpy(&v, &bits, sizeof(v));
	return v;
}

/* A cell of a stream has no end of its own: it moves over its length, which was read. */
static const char *
pg_text(struct reading *base, int column)
{
	struct pg_cell *cell = cell_of(base, column);

	if (cell == NULL)
		return NULL;
	if (!cell->ended) {
		memmove(cell->at - 1, cell->at, (size_t)cell->len);
		cell->at--;
		cell->at[cell->len] = '\0';
		cell->ended = true;
	}
	return cell->at;
}

static const struct reading_kind pg_reading_kind = {
	.open = pg_open,
	.done = pg_done,
	.each = pg_each,
	.integer = pg_integer,
	.number = pg_number,
	.text = pg_text,
};

static void *
pg_begin(const struct conf *conf, const atomic_bool *stopping)
{
	struct pg_reading *s = mem_alloc(sizeof(*s));

	s->base.kind = &pg_reading_kind;
	s->stopping = stopping;
	s->connect_timeout_ms = conf->postgres_connect_timeout;
	(void)text_copy(s->url, sizeof(s->url),
	    conf->postgres_read_url[0] != '\0' ? conf->postgres_read_url : conf->postgres_url);
	return s;
}

static void
pg_end(void **store)
{
	struct pg_reading *s = *store;

	pg_drop(s);
	mem_wipe(s->url, sizeof(s->url));
	mem_free(store);
}

static void
pg_read(void *store, struct history_ticket *t)
{
	reading_answer(store, t);
}

const struct history_kind history_postgres = {
	.name = "postgres",
	.threads = 2,
	.begin = pg_begin,
	.end = pg_end,
	.read = pg_read,
};
