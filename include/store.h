/* store.h - the contract of a history store: rows and the journal position in one transaction, never waited for.
 *
 * A store is asked by calls and answers by hooks, within the call or in a later turn of the loop. One request
 * (open, position, commit, check, trim) is unanswered at a time; its answer is the hook of its name, or `failed`.
 * Memory is bounded by two batches. Whether rows are stored is told by the position alone: a batch whose answer never came
 * is stored as a whole, or not, and asking the position anew tells which.
 */
#ifndef STORE_H
#define STORE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"
#include "err.h"
#include "journal.h"
#include "loop.h"
#include "metric.h"

struct store;

#define STORE_WHY    256 /* size of a reason */
#define STORE_SOURCE 64	 /* size of a source's name */

struct store_commit {		/* the answer to a batch */
	uint64_t	 sequence;	/* the position now */
	uint64_t	 rows;		/* stored */
	uint64_t	 refused;	/* put into dead_letters, as the store takes them never */
	int64_t		 took_ns;	/* from commit to committed */
	const char	*why;		/* of the last one refused; borrowed */
};

struct store_hooks {		/* close must not be called from within one */
	void	(*opened)(void *owner);
	/* Sequence of the last record stored of the source asked for; 0 when none. */
	void	(*positioned)(uint64_t sequence, void *owner);
	void	(*committed)(const struct store_commit *, void *owner);
	void	(*checked)(void *owner);
	void	(*trimmed)(bool more, void *owner);
	/* The store is of no use any more: close it, open it anew after a while. E_STORE: waiting may mend it.
	 * E_VERSION for a schema newer than this program, E_SYSTEM for what an operator has to mend (a place that
	 * cannot be used, a password that is refused). The reason names neither the owner's path nor a secret. */
	void	(*failed)(int error, const char *why, void *owner);
	/* Of a batch, before `failed`: it was not stored in the time it has, so less may be. Null is fine. */
	void	(*late)(void *owner);
};

struct store_setup {		/* borrowed as long as the store is open */
	struct loop	*loop;
	const struct conf *conf;
	struct stats	*stats;		/* may be null */
	const char	*where;		/* path of the file, or the URL */
	unsigned	 attempt;	/* counts up with every open: of several hosts each is first in its turn */
	/* Of a store that several nodes share: who asks for a position writes that source from now on, unless somebody
	 * else said so with a higher claim than `claim_known`. 0: nobody asks. */
	uint64_t	 claim_known, claim;
	const struct store_hooks *hooks;
	void		*owner;
};

struct store_kind {		/* one per kind of store */
	const char	*name;	/* "sqlite": the metric label */
	/* The next batch may be begun and filled while a commit is unanswered. */
	bool		 ahead;
	/* Opens, and brings an older schema up to date. Never null. */
	struct store	*(*open)(const struct store_setup *);
	void		(*close)(struct store **);	/* null is fine; what is unanswered stays so */
	void		(*position)(struct store *, const char *source);
	/* A batch of one source: begin, add as often as there are records, commit. E_STORE: `failed` was called. */
	int		(*begin)(struct store *, const char *source, uint64_t expected);
	/* E_FULL: taken, and no more fits: commit. E_STORE as begin. */
	int		(*add)(struct store *, const struct journal_record *);
	/* Sets the position and commits, all of it or nothing. A position which is not the expected one is `failed`:
	 * somebody else writes the same source. */
	void		(*commit)(struct store *, uint64_t sequence);
	/* Null: what was committed survives a power cut. Otherwise it survives only the end of a process, until
	 * this, which may take as long as the disk does. E_STORE: `failed` was called, nothing is known to be safe. */
	int		(*sync)(struct store *);
	void		(*check)(struct store *);	/* a round trip */
	/* Lets go of rows that are older than conf says, a bounded number at once. */
	void		(*trim)(struct store *);
};

extern const struct store_kind store_sqlite;
extern const struct store_kind store_postgres;

/* What conf would connect to, checked without connecting. E_CONFIG with a reason without any part of the URL.
 * E_SYSTEM: it cannot be told now (no process, no memory, a disk that is slow), which says nothing about the URL. */
int	store_postgres_check(const char *url, char why[STORE_WHY]) MUST_CHECK;

#endif /* STORE_H */
