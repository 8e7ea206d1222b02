/* pg_room.h - the PostgreSQL store inside: a connection on the loop, the batch, the way from opening to open. */
#ifndef PG_ROOM_H
#define PG_ROOM_H
#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "store.h"

/* One connection. A query is in hand or none; whatever happens to it is told by `done` once. */
struct pg_answer {
	bool	 ok;
	char	 state[6];	/* SQLSTATE; "" when the server gave none */
	char	 why[STORE_WHY];
	bool	 has_value;
	char	 value[64];	/* first column of the first row of the last result with rows */
};

/* Names and values for PQconnectStartParams; texts are the struct's, or live as long as the URL. */
#define PG_OPTIONS 16
#define PG_HOSTS   1024
struct pg_options {
	const char	*names[PG_OPTIONS], *values[PG_OPTIONS];
	unsigned	 count;
	char		 host[PG_HOSTS], hostaddr[PG_HOSTS], port[PG_HOSTS], user_timeout[16];
};
/* Of several hosts the one at `attempt` comes first. */
void	 pg_options_make(struct pg_options *, const char *url, unsigned attempt, int64_t timeout_ms);
void	 pg_options_end(struct pg_options *);	/* host, hostaddr and port are what they will be */

struct pg_lookup;
/* Adds addresses to names; null when there is nothing to look up. `done` follows in a later turn, with a reason when no
 * host is left, and the lookup is over then. */
struct pg_lookup *pg_lookup_begin(struct loop *, struct pg_options *, void (*done)(const char *why, void *owner), void *owner);
void	 pg_lookup_drop(struct pg_lookup **);	/* null is fine */

struct pg_link {
	struct loop	*loop;
	struct stats	*stats;
	struct pg_options options;
	struct pg_lookup *lookup;
	PGconn		*conn;		/* null before the lookup is over */
	struct event	*readable, *writable;
	struct loop_timer timer;
	int64_t		 timeout_ms;	/* of a query */
	bool		 connecting, busy, copying, broken, late; /* late: why it is down */
	struct pg_answer answer;	/* of the query in hand */
	/* Connected, or not: E_STORE, E_SYSTEM with why. */
	void		(*up)(int error, const char *why, void *owner);
	/* The query is over. Not called when the connection broke: then `down` is. */
	void		(*done)(const struct pg_answer *, void *owner);
	void		(*down)(const char *why, void *owner);
	/* The server takes the rows of the query's nth COPY: appends some of them. False: that was the last. */
	bool		(*feed)(unsigned copy, struct buf *, void *owner);
	void		*owner;
	unsigned	 copies;	/* begun in this query */
	struct buf	 out;
};

/* Begins to connect; `up` follows in a later turn. Of several hosts the one at `attempt` is tried first. */
void	 pg_link_open(struct pg_link *, const char *url, unsigned attempt, const struct conf *, struct stats *);
void	 pg_link_close(struct pg_link *);
/* One or more statements, one implicit transaction. */
void	 pg_link_query(struct pg_link *, const char *sql);
void	 pg_link_query_params(struct pg_link *, const char *sql, int count, const char *const *values);

/* libpq's words for a connection that failed, as one line that tells who, where and what. */
int	 pg_connect_why(PGconn *, char why[STORE_WHY]);
/* One line of it, cut at a character, and UTF-8 whatever it was. */
void	 pg_one_line(const char *text, char *out, size_t size);

/* Rows of COPY ... (FORMAT binary). */
int	 pg_row_head(struct buf *) MUST_CHECK;
int	 pg_row_add(struct buf *, const struct msg_desc *, const void *value, const char *source, uint64_t sequence) MUST_CHECK;
int	 pg_row_tail(struct buf *) MUST_CHECK;
/* COPY "table" ("column", ...) FROM STDIN (FORMAT binary); */
int	 pg_row_copy_text(struct buf *, const struct msg_desc *) MUST_CHECK;
const char *pg_row_column_type(enum msg_kind);	/* as information_schema says it */

/* Records as they were added, in order. */
struct pg_record {
	uint64_t	 sequence;
	const struct msg_desc *desc;
	size_t		 at;		/* of the value, in `values` */
};
struct pg_batch {
	char		 source[STORE_SOURCE];
	uint64_t	 expected, last;	/* position before and after */
	struct pg_record *records;
	size_t		 count, capacity;
	struct buf	 values;
};
void	 pg_batch_init(struct pg_batch *);
void	 pg_batch_fini(struct pg_batch *);
void	 pg_batch_begin(struct pg_batch *, const char *source, uint64_t expected);
int	 pg_batch_add(struct pg_batch *, const struct journal_record *) MUST_CHECK; /* E_FULL: taken, the last one */
const void *pg_batch_value(const struct pg_batch *, size_t at);

/* Partitions that are known to be there; more than there can be of all tables. */
#define PG_PARTS 4096
struct pg_parts {
	struct { const char *table; int64_t from, to; } known[PG_PARTS];
	unsigned	 count;
	unsigned	 last;	/* where the last look ended */
	unsigned	 noted;	/* with the last calls that were appended */
};
/* The span of the partition that takes this record; false: its table has none, or its time is out of what gets one. */
bool	 pg_part_of(const struct msg_desc *, const void *value, int64_t now, const char **table, int64_t *from, int64_t *to);
/* Appends calls of partition_ensure for what these records need and is not known, and notes it. *wanted: some. */
int	 pg_parts_want(struct pg_parts *, const struct pg_batch *, size_t from, size_t count, struct buf *, bool *wanted) MUST_CHECK;
/* The same for the time now and the next span of each table. */
int	 pg_parts_want_now(struct pg_parts *, struct buf *, bool *wanted) MUST_CHECK;
/* Those calls failed: what they were to make is not there. */
void	 pg_parts_forget(struct pg_parts *);

enum pg_step { PG_CONNECTING, PG_LOOKING, PG_VERSION, PG_MIGRATING, PG_PARTS_NOW, PG_IDLE, PG_FREE, PG_POSITION,
	PG_PARTS_AHEAD, PG_PARTS_BATCH, PG_COPY, PG_LETTER, PG_CHECK, PG_TRIM, PG_FAILED };

struct store {
	const struct store_setup *setup;
	struct pg_link	 link;
	enum pg_step	 step;
	struct pg_parts	 parts;
	int64_t		 ahead_at, missing_at;	/* monotonic: partitions of now and next, of old rows, are not tried before */
	size_t		 migration;	/* next to look at */
	struct pg_batch	 filling, flying;
	/* Of the flying batch: what is stored, and what is being tried. */
	uint64_t	 last;		/* of the whole batch */
	size_t		 from, count;
	enum msg_type	 copies[MSG_TYPE_MAX]; /* of the query in hand */
	unsigned	 copy_count;
	size_t		 fed;		/* next record to look at for the copy in hand */
	bool		 fed_head;
	uint64_t	 rows, refused;
	int64_t		 began_ns;
	char		 refusal[STORE_WHY];
	bool		 letter_bare;	/* it is sent without what may be at fault */
	size_t		 trim;		/* rule in hand */
	bool		 trim_more;
	char		*source;	/* of the position that is asked for, as a literal; libpq's memory */
};

void	 pg_failed(struct store *, int error, const char *why);
void	 pg_late(struct store *);	/* rows on their way take too long; pg_failed follows */
void	 pg_open_begin(struct store *);
void	 pg_open_up(int error, const char *why, void *owner);
/* An answer while the store is being opened. */
void	 pg_open_done(struct store *, const struct pg_answer *);
/* Appends how long a statement that makes partitions waits for readers. */
int	 pg_parts_patience(const struct store *, struct buf *) MUST_CHECK;
/* Whether partitions were not made because somebody reads the table: then it goes on without, and this tells so. */
bool	 pg_parts_are_held_up(struct store *, const struct pg_answer *);
bool	 pg_feed(unsigned copy, struct buf *, void *owner);
void	 pg_batch_fly(struct store *);
void	 pg_batch_done(struct store *, const struct pg_answer *);
/* Whether this row alone is at fault, and always will be. */
bool	 pg_row_is_refused(const char *state);

#endif /* PG_ROOM_H */
