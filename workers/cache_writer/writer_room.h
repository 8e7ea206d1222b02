/* writer_room.h - the writer's own: what its two files share. */
#ifndef WRITER_ROOM_H
#define WRITER_ROOM_H
#include "cache_writer.h"

#define PATH_SIZE	 512

enum unanswered { ANSWERED, OPEN, POSITION, COMMIT, CHECK, TRIM };

struct writer {
	struct loop *loop;
	const struct conf *conf;
	struct stats *stats;
	const struct store_kind *kind;
	struct store_setup setup;
	struct claim claim;	    /* where nodes share the store */
	struct store *store;	    /* null while it is down */
	enum unanswered unanswered; /* what the store was asked for */
	bool pumping;		    /* an answer comes within the call */
	bool failed;		    /* it is to be closed */
	int error;
	char why[STORE_WHY];
	unsigned label; /* of the kind, in metrics */
	const struct writer_hooks *hooks;
	void *owner;
	char where[PATH_SIZE];
	char prefix[STORE_SOURCE - SLOT_NAME];
	struct tails tails;
	struct tail *asked; /* whose position or commit is unanswered */
	struct tail_batch batch;
	struct tail *ready; /* whose next batch is filled meanwhile */
	struct tail_batch ready_batch;
	struct rows rows;
	int64_t asked_ns;
	bool check_due;
	int64_t trim_at; /* monotonic */
	bool unsynced;	 /* something was committed, or found, since the last sync */
	int64_t letter_told;
	uint64_t letters; /* since then */
	struct loop_timer work;
	struct loop_timer check;
	struct backoff backoff;
	int64_t failing_since;	/* monotonic; 0: all is well */
	struct reasons reasons; /* of this episode, told */
	int64_t drain_until;	/* monotonic; 0: not draining */
	struct loop_timer drain;
};

extern const struct store_hooks writer_store_hooks;
/* An attempt; what it comes to is told by the hooks, also within the call. */
void	 writer_store_open(struct writer *);
/* It failed: closed, told, tried again after a growing delay. */
void	 writer_store_failed(struct writer *);
/* Ends an episode of failures if every tail was served. */
void	 writer_store_works(struct writer *);
/* What was committed is forced to disk, and fetchers are told. */
void	 writer_store_sync(struct writer *);

#endif /* WRITER_ROOM_H */
