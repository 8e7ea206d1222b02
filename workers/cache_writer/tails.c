/* tails.c - all journals of this state directory, each with the place where it is on its way into the store. */
#include <string.h>

#include "cache_writer.h"
#include "log.h"
#include "mem.h"

struct tail *
tails_get(struct tails *all, const char *source, const char *prefix, const char *state_dir)
{
	struct tail *t;

	for (t = all->first; t != NULL; t = t->next)
		if (strcmp(t->source, source) == 0)
			return t;
	if (all->count == WRITER_TAILS_MAX) {
		if (!all->full_told)
			log_error("journal %s: not stored, %d journals are the limit", source,
			    WRITER_TAILS_MAX);
		all->full_told = true;
		return NULL;
	}
	t = mem_alloc(sizeof(*t));
	tail_init(t, source, prefix, state_dir);
	t->next = all->first;
	all->first = t;
	all->count++;
	return t;
}

void
tails_close(struct tails *all)
{
	struct tail *t;

	while ((t = all->first) != NULL) {
		all->first = t->next;
		tail_fini(t);
		mem_free(&t);
	}
	*all = (struct tails){ 0 };
}

void
tails_look(struct tails *all)
{
	for (struct tail *t = all->first; t != NULL; t = t->next)
		t->more = true;
}

void
tails_rewind(struct tails *all)
{
	for (struct tail *t = all->first; t != NULL; t = t->next) {
		t->placed = false;
		tail_rewind(t);
	}
}

void
tails_synced(struct tails *all)
{
	for (struct tail *t = all->first; t != NULL; t = t->next)
		if (t->placed)
			t->synced = t->position;
}

bool
tails_served(const struct tails *all)
{
	for (const struct tail *t = all->first; t != NULL; t = t->next)
		if (!t->placed || !t->served)
			return false;
	return true;
}

struct tail *
tails_unplaced(const struct tails *all)
{
	struct tail *t;

	for (t = all->first; t != NULL && t->placed; t = t->next)
		;
	return t;
}

struct tail *
tails_next(struct tails *all)
{
	struct tail *t = all->turn;

	for (int i = 0; i < all->count; i++) {
		t = t == NULL || t->next == NULL ? all->first : t->next;
		if (t->placed && t->more) {
			all->turn = t;
			return t;
		}
	}
	return NULL;
}

void
tails_unlisten(struct tails *all, const void *listener)
{
	for (struct tail *t = all->first; t != NULL; t = t->next)
		if (t->listener == listener)
			t->listener = NULL;
}
