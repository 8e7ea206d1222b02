/* replace.c - another process for a slot that has one.
 *
 * Where a slot has two seats the successor starts in the free one and takes over when it is ready; only then is the
 * predecessor told to finish. If the successor does not get ready it is ended, and nothing else has changed. At
 * most one generation drains: a replacement waits until the free seat is free. Where there is one seat the process
 * is told to finish and its successor follows.
 *
 * Nothing here is told of an event: at the end of each turn in which a slot moved all replacements are looked at.
 */
#include "master_room.h"

#include <stdio.h>
#include <string.h>

#include "log.h"
#include "mem.h"

enum replace_phase { REPLACE_FREE, REPLACE_STARTING, REPLACE_PREPARED, REPLACE_RENEWING };

struct replacing {
	struct replacing *next;
	struct slot *old;
	const struct conf *conf;
	enum slot_cause cause;
	enum replace_phase phase;
	bool prepare; /* the commit is somebody else's */
	uint64_t births;
	done_fn *done;
	void *arg;
};

static struct replacing *
replace_find(const struct master *m, const struct slot *current)
{
	struct replacing *r;

	for (r = m->replacing; r != NULL; r = r->next)
		if (r->old == current || r->old == current->twin)
			return r;
	return NULL;
}

bool
replace_is_due(const struct slot *current)
{
	return replace_find(current->master, current) != NULL;
}

size_t
replace_count(const struct master *m)
{
	const struct replacing *r;
	size_t n = 0;

	for (r = m->replacing; r != NULL; r = r->next)
		n++;
	return n;
}

static void
replace_unlink(struct master *m, struct replacing *r)
{
	struct replacing **at;

	for (at = &m->replacing; *at != r; at = &(*at)->next)
		;
	*at = r->next;
}

/* The caller's function may begin the next one. */
static void
replace_end(struct master *m, struct replacing *r, int error, const char *text)
{
	done_fn *done = r->done;
	void *arg = r->arg;

	replace_unlink(m, r);
	mem_free(&r);
	if (done != NULL)
		done(arg, error, text);
}

static void
replace_free_step(struct replacing *r)
{
	struct slot *next = r->old->twin;

	if (next->state != SLOT_IDLE)
		return;
	r->phase = REPLACE_STARTING;
	next->conf = r->conf;
	slot_forget(next);
	slot_event(next, SLOT_ON_START);
}

/* False: the successor could not be given the listening socket, and is being ended for it; the one that serves
 * goes on. */
static bool
replace_swap(struct replacing *r)
{
	struct slot *old = r->old, *next = old->twin;

	wire_listeners(next);
	if (next->state != SLOT_READY)
		return false;
	next->current = true;
	next->wanted = old->wanted;
	old->current = old->wanted = false;
	/* Readers look for the current one: for a moment there are two, never none. */
	__atomic_store_n(&next->page->current, 1, __ATOMIC_RELEASE);
	__atomic_store_n(&old->page->current, 0, __ATOMIC_RELEASE);
	old->cause = r->cause;
	old->failed = false;
	old->page->failed_ns = 0;
	slot_event(old, SLOT_ON_DRAIN);
	return true;
}

/* What a successor that is not on its way any more ended by; null while it is. */
static const char *
replace_failure(const struct slot *next)
{
	if (next->state == SLOT_STARTING || next->state == SLOT_READY)
		return NULL;
	if (next->state == SLOT_WAITING || next->state == SLOT_FAILED || next->state == SLOT_IDLE)
		return next->page->last_exit[0] != '\0' ? next->page->last_exit
							: "the system refused a process";
	return "it is being ended";
}

/* True when it is over and `r` is gone. */
static bool
replace_starting_step(struct master *m, struct replacing *r)
{
	struct slot *next = r->old->twin;
	const char *failure = replace_failure(next);
	char text[256];

	if (failure != NULL) {
		if (next->state != SLOT_WAITING && next->state != SLOT_FAILED &&
		    next->state != SLOT_IDLE)
			return false; /* until it is known how it ended */
		snprintf(text, sizeof(text), "%s: the successor did not get ready: %s",
		    r->old->label, failure);
		slot_event(next, SLOT_ON_KILL);
		replace_end(m, r, E_SYSTEM, text);
		return true;
	}
	if (next->state != SLOT_READY)
		return false;
	if (r->prepare) {
		r->phase = REPLACE_PREPARED;
		if (r->done != NULL)
			r->done(r->arg, E_OK, "");
		return false;
	}
	if (!replace_swap(r))
		return false; /* until it is known how it ended */
	snprintf(text, sizeof(text), "%s: replaced, pid %d serves", next->label, (int)next->pid);
	replace_end(m, r, E_OK, text);
	return true;
}

/* A successor that died before the commit is none. */
static bool
replace_prepared_step(struct master *m, struct replacing *r)
{
	struct slot *next = r->old->twin;
	char text[256];

	if (next->state != SLOT_WAITING && next->state != SLOT_FAILED && next->state != SLOT_IDLE)
		return false;
	snprintf(text, sizeof(text), "%s: the successor died before it took over: %s",
	    r->old->label, next->page->last_exit);
	slot_event(next, SLOT_ON_KILL);
	replace_end(m, r, E_SYSTEM, text);
	return true;
}

bool
replace_all_are_prepared(const struct master *m)
{
	const struct replacing *r;

	for (r = m->replacing; r != NULL; r = r->next)
		if (r->phase != REPLACE_PREPARED || r->old->twin->state != SLOT_READY)
			return false;
	return true;
}

static bool
replace_renewing_step(struct master *m, struct replacing *r)
{
	struct slot *s = r->old;
	char text[256];

	if (s->births == r->births && s->state != SLOT_IDLE)
		return false;
	if (s->state == SLOT_READY) {
		snprintf(text, sizeof(text), "%s: replaced, pid %d serves", s->label, (int)s->pid);
		replace_end(m, r, E_OK, text);
		return true;
	}
	if (s->state != SLOT_WAITING && s->state != SLOT_FAILED && s->state != SLOT_IDLE)
		return false;
	snprintf(text, sizeof(text), "%s: the successor did not get ready: %s", s->label,
	    s->page->last_exit);
	replace_end(m, r, E_SYSTEM, text);
	return true;
}

/* True when the list changed under the walk. */
static bool
replace_step(struct master *m, struct replacing *r)
{
	switch (r->phase) {
	case REPLACE_FREE:
		replace_free_step(r);
		return false;
	case REPLACE_STARTING:
		return replace_starting_step(m, r);
	case REPLACE_RENEWING:
		return replace_renewing_step(m, r);
	case REPLACE_PREPARED:
		return replace_prepared_step(m, r);
	}
	return false;
}

void
replace_look(struct master *m)
{
	struct replacing *r = m->replacing;

	while (r != NULL)
		r = replace_step(m, r) ? m->replacing : r->next;
}

static const char *
replace_obstacle(const struct master *m, const struct slot *old, bool prepare)
{
	if (m->stop.phase != STOP_NOT)
		return "the gateway is stopping";
	if (!old->wanted)
		return "it was scaled away";
	/* One replaced beside a reload would make that fail, and one of several that wait for each other would not come. */
	if (!prepare && m->reload != NULL)
		return "a reload or an upgrade is under way: try again when it has ended";
	if (!prepare && m->strategy != NULL)
		return "slots are being stopped and started together: try again when they are "
		       "ready";
	return replace_find(m, old) != NULL ? "it is being replaced already" : NULL;
}

static void
replace_add(struct master *m, struct slot *old, const struct conf *conf, enum slot_cause cause,
    bool prepare, done_fn *done, void *arg)
{
	const char *obstacle;
	struct replacing *r;
	char text[128];

	if ((obstacle = replace_obstacle(m, old, prepare)) != NULL) {
		snprintf(text, sizeof(text), "%s: %s", old->label, obstacle);
		done(arg, E_FULL, text);
		return;
	}
	r = mem_alloc(sizeof(*r));
	*r = (struct replacing){ .next = m->replacing,
		.old = old,
		.conf = conf,
		.cause = cause,
		.prepare = prepare,
		.births = old->births,
		.done = done,
		.arg = arg,
		.phase = old->twin != NULL ? REPLACE_FREE : REPLACE_RENEWING };
	m->replacing = r;
	if (old->twin == NULL) {
		old->cause = cause;
		old->conf = conf;
		slot_event(old, old->state == SLOT_IDLE ? SLOT_ON_START : SLOT_ON_RENEW);
	}
	look_soon(m);
}

void
replace_begin(
    struct master *m, struct slot *current, enum slot_cause cause, done_fn *done, void *arg)
{
	replace_add(m, current, &m->conf, cause, false, done, arg);
}

void
replace_prepare(struct master *m, struct slot *current, const struct conf *conf,
    enum slot_cause cause, done_fn *done, void *arg)
{
	replace_add(m, current, conf, cause, true, done, arg);
}

bool
replace_commit(struct slot *current)
{
	struct master *m = current->master;
	struct replacing *r = replace_find(m, current);
	bool swapped;

	if (r == NULL || r->phase != REPLACE_PREPARED)
		return true;
	r->done = NULL;
	if (!(swapped = replace_swap(r)))
		slot_event(r->old->twin, SLOT_ON_KILL);
	replace_end(m, r, swapped ? E_OK : E_SYSTEM, "");
	return swapped;
}

void
replace_cancel(struct slot *current)
{
	struct master *m = current->master;
	struct replacing *r = replace_find(m, current);
	char text[128];

	if (r == NULL)
		return;
	/* The reload that prepared it knows. Whoever asked for it alone waits for an answer. */
	if (r->prepare)
		r->done = NULL;
	if (r->phase == REPLACE_STARTING || r->phase == REPLACE_PREPARED) {
		r->old->twin->cause = CAUSE_STOP;
		slot_event(r->old->twin, SLOT_ON_KILL);
	}
	snprintf(text, sizeof(text), "%s: given up: the slot was needed otherwise", r->old->label);
	replace_end(m, r, E_CLOSED, text);
}

void
replace_cancel_all(struct master *m, const char *why)
{
	while (m->replacing != NULL)
		replace_end(m, m->replacing, E_CLOSED, why);
}
