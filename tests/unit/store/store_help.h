/* store_help.h - what the tests of the store share: a file of their own, records, single answers. */
#ifndef STORE_HELP_H
#define STORE_HELP_H
#include <criterion/criterion.h>
#include <math.h>
#include <stdbool.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "server.h"
#include "store.h"

static char help_dir[64];
static char help_file[256]; /* or the URL */
static struct conf help_conf;

static inline void
help_setup(void)
{
	snprintf(help_dir, sizeof(help_dir), "/tmp/test_store.XXXXXX");
	cr_assert_not_null(mkdtemp(help_dir));
	conf_defaults(&help_conf);
	snprintf(help_file, sizeof(help_file), "%s/history.sqlite", help_dir);
	log_open("test", LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
}

static inline void
help_teardown(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", help_dir);
	cr_assert_eq(system(command), 0);
}

/* What the store answered last. */
static struct {
	bool answered, more, late;
	int error;
	char why[STORE_WHY];
	uint64_t position;
	struct store_commit done;
	char refusal[STORE_WHY];
} help;

static inline void
help_answered(void *owner)
{
	(void)owner;
	help.answered = true;
}

static inline void
help_positioned(uint64_t sequence, void *owner)
{
	help.position = sequence;
	help_answered(owner);
}

static inline void
help_committed(const struct store_commit *done, void *owner)
{
	help.done = *done;
	snprintf(help.refusal, sizeof(help.refusal), "%s", done->why);
	help_answered(owner);
}

static inline void
help_trimmed(bool more, void *owner)
{
	help.more = more;
	help_answered(owner);
}

static inline void
help_failed(int error, const char *why, void *owner)
{
	help.error = error;
	snprintf(help.why, sizeof(help.why), "%s", why);
	help_answered(owner);
}

static inline void
help_late(void *owner)
{
	(void)owner;
	help.late = true;
}

static const struct store_hooks help_hooks = { .opened = help_answered,
	.positioned = help_positioned,
	.committed = help_committed,
	.checked = help_answered,
	.trimmed = help_trimmed,
	.failed = help_failed,
	.late = help_late };
static struct store_setup help_options = { .where = help_file, .conf = &help_conf, .hooks = &help_hooks };
static const struct store_kind *help_kind = &store_sqlite;

static inline void
help_ask_begin(void)
{
	help.answered = help.late = false;
	help.error = E_OK;
	help.why[0] = '\0';
}

/* Turns the loop until the answer is there; the suite's timeout is the bound. */
static inline int
help_wait(void)
{
	while (!help.answered)
		loop_turn(help_options.loop, 20);
	return help.error;
}

/* E_OK: *store is open. Otherwise it is closed. */
static inline int
help_try_open(struct store **store)
{
	int r;

	help_ask_begin();
	help_options.attempt++;
	*store = help_kind->open(&help_options);
	if ((r = help_wait()) != E_OK)
		help_kind->close(store);
	return r;
}

static inline struct store *
help_open(void)
{
	struct store *store;

	cr_assert_eq(help_try_open(&store), E_OK, "%s", help.why);
	return store;
}

static inline uint64_t
position_of(struct store *store, const char *source)
{
	help_ask_begin();
	help_kind->position(store, source);
	cr_assert_eq(help_wait(), E_OK, "%s", help.why);
	return help.position;
}

/* A batch behind the position there is. */
static inline int
help_begin(struct store *store, const char *source)
{
	uint64_t position = position_of(store, source);

	help_ask_begin();
	return help_kind->begin(store, source, position);
}

static inline int
help_commit(struct store *store, uint64_t sequence)
{
	help_ask_begin();
	help_kind->commit(store, sequence);
	return help_wait();
}

static inline int
help_check(struct store *store)
{
	help_ask_begin();
	help_kind->check(store);
	return help_wait();
}

static inline struct journal_record
help_trade(uint64_t sequence)
{
	struct journal_record record = { .sequence = sequence,
		.type = MSG_TRADE,
		.desc = msg_desc(MSG_TRADE),
		.appended_ns = 1 };
	struct trade *t = &record.value.trade;

	t->asset = ASSET_STOCK;
	t->source = SOURCE_LATEST;
	strcpy(t->symbol, "AAPL");
	strcpy(t->feed, "iex");
	t->event = 1700000000123456789;
	t->received = 1700000000223456789;
	t->price = 189.37;
	t->size = NAN;
	t->has_id = true;
	t->trade_id = sequence;
	return record;
}

/* Stores trades from..to in one transaction. */
static inline void
help_store(struct store *store, const char *source, uint64_t from, uint64_t to)
{
	cr_assert_eq(help_begin(store, source), E_OK, "%s", help.why);
	for (uint64_t i = from; i <= to; i++) {
		struct journal_record record = help_trade(i);

		cr_assert_eq(help_kind->add(store, &record), E_OK, "%s", help.why);
	}
	cr_assert_eq(help_commit(store, to), E_OK, "%s", help.why);
}

/* The one answer of a query, asked by a stranger, as text; "NULL" for null, "none" without a row. */
static inline const char *
help_ask(const char *sql)
{
	static char answer[4096];
	const unsigned char *text;
	sqlite3_stmt *stmt;
	sqlite3 *db;

	if (help_kind == &store_postgres)
		return server_ask(help_file, sql);
	strcpy(answer, "none");
	cr_assert_eq(sqlite3_open(help_file, &db), SQLITE_OK);
	cr_assert_eq(
	    sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
	if (sqlite3_step(stmt) == SQLITE_ROW) {
		text = sqlite3_column_text(stmt, 0);
		snprintf(answer, sizeof(answer), "%s", text == NULL ? "NULL" : (const char *)text);
	}
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return answer;
}

static inline void
help_do(const char *sql)
{
	sqlite3 *db;

	if (help_kind == &store_postgres) {
		server_ask(help_file, sql);
		return;
	}
	cr_assert_eq(sqlite3_open(help_file, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
	sqlite3_close(db);
}

/* A database of its own in the private server; the test is skipped where there is none. */
static inline void
help_setup_postgres(void)
{
	conf_defaults(&help_conf);
	log_open("test", LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	help_kind = &store_postgres;
	if (!server_database(help_file, sizeof(help_file)))
		cr_skip_test("no PostgreSQL server is installed");
	help_options.loop = loop_new();
}

static inline void
help_teardown_postgres(void)
{
	loop_free(&help_options.loop);
}

#endif /* STORE_HELP_H */
