/* writer_help.h - what the tests of cache-writer share: a state directory, a journal, damages. */
#ifndef WRITER_HELP_H
#define WRITER_HELP_H
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache_writer.h"
#include "clock.h"
#include "fake_store.h"
#include "log.h"

#define SOURCE "fetcher-rest"

static const struct journal_limits help_limits = { .segment_bytes = 1 << 20, .max_bytes = 1 << 30 };
static char help_dir[64];

static inline void
help_setup(void)
{
	snprintf(help_dir, sizeof(help_dir), "/tmp/test_writer.XXXXXX");
	cr_assert_not_null(mkdtemp(help_dir));
	log_open("test", LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	cr_assert_not_null(freopen("/dev/null", "w", stderr));
}

static inline void
help_teardown(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", help_dir);
	cr_assert_eq(system(command), 0);
}

static inline struct journal *
help_journal(const char *source)
{
	struct journal *j = NULL;

	cr_assert_eq(journal_open(&j, help_dir, source, &help_limits), E_OK);
	return j;
}

/* Trades with ids from..to; sequence of the last. */
static inline uint64_t
help_append(struct journal *j, uint64_t from, uint64_t to)
{
	uint64_t last = 0;

	for (uint64_t id = from; id <= to; id++) {
		struct trade t = { .asset = ASSET_STOCK,
			.source = SOURCE_LATEST,
			.symbol = "AAPL",
			.feed = "iex",
			.event = 1,
			.received = 2,
			.price = 1.5,
			.has_id = true,
			.trade_id = id };

		cr_assert_eq(journal_append(j, MSG_TRADE, &t), E_OK);
	}
	cr_assert_eq(journal_flush(j, &last, NULL), E_OK);
	return last;
}

/* Spoils one byte in the payload of the only segment's nth trade; all records are of one size. */
static inline void
help_spoil(uint64_t n, uint64_t count)
{
	const long header = 64;
	struct dirent *entry;
	char path[512];
	long size;
	DIR *dir;
	FILE *f = NULL;

	snprintf(path, sizeof(path), "%s/journal/" SOURCE, help_dir);
	cr_assert_not_null(dir = opendir(path));
	while (f == NULL && (entry = readdir(dir)) != NULL)
		if (strstr(entry->d_name, ".seg") != NULL) {
			snprintf(path, sizeof(path), "%s/journal/" SOURCE "/%s", help_dir,
			    entry->d_name);
			f = fopen(path, "r+b");
		}
	closedir(dir);
	cr_assert_not_null(f);
	fseek(f, 0, SEEK_END);
	size = (ftell(f) - header) / (long)count;
	fseek(f, header + size * (long)(n - 1) + size / 2, SEEK_SET);
	fputc('~', f);
	fclose(f);
}

/* The rows on the fake disk are trades from..to of the source in order, once each. */
static inline void
help_expect_rows(uint64_t at, uint64_t from, uint64_t to)
{
	for (uint64_t id = from; id <= to; id++, at++)
		cr_assert_eq(fake_disk.rows[at].trade_id, id, "row %d", (int)at);
}

#endif /* WRITER_HELP_H */
