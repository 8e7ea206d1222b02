/* pg_reading.h - a connection to PostgreSQL that history is read with: what its files share. Room header. */
#ifndef PG_READING_H
#define PG_READING_H
#include <libpq-fe.h>

#include "reading.h"

#define PG_CELLS 16

struct pg_cell {		/* binary, borrowed from where the row came */
	char		*at;
	int		 len;		/* -1: null */
	bool		 ended;		/* a NUL follows */
};

struct pg_reading {
	struct reading	 base;		/* first */
	const atomic_bool *stopping;
	char		 url[sizeof(((struct conf *)0)->postgres_url)];
	int64_t		 connect_timeout_ms;
	PGconn		*conn;
	PGresult	*result;
	struct pg_cell	 cells[PG_CELLS];	/* the row in hand */
	int		 cell_count;
};

/* A question to the store: what reading_kind.each is given. */
struct pg_question {
	enum query	 which;
	int64_t		 args[3];
	uint64_t	 limit;
};

/* postgres.c */
int	 pg_say(struct pg_reading *, const char *why);	/* E_STORE, with the first line of it */
/* E_STORE: late, or nobody waits any more. */
int	 pg_wait_for_answer(struct pg_reading *, bool to_write) MUST_CHECK;
/* The last result of the statement, in `result`; E_STORE where it is another than `wanted`. */
int	 pg_receive(struct pg_reading *, ExecStatusType wanted) MUST_CHECK;

/* pg_statement.c */
bool	 pg_is_streamed(enum query);
int	 pg_send(struct pg_reading *, const struct pg_question *) MUST_CHECK;

/* pg_stream.c: rows as they come. */
int	 pg_stream(struct pg_reading *s, reading_row *row, void *owner) MUST_CHECK;

#endif /* PG_READING_H */
