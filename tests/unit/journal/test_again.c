/* test_again.c - a journal put back from a copy: what it gives the store's numbers to comes to the store all the same. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "journal_help.h"

TestSuite(again, .init = help_setup, .fini = help_teardown, .timeout = 60);

static const struct journal_limits small = { .segment_bytes = 1024, .max_bytes = 1 << 24 };
static const struct journal_limits middle = { .segment_bytes = 1 << 16, .max_bytes = 1 << 26 };

static void
shell(const char *format)
{
	char command[512];

	snprintf(command, sizeof(command), format, help_dir, help_dir, help_dir);
	cr_assert_eq(system(command), 0);
}

/* The store has 200, the journal only the first 100 of them: the volume was put back, whose files stay the same. The
 * store's position. */
static uint64_t
put_back(const struct journal_limits *limits)
{
	struct journal *j = help_open(limits);
	uint64_t stored;

	journal_passed(j, help_append(j, 1, 50));
	help_append(j, 51, 50);
	shell("cp -a %s/journal %s/copy");
	stored = help_append(j, 101, 100);
	journal_passed(j, stored);
	journal_close(&j);
	shell("cd %s/journal/" HELP_SOURCE " && for f in *; do "
	      "[ -e %s/copy/" HELP_SOURCE "/$f ] && cat %s/copy/" HELP_SOURCE
	      "/$f >$f || rm $f; done");
	return stored;
}

/* What the store gets that stands there: these trades, once and in order, and then no more. */
static void
expect_read(uint64_t stored, uint64_t from, uint64_t to)
{
	struct journal_reader *reader = help_reader(stored);
	struct journal_record record;

	for (uint64_t id = from; id <= to; id++)
		help_expect_trade(reader, id);
	cr_expect_eq(journal_read(reader, &record), E_PARTIAL);
	cr_expect_eq(journal_reader_skipped(reader), 0);
	journal_reader_close(&reader);
}

/* The store has 200, the journal is a copy of its first 100. */
Test(again, files_put_back_from_a_copy_go_on_beyond_all_that_was_given)
{
	struct journal *j = help_open(&small);
	uint64_t stored;

	help_append(j, 1, 100);
	shell("cp -a %s/journal %s/copy");
	stored = help_append(j, 101, 100);
	journal_close(&j);
	shell("rm -rf %s/journal && mv %s/copy %s/journal");
	j = help_open(&small);
	/* The store is away until more was written than the copy lacks. */
	cr_expect_gt(help_append(j, 1001, 150), stored + 149);
	journal_passed(j, stored);
	expect_read(stored, 1001, 1150);
	journal_close(&j);
	j = help_open(&small);
	cr_expect_eq(help_append(j, 1151, 1), journal_last(j));
	expect_read(stored, 1001, 1151);
	journal_close(&j);
}

Test(again, what_was_written_before_the_store_spoke_is_read_behind_its_position)
{
	uint64_t stored = put_back(&help_roomy);
	struct journal *j = help_open(&help_roomy);

	cr_assert_leq(help_append(j, 1001, 60), stored, "numbers given twice");
	journal_passed(j, stored);
	help_append(j, 1061, 5);
	expect_read(stored, 1001, 1065);
	journal_close(&j);
}

Test(again, records_keep_the_time_they_came_at_and_are_counted_once)
{
	uint64_t stored = put_back(&help_roomy);
	struct journal *j = help_open(&help_roomy);
	struct journal_reader *reader;
	struct journal_record record;
	int64_t came = clock_wall();

	clock_fake(came, clock_mono());
	help_append(j, 1001, 10);
	clock_fake(came + 3600 * CLOCK_SEC, clock_mono());
	journal_passed(j, stored);
	clock_real();
	reader = help_reader(stored);
	cr_assert_eq(journal_read(reader, &record), E_OK);
	cr_expect_eq(record.appended_ns, came);
	cr_expect_eq(journal_kept(j, MSG_TRADE), 10);
	journal_reader_close(&reader);
	journal_close(&j);
}

/* It ran while the store was away, and was replaced by others before it came back. */
Test(again, processes_before_us_that_never_heard_of_the_store_count_too)
{
	uint64_t stored = put_back(&small);
	struct journal *j = help_open(&small);

	help_append(j, 1001, 20);
	journal_close(&j);
	j = help_open(&small);
	help_append(j, 1021, 20);
	journal_close(&j);
	j = help_open(&small);
	journal_passed(j, stored);
	expect_read(stored, 1001, 1040);
	journal_close(&j);
}

Test(again, what_the_store_has_from_us_is_not_appended_again)
{
	struct journal *j = help_open(&help_roomy);
	uint64_t last = help_append(j, 1, 100), beyond = last + 1000;

	journal_passed(j, last - 30);
	journal_passed(j, beyond);
	expect_read(beyond, 71, 100);
	journal_passed(j, journal_last(j));
	journal_passed(j, beyond = journal_last(j) + 1000);
	expect_read(beyond, 1, 0);
	journal_close(&j);
}

Test(again, a_long_time_unheard_is_appended_in_pieces_and_nothing_goes_before)
{
	const struct journal_limits limits = { .segment_bytes = 1 << 20, .max_bytes = 1 << 30 };
	const uint64_t many = 60000;
	uint64_t stored = put_back(&limits), calls = 0;
	struct journal *j = help_open(&limits);
	struct journal_reader *reader;
	struct journal_record record;
	uint64_t fresh = 0, again = 0;

	help_append(j, 1001, many);
	stored += many;
	journal_passed(j, stored);
	help_append(j, 1, 1);
	while (j->again.to != 0) {
		cr_assert_lt(++calls, 1000);
		journal_prune(j);
		help_append(j, 1 + calls, 1);
	}
	cr_expect_gt(calls, 0);
	reader = help_reader(stored);
	while (journal_read(reader, &record) == E_OK) {
		uint64_t id = record.value.trade.trade_id;

		if (id <= 1000)
			cr_assert_eq(id, ++fresh);
		else
			cr_assert_eq(id, 1001 + again++);
	}
	cr_expect_eq(fresh, calls + 1);
	cr_expect_eq(again, many);
	journal_reader_close(&reader);
	journal_close(&j);
}

/* Ends when all is appended again, if nobody kills it. */
static void
run_writer(uint64_t stored)
{
	struct journal *j = help_open(&middle);

	journal_passed(j, stored);
	while (j->again.to != 0)
		journal_prune(j);
	journal_close(&j);
	_exit(0);
}

Test(again, a_kill_at_any_moment_neither_loses_nor_doubles)
{
	const uint64_t many = 20000;
	uint64_t stored = put_back(&middle);
	struct journal *j = help_open(&middle);
	int kills = 0, status = 0;

	help_append(j, 1001, many);
	stored += many;
	journal_close(&j);
	for (int round = 0; round < 1000; round++) {
		pid_t pid = fork();

		if (pid == 0)
			run_writer(stored);
		usleep(1000 + (unsigned)round * 20);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		if (!WIFSIGNALED(status))
			break;
		kills++;
	}
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%x", status);
	cr_expect_gt(kills, 3, "only %d kills", kills);
	expect_read(stored, 1001, 1000 + many);
}

Test(again, a_disk_that_is_full_meanwhile_makes_it_go_on_later)
{
	uint64_t stored = put_back(&help_roomy);
	struct journal *j = help_open(&help_roomy);
	struct rlimit limit, before;

	help_append(j, 1001, 2000);
	stored += 2000;
	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = 100 * 1024;
	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	journal_passed(j, stored);
	cr_expect_neq(j->again.to, 0);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	while (j->again.to != 0)
		journal_prune(j);
	expect_read(stored, 1001, 3000);
	journal_close(&j);
}

Test(again, a_note_that_is_garbage_is_none)
{
	static const char *const texts[] = { "", "\n", "1 2 3\n", "1 2 3 4 5\n", "0 0 0 0\n",
		"1 2 3 4", "99999999999999999999 0 0 0\n", "4000000000000000000 1 1 1\n",
		"-1 0 0 0\n" };
	char path[JOURNAL_PATH + 8], dir[JOURNAL_PATH];
	struct journal *j = help_open(&help_roomy);
	uint64_t last = help_append(j, 1, 10);

	journal_passed(j, last);
	journal_close(&j);
	cr_assert_eq(segment_dir(help_dir, HELP_SOURCE, dir), E_OK);
	snprintf(path, sizeof(path), "%s/again", dir);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		help_file_write(path, (const uint8_t *)texts[i], strlen(texts[i]));
		j = help_open(&help_roomy);
		cr_expect_eq(j->again.from, last + 1, "%s", texts[i]);
		cr_expect_eq(j->again.to, 0);
		journal_close(&j);
	}
}
