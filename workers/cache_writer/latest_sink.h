/* latest_sink.h - latest values and streams into Redis, beside the history store and independent of it. Room header. */
#ifndef LATEST_SINK_H
#define LATEST_SINK_H
#include "cache_writer.h"
#include "hash.h"
#include "latest.h"
#include "redis.h"

/* One of these is gathered while the one before is on its way. */
#define BATCH_KEYS	  32768 /* values of different keys */
#define BATCH_ENTRIES	  8192 /* of streams */
#define BATCH_STREAM_BYTES ((size_t)4 << 20)

struct latest_row { /* the newest value of its key in this batch */
	struct latest_id id; /* first: key and field are what is looked up */
	uint64_t name;	     /* known_name() of it */
	enum msg_type type;
	union {
		struct quote quote;
		struct trade trade;
		struct bar bar;
		struct greeks greeks;
		struct snapshot snapshot;
	} value;
	int64_t ttl_ms;		/* when it was sent */
	bool known;		/* Redis holds nothing newer, if it is this sink who wrote last */
	bool won;		/* it is what Redis holds */
	uint32_t place;		/* in the batch's index */
};

struct latest_entry { /* one XADD, its bytes in batch.stream */
	char key[LATEST_KEY];
	uint32_t len;
};

struct latest_batch {
	struct latest_row *rows;
	uint64_t *index;	/* of half of a row's name, and its number from 1 on; 0: free */
	size_t row_count;
	struct latest_entry *entries;
	size_t entry_count;
	struct buf stream;
	uint64_t coalesced;
};

void batch_open(struct latest_batch *);
void batch_close(struct latest_batch *);
void batch_reset(struct latest_batch *);
bool batch_is_empty(const struct latest_batch *);
/* E_FULL: nothing was added, send first. `origin` says whose journal. stream_max 0: no streams. */
int batch_add(struct latest_batch *, const struct journal_record *, const char *origin,
    int64_t stream_max) MUST_CHECK;

/* Writes values only where none that is as new is held; one that is not ours is no value. Answers how many were
 * written, or, when somebody else had written since this writer began, -1 less that. */
extern const char latest_script[];
#define LATEST_WRITER LATEST_PREFIX "writer"	/* the key of who wrote last */
#define ROWS_A_CALL 64	/* so that a script keeps others waiting for some 0.2 ms */
struct latest_call {
	const char *sha;	/* null: the whole script */
	const char *writer;	/* "": all rows are compared, and nobody is told */
	bool begins;		/* to be the one who wrote last */
};
/* EVALSHA or EVAL of rows [from, to), ROWS_A_CALL at most. */
int batch_write_rows(const struct latest_batch *, size_t from, size_t to, const struct latest_call *,
    struct buf *) MUST_CHECK;

/* One journal on its way to Redis. */
struct latest_source {
	char name[SLOT_NAME];
	char origin[64];	/* instance/name: whose journal, among gateways */
	const char *state_dir;	/* borrowed */
	struct journal_reader *reader;
	enum { SOURCE_UNKNOWN, SOURCE_ASKING, SOURCE_BEGUN } begun;
	struct loop_timer *work; /* of the sink */
	uint64_t read, sent, acked;
	uint64_t skipped;	/* of the reader, counted already */
	uint64_t lag;		/* records not read, as counted last */
	struct latest_source *next;
};
/* The next record; E_PARTIAL: none now. What cannot be read is stepped over and added to *skipped. */
int source_read(struct latest_source *, struct journal_record *, uint64_t *skipped) MUST_CHECK;
/* Records in the journal that were not read yet. */
int source_behind(struct latest_source *, uint64_t *records) MUST_CHECK;
void source_begin(struct latest_source *, uint64_t after);
/* Back to what Redis is known to have. */
void source_rewind(struct latest_source *);
void source_close(struct latest_source *);

struct latest;

/* Null when none is configured. `conf` and `stats` are borrowed. */
struct latest *latest_open(struct loop *, const struct conf *, struct stats *);
void latest_close(struct latest **);
/* Some journal has grown. */
void latest_ring(struct latest *);
/* Sends what the journals hold, for so long at most, then calls done. */
void latest_drain(struct latest *, int64_t timeout_ms, void (*done)(void *), void *arg);
/* Nothing is read, gathered or on its way; for tests and figures. */
bool latest_is_idle(const struct latest *);

#endif /* LATEST_SINK_H */
