/* test_writer_kill.c - writers killed at any instant, into a real SQLite file: one row for every record. */
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>

#include "writer_help.h"

TestSuite(writer_kill, .init = help_setup, .fini = help_teardown, .timeout = 120);

enum { KILLS = 200 };

static int
nobody_stored(void *listener, uint64_t sequence)
{
	(void)listener;
	(void)sequence;
	return E_OK;
}

static void
nobody_drained(void *owner)
{
	loop_stop(owner);
}

static const struct writer_hooks nobody = { .stored = nobody_stored, .drained = nobody_drained };

/* A cache-writer without its channels. With `drain` it ends when everything is stored. */
static void
write_store(bool drain)
{
	struct loop *loop = loop_new();
	struct stats stats = { 0 };
	struct writer *w = NULL;
	char why[STORE_WHY];
	struct conf conf;

	conf_defaults(&conf);
	snprintf(conf.state_dir, sizeof(conf.state_dir), "%s", help_dir);
	conf.store_poll_interval = 1;
	conf.store_batch_rows = 50;
	if (writer_open(&w, loop, &conf, &stats, &store_sqlite, &nobody, loop, why) != E_OK)
		_exit(1);
	if (drain)
		writer_drain(w, 60000);
	loop_run(loop);
	writer_close(&w);
	loop_free(&loop);
	_exit(0);
}

/* A number out of the store, asked by a stranger; 0 while there is no table yet. */
static uint64_t
ask(const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	char path[128];
	uint64_t answer = 0;
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/history.sqlite", help_dir);
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 1000);
	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		answer = (uint64_t)sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return answer;
}

Test(writer_kill, two_hundred_kills_leave_exactly_one_row_for_every_record)
{
	struct journal *j = help_journal(SOURCE);
	uint64_t id = 0, stored = 0;
	unsigned seed = 7;
	int status;
	pid_t pid;

	for (int i = 0; i < KILLS; i++) {
		help_append(j, id + 1, id + 100);
		id += 100;
		if ((pid = fork()) == 0)
			write_store(false);
		/* Every tenth writer is let live until it has got on, the others die wherever they are. */
		for (uint64_t before = stored; i % 10 == 9 && stored <= before;)
			stored = ask("SELECT count(*) FROM trades");
		usleep((useconds_t)rand_r(&seed) % 5000);
		cr_assert_eq(kill(pid, SIGKILL), 0);
		cr_assert_eq(waitpid(pid, &status, 0), pid);
		cr_assert(WIFSIGNALED(status), "the writer ended by itself");
	}
	journal_close(&j);
	if ((pid = fork()) == 0)
		write_store(true);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	cr_expect_eq(ask("SELECT count(*) FROM trades"), id);
	cr_expect_eq(ask("SELECT count(DISTINCT trade_id) FROM trades"), id);
	cr_expect_eq(ask("SELECT max(trade_id) FROM trades"), id);
	cr_expect_eq(
	    ask("SELECT max(journal_sequence) - min(journal_sequence) + 1 FROM trades"), id);
	cr_expect_eq(ask("SELECT journal_sequence FROM journal_position"),
	    ask("SELECT max(journal_sequence) FROM trades"));
}
