/* store_room.h - what the kinds of store share: migrations, and rows made from descriptors. */
#ifndef STORE_ROOM_H
#define STORE_ROOM_H
#include <sqlite3.h>
#include <stddef.h>

#include "store.h"

struct migration {
	int		 number;	/* from 1, without holes */
	const char	*name;
	const char	*sql;
};
extern const struct migration store_migrations[];	/* schema.c, generated */
extern const size_t store_migration_count;

/* Applies what is missing, each migration in a transaction of its own. E_VERSION; E_STORE with the
 * reason in sqlite3_errmsg. */
int	 migrate(sqlite3 *, const struct migration *, size_t count, int *found) MUST_CHECK;

/* INSERT INTO <table> (...) VALUES (...), columns as the descriptor's fields, then source and sequence. */
int	 row_insert_text(const struct msg_desc *, struct buf *) MUST_CHECK;
/* Texts stay the record's until the statement is reset. Result code of SQLite. */
int	 row_bind(sqlite3_stmt *, const char *source, const struct journal_record *) MUST_CHECK;
/* Type of a field's column: "INTEGER", "REAL", "TEXT". */
const char *row_column_type(enum msg_kind);

#endif /* STORE_ROOM_H */
