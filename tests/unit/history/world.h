/* world.h - a past made up of calls whose ranges overlap, put into a store, and what may be answered out of it. */
#ifndef WORLD_H
#define WORLD_H
#include "history_room.h"

#define WORLD_BEGIN   INT64_C(1700000040000000000) /* a minute begins */
#define WORLD_CELL    (30 * INT64_C(1000000000))	 /* calls begin and end with one */
#define WORLD_CELLS   400
#define WORLD_CALLS   60

struct world {
	struct world_call {
		unsigned from, to; /* cells, `to` excluded */
		bool broken;	   /* a row of it is missing */
	} calls[WORLD_CALLS]; /* in the order they were received */
	unsigned count;
};

typedef void world_exec(void *db, const char *sql);

void	world_make(struct world *, unsigned *seed);
void	world_store(const struct world *, world_exec *, void *db);
/* Reads a schema and gives it to the store. */
void	world_schema(const char *path, world_exec *, void *db);
void	world_question(struct history_question *, unsigned *seed);
/* Fails the test unless it is the right answer. */
void	world_check(const struct world *, const struct history_question *, const struct history_answer *, const char *of);

#endif /* WORLD_H */
