/* postgres.c - history out of PostgreSQL.
 *
 * Each thread has a connection of its own, waited for by poll(2) with a deadline; a name server is waited for by
 * libpq itself, which is why this is no work for the loop. Statements are unnamed and stand alone, so that PgBouncer may give
 * each to another server connection; nothing but SELECT is asked. Whoever reads first and counts afterwards needs no
 * transaction: what goes between the two is missed.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <libpq-fe.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "mem.h"
#include "reading.h"
#include "text.h"

#define SLICE_MS    50 /* after which a wait looks whether it is to end */
#define COVERS_READ 5000
#define ARGS	    9
#define TYPE_BIGINT 20
#define TYPE_TEXT   25
#define SQL_MAX	    2048

/* $1-$5 name the series, $6 and $7 are a range, $8 a call's received time or a length, $9 the limit. {T}, {F} and {A}
 * become an equation, or IS NULL, which an index knows better than IS NOT DISTINCT FROM. {S} leaves recordings out, whose
 * rows are then no call's. */
#define BARS_OF                                                                                    \
	" FROM bars WHERE part = 0 AND symbol = $1 AND {T} AND {F} AND {A} AND event BETWEEN $6 "  \
	"AND $7 "
#define TRADES_OF                                                                                  \
	" FROM trades WHERE symbol = $1 AND {F} AND event BETWEEN $6 AND $7 AND received = $8 "
#define UP   "ORDER BY event, received, journal_sequence LIMIT $9"
#define DOWN "ORDER BY event DESC, received DESC, journal_sequence DESC LIMIT $9"

static const char *const queries[QUERIES] = {
	[QUERY_COVERS] =
	    "SELECT start, \"end\", received, rows, source FROM coverage WHERE symbol = $1 AND "
	    "what = $2 "
	    "AND "
	    "{T} AND {F} AND {A} AND {S} AND \"end\" >= $6 AND start <= $7 ORDER BY received DESC "
	    "LIMIT $9",
	[QUERY_VOID] =
	    "SELECT a.received, b.received FROM bars a JOIN bars b ON b.part = 0 AND b.symbol = "
	    "a.symbol AND b.timeframe = a.timeframe AND b.feed = a.feed AND b.adjustment = "
	    "a.adjustment AND b.event = a.event AND b.received > a.received WHERE a.part = 0 AND "
	    "a.adjustment <> 'raw' AND a.symbol = $1 AND a.received >= $6 AND a.event < $6 AND "
	    "(a.open, a.high, a.low, a.close) IS DISTINCT FROM (b.open, b.high, b.low, b.close) "
	    "AND "
	    "NOT EXISTS (SELECT FROM bars c WHERE c.part = 0 AND c.symbol = a.symbol AND "
	    "c.timeframe "
	    "= a.timeframe AND c.feed = a.feed AND c.adjustment = a.adjustment AND c.event = "
	    "a.event "
	    "AND c.received > a.received AND c.received < b.received) ORDER BY b.received LIMIT $9",
	[QUERY_HEADS] = "SELECT DISTINCT received" BARS_OF "ORDER BY received DESC LIMIT $9",
	[QUERY_COUNT_BARS] = "SELECT count(*)" BARS_OF "AND received = $8",
	[QUERY_BARS] = "SELECT " BAR_COLUMNS BARS_OF "AND received = $8 " UP,
	[QUERY_BARS_DOWN] = "SELECT " BAR_COLUMNS BARS_OF "AND received = $8 " DOWN,
	[QUERY_ALL_BARS] = "SELECT " BAR_COLUMNS BARS_OF "ORDER BY event, received LIMIT $9",
	[QUERY_ALL_BARS_DOWN] =
	    "SELECT " BAR_COLUMNS BARS_OF "ORDER BY event DESC, received DESC LIMIT $9",
	[QUERY_LATE] = "SELECT count(*)" BARS_OF "AND received >= event + $8",
	[QUERY_VERSIONS] = "SELECT " BAR_COLUMNS BARS_OF "AND received >= event + $8 " UP,
	[QUERY_VERSIONS_DOWN] =
	    "SELECT " BAR_COLUMNS BARS_OF
	    "AND received >= event + $8 ORDER BY event DESC, received, journal_sequence LIMIT $9",
	[QUERY_COUNT_TRADES] = "SELECT count(*)" TRADES_OF,
	[QUERY_TRADES] = "SELECT " TRADE_COLUMNS TRADES_OF UP,
	[QUERY_TRADES_DOWN] = "SELECT " TRADE_COLUMNS TRADES_OF DOWN,
};

_Static_assert(SOURCE_REPLAY == 4, "as {S} has it");

struct pg_reading {
	struct reading base; /* first */
	const atomic_bool *stopping;
	char url[sizeof(((struct conf *)0)->postgres_url)];
	int64_t connect_timeout_ms;
	PGconn *conn;
	PGresult *result;
	int row; /* in hand */
};

static struct pg_reading *
pg_of(struct reading *base)
{
	return (struct pg_reading *)base;
}

static int
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

/* The statement with what is null of this series written out. */
static void
pg_write(const struct history_question *q, const char *from, char out[SQL_MAX])
{
	const struct history_series *of = &q->series;
	const struct {
		const char *mark, *value, *equal, *null;
	} marks[] = {
		{ "{T}", of->timeframe, "timeframe = $3", "timeframe IS NULL" },
		{ "{F}", of->feed, "feed = $4", "feed IS NULL" },
		{ "{A}", of->adjustment, "adjustment = $5", "adjustment IS NULL" },
		{ "{S}", q->is_market ? "yes" : "", "source <> 4", "true" },
	};
	size_t used = 0, len;
	const char *put;

	while (*from != '\0' && used + 64 < SQL_MAX) {
		put = NULL;
		for (size_t i = 0; *from == '{' && i < sizeof(marks) / sizeof(marks[0]); i++)
			if (strncmp(from, marks[i].mark, 3) == 0)
				put = marks[i].value[0] != '\0' ? marks[i].equal : marks[i].null;
		if (put == NULL) {
			out[used++] = *from++;
			continue;
		}
		len = strlen(put);
		memcpy(out + used, put, len);
		used += len;
		from += 3;
	}
	out[used] = '\0';
}

static int
pg_send(struct pg_reading *s, enum query which, const int64_t args[3], uint64_t limit)
{
	static const Oid types[ARGS] = { TYPE_TEXT, TYPE_BIGINT, TYPE_TEXT, TYPE_TEXT, TYPE_TEXT,
		TYPE_BIGINT, TYPE_BIGINT, TYPE_BIGINT, TYPE_BIGINT };
	static const int formats[ARGS] = { 0, 1, 0, 0, 0, 1, 1, 1, 1 };
	const struct history_series *of = &s->base.in_hand->question.series;
	const uint64_t numbers[5] = { htobe64(of->what), htobe64((uint64_t)args[0]),
		htobe64((uint64_t)args[1]), htobe64((uint64_t)args[2]), htobe64(limit) };
	const char *values[ARGS] = { of->symbol, (const char *)&numbers[0], of->timeframe, of->feed,
		of->adjustment, (const char *)&numbers[1], (const char *)&numbers[2],
		(const char *)&numbers[3], limit > 0 ? (const char *)&numbers[4] : NULL };
	static const int lengths[ARGS] = { 0, 8, 0, 0, 0, 8, 8, 8, 8 };
	char sql[SQL_MAX];

	pg_write(&s->base.in_hand->question, queries[which], sql);
	if (PQsendQueryParams(s->conn, sql, ARGS, types, values, lengths, formats, 1) == 1)
		return E_OK;
	return pg_say(s, PQerrorMessage(s->conn));
}

/* The one result of the statement; every other is awaited, so that the connection is at rest. */
static int
pg_receive(struct pg_reading *s)
{
	int64_t until = s->base.in_hand->deadline_ns;
	int flushed = PQflush(s->conn);
	PGresult *next;

	for (;;) {
		while (flushed == 1 || PQisBusy(s->conn)) {
			if (atomic_load(&s->base.in_hand->gone) ||
			    pg_wait(s, (short)(POLLIN | (flushed == 1 ? POLLOUT : 0)), until) !=
				E_OK)
				return pg_say(s, "it did not answer in time");
			if (PQconsumeInput(s->conn) == 0 || (flushed = PQflush(s->conn)) < 0)
				return pg_say(s, PQerrorMessage(s->conn));
		}
		if ((next = PQgetResult(s->conn)) == NULL)
			break;
		PQclear(s->result);
		s->result = next;
	}
	if (s->result != NULL && PQresultStatus(s->result) == PGRES_TUPLES_OK)
		return E_OK;
	return pg_say(
	    s, s->result != NULL ? PQresultErrorMessage(s->result) : PQerrorMessage(s->conn));
}

static int
pg_each(struct reading *base, enum query which, int64_t from, int64_t to, int64_t last,
    uint64_t limit, reading_row *row, void *owner)
{
	const int64_t args[3] = { from, to, last };
	struct pg_reading *s = pg_of(base);
	int r;

	if (which == QUERY_COVERS)
		limit = COVERS_READ;
	if ((r = pg_send(s, which, args, limit)) != E_OK || (r = pg_receive(s)) != E_OK)
		return r;
	for (s->row = 0; s->row < PQntuples(s->result); s->row++)
		if (!row(base, owner))
			break;
	PQclear(s->result);
	s->result = NULL;
	return E_OK;
}

/* A bigint, or a boolean. */
static int64_t
pg_integer(struct reading *base, int column)
{
	const struct pg_reading *s = pg_of(base);
	const char *cell = PQgetvalue(s->result, s->row, column);
	uint64_t bits;

	if (PQgetisnull(s->result, s->row, column))
		return 0;
	if (PQgetlength(s->result, s->row, column) != sizeof(bits))
		return cell[0] != 0;
	memcpy(&bits, cell, sizeof(bits));
	return (int64_t)be64toh(bits);
}

static double
pg_number(struct reading *base, int column)
{
	const struct pg_reading *s = pg_of(base);
	uint64_t bits;
	double v;

	if (PQgetisnull(s->result, s->row, column) ||
	    PQgetlength(s->result, s->row, column) != sizeof(bits))
		return NAN;
	memcpy(&bits, PQgetvalue(s->result, s->row, column), sizeof(bits));
	bits = be64toh(bits);
	memcpy(&v, &bits, sizeof(v));
	return v;
}

static const char *
pg_text(struct reading *base, int column)
{
	const struct pg_reading *s = pg_of(base);

	return PQgetisnull(s->result, s->row, column) ? NULL
						      : PQgetvalue(s->result, s->row, column);
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
