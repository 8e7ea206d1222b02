/* test_schema.c - the schema is what the descriptors say, and its versions are kept apart. */
#include "store_help.h"
#include "store_room.h"

TestSuite(schema, .init = help_setup, .fini = help_teardown, .timeout = 60);

/* "name TYPE" of each column in order, as the file has them. */
static void
columns_of(const char *table, char *out, size_t size)
{
	sqlite3_stmt *stmt;
	sqlite3 *db;

	out[0] = '\0';
	cr_assert_eq(sqlite3_open(help_file, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_prepare_v2(db,
			 "SELECT name || ' ' || type FROM pragma_table_info(?) ORDER BY cid", -1,
			 &stmt, NULL),
	    SQLITE_OK);
	cr_assert_eq(sqlite3_bind_text(stmt, 1, table, -1, SQLITE_STATIC), SQLITE_OK);
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		size_t used = strlen(out);

		snprintf(
		    out + used, size - used, "%s\n", (const char *)sqlite3_column_text(stmt, 0));
	}
	sqlite3_finalize(stmt);
	sqlite3_close(db);
}

Test(schema, columns_are_the_fields_of_the_descriptors)
{
	struct store *store = help_open();
	char want[4096], got[4096], sql[256];
	int tables = 0;

	store_sqlite.close(&store);
	for (unsigned type = 1; type < MSG_TYPE_MAX; type++) {
		const struct msg_desc *desc = msg_desc(type);
		size_t used = 0;

		if (desc == NULL || !desc->stored)
			continue;
		for (size_t i = 0; i < desc->field_count; i++)
			used += (size_t)snprintf(want + used, sizeof(want) - used, "%s %s\n",
			    desc->fields[i].name, row_column_type(desc->fields[i].kind));
		snprintf(want + used, sizeof(want) - used,
		    "journal_source TEXT\njournal_sequence INTEGER\n");
		columns_of(desc->table, got, sizeof(got));
		cr_expect_str_eq(
		    got, want, "table %s:\n%sbut the descriptor says\n%s", desc->table, got, want);
		snprintf(sql, sizeof(sql),
		    "SELECT group_concat(i.name) FROM pragma_index_list('%s') l, "
		    "pragma_index_info(l.name) i "
		    "WHERE l.\"unique\"",
		    desc->table);
		cr_expect_str_eq(help_ask(sql), "journal_source,journal_sequence");
		tables++;
	}
	cr_expect_eq(tables, 8);
}

Test(schema, is_noted_in_its_table_and_opening_again_changes_nothing)
{
	struct store *store = help_open();
	char count[32];

	store_sqlite.close(&store);
	store = help_open();
	store_sqlite.close(&store);
	snprintf(count, sizeof(count), "%zu", store_migration_count);
	cr_expect_str_eq(help_ask("SELECT count(*) FROM schema_version"), count);
	snprintf(count, sizeof(count), "%d", store_migrations[store_migration_count - 1].number);
	cr_expect_str_eq(help_ask("SELECT max(version) FROM schema_version"), count);
	cr_expect_str_eq(help_ask("SELECT name FROM schema_version WHERE version = 1"), "history");
}

Test(schema, newer_than_the_program_is_refused_and_left_alone)
{
	struct store *store = help_open();

	help_store(store, "fetcher-rest", 1, 3);
	store_sqlite.close(&store);
	help_do("INSERT INTO schema_version VALUES (999, 'future', 1)");
	cr_expect_eq(help_try_open(&store), E_VERSION);
	cr_expect_null(store);
	cr_expect(strstr(help.why, "999") != NULL, "%s", help.why);
	cr_expect_str_eq(help_ask("SELECT count(*) FROM trades"), "3");
}

static const struct migration two[] = {
	{ 1, "one", "CREATE TABLE one (a INTEGER);" },
	{ 2, "two", "CREATE TABLE two (a INTEGER); INSERT INTO one VALUES (1);" },
};
static const struct migration broken[] = {
	{ 1, "one", "CREATE TABLE one (a INTEGER);" },
	{ 2, "two", "CREATE TABLE two (a INTEGER); INSERT INTO nowhere VALUES (1);" },
};

Test(schema, migrations_are_applied_in_order_and_once)
{
	int found = 9;
	sqlite3 *db;

	cr_assert_eq(sqlite3_open(help_file, &db), SQLITE_OK);
	cr_expect_eq(migrate(db, two, 1, &found), E_OK);
	cr_expect_eq(migrate(db, two, 2, &found), E_OK);
	cr_expect_eq(found, 1);
	cr_expect_eq(migrate(db, two, 2, &found), E_OK);
	cr_expect_eq(found, 2);
	sqlite3_close(db);
	cr_expect_str_eq(help_ask("SELECT count(*) FROM one"), "1");
}

Test(schema, a_migration_that_fails_leaves_nothing_of_itself)
{
	int found;
	sqlite3 *db;

	cr_assert_eq(sqlite3_open(help_file, &db), SQLITE_OK);
	cr_expect_eq(migrate(db, broken, 2, &found), E_STORE);
	cr_expect(strstr(sqlite3_errmsg(db), "nowhere") != NULL);
	sqlite3_close(db);
	cr_expect_str_eq(
	    help_ask("SELECT group_concat(name) FROM sqlite_master WHERE name IN ('one', 'two')"),
	    "one");
	cr_expect_str_eq(help_ask("SELECT max(version) FROM schema_version"), "1");
}
