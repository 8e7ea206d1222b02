/* pg_statement.c - what PostgreSQL is asked: the statements, and how each goes out.
 *
 * Those with a row or a number for an answer are sent with parameters. Those with thousands of rows go as COPY TO
 * STDOUT, which takes no parameters: what libpq escapes stands in them. A COPY comes row by row, so rows are read while
 * the server makes the next ones, and there is never a second copy of all of them.
 */
#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "pg_reading.h"

#define COVERS_READ 5000
#define ARGS	    9
#define TYPE_BIGINT 20
#define TYPE_TEXT   25
#define SQL_MAX	    4096
#define NUMBER_MAX  24

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

bool
pg_is_streamed(enum query which)
{
	switch (which) {
	case QUERY_BARS:
	case QUERY_BARS_DOWN:
	case QUERY_ALL_BARS:
	case QUERY_ALL_BARS_DOWN:
	case QUERY_VERSIONS:
	case QUERY_VERSIONS_DOWN:
	case QUERY_TRADES:
	case QUERY_TRADES_DOWN:
		return true;
	default:
		return false;
	}
}

/* What stands for a mark of this series; null: no mark begins here. */
static const char *
mark_text(const struct history_question *q, const char *at)
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

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (strncmp(at, marks[i].mark, 3) == 0)
			return marks[i].value[0] != '\0' ? marks[i].equal : marks[i].null;
	return NULL;
}

/* The statement with what is null of this series written out; the values as well, where there are literals. */
static int
statement_write(
    const struct history_question *q, const char *from, char *const *literals, struct buf *out)
{
	const char *put;
	size_t plain;
	int r;

	for (; *from != '\0'; from += plain) {
		plain = strcspn(from, "{$");
		if ((r = buf_add(out, from, plain)) != E_OK || plain > 0) {
			if (r != E_OK)
				return r;
			continue;
		}
		if ((put = mark_text(q, from)) != NULL) {
			r = statement_write(q, put, literals, out);
			plain = 3;
		} else if (*from == '$' && literals != NULL) {
			r = buf_add_text(out, literals[from[1] - '1']);
			plain = 2;
		} else {
			r = buf_add(out, from, 1);
			plain = 1;
		}
		if (r != E_OK)
			return r;
	}
	return E_OK;
}

static int
send_parameters(struct pg_reading *s, const char *sql, const struct pg_question *a)
{
	static const Oid types[ARGS] = { TYPE_TEXT, TYPE_BIGINT, TYPE_TEXT, TYPE_TEXT, TYPE_TEXT,
		TYPE_BIGINT, TYPE_BIGINT, TYPE_BIGINT, TYPE_BIGINT };
	static const int formats[ARGS] = { 0, 1, 0, 0, 0, 1, 1, 1, 1 };
	static const int lengths[ARGS] = { 0, 8, 0, 0, 0, 8, 8, 8, 8 };
	const struct history_series *of = &s->base.in_hand->question.series;
	const uint64_t numbers[5] = { htobe64(of->what), htobe64((uint64_t)a->args[0]),
		htobe64((uint64_t)a->args[1]), htobe64((uint64_t)a->args[2]), htobe64(a->limit) };
	const char *values[ARGS] = { of->symbol, (const char *)&numbers[0], of->timeframe, of->feed,
		of->adjustment, (const char *)&numbers[1], (const char *)&numbers[2],
		(const char *)&numbers[3], a->limit > 0 ? (const char *)&numbers[4] : NULL };

	return PQsendQueryParams(s->conn, sql, ARGS, types, values, lengths, formats, 1);
}

/* Literals of $1 to $9; the texts among them are libpq's. E_STORE with `why`. */
static int
literals_make(struct pg_reading *s, const struct pg_question *a, char numbers[ARGS][NUMBER_MAX],
    char *literals[ARGS])
{
	const struct history_series *of = &s->base.in_hand->question.series;
	const char *const texts[ARGS] = { of->symbol, NULL, of->timeframe, of->feed,
		of->adjustment };
	const int64_t values[ARGS] = { 0, of->what, 0, 0, 0, a->args[0], a->args[1], a->args[2],
		(int64_t)a->limit };

	for (unsigned i = 0; i < ARGS; i++) {
		(void)snprintf(numbers[i], NUMBER_MAX, "%" PRId64, values[i]);
		literals[i] = numbers[i];
		if (texts[i] != NULL &&
		    (literals[i] = PQescapeLiteral(s->conn, texts[i], strlen(texts[i]))) == NULL)
			return pg_say(s, PQerrorMessage(s->conn));
	}
	if (a->limit == 0)
		memcpy(numbers[ARGS - 1], "NULL", sizeof("NULL"));
	return E_OK;
}

static int
send_copy(struct pg_reading *s, const struct pg_question *a)
{
	const struct history_question *q = &s->base.in_hand->question;
	static const char copy_end[] = ") TO STDOUT (FORMAT binary)";
	char numbers[ARGS][NUMBER_MAX], *literals[ARGS] = { NULL };
	struct buf sql;
	int r;

	buf_init(&sql, SQL_MAX);
	if ((r = literals_make(s, a, numbers, literals)) == E_OK &&
	    (r = buf_add_text(&sql, "COPY (")) == E_OK &&
	    (r = statement_write(q, queries[a->which], literals, &sql)) == E_OK &&
	    (r = buf_add(&sql, copy_end, sizeof(copy_end))) == E_OK &&
	    PQsendQuery(s->conn, (const char *)buf_data(&sql)) != 1)
		r = pg_say(s, PQerrorMessage(s->conn));
	for (unsigned i = 0; i < ARGS; i++)
		if (literals[i] != numbers[i])
			PQfreemem(literals[i]);
	buf_fini(&sql);
	return r;
}

int
pg_send(struct pg_reading *s, const struct pg_question *asked)
{
	struct pg_question a = *asked;
	struct buf sql;
	int r;

	if (a.which == QUERY_COVERS)
		a.limit = COVERS_READ;
	if (pg_is_streamed(a.which))
		return send_copy(s, &a);
	buf_init(&sql, SQL_MAX);
	if ((r = statement_write(&s->base.in_hand->question, queries[a.which], NULL, &sql)) ==
		E_OK &&
	    (r = buf_add(&sql, "", 1)) == E_OK &&
	    send_parameters(s, (const char *)buf_data(&sql), &a) != 1)
		r = pg_say(s, PQerrorMessage(s->conn));
	buf_fini(&sql);
	return r;
}
