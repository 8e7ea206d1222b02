/* store_help.h - what the tests of the store share: a file of their own, records, single answers. */
#ifndef STORE_HELP_H
#define STORE_HELP_H
#include <criterion/criterion.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "store.h"

static char help_dir[64];
static char help_file[96];

static inline void
help_setup(void)
{
	snprintf(help_dir, sizeof(help_dir), "/tmp/test_store.XXXXXX");
	cr_assert_not_null(mkdtemp(help_dir));
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

static inline struct store *
help_open(void)
{
	struct store *store = NULL;
	char why[STORE_WHY] = "";

	cr_assert_eq(store_sqlite.open(&store, help_file, why), E_OK, "%s", why);
	return store;
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
	cr_assert_eq(store_sqlite.begin(store), E_OK);
	for (uint64_t i = from; i <= to; i++) {
		struct journal_record record = help_trade(i);

		cr_assert_eq(
		    store_sqlite.add(store, source, &record), E_OK, "%s", store_sqlite.why(store));
	}
	cr_assert_eq(store_sqlite.commit(store, source, to), E_OK, "%s", store_sqlite.why(store));
}

/* The one answer of a query, asked by a stranger, as text; "NULL" for null, "none" without a row. */
static inline const char *
help_ask(const char *sql)
{
	static char answer[4096];
	const unsigned char *text;
	sqlite3_stmt *stmt;
	sqlite3 *db;

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

	cr_assert_eq(sqlite3_open(help_file, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
	sqlite3_close(db);
}

#endif /* STORE_HELP_H */
