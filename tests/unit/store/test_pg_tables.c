/* test_pg_tables.c - how a server's tables are made, cut by time and trimmed, while others use them. */
#include <libpq-fe.h>
#include <sys/wait.h>

#include "migration.h"
#include "pg_room.h"
#include "store_help.h"

TestSuite(pg_tables, .init = help_setup_postgres, .fini = help_teardown_postgres, .timeout = 60);

#define SOURCE "0123456789abcdef/fetcher-rest"

static void
trim_all(struct store *store)
{
	do {
		help_ask_begin();
		help_kind->trim(store);
		cr_assert_eq(help_wait(), E_OK, "%s", help.why);
	} while (help.more);
}

Test(pg_tables, rows_go_into_the_partition_of_their_time)
{
	static const int64_t events[] = { 0, -5, INT64_C(946684799999999999),
		INT64_C(946684800000000000), INT64_C(1700000000000000000), INT64_MAX };
	struct store *store = help_open();

	cr_assert_eq(help_begin(store, SOURCE), E_OK);
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		struct journal_record record = help_trade(i + 1);

		record.value.trade.event = events[i];
		cr_assert_eq(help_kind->add(store, &record), E_OK);
	}
	cr_assert_eq(help_commit(store, 6), E_OK, "%s", help.why);
	help_kind->close(&store);
	cr_expect_str_eq(help_ask("SELECT count(*) FROM trades_default"), "3",
	    "without a time, or one that is none");
	cr_expect_str_eq(help_ask("SELECT count(*) FROM trades"), "6");
	cr_expect_str_eq(help_ask("SELECT count(DISTINCT tableoid) FROM trades"), "3");
}

Test(pg_tables, a_schema_may_take_longer_than_a_transaction_and_leaves_nobody_waiting)
{
	PGconn *other = PQconnectdb(help_file);
	struct store *store;

	help_conf.postgres_timeout = 400;
	PQclear(PQexec(other, "SELECT pg_advisory_lock(7815690244331)"));
	for (int i = 0; i < 3; i++) {
		cr_expect_eq(help_try_open(&store), E_STORE);
		cr_expect(strstr(help.why, "another node") != NULL, "%s", help.why);
	}
	cr_expect_str_eq(help_ask("SELECT count(*) FROM pg_stat_activity WHERE wait_event = "
				  "'advisory' AND datname = current_database()"),
	    "0");
	PQfinish(other);
	help_do(
	    "CREATE FUNCTION slow() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN IF NOT "
	    "EXISTS (SELECT FROM pg_class WHERE relname = 'quotes') THEN PERFORM pg_sleep(0.8); "
	    "END IF; END $$; CREATE EVENT TRIGGER slow ON ddl_command_start WHEN TAG IN ('CREATE "
	    "TABLE') EXECUTE FUNCTION slow()");
	store = help_open();
	help_store(store, SOURCE, 1, 3);
	help_kind->close(&store);
}

Test(pg_tables, a_reader_of_days_holds_up_neither_opening_nor_old_rows)
{
	struct store *store = help_open();
	PGconn *reader = PQconnectdb(help_file);

	help_kind->close(&store);
	help_conf.postgres_timeout = 800; /* a lock is waited for a quarter of it */
	help_do("DO $$ DECLARE part text; BEGIN FOR part IN SELECT inhrelid::regclass FROM "
		"pg_inherits WHERE inhparent = 'trades'::regclass AND inhrelid::regclass::text ~ "
		"'_2' LOOP EXECUTE 'DROP TABLE ' || "
		"part; END LOOP; END $$");
	PQclear(PQexec(reader, "BEGIN; SELECT count(*) FROM trades"));
	store = help_open();
	help_store(store, SOURCE, 1, 5);
	help_store(store, SOURCE, 6, 9);
	cr_expect_str_eq(help_ask("SELECT count(*) FROM trades_default"), "9");
	PQfinish(reader);
	help_kind->close(&store);
	store = help_open();
	help_kind->close(&store);
	cr_expect_str_eq(help_ask("SELECT count(*) FROM pg_inherits WHERE inhparent = "
				  "'trades'::regclass"),
	    "3", "the default, this week and the next");
}

/* A default partition that is large takes long to read, with the table locked. */
Test(pg_tables, a_partition_that_takes_long_to_make_is_done_without)
{
	struct store *store = help_open();
	int64_t before;

	help_kind->close(&store);
	help_conf.postgres_timeout = 1200; /* a quarter of it for a lock, twice that in all */
	help_do("CREATE FUNCTION slow() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM "
		"pg_sleep(20); END $$; CREATE EVENT TRIGGER slow ON ddl_command_start WHEN TAG IN "
		"('CREATE TABLE') EXECUTE FUNCTION slow()");
	store = help_open();
	before = clock_mono();
	help_store(store, SOURCE, 1, 5);
	cr_expect_lt(clock_mono() - before, 1100 * CLOCK_MS);
	help_kind->close(&store);
	cr_expect_str_eq(help_ask("SELECT count(*) FROM trades_default"), "5");
}

Test(pg_tables, letting_go_of_old_rows_gives_way_to_commits_between_tables)
{
	struct store *store = help_open();
	PGconn *other = PQconnectdb(help_file);
	int64_t before, longest = 0;
	int calls = 0;

	help_conf.store_keep_quotes = help_conf.store_keep_trades = 86400000;
	help_store(store, SOURCE, 1, 10);
	PQclear(PQexec(other, "BEGIN; LOCK TABLE quotes, greeks, trades"));
	do {
		before = clock_mono();
		help_ask_begin();
		help_kind->trim(store);
		cr_assert_eq(help_wait(), E_OK, "%s", help.why);
		longest = clock_mono() - before > longest ? clock_mono() - before : longest;
		calls++;
	} while (help.more);
	cr_expect_eq(calls, 4);
	cr_expect_lt(longest, 1500 * CLOCK_MS);
	PQfinish(other);
	trim_all(store);
	help_kind->close(&store);
	cr_expect_str_eq(help_ask("SELECT count(*) FROM trades"), "0");
	cr_expect_str_eq(help_ask("SELECT count(*) FROM pg_indexes WHERE indexname = "
				  "'trades_default_event'"),
	    "1");
}

Test(pg_tables, a_partition_whose_rows_are_in_the_default_one_is_no_failure)
{
	struct store *store = help_open();

	help_do("INSERT INTO trades (event, journal_source, journal_sequence) VALUES "
		"(1700000000123456789, 'x', 1)");
	help_store(store, SOURCE, 1, 5);
	help_kind->close(&store);
	cr_expect_str_eq(help_ask("SELECT count(*) FROM trades_default"), "6");
	cr_expect_str_eq(help_ask("SELECT table_name FROM history_in_default"), "trades");
}

/* Not the real extension: functions of its names and parameters, which note what they are asked for. */
Test(pg_tables, where_there_are_hypertables_they_are_used)
{
	struct store *store = help_open();

	help_kind->close(&store);
	help_do("CREATE TABLE asked (what text); CREATE TABLE sample (event bigint);"
		"CREATE FUNCTION create_hypertable(relation regclass, time_column_name name, "
		"chunk_time_interval "
		"anyelement) RETURNS void LANGUAGE sql AS $$ INSERT INTO asked VALUES "
		"(format('make %s %s %s', $1, $2, "
		"$3)) $$;"
		"CREATE FUNCTION drop_chunks(relation regclass, older_than bigint) RETURNS SETOF "
		"text LANGUAGE sql AS $$ "
		"INSERT INTO asked VALUES (format('drop %s %s', $1, $2)) RETURNING what $$;"
		"SELECT history_cut('sample', 604800000000000, true); SELECT "
		"partition_ensure('sample', 0, 604800000000000);"
		"SELECT history_trim('sample', 'event', 1700000000123456789)");
	cr_expect_str_eq(help_ask("SELECT string_agg(what, ', ') FROM asked"),
	    "make sample event 604800000000000, drop sample 1700000000123456789");
	cr_expect_str_eq(
	    help_ask("SELECT count(*) FROM pg_inherits WHERE inhparent = 'sample'::regclass"), "0");
}
