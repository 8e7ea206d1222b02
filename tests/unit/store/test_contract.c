/* test_contract.c - what every kind of store has to keep to; each case runs on each kind. */
#include "store_help.h"

TestSuite(contract_sqlite, .init = help_setup, .fini = help_teardown, .timeout = 60);
TestSuite(
    contract_postgres, .init = help_setup_postgres, .fini = help_teardown_postgres, .timeout = 60);

#define SOURCE "0123456789abcdef/fetcher-rest"

#define CASE(name)                                                                                 \
	static void case_##name(void);                                                             \
	Test(contract_sqlite, name)                                                                \
	{                                                                                          \
		case_##name();                                                                     \
	}                                                                                          \
	Test(contract_postgres, name)                                                              \
	{                                                                                          \
		case_##name();                                                                     \
	}                                                                                          \
	static void case_##name(void)

static void
add(struct store *store, const struct journal_record *record)
{
	cr_assert_eq(help_kind->add(store, record), E_OK, "%s", help.why);
}

CASE(rows_and_position_are_there_after_commit)
{
	struct store *store = help_open();

	cr_expect_eq(position_of(store, SOURCE), 0, "nothing is stored yet");
	help_store(store, SOURCE, 1, 10);
	cr_expect_eq(help.done.rows, 10);
	cr_expect_eq(help.done.refused, 0);
	help_store(store, "fetcher-stocks", 1, 3);
	cr_expect_eq(position_of(store, SOURCE), 10);
	help_kind->close(&store);
	cr_expect_null(store);
	store = help_open();
	cr_expect_eq(position_of(store, SOURCE), 10);
	cr_expect_eq(position_of(store, "fetcher-stocks"), 3);
	cr_expect_eq(help_check(store), E_OK);
	help_kind->close(&store);
	cr_expect_str_eq(help_ask("SELECT count(*) FROM trades"), "13");
}

CASE(a_source_may_have_any_name)
{
	static const char odd[] = "operator's \\ \"fetcher\"; --";
	struct store *store = help_open();

	help_store(store, odd, 1, 3);
	help_store(store, odd, 4, 5);
	help_store(store, SOURCE, 1, 2);
	cr_expect_eq(position_of(store, odd), 5);
	help_kind->close(&store);
	cr_expect_str_eq(help_ask("SELECT count(*) FROM trades"), "7");
}

CASE(values_are_kept_as_they_came_and_what_was_not_sent_is_null)
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
	add(store, &record);
	cr_assert_eq(help_commit(store, record.sequence), E_OK, "%s", help.why);
	help_kind->close(&store);
	cr_expect_str_eq(
	    help_ask("SELECT count(*) FROM trades WHERE price = 0.30000000000000004"), "1");
	cr_expect_str_eq(help_ask("SELECT count(*) FROM trades WHERE has_id"), "1");
	cr_expect_str_eq(help_ask("SELECT symbol FROM trades"), "AAPL");
	cr_expect_str_eq(help_ask("SELECT size FROM trades"), "NULL");
	cr_expect_str_eq(help_ask("SELECT exchange FROM trades"), "NULL");
	cr_expect_str_eq(help_ask("SELECT trade_id FROM trades"), "-1");
	cr_expect_str_eq(help_ask("SELECT event FROM trades"), "1700000000123456789");
	cr_expect_str_eq(help_ask("SELECT conditions FROM trades"), "[\"@\",\" \",\"\\\"\"]");
	cr_expect_str_eq(help_ask("SELECT journal_sequence FROM trades"), "1763906487000001");
	cr_expect_str_eq(help_ask("SELECT journal_source FROM trades"), SOURCE);
}

CASE(an_empty_list_is_not_a_missing_one)
{
	struct journal_record record = help_trade(1);
	struct store *store = help_open();

	cr_assert_eq(help_begin(store, SOURCE), E_OK);
	add(store, &record);
	record.sequence = 2;
	list_empty(record.value.trade.conditions);
	add(store, &record);
	cr_assert_eq(help_commit(store, 2), E_OK);
	help_kind->close(&store);
	cr_expect_str_eq(
	    help_ask("SELECT conditions FROM trades WHERE journal_sequence = 1"), "NULL");
	cr_expect_str_eq(
	    help_ask("SELECT conditions FROM trades WHERE journal_sequence = 2"), "[]");
}

CASE(every_stored_value_has_a_table_that_takes_it)
{
	struct store *store = help_open();
	uint64_t sequence = 0;
	char sql[128];

	cr_assert_eq(help_begin(store, SOURCE), E_OK);
	for (int round = 0; round < 2; round++)
		for (unsigned type = 1; type < MSG_TYPE_MAX; type++) {
			struct journal_record record = { .desc = msg_desc(type) };

			if (record.desc == NULL || !record.desc->stored)
				continue;
			record.type = record.desc->type;
			record.sequence = ++sequence;
			add(store, &record);
		}
	cr_assert_eq(help_commit(store, sequence), E_OK, "%s", help.why);
	cr_expect_eq(help.done.rows, sequence);
	help_kind->close(&store);
	for (unsigned type = 1; type < MSG_TYPE_MAX; type++) {
		if (msg_desc(type) == NULL || !msg_desc(type)->stored)
			continue;
		snprintf(sql, sizeof(sql), "SELECT count(*) FROM \"%s\"", msg_desc(type)->table);
		cr_expect_str_eq(help_ask(sql), "2");
	}
}

CASE(a_batch_that_is_not_committed_leaves_neither_rows_nor_position)
{
	struct journal_record record = help_trade(1);
	struct store *store = help_open();

	cr_assert_eq(help_begin(store, SOURCE), E_OK);
	add(store, &record);
	help_kind->close(&store);
	store = help_open();
	cr_expect_eq(position_of(store, SOURCE), 0);
	help_store(store, SOURCE, 1, 1);
	help_kind->close(&store);
	cr_expect_str_eq(help_ask("SELECT count(*) FROM trades"), "1");
}

/* As somebody does who believes the position to be this. */
static int
store_believing(struct store *store, uint64_t expected, uint64_t sequence)
{
	struct journal_record record = help_trade(sequence);

	help_ask_begin();
	if (help_kind->begin(store, SOURCE, expected) != E_OK)
		return help.error;
	add(store, &record);
	return help_commit(store, sequence);
}

CASE(a_batch_that_expects_another_position_stores_nothing)
{
	struct store *store = help_open();

	help_store(store, SOURCE, 1, 5);
	cr_expect_eq(store_believing(store, 4, 6), E_STORE);
	cr_expect(strstr(help.why, "somebody else") != NULL, "%s", help.why);
	help_kind->close(&store);
	store = help_open();
	cr_expect_eq(store_believing(store, 0, 7), E_STORE);
	help_kind->close(&store);
	store = help_open();
	cr_expect_eq(position_of(store, SOURCE), 5);
	cr_expect_eq(store_believing(store, 5, 6), E_OK, "%s", help.why);
	help_kind->close(&store);
	cr_expect_str_eq(help_ask("SELECT count(*) FROM trades"), "6");
}

CASE(of_two_writers_of_one_source_one_stores)
{
	struct store *store = help_open(), *other = help_open();

	cr_expect_eq(store_believing(store, 0, 1), E_OK, "%s", help.why);
	cr_expect_eq(store_believing(other, 0, 1), E_STORE);
	help_kind->close(&other);
	cr_expect_eq(store_believing(store, 1, 2), E_OK, "%s", help.why);
	help_kind->close(&store);
	cr_expect_str_eq(help_ask("SELECT count(*) FROM trades"), "2");
}

/* From now on the store takes no trade above 1000. */
static void
refuse_dear_trades(void)
{
	help_do(
	    help_kind == &store_sqlite
		? "CREATE TRIGGER dear BEFORE INSERT ON trades WHEN new.price > 1000 BEGIN SELECT "
		  "RAISE(ABORT, 'too dear'); END"
		: "ALTER TABLE trades ADD CONSTRAINT dear CHECK (price <= 1000)");
}

/* Trades 1..count in one batch, too dear where `bad` says so. */
static void
store_with(struct store *store, uint64_t count, bool (*bad)(uint64_t))
{
	cr_assert_eq(help_begin(store, SOURCE), E_OK);
	for (uint64_t i = 1; i <= count; i++) {
		struct journal_record record = help_trade(i);

		if (bad(i))
			record.value.trade.price = 1000.5;
		add(store, &record);
	}
	cr_assert_eq(help_commit(store, count), E_OK, "%s", help.why);
}

static bool
first_last_and_some(uint64_t i)
{
	return i == 1 || i == 300 || i == 301 || i == 777 || i == 1000;
}

static bool
all(uint64_t i)
{
	return i > 0;
}

CASE(rows_that_are_refused_become_dead_letters_and_stop_no_other)
{
	struct store *store = help_open();

	refuse_dear_trades();
	store_with(store, 1000, first_last_and_some);
	cr_expect_eq(help.done.rows, 995);
	cr_expect_eq(help.done.refused, 5);
	cr_expect(strstr(help.refusal, "dear") != NULL, "%s", help.refusal);
	cr_expect_eq(position_of(store, SOURCE), 1000);
	help_store(store, SOURCE, 1001, 1003);
	help_kind->close(&store);
	cr_expect_str_eq(help_ask("SELECT count(*) FROM trades"), "998");
	cr_expect_str_eq(help_ask("SELECT count(DISTINCT journal_sequence) FROM trades"), "998");
	cr_expect_str_eq(help_ask("SELECT count(*) FROM dead_letters"), "5");
	cr_expect_str_eq(help_ask("SELECT sum(journal_sequence) FROM dead_letters"), "2379");
	cr_expect_str_eq(
	    help_ask("SELECT count(*) FROM dead_letters WHERE type = 'trade' AND reason LIKE "
		     "'%dear%' AND record LIKE '%\"price\":1000.5%' AND stored_ns > 0"),
	    "5");
}

CASE(a_batch_of_which_all_is_refused_is_over_as_well)
{
	struct store *store = help_open();

	refuse_dear_trades();
	store_with(store, 20, all);
	cr_expect_eq(help.done.rows, 0);
	cr_expect_eq(help.done.refused, 20);
	cr_expect_eq(position_of(store, SOURCE), 20);
	help_kind->close(&store);
	cr_expect_str_eq(help_ask("SELECT count(*) FROM dead_letters"), "20");
}

CASE(a_position_behind_the_last_record_is_kept)
{
	struct journal_record record = help_trade(3);
	struct store *store = help_open();

	cr_assert_eq(help_begin(store, SOURCE), E_OK);
	add(store, &record);
	cr_assert_eq(help_commit(store, 9), E_OK, "%s", help.why);
	cr_expect_eq(position_of(store, SOURCE), 9);
	help_kind->close(&store);
}

CASE(a_schema_newer_than_the_program_is_refused_and_left_alone)
{
	struct store *store = help_open();

	help_store(store, SOURCE, 1, 3);
	help_kind->close(&store);
	help_do("INSERT INTO schema_version VALUES (999, 'future', 1)");
	cr_expect_eq(help_try_open(&store), E_VERSION);
	cr_expect(strstr(help.why, "999") != NULL, "%s", help.why);
	cr_expect(strstr(help.why, "newer program") != NULL, "%s", help.why);
	cr_expect_str_eq(help_ask("SELECT count(*) FROM trades"), "3");
}

static void
trim_all(struct store *store)
{
	do {
		help_ask_begin();
		help_kind->trim(store);
		cr_assert_eq(help_wait(), E_OK, "%s", help.why);
	} while (help.more);
}

CASE(rows_too_old_go_and_the_others_stay)
{
	struct store *store = help_open();
	struct journal_record record = help_trade(6000);

	help_store(store, SOURCE, 1, 5999);
	record.value.trade.event = clock_wall() - CLOCK_SEC;
	cr_assert_eq(help_begin(store, SOURCE), E_OK);
	add(store, &record);
	record.sequence = 6001;
	add(store, &record);
	cr_assert_eq(help_commit(store, 6001), E_OK, "%s", help.why);
	trim_all(store);
	cr_expect_str_eq(help_ask("SELECT count(*) FROM trades"), "6001", "for ever");
	help_conf.store_keep_trades = 86400000;
	trim_all(store);
	help_kind->close(&store);
	cr_expect_str_eq(help_ask("SELECT count(*) FROM trades"), "2");
	cr_expect_str_eq(
	    help_ask("SELECT count(*) FROM trades WHERE journal_sequence >= 6000"), "2");
}

CASE(rows_without_a_time_of_the_market_go_by_when_they_were_received)
{
	static const struct {
		int64_t event, received; /* how long ago; 0: none */
	} rows[] = {
		{ 0, 2 * 86400 }, /* goes */
		{ 0, 60 },
		{ 60 * 86400, 60 }, /* goes, with its partition */
		{ 60, 2 * 86400 },
	};
	struct store *store = help_open();
	int64_t now = clock_wall();

	cr_assert_eq(help_begin(store, SOURCE), E_OK);
	for (uint64_t i = 1; i <= 12000; i++) {
		struct journal_record record = help_trade(i);
		int64_t event = rows[i % 4].event, received = rows[i % 4].received;

		record.value.trade.event = event != 0 ? now - event * CLOCK_SEC : 0;
		record.value.trade.received = now - received * CLOCK_SEC;
		add(store, &record);
	}
	cr_assert_eq(help_commit(store, 12000), E_OK, "%s", help.why);
	help_conf.store_keep_trades = 86400000;
	trim_all(store);
	help_kind->close(&store);
	cr_expect_str_eq(
	    help_ask("SELECT count(*) FROM trades WHERE journal_sequence % 2 = 1"), "6000");
	cr_expect_str_eq(help_ask("SELECT count(*) FROM trades"), "6000");
}
