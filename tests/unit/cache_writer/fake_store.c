/* fake_store.c - a store in memory that fails when told to, and tells what it was given. */
#include "fake_store.h"

#include <stdio.h>
#include <string.h>

#include "mem.h"

struct store {
	const struct store_setup *setup;
	const char *source;
	int number;
};

struct fake_disk fake_disk;

static int
fake_fail(struct store *store, int error)
{
	store->setup->hooks->failed(
	    error, fake_disk.why != NULL ? fake_disk.why : "told to fail", store->setup->owner);
	return error;
}

static struct store *
fake_open(const struct store_setup *setup)
{
	struct store *store = mem_alloc(sizeof(*store));

	store->setup = setup;
	fake_disk.opens++;
	if (fake_disk.open_error != E_OK)
		(void)fake_fail(store, fake_disk.open_error);
	else
		setup->hooks->opened(setup->owner);
	return store;
}

static void
fake_close(struct store **store)
{
	fake_disk.in_transaction = false;
	fake_disk.staged = 0;
	mem_free(store);
}

static uint64_t *
fake_position_of(const char *source)
{
	for (int i = 0; i < FAKE_SOURCES; i++) {
		if (fake_disk.positions[i].source[0] == '\0')
			snprintf(fake_disk.positions[i].source,
			    sizeof(fake_disk.positions[i].source), "%s", source);
		if (strcmp(fake_disk.positions[i].source, source) == 0)
			return &fake_disk.positions[i].sequence;
	}
	return NULL;
}

static void
fake_position(struct store *store, const char *source)
{
	store->setup->hooks->positioned(*fake_position_of(source), store->setup->owner);
}

static int
fake_begin(struct store *store, const char *source, uint64_t expected)
{
	if (fake_disk.fail_begin || fake_disk.in_transaction ||
	    *fake_position_of(source) != expected)
		return fake_fail(store, E_STORE);
	store->source = source;
	fake_disk.in_transaction = true;
	fake_disk.staged = 0;
	return E_OK;
}

static int
fake_add(struct store *store, const struct journal_record *record)
{
	uint64_t at = fake_disk.row_count + fake_disk.staged;

	if (!fake_disk.in_transaction || at >= FAKE_ROWS ||
	    record->sequence <= *fake_position_of(store->source) ||
	    fake_disk.staged + 1 == fake_disk.fail_add) {
		fake_disk.in_transaction = false;
		return fake_fail(store, E_STORE);
	}
	snprintf(fake_disk.rows[at].source, sizeof(fake_disk.rows[at].source), "%s", store->source);
	fake_disk.rows[at].sequence = record->sequence;
	fake_disk.rows[at].trade_id = record->value.trade.trade_id;
	fake_disk.staged++;
	return fake_disk.full_at != 0 && fake_disk.staged >= fake_disk.full_at ? E_FULL : E_OK;
}

static void
fake_commit(struct store *store, uint64_t sequence)
{
	struct store_commit done = { .sequence = sequence, .rows = fake_disk.staged, .why = "" };

	if (!fake_disk.in_transaction || fake_disk.fail_commit ||
	    (fake_disk.slow_at != 0 && fake_disk.staged > fake_disk.slow_at)) {
		fake_disk.in_transaction = false;
		if (!fake_disk.fail_commit && fake_disk.slow_at != 0)
			store->setup->hooks->late(store->setup->owner);
		(void)fake_fail(store, E_STORE);
		return;
	}
	fake_disk.row_count += fake_disk.staged;
	if (fake_disk.staged > fake_disk.most)
		fake_disk.most = fake_disk.staged;
	*fake_position_of(store->source) = sequence;
	fake_disk.staged = 0;
	fake_disk.in_transaction = false;
	done.refused = fake_disk.refused;
	if (done.refused > 0)
		done.why = "told to refuse";
	store->setup->hooks->committed(&done, store->setup->owner);
}

static int
fake_sync(struct store *store)
{
	if (fake_disk.fail_sync)
		return fake_fail(store, E_STORE);
	for (int i = 0; i < FAKE_SOURCES; i++)
		if (fake_disk.positions[i].sequence > fake_disk.durable)
			fake_disk.durable = fake_disk.positions[i].sequence;
	return E_OK;
}

static void
fake_check(struct store *store)
{
	fake_disk.checks++;
	if (fake_disk.fail_check)
		(void)fake_fail(store, E_STORE);
	else
		store->setup->hooks->checked(store->setup->owner);
}

static void
fake_trim(struct store *store)
{
	fake_disk.trims++;
	store->setup->hooks->trimmed(fake_disk.trims < 3, store->setup->owner);
}

const struct store_kind fake_store = {
	.name = "sqlite",
	.open = fake_open,
	.close = fake_close,
	.position = fake_position,
	.begin = fake_begin,
	.add = fake_add,
	.commit = fake_commit,
	.sync = fake_sync,
	.check = fake_check,
	.trim = fake_trim,
};
