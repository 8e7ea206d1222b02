/* sqlite.c - the history store that needs nothing installed: one SQLite file in the state directory.
 *
 * WAL with synchronous=NORMAL: a kill loses nothing that was committed. A power cut may take the transactions
 * since the last sync as a whole, rows and position together. The journal gives them again, provided that it
 * was not told to forget them: whoever does that tells it no position that was not synced before.
 */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "mem.h"
#include "store_room.h"
#include "text.h"

#define BUSY_WAIT_MS	 250	/* for another user of the file; the loop stands still meanwhile */
#define CHECKPOINT_PAGES "4000" /* 16 MiB of write-ahead log before it is copied into the file */
/* The leaves of the symbol indices in use, so that a busy day does not read them again and again (negative: KiB). */
#define CACHE_KIB   "-8000"
#define INSERT_TEXT 4096

struct store {
	const struct store_setup *setup;
	sqlite3 *db;
	sqlite3_stmt *begin, *commit, *rollback;
	sqlite3_stmt *position_get, *position_set, *check, *dead_letter;
	sqlite3_stmt *insert[MSG_TYPE_MAX]; /* made at the first record of the type */
	bool busy;			    /* rows came since the last check */
	/* The batch in hand. */
	char source[STORE_SOURCE];
	int64_t began_ns;
	uint64_t rows, refused;
	char refusal[STORE_WHY];
	struct trim_place trimmed;
	char why[STORE_WHY];
};

static int
store_failed(struct store *s)
{
	snprintf(s->why, sizeof(s->why), "%s", sqlite3_errmsg(s->db));
	return E_STORE;
}

static int
store_prepare(struct store *s, const char *sql, sqlite3_stmt **stmt)
{
	if (sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL) != SQLITE_OK)
		return store_failed(s);
	return E_OK;
}

/* Steps a statement that gives no rows, and makes it ready for the next time. */
static int
store_run(struct store *s, sqlite3_stmt *stmt)
{
	int stepped = sqlite3_step(stmt);
	int r = stepped == SQLITE_DONE || stepped == SQLITE_ROW ? E_OK : store_failed(s);

	sqlite3_reset(stmt);
	return r;
}

static void
sqlite_close(struct store **store)
{
	struct store *s = *store;
	sqlite3_stmt *stmt;

	if (s == NULL)
		return;
	while (s->db != NULL && (stmt = sqlite3_next_stmt(s->db, NULL)) != NULL)
		sqlite3_finalize(stmt);
	if (sqlite3_close(s->db) != SQLITE_OK)
		log_error("store sqlite: close: %s", sqlite3_errmsg(s->db));
	mem_free(store);
}

/* WAL is a property of the file; where it cannot be had (some network file systems) we do not go on. */
static int
pragmas_set(struct store *s)
{
	const char *mode = NULL;
	sqlite3_stmt *stmt;
	int r;

	if ((r = store_prepare(s, "PRAGMA journal_mode = WAL", &stmt)) != E_OK)
		return r;
	if (sqlite3_step(stmt) != SQLITE_ROW)
		r = store_failed(s);
	else if ((mode = (const char *)sqlite3_column_text(stmt, 0)) == NULL ||
		 strcmp(mode, "wal") != 0)
		r = E_SYSTEM;
	if (r == E_SYSTEM)
		text_copy(
		    s->why, sizeof(s->why), "this file system does not allow write-ahead logging");
	sqlite3_finalize(stmt);
	if (r != E_OK)
		return r;
	if (sqlite3_exec(s->db,
		"PRAGMA cache_size = " CACHE_KIB
		"; PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = 67108864;"
		"PRAGMA wal_autocheckpoint = " CHECKPOINT_PAGES,
		NULL, NULL, NULL) != SQLITE_OK)
		return store_failed(s);
	return E_OK;
}

static int
schema_ensure(struct store *s)
{
	int found = 0;
	int r = migrate(s->db, store_migrations, store_migration_count, &found);

	if (r == E_VERSION)
		snprintf(s->why, sizeof(s->why),
		    "its schema has version %d, this program knows up to %d: run the newer "
		    "program",
		    found, store_migrations[store_migration_count - 1].number);
	else if (r != E_OK)
		return store_failed(s);
	return r;
}

static int
statements_prepare(struct store *s)
{
	const struct {
		sqlite3_stmt **stmt;
		const char *sql;
	} all[] = {
		{ &s->begin, "BEGIN IMMEDIATE" },
		{ &s->commit, "COMMIT" },
		{ &s->rollback, "ROLLBACK" },
		{ &s->position_get,
		    "SELECT journal_sequence FROM journal_position WHERE journal_source = ?" },
		{ &s->position_set,
		    "INSERT INTO journal_position (journal_source, journal_sequence, stored_ns) "
		    "VALUES (?, ?, ?) "
		    "ON CONFLICT (journal_source) DO UPDATE SET "
		    "journal_sequence = excluded.journal_sequence, stored_ns = "
		    "excluded.stored_ns" },
		{ &s->dead_letter,
		    "INSERT INTO dead_letters (journal_source, journal_sequence, type, reason, "
		    "record, stored_ns) VALUES (?, ?, ?, ?, ?, ?)" },
		{ &s->check, "SELECT version FROM schema_version ORDER BY version DESC LIMIT 1" },
	};
	int r;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if ((r = store_prepare(s, all[i].sql, all[i].stmt)) != E_OK)
			return r;
	return E_OK;
}

/* SQLite says CANTOPEN of a missing folder and of a lack of descriptors or room alike. */
static bool
place_is_unusable(const char *where)
{
	char folder[PATH_MAX];
	struct stat st;
	char *slash;

	if (text_copy(folder, sizeof(folder), where) != E_OK)
		return true;
	if ((slash = strrchr(folder, '/')) == NULL)
		text_copy(folder, sizeof(folder), ".");
	else
		slash[slash == folder] = '\0';
	if (access(folder, W_OK | X_OK) != 0)
		return true;
	if (stat(where, &st) != 0)
		return errno != ENOENT;
	return !S_ISREG(st.st_mode) || access(where, R_OK | W_OK) != 0;
}

/* Whether an operator is needed. Anything else (a full disk, a disk that fails, no memory, a lock) may pass, and
 * the journal is the spool meanwhile. */
static int
open_error(struct store *s, const char *where)
{
	char reason[STORE_WHY / 2];

	switch (sqlite3_errcode(s->db) & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		snprintf(reason, sizeof(reason), "%.*s", (int)sizeof(reason) - 1, s->why);
		snprintf(s->why, sizeof(s->why),
		    "%s: move history.sqlite, its -wal and its -shm elsewhere and start again; a "
		    "new one is made",
		    reason);
		return E_SYSTEM;
	case SQLITE_READONLY:
		return E_SYSTEM;
	case SQLITE_CANTOPEN:
		return place_is_unusable(where) ? E_SYSTEM : E_STORE;
	default:
		return E_STORE;
	}
}

static int
sqlite_prepare(struct store *s, const char *where)
{
	int r;

	if (sqlite3_open_v2(where, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) !=
	    SQLITE_OK) {
		store_failed(s);
		return open_error(s, where);
	}
	sqlite3_extended_result_codes(s->db, 1);
	sqlite3_busy_timeout(s->db, BUSY_WAIT_MS);
	if (sqlite3_db_readonly(s->db, "main") == 1) {
		text_copy(s->why, sizeof(s->why), "it cannot be written");
		return E_SYSTEM;
	}
	if ((r = pragmas_set(s)) != E_OK || (r = schema_ensure(s)) != E_OK ||
	    (r = statements_prepare(s)) != E_OK)
		return r == E_STORE ? open_error(s, where) : r;
	return E_OK;
}

static int
sqlite_failed(struct store *s, int error)
{
	s->setup->hooks->failed(error, s->why, s->setup->owner);
	return error;
}

static struct store *
sqlite_open(const struct store_setup *setup)
{
	struct store *s = mem_alloc(sizeof(*s));
	int r;

	s->setup = setup;
	if ((r = sqlite_prepare(s, setup->where)) != E_OK)
		sqlite_failed(s, r);
	else
		setup->hooks->opened(setup->owner);
	return s;
}

static int
position_read(struct store *s, const char *source, uint64_t *sequence)
{
	int r = E_OK;

	if (sqlite3_bind_text(s->position_get, 1, source, -1, SQLITE_STATIC) != SQLITE_OK)
		return store_failed(s);
	switch (sqlite3_step(s->position_get)) {
	case SQLITE_ROW:
		*sequence = (uint64_t)sqlite3_column_int64(s->position_get, 0);
		break;
	case SQLITE_DONE:
		*sequence = 0;
		break;
	default:
		r = store_failed(s);
	}
	sqlite3_reset(s->position_get);
	return r;
}

static void
sqlite_position(struct store *s, const char *source)
{
	uint64_t sequence;

	if (position_read(s, source, &sequence) != E_OK)
		sqlite_failed(s, E_STORE);
	else
		s->setup->hooks->positioned(sequence, s->setup->owner);
}

/* Rows written to a file that somebody removed or replaced would be gone with it. */
static int
file_is_ours(struct store *s)
{
	int moved = 0;

	if (sqlite3_file_control(s->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK &&
	    moved) {
		text_copy(s->why, sizeof(s->why), "the file was removed or replaced");
		return E_STORE;
	}
	return E_OK;
}

static void
transaction_end(struct store *s)
{
	char why[STORE_WHY];

	/* SQLite may have rolled back by itself, as it does when the disk is full. */
	if (sqlite3_get_autocommit(s->db))
		return;
	memcpy(why, s->why, sizeof(why));
	if (store_run(s, s->rollback) != E_OK)
		log_error("store sqlite: rollback: %s", s->why);
	memcpy(s->why, why, sizeof(why));
}

/* Within the transaction: nobody moves the position between this look and our commit. */
static int
position_expect(struct store *s, uint64_t expected)
{
	uint64_t position;
	int r;

	if ((r = position_read(s, s->source, &position)) != E_OK || position == expected)
		return r;
	snprintf(s->why, sizeof(s->why),
	    "%s stands at %llu and not at %llu: somebody else writes it", s->source,
	    (unsigned long long)position, (unsigned long long)expected);
	return E_STORE;
}

static int
sqlite_begin(struct store *s, const char *source, uint64_t expected)
{
	s->began_ns = clock_mono();
	s->rows = s->refused = 0;
	s->refusal[0] = '\0';
	if (text_copy(s->source, sizeof(s->source), source) != E_OK)
		panic("store sqlite: %s: the name of a source is too long", source);
	if (file_is_ours(s) == E_OK && store_run(s, s->begin) == E_OK &&
	    position_expect(s, expected) == E_OK)
		return E_OK;
	transaction_end(s);
	return sqlite_failed(s, E_STORE);
}

static int
insert_prepare(struct store *s, const struct msg_desc *desc)
{
	struct buf sql;
	int r;

	buf_init(&sql, INSERT_TEXT);
	if ((r = row_insert_text(desc, &sql)) == E_OK)
		r = store_prepare(s, (const char *)buf_data(&sql), &s->insert[desc->type]);
	else
		text_copy(
		    s->why, sizeof(s->why), "a table has more columns than one statement takes");
	buf_fini(&sql);
	return r == E_OK ? E_OK : E_STORE;
}

/* What no waiting mends, of this row alone. Not a sequence that is stored already: then the position lies. */
static bool
row_is_refused(struct store *s)
{
	int code = sqlite3_extended_errcode(s->db);

	return code != SQLITE_CONSTRAINT_UNIQUE &&
	       ((code & 0xff) == SQLITE_CONSTRAINT || (code & 0xff) == SQLITE_MISMATCH ||
		   (code & 0xff) == SQLITE_TOOBIG);
}

static int
letter_store(struct store *s, const struct journal_record *record)
{
	sqlite3_stmt *stmt = s->dead_letter;
	struct buf text;
	int r = E_STORE;

	buf_init(&text, RECORD_TEXT);
	if (record_text(record, &text) != E_OK)
		text_copy(s->why, sizeof(s->why), "a dead letter is too long");
	else if (sqlite3_bind_text(stmt, 1, s->source, -1, SQLITE_STATIC) != SQLITE_OK ||
		 sqlite3_bind_int64(stmt, 2, (int64_t)record->sequence) != SQLITE_OK ||
		 sqlite3_bind_text(stmt, 3, record->desc->name, -1, SQLITE_STATIC) != SQLITE_OK ||
		 sqlite3_bind_text(stmt, 4, s->refusal, -1, SQLITE_STATIC) != SQLITE_OK ||
		 sqlite3_bind_text(stmt, 5, (const char *)buf_data(&text), (int)buf_len(&text),
		     SQLITE_TRANSIENT) != SQLITE_OK ||
		 sqlite3_bind_int64(stmt, 6, clock_wall()) != SQLITE_OK)
		store_failed(s);
	else
		r = store_run(s, stmt);
	buf_fini(&text);
	return r;
}

static int
row_store(struct store *s, const struct journal_record *record)
{
	sqlite3_stmt *stmt;
	int r;

	if (record->sequence > INT64_MAX) {
		text_copy(s->why, sizeof(s->why), "a sequence above 2^63 - 1");
		return E_STORE;
	}
	if (s->insert[record->type] == NULL && (r = insert_prepare(s, record->desc)) != E_OK)
		return r;
	stmt = s->insert[record->type];
	s->busy = true;
	if (row_bind(stmt, s->source, record) != SQLITE_OK)
		return store_failed(s);
	if (sqlite3_step(stmt) == SQLITE_DONE) {
		sqlite3_reset(stmt);
		s->rows++;
		return E_OK;
	}
	r = store_failed(s);
	if (row_is_refused(s)) {
		memcpy(s->refusal, s->why, sizeof(s->refusal));
		if ((r = letter_store(s, record)) == E_OK)
			s->refused++;
	}
	sqlite3_reset(stmt);
	return r;
}

static int
sqlite_add(struct store *s, const struct journal_record *record)
{
	if (row_store(s, record) == E_OK)
		return E_OK;
	transaction_end(s);
	return sqlite_failed(s, E_STORE);
}

static int
position_move(struct store *s, uint64_t sequence)
{
	if (sqlite3_bind_text(s->position_set, 1, s->source, -1, SQLITE_STATIC) != SQLITE_OK ||
	    sqlite3_bind_int64(s->position_set, 2, (int64_t)sequence) != SQLITE_OK ||
	    sqlite3_bind_int64(s->position_set, 3, clock_wall()) != SQLITE_OK)
		return store_failed(s);
	return store_run(s, s->position_set);
}

static void
sqlite_commit(struct store *s, uint64_t sequence)
{
	struct store_commit done = {
		.sequence = sequence, .rows = s->rows, .refused = s->refused, .why = s->refusal
	};

	if (position_move(s, sequence) != E_OK || store_run(s, s->commit) != E_OK) {
		transaction_end(s);
		sqlite_failed(s, E_STORE);
		return;
	}
	done.took_ns = clock_mono() - s->began_ns;
	s->setup->hooks->committed(&done, s->setup->owner);
}

/* The write-ahead log is all there is to force: a checkpoint forces the file itself before the log is begun
 * anew. Asked of SQLite's own file handle, as that knows when its folder has to be forced too. */
static int
log_force(struct store *s)
{
	sqlite3_file *log = NULL;
	int r;

	if ((r = file_is_ours(s)) != E_OK)
		return r;
	if (sqlite3_file_control(s->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) != SQLITE_OK ||
	    log == NULL || log->pMethods == NULL) {
		text_copy(s->why, sizeof(s->why), "the write-ahead log is not open");
		return E_STORE;
	}
	if (log->pMethods->xSync(log, SQLITE_SYNC_NORMAL) != SQLITE_OK) {
		text_copy(
		    s->why, sizeof(s->why), "the write-ahead log could not be forced to disk");
		return E_STORE;
	}
	return E_OK;
}

static int
sqlite_sync(struct store *s)
{
	return log_force(s) == E_OK ? E_OK : sqlite_failed(s, E_STORE);
}

static void
sqlite_check(struct store *s)
{
	/* A writer at rest is small again. */
	if (!s->busy)
		sqlite3_db_release_memory(s->db);
	s->busy = false;
	if (file_is_ours(s) != E_OK || store_run(s, s->check) != E_OK)
		sqlite_failed(s, E_STORE);
	else
		s->setup->hooks->checked(s->setup->owner);
}

static void
sqlite_trim(struct store *s)
{
	bool more;

	if (trim_step(s->db, s->setup->conf, &s->trimmed, &more) != E_OK) {
		store_failed(s);
		sqlite_failed(s, E_STORE);
		return;
	}
	s->setup->hooks->trimmed(more, s->setup->owner);
}

const struct store_kind store_sqlite = {
	.name = "sqlite",
	.open = sqlite_open,
	.close = sqlite_close,
	.position = sqlite_position,
	.begin = sqlite_begin,
	.add = sqlite_add,
	.commit = sqlite_commit,
	.sync = sqlite_sync,
	.check = sqlite_check,
	.trim = sqlite_trim,
};
