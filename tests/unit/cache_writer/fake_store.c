/* fake_store.c - a store in memory that fails when told to, and tells what it was given. */
#include "fake_store.h"

#include <stdio.h>
#include <string.h>

#include "mem.h"

struct store {
	int number;
};

struct fake_disk fake_disk;

static int
fake_open(struct store **store, const char *where, char why[STORE_WHY])
{
	(void)where;
	fake_disk.opens++;
	if (fake_disk.open_error != E_OK) {
		snprintf(why, STORE_WHY, "told to fail");
		return fake_disk.open_error;
	}
	*store = mem_alloc(sizeof(**store));
	return E_OK;
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

static int
fake_position(struct store *store, const char *source, uint64_t *sequence)
{
	(void)store;
	*sequence = *fake_position_of(source);
	return E_OK;
}

static int
fake_begin(struct store *store)
{
	(void)store;
	if (fake_disk.fail_begin || fake_disk.in_transaction)
		return E_STORE;
	fake_disk.in_transaction = true;
	fake_disk.staged = 0;
	return E_OK;
}

static int
fake_add(struct store *store, const char *source, const struct journal_record *record)
{
	uint64_t at = fake_disk.row_count + fake_disk.staged;

	(void)store;
	if (!fake_disk.in_transaction || at >= FAKE_ROWS ||
	    record->sequence <= *fake_position_of(source) ||
	    fake_disk.staged + 1 == fake_disk.fail_add)
		return E_STORE;
	snprintf(fake_disk.rows[at].source, sizeof(fake_disk.rows[at].source), "%s", source);
	fake_disk.rows[at].sequence = record->sequence;
	fake_disk.rows[at].trade_id = record->value.trade.trade_id;
	fake_disk.staged++;
	return E_OK;
}

static int
fake_commit(struct store *store, const char *source, uint64_t sequence)
{
	(void)store;
	if (!fake_disk.in_transaction || fake_disk.fail_commit)
		return E_STORE;
	fake_disk.row_count += fake_disk.staged;
	*fake_position_of(source) = sequence;
	fake_disk.staged = 0;
	fake_disk.in_transaction = false;
	return E_OK;
}

static void
fake_rollback(struct store *store)
{
	(void)store;
	fake_disk.in_transaction = false;
	fake_disk.staged = 0;
}

static int
fake_sync(struct store *store)
{
	(void)store;
	if (fake_disk.fail_sync)
		return E_STORE;
	for (int i = 0; i < FAKE_SOURCES; i++)
		if (fake_disk.positions[i].sequence > fake_disk.durable)
			fake_disk.durable = fake_disk.positions[i].sequence;
	return E_OK;
}

static int
fake_check(struct store *store)
{
	(void)store;
	fake_disk.checks++;
	return fake_disk.fail_check ? E_STORE : E_OK;
}

static const char *
fake_why(struct store *store)
{
	(void)store;
	return "told to fail";
}

const struct store_kind fake_store = {
	.name = "sqlite",
	.open = fake_open,
	.close = fake_close,
	.position = fake_position,
	.begin = fake_begin,
	.add = fake_add,
	.commit = fake_commit,
	.rollback = fake_rollback,
	.sync = fake_sync,
	.check = fake_check,
	.why = fake_why,
};
