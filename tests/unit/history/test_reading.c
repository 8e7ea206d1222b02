/* test_reading.c - what is answered out of SQLite and PostgreSQL, against a model of the same past. */
#include <criterion/criterion.h>
#include <libpq-fe.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "mem.h"
#include "world.h"

#define BIN "/usr/lib/postgresql/15/bin"

static char folder[64];
static struct loop *loop;
static struct conf conf;

static void
setup(void)
{
	snprintf(folder, sizeof(folder), "/tmp/test_history.XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	log_open("test", LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	loop = loop_new();
	conf_defaults(&conf);
	strcpy(conf.state_dir, folder);
}

static void
teardown(void)
{
	char command[128];

	loop_free(&loop);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	cr_assert_eq(system(command), 0);
}

TestSuite(reading, .init = setup, .fini = teardown, .timeout = 60);

static void
exec_sqlite(void *db, const char *sql)
{
	cr_assert_eq(
	    sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
}

static void
exec_pg(void *db, const char *sql)
{
	PGresult *r = PQexec(db, sql);
	ExecStatusType s = PQresultStatus(r);

	cr_assert(
	    s == PGRES_COMMAND_OK || s == PGRES_TUPLES_OK, "%.80s: %s", sql, PQerrorMessage(db));
	PQclear(r);
}

static sqlite3 *
make_sqlite(void)
{
	char path[96];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/history.sqlite", folder);
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	exec_sqlite(db, "PRAGMA journal_mode = WAL");
	world_schema(SCHEMA_DIR "/schema/001_history.sql", exec_sqlite, db);
	world_schema(SCHEMA_DIR "/schema/002_coverage.sql", exec_sqlite, db);
	return db;
}

/* An answer as it was given, kept: rows are taken, and what is written of them. */
struct kept {
	struct history_answer answer;
	bool came;
};

static void
keep(struct history_answer *a, void *owner)
{
	struct kept *k = owner;

	k->answer = *a;
	a->rows = NULL;
	memset(&a->written, 0, sizeof(a->written));
	k->came = true;
}

static void
kept_free(struct kept *k)
{
	free(k->answer.rows);
	buf_fini(&k->answer.written);
}

static int
written_begin(struct buf *b)
{
	buf_fini(b);
	buf_init(b, 1 << 20);
	return buf_add_text(b, "front");
}

static void
written_row(struct json *j, const struct history_row *row, const struct history_question *q)
{
	json_array_open(j, NULL);
	json_i64(j, NULL, row_event(&q->series, row));
	json_f64(j, NULL, q->series.what == COVERED_BARS ? row->v.bar.close : row->v.trade.price);
	json_u64(j, NULL, row->versions);
	json_array_close(j);
}

static const struct history_writer writer = { written_begin, written_row };

/* What was written, if anything, is every row as it is answered, and nothing else. */
static void
check_written(const struct history_question *q, const struct history_answer *a, const char *of)
{
	struct buf wanted = { 0 };
	struct json j;

	if (q->writer == NULL || a->count == 0) {
		cr_expect_eq(buf_len(&a->written), 0, "%s", of);
		return;
	}
	cr_assert_eq(written_begin(&wanted), E_OK);
	json_begin(&j, &wanted);
	json_array_open(&j, NULL);
	for (size_t i = 0; i < a->count; i++)
		written_row(&j, &a->rows[i], q);
	json_array_close(&j);
	cr_assert_eq(json_end(&j), E_OK);
	cr_expect(buf_len(&a->written) == buf_len(&wanted) &&
		      memcmp(buf_data(&a->written), buf_data(&wanted), buf_len(&wanted)) == 0,
	    "%s: %.*s instead of %.*s", of, (int)buf_len(&a->written), buf_data(&a->written),
	    (int)buf_len(&wanted), buf_data(&wanted));
	buf_fini(&wanted);
}

static void
ask(struct history *h, const struct history_question *q, struct kept *k)
{
	struct history_ticket *ticket;

	k->came = false;
	cr_assert_eq(history_ask(h, q, keep, k, &ticket), E_OK);
	cr_assert_not(k->came, "never from within");
	while (!k->came)
		loop_turn(loop, 1000);
}

/* Memory of an answer before, whatever stands in it, serves the next one. */
static void
give_used(struct history *h)
{
	struct history_row *rows = mem_array(HISTORY_ROWS_MAX, sizeof(*rows));

	memset((void *)rows, 0x5a, HISTORY_ROWS_MAX * sizeof(*rows));
	history_give_back(h, &rows, HISTORY_ROWS_MAX);
	cr_assert_null(rows);
}

/* Answers to random questions about random pasts are those of the model. */
static void
compare(struct history *h, world_exec *exec, void *db, const char *clear, unsigned worlds)
{
	unsigned seed = 11;
	struct history_question q;
	struct world world;
	struct kept kept;

	for (unsigned w = 0; w < worlds; w++) {
		exec(db, "BEGIN");
		exec(db, clear);
		world_make(&world, &seed);
		world_store(&world, exec, db);
		exec(db, "COMMIT");
		for (unsigned i = 0; i < 40; i++) {
			char of[64];

			snprintf(of, sizeof(of), "world %u question %u", w, i);
			world_question(&q, &seed);
			q.writer = i % 4 == 3 ? NULL : &writer;
			if (i == 7)
				give_used(h);
			ask(h, &q, &kept);
			cr_expect(i != 7 || kept.answer.room == HISTORY_ROWS_MAX);
			world_check(&world, &q, &kept.answer, of);
			check_written(&q, &kept.answer, of);
			kept_free(&kept);
		}
	}
}

Test(reading, sqlite_answers_what_calls_prove)
{
	sqlite3 *db = make_sqlite();
	struct history *h = history_open(loop, &conf);

	cr_expect_str_eq(history_store(h), "sqlite");
	compare(h, exec_sqlite, db, "DELETE FROM bars; DELETE FROM coverage", 25);
	history_close(&h);
	sqlite3_close(db);
}

/* One bar of the market, with two states, and the same of a recording: before, between or behind. */
static void
bars_of_both(sqlite3 *db, int64_t recorded_ns)
{
	static const char bar[] =
	    "INSERT INTO bars VALUES (1, %d, 0, 'AAPL', 'iex', '1Min', 'raw', "
	    "1700000040000000000, %lld, 1, 2, 0.5, %d, 10, NULL, 0, 'f', %d)";
	static const char cover[] =
	    "INSERT INTO coverage VALUES (1, %d, 1, 'AAPL', 'iex', '1Min', 'raw', "
	    "1700000040000000000, 1700000099000000000, %lld, 1, 'f', %d)";
	const int64_t at[] = { INT64_C(1700100000000000000), INT64_C(1700300000000000000),
		recorded_ns };
	char sql[512];

	exec_sqlite(db, "DELETE FROM bars; DELETE FROM coverage");
	for (int i = 0; i < 3; i++) {
		int source = i == 2 ? SOURCE_REPLAY : SOURCE_HISTORY;

		snprintf(sql, sizeof(sql), bar, source, (long long)at[i], i, i * 2 + 1);
		exec_sqlite(db, sql);
		snprintf(sql, sizeof(sql), cover, source, (long long)at[i], i * 2 + 2);
		exec_sqlite(db, sql);
	}
}

Test(reading, what_a_recording_said_is_no_answer_where_upstream_is_the_market)
{
	static const int64_t recorded[] = { INT64_C(1700050000000000000),
		INT64_C(1700200000000000000), INT64_C(1700400000000000000) };
	sqlite3 *db = make_sqlite();
	struct history *h = history_open(loop, &conf);
	struct history_question q = { .series = { COVERED_BARS, ASSET_STOCK, "AAPL", "iex", "1Min",
					  "raw" },
		.start = INT64_C(1700000040000000000),
		.end = INT64_C(1700000099000000000),
		.limit = 10,
		.now_ns = INT64_C(1800000000000000000),
		.wait_ms = 5000 };
	struct kept k;

	for (size_t i = 0; i < 3; i++) {
		bars_of_both(db, recorded[i]);
		q.is_market = true;
		ask(h, &q, &k);
		cr_assert_eq(k.answer.count, 1, "%s", k.answer.why);
		cr_expect_eq(k.answer.rows[0].v.bar.source, SOURCE_HISTORY);
		cr_expect_eq(k.answer.rows[0].v.bar.close, 1, "the market's newest");
		cr_expect_eq(k.answer.rows[0].versions, 2, "both of the market");
		cr_expect_eq(k.answer.source, SOURCE_HISTORY);
		cr_expect_eq(k.answer.oldest_ns, INT64_C(1700300000000000000));
		cr_expect_eq(k.answer.unsettled_ns, 0);
		free(k.answer.rows);
	}
	q.is_market = false;
	ask(h, &q, &k);
	cr_assert_eq(k.answer.count, 1);
	cr_expect_eq(k.answer.rows[0].v.bar.source, SOURCE_REPLAY, "it is upstream's own");
	free(k.answer.rows);
	exec_sqlite(
	    db, "DELETE FROM bars WHERE source <> 4; DELETE FROM coverage WHERE source <> 4");
	q.is_market = true;
	ask(h, &q, &k);
	cr_expect_eq(k.answer.count, 0, "nothing but a recording");
	cr_expect_lt(k.answer.reach, q.start);
	history_close(&h);
	sqlite3_close(db);
}

/* A row of another call shows up behind rows of the only one that is covered: those have versions after all. */
Test(reading, what_is_written_of_a_row_tells_versions_that_were_found_late)
{
	const int64_t minute = INT64_C(60000000000), received = INT64_C(1800000000000000000);
	sqlite3 *db = make_sqlite();
	struct history *h = history_open(loop, &conf);
	struct history_question q = { .series = { COVERED_BARS, ASSET_STOCK, "AAPL", "iex", "1Min",
					  "raw" },
		.start = WORLD_BEGIN,
		.end = WORLD_BEGIN + 4 * minute - 1,
		.limit = 10,
		.now_ns = received + 1,
		.wait_ms = 5000,
		.writer = &writer };
	char sql[512];
	struct kept k;

	for (int i = 0; i < 5; i++) {
		snprintf(sql, sizeof(sql),
		    "INSERT INTO bars VALUES (1, 3, 0, 'AAPL', 'iex', '1Min', 'raw', %lld, %lld, "
		    "1, 2, 0.5, %d, 10, NULL, 0, 'fetcher', %d)",
		    (long long)(WORLD_BEGIN + (i % 4) * minute), (long long)(received - i / 4), i,
		    i + 1);
		exec_sqlite(db, sql);
	}
	snprintf(sql, sizeof(sql),
	    "INSERT INTO coverage VALUES (1, 3, 1, 'AAPL', 'iex', '1Min', 'raw', %lld, %lld, "
	    "%lld, 4, 'fetcher', 9)",
	    (long long)q.start, (long long)q.end, (long long)received);
	exec_sqlite(db, sql);
	for (q.descending = false;; q.descending = true) {
		ask(h, &q, &k);
		cr_assert_eq(k.answer.count, 4, "%s", k.answer.why);
		cr_expect_eq(k.answer.rows[q.descending ? 3 : 0].versions, 2);
		check_written(&q, &k.answer, q.descending ? "descending" : "ascending");
		kept_free(&k);
		if (q.descending)
			break;
	}
	history_close(&h);
	sqlite3_close(db);
}

/* What is in a column, and whether rows that hold it answer. */
static const struct {
	const char *set;
	bool answers;
} hands[] = {
	{ "tape = 'C'", true },
	{ "tape = 'longer than a tape'", false },
	{ "tape = NULL, exchange = 'a place that nobody knows'", false },
	{ "exchange = 'Q', conditions = 'not a list'", false },
	{ "conditions = '[1,null]'", false },
	{ "conditions = '[\"@\",\"I\"]', price = 9e999", false },
	{ "price = NULL", true },
	{ "price = 1.5", true },
};

Test(reading, a_row_that_nobody_sent_makes_a_hole_and_not_an_answer)
{
	sqlite3 *db = make_sqlite();
	struct history *h = history_open(loop, &conf);
	struct history_question q = { .series = { COVERED_TRADES, ASSET_STOCK, "AAPL", "iex", "",
					  "" },
		.start = INT64_C(1700000000000000000),
		.end = INT64_C(1700000000000000009),
		.now_ns = INT64_C(1800000000000000001),
		.wait_ms = 5000 };
	char sql[160];
	struct kept k;

	exec_sqlite(db,
	    "INSERT INTO trades VALUES (1, 1, 'AAPL', 'iex', 1700000000000000001, "
	    "1800000000000000000, 1.5, 2, 'Q', '[]', 'C', 1, 7, NULL, NULL, 'x', 1), "
	    "(1, 1, 'AAPL', 'iex', 1700000000000000002, 1800000000000000000, 1.5, 2, 'Q', '[]', "
	    "'C', 1, 8, NULL, NULL, 'x', 2); "
	    "INSERT INTO coverage VALUES (1, 1, 2, 'AAPL', 'iex', NULL, NULL, "
	    "1700000000000000000, 1700000000000000009, 1800000000000000000, 2, 'x', 3)");
	for (size_t i = 0; i < sizeof(hands) / sizeof(hands[0]); i++) {
		snprintf(sql, sizeof(sql), "UPDATE trades SET %s WHERE trade_id = 7", hands[i].set);
		exec_sqlite(db, sql);
		for (q.limit = 1; q.limit < 4; q.limit += 2) {
			ask(h, &q, &k);
			cr_expect_eq(k.answer.error, E_OK, "%s: %s", sql, k.answer.why);
			cr_expect_eq(k.answer.count > 0, hands[i].answers, "%s", sql);
			cr_expect_eq(k.answer.reach >= q.start, hands[i].answers, "%s", sql);
			free(k.answer.rows);
		}
	}
	history_close(&h);
	sqlite3_close(db);
}

static int
as_nobody(const char *fmt, ...)
{
	char text[512], command[700];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	snprintf(command, sizeof(command), "%s%s >/dev/null 2>&1",
	    geteuid() == 0 ? "setpriv --reuid=nobody --clear-groups " : "", text);
	return system(command);
}

/* Columns of the tables are those of the SQLite schema; how PostgreSQL cuts them by time is no matter here. */
static void
tables_pg(PGconn *db)
{
	exec_pg(db, "CREATE TABLE bars (asset bigint, source bigint, part bigint, symbol text, "
		    "feed text, timeframe text, "
		    "adjustment text, event bigint, received bigint, open double precision, high "
		    "double precision, low "
		    "double precision, close double precision, volume double precision, "
		    "trade_count double precision, "
		    "vwap double precision, journal_source text, journal_sequence bigint) "
		    "PARTITION BY RANGE (event);"
		    "CREATE TABLE bars_default PARTITION OF bars DEFAULT;"
		    "CREATE TABLE trades (asset bigint, source bigint, symbol text, feed text, "
		    "event bigint, received "
		    "bigint, price double precision, size double precision, exchange text, "
		    "conditions text, tape text, "
		    "has_id boolean, trade_id bigint, taker_side text, \"update\" text, "
		    "journal_source text, "
		    "journal_sequence bigint)");
	world_schema(SCHEMA_DIR "/schema_pg/002_coverage.sql", exec_pg, db);
}

static void
trades_pg(PGconn *db)
{
	exec_pg(db,
	    "INSERT INTO trades VALUES (3, 3, 'BTC/USD', 'us', 1700000000000000001, "
	    "1800000000000000000, 1.5, 2, "
	    "NULL, '[\"a\",\" \"]', 'C', true, -1, 'B', NULL, 'x', 1), (3, 3, 'BTC/USD', 'us', "
	    "1700000000000000001, 1800000000000000000, 1.25, 3, 'Q', NULL, NULL, false, 0, NULL, "
	    "'canceled', 'x', 2);"
	    "INSERT INTO coverage VALUES (3, 3, 2, 'BTC/USD', 'us', NULL, NULL, "
	    "1700000000000000000, "
	    "1700000000000000009, 1800000000000000000, 2, 'x', 3)");
}

static void
check_trades(struct history *h)
{
	struct history_question q = { .series = { COVERED_TRADES, ASSET_CRYPTO, "BTC/USD", "us", "",
					  "" },
		.start = 1700000000000000000,
		.end = 1700000000000000009,
		.limit = 10,
		.now_ns = 1800000000000000001,
		.fresh_ns = 10,
		.wait_ms = 5000 };
	const struct trade *t;
	struct kept k;

	ask(h, &q, &k);
	cr_assert_eq(k.answer.error, E_OK, "%s", k.answer.why);
	cr_assert_eq(k.answer.count, 2);
	cr_assert_eq(k.answer.reach, q.end);
	t = &k.answer.rows[0].v.trade;
	cr_expect(t->price == 1.5 && t->size == 2 && t->has_id && t->trade_id == UINT64_MAX);
	cr_expect_str_eq(t->conditions, "\x1f"
					"a\x1f ");
	cr_expect_str_eq(t->taker_side, "B");
	cr_expect(!t[0].update[0] && !k.answer.rows[1].v.trade.has_id);
	cr_expect_str_eq(k.answer.rows[1].v.trade.update, "canceled");
	cr_expect(list_is_null(k.answer.rows[1].v.trade.conditions));
	free(k.answer.rows);
}

Test(reading, postgres_answers_the_same)
{
	struct history *h;
	char text[256];
	PGconn *db;

	if (access(BIN "/initdb", X_OK) != 0)
		cr_skip_test("there is no PostgreSQL 15 here");
	cr_assert_eq(chmod(folder, 0777), 0);
	cr_assert_eq(
	    as_nobody(BIN "/initdb -D %s/pg -N -A trust -U test --no-locale -E UTF8", folder), 0);
	cr_assert_eq(as_nobody(BIN "/pg_ctl -D %s/pg -w -o \"-k %s -c listen_addresses='' -c "
				   "fsync=off -c shared_buffers=8MB\" start",
			 folder, folder),
	    0);
	snprintf(text, sizeof(text), "host=%s user=test dbname=postgres", folder);
	db = PQconnectdb(text);
	cr_assert_eq(PQstatus(db), CONNECTION_OK, "%s", PQerrorMessage(db));
	exec_pg(db, "SET client_min_messages = error");
	tables_pg(db);
	exec_pg(db, "CREATE ROLE reader LOGIN; GRANT SELECT ON bars, trades, coverage TO reader");
	snprintf(conf.postgres_read_url, sizeof(conf.postgres_read_url),
	    "host=%s user=reader dbname=postgres", folder);
	h = history_open(loop, &conf);
	cr_expect_str_eq(history_store(h), "postgres");
	trades_pg(db);
	check_trades(h);
	compare(h, exec_pg, db, "DELETE FROM bars; DELETE FROM coverage", 8);
	PQfinish(db);
	as_nobody(BIN "/pg_ctl -D %s/pg -m immediate stop", folder);
	history_close(&h);
}

Test(reading, a_store_that_is_not_there_is_left_alone_for_a_while)
{
	struct history *h = history_open(loop, &conf);
	struct history_question q;
	struct history_ticket *ticket;
	struct kept k;
	unsigned seed = 1;

	world_question(&q, &seed);
	for (int i = 0; i < 3; i++) {
		ask(h, &q, &k);
		cr_expect_eq(k.answer.error, E_STORE);
		cr_expect(k.answer.why[0] != '\0');
	}
	cr_expect_eq(history_ask(h, &q, keep, &k, &ticket), E_CLOSED, "the breaker is open");
	history_close(&h);
}

Test(reading, many_questions_that_fail_at_once_are_one_reason_to_leave_a_store_alone)
{
	struct history *h = history_open(loop, &conf);
	int64_t until = clock_mono() + 5 * CLOCK_SEC;
	struct history_question q;
	struct history_ticket *ticket;
	struct kept k[12] = { { .came = false } };
	unsigned seed = 1;
	int r;

	world_question(&q, &seed);
	for (int i = 0; i < 12; i++)
		cr_assert_eq(history_ask(h, &q, keep, &k[i], &ticket), E_OK);
	for (int i = 0; i < 12; i++)
		while (!k[i].came)
			loop_turn(loop, 1000);
	cr_expect_eq(history_ask(h, &q, keep, &k[0], &ticket), E_CLOSED, "the breaker is open");
	while ((r = history_ask(h, &q, keep, &k[0], &ticket)) == E_CLOSED && clock_mono() < until)
		loop_turn(loop, 50);
	cr_expect_eq(r, E_OK, "and closes after the shortest rest");
	history_close(&h);
}

Test(reading, a_database_that_cannot_be_reached_is_told_without_the_password)
{
	static const char *const urls[] = { "postgresql://me:s3cret@127.0.0.1:1/db",
		"postgresql://me:s3cret@[::/db" };
	struct history_question q;
	unsigned seed = 1;

	for (int i = 0; i < 2; i++) {
		struct history *h;
		struct kept k;

		strcpy(conf.postgres_url, urls[i]);
		h = history_open(loop, &conf);
		world_question(&q, &seed);
		ask(h, &q, &k);
		cr_expect_eq(k.answer.error, E_STORE);
		cr_expect(k.answer.why[0] != '\0' && strstr(k.answer.why, "s3cret") == NULL, "%s",
		    k.answer.why);
		history_close(&h);
	}
}

Test(reading, a_cancelled_question_has_no_answer_and_others_do)
{
	sqlite3 *db = make_sqlite();
	struct history *h = history_open(loop, &conf);
	struct history_ticket *ticket;
	struct history_question q;
	struct kept gone = { .came = false }, k;
	unsigned seed = 1;

	world_question(&q, &seed);
	cr_assert_eq(history_ask(h, &q, keep, &gone, &ticket), E_OK);
	history_cancel(ticket);
	ask(h, &q, &k);
	cr_expect_eq(k.answer.error, E_OK, "%s", k.answer.why);
	cr_expect_not(gone.came);
	history_close(&h);
	sqlite3_close(db);
}

Test(reading, more_questions_than_may_wait_are_refused)
{
	sqlite3 *db = make_sqlite();
	struct history *h = history_open(loop, &conf);
	struct history_ticket *ticket;
	struct history_question q;
	struct kept k[HISTORY_WAITING_MAX + 1] = { { .came = false } };
	unsigned seed = 1;

	world_question(&q, &seed);
	for (int i = 0; i < HISTORY_WAITING_MAX; i++)
		cr_assert_eq(history_ask(h, &q, keep, &k[i], &ticket), E_OK);
	cr_expect_eq(history_ask(h, &q, keep, &k[HISTORY_WAITING_MAX], &ticket), E_OVERLOADED);
	for (int i = 0; i < HISTORY_WAITING_MAX; i++)
		while (!k[i].came)
			loop_turn(loop, 1000);
	history_close(&h);
	sqlite3_close(db);
}
