/* test_export.c - opitios-ctl export over a made SQLite store: rows, versions, formats, and how it ends. */
#include <criterion/criterion.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl_room.h"
#include "msg.h"

static char dir[64], said[65536];
static sqlite3 *db;

static void
sql(const char *fmt, ...)
{
	char text[4096], *why = NULL;
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	cr_assert_eq(sqlite3_exec(db, text, NULL, NULL, &why), SQLITE_OK, "%s: %s", text, why);
}

static void
table_make(enum msg_type type)
{
	const struct msg_desc *desc = msg_desc(type);
	char text[2048] = "";

	for (size_t i = 0; i < desc->field_count; i++)
		sprintf(text + strlen(text), "\"%s\", ", desc->fields[i].name);
	sql("CREATE TABLE %s (%s journal_source, journal_sequence)", desc->table, text);
}

static void
setup(void)
{
	char path[100];

	snprintf(dir, sizeof(dir), "/tmp/test_ctl_export.XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/history.sqlite", dir);
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	sql("PRAGMA journal_mode=WAL");
	table_make(MSG_BAR);
	table_make(MSG_TRADE);
	table_make(MSG_QUOTE);
	sql("CREATE TABLE journal_position (journal_source, journal_sequence, stored_ns)");
}

static void
teardown(void)
{
	char line[128];

	sqlite3_close(db);
	snprintf(line, sizeof(line), "rm -rf %s", dir);
	cr_assert_eq(system(line), 0);
}

TestSuite(export, .init = setup, .fini = teardown, .timeout = 30);

static int
run_to(const char *arguments, const char *errors)
{
	char line[1024];
	size_t n;
	FILE *f;

	snprintf(line, sizeof(line),
	    "cd %s; env -u OPITIOS_STATE_DIR -u POSTGRES_URL %s/opitios-ctl --state-dir %s %s %s",
	    dir, BUILD_DIR, dir, arguments, errors);
	f = popen(line, "r");
	n = fread(said, 1, sizeof(said) - 1, f);
	said[n] = '\0';
	return WEXITSTATUS(pclose(f));
}

static int
run(const char *arguments)
{
	return run_to(arguments, "2>&1");
}

static void
bar(int minute, const char *feed, int received, double close)
{
	static int sequence;

	sql("INSERT INTO bars VALUES (1, 3, 0, 'AAPL', '%s', '1Min', 'raw', %lld, %lld, 1.5, 2, 1, "
	    "%.17g, 100, "
	    "NULL, 0.1, 'f', %d)",
	    feed, 1700000000000000000LL + minute * 60000000000LL, 1700000000123456789LL + received,
	    close, ++sequence);
}

Test(export, bars_are_csv_with_names_and_the_newest_of_each)
{
	bar(0, "iex", 1, 1.1);
	bar(1, "iex", 1, 1.2);
	bar(0, "iex", 5, 1.15);
	bar(0, "sip", 2, 9);
	sql("INSERT INTO bars SELECT * FROM bars WHERE 0");
	cr_expect_eq(run("export bars --symbol aapl --timeframe 1Min --feed iex"), 0, "%s", said);
	cr_expect_str_eq(said,
	    "asset,source,part,symbol,feed,timeframe,adjustment,event,received,open,high,low,close,"
	    "volume,trade_count,vwap\n"
	    "stock,alpaca_historical,series,AAPL,iex,1Min,raw,2023-11-14T22:13:20Z,"
	    "2023-11-14T22:13:20.123456794Z,1.5,2,1,1.15,100,,0.1\n"
	    "stock,alpaca_historical,series,AAPL,iex,1Min,raw,2023-11-14T22:14:20Z,"
	    "2023-11-14T22:13:20.12345679Z,1.5,2,1,1.2,100,,0.1\n");
}

Test(export, what_a_recording_said_yields_to_the_market_whenever_it_was_played)
{
	bar(0, "iex", 1, 1.1);
	bar(0, "iex", 5, 1.3);
	sql("UPDATE bars SET source = 4 WHERE close = 1.3");
	cr_expect_eq(run("export bars --symbol AAPL --timeframe 1Min"), 0, "%s", said);
	cr_expect_not_null(strstr(said, "alpaca_historical"), "%s", said);
	cr_expect_null(strstr(said, "replay"), "%s", said);
	sql("DELETE FROM bars WHERE source = 3");
	cr_expect_eq(run("export bars --symbol AAPL --timeframe 1Min"), 0, "%s", said);
	cr_expect_not_null(strstr(said, "replay"), "where there is nothing else: %s", said);
}

static int
lines(void)
{
	int n = 0;

	for (const char *p = said; *p != '\0'; p++)
		n += *p == '\n';
	return n;
}

Test(export, versions_ranges_feeds_and_limits_narrow_or_widen)
{
	for (int m = 0; m < 10; m++) {
		bar(m, "iex", 1, 1.1);
		bar(m, "iex", 2, 1.2);
		bar(m, "sip", 1, 1.1);
	}
	cr_expect_eq(run("export bars --symbol AAPL --timeframe 1Min"), 0);
	cr_expect_eq(lines(), 1 + 20, "%s", said);
	cr_expect_eq(run("export bars --symbol AAPL --timeframe 1Min --versions"), 0);
	cr_expect_eq(lines(), 1 + 30);
	cr_expect_eq(run("export bars --symbol AAPL --timeframe 1Min --feed iex --limit 3"), 0);
	cr_expect_eq(lines(), 1 + 3);
	cr_expect_eq(run("export bars --symbol AAPL --timeframe 1Min --feed iex --from "
			 "2023-11-14T22:15:20Z --to 2023-11-14T22:18:20Z"),
	    0);
	cr_expect_eq(lines(), 1 + 3, "the end is not part of it: %s", said);
	cr_expect_eq(run("export bars --symbol AAPL --timeframe 1Min --to 2023-11-14"), 0);
	cr_expect_eq(lines(), 1 + 20, "a day is, to its end");
}

Test(export, json_lines_have_null_for_what_is_null)
{
	bar(0, "iex", 1, 0.1 + 0.2);
	cr_expect_eq(run("export bars --symbol AAPL --timeframe 1Min --format jsonl"), 0);
	cr_expect_eq(lines(), 1);
	cr_expect_not_null(strstr(said, "\"trade_count\":null"), "%s", said);
	cr_expect_not_null(strstr(said, "\"close\":0.30000000000000004"), "%s", said);
	cr_expect_not_null(strstr(said, "\"event\":\"2023-11-14T22:13:20Z\""), "%s", said);
}

static void
trade(int at, int received, const char *id, double price)
{
	static int sequence;

	sql("INSERT INTO trades VALUES (1, 2, 'AAPL', 'iex', %lld, %lld, %g, 100, 'V', "
	    "'[\"@\",\"a,b\"]', 'C', "
	    "%d, %s, NULL, NULL, 'f', %d)",
	    1700000000000000000LL + at, 1700000000000000000LL + received, price, id != NULL,
	    id != NULL ? id : "NULL", ++sequence);
}

Test(export, trades_received_again_are_one_and_two_of_one_answer_are_two)
{
	trade(1, 10, "-1", 5);
	trade(1, 20, "-1", 5.5);
	trade(1, 20, "7", 6);
	trade(2, 10, NULL, 7);
	trade(2, 10, NULL, 7);
	trade(2, 20, NULL, 7);
	trade(2, 20, NULL, 7);
	trade(2, 20, NULL, 8);
	cr_expect_eq(run("export trades --symbol AAPL"), 0, "%s", said);
	cr_expect_eq(lines(), 1 + 2 + 3, "%s", said);
	cr_expect_not_null(strstr(said, ",5.5,"), "%s", said);
	cr_expect_not_null(strstr(said, ",18446744073709551615,"), "ids are unsigned: %s", said);
	cr_expect_not_null(strstr(said, "\"[\"\"@\"\",\"\"a,b\"\"]\""), "%s", said);
	cr_expect_eq(run("export trades --symbol AAPL --json"), 0, "%s", said);
	cr_expect_not_null(strstr(said, "\"conditions\":[\"@\",\"a,b\"]"), "%s", said);
}

Test(export, a_file_is_there_when_it_is_whole_and_else_as_it_was)
{
	char path[128];
	struct stat st;

	bar(0, "iex", 1, 1);
	cr_expect_eq(
	    run("export bars --symbol AAPL --timeframe 1Min --output out.csv"), 0, "%s", said);
	cr_expect_not_null(strstr(said, "1 rows written to out.csv"), "%s", said);
	snprintf(path, sizeof(path), "%s/out.csv", dir);
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_gt(st.st_size, 100);
	cr_expect_eq(run("export bars --symbol MSFT --output out.csv"), 1);
	cr_expect_eq(lines(), 1, "%s", said);
	cr_expect_not_null(strstr(said, "no bars of MSFT in 1Day are stored"), "%s", said);
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_gt(st.st_size, 100);
	cr_expect_eq(run_to("export bars --symbol AAPL --timeframe 1Min", ">/dev/full 2>err"), 74);
	cr_expect_eq(run("export bars --symbol AAPL --timeframe 1Min --output /nonexistent/x"), 74);
	cr_expect_eq(lines(), 1, "%s", said);
	cr_expect_eq(run_to("version >/dev/null; ls", ""), 0);
	cr_expect_null(strstr(said, "out.csv."), "nothing is left behind: %s", said);
}

Test(export, what_cannot_be_is_one_clear_line)
{
	cr_expect_eq(run("export bars"), 64);
	cr_expect_eq(run("export bars --symbol not-a-symbol!"), 64);
	cr_expect_eq(run("export greeks --symbol AAPL"), 64);
	cr_expect_eq(run("export trades --symbol AAPL --timeframe 1Day"), 64);
	cr_expect_eq(run("export bars --symbol AAPL --format xml"), 64);
	cr_expect_eq(run("export bars --symbol AAPL --from 2024-02-01 --to 2024-01-01"), 64);
	cr_expect_eq(run("export bars --symbol AAPL --from 2024-02-31"), 64);
	cr_expect_eq(lines(), 1, "%s", said);
	cr_expect_eq(run("export bars --symbol AAPL --state-dir /nonexistent"), 66);
	cr_expect_eq(lines(), 1, "%s", said);
	cr_expect_eq(run("export bars --symbol \"A';DROP TABLE bars;--\""), 64);
}

Test(export, an_unreachable_or_misspelt_postgresql_is_said_without_its_password)
{
	setenv("POSTGRES_READ_URL", "postgresql://reader:s3cret@127.0.0.1:1/none", 1);
	cr_expect_eq(run("export bars --symbol AAPL"), 66);
	cr_expect_eq(lines(), 1, "%s", said);
	cr_expect_null(strstr(said, "s3cret"), "%s", said);
	cr_expect_not_null(strstr(said, "127.0.0.1"), "%s", said);
	setenv("POSTGRES_READ_URL", "postgresql://reader:s3cret@127.0.0.1:x/none?s3cret", 1);
	cr_expect_eq(run("export bars --symbol AAPL"), 66, "%s", said);
	cr_expect_eq(lines(), 1, "%s", said);
	cr_expect_null(strstr(said, "s3cret"), "%s", said);
	unsetenv("POSTGRES_READ_URL");
}

Test(export, journal_ls_tells_how_far_the_store_is)
{
	char line[200];

	sql("INSERT INTO journal_position VALUES ('fetcher', 1234567, 0)");
	snprintf(line, sizeof(line), "mkdir -p %s/journal/fetcher", dir);
	cr_assert_eq(system(line), 0);
	cr_expect_eq(run("journal ls --json"), 0);
	cr_expect_not_null(strstr(said, "\"stored\":1234567"), "%s", said);
}
