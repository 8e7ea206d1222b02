/* journal.c - records a second into the journal, out of it, and into SQLite. Usage: bench_journal [records] */
#include "journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "log.h"
#include "store.h"

enum { BATCH = 1000, ROWS = 2000 };

static char state_dir[] = "/tmp/bench_journal.XXXXXX";

static struct quote
sample(uint64_t i)
{
	struct quote q = { .asset = ASSET_STOCK,
		.source = SOURCE_STREAM,
		.symbol = "AAPL",
		.feed = "iex",
		.event = 1700000000000000000 + (int64_t)i,
		.received = 1700000000100000000 + (int64_t)i,
		.bid_price = 189.37,
		.bid_size = 3,
		.bid_exchange = "V",
		.ask_price = 189.41,
		.ask_size = 1,
		.ask_exchange = "V",
		.tape = "C" };

	snprintf(q.symbol, sizeof(q.symbol), "S%u", (unsigned)(i % 500));
	return q;
}

static void
must(int r, const char *doing)
{
	if (r != E_OK)
		fatal(EXIT_WITH_SYSTEM, "bench: %s: %s", doing, err_text(r));
}

/* Since the last call, in seconds: on the wall, and of this process's own work, which a busy machine leaves alone. */
static void
lap(double *wall, double *cpu)
{
	static int64_t wall_before, cpu_before;
	struct timespec used;
	int64_t wall_now = clock_mono(), cpu_now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	cpu_now = used.tv_sec * CLOCK_SEC + used.tv_nsec;
	*wall = (double)(wall_now - wall_before) / (double)CLOCK_SEC;
	*cpu = (double)(cpu_now - cpu_before) / (double)CLOCK_SEC;
	wall_before = wall_now;
	cpu_before = cpu_now;
}

static void
lap_begin(void)
{
	double wall, cpu;

	lap(&wall, &cpu);
}

static void
report(const char *what, uint64_t records)
{
	double wall, cpu;

	lap(&wall, &cpu);
	printf("%-16s %10.0f records/s  %10.0f records per CPU second\n", what,
	    (double)records / wall, (double)records / cpu);
}

static void
bench_append(uint64_t records)
{
	const struct journal_limits limits = { 64 << 20, UINT64_C(64) << 30 };
	struct journal *j;
	uint64_t last;

	must(journal_open(&j, state_dir, "bench", &limits), "open");
	lap_begin();
	for (uint64_t i = 0; i < records; i++) {
		struct quote q = sample(i);

		must(journal_append(j, MSG_QUOTE, &q), "append");
		if (i % BATCH == BATCH - 1)
			must(journal_flush(j, &last, NULL), "flush");
	}
	must(journal_flush(j, &last, NULL), "flush");
	report("append", records);
	journal_close(&j);
}

static void
bench_read(uint64_t records)
{
	struct journal_reader *reader;
	struct journal_record record;
	uint64_t read = 0;

	must(journal_reader_open(&reader, state_dir, "bench", 0), "open");
	lap_begin();
	while (journal_read(reader, &record) == E_OK)
		read++;
	if (read != records)
		fatal(EXIT_WITH_SOFTWARE, "bench: read %llu of %llu records",
		    (unsigned long long)read, (unsigned long long)records);
	report("read", records);
	journal_reader_close(&reader);
}

static void
answered(void *owner)
{
	(void)owner;
}

static void
committed(const struct store_commit *done, void *owner)
{
	*(uint64_t *)owner = done->sequence;
}

static void
failed(int error, const char *why, void *owner)
{
	(void)owner;
	must(error, why);
}

static void
bench_store(uint64_t records)
{
	static const struct store_hooks hooks = {
		.opened = answered, .committed = committed, .failed = failed
	};
	char where[64];
	uint64_t stored = 0;
	struct store_setup setup = { .where = where, .hooks = &hooks, .owner = &stored };
	struct journal_reader *reader;
	struct journal_record record;
	struct store *store;
	uint64_t rows = 0, last = 0;

	snprintf(where, sizeof(where), "%s/history.sqlite", state_dir);
	store = store_sqlite.open(&setup);
	must(journal_reader_open(&reader, state_dir, "bench", 0), "open");
	lap_begin();
	while (rows < records) {
		must(store_sqlite.begin(store, "bench", stored), "begin");
		for (int i = 0; i < ROWS && journal_read(reader, &record) == E_OK; i++, rows++) {
			must(store_sqlite.add(store, &record), "add");
			last = record.sequence;
		}
		store_sqlite.commit(store, last);
	}
	report("read and store", rows);
	journal_reader_close(&reader);
	store_sqlite.close(&store);
}

int
main(int argc, char **argv)
{
	uint64_t records = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000000;
	char command[96];

	log_open("bench", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	if (records == 0 || mkdtemp(state_dir) == NULL)
		fatal(EXIT_WITH_USAGE, "usage: bench_journal [records]");
	bench_append(records);
	bench_read(records);
	bench_store(records);
	snprintf(command, sizeof(command), "rm -rf %s", state_dir);
	return system(command) == 0 ? 0 : 1;
}
