/* act.c - the actions of slot_states.def.
 *
 * Each runs in the new state and is the only place that state's timer is set. None of them waits.
 */
#include "master_room.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "clock.h"
#include "label.h"
#include "log.h"
#include "text.h"

#define SLOT_END_MS	    1000 /* between the end of the control channel and the end of the process */
#define SLOT_TALK_BURST	    2000 /* a worker may lose its channels to all others at once */
#define SLOT_TALK_A_SECOND  200
#define SLOT_JITTER	    20	 /* per cent */
#define SLOT_DRAIN_LEAST_MS 2000 /* for those whose turn comes when the time is used up */
#define SLOT_DRAIN_GRACE_MS 250	 /* a worker ends by itself at the deadline it was told */

/* The interpreter logs it; nothing is done. */
void
slot_impossible(struct slot *s)
{
	(void)s;
}

void
slot_nothing(struct slot *s)
{
	(void)s;
}

bool
slot_has_process(const struct slot *s)
{
	return s->pid > 0;
}

uint32_t
slot_delay_ms(struct slot *s)
{
	if (s->died_lately)
		return backoff_next_jittered_ms(&s->backoff, SLOT_JITTER);
	s->died_lately = true;
	return 0;
}

static void
slot_page_spawned(struct slot *s)
{
	int64_t now = clock_wall();

	if (s->page->spawned_ns != 0)
		s->page->restarts++;
	s->page->pid = s->pid;
	s->page->spawned_ns = now;
	s->page->ready_ns = 0;
	s->page->generation = (uint32_t)s->master->generation;
	metric_set(&s->stats, M_WORKER_STARTED, 0, 0, (uint64_t)now);
}

void
slot_spawn(struct slot *s)
{
	s->cause = CAUSE_NONE;
	limit_init(&s->talk, SLOT_TALK_BURST, SLOT_TALK_A_SECOND, clock_mono());
	if (spawn_process(s) != E_OK) {
		slot_event(s, SLOT_ON_UNBORN);
		return;
	}
	slot_page_spawned(s);
	log_info("%s: started, pid %d", s->name, (int)s->pid);
	loop_timer_set(&s->timer, s->ready_ms);
	wire_settings(s);
	wire_listeners(s);
	wire_peers(s);
}

void
slot_serve(struct slot *s)
{
	s->was_ready = true;
	s->page->ready_ns = clock_wall();
	metric_set(&s->stats, M_WORKER_UP, 0, 0, 1);
	loop_timer_set(&s->timer, s->master->conf.supervisor_stable_after);
	log_info("%s: ready after %.1f ms", s->name,
	    (double)(s->page->ready_ns - s->page->spawned_ns) / (double)CLOCK_MS);
	slots_note_ready(s->master);
}

void
slot_steady(struct slot *s)
{
	s->died_lately = false;
	backoff_reset(&s->backoff);
}

void
slot_await_end(struct slot *s)
{
	loop_timer_set(&s->timer, SLOT_END_MS);
}

void
slot_delay(struct slot *s)
{
	uint32_t ms = slot_delay_ms(s);

	if (ms > 0)
		log_info("%s: starting again in %u ms", s->name, (unsigned)ms);
	loop_timer_set(&s->timer, ms);
}

struct slot_cause_row {
	const char *text; /* behind how the process ended */
	unsigned label;
};

static const struct slot_cause_row slot_causes[] = {
	[CAUSE_NOT_READY] = { " after it was not ready in time", LABEL(cause, NOT_READY) },
	[CAUSE_PROTOCOL] = { " after it broke the protocol", LABEL(cause, PROTOCOL) },
	[CAUSE_HANG] = { " after its loop stood still", LABEL(cause, HANG) },
	[CAUSE_SLOW_DRAIN] = { " after it did not finish in time", LABEL(cause, HANG) },
	[CAUSE_RELOAD] = { " replaced by a reload", LABEL(cause, RELOAD) },
	[CAUSE_UPGRADE] = { " replaced by an upgrade", LABEL(cause, UPGRADE) },
	[CAUSE_RECYCLE] = { " recycled", LABEL(cause, RECYCLE) },
	[CAUSE_ASKED] = { " replaced as asked", LABEL(cause, ASKED) },
	[CAUSE_STRATEGY] = { " replaced with another role", LABEL(cause, STRATEGY) },
	[CAUSE_STOP] = { "", LABEL(cause, EXIT) },
};

static const char *
slot_cause_text(const struct slot *s)
{
	return s->cause == CAUSE_NONE ? "" : slot_causes[s->cause].text;
}

/* What is left of a process, for good or until the next: page, channel, links. */
static void
slot_clear(struct slot *s)
{
	char text[80];

	reap_text(s->wait_status, text, sizeof(text));
	if (snprintf(s->page->last_exit, sizeof(s->page->last_exit), "%s%s", text,
		slot_cause_text(s)) < 0)
		s->page->last_exit[0] = '\0';
	s->page->last_exit_ns = clock_wall();
	s->page->ready_ns = 0;
	s->page->pid = 0;
	s->pid = 0;
	board_slot_clear(s->page);
	control_drop(s);
	wire_forget(s);
}

static unsigned
slot_cause_label(const struct slot *s)
{
	if (s->cause != CAUSE_NONE)
		return slot_causes[s->cause].label;
	return WIFSIGNALED(s->wait_status) ? LABEL(cause, SIGNAL) : LABEL(cause, EXIT);
}

/* A process that never worked and says why no other could: the operator must act, so the gateway ends. */
static bool
slot_is_hopeless(const struct slot *s)
{
	return !s->was_ready && WIFEXITED(s->wait_status) &&
	       exit_is_fatal(WEXITSTATUS(s->wait_status));
}

void
slot_mourn(struct slot *s)
{
	bool hopeless = slot_is_hopeless(s);
	int pid = (int)s->pid;

	slot_clear(s);
	metric_add(&s->stats, M_WORKER_RESTARTS, slot_cause_label(s), 0, 1);
	if (hopeless) {
		log_error("%s: ended before it was ever ready (%s): the gateway ends", s->name,
		    s->page->last_exit);
		stop_now(s->master, (enum exit_code)WEXITSTATUS(s->wait_status));
		return;
	}
	log_error("%s: pid %d ended: %s", s->name, pid, s->page->last_exit);
	slot_delay(s);
}

void
slot_bury(struct slot *s)
{
	slot_clear(s);
	log_info("%s: ended: %s", s->name, s->page->last_exit);
	stop_look(s->master);
}

void
slot_rest(struct slot *s)
{
	stop_look(s->master);
}

void
slot_kill(struct slot *s)
{
	control_drop(s);
	if (slot_has_process(s) && kill(s->pid, SIGKILL) != 0)
		log_error("%s: pid %d cannot be killed: %s", s->name, (int)s->pid, strerror(errno));
}

void
slot_kill_late(struct slot *s)
{
	log_error("%s: not ready after %lld ms: killed", s->name, (long long)s->ready_ms);
	s->cause = CAUSE_NOT_READY;
	slot_kill(s);
}

void
slot_kill_stray(struct slot *s)
{
	log_error("%s: closed its control channel and did not end: killed", s->name);
	s->cause = CAUSE_PROTOCOL;
	slot_kill(s);
}

/* A process that cannot be told any more is asked by a signal. */
void
slot_drain(struct slot *s)
{
	int64_t left = (s->master->stop.deadline_ns - clock_mono()) / CLOCK_MS;
	struct msg_drain drain;

	if (left < SLOT_DRAIN_LEAST_MS)
		left = SLOT_DRAIN_LEAST_MS;
	drain.timeout_ms = (uint64_t)left;
	loop_timer_set(&s->timer, left + SLOT_DRAIN_GRACE_MS);
	if (s->control == NULL || chan_send(s->control, MSG_DRAIN, &drain) != E_OK)
		(void)kill(s->pid, SIGTERM);
}
