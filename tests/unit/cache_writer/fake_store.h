/* fake_store.h - a store in memory that fails when told to, and tells what it was given. */
#ifndef FAKE_STORE_H
#define FAKE_STORE_H
#include <stdbool.h>
#include <stdint.h>

#include "store.h"

#define FAKE_ROWS    20000
#define FAKE_SOURCES 4

struct fake_disk { /* outlives open and close, as a disk does */
	struct {
		char source[32];
		uint64_t sequence, trade_id;
	} rows[FAKE_ROWS];
	uint64_t row_count; /* committed */
	uint64_t staged;    /* rows of the open transaction, behind the committed ones */
	struct {
		char source[32];
		uint64_t sequence;
	} positions[FAKE_SOURCES];
	int opens, checks, trims;
	int open_error;	   /* what open answers */
	uint64_t durable;  /* highest position of all sources at the last sync */
	uint64_t fail_add; /* the nth add of a transaction fails; 0: none */
	uint64_t full_at;  /* so many rows of a transaction are enough; 0: no bound */
	uint64_t refused;  /* what every commit tells */
	const char *why;   /* the reason it gives; null: some words */
	bool fail_begin, fail_commit, fail_check, fail_sync;
	bool in_transaction;
	uint64_t slow_at;  /* a commit of more rows is late; 0: none */
	uint64_t most;     /* rows of the largest transaction that was committed */
};

extern struct fake_disk fake_disk;
extern const struct store_kind fake_store; /* is called "sqlite", for the metric labels */

#endif /* FAKE_STORE_H */
