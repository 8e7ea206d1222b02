/* stop.c - the end of the gateway.
 *
 * At once readiness says no; for a while everything goes on, so that balancers notice; then the roles drain
 * one after the other, along the way data takes, so that nothing journalled stays unstored. Each wait
 * ends by the deadline of its slots; a second request ends everything at once.
 */
#include "master_room.h"

#include "clock.h"
#include "log.h"

#define STOP_KILL_MS  2000 /* a process that SIGKILL does not end is the kernel's */
#define STOP_LIMIT_MS 4000 /* what all roles together may take beyond the time for draining */

/* Data comes in at http, goes by the fetcher and ends with the writer: links.def, as an order. */
static const enum role stop_order[] = { ROLE_HTTP, ROLE_FETCHER, ROLE_CACHE_WRITER, ROLE_TRACER };

#define STOP_STEPS (sizeof(stop_order) / sizeof(stop_order[0]))

static void
stop_finish(struct master *m)
{
	m->stop.phase = STOP_DONE;
	loop_stop(m->loop);
}

/* Passes every role that came to rest; what still runs will bring this back. */
static void
stop_step(struct master *m)
{
	for (; m->stop.step < STOP_STEPS; m->stop.step++, m->stop.told = false) {
		if (!m->stop.told) {
			m->stop.told = true;
			slots_cause(m, stop_order[m->stop.step], CAUSE_STOP);
			slots_event(m, stop_order[m->stop.step], SLOT_ON_DRAIN);
		}
		if (!slots_are_idle(m, stop_order[m->stop.step]))
			return;
		/* Nobody is left to accept: a client is better refused than left waiting. */
		if (stop_order[m->stop.step] == ROLE_HTTP)
			listen_close(&m->http);
	}
	stop_finish(m);
}

static void
stop_drain(struct master *m)
{
	m->stop.phase = STOP_DRAIN;
	m->stop.deadline_ns = clock_mono() + m->conf.supervisor_drain_timeout * CLOCK_MS;
	loop_timer_set(&m->stop.limit, m->conf.supervisor_drain_timeout + STOP_LIMIT_MS);
	log_info("draining, for %lld ms at most", (long long)m->conf.supervisor_drain_timeout);
	stop_step(m);
}

static void
stop_timer(void *arg)
{
	struct master *m = arg;

	switch (m->stop.phase) {
	case STOP_DELAY:
		stop_drain(m);
		break;
	case STOP_DRAIN:
		stop_step(m);
		break;
	case STOP_KILL:
		if (!slots_are_idle(m, ROLE_ANY))
			log_error("a worker was killed and does not end: leaving it to the system");
		stop_finish(m);
		break;
	case STOP_NOT:
	case STOP_DONE:
		break;
	}
}

/* From within a slot's action: the step is taken in the next turn. */
void
stop_look(struct master *m)
{
	if (m->stop.phase == STOP_DRAIN ||
	    (m->stop.phase == STOP_KILL && slots_are_idle(m, ROLE_ANY)))
		loop_timer_set(&m->stop.timer, 0);
}

/* Whatever is under way with slots ends where it is. */
static void
stop_cancel(struct master *m)
{
	strategy_cancel(m);
	reload_cancel(m, "the gateway is stopping");
	upgrade_cancel(m);
	replace_cancel_all(m, "the gateway is stopping");
	look_soon(m);
}

void
stop_now(struct master *m, enum exit_code code)
{
	if (m->stop.phase == STOP_KILL || m->stop.phase == STOP_DONE)
		return;
	m->board->stopping = 1;
	m->stop.phase = STOP_KILL;
	m->stop.code = code;
	stop_cancel(m);
	loop_timer_set(&m->stop.timer, STOP_KILL_MS);
	slots_cause(m, ROLE_ANY, CAUSE_STOP);
	slots_event(m, ROLE_ANY, SLOT_ON_KILL);
	notify_stopping(m);
	stop_look(m);
}

void
stop_begin(struct master *m, int64_t delay_ms)
{
	if (m->stop.phase != STOP_NOT) {
		log_warn("asked again: ending at once");
		stop_now(m, m->stop.code);
		return;
	}
	m->board->stopping = 1;
	m->stop.phase = STOP_DELAY;
	stop_cancel(m);
	if (delay_ms > 0)
		log_info("stopping: accepting for another %lld ms", (long long)delay_ms);
	loop_timer_set(&m->stop.timer, delay_ms);
	notify_stopping(m);
}

static void
stop_at_limit(void *arg)
{
	struct master *m = arg;

	log_error("not drained in time: ending at once");
	stop_now(m, m->stop.code);
}

void
stop_open(struct master *m)
{
	m->stop.code = EXIT_WITH_OK;
	loop_timer_open(m->loop, &m->stop.timer, stop_timer, m);
	loop_timer_open(m->loop, &m->stop.limit, stop_at_limit, m);
}

void
stop_close(struct master *m)
{
	loop_timer_close(&m->stop.timer);
	loop_timer_close(&m->stop.limit);
}
