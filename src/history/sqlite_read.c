/* sqlite_read.c - one answer out of the SQLite file: coverage first, then the rows of the calls that answer. */
#include "sqlite_read.h"

#include <limits.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "list_text.h"
#include "mem.h"
#include "symbol.h"
#include "text.h"

#define BUSY_WAIT_MS   20
#define PROGRESS_STEPS 2000  /* of SQLite's machine, some ten microseconds */
#define VERSIONS_EXTRA 20000 /* rows beyond those answered that are compared */
#define CACHE_KIB      "-4000"
#define CALLS_KNOWN    16

enum query {
	QUERY_COVERS,
	QUERY_VOID,
	QUERY_HEADS,
	QUERY_COUNT_BARS,
	QUERY_BARS,
	QUERY_BARS_DOWN,
	QUERY_LATE,
	QUERY_VERSIONS,
	QUERY_VERSIONS_DOWN,
	QUERY_COUNT_TRADES,
	QUERY_TRADES,
	QUERY_TRADES_DOWN,
	QUERIES
};

/* ?1-?5 name the series, ?6 and ?7 are a range, ?8 a call's received time or a length. */
#define BARS_OF                                                                                    \
	" FROM bars INDEXED BY bars_series WHERE part = 0 AND symbol = ?1 AND timeframe IS ?3 "    \
	"AND "                                                                                     \
	"feed IS ?4 AND adjustment IS ?5 AND event BETWEEN ?6 AND ?7 "
#define BAR_FIELDS                                                                                 \
	"SELECT event, received, source, open, high, low, close, volume, trade_count, vwap"
#define TRADES_OF                                                                                  \
	" FROM trades INDEXED BY trades_series WHERE symbol = ?1 AND feed IS ?4 AND event "        \
	"BETWEEN "                                                                                 \
	"?6 AND ?7 AND received = ?8 "
#define TRADE_FIELDS                                                                               \
	"SELECT event, received, source, price, size, exchange, conditions, tape, has_id, "        \
	"trade_id, taker_side, \"update\""
/* Rows of a call stand in the order of time: rowid is that order within an instant. */
#define UP   "ORDER BY event, received, rowid"
#define DOWN "ORDER BY event DESC, received DESC, rowid DESC"

static const char *const queries[QUERIES] = {
	[QUERY_COVERS] =
	    "SELECT start, \"end\", received, rows FROM coverage WHERE symbol = ?1 AND "
	    "what = ?2 AND timeframe IS ?3 AND feed IS ?4 AND adjustment IS ?5 AND "
	    "\"end\" >= ?6 AND start <= ?7 ORDER BY received DESC",
	/* Calls since midnight (?6) that gave another value for a row of before it than the ones before them. */
	[QUERY_VOID] = "SELECT a.received, b.received FROM bars a INDEXED BY bars_adjusted JOIN bars b "
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
	[QUERY_COUNT_BARS] = "SELECT count(*)" BARS_OF "AND received = ?8",
	[QUERY_BARS] = BAR_FIELDS BARS_OF "AND received = ?8 " UP,
	[QUERY_BARS_DOWN] = BAR_FIELDS BARS_OF "AND received = ?8 " DOWN,
	/* The states of an interval that still ran are none. */
	[QUERY_LATE] = "SELECT count(*)" BARS_OF "AND received >= event + ?8",
	[QUERY_VERSIONS] = BAR_FIELDS BARS_OF "AND received >= event + ?8 " UP,
	[QUERY_VERSIONS_DOWN] =
	    BAR_FIELDS BARS_OF "AND received >= event + ?8 ORDER BY event DESC, received, rowid",
	[QUERY_COUNT_TRADES] = "SELECT count(*)" TRADES_OF,
	[QUERY_TRADES] = TRADE_FIELDS TRADES_OF UP,
	[QUERY_TRADES_DOWN] = TRADE_FIELDS TRADES_OF DOWN,
};

struct sqlite_read {
	char path[PATH_MAX];
	sqlite3 *db;
	sqlite3_stmt *stmt[QUERIES];
	const struct history_ticket *in_hand;
};

struct sqlite_read *
sqlite_read_new(const char *state_dir)
{
	struct sqlite_read *s = mem_alloc(sizeof(*s));

	(void)snprintf(s->path, sizeof(s->path), "%s/history.sqlite", state_dir);
	return s;
}

static void
file_close(struct sqlite_read *s)
{
	for (unsigned i = 0; i < QUERIES; i++) {
		sqlite3_finalize(s->stmt[i]);
		s->stmt[i] = NULL;
	}
	sqlite3_close(s->db);
	s->db = NULL;
}

void
sqlite_read_close(struct sqlite_read **sp)
{
	file_close(*sp);
	mem_free(sp);
}

static int
file_on_progress(void *owner)
{
	const struct sqlite_read *s = owner;

	return atomic_load(&s->in_hand->gone) || clock_mono() > s->in_hand->deadline_ns;
}

/* The writer makes the file; a file that was replaced is another one. */
static int
file_open(struct sqlite_read *s)
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

static int
bind_text(sqlite3_stmt *stmt, int at, const char *text)
{
	return text[0] == '\0' ? sqlite3_bind_null(stmt, at)
			       : sqlite3_bind_text(stmt, at, text, -1, SQLITE_STATIC);
}

/* A statement with the series and a range bound; those it does not name are refused as out of range, which is
 * fine. Null: *r says why. */
static sqlite3_stmt *
query_begin(struct sqlite_read *s, enum query which, int64_t from, int64_t to, int64_t last, int *r)
{
	const struct history_series *of = &s->in_hand->question.series;
	sqlite3_stmt *stmt = s->stmt[which];

	if (stmt == NULL && (*r = sqlite3_prepare_v3(s->db, queries[which], -1,
				 SQLITE_PREPARE_PERSISTENT, &stmt, NULL)) != SQLITE_OK)
		return NULL;
	s->stmt[which] = stmt;
	sqlite3_reset(stmt);
	(void)bind_text(stmt, 1, of->symbol);
	(void)sqlite3_bind_int64(stmt, 2, of->what);
	(void)bind_text(stmt, 3, of->timeframe);
	(void)bind_text(stmt, 4, of->feed);
	(void)bind_text(stmt, 5, of->adjustment);
	(void)sqlite3_bind_int64(stmt, 6, from);
	(void)sqlite3_bind_int64(stmt, 7, to);
	(void)sqlite3_bind_int64(stmt, 8, last);
	*r = SQLITE_OK;
	return stmt;
}

/* E: SQLite's code; what a step gave that is neither row nor end. */
static int
query_end(sqlite3_stmt *stmt, int stepped)
{
	sqlite3_reset(stmt);
	return stepped == SQLITE_ROW || stepped == SQLITE_DONE ? SQLITE_OK : stepped;
}

static int
query_number(
    struct sqlite_read *s, enum query which, int64_t from, int64_t to, int64_t last, int64_t *out)
{
	sqlite3_stmt *stmt;
	int r;

	if ((stmt = query_begin(s, which, from, to, last, &r)) == NULL)
		return r;
	if ((r = sqlite3_step(stmt)) == SQLITE_ROW)
		*out = sqlite3_column_int64(stmt, 0);
	return query_end(stmt, r);
}

static int
read_void(struct sqlite_read *s, const struct history_question *q, int64_t *void_before)
{
	sqlite3_stmt *stmt;
	int r;

	*void_before = INT64_MIN;
	if (!series_is_adjusted(&q->series))
		return SQLITE_OK;
	if ((stmt = query_begin(s, QUERY_VOID, midnight_before(q->now_ns), 0, 0, &r)) == NULL)
		return r;
	while ((r = sqlite3_step(stmt)) == SQLITE_ROW)
		*void_before = void_after(
		    *void_before, sqlite3_column_int64(stmt, 0), sqlite3_column_int64(stmt, 1));
	return query_end(stmt, r);
}

static int
read_spans(struct sqlite_read *s, struct picking *p)
{
	const struct history_question *q = p->question;
	int64_t void_before;
	unsigned looked = 0;
	struct cover c;
	sqlite3_stmt *stmt;
	int r;

	if ((r = read_void(s, q, &void_before)) != SQLITE_OK)
		return r;
	if ((stmt = query_begin(s, QUERY_COVERS, p->spans.start, p->spans.end, 0, &r)) == NULL)
		return r;
	while ((r = sqlite3_step(stmt)) == SQLITE_ROW && looked++ < COVERS_MAX) {
		c = (struct cover){ .start = sqlite3_column_int64(stmt, 0),
			.end = sqlite3_column_int64(stmt, 1),
			.received = sqlite3_column_int64(stmt, 2),
			.rows = (uint64_t)sqlite3_column_int64(stmt, 3) };
		spans_add(&p->spans, &c, cover_trusted(q, &c, void_before));
		if (spans_are_whole(&p->spans))
			break;
	}
	return query_end(stmt, r);
}

static int
read_heads(struct sqlite_read *s, struct picking *p)
{
	struct heads heads = { .count = 0 };
	sqlite3_stmt *stmt;
	int r;

	stmt = query_begin(s, QUERY_HEADS, p->spans.start, p->question->start - 1, 0, &r);
	if (stmt == NULL)
		return r;
	while ((r = sqlite3_step(stmt)) == SQLITE_ROW && !heads.more) {
		if (heads.count == HEADS_MAX)
			heads.more = true;
		else
			heads.received[heads.count++] = sqlite3_column_int64(stmt, 0);
	}
	if ((r = query_end(stmt, r)) == SQLITE_OK)
		picking_heads(p, &heads);
	return r;
}

static double
column_number(sqlite3_stmt *stmt, int at)
{
	return sqlite3_column_type(stmt, at) == SQLITE_NULL ? NAN : sqlite3_column_double(stmt, at);
}

static void
column_text(sqlite3_stmt *stmt, int at, char *out, size_t size)
{
	const char *text = (const char *)sqlite3_column_text(stmt, at);

	(void)text_copy(out, size, text != NULL ? text : "");
}

static void
read_bar(sqlite3_stmt *stmt, const struct history_series *of, struct bar *b)
{
	*b = (struct bar){ .asset = of->asset,
		.part = BAR_SERIES,
		.event = sqlite3_column_int64(stmt, 0),
		.received = sqlite3_column_int64(stmt, 1),
		.source = (uint64_t)sqlite3_column_int64(stmt, 2),
		.open = column_number(stmt, 3),
		.high = column_number(stmt, 4),
		.low = column_number(stmt, 5),
		.close = column_number(stmt, 6),
		.volume = column_number(stmt, 7),
		.trade_count = column_number(stmt, 8),
		.vwap = column_number(stmt, 9) };
	memcpy(b->symbol, of->symbol, sizeof(b->symbol));
	memcpy(b->feed, of->feed, sizeof(b->feed));
	memcpy(b->timeframe, of->timeframe, sizeof(b->timeframe));
	memcpy(b->adjustment, of->adjustment, sizeof(b->adjustment));
}

static void
read_trade(sqlite3_stmt *stmt, const struct history_series *of, struct trade *t)
{
	*t = (struct trade){ .asset = of->asset,
		.event = sqlite3_column_int64(stmt, 0),
		.received = sqlite3_column_int64(stmt, 1),
		.source = (uint64_t)sqlite3_column_int64(stmt, 2),
		.price = column_number(stmt, 3),
		.size = column_number(stmt, 4),
		.has_id = sqlite3_column_int(stmt, 8) != 0,
		.trade_id = (uint64_t)sqlite3_column_int64(stmt, 9) };
	memcpy(t->symbol, of->symbol, sizeof(t->symbol));
	memcpy(t->feed, of->feed, sizeof(t->feed));
	column_text(stmt, 5, t->exchange, sizeof(t->exchange));
	list_from_text(
	    (const char *)sqlite3_column_text(stmt, 6), t->conditions, sizeof(t->conditions));
	column_text(stmt, 7, t->tape, sizeof(t->tape));
	column_text(stmt, 10, t->taker_side, sizeof(t->taker_side));
	column_text(stmt, 11, t->update, sizeof(t->update));
}

/* Rows of one span. *more: the answer takes further ones. */
static int
read_rows(struct sqlite_read *s, struct picking *p, const struct span *span, bool *more)
{
	const struct history_question *q = p->question;
	bool bars = q->series.what == COVERED_BARS;
	enum query which = bars		   ? (q->descending ? QUERY_BARS_DOWN : QUERY_BARS)
			   : q->descending ? QUERY_TRADES_DOWN
					   : QUERY_TRADES;
	struct history_row row = { .versions = 1 };
	sqlite3_stmt *stmt;
	int r;

	stmt = query_begin(s, which, span->start > p->spans.start ? span->start : p->spans.start,
	    span->end, span->of.received, &r);
	if (stmt == NULL)
		return r;
	while (*more && (r = sqlite3_step(stmt)) == SQLITE_ROW) {
		if (bars)
			read_bar(stmt, &q->series, &row.v.bar);
		else
			read_trade(stmt, &q->series, &row.v.trade);
		*more = picking_row(p, &row);
	}
	return query_end(stmt, r);
}

/* The calls whose rows were counted lately. */
struct known {
	struct cover of[CALLS_KNOWN];
	unsigned count;
};

/* Whether all rows this call speaks of are there. Instead of a range of its own, what the start of the range lies
 * in has none to count. */
static int
call_is_whole(struct sqlite_read *s, struct known *known, const struct span *span, bool *whole)
{
	const struct cover *c = &span->of;
	bool bars = s->in_hand->question.series.what == COVERED_BARS;
	int64_t rows = 0;
	int r;

	*whole = true;
	for (unsigned i = 0; i < known->count && i < CALLS_KNOWN; i++)
		if (memcmp(&known->of[i], c, sizeof(*c)) == 0)
			return SQLITE_OK;
	if (c->end < s->in_hand->question.start && c->rows == 0)
		return SQLITE_OK;
	r = query_number(
	    s, bars ? QUERY_COUNT_BARS : QUERY_COUNT_TRADES, c->start, c->end, c->received, &rows);
	*whole = (uint64_t)rows == c->rows;
	if (*whole)
		known->of[known->count++ % CALLS_KNOWN] = *c;
	return r;
}

/* In order, as far as the spans are without a hole and the answer takes rows. A call that is not whole makes a hole:
 * what lies behind it is another question's. */
static int
read_answer(struct sqlite_read *s, struct picking *p)
{
	bool down = p->question->descending, whole, more = true;
	struct known known = { .count = 0 };
	int64_t from = down ? p->spans.end : p->spans.start;
	size_t left = p->spans.count;
	struct span span;
	int r;

	for (; left > 0 && more; left--) {
		span = p->spans.at[down ? left - 1 : p->spans.count - left];
		if (down ? span.end < from : span.start > from)
			break;
		if ((r = call_is_whole(s, &known, &span, &whole)) != SQLITE_OK)
			return r;
		if (!whole) {
			spans_drop(&p->spans, &span.of);
			break;
		}
		if ((r = read_rows(s, p, &span, &more)) != SQLITE_OK)
			return r;
		from = down ? span.start - 1 : span.end + 1;
	}
	picking_reach(p);
	return SQLITE_OK;
}

/* Rows of one instant stand together; `rows` are the answer's, in the same order. */
static int
compare_versions(
    struct sqlite_read *s, struct picking *p, int64_t low, int64_t high, int64_t length)
{
	struct history_answer *a = &p->answer;
	struct bar bar, before = { .event = 0 };
	size_t at = 0;
	unsigned versions = 0;
	sqlite3_stmt *stmt;
	int r;

	stmt = query_begin(s, p->question->descending ? QUERY_VERSIONS_DOWN : QUERY_VERSIONS, low,
	    high, length, &r);
	if (stmt == NULL)
		return r;
	while ((r = sqlite3_step(stmt)) == SQLITE_ROW) {
		read_bar(stmt, &p->question->series, &bar);
		while (at < a->count &&
		       (p->question->descending ? a->rows[at].v.bar.event > bar.event
						: a->rows[at].v.bar.event < bar.event))
			at++;
		if (at == a->count || a->rows[at].v.bar.event != bar.event)
			continue;
		versions = before.event != bar.event ? 1 : versions + bars_differ(&before, &bar);
		before = bar;
		if (bar.received == a->rows[at].v.bar.received)
			a->rows[at].versions = versions;
	}
	return query_end(stmt, r);
}

/* Crypto has several rows an instant, of several venues: which follows which cannot be told. */
static int
read_versions(struct sqlite_read *s, struct picking *p)
{
	const struct history_question *q = p->question;
	struct history_answer *a = &p->answer;
	int64_t length = timeframe_ns(q->series.timeframe), low, high, rows = 0;
	int r;

	if (q->series.what != COVERED_BARS || q->series.asset == ASSET_CRYPTO || a->count == 0)
		return SQLITE_OK;
	low = a->rows[q->descending ? a->count - 1 : 0].v.bar.event;
	high = a->rows[q->descending ? 0 : a->count - 1].v.bar.event;
	if ((r = query_number(s, QUERY_LATE, low, high, length, &rows)) != SQLITE_OK ||
	    rows == (int64_t)a->count)
		return r;
	if (rows - (int64_t)a->count <= VERSIONS_EXTRA)
		return compare_versions(s, p, low, high, length);
	for (size_t i = 0; i < a->count; i++)
		a->rows[i].versions = 0;
	return SQLITE_OK;
}

/* One transaction: coverage and the rows it speaks of are of the same moment. */
static int
file_read(struct sqlite_read *s, struct picking *p)
{
	int r;

	if ((r = file_open(s)) != SQLITE_OK ||
	    (r = sqlite3_exec(s->db, "BEGIN", NULL, NULL, NULL)) != SQLITE_OK)
		return r;
	if ((r = read_spans(s, p)) == SQLITE_OK && question_is_ambiguous(p->question))
		r = read_heads(s, p);
	if (r == SQLITE_OK && (r = read_answer(s, p)) == SQLITE_OK)
		r = read_versions(s, p);
	if (r == SQLITE_OK)
		r = sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL);
	return r;
}

void
sqlite_read(struct sqlite_read *s, struct history_ticket *t)
{
	struct history_answer *a = &t->picking.answer;
	int r;

	s->in_hand = t;
	r = file_read(s, &t->picking);
	if (r != SQLITE_OK) {
		a->error = E_STORE;
		(void)snprintf(a->why, sizeof(a->why), "%s",
		    s->db != NULL ? sqlite3_errmsg(s->db) : sqlite3_errstr(r));
		a->count = 0;
		/* Begun anew with the next question, whatever was wrong with this one. */
		file_close(s);
	}
	s->in_hand = NULL;
}
