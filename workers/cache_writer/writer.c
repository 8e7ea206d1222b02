/* writer.c - all journals into one store: who is next, what when the store fails, what is told to whom.
 *
 * The store is open or it is not. Any failure closes it; an attempt to open it anew follows after a growing
 * delay, and every tail then starts again from the position it finds there. So a store that was down, full,
 * replaced or restored from a copy is one and the same case. Nothing is held in memory meanwhile: the journal
 * is the spool.
 */
#include <dirent.h>
#include <errno.h>
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
#define CHECK_MS	 1000 /* between round trips to the store, and between syncs */
#define RETRY_FLOOR_MS	 100
#define RETRY_LIMIT_MS	 10000
#define RETRY_JITTER	 20 /* percent */
#define DRAIN_SHARE	 80 /* percent of the time allowed that draining takes at most */
#define PATH_SIZE	 512
#define DISK_PATIENCE_MS 30000

struct writer {
	struct loop *loop;
	const struct conf *conf;
	struct stats *stats;
	const struct store_kind *kind;
	struct store *store; /* null while it is down */
	unsigned label;	     /* of the kind, in metrics */
	const struct writer_hooks *hooks;
	void *owner;
	char where[PATH_SIZE];
	struct tail *tails;
	int tail_count;
	bool unsynced;	/* something was committed, or found, since the last sync */
	bool full_told; /* that there are more journals than tails */
	struct loop_timer work;
	struct loop_timer check;
	struct backoff backoff;
	int64_t failing_since; /* monotonic; 0: all is well */
	int64_t drain_until;   /* monotonic; 0: not draining */
};

static struct tail *
tail_of(struct writer *w, const char *source)
{
	struct tail *t;

	for (t = w->tails; t != NULL; t = t->next)
		if (strcmp(t->source, source) == 0)
			return t;
	if (w->tail_count == WRITER_TAILS_MAX) {
		if (!w->full_told)
			log_error("journal %s: not stored, %d journals are the limit", source,
			    WRITER_TAILS_MAX);
		w->full_told = true;
		return NULL;
	}
	t = mem_alloc(sizeof(*t));
	tail_init(t, source, w->conf->state_dir);
	t->next = w->tails;
	w->tails = t;
	w->tail_count++;
	return t;
}

/* Journals are found by their folders, so that one whose fetcher is gone is stored as well. */
static void
journals_find(struct writer *w)
{
	char path[PATH_SIZE];
	struct dirent *entry;
	DIR *dir;

	if (snprintf(path, sizeof(path), "%s/journal", w->conf->state_dir) >= (int)sizeof(path) ||
	    (dir = opendir(path)) == NULL)
		return;
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.' && strlen(entry->d_name) < SLOT_NAME &&
		    (entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN))
			tail_of(w, entry->d_name);
	closedir(dir);
}

static void
store_failed(struct writer *w, const char *doing, int error, const char *why)
{
	uint32_t wait_ms = backoff_next_jittered_ms(&w->backoff, RETRY_JITTER);

	metric_add(w->stats, M_STORE_ERRORS, w->label, 0, 1);
	check_store(w->stats, CHECK_DATABASE, error, 0, why);
	if (w->failing_since == 0) {
		log_error("store %s: %s: %s; the journal keeps what arrives, trying again",
		    w->kind->name, doing, why);
		w->failing_since = clock_mono();
	}
	w->kind->close(&w->store);
	loop_timer_set(&w->work, wait_ms);
}

/* A real round trip, timed; what a commit already told is told by turn_count. */
static void
store_check(struct writer *w)
{
	int64_t began = clock_mono();

	if (w->kind->check(w->store) == E_OK)
		check_store(w->stats, CHECK_DATABASE, E_OK, clock_mono() - began, "");
	else
		store_failed(w, "check", E_STORE, w->kind->why(w->store));
}

/* Every tail had its turn and nothing failed: only now is an episode over. */
static void
store_works(struct writer *w)
{
	backoff_reset(&w->backoff);
	if (w->failing_since == 0)
		return;
	log_info("store %s: works again after %" PRId64 " s", w->kind->name,
	    (clock_mono() - w->failing_since) / CLOCK_SEC);
	w->failing_since = 0;
	store_check(w);
}

static int
store_open(struct writer *w, char why[STORE_WHY])
{
	struct store *store;
	int r;

	if ((r = w->kind->open(&store, w->where, why)) != E_OK)
		return r;
	w->store = store;
	for (struct tail *t = w->tails; t != NULL; t = t->next)
		t->placed = false;
	return E_OK;
}

static void
fetcher_tell(struct writer *w, struct tail *t)
{
	if (t->listener == NULL || t->synced == t->told)
		return;
	if (w->hooks->stored(t->listener, t->synced) == E_OK)
		t->told = t->synced;
}

/* Fetchers let go of what they are told is stored, so only what is on the disk for good is told. */
static void
store_sync(struct writer *w)
{
	if (w->store == NULL || !w->unsynced)
		return;
	if (w->kind->sync(w->store) != E_OK) {
		store_failed(w, "sync", E_STORE, w->kind->why(w->store));
		return;
	}
	w->unsynced = false;
	for (struct tail *t = w->tails; t != NULL; t = t->next) {
		if (!t->placed)
			continue;
		t->synced = t->position;
		fetcher_tell(w, t);
	}
}

static void
turn_count(struct writer *w, const struct tail_done *done)
{
	if (done->corrupt > 0)
		metric_add(w->stats, M_JOURNAL_CORRUPT, 0, 0, done->corrupt);
	if (done->rows == 0)
		return;
	metric_add(w->stats, M_STORE_ROWS, w->label, 0, done->rows);
	metric_observe(w->stats, M_STORE_DURATION, w->label, done->commit_ns);
	if (w->failing_since == 0)
		check_store(w->stats, CHECK_DATABASE, E_OK, done->commit_ns, "");
}

static int
writer_place(struct writer *w, struct tail *t)
{
	int r;

	if (t->placed)
		return E_OK;
	if ((r = tail_place(t, w->kind, w->store)) != E_OK)
		return r;
	/* Whoever committed that may have been killed before its sync. */
	w->unsynced = true;
	return E_OK;
}

/* One tail's share of a turn. E_STORE: the store failed. */
static int
tail_serve(struct writer *w, struct tail *t, int64_t until_ns, bool *more)
{
	const struct tail_bound bound = { (uint64_t)w->conf->store_batch_rows, until_ns };
	struct tail_done done;
	int r;

	if (writer_place(w, t) != E_OK)
		return E_STORE;
	r = tail_turn(t, w->kind, w->store, &bound, &done);
	w->unsynced = w->unsynced || done.rows > 0;
	turn_count(w, &done);
	fetcher_tell(w, t);
	*more = *more || done.more;
	return r == E_STORE ? E_STORE
			    : E_OK; /* other failures are the journal's, which logged them */
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
	w->hooks->drained(w->owner);
}

/* Gives every tail its turn. */
static void
writer_turn(struct writer *w)
{
	int64_t share = TURN_MS * CLOCK_MS / (w->tail_count > 0 ? w->tail_count : 1);
	char why[STORE_WHY] = "";
	bool more = false;
	int r;

	if (w->store == NULL && (r = store_open(w, why)) != E_OK) {
		store_failed(w, "open", r, why);
		drain_check(w, false);
		return;
	}
	for (struct tail *t = w->tails; t != NULL; t = t->next)
		if (tail_serve(w, t, clock_mono() + share, &more) != E_OK) {
			store_failed(w, t->source, E_STORE, w->kind->why(w->store));
			drain_check(w, false);
			return;
		}
	loop_timer_set(&w->work, more ? 0 : w->conf->store_poll_interval);
	store_works(w);
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
	writer_turn(w);
	writer_end(w);
}

/* What cannot be told leaves the last figure: a lag of 0 would say that all is stored. */
static void
lag_count(struct writer *w)
{
	uint64_t lag = 0, behind;

	for (struct tail *t = w->tails; t != NULL; t = t->next) {
		if (w->store != NULL && w->failing_since == 0 && writer_place(w, t) != E_OK)
			return;
		if (tail_behind(t, &behind) != E_OK)
			return;
		lag += behind;
	}
	metric_set(w->stats, M_JOURNAL_LAG, 0, 0, lag);
}

/* Every second: a round trip, a sync, new journals, how far behind we are. */
static void
writer_check(void *arg)
{
	struct writer *w = arg;

	writer_begin(w, "checking and forcing to disk");
	if (w->store != NULL && w->failing_since == 0)
		store_check(w);
	if (w->failing_since == 0)
		store_sync(w);
	writer_end(w);
	journals_find(w);
	lag_count(w);
	loop_timer_set(&w->check, CHECK_MS);
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
	w->backoff = (struct backoff){ .floor_ms = RETRY_FLOOR_MS, .ceiling_ms = RETRY_LIMIT_MS };
	if (snprintf(w->where, sizeof(w->where), "%s/history.%s", conf->state_dir, kind->name) >=
	    (int)sizeof(w->where)) {
		text_copy(why, STORE_WHY, "the path is too long");
		mem_free(&w);
		return E_SYSTEM;
	}
	loop_timer_open(loop, &w->work, writer_work, w);
	loop_timer_open(loop, &w->check, writer_check, w);
	if ((r = store_open(w, why)) == E_SYSTEM || r == E_VERSION) {
		writer_close(&w);
		return r;
	}
	if (r != E_OK)
		store_failed(w, "open", r, why);
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
	struct tail *t;

	if (w == NULL)
		return;
	loop_timer_close(&w->work);
	loop_timer_close(&w->check);
	while ((t = w->tails) != NULL) {
		w->tails = t->next;
		tail_fini(t);
		mem_free(&t);
	}
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
	t->told = 0;
	if (t->placed)
		fetcher_tell(w, t);
	writer_ring(w);
}

void
writer_unlisten(struct writer *w, void *listener)
{
	for (struct tail *t = w->tails; t != NULL; t = t->next)
		if (t->listener == listener)
			t->listener = NULL;
}

void
writer_ring(struct writer *w)
{
	if (w->store != NULL && w->failing_since == 0)
		loop_timer_set(&w->work, 0);
}

void
writer_drain(struct writer *w, int64_t timeout_ms)
{
	journals_find(w);
	w->drain_until = clock_mono() + timeout_ms * DRAIN_SHARE / 100 * CLOCK_MS;
	loop_timer_set(&w->work, 0);
}
