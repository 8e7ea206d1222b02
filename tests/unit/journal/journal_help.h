/* journal_help.h - what the tests of the journal share: a folder of their own, records, bytes of segments. */
#ifndef JOURNAL_HELP_H
#define JOURNAL_HELP_H
#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "journal_room.h"
#include "log.h"
#include "mem.h"

#define HELP_SOURCE "fetcher-test"

static const struct journal_limits help_roomy = { .segment_bytes = 1 << 20, .max_bytes = 1 << 30 };
static char help_dir[64];

/* Criterion runs every test in a process of its own; the folder goes when it ends. */
static inline void
help_setup_in(const char *where)
{
	snprintf(help_dir, sizeof(help_dir), "%s/test_journal.XXXXXX", where);
	cr_assert_not_null(mkdtemp(help_dir));
	log_open("test", LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	cr_assert_not_null(freopen("/dev/null", "w", stderr));
}

/* In memory where that can be had: thousands of journals are opened, and each is synced when it closes. */
static inline void
help_setup(void)
{
	help_setup_in(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
}

/* On a disk, where a kill cuts writes short. */
static inline void
help_setup_disk(void)
{
	help_setup_in("/tmp");
}

static inline void
help_teardown(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", help_dir);
	cr_assert_eq(system(command), 0);
}

static inline struct trade
help_trade(uint64_t id)
{
	struct trade t = { .asset = ASSET_STOCK,
		.source = SOURCE_LATEST,
		.event = 1700000000000000000,
		.received = 1700000000000000001,
		.price = 1.25 + (double)(id % 1000),
		.size = 100,
		.has_id = true,
		.trade_id = id };

	snprintf(t.symbol, sizeof(t.symbol), "S%llu", (unsigned long long)(id % 97));
	strcpy(t.feed, "iex");
	return t;
}

static inline struct journal *
help_open(const struct journal_limits *limits)
{
	struct journal *j = NULL;

	cr_assert_eq(journal_open(&j, help_dir, HELP_SOURCE, limits), E_OK);
	return j;
}

/* Appends trades with ids from..from + count - 1 and flushes; sequence of the last. */
static inline uint64_t
help_append(struct journal *j, uint64_t from, uint64_t count)
{
	uint64_t last = 0;
	size_t lost = 99;

	for (uint64_t i = 0; i < count; i++) {
		struct trade t = help_trade(from + i);

		cr_assert_eq(journal_append(j, MSG_TRADE, &t), E_OK);
	}
	cr_assert_eq(journal_flush(j, &last, &lost), E_OK);
	cr_assert_eq(lost, 0);
	return last;
}

static inline struct journal_reader *
help_reader(uint64_t after)
{
	struct journal_reader *reader = NULL;

	cr_assert_eq(journal_reader_open(&reader, help_dir, HELP_SOURCE, after), E_OK);
	return reader;
}

/* The record is what help_trade made of its id. */
static inline int
help_is_intact(const struct journal_record *record)
{
	struct trade want = help_trade(record->value.trade.trade_id);
	const struct trade *got = &record->value.trade;

	return record->type == MSG_TRADE && got->price == want.price && got->size == want.size &&
	       strcmp(got->symbol, want.symbol) == 0 && strcmp(got->feed, want.feed) == 0 &&
	       got->event == want.event && got->received == want.received;
}

static inline void
help_expect_trade(struct journal_reader *reader, uint64_t id)
{
	struct journal_record record;

	cr_assert_eq(journal_read(reader, &record), E_OK);
	cr_assert(help_is_intact(&record));
	cr_assert_eq(record.value.trade.trade_id, id);
}

/* Path of the only, or the nth, segment. */
static inline void
help_segment(size_t n, char path[JOURNAL_PATH])
{
	struct segment_list list;
	char dir[JOURNAL_PATH];

	cr_assert_eq(segment_dir(help_dir, HELP_SOURCE, dir), E_OK);
	cr_assert_eq(segment_list_read(dir, &list), E_OK);
	cr_assert_lt(n, list.count);
	cr_assert_eq(segment_path(dir, list.first[n], path), E_OK);
	segment_list_fini(&list);
}

static inline size_t
help_segment_count(void)
{
	struct segment_list list;
	char dir[JOURNAL_PATH];
	size_t count;

	cr_assert_eq(segment_dir(help_dir, HELP_SOURCE, dir), E_OK);
	cr_assert_eq(segment_list_read(dir, &list), E_OK);
	count = list.count;
	segment_list_fini(&list);
	return count;
}

static inline uint8_t *
help_file_read(const char *path, size_t *len)
{
	struct stat st;
	uint8_t *bytes;
	FILE *f = fopen(path, "rb");

	cr_assert_not_null(f);
	cr_assert_eq(fstat(fileno(f), &st), 0);
	*len = (size_t)st.st_size;
	bytes = mem_alloc(*len + 1);
	cr_assert_eq(fread(bytes, 1, *len, f), *len);
	fclose(f);
	return bytes;
}

static inline void
help_file_write(const char *path, const uint8_t *bytes, size_t len)
{
	FILE *f = fopen(path, "wb");

	cr_assert_not_null(f);
	cr_assert_eq(fwrite(bytes, 1, len, f), len);
	fclose(f);
}

/* Rewrites the header of the last segment as another boot of the machine would have made it. */
static inline void
help_pretend_other_boot(void)
{
	struct segment_header header;
	uint8_t *bytes;
	char path[JOURNAL_PATH];
	size_t len;

	help_segment(help_segment_count() - 1, path);
	bytes = help_file_read(path, &len);
	cr_assert_eq(segment_header_read(bytes, &header), E_OK);
	header.boot[0] ^= 0xff;
	segment_header_write(&header, bytes);
	help_file_write(path, bytes, len);
	mem_free(&bytes);
}

#endif /* JOURNAL_HELP_H */
