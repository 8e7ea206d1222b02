/* store.h - the contract of a history store: rows and the journal position in one transaction. */
#ifndef STORE_H
#define STORE_H
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "journal.h"

struct store;

struct store_kind {		/* one per kind of store */
	const char	*name;	/* "sqlite": the metric label */
	int	(*open)(struct store **, const char *where);
	void	(*close)(struct store **);
	/* Position of a journal source: sequence of the last record stored; 0 when none. */
	int	(*position)(struct store *, const char *source, uint64_t *sequence);
	int	(*begin)(struct store *);
	int	(*add)(struct store *, const char *source, const struct journal_record *);
	/* Sets the position and commits: all of it or nothing. */
	int	(*commit)(struct store *, const char *source, uint64_t sequence);
	void	(*rollback)(struct store *);
	/* A round trip: E_OK when the store answers. */
	int	(*check)(struct store *);
	const char *(*why)(struct store *);	/* text of the last error, borrowed */
};

extern const struct store_kind store_sqlite;	/* `where` is the path of the file */

#endif /* STORE_H */
