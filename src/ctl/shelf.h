/* shelf.h - the history store as a reader from outside sees it: the SQLite file, or PostgreSQL. Never writes. */
#ifndef SHELF_H
#define SHELF_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"
#include "ctl_room.h"

#define SHELF_PARAMS 12

struct shelf;

struct shelf_param {			/* text or a number */
	const char	*text;		/* null: the number */
	int64_t		 number;
};

struct shelf_kind {
	int	(*open)(void **, const struct conf *, char why[CTL_LINE]);
	void	(*close)(void *);
	int	(*query)(void *, const char *sql, const struct shelf_param *, size_t);
	/* E_OK: a row; E_ABSENT: no more. */
	int	(*next)(void *);
	void	(*finish)(void *);
	bool	(*is_null)(void *, int column);
	int64_t	(*i64)(void *, int column);
	double	(*f64)(void *, int column);
	const char *(*text)(void *, int column);
	const char *(*why)(void *);
	bool	shared;		/* several gateways store into it: sources are <node>/<journal> */
};
extern const struct shelf_kind shelf_sqlite, shelf_postgres;

/* Whichever the configuration names. E_ABSENT: there is none; E_STORE; with a line in `why` that holds no secret. */
int	shelf_open(struct shelf **, const struct conf *, char why[CTL_LINE]) MUST_CHECK;
void	shelf_close(struct shelf **);
/* Up to where a journal is stored; 0: nothing of it. E_STORE. */
int	shelf_position(struct shelf *, const char *source, uint64_t *sequence) MUST_CHECK;
/* One at a time. Parameters stand in the text as $1, $2 and so on, first used in that order. */
int	shelf_query(struct shelf *, const char *sql, const struct shelf_param *, size_t count) MUST_CHECK;
/* E_OK: a row, whose columns can be asked for; E_ABSENT: no more; E_STORE. */
int	shelf_next(struct shelf *) MUST_CHECK;
void	shelf_finish(struct shelf *);	/* before the next query */
bool	shelf_is_null(struct shelf *, int column);
int64_t	shelf_i64(struct shelf *, int column);
double	shelf_f64(struct shelf *, int column);
const char *shelf_text(struct shelf *, int column);	/* borrowed until the next row */
const char *shelf_why(struct shelf *);

#endif /* SHELF_H */
