/* writer.c - all journals into one store: who is next, what when the store fails, what is told to whom.
 *
 * The store is open or it is not. Any failure closes it; an attempt to open it anew follows after a growing
 * delay, and every tail then starts again from the position it finds there. So a store that was down, full,
 * replaced, restored from a copy or is another server by now is one and the same case. Nothing is held in memory
 * meanwhile but two batches: the journal is the spool.
 *
 * One request to the store is unanswered at a time; the pump asks the next one whenever there is none. Hooks only
 * note what was answered and wake the pump.
 */
#include "writer_room.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "label.h"
#include "log.h"
#include "mem.h"
#include "text.h"

#define TURN_MS		 10   /* of storing before the loop turns again */
#define AHEAD_MS	 40   /* of reading a batch for a store that works beside us */
#define CHECK_MS	 1000 /* between round trips to the store, and between syncs */
#define RETRY_FLOOR_MS	 100
#define RETRY_LIMIT_MS	 10000
#define DRAIN_SHARE	 80 /* percent of the time allowed that draining takes at most */
#define DISK_PATIENCE_MS 30000

static struct tail *
tail_of(struct writer *w, const char *source)
{
	return tails_get(&w->tails, source, w->prefix, w->conf->state_dir);
}

static void
journal_found(const char *source, void *owner)
{
	(void)tail_of(owner, source);
}

/* Fills a batch, if somebody has one. */
static bool
batch_fill(struct writer *w, struct tail **whose, struct tail_batch *batch)
{
	struct tail_bound bound = { .rows = rows_allowed(
					&w->rows, (uint64_t)w->conf->store_batch_rows) };
	int64_t turn_ms = w->kind->ahead ? AHEAD_MS : TURN_MS;
	struct tail *t;

	while (!w->failed && (t = tails_next(&w->tails)) != NULL) {
		bound.until_ns = clock_mono() + turn_ms * CLOCK_MS / w->tails.count;
		/* Failures of the journal are logged there; it is looked at again later. */
		if (tail_fill(t, w->kind, w->store, &bound, batch) != E_OK)
			batch->rows = 0;
		if (batch->corrupt > 0)
			metric_add(w->stats, M_JOURNAL_CORRUPT, 0, 0, batch->corrupt);
		tail_tell(t, w->hooks);
		if (batch->rows > 0) {
			*whose = t;
			return true;
		}
	}
	return false;
}

/* Asks the store for what is next; false when there is nothing. */
static bool
writer_step(struct writer *w)
{
	struct tail *t;

	w->asked_ns = clock_mono();
	if (w->store == NULL) {
		writer_store_open(w);
	} else if ((t = tails_unplaced(&w->tails)) != NULL) {
		w->unanswered = POSITION;
		w->asked = t;
		w->kind->position(w->store, t->name);
	} else if (w->ready != NULL) {
		w->unanswered = COMMIT;
		w->asked = w->ready;
		w->batch = w->ready_batch;
		w->ready = NULL;
		w->kind->commit(w->store, w->batch.last);
	} else if (w->check_due) {
		w->check_due = false;
		w->unanswered = CHECK;
		w->kind->check(w->store);
	} else if (batch_fill(w, &w->ready, &w->ready_batch)) {
		return true;
	} else if (!w->failed && w->drain_until == 0 && w->asked_ns >= w->trim_at) {
		w->unanswered = TRIM;
		w->kind->trim(w->store);
	} else {
		return w->failed;
	}
	return true;
}

static void
drain_check(struct writer *w, bool more)
{
	if (w->drain_until == 0 || (more && w->store != NULL && clock_mono() < w->drain_until))
		return;
	w->drain_until = 0;
	writer_store_sync(w);
	loop_timer_clear(&w->work);
	loop_timer_clear(&w->check);
	loop_timer_clear(&w->drain);
	w->hooks->drained(w->owner);
}

/* Asks and answers until the store has to be waited for, nothing is left, or the loop has to turn. */
static void
writer_pump(struct writer *w)
{
	int64_t until_ns = clock_mono() + TURN_MS * CLOCK_MS;
	bool more = true;

	w->pumping = true;
	while (more && !w->failed && w->unanswered == ANSWERED && clock_mono() < until_ns)
		more = writer_step(w);
	if (!w->failed && w->unanswered == COMMIT && w->kind->ahead && w->ready == NULL)
		batch_fill(w, &w->ready, &w->ready_batch);
	w->pumping = false;
	if (w->failed) {
		writer_store_failed(w);
		more = false;
	} else if (w->unanswered != ANSWERED) {
		loop_timer_clear(&w->work); /* the answer wakes us */
		writer_store_works(w);
	} else {
		loop_timer_set(&w->work, more ? 0 : w->conf->store_poll_interval);
		writer_store_works(w);
	}
	drain_check(w, more);
}

/* A commit and a sync take as long as the disk does, which is no hang of this process. */
static void
writer_begin(struct writer *w, const char *doing)
{
	stats_doing(w->stats, doing, w->kind->name, "");
	stats_patience(w->stats, DISK_PATIENCE_MS);
}

static void
writer_end(struct writer *w)
{
	stats_patience(w->stats, 0);
	stats_done(w->stats);
}

static void
writer_work(void *arg)
{
	struct writer *w = arg;

	writer_begin(w, "storing into");
	if (w->unanswered == ANSWERED)
		tails_look(&w->tails);
	writer_pump(w);
	writer_end(w);
}

/* Records read, and not known to be stored. */
static uint64_t
tail_unanswered(const struct writer *w, const struct tail *t)
{
	return (w->unanswered == COMMIT && w->asked == t ? w->batch.rows : 0) +
	       (w->ready == t ? w->ready_batch.rows : 0);
}

/* Of one journal; where it cannot be told, as told last. False: never told, and it will be in a moment. */
static bool
tail_lag(const struct writer *w, struct tail *t, uint64_t *lag)
{
	uint64_t behind;

	if (w->store != NULL && w->failing_since == 0 && !t->placed) {
		if (!t->lag_told)
			return false;
	} else if (tail_behind(t, &behind) == E_OK) {
		t->lag = behind + tail_unanswered(w, t);
		t->lag_told = true;
	}
	*lag = t->lag;
	return true;
}

/* A lag of 0 would say that all is stored. One journal that cannot be read must not hide the others' lag. */
static void
lag_count(struct writer *w)
{
	uint64_t lag = 0, one = 0;

	for (struct tail *t = w->tails.first; t != NULL; t = t->next) {
		if (!tail_lag(w, t, &one))
			return;
		lag += one;
	}
	metric_set(w->stats, M_JOURNAL_LAG, 0, 0, lag);
}

/* Every second: a round trip, a sync, new journals, how far behind we are. */
static void
writer_check(void *arg)
{
	struct writer *w = arg;

	loop_timer_set(&w->check, CHECK_MS);
	journal_find(w->conf->state_dir, journal_found, w);
	writer_begin(w, "checking and forcing to disk");
	if (w->store != NULL && w->failing_since == 0)
		w->check_due = w->unanswered != COMMIT; /* which is a round trip itself */
	if (w->failing_since == 0)
		writer_store_sync(w);
	if (w->store != NULL && w->drain_until == 0)
		writer_pump(w);
	disk_look(w->stats, w->conf->state_dir);
	writer_end(w);
	lag_count(w);
}

static void
drain_over(void *arg)
{
	drain_check(arg, false);
}

/* Where the store is, and what tells this node's sources from those of others in it. */
static int
writer_where(struct writer *w, char why[STORE_WHY])
{
	int r = E_OK;

	if (w->kind == &store_postgres) {
		text_copy(w->where, sizeof(w->where), w->conf->postgres_url);
		if ((r = node_ensure(w->conf->state_dir, w->prefix, sizeof(w->prefix), why)) ==
		    E_OK)
			strcat(w->prefix, "/");
	} else if (snprintf(w->where, sizeof(w->where), "%s/history.%s", w->conf->state_dir,
		       w->kind->name) >= (int)sizeof(w->where)) {
		text_copy(why, STORE_WHY, "the path is too long");
		r = E_SYSTEM;
	}
	return r;
}

int
writer_open(struct writer **result, struct loop *loop, const struct conf *conf, struct stats *stats,
    const struct store_kind *kind, const struct writer_hooks *hooks, void *owner,
    char why[STORE_WHY])
{
	struct writer *w = mem_alloc(sizeof(*w));
	int r, label = label_index(LABELS_store, kind->name);

	if (label < 0)
		panic("store %s has no row in labels.def", kind->name);
	w->loop = loop;
	w->conf = conf;
	w->stats = stats;
	w->kind = kind;
	w->label = (unsigned)label;
	w->hooks = hooks;
	w->owner = owner;
	w->trim_at = clock_mono() + CHECK_MS * CLOCK_MS;
	w->backoff = (struct backoff){ .floor_ms = RETRY_FLOOR_MS, .ceiling_ms = RETRY_LIMIT_MS };
	loop_timer_open(loop, &w->work, writer_work, w);
	loop_timer_open(loop, &w->check, writer_check, w);
	loop_timer_open(loop, &w->drain, drain_over, w);
	disk_look(stats, conf->state_dir);
	w->setup = (struct store_setup){ .loop = loop,
		.conf = conf,
		.stats = stats,
		.where = w->where,
		.hooks = &writer_store_hooks,
		.owner = w };
	if ((r = writer_where(w, why)) != E_OK) {
		writer_close(&w);
		return r;
	}
	w->pumping = true;
	writer_store_open(w);
	w->pumping = false;
	if (w->failed && w->error != E_STORE) {
		r = w->error;
		memcpy(why, w->why, STORE_WHY);
		writer_close(&w);
		return r;
	}
	if (w->failed)
		writer_store_failed(w);
	else
		loop_timer_set(&w->work, 0);
	writer_check(w);
	*result = w;
	return E_OK;
}

void
writer_close(struct writer **writer)
{
	struct writer *w = *writer;

	if (w == NULL)
		return;
	loop_timer_close(&w->work);
	loop_timer_close(&w->check);
	loop_timer_close(&w->drain);
	tails_close(&w->tails);
	w->kind->close(&w->store);
	mem_free(writer);
}

void
writer_listen(struct writer *w, const char *source, void *listener)
{
	struct tail *t = tail_of(w, source);

	if (t == NULL)
		return;
	t->listener = listener;
	t->told = TAIL_UNKNOWN;
	if (t->placed)
		tail_tell(t, w->hooks);
	writer_ring(w);
}

void
writer_unlisten(struct writer *w, void *listener)
{
	tails_unlisten(&w->tails, listener);
}

void
writer_ring(struct writer *w)
{
	if (w->store == NULL || w->failing_since != 0)
		return;
	tails_look(&w->tails);
	if (w->unanswered == ANSWERED)
		loop_timer_set(&w->work, 0);
}

void
writer_drain(struct writer *w, int64_t timeout_ms)
{
	int64_t wait_ms = timeout_ms * DRAIN_SHARE / 100;

	journal_find(w->conf->state_dir, journal_found, w);
	tails_look(&w->tails);
	w->drain_until = clock_mono() + wait_ms * CLOCK_MS;
	loop_timer_set(&w->drain, wait_ms);
	if (w->unanswered == ANSWERED)
		loop_timer_set(&w->work, 0);
}
