/* look.c - what is looked at in turns.
 *
 * A slot that moves may be what a replacement, a reload or a strategy waits for. They are not called from within
 * its action, where half of the world is old, but at the end of the turn. What no event tells, a loop that stands
 * still or a process that grew, is looked at by a clock.
 */
#include "master_room.h"

#include "clock.h"
#include "label.h"
#include "log.h"
#include "proc.h"

#define LOOK_SHARE    8 /* looks in a hang_timeout */
#define LOOK_LEAST_MS 25
#define LOOK_MOST_MS  250

/* Slots that were scaled away are no part of health any more; their numbers stay in the sums. */
static void
look_for_retired(struct master *m)
{
	const struct slot *s;
	size_t i;

	for (i = 0; i < m->slot_count; i++) {
		s = &m->slots[i];
		__atomic_store_n(&m->board->seats[s->page - m->board->slots].retired,
		    !s->wanted && s->state == SLOT_IDLE, __ATOMIC_RELAXED);
	}
}

static void
look_at_moves(void *arg)
{
	struct master *m = arg;

	m->moved = false;
	replace_look(m);
	reload_look(m);
	strategy_look(m);
	scale_look(m);
	upgrade_look(m);
	look_for_retired(m);
}

void
look_soon(struct master *m)
{
	if (!m->moved)
		loop_at_end(m->loop, look_at_moves, m);
	m->moved = true;
}

struct look_role {
	unsigned wanted, failed, ready;
	int64_t failed_ns; /* since when all of them have */
};

static void
look_count(const struct master *m, enum role role, struct look_role *sum)
{
	const struct slot *s;
	size_t i;

	*sum = (struct look_role){ 0 };
	for (i = 0; i < m->slot_count; i++) {
		s = &m->slots[i];
		if (s->role != role || !s->current || !s->wanted || !s->required)
			continue;
		sum->wanted++;
		sum->failed += s->failed;
		sum->ready += s->state == SLOT_READY;
		if (s->failed && s->failed_ns > sum->failed_ns)
			sum->failed_ns = s->failed_ns;
	}
}

/* A role of which nothing works for so long is not mended from here: who supervises this gateway shall see it. */
static void
look_for_failed_roles(struct master *m, int64_t now)
{
	static const enum role roles[] = { ROLE_FETCHER, ROLE_CACHE_WRITER, ROLE_HTTP };
	struct look_role sum;
	size_t i;

	if (m->conf.supervisor_fail_timeout == 0 || m->stop.phase != STOP_NOT)
		return;
	for (i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		look_count(m, roles[i], &sum);
		if (sum.wanted == 0 || sum.failed < sum.wanted || sum.ready > 0 ||
		    now - sum.failed_ns < m->conf.supervisor_fail_timeout * CLOCK_MS)
			continue;
		log_error("%s: a required role, has failed for %lld s: the gateway ends",
		    role_name(roles[i]), (long long)((now - sum.failed_ns) / CLOCK_SEC));
		m->stop.code = EXIT_WITH_UNAVAILABLE;
		stop_begin(m, 0);
		return;
	}
}

static int64_t
look_interval_ms(const struct master *m)
{
	int64_t ms = m->conf.supervisor_hang_timeout / LOOK_SHARE;

	if (ms == 0 || ms > LOOK_MOST_MS)
		return LOOK_MOST_MS;
	return ms < LOOK_LEAST_MS ? LOOK_LEAST_MS : ms;
}

/* Whom it watches is ended for as much; itself it can only tell of, once it goes on. */
static void
look_at_itself(struct master *m, int64_t since_ns)
{
	int64_t limit = m->conf.supervisor_hang_timeout * CLOCK_MS;

	if (limit == 0 || since_ns < limit)
		return;
	log_warn("the master stood still for %.1f s", (double)since_ns / (double)CLOCK_SEC);
	trouble_note(&m->stats, LABEL(trouble, STALL), "its loop stood still for %.1f s",
	    (double)since_ns / (double)CLOCK_SEC);
}

static void
look_tick(void *arg)
{
	struct master *m = arg;
	int64_t now = clock_mono();

	look_at_itself(m, now - m->ticked_ns);
	hang_look(m, now - m->ticked_ns);
	m->ticked_ns = now;
	look_for_failed_roles(m, now);
	recycle_look(m);
	reload_tick(m, now);
	if (oom_is_due(&m->oom, now))
		oom_look(&m->oom, oom_kills(OOM_VMSTAT), now);
	proc_log_tick(&m->stats);
	loop_timer_set(&m->tick, look_interval_ms(m));
}

void
look_open(struct master *m)
{
	m->ticked_ns = clock_mono();
	oom_look(&m->oom, oom_kills(OOM_VMSTAT), m->ticked_ns);
	loop_timer_open(m->loop, &m->tick, look_tick, m);
	loop_timer_set(&m->tick, look_interval_ms(m));
}

void
look_close(struct master *m)
{
	loop_timer_close(&m->tick);
}
