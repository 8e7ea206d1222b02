/* sqlite.c - history out of the SQLite file of the state directory. */
#include <limits.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "mem.h"
#include "reading.h"

#define BUSY_WAIT_MS   20
#define PROGRESS_STEPS 2000 /* of SQLite's machine, some ten microseconds */
#define CACHE_KIB      "-4000"

/* ?1-?5 name the series, ?6 and ?7 are a range, ?8 a call's received time or a length, ?9 a source whose calls
 * do not count. */
#define BARS_OF                                                                                    \
	" FROM bars INDEXED BY bars_series WHERE part = 0 AND symbol = ?1 AND timeframe IS ?3 "    \
	"AND "                                                                                     \
	"feed IS ?4 AND adjustment IS ?5 AND event BETWEEN ?6 AND ?7 "
#define BAR_FIELDS "SELECT " BAR_COLUMNS
#define TRADES_OF                                                                                  \
	" FROM trades INDEXED BY trades_series WHERE symbol = ?1 AND feed IS ?4 AND event "        \
	"BETWEEN "                                                                                 \
	"?6 AND ?7 "
#define TRADE_FIELDS "SELECT " TRADE_COLUMNS
#define OF_CALL	     "AND received = ?8 "
/* The same; but behind an equation SQLite does not see that the index has the rows in order, and sorts them. */
#define OF_CALL_IN_ORDER "AND received BETWEEN ?8 AND ?8 "
/* Rows of a call stand in the order of time: rowid is that order within an instant. */
#define UP   "ORDER BY event, received, rowid"
#define DOWN "ORDER BY event DESC, received DESC, rowid DESC"

static const char *const queries[QUERIES] = {
	[QUERY_COVERS] =
	    "SELECT start, \"end\", received, rows, source FROM coverage WHERE symbol = ?1 AND "
	    "what = ?2 AND timeframe IS ?3 AND feed IS ?4 AND adjustment IS ?5 AND source <> ?9 "
	    "AND "
	    "\"end\" >= ?6 AND start <= ?7 ORDER BY received DESC",
	/* Calls since midnight (?6) that gave another value for a row of before it than the ones before them. */
	[QUERY_VOID] =
	    "SELECT a.received, b.received FROM bars a INDEXED BY bars_adjusted JOIN bars b "
	    "INDEXED BY bars_series ON b.part = 0 AND b.symbol = a.symbol AND "
	    "b.timeframe = a.timeframe AND b.feed = a.feed AND b.adjustment = "
	    "a.adjustment AND b.event = a.event AND b.received > a.received WHERE "
	    "a.part = 0 AND a.adjustment <> 'raw' AND a.symbol = ?1 AND a.received >= "
	    "?6 AND a.event < ?6 AND (a.open <> b.open OR a.high <> b.high OR a.low <> "
	    "b.low OR a.close <> b.close) AND NOT EXISTS (SELECT 1 FROM bars c INDEXED "
	    "BY bars_series WHERE c.part = 0 AND c.symbol = a.symbol AND c.timeframe = "
	    "a.timeframe AND c.feed = a.feed AND c.adjustment = a.adjustment AND "
	    "c.event = a.event AND c.received > a.received AND c.received < "
	    "b.received) ORDER BY b.received",
	[QUERY_HEADS] = "SELECT DISTINCT received" BARS_OF "ORDER BY received DESC LIMIT 65",
	[QUERY_COUNT_BARS] = "SELECT count(*)" BARS_OF OF_CALL,
	[QUERY_BARS] = BAR_FIELDS BARS_OF OF_CALL_IN_ORDER UP,
	[QUERY_BARS_DOWN] = BAR_FIELDS BARS_OF OF_CALL_IN_ORDER DOWN,
	[QUERY_ALL_BARS] = BAR_FIELDS BARS_OF "ORDER BY event, received",
	[QUERY_ALL_BARS_DOWN] = BAR_FIELDS BARS_OF "ORDER BY event DESC, received DESC",
	/* The states of an interval that still ran are none. */
	[QUERY_LATE] = "SELECT count(*)" BARS_OF "AND received >= event + ?8",
	[QUERY_VERSIONS] = BAR_FIELDS BARS_OF "AND received >= event + ?8 " UP,
	[QUERY_VERSIONS_DOWN] =
	    BAR_FIELDS BARS_OF "AND received >= event + ?8 ORDER BY event DESC, received, rowid",
	[QUERY_COUNT_TRADES] = "SELECT count(*)" TRADES_OF OF_CALL,
	[QUERY_TRADES] = TRADE_FIELDS TRADES_OF OF_CALL_IN_ORDER UP,
	[QUERY_TRADES_DOWN] = TRADE_FIELDS TRADES_OF OF_CALL_IN_ORDER DOWN,
};

struct sqlite_reading {
	struct reading base; /* first */
	char path[PATH_MAX];
	sqlite3 *db;
	sqlite3_stmt *stmt[QUERIES];
	sqlite3_stmt *row; /* in hand */
};

static struct sqlite_reading *
sqlite_of(struct reading *base)
{
	return (struct sqlite_reading *)base;
}

static void
file_close(struct sqlite_reading *s)
{
	for (unsigned i = 0; i < QUERIES; i++) {
		sqlite3_finalize(s->stmt[i]);
		s->stmt[i] = NULL;
	}
	sqlite3_close(s->db);
	s->db = NULL;
}

static int
file_on_progress(void *owner)
{
	return reading_is_late(owner);
}

static int
file_failed(struct sqlite_reading *s, int code)
{
	(void)snprintf(s->base.why, sizeof(s->base.why), "%s",
	    s->db != NULL ? sqlite3_errmsg(s->db) : sqlite3_errstr(code));
	return E_STORE;
}

/* The writer makes the file; a file that was replaced is another one. */
static int
file_open(struct sqlite_reading *s)
{
	int moved = 0;

	if (s->db != NULL &&
	    (sqlite3_file_control(s->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) != SQLITE_OK ||
		moved))
		file_close(s);
	if (s->db != NULL)
		return SQLITE_OK;
	if (sqlite3_open_v2(s->path, &s->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) !=
	    SQLITE_OK)
		return sqlite3_errcode(s->db);
	sqlite3_extended_result_codes(s->db, 1);
	sqlite3_busy_timeout(s->db, BUSY_WAIT_MS);
	sqlite3_progress_handler(s->db, PROGRESS_STEPS, file_on_progress, s);
	return sqlite3_exec(
	    s->db, "PRAGMA query_only = 1; PRAGMA cache_size = " CACHE_KIB, NULL, NULL, NULL);
}

/* One transaction: coverage and the rows it speaks of are of the same moment. */
static int
sqlite_open(struct reading *base)
{
	struct sqlite_reading *s = sqlite_of(base);
	int r = file_open(s);

	if (r == SQLITE_OK)
		r = sqlite3_exec(s->db, "BEGIN", NULL, NULL, NULL);
	return r == SQLITE_OK ? E_OK : file_failed(s, r);
}

/* Begun anew with the next question, whatever was wrong with this one. */
static void
sqlite_done(struct reading *base, int error)
{
	struct sqlite_reading *s = sqlite_of(base);

	if (error != E_OK || sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
		file_close(s);
}

static int
bind_text(sqlite3_stmt *stmt, int at, const char *text)
{
	return text[0] == '\0' ? sqlite3_bind_null(stmt, at)
			       : sqlite3_bind_text(stmt, at, text, -1, SQLITE_STATIC);
}

/* What a statement does not name is refused as out of range, which is fine. */
static int
statement_ready(struct sqlite_reading *s, enum query which, const int64_t args[3])
{
	const struct history_series *of = &s->base.in_hand->question.series;
	sqlite3_stmt *stmt = s->stmt[which];
	int r;

	if (stmt == NULL && (r = sqlite3_prepare_v3(s->db, queries[which], -1,
				 SQLITE_PREPARE_PERSISTENT, &stmt, NULL)) != SQLITE_OK)
		return r;
	s->row = s->stmt[which] = stmt;
	(void)bind_text(stmt, 1, of->symbol);
	(void)sqlite3_bind_int64(stmt, 2, of->what);
	(void)bind_text(stmt, 3, of->timeframe);
	(void)bind_text(stmt, 4, of->feed);
	(void)bind_text(stmt, 5, of->adjustment);
	for (int i = 0; i < 3; i++)
		(void)sqlite3_bind_int64(stmt, 6 + i, args[i]);
	(void)sqlite3_bind_int64(stmt, 9, s->base.in_hand->question.is_market ? SOURCE_REPLAY : 0);
	return SQLITE_OK;
}

static int
sqlite_each(struct reading *base, enum query which, int64_t from, int64_t to, int64_t last,
    uint64_t limit, reading_row *row, void *owner)
{
	struct sqlite_reading *s = sqlite_of(base);
	const int64_t args[3] = { from, to, last };
	uint64_t rows = 0;
	int r = statement_ready(s, which, args);

	if (r != SQLITE_OK)
		return file_failed(s, r);
	while ((r = sqlite3_step(s->row)) == SQLITE_ROW)
		if (!row(base, owner) || ++rows == limit)
			break;
	if (r != SQLITE_ROW && r != SQLITE_DONE)
		(void)file_failed(s, r);
	sqlite3_reset(s->row);
	return r == SQLITE_ROW || r == SQLITE_DONE ? E_OK : E_STORE;
}

static int64_t
sqlite_integer(struct reading *base, int column)
{
	return sqlite3_column_int64(sqlite_of(base)->row, column);
}

static double
sqlite_number(struct reading *base, int column)
{
	sqlite3_stmt *row = sqlite_of(base)->row;
	double v = sqlite3_column_double(row, column);

	/* Null reads as 0, which is rare: its type is looked at only then. */
	if (v < 0 || v > 0)
		return v;
	return sqlite3_column_type(row, column) == SQLITE_NULL ? NAN : v;
}

static const char *
sqlite_text(struct reading *base, int column)
{
	return (const char *)sqlite3_column_text(sqlite_of(base)->row, column);
}

static const struct reading_kind sqlite_reading_kind = {
	.open = sqlite_open,
	.done = sqlite_done,
	.each = sqlite_each,
	.integer = sqlite_integer,
	.number = sqlite_number,
	.text = sqlite_text,
};

static void *
sqlite_begin(const struct conf *conf, const atomic_bool *stopping)
{
	struct sqlite_reading *s = mem_alloc(sizeof(*s));

	(void)stopping; /* the deadline of the question in hand is near enough */
	s->base.kind = &sqlite_reading_kind;
	(void)snprintf(s->path, sizeof(s->path), "%s/history.sqlite", conf->state_dir);
	return s;
}

static void
sqlite_end(void **store)
{
	file_close(*store);
	mem_free(store);
}

static void
sqlite_read(void *store, struct history_ticket *t)
{
	reading_answer(store, t);
}

const struct history_kind history_sqlite = {
	.name = "sqlite",
	.threads = 1,
	.begin = sqlite_begin,
	.end = sqlite_end,
	.read = sqlite_read,
};
