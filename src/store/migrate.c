/* migrate.c - brings the schema of a SQLite store up to date. */
#include "store_room.h"

#include <stdbool.h>
#include <stdio.h>

#include "clock.h"

/* Highest migration applied; 0 in an empty store. */
static int
version_read(sqlite3 *db, int *version)
{
	sqlite3_stmt *stmt = NULL;
	int r = E_STORE;

	if (sqlite3_table_column_metadata(
		db, NULL, "schema_version", NULL, NULL, NULL, NULL, NULL, NULL) != SQLITE_OK) {
		*version = 0;
		/* "No such table" is SQLITE_ERROR; anything else is a failure to look. */
		return sqlite3_errcode(db) == SQLITE_ERROR ? E_OK : E_STORE;
	}
	if (sqlite3_prepare_v2(db, "SELECT coalesce(max(version), 0) FROM schema_version", -1,
		&stmt, NULL) != SQLITE_OK)
		return E_STORE;
	if (sqlite3_step(stmt) == SQLITE_ROW) {
		*version = sqlite3_column_int(stmt, 0);
		r = E_OK;
	}
	sqlite3_finalize(stmt);
	return r;
}

static int
version_note(sqlite3 *db, const struct migration *m)
{
	sqlite3_stmt *stmt = NULL;
	int r = E_STORE;

	if (sqlite3_prepare_v2(db,
		"INSERT INTO schema_version (version, name, applied_ns) VALUES (?, ?, ?)", -1,
		&stmt, NULL) != SQLITE_OK)
		return E_STORE;
	if (sqlite3_bind_int(stmt, 1, m->number) == SQLITE_OK &&
	    sqlite3_bind_text(stmt, 2, m->name, -1, SQLITE_STATIC) == SQLITE_OK &&
	    sqlite3_bind_int64(stmt, 3, clock_wall()) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_DONE)
		r = E_OK;
	sqlite3_finalize(stmt);
	return r;
}

static int
execute(sqlite3 *db, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? E_OK : E_STORE;
}

/* Whether this one was applied: numbers may have been handed out to work done side by side. */
static int
version_has(sqlite3 *db, int number, bool *has)
{
	sqlite3_stmt *stmt = NULL;
	int stepped;

	if (sqlite3_prepare_v2(
		db, "SELECT 1 FROM schema_version WHERE version = ?", -1, &stmt, NULL) != SQLITE_OK)
		return E_STORE;
	stepped =
	    sqlite3_bind_int(stmt, 1, number) == SQLITE_OK ? sqlite3_step(stmt) : SQLITE_ERROR;
	sqlite3_finalize(stmt);
	*has = stepped == SQLITE_ROW;
	return stepped == SQLITE_ROW || stepped == SQLITE_DONE ? E_OK : E_STORE;
}

/* Another process may have applied it while we waited for the lock: then this does nothing. */
static int
migration_apply(sqlite3 *db, const struct migration *m)
{
	bool has;
	int r;

	if ((r = execute(db, "BEGIN IMMEDIATE")) != E_OK ||
	    (r = execute(db,
		 "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, "
		 "name TEXT NOT NULL, applied_ns INTEGER NOT NULL)")) != E_OK ||
	    (r = version_has(db, m->number, &has)) != E_OK || has)
		return r;
	if ((r = execute(db, m->sql)) != E_OK || (r = version_note(db, m)) != E_OK)
		return r;
	return execute(db, "COMMIT");
}

int
migrate(sqlite3 *db, const struct migration *migrations, size_t count, int *found)
{
	int version, r;
	bool has = false;

	if ((r = version_read(db, &version)) != E_OK)
		return r;
	*found = version;
	if (version > migrations[count - 1].number)
		return E_VERSION;
	for (size_t i = 0; i < count; i++) {
		if (version > 0 && (r = version_has(db, migrations[i].number, &has)) != E_OK)
			return r;
		if (has)
			continue;
		/* The transaction that failed is the caller's to end: ending it here would lose the reason. */
		if ((r = migration_apply(db, &migrations[i])) != E_OK)
			return r;
		if (!sqlite3_get_autocommit(db) && (r = execute(db, "ROLLBACK")) != E_OK)
			return r;
	}
	return E_OK;
}
