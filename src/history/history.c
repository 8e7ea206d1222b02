/* history.c - questions to the store: how long each may take, and when it is better not to ask. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "backoff.h"
#include "clock.h"
#include "history_room.h"
#include "log.h"
#include "mem.h"
#include "text.h"

/* So many failures in a row and the store is left alone for a while, which doubles. */
#define FAILURES_MAX   3
#define PAUSE_MIN_MS   500
#define PAUSE_MAX_MS   30000

#define SPARE_ROOM_MIN 1000 /* rows */
#define SPARE_KEPT_MS  1000

struct history {
	struct loop *loop;
	const struct history_kind *kind;
	struct threads *store;
	struct history_tickets waiting;
	struct loop_timer timer;
	unsigned failures;
	struct backoff pause;
	int64_t asked_again_ns;	   /* the breaker is open until then, monotonic */
	struct history_row *spare; /* of an answer before, for a moment */
	size_t spare_room;
	struct loop_timer spare_timer;
};

static void history_expire(void *);

/* Large memory goes back to the system and comes anew page by page, which is a tenth of a large answer's time. An
 * idle worker keeps none. */
static void
spare_drop(void *owner)
{
	struct history *h = owner;

	mem_free(&h->spare);
}

void
history_give_back(struct history *h, struct history_row **rows, size_t room)
{
	if (*rows == NULL || h->spare != NULL || room < SPARE_ROOM_MIN || room > HISTORY_ROWS_MAX) {
		mem_free(rows);
		return;
	}
	h->spare = *rows;
	h->spare_room = room;
	*rows = NULL;
	loop_timer_set(&h->spare_timer, SPARE_KEPT_MS);
}

static void
spare_use(struct history *h, struct history_answer *a, size_t limit)
{
	if (h->spare == NULL || h->spare_room < limit)
		return;
	a->rows = h->spare;
	a->room = h->spare_room;
	h->spare = NULL;
}

struct history *
history_open(struct loop *loop, const struct conf *conf)
{
	struct history *h = mem_alloc(sizeof(*h));

	h->loop = loop;
	h->kind = conf->postgres_url[0] != '\0' || conf->postgres_read_url[0] != '\0'
		      ? &history_postgres
		      : &history_sqlite;
	h->pause = (struct backoff){ .floor_ms = PAUSE_MIN_MS, .ceiling_ms = PAUSE_MAX_MS };
	TAILQ_INIT(&h->waiting);
	loop_timer_open(loop, &h->timer, history_expire, h);
	loop_timer_open(loop, &h->spare_timer, spare_drop, h);
	h->store = threads_open(h, h->kind, conf);
	return h;
}

struct loop *
history_loop(const struct history *h)
{
	return h->loop;
}

const char *
history_store(const struct history *h)
{
	return h->kind->name;
}

static void
ticket_leave(struct history_ticket *t)
{
	if (t->hook != NULL)
		TAILQ_REMOVE(&t->history->waiting, t, link);
	t->hook = NULL;
	atomic_store(&t->gone, true);
}

static void
ticket_free(struct history_ticket **tp)
{
	picking_fini(&(*tp)->picking);
	mem_free(tp);
}

void
history_close(struct history **hp)
{
	struct history *h = *hp;

	if (h == NULL)
		return;
	while (!TAILQ_EMPTY(&h->waiting))
		ticket_leave(TAILQ_FIRST(&h->waiting));
	threads_close(h->store);
	loop_timer_close(&h->timer);
	loop_timer_close(&h->spare_timer);
	spare_drop(h);
	mem_free(hp);
}

static bool
history_rests(const struct history *h)
{
	return h->failures >= FAILURES_MAX && clock_mono() < h->asked_again_ns;
}

/* Of questions that wait together many fail at once: those that were asked before the store was left alone say nothing
 * new, and would double a short rest to the longest in an instant. */
static void
history_failed(struct history *h, const char *why)
{
	uint32_t pause;

	if (history_rests(h) || ++h->failures < FAILURES_MAX)
		return;
	pause = backoff_next_ms(&h->pause);
	h->asked_again_ns = clock_mono() + pause * CLOCK_MS;
	if (h->failures == FAILURES_MAX)
		log_warn("history %s: not read for %" PRIu32
			 " ms, bars and trades are fetched instead: %s",
		    h->kind->name, pause, why);
}

static void
history_worked(struct history *h)
{
	if (h->failures >= FAILURES_MAX)
		log_info("history %s: read again", h->kind->name);
	h->failures = 0;
	backoff_reset(&h->pause);
}

static void
history_set_timer(struct history *h)
{
	const struct history_ticket *t = TAILQ_FIRST(&h->waiting);
	int64_t left;

	if (t == NULL) {
		loop_timer_clear(&h->timer);
		return;
	}
	left = t->deadline_ns - clock_mono();
	loop_timer_set(&h->timer, left > 0 ? left / CLOCK_MS + 1 : 0);
}

/* All wait equally long, so the list in the order of asking is the list of deadlines; a new setting of the time
 * makes one of them late by what it was lowered. */
static void
history_expire(void *owner)
{
	struct history *h = owner;
	struct history_answer late = { .error = E_STORE, .late = true };
	struct history_ticket *t;
	history_hook *hook;

	snprintf(late.why, sizeof(late.why), "it did not answer in time (history.wait)");
	while ((t = TAILQ_FIRST(&h->waiting)) != NULL && t->deadline_ns <= clock_mono()) {
		hook = t->hook;
		ticket_leave(t);
		history_failed(h, late.why);
		hook(&late, t->owner);
	}
	history_set_timer(h);
}

int
history_ask(struct history *h, const struct history_question *q, history_hook *hook, void *owner,
    struct history_ticket **out)
{
	struct history_ticket *t;
	int r;

	if (history_rests(h))
		return E_CLOSED;
	t = mem_alloc(sizeof(*t));
	t->history = h;
	t->question = *q;
	t->hook = hook;
	t->owner = owner;
	t->deadline_ns = clock_mono() + q->wait_ms * CLOCK_MS;
	picking_init(&t->picking, &t->question);
	spare_use(h, &t->picking.answer, q->limit);
	TAILQ_INSERT_TAIL(&h->waiting, t, link);
	if ((r = threads_ask(h->store, t)) != E_OK) {
		ticket_leave(t);
		ticket_free(&t);
		return r;
	}
	if (!loop_timer_is_set(&h->timer))
		history_set_timer(h);
	*out = t;
	return E_OK;
}

void
history_cancel(struct history_ticket *t)
{
	ticket_leave(t);
}

void
history_done(struct history_ticket *t)
{
	struct history *h = t->history;
	history_hook *hook = t->hook;

	if (hook == NULL) {
		ticket_free(&t);
		return;
	}
	ticket_leave(t);
	/* Who reads looks at the same deadline, in whole milliseconds, and may be the first to see it. */
	t->picking.answer.late =
	    t->picking.answer.error != E_OK && clock_mono() + CLOCK_MS >= t->deadline_ns;
	if (t->picking.answer.error == E_OK)
		history_worked(h);
	else
		history_failed(h, t->picking.answer.why);
	hook(&t->picking.answer, t->owner);
	history_give_back(h, &t->picking.answer.rows, t->picking.answer.room);
	ticket_free(&t);
}
