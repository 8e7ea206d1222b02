/* store.h - the contract of a history store: rows and the journal position in one transaction. */
#ifndef STORE_H
#define STORE_H
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "journal.h"

struct store;

#define STORE_WHY 256	/* size of a reason */

/* Every function may wait a bounded time for another user of the store, well below a second. Those that return
 * int: E_OK; E_STORE, after which rollback, and trying again later is right. */
struct store_kind {		/* one per kind of store */
	const char	*name;	/* "sqlite": the metric label */
	/* Brings an older schema up to date. Beside E_STORE: E_VERSION for a schema newer than this program,
	 * E_SYSTEM for what no waiting mends: a place that cannot be used, a damaged or foreign store. The
	 * reason, without `where`, is in `why`. */
	int	(*open)(struct store **, const char *where, char why[STORE_WHY]);
	void	(*close)(struct store **);	/* null is fine */
	/* Position of a journal source: sequence of the last record stored; 0 when none. */
	int	(*position)(struct store *, const char *source, uint64_t *sequence);
	int	(*begin)(struct store *);
	/* One row, within begin and commit. A record that is stored already is refused. */
	int	(*add)(struct store *, const char *source, const struct journal_record *);
	/* Sets the position and commits: all of it or nothing. */
	int	(*commit)(struct store *, const char *source, uint64_t sequence);
	void	(*rollback)(struct store *);	/* fine without a transaction as well */
	/* Whatever was committed survives a power cut from now on; until then it survives only the end of a
	 * process. May take as long as the disk does. After a failure nothing is known to be safe. */
	int	(*sync)(struct store *);
	/* A round trip: E_OK when the store answers. */
	int	(*check)(struct store *);
	const char *(*why)(struct store *);	/* text of the last error, borrowed */
};

extern const struct store_kind store_sqlite;	/* `where` is the path of the file */

#endif /* STORE_H */
