/* writer_store.c - the writer's side of its store: opening it, its answers and failures, what is told of them.
 *
 * Hooks only note what was answered and wake the pump of writer.c.
 */
#include "writer_room.h"

#include <inttypes.h>
#include <stdio.h>

#include "clock.h"
#include "log.h"

#define TRIM_MS	       600000
#define RETRY_JITTER   20    /* percent */
#define LETTER_TELL_MS 10000 /* between lines about dead letters */

/* An answer, or a failure, that came outside of the pump wakes it. */
static void
answered(struct writer *w)
{
	w->unanswered = ANSWERED;
	if (!w->pumping)
		loop_timer_set(&w->work, 0);
}

static void
on_failed(int error, const char *why, void *owner)
{
	struct writer *w = owner;

	w->failed = true;
	w->error = error;
	snprintf(w->why, sizeof(w->why), "%s", why);
	answered(w);
}

static void
on_late(void *owner)
{
	struct writer *w = owner;

	rows_lower(&w->rows, (uint64_t)w->conf->store_batch_rows);
	log_debug("store %s: %" PRIu64 " rows at once from now on", w->kind->name, w->rows.bound);
}

/* One line an episode, and one for each other reason that shows on the way: what was a server that restarts may have
 * become a disk that is full. */
static void
store_tell(struct writer *w)
{
	if (w->failing_since == 0) {
		w->failing_since = clock_mono();
		w->reasons.count = 0;
		(void)reason_is_new(&w->reasons, w->why);
		log_error("store %s: %s; the journal keeps what arrives, trying again",
		    w->kind->name, w->why);
	} else if (reason_is_new(&w->reasons, w->why)) {
		log_error("store %s: still not working, by now: %s", w->kind->name, w->why);
	}
}

void
writer_store_failed(struct writer *w)
{
	uint32_t wait_ms = backoff_next_jittered_ms(&w->backoff, RETRY_JITTER);

	w->failed = false;
	w->unanswered = ANSWERED;
	w->asked = w->ready = NULL;
	metric_add(w->stats, M_STORE_ERRORS, w->label, 0, 1);
	check_store(w->stats, CHECK_DATABASE, w->error, 0, w->why);
	store_tell(w);
	w->kind->close(&w->store);
	tails_rewind(&w->tails);
	loop_timer_set(&w->work, wait_ms);
}

/* Every tail was served and nothing failed: only then is an episode over. */
void
writer_store_works(struct writer *w)
{
	if (w->store == NULL || w->unanswered == OPEN || !tails_served(&w->tails))
		return;
	backoff_reset(&w->backoff);
	if (w->failing_since == 0)
		return;
	log_info("store %s: works again after %" PRId64 " s", w->kind->name,
	    (clock_mono() - w->failing_since) / CLOCK_SEC);
	w->failing_since = 0;
	w->check_due = true;
}

void
writer_store_open(struct writer *w)
{
	char why[STORE_WHY];

	w->unanswered = OPEN;
	w->asked_ns = clock_mono();
	w->setup.attempt++;
	if (w->prefix[0] != '\0') {
		if (claim_prepare(&w->claim, w->conf->state_dir, why) != E_OK) {
			on_failed(E_STORE, why, w);
			return;
		}
		w->setup.claim_known = w->claim.known;
		w->setup.claim = w->claim.mine;
	}
	w->store = w->kind->open(&w->setup);
}

static void
on_opened(void *owner)
{
	struct writer *w = owner;

	if (w->failing_since == 0)
		check_store(w->stats, CHECK_DATABASE, E_OK, clock_mono() - w->asked_ns, "");
	answered(w);
}

static void
on_positioned(uint64_t sequence, void *owner)
{
	struct writer *w = owner;
	char why[STORE_WHY];

	if (w->prefix[0] != '\0' && claim_confirm(&w->claim, w->conf->state_dir, why) != E_OK)
		log_warn("store %s: %s", w->kind->name, why);
	if (w->kind->sync == NULL)
		tail_settle(w->asked, w->hooks, sequence);
	tail_place(w->asked, sequence);
	/* Whoever committed that may have been killed before its sync. Otherwise it is told before anything can fail: a
	 * new store that takes nothing must not be believed to hold what the one before it held. */
	w->unsynced = true;
	if (w->kind->sync == NULL || sequence == 0) {
		w->asked->synced = sequence;
		tail_tell(w->asked, w->hooks);
	}
	answered(w);
}

static void
on_checked(void *owner)
{
	struct writer *w = owner;

	tails_tell(&w->tails, w->hooks);
	if (w->failing_since == 0)
		check_store(w->stats, CHECK_DATABASE, E_OK, clock_mono() - w->asked_ns, "");
	answered(w);
}

static void
on_trimmed(bool more, void *owner)
{
	struct writer *w = owner;

	w->trim_at = clock_mono() + (more ? 0 : TRIM_MS * CLOCK_MS);
	answered(w);
}

/* Fetchers let go of what they are told is stored, so only what is on the disk for good is told. */
void
writer_store_sync(struct writer *w)
{
	if (w->store == NULL || w->failed || !w->unsynced)
		return;
	if (w->kind->sync != NULL && w->kind->sync(w->store) != E_OK)
		return;
	w->unsynced = false;
	tails_synced(&w->tails);
	tails_tell(&w->tails, w->hooks);
}

static void
letters_count(struct writer *w, const struct store_commit *done)
{
	int64_t now = clock_mono();

	if (done->refused == 0)
		return;
	metric_add(w->stats, M_STORE_DEAD_LETTERS, w->label, 0, done->refused);
	w->letters += done->refused;
	if (w->letter_told != 0 && now - w->letter_told < LETTER_TELL_MS * CLOCK_MS)
		return;
	log_error("store %s: %s: %" PRIu64
		  " record(s) refused for good and put into dead_letters, the last: %s",
	    w->kind->name, w->asked->source, w->letters, done->why);
	w->letters = 0;
	w->letter_told = now;
}

static void
on_committed(const struct store_commit *done, void *owner)
{
	struct writer *w = owner;
	int64_t now = clock_wall();

	tail_committed(w->asked, &w->batch);
	rows_raise(&w->rows, w->batch.rows, (uint64_t)w->conf->store_batch_rows, done->took_ns,
	    w->conf->postgres_timeout * CLOCK_MS);
	w->unsynced = true;
	metric_add(w->stats, M_STORE_ROWS, w->label, 0, done->rows);
	metric_observe(w->stats, M_STORE_DURATION, w->label, done->took_ns);
	metric_observe(w->stats, M_STORE_RECORDS, w->label, (int64_t)w->batch.rows);
	for (unsigned i = 0; i < w->batch.time_count; i++)
		metric_observe_many(w->stats, M_STORE_DELAY, w->label, now - w->batch.times[i].ns,
		    w->batch.times[i].rows);
	letters_count(w, done);
	if (w->hooks->committed != NULL)
		w->hooks->committed(w->asked->source, w->asked->position, done, w->owner);
	if (w->failing_since == 0)
		check_store(w->stats, CHECK_DATABASE, E_OK, done->took_ns, "");
	answered(w);
}

const struct store_hooks writer_store_hooks = {
	.opened = on_opened,
	.positioned = on_positioned,
	.committed = on_committed,
	.checked = on_checked,
	.trimmed = on_trimmed,
	.failed = on_failed,
	.late = on_late,
};
