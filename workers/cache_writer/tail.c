/* tail.c - one journal on its way into the store. */
#include "cache_writer.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "text.h"

#define CLOCK_EVERY 32 /* rows between looks at the clock */
#define SKIPS_MAX   64 /* damages passed in one turn */

void
tail_init(struct tail *t, const char *source, const char *prefix, const char *state_dir)
{
	memset(t, 0, sizeof(*t));
	t->state_dir = state_dir;
	t->more = true;
	t->synced = t->told = TAIL_UNKNOWN;
	text_copy(t->source, sizeof(t->source), source);
	if (snprintf(t->name, sizeof(t->name), "%s%s", prefix, t->source) >= (int)sizeof(t->name))
		panic("journal %s: its name in the store is too long", source);
}

void
tail_fini(struct tail *t)
{
	journal_reader_close(&t->reader);
}

void
tail_rewind(struct tail *t)
{
	journal_reader_close(&t->reader);
	t->skipped_base = 0;
	t->sent = t->position;
	t->more = true;
}

void
tail_place(struct tail *t, uint64_t position)
{
	if (position != t->position)
		t->skipped_counted = 0;
	t->position = position;
	tail_rewind(t);
	t->synced = TAIL_UNKNOWN;
	t->told = TAIL_UNKNOWN;
	t->served = false;
	t->placed = true;
}

void
tail_tell(struct tail *t, const struct writer_hooks *hooks)
{
	if (t->listener == NULL || t->synced == TAIL_UNKNOWN || t->synced == t->told)
		return;
	if (hooks->stored(t->listener, t->synced) == E_OK)
		t->told = t->synced;
}

void
tails_tell(const struct tails *all, const struct writer_hooks *hooks)
{
	for (struct tail *t = all->first; t != NULL; t = t->next) {
		if (!t->placed)
			continue;
		t->told = TAIL_UNKNOWN;
		tail_tell(t, hooks);
	}
}

void
tail_settle(struct tail *t, const struct writer_hooks *hooks, uint64_t found)
{
	if (t->position == 0 || found <= t->position)
		return;
	t->synced = t->position;
	tail_tell(t, hooks);
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

static void
batch_time(struct tail_batch *b, int64_t ns)
{
	unsigned n = b->time_count;

	if (n == 0 || (b->times[n - 1].ns != ns && n < TAIL_TIMES)) {
		b->times[n].ns = ns;
		b->times[n].rows = 0;
		n = ++b->time_count;
	}
	b->times[n - 1].rows++;
}

/* Adds records until a bound, when *read stays E_OK, or until reading ends with something else. */
static int
tail_add(struct tail *t, const struct store_kind *kind, struct store *store,
    const struct tail_bound *bound, struct journal_record *record, struct tail_batch *b, int *read)
{
	int r;

	do {
		if ((r = kind->add(store, record)) != E_OK && r != E_FULL)
			return r;
		b->last = journal_reader_after(t->reader);
		batch_time(b, record->appended_ns);
		b->rows++;
		if (r == E_FULL || b->rows >= bound->rows ||
		    (b->rows % CLOCK_EVERY == 0 && clock_mono() >= bound->until_ns))
			return E_OK;
	} while ((*read = tail_read(t, record)) == E_OK);
	b->last = journal_reader_after(t->reader);
	return E_OK;
}

static void
tail_count_corrupt(struct tail *t, struct tail_batch *b)
{
	uint64_t lost = journal_reader_skipped(t->reader) - t->skipped_base;

	b->skipped = journal_reader_skipped(t->reader);
	if (lost > t->skipped_counted) {
		b->corrupt = lost - t->skipped_counted;
		t->skipped_counted = lost;
	}
}

void
tail_committed(struct tail *t, const struct tail_batch *b)
{
	uint64_t passed = b->skipped - t->skipped_base;

	t->position = b->last;
	t->served = true;
	t->skipped_base = b->skipped;
	t->skipped_counted -= passed < t->skipped_counted ? passed : t->skipped_counted;
}

int
tail_fill(struct tail *t, const struct store_kind *kind, struct store *store,
    const struct tail_bound *bound, struct tail_batch *b)
{
	struct journal_record record;
	int r, read;

	memset(b, 0, sizeof(*b));
	t->more = false;
	if ((r = tail_reader_ensure(t)) != E_OK)
		return r;
	if ((read = tail_read(t, &record)) != E_OK) {
		tail_count_corrupt(t, b);
		t->more = b->more = read == E_CORRUPT;
		t->served = t->served || (!b->more && t->sent == t->position);
		return read == E_PARTIAL || read == E_CORRUPT ? E_OK : read;
	}
	if ((r = kind->begin(store, t->name, t->sent)) != E_OK)
		return r;
	r = tail_add(t, kind, store, bound, &record, b, &read);
	tail_count_corrupt(t, b);
	if (r != E_OK)
		return r;
	t->sent = b->last;
	t->more = b->more = read == E_OK || read == E_CORRUPT;
	return E_OK;
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
