/* fill.c - makes a journal of trades, as fast as it goes or at a rate. Usage: bench_fill STATE_DIR SOURCE RECORDS [PER_SECOND] */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "clock.h"
#include "journal.h"
#include "log.h"

enum { BATCH = 1000, TICK_MS = 5 };

static struct trade
sample(uint64_t i)
{
	struct trade t = { .asset = ASSET_STOCK,
		.source = SOURCE_STREAM,
		.feed = "iex",
		.event = 1700000000000000000 + (int64_t)i * 1000,
		.received = 1700000000100000000 + (int64_t)i * 1000,
		.price = 189.37 + (double)(i % 1000) / 100,
		.size = (double)(1 + i % 300),
		.exchange = "V",
		.tape = "C",
		.has_id = true,
		.trade_id = 52983525000000 + i };

	snprintf(t.symbol, sizeof(t.symbol), "S%u", (unsigned)(i % 500));
	return t;
}

static void
must(int r, const char *doing)
{
	if (r != E_OK)
		fatal(EXIT_WITH_SYSTEM, "bench_fill: %s: %s", doing, err_text(r));
}

static void
pause_until(int64_t ns)
{
	const struct timespec when = { .tv_sec = ns / CLOCK_SEC, .tv_nsec = ns % CLOCK_SEC };

	(void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL);
}

static double
fill(struct journal *j, uint64_t records, uint64_t rate)
{
	uint64_t last, batch = rate == 0 ? BATCH : rate * TICK_MS / 1000 + 1;
	int64_t begun = clock_mono();

	for (uint64_t i = 0; i < records; i++) {
		struct trade t = sample(i);

		must(journal_append(j, MSG_TRADE, &t), "append");
		if (i % batch != batch - 1)
			continue;
		must(journal_flush(j, &last, NULL), "flush");
		if (rate != 0)
			pause_until(begun + (int64_t)((double)(i + 1) / (double)rate * CLOCK_SEC));
	}
	must(journal_flush(j, &last, NULL), "flush");
	return (double)(clock_mono() - begun) / (double)CLOCK_SEC;
}

int
main(int argc, char **argv)
{
	const struct journal_limits limits = { 64 << 20, UINT64_C(64) << 30 };
	struct journal *j;
	uint64_t records, rate;
	double seconds;

	log_open("bench", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	if (argc < 4 || (records = strtoull(argv[3], NULL, 10)) == 0)
		fatal(EXIT_WITH_USAGE,
		    "usage: bench_fill STATE_DIR SOURCE RECORDS [PER_SECOND]: RECORDS is a number "
		    "above 0");
	rate = argc > 4 ? strtoull(argv[4], NULL, 10) : 0;
	must(journal_open(&j, argv[1], argv[2], &limits), "open");
	seconds = fill(j, records, rate);
	printf("%llu %.6f %llu\n", (unsigned long long)records, seconds,
	    (unsigned long long)journal_last(j));
	journal_close(&j);
	return 0;
}
