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

#define TAIL_UNKNOWN UINT64_MAX

/* One journal on its way into the store. The position in the store is the truth; the reader is ahead of it by
 * what was handed over and is not answered. */
struct tail {
	char		 source[SLOT_NAME];
	char		 name[STORE_SOURCE]; /* the source's in the store */
	const char	*state_dir;	/* borrowed */
	struct journal_reader *reader;	/* null: to be opened behind the position */
	bool		 placed;	/* the position was read from the store */
	bool		 served;	/* since then something was committed, or nothing was there to be */
	bool		 more;		/* there may be records to read at once */
	uint64_t	 position;	/* sequence of the last record stored */
	uint64_t	 sent;		/* of the last one handed to the store */
	uint64_t	 synced;	/* as much of the position as a power cut cannot take; or TAIL_UNKNOWN */
	uint64_t	 told;		/* what the fetcher knows of that; or TAIL_UNKNOWN */
	uint64_t	 lag;		/* records not stored, as counted last */
	bool		 lag_told;	/* it was counted once */
	uint64_t	 skipped_base;	/* of the reader, at the position */
	uint64_t	 skipped_counted; /* lost records behind the position that are counted already */
	void		*listener;	/* the fetcher's peer, as long as there is one */
	struct tail	*next;
};

struct tail_bound {		/* of one batch */
	uint64_t	 rows;
	int64_t		 until_ns;	/* monotonic: nothing is added later */
};

#define TAIL_TIMES 32
struct tail_batch {		/* what was handed to the store in one transaction */
	uint64_t	 rows;		/* 0: there was nothing; then no transaction was begun */
	uint64_t	 last;		/* the position once it is stored */
	uint64_t	 skipped;	/* of the reader, behind it */
	uint64_t	 corrupt;	/* records lost in the journal, newly found */
	bool		 more;		/* it stopped at a bound, not at the end of the journal */
	/* When its records were appended, wall; records beyond the last entry count with that. */
	struct { int64_t ns; uint64_t rows; } times[TAIL_TIMES];
	unsigned	 time_count;
};

/* `prefix` tells this node's journals from those of others in a store they share; may be empty. */
void	 tail_init(struct tail *, const char *source, const char *prefix, const char *state_dir);
void	 tail_fini(struct tail *);
/* The store was opened, maybe another one, and this is where we are. */
void	 tail_place(struct tail *, uint64_t position);
/* Begins a transaction and adds what is next; the caller commits it, at `batch->last`. E_STORE: the store told that
 * it failed. E_SYSTEM, E_VERSION: the journal cannot be read. *batch is set in every case. */
int	 tail_fill(struct tail *, const struct store_kind *, struct store *, const struct tail_bound *,
	    struct tail_batch *batch) MUST_CHECK;
void	 tail_committed(struct tail *, const struct tail_batch *);
/* Back to the position: what is not stored will be read again. */
void	 tail_rewind(struct tail *);
/* Records in the journal and not stored. While the position is not known: all that the journal holds. */
int	 tail_behind(struct tail *, uint64_t *records) MUST_CHECK;

/* The random id of this state directory, 16 hex digits, made once. E_SYSTEM with the reason. */
int	 node_ensure(const char *state_dir, char *id, size_t size, char why[STORE_WHY]) MUST_CHECK;

struct writer_hooks;
/* Tells the fetcher how far its journal is stored, if it does not know. */
void	 tail_tell(struct tail *, const struct writer_hooks *);
/* The store was found at `found`. If somebody else moved it there, the fetcher hears first how far the store has it from
 * us, as what is behind that it has to append again. */
void	 tail_settle(struct tail *, const struct writer_hooks *, uint64_t found);

#define WRITER_TAILS_MAX 64
struct tails {			/* all journals; zeros: none */
	struct tail	*first, *turn;	/* turn: who was served last */
	int		 count;
	bool		 full_told;	/* that there are more journals than tails */
};
/* The tail of this journal, made when there is none; null: no room, which is told once. */
struct tail *tails_get(struct tails *, const char *source, const char *prefix, const char *state_dir);
void	 tails_close(struct tails *);
/* Each may have grown. */
void	 tails_look(struct tails *);
/* All begin again at the position which the store will tell. */
void	 tails_rewind(struct tails *);
/* What is stored is safe from a power cut by now. */
void	 tails_synced(struct tails *);
/* All are told, also what they know: that the store still says so is what lets kept segments go by their age. */
void	 tails_tell(const struct tails *, const struct writer_hooks *);
/* Each was placed, and something of it committed or nothing there to be. */
bool	 tails_served(const struct tails *);
struct tail *tails_unplaced(const struct tails *);	/* null: none */
/* Who has something to read, in turn; null: nobody. */
struct tail *tails_next(struct tails *);
void	 tails_unlisten(struct tails *, const void *listener);

struct rows {			/* of a transaction; zeros: as many as are allowed */
	uint64_t	 bound;		/* 0: none but the setting */
	unsigned	 easy;		/* how much the batches since then allow for more */
};
uint64_t rows_allowed(const struct rows *, uint64_t most);
/* A batch was late: it may have been too large for the time it has, and would be for ever. What it held says nothing of
 * how many would have been in time, as it may have been few. */
void	 rows_lower(struct rows *, uint64_t most);
/* One of `done` rows went well: some that were as large as they may be allow for more, the sooner the less they took. */
void	 rows_raise(struct rows *, uint64_t done, uint64_t most, int64_t took_ns, int64_t allowed_ns);

#define CLAIM_ANY ((uint64_t)INT64_MAX)
struct claim {			/* to the journals of a node, in a store that others share; zeros: none yet */
	uint64_t	 known;		/* up to here they are ours; CLAIM_ANY: whatever there is */
	uint64_t	 mine;		/* 0: there is no room to note one, and nothing to tell copies by */
	bool		 told;		/* that there is no room */
};
/* Before the store is opened, and once it knows `mine`. E_SYSTEM with the reason. */
int	 claim_prepare(struct claim *, const char *state_dir, char why[STORE_WHY]) MUST_CHECK;
int	 claim_confirm(struct claim *, const char *state_dir, char why[STORE_WHY]) MUST_CHECK;

#define REASONS_MAX 8
struct reasons {		/* why a store failed, as far as it was told */
	uint64_t	 told[REASONS_MAX];	/* hashes */
	unsigned	 count;
};
/* False when it was told before, or so many others were that it is not worth a line. */
bool	 reason_is_new(struct reasons *, const char *why);

struct writer;
struct writer_hooks {
	/* Everything up to `sequence` is stored, safe from a power cut; E_OK when the listener was told. */
	int	(*stored)(void *listener, uint64_t sequence);
	void	(*drained)(void *owner);
	/* May be null. So much of `source`'s journal, up to `sequence`, was committed just now and took so long. */
	void	(*committed)(const char *source, uint64_t sequence, const struct store_commit *, void *owner);
};

/* Opens the store and looks for journals. `conf` and `stats` are borrowed. A store that is busy or down now is tried
 * again; one that tells at once that it can never work so (E_SYSTEM, E_VERSION) is told in `why`. */
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

/* Onto the page: size of the disk that holds the state directory, and what is left of it. */
void	 disk_look(struct stats *, const char *state_dir);

#endif /* CACHE_WRITER_H */
