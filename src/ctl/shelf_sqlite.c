/* shelf_sqlite.c - the SQLite history file of a state directory, read while the gateway writes it. */
#include <errno.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#include "mem.h"
#include "shelf.h"

#define SHELF_BUSY_MS 2000
#define SHELF_STEPS   100000 /* of SQLite's machine between looks for an interrupt */

struct sqlite_shelf {
	sqlite3 *db;
	sqlite3_stmt *stmt;
};

/* Not 0: the statement ends, also within a long sort. */
static int
lite_on_progress(void *arg)
{
	(void)arg;
	return local_interrupted();
}

static int
lite_open(void **result, const struct conf *conf, char why[CTL_LINE])
{
	char path[CTL_PATH];
	struct sqlite_shelf *s;
	sqlite3 *db = NULL;
	int error;

	(void)snprintf(path, sizeof(path), "%s/history.sqlite", conf->state_dir);
	if (access(path, R_OK) != 0) {
		error = errno;
		(void)snprintf(why, CTL_LINE, "no history store %.300s: %s%s", path,
		    strerror(error),
		    error == ENOENT ? " (nothing was stored yet, or see --state-dir)" : "");
		return E_ABSENT;
	}
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) !=
		SQLITE_OK ||
	    sqlite3_busy_timeout(db, SHELF_BUSY_MS) != SQLITE_OK ||
	    sqlite3_exec(db, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL) != SQLITE_OK) {
		(void)snprintf(why, CTL_LINE, "%.300s: %.150s", path,
		    db != NULL ? sqlite3_errmsg(db) : "no memory");
		(void)sqlite3_close(db);
		return E_STORE;
	}
	s = mem_alloc(sizeof(*s));
	s->db = db;
	sqlite3_progress_handler(db, SHELF_STEPS, lite_on_progress, NULL);
	*result = s;
	return E_OK;
}

static void
lite_finish(void *store)
{
	struct sqlite_shelf *s = store;

	(void)sqlite3_finalize(s->stmt);
	s->stmt = NULL;
}

static void
lite_close(void *store)
{
	struct sqlite_shelf *s = store;

	lite_finish(s);
	(void)sqlite3_close(s->db);
	mem_free(&s);
}

static int
lite_query(void *store, const char *sql, const struct shelf_param *params, size_t count)
{
	struct sqlite_shelf *s = store;
	int r = sqlite3_prepare_v2(s->db, sql, -1, &s->stmt, NULL);

	for (size_t i = 0; i < count && r == SQLITE_OK; i++)
		r = params[i].text != NULL
			? sqlite3_bind_text(
			      s->stmt, (int)i + 1, params[i].text, -1, SQLITE_TRANSIENT)
			: sqlite3_bind_int64(s->stmt, (int)i + 1, params[i].number);
	return r == SQLITE_OK ? E_OK : E_STORE;
}

static int
lite_next(void *store)
{
	struct sqlite_shelf *s = store;
	int r = sqlite3_step(s->stmt);

	if (r == SQLITE_ROW)
		return E_OK;
	return r == SQLITE_DONE ? E_ABSENT : E_STORE;
}

static bool
lite_is_null(void *store, int column)
{
	struct sqlite_shelf *s = store;

	return sqlite3_column_type(s->stmt, column) == SQLITE_NULL;
}

static int64_t
lite_i64(void *store, int column)
{
	struct sqlite_shelf *s = store;

	return sqlite3_column_int64(s->stmt, column);
}

static double
lite_f64(void *store, int column)
{
	struct sqlite_shelf *s = store;

	return sqlite3_column_double(s->stmt, column);
}

static const char *
lite_text(void *store, int column)
{
	struct sqlite_shelf *s = store;
	const char *text = (const char *)sqlite3_column_text(s->stmt, column);

	return text != NULL ? text : "";
}

static const char *
lite_why(void *store)
{
	struct sqlite_shelf *s = store;

	return sqlite3_errmsg(s->db);
}

const struct shelf_kind shelf_sqlite = { .open = lite_open,
	.close = lite_close,
	.query = lite_query,
	.next = lite_next,
	.finish = lite_finish,
	.is_null = lite_is_null,
	.i64 = lite_i64,
	.f64 = lite_f64,
	.text = lite_text,
	.why = lite_why };
