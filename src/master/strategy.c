/* strategy.c - who else is replaced when a process dies, after Erlang's supervisors.
 *
 * one_for_one: nobody. rest_for_one: all slots started after it. one_for_all: all. Those are told to finish in the
 * reverse of the order in which slots start, each when the one before it has ended; then the dead slot's successor
 * starts, and after it they, each when the one before it is ready. A death meanwhile is that slot's own affair.
 */
#include "master_room.h"

#include <string.h>

#include "clock.h"
#include "log.h"
#include "mem.h"

enum strategy_kind { ONE_FOR_ONE, REST_FOR_ONE, ONE_FOR_ALL };

struct strategy {
	struct slot *dead;
	size_t first,
	    at; /* indices of slots: [first, slot_count) belong to it; `at` is whose turn it is */
	bool starting;
	bool told; /* the slot whose turn it is */
};

static enum strategy_kind
strategy_of(const struct slot *s)
{
	const struct conf *c = &s->master->conf;
	const char *name = s->role == ROLE_TRACER	  ? "one_for_one"
			   : s->role == ROLE_FETCHER	  ? c->supervisor_strategy_fetcher
			   : s->role == ROLE_CACHE_WRITER ? c->supervisor_strategy_cache_writer
							  : c->supervisor_strategy_http;

	if (strcmp(name, "rest_for_one") == 0)
		return REST_FOR_ONE;
	return strcmp(name, "one_for_all") == 0 ? ONE_FOR_ALL : ONE_FOR_ONE;
}

/* Nothing depends on one that may be missing, and nobody waits for it. */
static bool
strategy_takes(const struct slot *s)
{
	return s->current && s->wanted && s->required;
}

void
strategy_begin(struct slot *dead)
{
	struct master *m = dead->master;
	enum strategy_kind kind = strategy_of(dead);

	if (kind == ONE_FOR_ONE || !dead->current || m->stop.phase != STOP_NOT ||
	    m->strategy != NULL || m->reload != NULL || m->upgrade != NULL)
		return;
	log_info("%s: its end takes %s with it", dead->label,
	    kind == ONE_FOR_ALL ? "all others" : "those started after it");
	m->strategy = mem_alloc(sizeof(*m->strategy));
	*m->strategy = (struct strategy){ .dead = dead,
		.first = kind == ONE_FOR_ALL ? 0 : (size_t)(dead - m->slots),
		.at = m->slot_count };
	loop_timer_clear(&dead->timer); /* until the others have ended */
	look_soon(m);
}

/* Backwards: true when all of them have come to rest. */
static bool
strategy_stop(struct master *m, struct strategy *g)
{
	struct slot *s;

	for (; g->at > g->first; g->at--, g->told = false) {
		s = &m->slots[g->at - 1];
		if (s == g->dead || !strategy_takes(s))
			continue;
		/* One that runs once more was called back by somebody else. */
		if (s->state == SLOT_STARTING || s->state == SLOT_READY)
			g->told = false;
		if (!g->told && s->state != SLOT_IDLE) {
			g->told = true;
			replace_cancel(s);
			if (slot_has_process(s))
				s->cause = CAUSE_STRATEGY;
			slot_event(s, SLOT_ON_DRAIN);
		}
		if (s->state != SLOT_IDLE)
			return false;
	}
	return true;
}

static void
strategy_start_one(struct slot *s, const struct slot *dead)
{
	int64_t left = (s->due_ns - clock_mono()) / CLOCK_MS;

	if (s != dead)
		slot_event(s, SLOT_ON_START);
	else if (s->state == SLOT_WAITING || s->state == SLOT_FAILED)
		loop_timer_set(&s->timer, left > 0 ? left : 0);
}

/* Forwards: true when all of them are ready, or have failed in their own right. */
static bool
strategy_start(struct master *m, struct strategy *g)
{
	struct slot *s;

	for (; g->at < m->slot_count; g->at++, g->told = false) {
		s = &m->slots[g->at];
		if (!strategy_takes(s))
			continue;
		if (!g->told)
			strategy_start_one(s, g->dead);
		g->told = true;
		if (s->state != SLOT_READY && !(s->failed && s->state == SLOT_FAILED))
			return false;
	}
	return true;
}

void
strategy_look(struct master *m)
{
	struct strategy *g = m->strategy;

	if (g == NULL)
		return;
	if (!g->starting && strategy_stop(m, g)) {
		g->starting = true;
		g->told = false;
		g->at = g->first;
	}
	if (g->starting && strategy_start(m, g))
		mem_free(&m->strategy);
}

void
strategy_cancel(struct master *m)
{
	mem_free(&m->strategy);
}
