/* latest.c - the sink of latest values against a Redis: how many values of a journal a second it brings there.
 *
 * bench_latest STATE_DIR URL RECORDS SYMBOLS STREAM_MAX
 * Writes a journal of quotes into STATE_DIR first when there is none; prints records, seconds and values sent. The
 * script bench/redis runs it beside redis-benchmark.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "clock.h"
#include "journal.h"
#include "latest_sink.h"
#include "log.h"
#include "text.h"

#define BASE_NS	   (INT64_C(1764000000) * CLOCK_SEC)
#define LIMIT_SECS 120

static uint64_t
number(const char *text)
{
	uint64_t v;

	if (text_to_u64(text, &v) != E_OK)
		fatal(EXIT_WITH_USAGE, "%s is not a number", text);
	return v;
}

static void
journal_write(const char *state_dir, uint64_t records, uint64_t symbols)
{
	const struct journal_limits limits = { .segment_bytes = 64u << 20,
		.max_bytes = 8ull << 30 };
	struct quote q = {
		.asset = ASSET_STOCK, .source = SOURCE_LATEST, .bid_size = 400, .ask_size = 500
	};
	struct journal *j;
	uint64_t last;

	strcpy(q.feed, "iex");
	strcpy(q.bid_exchange, "K");
	strcpy(q.ask_exchange, "V");
	strcpy(q.tape, "C");
	list_empty(q.conditions);
	if (list_add(q.conditions, sizeof(q.conditions), "R") != E_OK ||
	    journal_open(&j, state_dir, "fetcher-rest", &limits) != E_OK)
		fatal(EXIT_WITH_STATE, "%s: no journal", state_dir);
	for (uint64_t i = 0; i < records; i++) {
		snprintf(
		    q.symbol, sizeof(q.symbol), "S%llu", (unsigned long long)(i * 7919 % symbols));
		q.event = BASE_NS + (int64_t)i * 1000;
		q.received = q.event + 5 * CLOCK_MS;
		q.bid_price = (double)(10000 + i % 1000) / 100; /* digits as prices have them */
		q.ask_price = (double)(10002 + i % 1000) / 100;
		if (journal_append(j, MSG_QUOTE, &q) != E_OK ||
		    (i % 1000 == 999 && journal_flush(j, &last, NULL) != E_OK))
			fatal(EXIT_WITH_STATE, "%s: the journal takes no more", state_dir);
	}
	if (journal_flush(j, &last, NULL) != E_OK)
		fatal(EXIT_WITH_STATE, "%s: the journal takes no more", state_dir);
	journal_close(&j);
}

int
main(int argc, char **argv)
{
	struct loop *loop = loop_new();
	struct slot_page *page = mem_alloc(sizeof(*page));
	struct stats stats = { .mine = page };
	struct conf conf;
	struct latest *l;
	char path[300], why[CONF_ERROR];
	struct stat st;
	uint64_t records, done = 0;
	int64_t began;

	if (argc != 6)
		fatal(EXIT_WITH_USAGE,
		    "usage: bench_latest STATE_DIR URL RECORDS SYMBOLS STREAM_MAX");
	log_open("bench", LOG_FORMAT_TEXT, LOG_LEVEL_WARN);
	conf_defaults(&conf);
	if (conf_set(&conf, "state.dir", argv[1], "bench", why) != E_OK ||
	    conf_set(&conf, "redis.url", argv[2], "bench", why) != E_OK ||
	    conf_set(&conf, "redis.stream_max", argv[5], "bench", why) != E_OK)
		fatal(EXIT_WITH_USAGE, "%s", why);
	records = number(argv[3]);
	snprintf(path, sizeof(path), "%s/journal/fetcher-rest", argv[1]);
	if (stat(path, &st) != 0)
		journal_write(argv[1], records, number(argv[4]));
	began = clock_mono();
	l = latest_open(loop, &conf, &stats);
	while (clock_mono() - began < LIMIT_SECS * CLOCK_SEC && done < records) {
		loop_turn(loop, 10);
		if (latest_is_idle(l))
			done = metric_total(page, M_REDIS_VALUES) +
			       metric_total(page, M_REDIS_COALESCED);
	}
	printf("records %llu seconds %.4f sent %llu streamed %llu\n", (unsigned long long)done,
	    (double)(clock_mono() - began) / 1e9,
	    (unsigned long long)metric_total(page, M_REDIS_VALUES),
	    (unsigned long long)metric_total(page, M_REDIS_STREAMED));
	latest_close(&l);
	loop_free(&loop);
	free(page);
	return done == records ? 0 : EXIT_WITH_SOFTWARE;
}
