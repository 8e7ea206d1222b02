/* test_keep.c - stored segments that stay: by time, while there is room, and never one that is not stored. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "journal_help.h"

TestSuite(keep, .init = help_setup, .fini = help_teardown, .timeout = 60);

static const struct journal_limits for_ever = {
	.segment_bytes = 1024, .max_bytes = 65536, .keep_ns = JOURNAL_KEEP_EVER
};
static const struct journal_limits a_minute = {
	.segment_bytes = 1024, .max_bytes = 1 << 20, .keep_ns = 60 * CLOCK_SEC
};

/* The lowest sequence that can still be read. */
static uint64_t
lowest(void)
{
	struct journal_reader *reader = help_reader(0);
	struct journal_record record;
	uint64_t sequence = 0;

	if (journal_read(reader, &record) == E_OK)
		sequence = record.sequence;
	journal_reader_close(&reader);
	return sequence;
}

static int
append_flush(struct journal *j, uint64_t id)
{
	struct trade t = help_trade(id);
	uint64_t last;
	size_t lost;
	int r;

	if ((r = journal_append(j, MSG_TRADE, &t)) == E_OK)
		r = journal_flush(j, &last, &lost);
	return r;
}

Test(keep, recorded_segments_stay_when_they_are_stored)
{
	struct journal *j = help_open(&for_ever);
	uint64_t last = help_append(j, 1, 100);
	size_t segments = help_segment_count();

	cr_expect_eq(journal_stored_bytes(j), 0);
	journal_passed(j, last);
	cr_expect_eq(help_segment_count(), segments);
	cr_expect_gt(journal_stored_bytes(j), 0);
	cr_expect_lt(
	    journal_stored_bytes(j), journal_bytes(j), "the one written to is no kept one");
	cr_expect_eq(lowest(), last - 99);
	journal_close(&j);
}

Test(keep, the_oldest_go_where_room_is_needed_and_nothing_fresh_is_dropped)
{
	struct journal *j = help_open(&for_ever);
	uint64_t first = help_append(j, 1, 1);

	for (uint64_t id = 2; id <= 3000; id++) {
		cr_assert_eq(append_flush(j, id), E_OK);
		cr_assert_leq(journal_bytes(j), 65536);
		if (id % 20 == 0)
			journal_passed(j, journal_last(j));
	}
	cr_expect_gt(lowest(), first);
	cr_expect_gt(journal_bytes(j), 65536 - 4096, "no more than needed goes");
	journal_close(&j);
}

Test(keep, what_is_not_stored_is_full_and_stays)
{
	struct journal *j = help_open(&for_ever);
	uint64_t stored = help_append(j, 1, 104), id = 104;
	struct journal_reader *reader;
	int r;

	journal_passed(j, stored);
	while ((r = append_flush(j, ++id)) == E_OK)
		cr_assert_lt(id, 10000);
	cr_expect_eq(r, E_FULL);
	reader = help_reader(stored);
	for (uint64_t at = 105; at < id; at++)
		help_expect_trade(reader, at);
	cr_expect_eq(journal_reader_skipped(reader), 0);
	journal_reader_close(&reader);
	journal_close(&j);
}

Test(keep, a_process_that_comes_after_makes_room_before_the_store_speaks)
{
	struct journal *j = help_open(&for_ever);
	uint64_t id = 1, stored = 0;

	while (journal_bytes(j) < 60000) {
		cr_assert_eq(append_flush(j, id++), E_OK);
		journal_passed(j, stored = journal_last(j));
	}
	journal_close(&j);
	j = help_open(&for_ever);
	for (int i = 0; i < 300; i++)
		cr_assert_eq(append_flush(j, id++), E_OK, "dropped at %d", i);
	cr_expect_lt(lowest(), stored);
	journal_close(&j);
}

Test(keep, by_age_nothing_goes_before_the_store_spoke)
{
	int64_t now = clock_wall();
	struct journal *j = help_open(&a_minute);
	uint64_t last = help_append(j, 1, 100);
	size_t segments = help_segment_count();

	journal_passed(j, last);
	cr_expect_eq(help_segment_count(), segments);
	journal_close(&j);
	clock_fake(now + 120 * CLOCK_SEC, clock_mono());
	j = help_open(&a_minute);
	journal_prune(j);
	cr_expect_eq(help_segment_count(), segments, "it may be another store");
	journal_passed(j, last - 50);
	cr_expect_lt(help_segment_count(), segments);
	cr_expect_leq(lowest(), last - 49);
	journal_passed(j, last);
	cr_expect_eq(help_segment_count(), 1);
	clock_real();
	journal_close(&j);
}

/* The primary is gone for long, the replica that takes over is behind. */
Test(keep, nothing_expires_while_the_store_is_away)
{
	const int64_t now = clock_wall(), mono = clock_mono();
	struct journal *j = help_open(&a_minute);
	uint64_t last = help_append(j, 1, 100);
	size_t segments = help_segment_count();

	journal_passed(j, last);
	clock_fake(now + 3600 * CLOCK_SEC, mono + 3600 * CLOCK_SEC);
	journal_prune(j);
	cr_expect_eq(help_segment_count(), segments);
	journal_passed(j, last - 50);
	cr_expect_leq(lowest(), last - 49, "what the replica lacks is there");
	journal_passed(j, last);
	cr_expect_eq(help_segment_count(), 1, "the store is back, and has it all");
	clock_real();
	journal_close(&j);
}

Test(keep, time_lets_them_go_once_the_store_has_them)
{
	int64_t now = clock_wall();
	struct journal *j = help_open(&a_minute);
	uint64_t last = help_append(j, 1, 100);

	journal_passed(j, last);
	clock_fake(now + 30 * CLOCK_SEC, clock_mono());
	journal_prune(j);
	cr_expect_gt(help_segment_count(), 1);
	clock_fake(now + 90 * CLOCK_SEC, clock_mono());
	journal_prune(j);
	cr_expect_eq(help_segment_count(), 1);
	clock_real();
	journal_close(&j);
}

Test(keep, a_store_that_is_behind_finds_what_it_lacks)
{
	struct journal *j = help_open(&for_ever);
	uint64_t last = help_append(j, 1, 300), behind = 0;
	struct journal_reader *reader;

	journal_passed(j, last);
	journal_passed(j, last - 200);
	journal_close(&j);
	j = help_open(&for_ever);
	for (uint64_t id = 301; append_flush(j, id) == E_OK; id++)
		cr_assert_lt(id, 10000);
	cr_expect_leq(lowest(), last - 199, "the lower word holds, also for who comes after");
	reader = help_reader(last - 200);
	help_expect_trade(reader, 101);
	cr_assert_eq(journal_reader_behind(reader, &behind), E_OK);
	cr_expect_eq(behind, journal_last(j) - (last - 199));
	journal_reader_close(&reader);
	journal_close(&j);
}

Test(keep, what_is_only_kept_is_no_lag_of_a_reader_who_knows_nothing)
{
	struct journal *j = help_open(&for_ever);
	uint64_t last = help_append(j, 1, 100), behind = 0;
	struct journal_reader *reader;

	journal_passed(j, last);
	reader = help_reader(0);
	cr_assert_eq(journal_reader_behind(reader, &behind), E_OK);
	cr_expect_lt(behind, 20, "at most a segment's");
	journal_reader_close(&reader);
	journal_close(&j);
}

Test(keep, a_mark_that_is_garbage_is_none)
{
	static const char *const texts[] = { "", "\n", "x\n", "-1\n", "12",
		"99999999999999999999\n", "18446744073709551615\n" };
	char dir[JOURNAL_PATH], path[JOURNAL_PATH + 8];

	journal_close(&(struct journal *){ help_open(&for_ever) });
	cr_assert_eq(segment_dir(help_dir, HELP_SOURCE, dir), E_OK);
	snprintf(path, sizeof(path), "%s/stored", dir);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		help_file_write(path, (const uint8_t *)texts[i], strlen(texts[i]));
		cr_expect_eq(mark_read(dir), 0, "%s", texts[i]);
	}
}

/* Appends, tells half of it as stored, and tells the test up to where, until it is killed. */
static void
run_writer(int pipe)
{
	struct journal *j = help_open(&for_ever);
	uint64_t id = 1, stored;

	for (;;) {
		for (int i = 0; i < 20; i++)
			if (append_flush(j, id++) != E_OK)
				_exit(3);
		stored = journal_last(j) - 10;
		if (write(pipe, &stored, sizeof(stored)) != sizeof(stored))
			_exit(4);
		journal_passed(j, stored);
	}
}

Test(keep, a_kill_at_any_moment_leaves_all_that_was_not_stored)
{
	for (int round = 0; round < 25; round++) {
		struct journal_record record;
		struct journal_reader *reader;
		uint64_t stored = 0, one;
		int fds[2], status;
		pid_t pid;

		cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
		if ((pid = fork()) == 0)
			run_writer(fds[1]);
		close(fds[1]);
		poll(NULL, 0, 1 + round);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		cr_assert(WIFSIGNALED(status), "round %d: ended with %x", round, status);
		while (read(fds[0], &one, sizeof(one)) == (ssize_t)sizeof(one))
			stored = one;
		close(fds[0]);
		if (stored == 0)
			continue;
		/* Read from where the store would go on: nothing is missing up to the end. */
		reader = help_reader(stored);
		cr_assert_eq(journal_read(reader, &record), E_OK);
		cr_expect_eq(record.sequence, stored + 1);
		while (journal_read(reader, &record) == E_OK)
			;
		cr_expect_eq(journal_reader_skipped(reader), 0);
		journal_reader_close(&reader);
	}
}
