/* tail.c - one journal on its way into the store. */
#include "cache_writer.h"

#include <string.h>

#include "clock.h"
#include "text.h"

#define CLOCK_EVERY 32 /* rows between looks at the clock */
#define SKIPS_MAX   64 /* damages passed in one turn */

void
tail_init(struct tail *t, const char *source, const char *state_dir)
{
	memset(t, 0, sizeof(*t));
	t->state_dir = state_dir;
	text_copy(t->source, sizeof(t->source), source);
}

void
tail_fini(struct tail *t)
{
	journal_reader_close(&t->reader);
}

/* Back to the position: what was read since will be read again. */
static void
tail_rewind(struct tail *t)
{
	journal_reader_close(&t->reader);
	t->skipped_base = 0;
}

int
tail_place(struct tail *t, const struct store_kind *kind, struct store *store)
{
	uint64_t position;
	int r;

	if ((r = kind->position(store, t->source, &position)) != E_OK)
		return r;
	if (t->placed && position != t->position)
		t->skipped_counted = 0;
	tail_rewind(t);
	t->position = position;
	t->synced = 0;
	t->told = 0;
	t->placed = true;
	return E_OK;
}

static int
tail_reader_ensure(struct tail *t)
{
	if (t->reader != NULL)
		return E_OK;
	return journal_reader_open(&t->reader, t->state_dir, t->source, t->position);
}

/* The next record; damages on the way are passed over. */
static int
tail_read(struct tail *t, struct journal_record *record)
{
	int r = E_CORRUPT;

	for (int i = 0; i < SKIPS_MAX && r == E_CORRUPT; i++)
		r = journal_read(t->reader, record);
	return r;
}

/* Adds records until a bound, when *read stays E_OK, or until reading ends with something else. */
static int
tail_fill(struct tail *t, const struct store_kind *kind, struct store *store,
    const struct tail_bound *bound, struct journal_record *record, uint64_t *rows, int *read)
{
	int r;

	do {
		if ((r = kind->add(store, t->source, record)) != E_OK)
			return r;
		++*rows;
		if (*rows >= bound->rows ||
		    (*rows % CLOCK_EVERY == 0 && clock_mono() >= bound->until_ns))
			return E_OK;
	} while ((*read = tail_read(t, record)) == E_OK);
	return E_OK;
}

static void
tail_count_corrupt(struct tail *t, struct tail_done *done)
{
	uint64_t lost = journal_reader_skipped(t->reader) - t->skipped_base;

	if (lost > t->skipped_counted) {
		done->corrupt = lost - t->skipped_counted;
		t->skipped_counted = lost;
	}
}

static void
tail_committed(struct tail *t, uint64_t sequence)
{
	t->position = sequence;
	t->skipped_base = journal_reader_skipped(t->reader);
	t->skipped_counted = 0;
}

int
tail_turn(struct tail *t, const struct store_kind *kind, struct store *store,
    const struct tail_bound *bound, struct tail_done *done)
{
	struct journal_record record;
	uint64_t last, rows = 0;
	int64_t began;
	int r, read;

	memset(done, 0, sizeof(*done));
	if ((r = tail_reader_ensure(t)) != E_OK)
		return r;
	if ((read = tail_read(t, &record)) != E_OK) {
		tail_count_corrupt(t, done);
		done->more = read == E_CORRUPT;
		return read == E_PARTIAL || read == E_CORRUPT ? E_OK : read;
	}
	began = clock_mono();
	if ((r = kind->begin(store)) == E_OK)
		r = tail_fill(t, kind, store, bound, &record, &rows, &read);
	last = journal_reader_after(t->reader);
	if (r == E_OK)
		r = kind->commit(store, t->source, last);
	if (r != E_OK) {
		kind->rollback(store);
		tail_rewind(t);
		return r;
	}
	tail_count_corrupt(t, done);
	tail_committed(t, last);
	done->rows = rows;
	done->commit_ns = clock_mono() - began;
	done->more = read == E_OK || read == E_CORRUPT;
	return read == E_SYSTEM || read == E_VERSION ? read : E_OK;
}

int
tail_behind(struct tail *t, uint64_t *behind)
{
	int r;

	*behind = 0;
	if ((r = tail_reader_ensure(t)) != E_OK)
		return r;
	return journal_reader_behind(t->reader, behind);
}
