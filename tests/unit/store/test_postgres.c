/* test_postgres.c - what only a server can do to a store: be elsewhere, refuse, go away, be shared. */
#include <libpq-fe.h>
#include <sys/wait.h>

#include "migration.h"
#include "pg_room.h"
#include "store_help.h"

TestSuite(postgres, .init = help_setup_postgres, .fini = help_teardown_postgres, .timeout = 60);

#define SOURCE "0123456789abcdef/fetcher-rest"

static int
open_fails(const char *where)
{
	struct store *store;
	int r;

	help_options.where = where;
	r = help_try_open(&store);
	help_options.where = help_file;
	cr_expect_eq(strchr(help.why, '\n'), NULL);
	return r;
}

/* This server, another database, user and password. */
static const char *
url_of(const char *database, const char *user)
{
	static char url[256];

	snprintf(url, sizeof(url), "postgresql://%s@/%s%s", user, database, strchr(help_file, '?'));
	return url;
}

Test(postgres, what_cannot_be_connected_to_is_told_in_one_line_without_the_password)
{
	cr_expect_eq(open_fails(url_of("nowhere", "postgres")), E_SYSTEM);
	cr_expect(strstr(help.why, "database nowhere does not exist") != NULL, "%s", help.why);
	help_do("CREATE ROLE keeper LOGIN PASSWORD 'right'");
	cr_expect_eq(open_fails(url_of("postgres", "keeper:wr0ng")), E_SYSTEM);
	cr_expect(strstr(help.why, "password refused for user keeper") != NULL, "%s", help.why);
	cr_expect(strstr(help.why, "wr0ng") == NULL, "%s", help.why);
	help_do("DROP ROLE keeper");
	cr_expect_eq(open_fails("postgresql://postgres:s3cret@127.0.0.1:1/x"), E_STORE);
	cr_expect(strstr(help.why, "connection refused at 127.0.0.1:1") != NULL, "%s", help.why);
	cr_expect(strstr(help.why, "s3cret") == NULL, "%s", help.why);
	cr_expect_eq(open_fails("postgresql://postgres:s3cret@/x?host=/nonexistent"), E_STORE);
	cr_expect(strstr(help.why, "s3cret") == NULL && help.why[0] != '\0', "%s", help.why);
}

Test(postgres, names_are_looked_up_and_one_that_is_not_known_is_told)
{
	struct store *store;
	char url[400];

	cr_expect_eq(open_fails("postgresql://postgres:s3cret@localhost:1/x"), E_STORE);
	cr_expect(strstr(help.why, "connection refused at localhost:1") != NULL, "%s", help.why);
	cr_expect_eq(open_fails("postgresql://postgres:s3cret@nowhere.invalid:1/x"), E_STORE);
	cr_expect(strstr(help.why, "host nowhere.invalid: ") != NULL, "%s", help.why);
	snprintf(url, sizeof(url), "%s,nowhere.invalid,localhost&port=5432,1,1", help_file);
	help_options.where = url;
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(help_try_open(&store), E_OK, "%s", help.why);
		help_kind->close(&store);
	}
}

Test(postgres, a_role_that_may_not_make_tables_is_told)
{
	help_do("CREATE ROLE poor LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC");
	char url[256], *at = strchr(help_file, '@');

	snprintf(url, sizeof(url), "postgresql://poor%s", at);
	cr_expect_eq(open_fails(url), E_SYSTEM);
	cr_expect(strstr(help.why, "permission denied") != NULL, "%s", help.why);
	help_do("DROP ROLE poor");
}

/* A node's first start, in a process without Criterion's assertions. */
static int
node_stores(int number)
{
	struct journal_record record = help_trade(1);
	struct store *store;
	char source[32];

	alarm(20);
	help_options.loop = loop_new();
	snprintf(source, sizeof(source), "node-%d/fetcher", number);
	if (help_try_open(&store) != E_OK) {
		fprintf(stderr, "node %d: %s\n", number, help.why);
		return 1;
	}
	if (help_kind->begin(store, source, 0) != E_OK || help_kind->add(store, &record) != E_OK)
		return 2;
	return help_commit(store, 10) == E_OK ? 0 : 3;
}

Test(postgres, five_nodes_that_start_at_once_make_one_schema)
{
	enum { NODES = 5 };
	pid_t pids[NODES];
	char count[32];
	int status;

	for (int i = 0; i < NODES; i++)
		if ((pids[i] = fork()) == 0)
			_exit(node_stores(i));
	for (int i = 0; i < NODES; i++) {
		cr_assert_eq(waitpid(pids[i], &status, 0), pids[i]);
		cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	snprintf(count, sizeof(count), "%zu", pg_migration_count);
	cr_expect_str_eq(help_ask("SELECT count(*) FROM schema_version"), count);
	cr_expect_str_eq(help_ask("SELECT count(*) FROM trades"), "5");
	cr_expect_str_eq(
	    help_ask("SELECT count(*) FROM journal_position WHERE journal_sequence = 10"), "5");
}

Test(postgres, columns_are_the_fields_of_the_descriptors)
{
	char want[4096], sql[512];
	struct store *store = help_open();

	help_kind->close(&store);
	for (unsigned type = 1; type < MSG_TYPE_MAX; type++) {
		const struct msg_desc *desc = msg_desc(type);
		size_t used = 0;

		if (desc == NULL || !desc->stored)
			continue;
		for (size_t i = 0; i < desc->field_count; i++)
			used += (size_t)snprintf(want + used, sizeof(want) - used, "%s %s\n",
			    desc->fields[i].name, pg_row_column_type(desc->fields[i].kind));
		snprintf(want + used, sizeof(want) - used,
		    "journal_source text\njournal_sequence bigint\n");
		snprintf(sql, sizeof(sql),
		    "SELECT string_agg(column_name || ' ' || data_type || E'\\n', '' ORDER BY "
		    "ordinal_position) FROM "
		    "information_schema.columns WHERE table_name = '%s'",
		    desc->table);
		cr_expect_str_eq(help_ask(sql), want, "table %s", desc->table);
	}
}

Test(postgres, a_connection_that_is_cut_fails_the_store_and_nothing_is_stored_twice)
{
	struct store *store = help_open();
	struct journal_record record = help_trade(11);

	help_store(store, SOURCE, 1, 10);
	cr_assert_eq(help_begin(store, SOURCE), E_OK);
	cr_assert_eq(help_kind->add(store, &record), E_OK);
	help_do("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "
		"'opitios-alpaca' AND "
		"datname = current_database()");
	cr_expect_eq(help_commit(store, 11), E_STORE);
	cr_expect_neq(help.why[0], '\0');
	help_kind->close(&store);
	store = help_open();
	cr_expect_eq(position_of(store, SOURCE), 10);
	help_store(store, SOURCE, 11, 20);
	help_kind->close(&store);
	cr_expect_str_eq(help_ask("SELECT count(*) FROM trades"), "20");
}

/* What a gateway knows and claims; as store_setup is borrowed, one at a time. */
static void
as(uint64_t known, uint64_t claim)
{
	help_options.claim_known = known;
	help_options.claim = claim;
}

static int
try_position(struct store *store)
{
	help_ask_begin();
	help_kind->position(store, SOURCE);
	return help_wait();
}

Test(postgres, of_two_copies_of_a_gateway_only_the_one_that_claimed_last_can_store)
{
	struct store *first, *copy;
	struct journal_record record = help_trade(11);

	as(INT64_MAX, 1000);
	first = help_open();
	help_store(first, SOURCE, 1, 10);
	as(1000, 2000);
	copy = help_open();
	cr_expect_eq(position_of(copy, SOURCE), 10);
	as(1000, 1000);
	cr_assert_eq(help_kind->begin(first, SOURCE, 10), E_OK);
	cr_assert_eq(help_kind->add(first, &record), E_OK);
	cr_expect_eq(help_commit(first, 11), E_STORE, "the position did not move, the claim did");
	help_kind->close(&first);
	first = help_open();
	cr_expect_eq(try_position(first), E_SYSTEM);
	cr_expect_not_null(strstr(help.why, "remove the file owner here"), "%s", help.why);
	help_kind->close(&first);
	as(2000, 2000);
	help_store(copy, SOURCE, 11, 12);
	help_kind->close(&copy);
	as(INT64_MAX, 3000);
	first = help_open();
	cr_expect_eq(position_of(first, SOURCE), 12, "its file was removed");
	help_kind->close(&first);
	cr_expect_str_eq(help_ask("SELECT count(*) FROM trades"), "12");
	as(0, 0);
}

Test(postgres, an_older_claim_of_our_own_is_no_stranger)
{
	struct store *store;

	as(INT64_MAX, 1000);
	store = help_open();
	help_store(store, SOURCE, 1, 10);
	help_kind->close(&store);
	as(5000, 6000); /* a replica that is behind */
	store = help_open();
	help_store(store, SOURCE, 11, 12);
	help_kind->close(&store);
	as(5000, 6000); /* killed before it noted that */
	store = help_open();
	cr_expect_eq(position_of(store, SOURCE), 12);
	help_kind->close(&store);
	as(5999, 7000);
	store = help_open();
	cr_expect_eq(try_position(store), E_SYSTEM);
	help_kind->close(&store);
	as(0, 0);
}

Test(postgres, a_claim_of_the_future_is_taken_back_where_the_operator_says_so)
{
	struct store *store;

	as(INT64_MAX, 9000); /* a clock that was ahead */
	store = help_open();
	help_store(store, SOURCE, 1, 10);
	help_kind->close(&store);
	as(1000, 5000);
	store = help_open();
	cr_expect_eq(try_position(store), E_SYSTEM);
	help_kind->close(&store);
	as(INT64_MAX, 5000); /* the file was removed */
	store = help_open();
	cr_expect_eq(position_of(store, SOURCE), 10);
	as(5000, 5000);
	help_store(store, SOURCE, 11, 12);
	help_kind->close(&store);
	as(0, 0);
}

/* A backend whose client lost its power keeps the row of the position. */
Test(postgres, nobody_waits_for_a_position_without_an_end)
{
	struct store *store = help_open();

	help_kind->close(&store);
	cr_expect_str_eq(
	    help_ask("SELECT set_config('lock_timeout', '0', false), journal_take('" SOURCE
		     "', 1, 2) UNION ALL SELECT current_setting('lock_timeout'), 0 "
		     "OFFSET 1"),
	    "5s");
	cr_expect_str_eq(
	    help_ask("SELECT dead_letter('" SOURCE "', 0, 1, 1, 'trade', '', '', 2)::text "
		     "UNION ALL SELECT current_setting('lock_timeout') OFFSET 1"),
	    "5s");
}

/* Until the server has the session wait for rows. */
static void
copy_begin(PGconn *c, const char *source)
{
	char sql[200];

	snprintf(sql, sizeof(sql),
	    "SELECT journal_move('%s', 0, 9, 0); COPY trades (price) FROM STDIN", source);
	cr_assert_eq(PQsendQuery(c, sql), 1);
	PQclear(PQgetResult(c));
	PQclear(PQgetResult(c));
}

Test(postgres, whoever_waits_for_rows_of_a_writer_that_is_gone_is_ended)
{
	struct store *store = help_open();
	PGconn *gone = PQconnectdb(help_file), *other = PQconnectdb(help_file);
	PGresult *done;

	copy_begin(other, SOURCE "-2"); /* the older one */
	copy_begin(gone, SOURCE);
	/* Too young, and another's journal. */
	cr_expect_str_eq(help_ask("SELECT journal_free('" SOURCE "', 60000)"), "0");
	cr_expect_str_eq(help_ask("SELECT journal_free('stranger', 0)"), "0");
	help_conf.postgres_timeout = 200;
	while (position_of(store, SOURCE) != 0 ||
	       strcmp(help_ask("SELECT count(*) FROM pg_stat_activity WHERE wait_event = "
			       "'ClientRead' AND state = 'active'"),
		   "1") != 0)
		;
	help_conf.postgres_timeout = 5000;
	help_store(store, SOURCE, 1, 3);
	help_kind->close(&store);
	cr_expect_eq(PQputCopyEnd(other, NULL), 1);
	done = PQgetResult(other);
	cr_expect_eq(PQresultStatus(done), PGRES_COMMAND_OK, "it was left alone");
	PQclear(done);
	PQfinish(gone);
	PQfinish(other);
	cr_expect_str_eq(help_ask("SELECT count(*) FROM trades"), "3");
}

Test(postgres, a_server_that_lets_nobody_look_for_those_is_stored_in_all_the_same)
{
	struct store *store = help_open();

	help_do("CREATE OR REPLACE FUNCTION journal_free(source text, patience_ms bigint) RETURNS "
		"bigint LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'permission denied for "
		"function pg_terminate_backend' USING ERRCODE = '42501'; END $$");
	help_store(store, SOURCE, 1, 3);
	cr_expect_eq(position_of(store, SOURCE), 3);
	help_kind->close(&store);
	cr_expect_str_eq(help_ask("SELECT count(*) FROM trades"), "3");
}

Test(postgres, a_server_that_does_not_answer_in_time_is_given_up)
{
	struct store *store = help_open();
	PGconn *other = PQconnectdb(help_file);
	int64_t before;

	help_store(store, SOURCE, 1, 1);
	help_kind->close(&store);
	help_conf.postgres_timeout = 300;
	store = help_open();
	PQclear(PQexec(other, "BEGIN; SELECT * FROM journal_position FOR UPDATE"));
	before = clock_mono();
	cr_assert_eq(help_begin(store, SOURCE), E_OK);
	struct journal_record record = help_trade(2);
	cr_assert_eq(help_kind->add(store, &record), E_OK);
	cr_expect_eq(help_commit(store, 2), E_STORE);
	cr_expect_lt(clock_mono() - before, 3 * CLOCK_SEC);
	cr_expect_not(help.late, "it waited for somebody, and not because of its rows");
	help_kind->close(&store);
	PQfinish(other);
	help_conf.postgres_timeout = 5000;
	store = help_open();
	help_store(store, SOURCE, 2, 3);
	help_kind->close(&store);
	cr_expect_str_eq(help_ask("SELECT count(*) FROM trades"), "3");
}

Test(postgres, rows_that_take_too_long_are_told_to_be_too_many)
{
	struct journal_record record = help_trade(1);
	struct store *store = help_open();

	help_kind->close(&store);
	help_do("CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM "
		"pg_sleep(5); RETURN NEW; END $$; CREATE TRIGGER slow BEFORE INSERT ON trades FOR "
		"EACH ROW EXECUTE FUNCTION slow()");
	help_conf.postgres_timeout = 300;
	store = help_open();
	cr_assert_eq(help_begin(store, SOURCE), E_OK);
	cr_assert_eq(help_kind->add(store, &record), E_OK);
	cr_expect_eq(help_commit(store, 1), E_STORE);
	cr_expect(help.late);
	help_kind->close(&store);
}

Test(postgres, text_that_is_no_utf8_is_a_dead_letter)
{
	struct store *store = help_open();
	struct journal_record record = help_trade(1);

	cr_assert_eq(help_begin(store, SOURCE), E_OK);
	cr_assert_eq(help_kind->add(store, &record), E_OK);
	record.sequence = 2;
	strcpy(record.value.trade.exchange, "\xff\xfe");
	cr_assert_eq(help_kind->add(store, &record), E_OK);
	cr_assert_eq(help_commit(store, 2), E_OK, "%s", help.why);
	cr_expect_eq(help.done.rows, 1);
	cr_expect_eq(help.done.refused, 1);
	help_kind->close(&store);
	cr_expect_str_eq(help_ask("SELECT journal_sequence FROM dead_letters"), "2");
}

static void
trades_refuse(const char *words)
{
	char sql[512];

	snprintf(sql, sizeof(sql),
	    "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION "
	    "'%%', %s; END $$; CREATE TRIGGER refuse BEFORE INSERT ON trades FOR EACH ROW EXECUTE "
	    "FUNCTION refuse()",
	    words);
	help_do(sql);
}

Test(postgres, a_refusal_is_cut_at_a_character_and_never_stops_the_store)
{
	struct store *store = help_open();

	trades_refuse("repeat('ä', 200)");
	help_store(store, SOURCE, 1, 1);
	help_kind->close(&store);
	cr_expect_str_eq(help_ask("SELECT length(reason) FROM dead_letters"), "127");
}

Test(postgres, a_letter_that_is_refused_goes_without_what_it_tells)
{
	struct store *store = help_open();

	trades_refuse("'never'");
	help_do("ALTER TABLE dead_letters ADD CHECK (record = '')");
	help_store(store, SOURCE, 1, 2);
	help_kind->close(&store);
	cr_expect_str_eq(
	    help_ask("SELECT string_agg(DISTINCT reason, ',') FROM dead_letters"), "23514");
}

Test(postgres, a_letter_is_written_again_where_the_position_was_put_back)
{
	struct store *store = help_open();

	trades_refuse("'never'");
	help_store(store, SOURCE, 1, 2);
	help_kind->close(&store);
	help_do("UPDATE journal_position SET journal_sequence = 0");
	store = help_open();
	help_store(store, SOURCE, 1, 2);
	help_kind->close(&store);
	cr_expect_str_eq(help_ask("SELECT count(*) FROM dead_letters"), "2");
}

Test(postgres, a_letter_comes_from_who_claimed_the_journal_only)
{
	struct store *store;
	PGconn *copy;
	PGresult *result;

	as(INT64_MAX, 1000);
	store = help_open();
	cr_expect_eq(position_of(store, SOURCE), 0);
	help_kind->close(&store);
	copy = PQconnectdb(help_file);
	result = PQexec(copy, "SELECT dead_letter('" SOURCE "', 0, 1, 1, 'trade', '', '', 2000)");
	cr_expect_str_eq(PQresultErrorField(result, PG_DIAG_SQLSTATE), "OP001");
	PQclear(result);
	PQfinish(copy);
	as(0, 0);
}

Test(postgres, the_next_batch_is_filled_while_one_is_unanswered)
{
	struct store *store = help_open();
	struct journal_record record;

	cr_assert_eq(help_begin(store, SOURCE), E_OK);
	for (uint64_t i = 1; i <= 5000; i++) {
		record = help_trade(i);
		cr_assert_eq(help_kind->add(store, &record), E_OK);
	}
	help_ask_begin();
	help_kind->commit(store, 5000);
	cr_assert_eq(help_kind->begin(store, SOURCE, 5000), E_OK);
	for (uint64_t i = 5001; i <= 10000; i++) {
		record = help_trade(i);
		cr_assert_eq(help_kind->add(store, &record), E_OK);
	}
	cr_assert_eq(help_wait(), E_OK, "%s", help.why);
	cr_expect_eq(help.done.sequence, 5000);
	cr_assert_eq(help_commit(store, 10000), E_OK, "%s", help.why);
	help_kind->close(&store);
	cr_expect_str_eq(help_ask("SELECT count(DISTINCT journal_sequence) FROM trades"), "10000");
}
