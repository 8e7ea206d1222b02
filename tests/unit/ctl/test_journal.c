/* test_journal.c - opitios-ctl journal over made journals: what is printed, and how it ends. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl_room.h"
#include "journal.h"
#include "journal_scan.h"
#include "log.h"

static char dir[64], said[65536];

static void
setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/test_ctl_journal.XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	log_open("test", LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
}

static void
teardown(void)
{
	char line[128];

	snprintf(line, sizeof(line), "rm -rf %s", dir);
	cr_assert_eq(system(line), 0);
}

TestSuite(journal, .init = setup, .fini = teardown, .timeout = 30);

/* The exit code; what was printed, errors too, is in `said`. */
static int
run(const char *arguments)
{
	char line[1024];
	size_t n;
	FILE *f;

	snprintf(line, sizeof(line),
	    "env -u OPITIOS_STATE_DIR -u POSTGRES_URL %s/opitios-ctl --state-dir %s %s 2>&1",
	    BUILD_DIR, dir, arguments);
	f = popen(line, "r");
	n = fread(said, 1, sizeof(said) - 1, f);
	said[n] = '\0';
	return WEXITSTATUS(pclose(f));
}

static int
lines(void)
{
	int n = 0;

	for (const char *p = said; *p != '\0'; p++)
		n += *p == '\n';
	return n;
}

/* Ten trades of two symbols, then a quote; the first sequence. */
static uint64_t
make(const char *source)
{
	const struct journal_limits limits = { .segment_bytes = 1024, .max_bytes = 1 << 20 };
	struct journal *j;
	uint64_t last = 0;

	cr_assert_eq(journal_open(&j, dir, source, &limits), E_OK);
	for (uint64_t id = 1; id <= 10; id++) {
		struct trade t = { .asset = ASSET_STOCK,
			.source = SOURCE_REPLAY,
			.event = 1700000000123456789,
			.received = 1700000001000000000,
			.price = 0.1 + (double)id,
			.size = 100,
			.has_id = true,
			.trade_id = id };

		strcpy(t.symbol, id % 2 != 0 ? "AAPL" : "MSFT");
		strcpy(t.feed, "iex");
		list_empty(t.conditions);
		cr_assert_eq(list_add(t.conditions, sizeof(t.conditions), "@"), E_OK);
		cr_assert_eq(journal_append(j, MSG_TRADE, &t), E_OK);
	}
	struct quote q = { .asset = ASSET_STOCK,
		.source = SOURCE_REPLAY,
		.event = 1700000002000000000,
		.received = 1700000002000000000,
		.bid_price = __builtin_nan(""),
		.bid_size = __builtin_nan(""),
		.ask_price = 10.25,
		.ask_size = 3 };

	strcpy(q.symbol, "AAPL");
	cr_assert_eq(journal_append(j, MSG_QUOTE, &q), E_OK);
	cr_assert_eq(journal_flush(j, &last, NULL), E_OK);
	journal_close(&j);
	return last - 10;
}

Test(journal, ls_tells_sources_and_segments)
{
	make("fetcher-a");
	make("fetcher-b");
	cr_expect_eq(run("journal ls"), 0, "%s", said);
	cr_expect_not_null(strstr(said, "fetcher-a"), "%s", said);
	cr_expect_not_null(strstr(said, "not known"), "there is no store: %s", said);
	cr_expect_eq(run("--json journal ls"), 0);
	cr_expect_eq(lines(), 2, "%s", said);
	cr_expect_not_null(strstr(said, "\"records\":11,\"missing\":0"), "%s", said);
	cr_expect_not_null(strstr(said, "\"damage\":null"), "%s", said);
	cr_expect_eq(run("journal ls fetcher-a --json"), 0);
	cr_expect_gt(lines(), 1, "%s", said);
	cr_expect_not_null(strstr(said, "\"state\":\"good\""), "%s", said);
}

Test(journal, cat_prints_values_as_they_came)
{
	make("fetcher-a");
	cr_expect_eq(run("journal cat fetcher-a"), 0);
	cr_expect_eq(lines(), 11, "%s", said);
	cr_expect_not_null(strstr(said, "trade asset=stock source=replay symbol=AAPL feed=iex "
					"event=2023-11-14T22:13:20.123456789Z"),
	    "%s", said);
	cr_expect_not_null(strstr(said, "price=1.1 size=100 conditions=[@]"), "%s", said);
	cr_expect_eq(run("--json journal cat --type quote"), 0);
	cr_expect_eq(lines(), 1, "%s", said);
	cr_expect_not_null(strstr(said, "\"bid_price\":null"), "%s", said);
	cr_expect_not_null(strstr(said, "\"ask_price\":10.25"), "%s", said);
}

Test(journal, cat_is_narrowed_by_symbol_type_range_and_limit)
{
	char line[200];
	uint64_t first = make("fetcher-a");

	cr_expect_eq(run("journal cat --symbol MSFT"), 0);
	cr_expect_eq(lines(), 5, "%s", said);
	cr_expect_eq(run("journal cat --symbol AAPL --type trade,bar --limit 2"), 0);
	cr_expect_eq(lines(), 2, "%s", said);
	snprintf(line, sizeof(line), "journal cat fetcher-a --from %llu --to %llu",
	    (unsigned long long)first + 3, (unsigned long long)first + 7);
	cr_expect_eq(run(line), 0);
	cr_expect_eq(lines(), 4, "%s", said);
	cr_expect_eq(run("journal cat --to 2001-01-01"), 0);
	cr_expect_eq(lines(), 0, "%s", said);
	cr_expect_eq(run("journal cat --type nonsense"), 64);
	cr_expect_eq(run("journal cat --from yesterday"), 64);
	cr_expect_eq(run("journal cat --limit 0"), 64);
}

Test(journal, verify_ends_with_0_or_65_and_says_what_is_wrong)
{
	char line[400];

	make("fetcher-a");
	cr_expect_eq(run("journal verify"), 0, "%s", said);
	cr_expect_eq(lines(), 1, "%s", said);
	cr_expect_not_null(strstr(said, "good: 11 records"), "%s", said);
	cr_expect_not_null(strstr(said, "quote 1, trade 10"), "%s", said);
	snprintf(line, sizeof(line),
	    "f=$(ls %s/journal/fetcher-a/*.seg | head -1); printf xxxx | dd of=$f bs=1 seek=300 "
	    "conv=notrunc status=none",
	    dir);
	cr_assert_eq(system(line), 0);
	cr_expect_eq(run("journal verify fetcher-a"), 65, "%s", said);
	cr_expect_not_null(strstr(said, "1 record(s) behind sequence"), "%s", said);
	cr_expect_not_null(strstr(said, "DAMAGED"), "%s", said);
	cr_expect_eq(run("--json journal verify"), 65);
	cr_expect_not_null(strstr(said, "\"good\":false"), "%s", said);
	cr_expect_not_null(strstr(said, "\"finding\":\"gap\""), "%s", said);
	cr_expect_eq(run("journal cat"), 0, "what is good is printed all the same");
	cr_expect_eq(lines(), 10 + 2, "%s", said);
}

Test(journal, what_is_not_there_is_one_clear_line)
{
	cr_expect_eq(run("journal ls"), 0, "%s", said);
	cr_expect_eq(lines(), 2, "no journals, and no store: %s", said);
	cr_expect_eq(run("journal verify fetcher-a"), 66);
	cr_expect_eq(lines(), 1, "%s", said);
	cr_expect_eq(run("journal verify ../../etc"), 64);
	cr_expect_eq(run("journal mend"), 64);
	cr_expect_eq(run("journal"), 64);
	cr_expect_eq(run("--state-dir /nonexistent journal ls"), 66);
	cr_expect_eq(lines(), 1, "%s", said);
	cr_expect_eq(run("status --follow"), 64);
	cr_expect_not_null(strstr(said, "status takes no --follow"), "%s", said);
}
