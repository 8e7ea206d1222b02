/* test_sqlite.c - rows and position together or not at all, whatever happens to the process or the file. */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "store_help.h"

TestSuite(sqlite, .init = help_setup, .fini = help_teardown, .timeout = 60);

#define SOURCE "fetcher-rest"

/* In front of the C library's, so that tests see what SQLite forces to disk, and can refuse it. */
static int log_syncs;
static bool disk_refuses;

static int
sync_seen(int fd, long number)
{
	char link[64], path[256] = "";
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n > 4 && strcmp(path + n - 4, "-wal") == 0)
		log_syncs++;
	if (disk_refuses) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(number, fd);
}

int
fsync(int fd)
{
	return sync_seen(fd, SYS_fsync);
}

int
fdatasync(int fd)
{
	return sync_seen(fd, SYS_fdatasync);
}

Test(sqlite, rows_and_position_are_there_after_commit)
{
	struct store *store = help_open();

	cr_expect_eq(position_of(store, SOURCE), 0, "nothing is stored yet");
	help_store(store, SOURCE, 1, 10);
	help_store(store, "fetcher-stocks", 1, 3);
	cr_expect_eq(position_of(store, SOURCE), 10);
	store_sqlite.close(&store);
	cr_expect_null(store);
	store = help_open();
	cr_expect_eq(position_of(store, SOURCE), 10);
	cr_expect_eq(position_of(store, "fetcher-stocks"), 3);
	store_sqlite.close(&store);
	cr_expect_str_eq(help_ask("SELECT count(*) FROM trades"), "13");
}

Test(sqlite, a_commit_is_forced_to_disk_by_a_sync_and_not_before)
{
	struct store *store = help_open();
	int before;

	help_store(store, SOURCE, 1, 10); /* the log's first use is forced by SQLite */
	before = log_syncs;
	help_store(store, SOURCE, 11, 20);
	cr_expect_eq(log_syncs, before);
	cr_expect_eq(store_sqlite.sync(store), E_OK);
	cr_expect_eq(log_syncs, before + 1);
	disk_refuses = true;
	cr_expect_eq(store_sqlite.sync(store), E_STORE);
	cr_expect(strstr(help.why, "forced") != NULL);
	disk_refuses = false;
	cr_expect_eq(store_sqlite.sync(store), E_OK);
	cr_assert_eq(unlink(help_file), 0);
	cr_expect_eq(store_sqlite.sync(store), E_STORE, "a file that is gone is not safe");
	store_sqlite.close(&store);
}

Test(sqlite, values_are_kept_as_they_came_and_what_was_not_sent_is_null)
{
	struct journal_record record = help_trade(UINT64_C(1763906487000001));
	struct store *store = help_open();

	record.value.trade.price = 0.1 + 0.2;
	record.value.trade.trade_id = UINT64_MAX;
	list_empty(record.value.trade.conditions);
	cr_assert_eq(list_add(record.value.trade.conditions, 64, "@"), E_OK);
	cr_assert_eq(list_add(record.value.trade.conditions, 64, " "), E_OK);
	cr_assert_eq(list_add(record.value.trade.conditions, 64, "\""), E_OK);
	cr_assert_eq(help_begin(store, SOURCE), E_OK);
	cr_assert_eq(store_sqlite.add(store, &record), E_OK);
	cr_assert_eq(help_commit(store, record.sequence), E_OK);
	cr_expect_str_eq(help_ask("SELECT printf('%d', price = 0.1 + 0.2) FROM trades"), "1");
	cr_expect_str_eq(help_ask("SELECT size FROM trades"), "NULL");
	cr_expect_str_eq(help_ask("SELECT exchange FROM trades"), "NULL");
	cr_expect_str_eq(help_ask("SELECT typeof(trade_id) || trade_id FROM trades"), "integer-1");
	cr_expect_str_eq(help_ask("SELECT event FROM trades"), "1700000000123456789");
	cr_expect_str_eq(help_ask("SELECT conditions FROM trades"), "[\"@\",\" \",\"\\\"\"]");
	cr_expect_str_eq(help_ask("SELECT json_extract(conditions, '$[2]') FROM trades"), "\"");
	cr_expect_str_eq(help_ask("SELECT journal_sequence FROM trades"), "1763906487000001");
	store_sqlite.close(&store);
}

Test(sqlite, an_empty_list_is_not_a_missing_one)
{
	struct journal_record record = help_trade(1);
	struct store *store = help_open();

	cr_assert_eq(help_begin(store, SOURCE), E_OK);
	cr_assert_eq(store_sqlite.add(store, &record), E_OK);
	record.sequence = 2;
	list_empty(record.value.trade.conditions);
	cr_assert_eq(store_sqlite.add(store, &record), E_OK);
	cr_assert_eq(help_commit(store, 2), E_OK);
	cr_expect_str_eq(
	    help_ask("SELECT conditions FROM trades WHERE journal_sequence = 1"), "NULL");
	cr_expect_str_eq(
	    help_ask("SELECT conditions FROM trades WHERE journal_sequence = 2"), "[]");
	store_sqlite.close(&store);
}

Test(sqlite, every_stored_value_has_a_table_that_takes_it)
{
	struct store *store = help_open();
	uint64_t sequence = 0;
	char sql[128];

	cr_assert_eq(help_begin(store, SOURCE), E_OK);
	for (unsigned type = 1; type < MSG_TYPE_MAX; type++) {
		struct journal_record record = { .desc = msg_desc(type) };

		if (record.desc == NULL || !record.desc->stored)
			continue;
		record.type = record.desc->type;
		record.sequence = ++sequence;
		cr_expect_eq(
		    store_sqlite.add(store, &record), E_OK, "%s: %s", record.desc->name, help.why);
	}
	cr_assert_eq(help_commit(store, sequence), E_OK);
	store_sqlite.close(&store);
	for (unsigned type = 1; type < MSG_TYPE_MAX; type++) {
		if (msg_desc(type) == NULL || !msg_desc(type)->stored)
			continue;
		snprintf(sql, sizeof(sql), "SELECT count(*) FROM \"%s\"", msg_desc(type)->table);
		cr_expect_str_eq(help_ask(sql), "1");
	}
}

Test(sqlite, a_batch_that_is_not_committed_leaves_neither_rows_nor_position)
{
	struct journal_record record = help_trade(1);
	struct store *store = help_open();

	cr_assert_eq(help_begin(store, SOURCE), E_OK);
	cr_assert_eq(store_sqlite.add(store, &record), E_OK);
	store_sqlite.close(&store);
	store = help_open();
	cr_expect_eq(position_of(store, SOURCE), 0);
	help_store(store, SOURCE, 1, 1);
	store_sqlite.close(&store);
	cr_expect_str_eq(help_ask("SELECT count(*) FROM trades"), "1");
}

Test(sqlite, a_record_that_is_stored_already_is_refused_and_the_transaction_leaves_nothing)
{
	struct journal_record record = help_trade(5);
	struct store *store = help_open();

	help_store(store, SOURCE, 1, 5);
	cr_assert_eq(help_begin(store, SOURCE), E_OK);
	cr_expect_eq(store_sqlite.add(store, &record), E_STORE);
	cr_expect(strstr(help.why, "UNIQUE") != NULL, "%s", help.why);
	cr_expect_eq(position_of(store, SOURCE), 5);
	store_sqlite.close(&store);
	cr_expect_str_eq(help_ask("SELECT count(*) FROM trades"), "5");
}

/* Dies between add and commit, or right behind commit, by SIGKILL. */
static void
die_storing(uint64_t from, uint64_t to, int commit)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct store *store = help_open();

		if (help_begin(store, SOURCE) != E_OK)
			_exit(1);
		for (uint64_t i = from; i <= to; i++) {
			struct journal_record record = help_trade(i);

			if (store_sqlite.add(store, &record) != E_OK)
				_exit(1);
		}
		if (commit && help_commit(store, to) != E_OK)
			_exit(1);
		raise(SIGKILL);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSIGNALED(status));
}

Test(sqlite, a_kill_between_add_and_commit_leaves_nothing_and_after_commit_everything)
{
	uint64_t position = 0;

	for (int i = 0; i < 20; i++) {
		struct store *store;

		die_storing(position + 1, position + 300, i % 2);
		position += i % 2 ? 300 : 0;
		store = help_open();
		cr_assert_eq(position_of(store, SOURCE), position);
		store_sqlite.close(&store);
		cr_assert_eq(strtoull(help_ask("SELECT count(*) FROM trades"), NULL, 10), position);
		cr_assert_eq(
		    strtoull(help_ask("SELECT coalesce(max(journal_sequence), 0) FROM trades"),
			NULL, 10),
		    position);
	}
}

Test(sqlite, a_locked_file_is_an_error_to_try_again_within_a_bounded_time)
{
	struct store *store = help_open();
	int64_t before;
	sqlite3 *other;

	cr_assert_eq(sqlite3_open(help_file, &other), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	before = clock_mono();
	cr_expect_eq(help_begin(store, SOURCE), E_STORE);
	cr_expect_lt(clock_mono() - before, CLOCK_SEC);
	cr_expect(strstr(help.why, "locked") != NULL, "%s", help.why);
	cr_expect_eq(help_check(store), E_OK, "it can be read all the while");
	cr_assert_eq(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	help_store(store, SOURCE, 1, 2);
	sqlite3_close(other);
	store_sqlite.close(&store);
}

Test(sqlite, a_full_disk_leaves_what_was_committed_and_works_again_with_room)
{
	struct rlimit limit = { .rlim_cur = 300000, .rlim_max = RLIM_INFINITY };
	struct store *store = help_open();
	uint64_t stored = 100, next;
	int r = E_OK;

	help_store(store, SOURCE, 1, stored);
	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (int i = 0; i < 100 && r == E_OK; i++) {
		next = stored;
		if ((r = help_begin(store, SOURCE)) != E_OK)
			break;
		while (r == E_OK && next < stored + 500) {
			struct journal_record record = help_trade(++next);

			r = store_sqlite.add(store, &record);
		}
		if (r == E_OK && (r = help_commit(store, next)) == E_OK)
			stored = next;
	}
	cr_expect_eq(r, E_STORE);
	cr_expect_neq(help.why[0], '\0');
	limit.rlim_cur = RLIM_INFINITY;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_expect_eq(position_of(store, SOURCE), stored);
	help_store(store, SOURCE, stored + 1, stored + 10);
	store_sqlite.close(&store);
	cr_expect_eq(strtoull(help_ask("SELECT count(*) FROM trades"), NULL, 10), stored + 10);
}

Test(sqlite, a_file_that_was_removed_takes_no_more_rows)
{
	struct store *store = help_open();

	help_store(store, SOURCE, 1, 2);
	cr_expect_eq(help_check(store), E_OK);
	cr_assert_eq(unlink(help_file), 0);
	cr_expect_eq(help_check(store), E_STORE);
	cr_expect_eq(help_begin(store, SOURCE), E_STORE);
	cr_expect(strstr(help.why, "removed") != NULL);
	store_sqlite.close(&store);
}

static int
open_fails(const char *where, char why[STORE_WHY])
{
	struct store *store;
	int r;

	help_options.where = where;
	r = help_try_open(&store);
	help_options.where = help_file;
	memcpy(why, help.why, STORE_WHY);
	cr_assert_null(store);
	return r;
}

Test(sqlite, a_place_that_cannot_be_used_is_named_with_its_reason)
{
	char why[STORE_WHY] = "";

	cr_expect_eq(open_fails("/nonexistent/history.sqlite", why), E_SYSTEM);
	cr_expect_neq(why[0], '\0');
	cr_expect_eq(open_fails(help_dir, why), E_SYSTEM, "a folder");
	FILE *f = fopen(help_file, "w");
	cr_assert_not_null(f);
	for (int i = 0; i < 1000; i++)
		fputs("this is no database\n", f);
	fclose(f);
	cr_expect_eq(open_fails(help_file, why), E_SYSTEM);
	cr_expect(strstr(why, "not a database") != NULL, "%s", why);
	cr_expect(strstr(why, "move history.sqlite") != NULL, "%s", why);
}

Test(sqlite, a_damaged_file_is_named_with_what_to_do)
{
	struct store *store = help_open();
	char why[STORE_WHY] = "";
	FILE *f;

	help_store(store, SOURCE, 1, 10);
	store_sqlite.close(&store);
	cr_assert_not_null(f = fopen(help_file, "r+b"));
	fseek(f, 100, SEEK_SET);
	for (int i = 0; i < 2000; i++)
		fputc(0xee, f);
	fclose(f);
	cr_expect_eq(open_fails(help_file, why), E_SYSTEM);
	cr_expect(strstr(why, "move history.sqlite") != NULL, "%s", why);
	cr_expect_eq(strchr(why, '\n'), NULL);
}

Test(sqlite, a_disk_without_room_at_opening_is_an_error_to_try_again)
{
	struct rlimit limit = { .rlim_cur = 100, .rlim_max = RLIM_INFINITY };
	struct store *store = NULL;
	char why[STORE_WHY] = "";

	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_expect_eq(open_fails(help_file, why), E_STORE, "%s", why);
	cr_expect_neq(why[0], '\0');
	limit.rlim_cur = 20000; /* room for the beginning, not for the schema */
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_expect_eq(open_fails(help_file, why), E_STORE, "%s", why);
	limit.rlim_cur = RLIM_INFINITY;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	store = help_open();
	help_store(store, SOURCE, 1, 2);
	store_sqlite.close(&store);
}

Test(sqlite, a_disk_that_fails_or_a_lack_of_descriptors_at_opening_is_an_error_to_try_again)
{
	struct rlimit before, limit;
	char why[STORE_WHY] = "";

	disk_refuses = true;
	cr_expect_eq(open_fails(help_file, why), E_STORE, "%s", why);
	disk_refuses = false;
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	limit = (struct rlimit){ .rlim_cur = 0, .rlim_max = before.rlim_max };
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_expect_eq(open_fails(help_file, why), E_STORE, "%s", why);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	struct store *store = help_open();
	store_sqlite.close(&store);
}
