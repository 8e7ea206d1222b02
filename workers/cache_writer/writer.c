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
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cache_writer.h"
#include "clock.h"
#include "label.h"
#include "log.h"
#include "mem.h"
#include "text.h"

#define TURN_MS		 10   /* of storing before the loop turns again */
#define AHEAD_MS	 40   /* of reading a batch for a store that works beside us */
#define CHECK_MS	 1000 /* between round trips to the store, and between syncs */
#define TRIM_MS		 600000
#define RETRY_FLOOR_MS	 100
#define RETRY_LIMIT_MS	 10000
#define RETRY_JITTER	 20 /* percent */
#define DRAIN_SHARE	 80 /* percent of the time allowed that draining takes at most */
#define PATH_SIZE	 512
#define DISK_PATIENCE_MS 30000
#define LETTER_TELL_MS	 10000 /* between lines about dead letters */

enum unanswered { ANSWERED, OPEN, POSITION, COMMIT, CHECK, TRIM };

struct writer {
	struct loop *loop;
	const struct conf *conf;
	struct stats *stats;
	const struct store_kind *kind;
	struct store_setup setup;
	struct claim claim;	    /* where nodes share the store */
	struct store *store;	    /* null while it is down */
	enum unanswered unanswered; /* what the store was asked for */
	bool pumping;		    /* an answer comes within the call */
	bool failed;		    /* it is to be closed */
	int error;
	char why[STORE_WHY];
	unsigned label; /* of the kind, in metrics */
	const struct writer_hooks *hooks;
	void *owner;
	char where[PATH_SIZE];
	char prefix[STORE_SOURCE - SLOT_NAME];
	struct tails tails;
	struct tail *asked; /* whose position or commit is unanswered */
	struct tail_batch batch;
	struct tail *ready; /* whose next batch is filled meanwhile */
	struct tail_batch ready_batch;
	struct rows rows;
	int64_t asked_ns;
	bool check_due;
	int64_t trim_at; /* monotonic */
	bool unsynced;	 /* something was committed, or found, since the last sync */
	int64_t letter_told;
	uint64_t letters; /* since then */
	struct loop_timer work;
	struct loop_timer check;
	struct backoff backoff;
	int64_t failing_since;	/* monotonic; 0: all is well */
	struct reasons reasons; /* of this episode, told */
	int64_t drain_until;	/* monotonic; 0: not draining */
	struct loop_timer drain;
};

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

static void
store_failed(struct writer *w)
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
static void
store_works(struct writer *w)
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

static void
store_open(struct writer *w)
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
static void
store_sync(struct writer *w)
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

static const struct store_hooks store_hooks = {
	.opened = on_opened,
	.positioned = on_positioned,
	.committed = on_committed,
	.checked = on_checked,
	.trimmed = on_trimmed,
	.failed = on_failed,
	.late = on_late,
};

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
		store_open(w);
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
	store_sync(w);
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
		store_failed(w);
		more = false;
	} else if (w->unanswered != ANSWERED) {
		loop_timer_clear(&w->work); /* the answer wakes us */
		store_works(w);
	} else {
		loop_timer_set(&w->work, more ? 0 : w->conf->store_poll_interval);
		store_works(w);
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
		store_sync(w);
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
		.hooks = &store_hooks,
		.owner = w };
	if ((r = writer_where(w, why)) != E_OK) {
		writer_close(&w);
		return r;
	}
	w->pumping = true;
	store_open(w);
	w->pumping = false;
	if (w->failed && w->error != E_STORE) {
		r = w->error;
		memcpy(why, w->why, STORE_WHY);
		writer_close(&w);
		return r;
	}
	if (w->failed)
		store_failed(w);
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
