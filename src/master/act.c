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
#include "mem.h"
#include "text.h"

#define SLOT_END_MS	    1000 /* between the end of the control channel and the end of the process */
#define SLOT_KILL_MS	    2000 /* SIGKILL takes effect at once, but in the kernel */
#define SLOT_OUTLIVE_MS	    60000
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

	s->page->pid = s->pid;
	s->page->spawned_ns = now;
	s->page->ready_ns = 0;
	s->page->generation = (uint32_t)slot_generation(s);
	metric_set(&s->stats, M_WORKER_STARTED, 0, 0, (uint64_t)now);
}

void
slot_spawn(struct slot *s)
{
	s->cause = CAUSE_NONE;
	s->steady = false;
	s->accused_ns = 0;
	s->births++;
	s->spawned_mono_ns = clock_mono();
	s->hang = (struct hang_watch){ 0 };
	memset(&s->page->crash, 0, sizeof(s->page->crash));
	memset(&s->page->log, 0, sizeof(s->page->log));
	s->page->doing[0] = '\0';
	s->page->doing_on = 0;
	limit_init(&s->talk, SLOT_TALK_BURST, SLOT_TALK_A_SECOND, s->spawned_mono_ns);
	if (spawn_process(s) != E_OK) {
		/* Whoever tells why it failed must not tell how the process before it ended. */
		(void)text_copy(
		    s->page->last_exit, sizeof(s->page->last_exit), "the system refused a process");
		s->page->last_exit_ns = clock_wall();
		slot_event(s, SLOT_ON_UNBORN);
		return;
	}
	slot_page_spawned(s);
	recycle_begin(s);
	log_info("%s: started, pid %d", s->name, (int)s->pid);
	loop_timer_set(&s->timer, s->ready_ms);
	wire_settings(s);
	/* A successor takes no client before it takes over: until then it may be ended and nobody loses anything. */
	if (s->current)
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
	/* Whose it is tells lines apart: of one text only a few a second are written. */
	log_info("%s: ready after %.1f ms, pid %d", s->name,
	    (double)(s->page->ready_ns - s->page->spawned_ns) / (double)CLOCK_MS, (int)s->pid);
	slots_note_ready(s->master);
}

void
slot_adopt(struct slot *s)
{
	s->state = SLOT_READY;
	s->cause = CAUSE_NONE;
	(void)text_copy(s->page->state, sizeof(s->page->state), slot_state_name(s->state));
	limit_init(&s->talk, SLOT_TALK_BURST, SLOT_TALK_A_SECOND, clock_mono());
	loop_timer_set(&s->timer, s->master->conf.supervisor_stable_after);
}

static void
slot_forgive(struct slot *s)
{
	s->died_lately = s->failed = false;
	s->death_count = 0;
	s->page->failed_ns = 0;
	backoff_reset(&s->backoff);
}

/* A successor is judged by itself: those before it in its seat may have died of what is mended by now. */
void
slot_forget(struct slot *s)
{
	slot_forgive(s);
	s->was_ready = s->steady = false;
}

void
slot_steady(struct slot *s)
{
	if (s->failed)
		log_info("%s: has not failed any more: steady", s->name);
	s->steady = true;
	slot_forgive(s);
}

void
slot_await_end(struct slot *s)
{
	loop_timer_set(&s->timer, SLOT_END_MS);
}

static void
slot_wait(struct slot *s, uint32_t ms)
{
	s->due_ns = clock_mono() + ms * CLOCK_MS;
	loop_timer_set(&s->timer, ms);
}

static void
slot_pause(struct slot *s)
{
	uint32_t ms = slot_delay_ms(s);

	if (ms > 0)
		log_info("%s: starting again in %u ms", s->name, (unsigned)ms);
	slot_wait(s, ms);
}

struct slot_cause_row {
	const char *name, *text; /* text stands behind how the process ended */
	unsigned label;
};

static const struct slot_cause_row slot_causes[] = {
	[CAUSE_NONE] = { "", "", LABEL(cause, EXIT) },
	[CAUSE_NOT_READY] = { "not_ready", " after it was not ready in time",
	    LABEL(cause, NOT_READY) },
	[CAUSE_PROTOCOL] = { "protocol", " after it broke the protocol", LABEL(cause, PROTOCOL) },
	[CAUSE_HANG] = { "hang", " after its loop stood still", LABEL(cause, HANG) },
	[CAUSE_SLOW_DRAIN] = { "slow_drain", " after it did not finish in time",
	    LABEL(cause, HANG) },
	[CAUSE_OOM] = { "oom", " for want of memory", LABEL(cause, OOM) },
	[CAUSE_RELOAD] = { "reload", ", replaced by a reload", LABEL(cause, RELOAD) },
	[CAUSE_UPGRADE] = { "upgrade", ", replaced by an upgrade", LABEL(cause, UPGRADE) },
	[CAUSE_RECYCLE] = { "recycle", ", recycled", LABEL(cause, RECYCLE) },
	[CAUSE_ASKED] = { "asked", ", replaced as asked", LABEL(cause, ASKED) },
	[CAUSE_STRATEGY] = { "strategy", ", replaced together with another",
	    LABEL(cause, STRATEGY) },
	[CAUSE_STOP] = { "stop", "", LABEL(cause, EXIT) },
};

/* The master's own doing in the end of a process that it did not wish for. */
static bool
slot_cause_is_fault(const struct slot *s)
{
	return s->cause == CAUSE_NOT_READY || s->cause == CAUSE_PROTOCOL ||
	       s->cause == CAUSE_HANG || s->cause == CAUSE_SLOW_DRAIN || s->cause == CAUSE_OOM;
}

static bool
slot_ended_badly(const struct slot *s)
{
	if (s->cause == CAUSE_STOP && WIFSIGNALED(s->wait_status) &&
	    WTERMSIG(s->wait_status) == SIGKILL)
		return false;
	return slot_cause_is_fault(s) || WIFSIGNALED(s->wait_status) ||
	       WEXITSTATUS(s->wait_status) != EXIT_WITH_OK;
}

static void
slot_starved(struct slot *s)
{
	s->cause = CAUSE_OOM;
	trouble_note(&s->master->stats, LABEL(trouble, MEMORY),
	    "%s: the kernel ended its process for want of memory", s->name);
}

static void
slot_report(struct slot *s)
{
	if (s->cause == CAUSE_NONE && WIFSIGNALED(s->wait_status) &&
	    WTERMSIG(s->wait_status) == SIGKILL && oom_grew(&s->master->oom, oom_kills(OOM_VMSTAT)))
		slot_starved(s);
	if (!slot_ended_badly(s))
		crash_forget(s);
	else
		crash_report(
		    s, slot_cause_is_fault(s) ? slot_causes[s->cause].name : s->page->last_exit);
}

/* What is left of a process, for good or until the next: page, channel, links. */
static void
slot_clear(struct slot *s)
{
	char text[80];

	reap_text(s->wait_status, text, sizeof(text));
	(void)text_copy(s->page->last_exit, sizeof(s->page->last_exit), text);
	slot_report(s);
	if (snprintf(s->page->last_exit, sizeof(s->page->last_exit), "%s%s", text,
		slot_causes[s->cause].text) < 0)
		s->page->last_exit[0] = '\0';
	s->page->last_exit_ns = clock_wall();
	s->page->ready_ns = 0;
	s->page->pid = 0;
	s->pid = 0;
	board_slot_clear(s->page);
	control_drop(s);
	wire_forget(s);
}

static void
slot_count_replaced(struct slot *s)
{
	unsigned label = slot_causes[s->cause].label;

	if (s->cause == CAUSE_NONE && WIFSIGNALED(s->wait_status))
		label = LABEL(cause, SIGNAL);
	metric_add(&s->stats, M_WORKER_RESTARTS, label, 0, 1);
}

/* A process that never worked and says why no other could: the operator must act, so the gateway ends. Once all
 * have worked that is one slot's failure, and no reason to end what serves; nor is it of one that may be missing. */
static bool
slot_is_hopeless(const struct slot *s)
{
	return s->required && !s->was_ready && s->current && s->master->board->all_ready_ns == 0 &&
	       WIFEXITED(s->wait_status) && exit_is_fatal(WEXITSTATUS(s->wait_status));
}

/* Deaths of processes that had been steady do not count: what comes now and then is no failure of the slot. */
static bool
slot_dies_too_often(struct slot *s)
{
	const struct conf *c = &s->master->conf;
	int64_t now = clock_mono();
	unsigned i, lately = 0, kept;

	if (s->steady)
		return false;
	if (s->deaths_ns == NULL)
		s->deaths_ns = mem_array(SLOT_DEATHS_MAX, sizeof(*s->deaths_ns));
	s->deaths_ns[s->death_count++ % SLOT_DEATHS_MAX] = now;
	kept = s->death_count < SLOT_DEATHS_MAX ? s->death_count : SLOT_DEATHS_MAX;
	for (i = 0; i < kept; i++)
		lately += now - s->deaths_ns[i] <= c->supervisor_fail_window * CLOCK_MS;
	return s->failed || lately >= (unsigned)c->supervisor_fail_deaths;
}

/* A process the system refuses counts as one that died: what cannot be started does not work. */
void
slot_delay(struct slot *s)
{
	if (slot_dies_too_often(s))
		slot_event(s, SLOT_ON_FAIL);
	else
		slot_pause(s);
}

void
slot_mourn(struct slot *s)
{
	bool hopeless = slot_is_hopeless(s);
	int pid = (int)s->pid;

	slot_clear(s);
	slot_count_replaced(s);
	s->page->restarts++;
	if (hopeless) {
		log_error("%s: ended before it was ever ready (%s): the gateway ends", s->name,
		    s->page->last_exit);
		stop_now(s->master, (enum exit_code)WEXITSTATUS(s->wait_status));
		return;
	}
	log_error("%s: pid %d ended: %s", s->name, pid, s->page->last_exit);
	if (slot_dies_too_often(s))
		slot_event(s, SLOT_ON_FAIL);
	else
		slot_pause(s);
	strategy_begin(s);
}

void
slot_fail(struct slot *s)
{
	struct backoff longest = { .floor_ms = s->backoff.ceiling_ms,
		.ceiling_ms = s->backoff.ceiling_ms };
	uint32_t ms = backoff_next_jittered_ms(&longest, SLOT_JITTER);

	if (!s->failed) {
		s->failed = true;
		s->failed_ns = clock_mono();
		s->page->failed_ns = clock_wall();
		log_error("%s: has failed: %lld deaths within %lld s, the last: %s", s->name,
		    (long long)s->master->conf.supervisor_fail_deaths,
		    (long long)s->master->conf.supervisor_fail_window / 1000, s->page->last_exit);
	}
	log_info("%s: trying again in %u ms", s->name, (unsigned)ms);
	slot_wait(s, ms);
}

/* It was told to end so that another can take over; its end is no fault, unless it was one. */
void
slot_renew(struct slot *s)
{
	slot_clear(s);
	slot_count_replaced(s);
	log_info("%s: ended: %s", s->name, s->page->last_exit);
	slot_spawn(s);
}

void
slot_bury(struct slot *s)
{
	slot_clear(s);
	if (s->cause != CAUSE_STOP)
		slot_count_replaced(s);
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
	s->outlived = 0;
	slot_await_kill(s);
}

void
slot_await_kill(struct slot *s)
{
	loop_timer_set(&s->timer, s->outlived == 0 ? SLOT_KILL_MS : SLOT_OUTLIVE_MS);
}

/* Nothing more can be done to it; whoever waits for the slot shall know what for. */
void
slot_outlive(struct slot *s)
{
	char where[112];

	s->outlived++;
	hang_text(s->pid, where, sizeof(where));
	log_error("%s: pid %d was killed and does not end: the kernel holds it, %s", s->name,
	    (int)s->pid, where);
	slot_await_kill(s);
}

void
slot_kill_stray(struct slot *s)
{
	log_error("%s: closed its control channel and did not end: killed", s->name);
	s->cause = CAUSE_PROTOCOL;
	slot_kill(s);
}

void
slot_await_dump(struct slot *s)
{
	loop_timer_set(&s->timer, s->master->conf.supervisor_dump_timeout);
}

/* A stopped process takes no signal but these two: it goes on, finds the first, and says where it stood. */
static void
slot_abort(struct slot *s, enum slot_cause cause)
{
	s->cause = cause;
	crash_look(s);
	control_drop(s);
	if (slot_has_process(s) && (kill(s->pid, SIGABRT) != 0 || kill(s->pid, SIGCONT) != 0))
		log_error(
		    "%s: pid %d cannot be aborted: %s", s->name, (int)s->pid, strerror(errno));
	slot_await_dump(s);
}

void
slot_abort_late(struct slot *s)
{
	log_error("%s: not ready after %lld ms: aborted", s->name, (long long)s->ready_ms);
	slot_abort(s, CAUSE_NOT_READY);
}

void
slot_abort_hung(struct slot *s)
{
	log_error("%s: pid %d: its loop stands still, for %lld ms now: aborted", s->name,
	    (int)s->pid, (long long)(s->hang.still_ns / CLOCK_MS));
	metric_add(&s->stats, M_WORKER_HANGS, 0, 0, 1);
	slot_abort(s, CAUSE_HANG);
}

void
slot_abort_slow(struct slot *s)
{
	log_error("%s: pid %d did not finish in time: aborted", s->name, (int)s->pid);
	slot_abort(s, CAUSE_SLOW_DRAIN);
}

static int64_t
slot_drain_ms(const struct slot *s)
{
	const struct master *m = s->master;
	int64_t left;

	if (m->stop.phase == STOP_NOT)
		return m->conf.supervisor_drain_timeout;
	left = (m->stop.deadline_ns - clock_mono()) / CLOCK_MS;
	return left > SLOT_DRAIN_LEAST_MS ? left : SLOT_DRAIN_LEAST_MS;
}

/* A process that cannot be told any more is asked by a signal. */
void
slot_drain(struct slot *s)
{
	int64_t left = slot_drain_ms(s);
	struct msg_drain drain = { .timeout_ms = (uint64_t)left };

	loop_timer_set(&s->timer, left + SLOT_DRAIN_GRACE_MS);
	if ((s->control == NULL || chan_send(s->control, MSG_DRAIN, &drain) != E_OK) &&
	    slot_has_process(s))
		(void)kill(s->pid, SIGTERM);
}
