/* fuzz_journal.c - any bytes as a segment: the reader gives good records only, in order, and always ends.
 *
 * The first byte says how the rest is split over two segments and, when odd, that checksums are made right first, so
 * that what is behind them is reached. Invariants: sequences rise; every record given is one
 * that stands in the bytes with its checksum; what the writer makes of the same files is readable behind them.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "journal_room.h"
#include "log.h"

#define FUZZ_SOURCE "fuzz"

static char state_dir[64];

static void
state_begin(void)
{
	char path[JOURNAL_PATH];

	if (state_dir[0] == '\0') {
		/* In memory where there is such a thing: every input is a few files. */
		strcpy(state_dir, access("/dev/shm", W_OK) == 0 ? "/dev/shm/fuzz_journal.XXXXXX"
								: "/tmp/fuzz_journal.XXXXXX");
		must_hold(mkdtemp(state_dir) != NULL);
		/* Every input is damaged: no line of the log about it. */
		log_open("fuzz", LOG_FORMAT_TEXT, (enum log_level)(LOG_LEVEL_ERROR + 1));
	}
	snprintf(path, sizeof(path), "%s/journal", state_dir);
	(void)mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/journal/" FUZZ_SOURCE, state_dir);
	(void)mkdir(path, 0700);
}

static void
segments_remove(void)
{
	char dir[JOURNAL_PATH], path[JOURNAL_PATH];
	struct segment_list list;

	must_hold(segment_dir(state_dir, FUZZ_SOURCE, dir) == E_OK);
	must_hold(segment_list_read(dir, &list) == E_OK);
	for (size_t i = 0; i < list.count; i++)
		must_hold(segment_path(dir, list.first[i], path) == E_OK && unlink(path) == 0);
	segment_list_fini(&list);
}

static void
segment_put(uint64_t first, const uint8_t *data, size_t size)
{
	char dir[JOURNAL_PATH], path[JOURNAL_PATH];
	int fd;

	must_hold(segment_dir(state_dir, FUZZ_SOURCE, dir) == E_OK);
	must_hold(segment_path(dir, first, path) == E_OK);
	must_hold((fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600)) >= 0);
	must_hold(write(fd, data, size) == (ssize_t)size);
	close(fd);
}

static int
stands_there(const uint8_t *data, size_t size, const struct journal_record *record)
{
	struct record_view view;
	size_t at = 0;

	for (; at < size && record_find(data, size, &at, &view); at++)
		if (view.sequence == record->sequence && view.type == record->type)
			return 1;
	return 0;
}

/* To the end; returns the last sequence. E_VERSION stops a reader for good. */
static uint64_t
read_all(const uint8_t *data, size_t size, uint64_t after)
{
	struct journal_reader *reader;
	struct journal_record record;
	uint64_t last = after, rounds = 0;
	int r = E_OK, idle = 0;

	must_hold(journal_reader_open(&reader, state_dir, FUZZ_SOURCE, after) == E_OK);
	while (idle < 3 && r != E_VERSION) {
		r = journal_read(reader, &record);
		must_hold(r == E_OK || r == E_PARTIAL || r == E_CORRUPT || r == E_VERSION);
		must_hold(++rounds < size + 100);
		if (r == E_OK) {
			must_hold(record.sequence > last);
			must_hold(data == NULL || stands_there(data, size, &record));
			last = record.sequence;
		}
		idle += r == E_PARTIAL;
	}
	journal_reader_close(&reader);
	return r == E_VERSION ? UINT64_MAX : last;
}

static void
write_behind(uint64_t last)
{
	const struct journal_limits limits = { .segment_bytes = 1 << 20, .max_bytes = 1 << 30 };
	const struct trade trade = {
		.asset = ASSET_STOCK, .symbol = "A", .feed = "iex", .event = 1
	};
	struct journal *j;
	uint64_t mine;
	int r = journal_open(&j, state_dir, FUZZ_SOURCE, &limits);

	must_hold(r == E_OK || r == E_VERSION);
	if (r != E_OK)
		return;
	/* A checked record may carry any sequence; near the end of numbers there is nothing behind it. */
	if (journal_last(j) < UINT64_MAX / 2 && last < UINT64_MAX / 2) {
		journal_passed(j, last);
		must_hold(journal_append(j, MSG_TRADE, &trade) == E_OK);
		must_hold(journal_flush(j, &mine, NULL) == E_OK);
		must_hold(mine > last);
		must_hold(read_all(NULL, 1 << 20, last) >= mine);
	}
	journal_close(&j);
}

/* Seals whatever has the sync of a record and fits. */
static void
checksums_right(uint8_t *data, size_t size)
{
	for (size_t at = 0; at + RECORD_HEADER <= size; at++) {
		uint64_t sequence = 0;

		if (memcmp(data + at, "\xf5oaj", 4) != 0 || record_bytes(data + at) > size - at)
			continue;
		for (int i = 7; i >= 0; i--)
			sequence = sequence << 8 | data[at + 16 + (size_t)i];
		record_seal(data + at, sequence);
		at += record_bytes(data + at) - 1;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	uint8_t *data;
	size_t first;
	uint64_t last;

	if (size < 2)
		return 0;
	state_begin();
	data = malloc(size - 1);
	must_hold(data != NULL);
	memcpy(data, input + 1, --size);
	if (input[0] & 1)
		checksums_right(data, size);
	first = size - size * (size_t)(input[0] >> 1) / 127;
	segment_put(1, data, first);
	if (first < size)
		segment_put(100, data + first, size - first);
	last = read_all(data, size, 0);
	/* Sealed bytes may hold any sequence in any order, which neither a writer nor rot makes. */
	if (last != UINT64_MAX && !(input[0] & 1))
		write_behind(last);
	segments_remove();
	free(data);
	return 0;
}
