/* test_read.c - the reading side: torn tails, rotten bytes, vanishing segments, a writer at the same time. */
#include <fcntl.h>
#include <sys/resource.h>

#include "journal_help.h"

TestSuite(read, .init = help_setup, .fini = help_teardown, .timeout = 120);

Test(read, a_source_that_does_not_exist_yet_is_an_empty_one)
{
	struct journal_reader *reader = help_reader(0);
	struct journal_record record;
	uint64_t behind = 9;
	struct journal *j;

	cr_expect_eq(journal_read(reader, &record), E_PARTIAL);
	cr_expect_eq(journal_reader_behind(reader, &behind), E_OK);
	cr_expect_eq(behind, 0);
	j = help_open(&help_roomy);
	cr_expect_eq(journal_read(reader, &record), E_PARTIAL);
	help_append(j, 1, 1);
	help_expect_trade(reader, 1);
	cr_expect_eq(journal_read(reader, &record), E_PARTIAL);
	journal_reader_close(&reader);
	journal_close(&j);
}

Test(read, starts_behind_any_position)
{
	const struct journal_limits small = { .segment_bytes = 200000, .max_bytes = 1 << 30 };
	struct journal *j = help_open(&small);
	uint64_t last = help_append(j, 1, 5000);

	for (uint64_t behind = 0; behind < 5000; behind += 37) {
		struct journal_reader *reader = help_reader(last - behind);
		struct journal_record record;
		uint64_t count = 99;

		if (behind == 0) {
			cr_assert_eq(journal_read(reader, &record), E_PARTIAL);
		} else {
			help_expect_trade(reader, 5001 - behind);
			cr_assert_eq(journal_reader_behind(reader, &count), E_OK);
			cr_assert_eq(count, behind - 1);
		}
		cr_assert_eq(journal_reader_skipped(reader), 0);
		journal_reader_close(&reader);
	}
	journal_close(&j);
}

static uint64_t
behind(uint64_t after)
{
	struct journal_reader *reader = help_reader(after);
	uint64_t count = UINT64_MAX;

	cr_expect_eq(journal_reader_behind(reader, &count), E_OK);
	journal_reader_close(&reader);
	return count;
}

/* The machine was restarted twice while the store was away. */
Test(read, a_step_is_not_counted_as_records_that_wait)
{
	const struct journal_limits small = { .segment_bytes = 4096, .max_bytes = 1 << 30 };
	struct journal *j = help_open(&small);
	uint64_t last = help_append(j, 1, 200);

	for (int boot = 0; boot < 2; boot++) {
		journal_close(&j);
		help_pretend_other_boot();
		j = help_open(&small);
		help_append(j, 1000, 100);
	}
	cr_expect_eq(behind(last - 150), 350);
	cr_expect_eq(behind(last), 200);
	cr_expect_eq(behind(last + 1), 200, "in the step");
	cr_expect_eq(behind(journal_last(j) - 60), 60);
	cr_expect_eq(behind(journal_last(j)), 0);
	journal_close(&j);
}

Test(read, a_bad_header_does_not_hide_what_waits)
{
	const struct journal_limits small = { .segment_bytes = 4096, .max_bytes = 1 << 30 };
	struct journal *j = help_open(&small);
	uint64_t last = help_append(j, 1, 200);
	const size_t segments = help_segment_count();
	const size_t bad[] = { 1, segments - 1 };
	char path[JOURNAL_PATH];

	cr_assert_gt(segments, 3);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint8_t *bytes;
		size_t len;

		help_segment(bad[i], path);
		bytes = help_file_read(path, &len);
		bytes[20] ^= 0xff;
		help_file_write(path, bytes, len);
		mem_free(&bytes);
		cr_expect_eq(behind(last - 190), 190);
	}
	journal_close(&j);
}

Test(read, every_field_comes_back_as_it_went)
{
	struct journal *j = help_open(&help_roomy);
	struct journal_reader *reader = help_reader(0);
	struct journal_record record;
	struct trade t = help_trade(UINT64_MAX);
	int64_t before = clock_wall();
	uint64_t last;

	t.price = 0.1 + 0.2;
	list_empty(t.conditions);
	cr_assert_eq(list_add(t.conditions, sizeof(t.conditions), "@"), E_OK);
	cr_assert_eq(list_add(t.conditions, sizeof(t.conditions), " "), E_OK);
	cr_assert_eq(journal_append(j, MSG_TRADE, &t), E_OK);
	cr_assert_eq(journal_flush(j, &last, NULL), E_OK);
	cr_assert_eq(journal_read(reader, &record), E_OK);
	cr_expect_eq(record.sequence, last);
	cr_expect_geq(record.appended_ns, before);
	cr_expect_leq(record.appended_ns, clock_wall());
	cr_expect_eq(record.desc, msg_desc(MSG_TRADE));
	cr_expect_eq(record.value.trade.trade_id, UINT64_MAX);
	cr_expect_eq(record.value.trade.price, 0.1 + 0.2);
	cr_expect_str_eq(record.value.trade.conditions, t.conditions);
	journal_reader_close(&reader);
	journal_close(&j);
}

/* The bytes of a journal of `count` trades, and where the last record begins. */
static uint8_t *
segment_of(uint64_t count, char path[JOURNAL_PATH], size_t *len, size_t *last_begins)
{
	struct journal *j = help_open(&help_roomy);
	uint8_t *bytes;
	size_t at = SEGMENT_HEADER;

	help_append(j, 1, count);
	journal_close(&j);
	help_segment(0, path);
	bytes = help_file_read(path, len);
	for (uint64_t i = 1; i < count; i++)
		at += record_bytes(bytes + at);
	*last_begins = at;
	return bytes;
}

Test(read, a_tail_torn_at_any_byte_is_cut_and_the_next_record_is_read_right)
{
	char path[JOURNAL_PATH];
	size_t len, begins;
	uint8_t *bytes = segment_of(4, path, &len, &begins);

	for (size_t cut = begins; cut < len; cut++) {
		struct journal_reader *reader = help_reader(0);
		struct journal_record record;
		struct journal *j;

		help_file_write(path, bytes, cut);
		for (uint64_t id = 1; id <= 3; id++)
			help_expect_trade(reader, id);
		cr_assert_eq(journal_read(reader, &record), E_PARTIAL);
		j = help_open(&help_roomy);
		/* Of another length than the torn one, so that stale bytes would show. */
		help_append(j, 1000000 + cut, 2);
		help_expect_trade(reader, 1000000 + cut);
		help_expect_trade(reader, 1000001 + cut);
		cr_assert_eq(journal_read(reader, &record), E_PARTIAL);
		cr_assert_eq(journal_reader_skipped(reader), 0);
		journal_close(&j);
		cr_assert_eq(
		    help_segment_count(), 1, "torn at %zu: sequences go on without a step", cut);
		journal_reader_close(&reader);
	}
	mem_free(&bytes);
}

Test(read, a_header_torn_at_any_byte_is_no_segment)
{
	char path[JOURNAL_PATH];
	size_t len, begins;
	uint8_t *bytes = segment_of(1, path, &len, &begins);

	for (size_t cut = 0; cut < SEGMENT_HEADER; cut++) {
		struct journal_reader *reader = help_reader(0);
		struct journal_record record;
		struct journal *j;

		help_file_write(path, bytes, cut);
		cr_assert_eq(journal_read(reader, &record), E_PARTIAL);
		j = help_open(&help_roomy);
		help_append(j, 5, 1);
		help_expect_trade(reader, 5);
		journal_close(&j);
		journal_reader_close(&reader);
		cr_assert_eq(help_segment_count(), 1);
		help_segment(0, path);
	}
	mem_free(&bytes);
}

/* Reads to the end: every record must be intact and above the one before. Returns how many. */
static uint64_t
read_intact(struct journal_reader *reader, uint64_t id_after)
{
	struct journal_record record;
	uint64_t count = 0, sequence = 0;
	int r, idle = 0;

	while (idle < 2) {
		if ((r = journal_read(reader, &record)) == E_OK) {
			cr_assert(help_is_intact(&record));
			cr_assert_gt(record.value.trade.trade_id, id_after);
			cr_assert_gt(record.sequence, sequence);
			id_after = record.value.trade.trade_id;
			sequence = record.sequence;
			count++;
		} else {
			cr_assert(r == E_PARTIAL || r == E_CORRUPT, "%d", r);
			idle += r == E_PARTIAL;
		}
	}
	return count;
}

Test(read, no_flipped_bit_gives_a_wrong_record_and_every_lost_one_is_counted)
{
	enum { RECORDS = 6 };
	char path[JOURNAL_PATH];
	size_t len, begins;
	uint8_t *bytes = segment_of(RECORDS, path, &len, &begins);

	for (size_t bit = 0; bit < len * 8; bit++) {
		struct journal_reader *reader = help_reader(0);
		struct journal *j = NULL;
		uint64_t read, more;

		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		help_file_write(path, bytes, len);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		read = read_intact(reader, 0);
		j = help_open(&help_roomy);
		help_append(j, 100, 3);
		more = read_intact(reader, 6);
		cr_assert_eq(
		    more, 3, "bit %zu: %lu records behind the damage", bit, (unsigned long)more);
		if (bit / 8 < SEGMENT_HEADER)
			cr_assert_eq(read, RECORDS, "the header holds no record");
		else
			cr_assert_eq(read, RECORDS - 1);
		/* The last record could have been a torn one when only its length rotted. */
		if (bit / 8 >= SEGMENT_HEADER && bit / 8 < begins)
			cr_assert_eq(journal_reader_skipped(reader), 1);
		else
			cr_assert_leq(journal_reader_skipped(reader), 1);
		journal_close(&j);
		journal_reader_close(&reader);
		while (help_segment_count() > 1) {
			char extra[JOURNAL_PATH];

			help_segment(1, extra);
			cr_assert_eq(unlink(extra), 0);
		}
	}
	mem_free(&bytes);
}

Test(read, a_rotten_stretch_in_the_middle_is_reported_skipped_and_counted)
{
	char path[JOURNAL_PATH];
	size_t len, begins;
	uint8_t *bytes = segment_of(10000, path, &len, &begins);
	struct journal_reader *reader;
	struct journal_record record;
	uint64_t read = 0;
	int r, reports = 0;

	memset(bytes + len / 4, 0xa5, len / 2);
	help_file_write(path, bytes, len);
	mem_free(&bytes);
	reader = help_reader(0);
	while ((r = journal_read(reader, &record)) != E_PARTIAL) {
		cr_assert(r == E_OK || r == E_CORRUPT);
		if (r == E_OK) {
			cr_assert(help_is_intact(&record));
			read++;
		}
		reports += r == E_CORRUPT;
	}
	cr_expect_gt(reports, 0);
	cr_expect_gt(read, 4000);
	cr_expect_eq(read + journal_reader_skipped(reader), 10000);
	journal_reader_close(&reader);
}

Test(read, a_reader_at_a_torn_tail_reads_what_is_written_in_its_place)
{
	char path[JOURNAL_PATH];
	size_t len, begins;
	uint8_t *bytes = segment_of(3, path, &len, &begins);
	struct journal_reader *reader = help_reader(0);
	struct journal_record record;
	struct journal *j;

	help_file_write(path, bytes, len - 5);
	mem_free(&bytes);
	help_expect_trade(reader, 1);
	help_expect_trade(reader, 2);
	cr_assert_eq(journal_read(reader, &record), E_PARTIAL);
	j = help_open(&help_roomy);
	cr_assert_eq(journal_read(reader, &record), E_PARTIAL);
	help_append(j, 4444, 1);
	help_expect_trade(reader, 4444);
	cr_expect_eq(journal_reader_skipped(reader), 0);
	journal_close(&j);
	journal_reader_close(&reader);
}

Test(read, a_reader_whose_segment_was_deleted_moves_on)
{
	const struct journal_limits tiny = { .segment_bytes = 1024, .max_bytes = 1 << 20 };
	struct journal *j = help_open(&tiny);
	uint64_t last = help_append(j, 1, 60);
	struct journal_reader *reader = help_reader(0), *late = help_reader(last - 59);
	struct journal_record record;
	uint64_t read = 0;
	int r;

	help_expect_trade(reader, 1);
	journal_passed(j, last);
	while ((r = journal_read(reader, &record)) != E_PARTIAL) {
		cr_assert(r == E_OK || r == E_CORRUPT);
		read += r == E_OK;
	}
	cr_expect_gt(read, 0);
	cr_expect_eq(
	    1 + read + journal_reader_skipped(reader), 60, "what went away unread is counted");
	cr_expect_eq(journal_read(late, &record), E_CORRUPT);
	journal_reader_close(&late);
	journal_reader_close(&reader);
	journal_close(&j);
}

Test(read, a_missing_segment_is_counted_record_by_record)
{
	const struct journal_limits tiny = { .segment_bytes = 1024, .max_bytes = 1 << 20 };
	struct journal *j = help_open(&tiny);
	struct journal_reader *reader;
	struct journal_record record;
	char path[JOURNAL_PATH];
	uint64_t read = 0;
	int r;

	help_append(j, 1, 60);
	help_segment(3, path);
	cr_assert_eq(unlink(path), 0);
	reader = help_reader(0);
	while ((r = journal_read(reader, &record)) != E_PARTIAL) {
		cr_assert(r == E_OK || r == E_CORRUPT);
		read += r == E_OK;
	}
	cr_expect_eq(read + journal_reader_skipped(reader), 60);
	cr_expect_gt(journal_reader_skipped(reader), 0);
	journal_reader_close(&reader);
	journal_close(&j);
}

Test(read, a_segment_emptied_in_the_middle_does_not_stop_the_reader)
{
	const struct journal_limits tiny = { .segment_bytes = 1024, .max_bytes = 1 << 20 };
	struct journal *j = help_open(&tiny);
	struct journal_reader *reader;
	struct journal_record record;
	char path[JOURNAL_PATH];
	uint64_t read = 0;
	int r;

	help_append(j, 1, 60);
	help_segment(3, path);
	cr_assert_eq(truncate(path, 0), 0);
	reader = help_reader(0);
	while ((r = journal_read(reader, &record)) != E_PARTIAL) {
		cr_assert(r == E_OK || r == E_CORRUPT);
		read += r == E_OK;
	}
	cr_expect_eq(read + journal_reader_skipped(reader), 60);
	journal_reader_close(&reader);
	journal_close(&j);
}

/* Changes version and type of the nth record, checksum and all, as a newer program would have written it. */
static void
rewrite_record(uint64_t n, uint16_t type, uint16_t version)
{
	char path[JOURNAL_PATH];
	struct record_view view;
	size_t len, at = SEGMENT_HEADER;
	uint8_t *bytes;

	help_segment(0, path);
	bytes = help_file_read(path, &len);
	for (uint64_t i = 1; i < n; i++)
		at += record_bytes(bytes + at);
	cr_assert_eq(record_check(bytes + at, len - at, &view), RECORD_GOOD);
	record_begin(bytes + at, (enum msg_type)type, version, view.payload_len, view.appended_ns);
	record_seal(bytes + at, view.sequence);
	help_file_write(path, bytes, len);
	mem_free(&bytes);
}

Test(read, a_record_of_a_newer_version_stops_the_reader_and_stays)
{
	char path[JOURNAL_PATH];
	size_t len, begins;
	uint8_t *bytes = segment_of(3, path, &len, &begins);
	struct journal_reader *reader = help_reader(0);
	struct journal_record record;

	mem_free(&bytes);
	rewrite_record(2, MSG_TRADE, 2);
	help_expect_trade(reader, 1);
	cr_expect_eq(journal_read(reader, &record), E_VERSION);
	cr_expect_eq(journal_read(reader, &record), E_VERSION, "it stays there");
	rewrite_record(2, MSG_TYPE_MAX - 1, 1);
	cr_expect_eq(journal_read(reader, &record), E_VERSION, "a type of a newer program as well");
	journal_reader_close(&reader);
}

Test(read, a_payload_that_is_not_its_type_is_skipped_and_counted)
{
	char path[JOURNAL_PATH];
	size_t len, begins;
	uint8_t *bytes = segment_of(3, path, &len, &begins);
	struct journal_reader *reader = help_reader(0);
	struct journal_record record;

	mem_free(&bytes);
	rewrite_record(2, MSG_QUOTE, 1);
	help_expect_trade(reader, 1);
	cr_expect_eq(journal_read(reader, &record), E_CORRUPT);
	cr_expect_eq(journal_reader_skipped(reader), 1);
	help_expect_trade(reader, 3);
	journal_reader_close(&reader);
}

/* One read in two succeeds, and half of the readers are new: as when memory is short under load. */
static void
starve(struct journal *j, uint64_t from, unsigned times)
{
	struct rlimit none = { .rlim_cur = 3, .rlim_max = 4096 }, many = { 1024, 4096 };
	struct journal_reader *reader = help_reader(0);
	struct journal_record record;

	for (uint64_t i = from; i < from + times; i++) {
		help_append(j, i, 1);
		while (journal_read(reader, &record) == E_OK)
			;
		setrlimit(RLIMIT_NOFILE, &none);
		cr_expect_eq(journal_read(reader, &record), E_SYSTEM);
		setrlimit(RLIMIT_NOFILE, &many);
		if (i % 2 == 0) {
			journal_reader_close(&reader);
			reader = help_reader(0);
		}
	}
	journal_reader_close(&reader);
}

Test(read, an_episode_of_failures_is_one_line)
{
	struct journal *j = help_open(&help_roomy);
	static struct log_ring ring;

	clock_fake(clock_wall(), CLOCK_DAY);
	log_keep(&ring);
	starve(j, 1, 10);
	cr_expect_eq(ring.next, 1);
	clock_fake(clock_wall(), CLOCK_DAY + 20 * CLOCK_SEC);
	starve(j, 11, 5);
	cr_expect_eq(ring.next, 2, "the next episode is one of its own");
	log_keep(NULL);
	clock_real();
	journal_close(&j);
}
