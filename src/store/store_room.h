/* store_room.h - what the kinds of store share: migrations, and rows made from descriptors. */
#ifndef STORE_ROOM_H
#define STORE_ROOM_H
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

#include "migration.h"
#include "store.h"

#define RECORD_TEXT 8192 /* a record as JSON, at most */

/* Applies what is missing, each migration in a transaction of its own. E_VERSION; E_STORE with the
 * reason in sqlite3_errmsg. */
int	 migrate(sqlite3 *, const struct migration *, size_t count, int *found) MUST_CHECK;

/* INSERT INTO <table> (...) VALUES (...), columns as the descriptor's fields, then source and sequence. */
int	 row_insert_text(const struct msg_desc *, struct buf *) MUST_CHECK;
/* Texts stay the record's until the statement is reset. Result code of SQLite. */
int	 row_bind(sqlite3_stmt *, const char *source, const struct journal_record *) MUST_CHECK;
/* Appends the record as one JSON object, for dead letters. E_FULL. */
int	 record_text(const struct journal_record *, struct buf *) MUST_CHECK;
/* Type of a field's column: "INTEGER", "REAL", "TEXT". */
const char *row_column_type(enum msg_kind);

#define TRIM_RULES 7
struct trim_rule {		/* rows whose column is older than that go; without an event by when they were received */
	const char	*table, *column;
	int64_t		 keep_ms;
};
/* Those that are switched on. */
size_t	 trim_rules(const struct conf *, struct trim_rule[TRIM_RULES]);
int64_t	 trim_before(const struct trim_rule *);	/* nanoseconds since the epoch */

struct trim_place { size_t rule; int64_t row; };	/* zero: at the beginning */
/* Looks at a few thousand rows and goes on behind them the next time. *more: it is not through yet. */
int	 trim_step(sqlite3 *, const struct conf *, struct trim_place *, bool *more) MUST_CHECK;

#endif /* STORE_ROOM_H */
