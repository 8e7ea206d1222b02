/* cache_writer.h - the process that reads the journals and writes the store, each record exactly once. */
#ifndef CACHE_WRITER_H
#define CACHE_WRITER_H
#include <stdbool.h>
#include <stdint.h>

#include "backoff.h"
#include "conf.h"
#include "journal.h"
#include "loop.h"
#include "metric.h"
#include "role.h"
#include "store.h"

/* One journal on its way into the store. The position in the store is the truth; the reader may be ahead of
 * it only within a turn. */
struct tail {
	char		 source[SLOT_NAME];
	const char	*state_dir;	/* borrowed */
	struct journal_reader *reader;	/* null: to be opened behind the position */
	bool		 placed;	/* the position was read from the store */
	uint64_t	 position;	/* sequence of the last record stored */
	uint64_t	 synced;	/* as much of it as a power cut cannot take */
	uint64_t	 told;		/* what the fetcher knows of that */
	uint64_t	 skipped_base;	/* of the reader, at the position */
	uint64_t	 skipped_counted; /* lost records behind the position that are counted already */
	void		*listener;	/* the fetcher's peer, as long as there is one */
	struct tail	*next;
};

struct tail_bound {		/* of one turn */
	uint64_t	 rows;
	int64_t		 until_ns;	/* monotonic: nothing is added later */
};

struct tail_done {		/* what a turn did */
	uint64_t	 rows;		/* committed */
	uint64_t	 corrupt;	/* records lost in the journal, newly found */
	int64_t		 commit_ns;	/* from begin to committed; 0 without rows */
	bool		 more;		/* it stopped at a bound, not at the end of the journal */
};

void	 tail_init(struct tail *, const char *source, const char *state_dir);
void	 tail_fini(struct tail *);
/* The store was opened, maybe another one: where are we? */
int	 tail_place(struct tail *, const struct store_kind *, struct store *) MUST_CHECK;
/* Stores what is next, in one transaction. E_STORE: it was rolled back and the tail stands at its position again.
 * E_SYSTEM, E_VERSION: the journal cannot be read on; what came before is stored. *done is set in every case. */
int	 tail_turn(struct tail *, const struct store_kind *, struct store *, const struct tail_bound *,
	    struct tail_done *done) MUST_CHECK;
/* Records in the journal and not stored. While the position is not known: all that the journal holds. */
int	 tail_behind(struct tail *, uint64_t *records) MUST_CHECK;

#define WRITER_TAILS_MAX 64

struct writer;
struct writer_hooks {
	/* Everything up to `sequence` is stored, safe from a power cut; E_OK when the listener was told. */
	int	(*stored)(void *listener, uint64_t sequence);
	void	(*drained)(void *owner);
};

/* Opens the store and looks for journals. `conf` and `stats` are borrowed. A store that is busy or down now is tried
 * again; one that can never work so (E_SYSTEM, E_VERSION) is told in `why`. */
int	 writer_open(struct writer **result, struct loop *, const struct conf *, struct stats *,
	    const struct store_kind *, const struct writer_hooks *, void *owner, char why[STORE_WHY]) MUST_CHECK;
void	 writer_close(struct writer **);
/* A fetcher's channel stands, or is over. */
void	 writer_listen(struct writer *, const char *source, void *listener);
void	 writer_unlisten(struct writer *, void *listener);
/* Some journal has grown: look at once. */
void	 writer_ring(struct writer *);
/* Stores what is in the journals, for so long at most, then calls drained. */
void	 writer_drain(struct writer *, int64_t timeout_ms);

#endif /* CACHE_WRITER_H */
