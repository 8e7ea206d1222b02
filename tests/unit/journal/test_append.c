/* test_append.c - the writing side: sequences, segments, bounds, failing disks. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "journal_help.h"

TestSuite(append, .init = help_setup, .fini = help_teardown, .timeout = 60);

static const struct journal_limits tiny = { .segment_bytes = 1024, .max_bytes = 1 << 20 };

Test(append, sequences_rise_by_one_and_go_on_after_closing)
{
	struct journal *j = help_open(&help_roomy);
	uint64_t first;

	cr_expect_eq(journal_last(j), 0, "a new journal has no last record");
	first = help_append(j, 1, 1);
	cr_expect_gt(first, 0);
	cr_expect_eq(help_append(j, 2, 10), first + 10);
	journal_close(&j);
	cr_expect_null(j);
	j = help_open(&help_roomy);
	cr_expect_eq(journal_last(j), first + 10);
	cr_expect_eq(help_append(j, 12, 1), first + 11);
	journal_close(&j);
	cr_expect_eq(help_segment_count(), 1, "the old segment is written on");
}

Test(append, closing_writes_what_was_gathered)
{
	struct journal *j = help_open(&help_roomy);
	struct trade t = help_trade(7);
	struct journal_reader *reader = help_reader(0);

	cr_assert_eq(journal_append(j, MSG_TRADE, &t), E_OK);
	journal_close(&j);
	help_expect_trade(reader, 7);
	journal_reader_close(&reader);
}

Test(append, rolls_to_a_new_segment_and_loses_nothing)
{
	struct journal *j = help_open(&tiny);
	struct journal_reader *reader;

	help_append(j, 1, 100);
	cr_expect_gt(help_segment_count(), 5);
	reader = help_reader(0);
	for (uint64_t id = 1; id <= 100; id++)
		help_expect_trade(reader, id);
	journal_reader_close(&reader);
	journal_close(&j);
}

Test(append, segments_wholly_below_the_stored_position_go)
{
	struct journal *j = help_open(&tiny);
	uint64_t last = help_append(j, 1, 100);
	uint64_t before = journal_bytes(j);
	struct journal_reader *reader;
	size_t segments = help_segment_count();

	journal_passed(j, last - 50);
	cr_expect_lt(help_segment_count(), segments);
	cr_expect_lt(journal_bytes(j), before);
	reader = help_reader(last - 50);
	for (uint64_t id = 51; id <= 100; id++)
		help_expect_trade(reader, id);
	journal_passed(j, last);
	cr_expect_eq(help_segment_count(), 1, "the one written to stays");
	cr_expect_eq(help_append(j, 101, 1), last + 1);
	help_expect_trade(reader, 101);
	journal_reader_close(&reader);
	journal_close(&j);
}

Test(append, is_full_at_max_bytes_and_goes_on_once_records_are_stored)
{
	const struct journal_limits small = { .segment_bytes = 1 << 26, .max_bytes = 65536 };
	struct journal *j = help_open(&small);
	struct trade t = help_trade(1);
	uint64_t last, kept = 0;
	size_t lost;
	int r;

	while ((r = journal_append(j, MSG_TRADE, &t)) == E_OK) {
		cr_assert_eq(journal_flush(j, &last, &lost), E_OK);
		cr_assert_lt(kept++, 10000);
	}
	cr_expect_eq(r, E_FULL);
	cr_expect_leq(journal_bytes(j), 65536);
	journal_passed(j, last);
	cr_expect_eq(help_append(j, 1, 1), last + 1, "what was refused took no sequence");
	journal_close(&j);
}

Test(append, gathered_records_count_against_max_bytes)
{
	const struct journal_limits small = { .segment_bytes = 1 << 26, .max_bytes = 65536 };
	struct journal *j = help_open(&small);
	struct trade t = help_trade(1);
	uint64_t last;
	size_t lost;

	while (journal_append(j, MSG_TRADE, &t) == E_OK)
		;
	cr_assert_eq(journal_flush(j, &last, &lost), E_OK);
	cr_expect_leq(journal_bytes(j), 65536);
	journal_close(&j);
}

Test(append, a_segment_takes_one_record_even_when_it_is_larger_than_the_limit)
{
	const struct journal_limits odd = { .segment_bytes = 70, .max_bytes = 1 << 20 };
	struct journal *j = help_open(&odd);
	struct journal_reader *reader = help_reader(0);

	help_append(j, 1, 5);
	for (uint64_t id = 1; id <= 5; id++)
		help_expect_trade(reader, id);
	journal_reader_close(&reader);
	journal_close(&j);
}

Test(append, more_than_the_gathering_bound_in_one_turn_is_written_on_the_way)
{
	struct journal *j = help_open(&help_roomy);
	struct journal_reader *reader = help_reader(0);

	help_append(j, 1, 30000);
	for (uint64_t id = 1; id <= 30000; id++)
		help_expect_trade(reader, id);
	journal_reader_close(&reader);
	journal_close(&j);
}

/* A full disk, as the kernel tells it: the file may not grow beyond the limit. */
static void
limit_files(rlim_t bytes)
{
	struct rlimit limit = { .rlim_cur = bytes, .rlim_max = RLIM_INFINITY };

	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

Test(append, a_disk_that_fills_up_costs_the_records_that_did_not_fit_and_says_how_many)
{
	struct journal *j = help_open(&help_roomy);
	struct journal_reader *reader = help_reader(0);
	uint64_t last = 0, base = help_append(j, 1, 10), ids;
	size_t lost = 0;

	limit_files((rlim_t)journal_bytes(j) + 1000);
	for (uint64_t id = 11; id <= 110; id++) {
		struct trade t = help_trade(id);

		cr_assert_eq(journal_append(j, MSG_TRADE, &t), E_OK);
	}
	cr_expect_eq(journal_flush(j, &last, &lost), E_SYSTEM);
	cr_expect_gt(last, base, "whole records that were written stay");
	cr_expect_eq(lost, 100 - (last - base));
	cr_expect_eq(
	    journal_kept(j, MSG_TRADE), 110 - lost, "what is kept and what is lost is all");
	limit_files(RLIM_INFINITY);
	ids = last - base;
	cr_expect_eq(help_append(j, 500, 3), last + 3, "without a gap");
	for (uint64_t id = 1; id <= 10 + ids; id++)
		help_expect_trade(reader, id);
	for (uint64_t id = 500; id <= 502; id++)
		help_expect_trade(reader, id);
	cr_expect_eq(journal_reader_skipped(reader), 0);
	journal_reader_close(&reader);
	journal_close(&j);
}

/* Every segment takes one record, so that each append begins one. */
static const struct journal_limits one_each = { .segment_bytes = 70, .max_bytes = 1 << 20 };

static void
next_segment(uint64_t sequence, char path[JOURNAL_PATH])
{
	char dir[JOURNAL_PATH];

	cr_assert_eq(segment_dir(help_dir, HELP_SOURCE, dir), E_OK);
	cr_assert_eq(segment_path(dir, sequence, path), E_OK);
}

Test(append, what_a_begin_that_failed_left_behind_is_begun_anew)
{
	struct journal *j = help_open(&one_each);
	struct journal_reader *reader = help_reader(0);
	uint64_t last = help_append(j, 1, 1);
	char path[JOURNAL_PATH];

	help_expect_trade(reader, 1);
	next_segment(last + 1, path);
	help_file_write(path, (const uint8_t *)"OPTJ", 4);
	cr_expect_eq(help_append(j, 2, 1), last + 1);
	next_segment(last + 2, path);
	help_file_write(path, (const uint8_t *)"", 0);
	cr_expect_eq(help_append(j, 3, 1), last + 2);
	help_expect_trade(reader, 2);
	help_expect_trade(reader, 3);
	cr_expect_eq(journal_reader_skipped(reader), 0);
	journal_reader_close(&reader);
	journal_close(&j);
}

Test(append, a_file_with_records_in_the_way_is_not_overwritten)
{
	struct journal *j = help_open(&one_each);
	uint64_t last = help_append(j, 1, 1);
	char path[JOURNAL_PATH];
	struct trade t = help_trade(2);
	uint8_t *bytes, *after;
	size_t len, left;

	help_segment(0, path);
	bytes = help_file_read(path, &len);
	next_segment(last + 1, path);
	help_file_write(path, bytes, len);
	cr_assert_eq(journal_append(j, MSG_TRADE, &t), E_OK);
	cr_expect_eq(journal_flush(j, NULL, NULL), E_SYSTEM);
	after = help_file_read(path, &left);
	cr_assert_eq(left, len);
	cr_expect_eq(memcmp(bytes, after, len), 0);
	mem_free(&bytes);
	mem_free(&after);
	cr_assert_eq(unlink(path), 0);
	cr_expect_eq(help_append(j, 2, 1), last + 1);
	journal_close(&j);
}

Test(append, losses_on_the_way_are_told_by_the_next_flush)
{
	struct journal *j = help_open(&help_roomy);
	uint64_t last;
	size_t lost = 0;

	limit_files((rlim_t)journal_bytes(j));
	for (uint64_t id = 0; id < 15000; id++) {
		struct trade t = help_trade(id);

		cr_assert_eq(journal_append(j, MSG_TRADE, &t), E_OK);
	}
	cr_expect_eq(journal_flush(j, &last, &lost), E_SYSTEM);
	cr_expect_eq(lost, 15000);
	cr_expect_eq(journal_flush(j, &last, &lost), E_OK);
	cr_expect_eq(lost, 0, "told once");
	limit_files(RLIM_INFINITY);
	journal_close(&j);
}

Test(append, a_second_writer_is_refused_while_the_first_lives)
{
	struct journal *j = help_open(&help_roomy), *second = NULL;

	cr_expect_eq(journal_open(&second, help_dir, HELP_SOURCE, &help_roomy), E_SYSTEM);
	cr_expect_null(second);
	journal_close(&j);
	second = help_open(&help_roomy);
	journal_close(&second);
}

Test(append, a_replacement_waits_for_the_dying_writer)
{
	int started[2], release[2];
	struct journal *j = NULL;
	char byte = 0;
	pid_t pid;

	cr_assert_eq(pipe(started), 0);
	cr_assert_eq(pipe(release), 0);
	if ((pid = fork()) == 0) {
		if (journal_open(&j, help_dir, HELP_SOURCE, &help_roomy) != E_OK)
			_exit(1);
		if (write(started[1], "x", 1) != 1 || read(release[0], &byte, 1) != 1)
			_exit(2);
		poll(NULL, 0, 100); /* so that the other one finds the lock taken */
		_exit(0);
	}
	cr_assert_eq(read(started[0], &byte, 1), 1);
	cr_assert_eq(write(release[1], "x", 1), 1);
	cr_expect_eq(journal_open(&j, help_dir, HELP_SOURCE, &help_roomy), E_OK);
	journal_close(&j);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

Test(append, a_state_directory_that_is_not_there_is_an_error)
{
	struct journal *j = NULL;

	cr_expect_eq(journal_open(&j, "/nonexistent/state", HELP_SOURCE, &help_roomy), E_SYSTEM);
	cr_expect_eq(journal_open(&j, help_dir, "../escape", &help_roomy), E_LIMIT);
	cr_expect_null(j);
}

Test(append, after_a_restart_of_the_machine_no_sequence_is_given_twice)
{
	struct journal *j = help_open(&help_roomy);
	uint64_t last = help_append(j, 1, 10);
	struct journal_reader *reader = help_reader(0);

	for (uint64_t id = 1; id <= 10; id++)
		help_expect_trade(reader, id);
	journal_close(&j);
	help_pretend_other_boot();
	j = help_open(&help_roomy);
	cr_expect_eq(journal_last(j), last);
	cr_expect_geq(
	    help_append(j, 11, 1), last + JOURNAL_STEP, "unsynced records may have been read");
	help_expect_trade(reader, 11);
	cr_expect_eq(journal_reader_skipped(reader), 0, "a step is no loss");
	journal_reader_close(&reader);
	reader = help_reader(last);
	help_expect_trade(reader, 11);
	cr_expect_eq(journal_reader_skipped(reader), 0);
	journal_reader_close(&reader);
	journal_close(&j);
}

Test(append, a_store_that_knows_more_than_the_journal_is_not_given_its_sequences_again)
{
	struct journal *j = help_open(&help_roomy);
	uint64_t last = help_append(j, 1, 10), stored = last + 5000;
	struct journal_reader *reader = help_reader(stored);

	journal_passed(j, stored);
	cr_expect_gt(help_append(j, 11, 1), stored);
	for (uint64_t id = 1; id <= 11; id++)
		help_expect_trade(reader, id);
	cr_expect_eq(journal_reader_skipped(reader), 0);
	journal_reader_close(&reader);
	journal_close(&j);
}

Test(append, a_journal_whose_folder_was_removed_begins_anew_beyond_what_was_given)
{
	struct journal *j = help_open(&help_roomy);
	uint64_t last = help_append(j, 1, 10);
	struct journal_reader *reader = help_reader(last);
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s/journal", help_dir);
	cr_assert_eq(system(command), 0);
	cr_expect_eq(journal_sync(j), E_OK);
	cr_expect_gt(help_append(j, 11, 1), last);
	help_expect_trade(reader, 11);
	journal_reader_close(&reader);
	journal_close(&j);
}

Test(append, segments_left_when_the_one_in_use_was_removed_count_and_go_once_stored)
{
	const struct journal_limits small = { .segment_bytes = 4096, .max_bytes = 1 << 20 };
	struct journal *j = help_open(&small);
	size_t segments;
	uint64_t bytes, used;
	char path[JOURNAL_PATH];

	help_append(j, 1, 200);
	bytes = journal_bytes(j);
	used = j->size;
	segments = help_segment_count();
	cr_assert_gt(segments, 2);
	help_segment(segments - 1, path);
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(journal_sync(j), E_OK);
	cr_expect_eq(journal_bytes(j), bytes - used + SEGMENT_HEADER);
	cr_expect_eq(help_segment_count(), segments);
	journal_passed(j, help_append(j, 201, 1));
	cr_expect_eq(help_segment_count(), 1);
	cr_expect_eq(journal_bytes(j), j->size);
	journal_close(&j);
}

Test(append, a_journal_that_was_wiped_between_runs_does_not_fall_behind_the_store)
{
	struct journal *j = help_open(&help_roomy);
	uint64_t last = help_append(j, 1, 1000);
	struct journal_reader *reader;
	char command[128];

	journal_close(&j);
	snprintf(command, sizeof(command), "rm -rf %s/journal", help_dir);
	cr_assert_eq(system(command), 0);
	j = help_open(&help_roomy);
	reader = help_reader(last);
	cr_expect_gt(help_append(j, 2000, 1), last);
	help_expect_trade(reader, 2000);
	journal_reader_close(&reader);
	journal_close(&j);
}

Test(append, a_segment_of_a_newer_format_is_refused)
{
	struct journal *j = help_open(&help_roomy);
	struct segment_header header;
	uint8_t *bytes;
	char path[JOURNAL_PATH];
	size_t len;

	help_append(j, 1, 3);
	journal_close(&j);
	help_segment(0, path);
	bytes = help_file_read(path, &len);
	cr_assert_eq(segment_header_read(bytes, &header), E_OK);
	header.format = SEGMENT_FORMAT + 1;
	segment_header_write(&header, bytes);
	help_file_write(path, bytes, len);
	mem_free(&bytes);
	cr_expect_eq(journal_open(&j, help_dir, HELP_SOURCE, &help_roomy), E_VERSION);
	cr_expect_null(j);
}

Test(append, sync_is_fine_with_and_without_something_to_sync)
{
	struct journal *j = help_open(&tiny);

	help_append(j, 1, 20);
	cr_expect_eq(journal_sync(j), E_OK);
	cr_expect_eq(journal_sync(j), E_OK);
	journal_close(&j);
}
