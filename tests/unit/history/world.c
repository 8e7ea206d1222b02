/* world.c - a past made up of calls whose ranges overlap, put into a store, and what may be answered out of it. */
#include "world.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE (2 * WORLD_CELL)

/* Every third minute nobody traded. */
static bool
minute_exists(unsigned minute)
{
	return minute * 2654435761u % 3 != 0;
}

static int64_t
received_of(unsigned call)
{
	return WORLD_BEGIN + INT64_C(86400000000000) + call * INT64_C(1000000007);
}

/* Some minutes are revised with each call. */
static double
close_of(unsigned minute, unsigned call)
{
	return 100 + minute + (minute % 5 == 0 ? call / 8.0 : 0);
}

/* A recording that was played into the same store: newer than all calls, and not of this past. */
static void
store_recording(world_exec *exec, void *db, unsigned from, unsigned to, unsigned sequence)
{
	char sql[1024];

	snprintf(sql, sizeof(sql),
	    "INSERT INTO bars VALUES (1, 4, 0, 'AAPL', 'iex', '1Min', 'raw', %" PRId64 ", %" PRId64
	    ", 1, 2, 0.5, 7, 10, NULL, 0, 'fetcher', %u)",
	    WORLD_BEGIN + (from + 1) / 2 * MINUTE, received_of(WORLD_CALLS) + sequence, sequence);
	exec(db, sql);
	snprintf(sql, sizeof(sql),
	    "INSERT INTO coverage VALUES (1, 4, 1, 'AAPL', 'iex', '1Min', 'raw', %" PRId64
	    ", %" PRId64 ", %" PRId64 ", 1, 'fetcher', %u)",
	    WORLD_BEGIN + from * WORLD_CELL, WORLD_BEGIN + (to + 1) * WORLD_CELL - 1,
	    received_of(WORLD_CALLS) + sequence, sequence + 1);
	exec(db, sql);
}

void
world_make(struct world *w, unsigned *seed)
{
	w->count = 5 + (unsigned)rand_r(seed) % (WORLD_CALLS - 5);
	for (unsigned i = 0; i < w->count; i++) {
		unsigned length = 1 + (unsigned)rand_r(seed) % (rand_r(seed) % 4 == 0 ? 200 : 20);

		w->calls[i].from = (unsigned)rand_r(seed) % (WORLD_CELLS - length);
		w->calls[i].to = w->calls[i].from + length;
		w->calls[i].broken = rand_r(seed) % 12 == 0;
	}
}

void
world_store(const struct world *w, world_exec *exec, void *db)
{
	char sql[1024];

	for (unsigned i = 0; i < w->count; i++) {
		const struct world_call *c = &w->calls[i];
		unsigned rows = 0, sequence = i * 1000;

		for (unsigned m = (c->from + 1) / 2; m * 2 < c->to; m++) {
			if (!minute_exists(m))
				continue;
			rows++;
			snprintf(sql, sizeof(sql),
			    "INSERT INTO bars VALUES (1, 3, 0, 'AAPL', 'iex', '1Min', 'raw', "
			    "%" PRId64 ", %" PRId64
			    ", 1, 2, 0.5, %.6f, 10, NULL, 0, 'fetcher', %u)",
			    WORLD_BEGIN + m * MINUTE, received_of(i), close_of(m, i), ++sequence);
			exec(db, sql);
		}
		snprintf(sql, sizeof(sql),
		    "INSERT INTO coverage VALUES (1, 3, 1, 'AAPL', 'iex', '1Min', 'raw', %" PRId64
		    ", %" PRId64 ", %" PRId64 ", %u, 'fetcher', %u)",
		    WORLD_BEGIN + c->from * WORLD_CELL, WORLD_BEGIN + c->to * WORLD_CELL - 1,
		    received_of(i), rows + c->broken, ++sequence);
		exec(db, sql);
		if (i % 4 == 0)
			store_recording(exec, db, c->from, c->to, ++sequence);
	}
}

void
world_schema(const char *path, world_exec *exec, void *db)
{
	static char sql[65536];
	FILE *f = fopen(path, "r");
	size_t len;

	cr_assert_not_null(f, "%s", path);
	len = fread(sql, 1, sizeof(sql) - 1, f);
	sql[len] = '\0';
	fclose(f);
	exec(db, sql);
}

void
world_question(struct history_question *q, unsigned *seed)
{
	unsigned from = (unsigned)rand_r(seed) % WORLD_CELLS;
	unsigned to = from + 1 + (unsigned)rand_r(seed) % (WORLD_CELLS - from);

	*q = (struct history_question){ .series = { COVERED_BARS, ASSET_STOCK, "AAPL", "iex",
					    "1Min", "raw" },
		.start = WORLD_BEGIN + from * WORLD_CELL,
		.end = WORLD_BEGIN + to * WORLD_CELL - 1,
		.descending = rand_r(seed) % 2 == 0,
		.is_market = true,
		.limit = 1 + (unsigned)rand_r(seed) % (rand_r(seed) % 2 == 0 ? 5 : 300),
		.now_ns = received_of(WORLD_CALLS) + INT64_C(86400000000000),
		.wait_ms = 5000 };
}

/* The newest call of the cell; null: none, or one that is not whole. */
static const struct world_call *
call_of(const struct world *w, unsigned cell)
{
	for (unsigned i = w->count; i-- > 0;)
		if (w->calls[i].from <= cell && cell < w->calls[i].to)
			return w->calls[i].broken ? NULL : &w->calls[i];
	return NULL;
}

void
world_check(const struct world *w, const struct history_question *q, const struct history_answer *a,
    const char *of)
{
	unsigned from = (unsigned)((q->start - WORLD_BEGIN) / WORLD_CELL);
	unsigned to = (unsigned)((q->end + 1 - WORLD_BEGIN) / WORLD_CELL), n = to - from, cell;
	const struct world_call *c;
	unsigned i, rows = 0;

	cr_assert_eq(a->error, E_OK, "%s: %s", of, a->why);
	for (i = 0; i < n; i++) {
		cell = q->descending ? to - 1 - i : from + i;
		if ((c = call_of(w, cell)) == NULL)
			break;
		if (cell % 2 != 0 || !minute_exists(cell / 2))
			continue;
		if (rows < q->limit) {
			const struct bar *b = &a->rows[rows].v.bar;

			cr_assert_lt(rows, a->count, "%s: row %u is missing", of, rows);
			cr_assert_eq(
			    b->event, WORLD_BEGIN + cell / 2 * MINUTE, "%s: row %u", of, rows);
			cr_assert_float_eq(b->close, close_of(cell / 2, (unsigned)(c - w->calls)),
			    1e-9, "%s: the newest call's value", of);
			cr_assert(isnan(b->trade_count) && b->vwap == 0, "%s: null and zero", of);
		}
		rows++;
	}
	cr_assert_eq(a->full, rows > q->limit, "%s: %u rows of %zu", of, rows, q->limit);
	cr_assert_eq(a->count, rows > q->limit ? q->limit : rows, "%s: %zu rows, not %u", of,
	    a->count, rows);
	if (a->full)
		return;
	cr_assert_eq(a->reach,
	    q->descending ? q->end + 1 - i * WORLD_CELL : q->start - 1 + i * WORLD_CELL,
	    "%s: proven up to there", of);
	if (i == n)
		cr_assert_eq(a->next, a->reach, "%s: no hole", of);
}
