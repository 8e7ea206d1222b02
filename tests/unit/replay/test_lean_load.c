/* test_lean_load.c - folders in the LEAN format, with zip files made here. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zip.h>

#include "recording.h"

static char root[64], why[LOAD_WHY];
static struct recording recording;

static void
begin(void)
{
	char path[128];

	snprintf(root, sizeof(root), "/tmp/opitios-lean-XXXXXX");
	cr_assert_not_null(mkdtemp(root));
	snprintf(path, sizeof(path), "%s/tick", root);
	cr_assert_eq(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/tick/ibm", root);
	cr_assert_eq(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/minute", root);
	cr_assert_eq(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/minute/ibm", root);
	cr_assert_eq(mkdir(path, 0700), 0);
	recording_init(&recording);
	why[0] = '\0';
}

static void
end(void)
{
	char command[128];

	recording_fini(&recording);
	snprintf(command, sizeof(command), "rm -r '%s'", root);
	cr_assert_eq(system(command), 0);
}

TestSuite(lean, .init = begin, .fini = end);

static void
put(const char *name, const char *csv)
{
	char path[256];
	zip_t *z;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	cr_assert_not_null(z = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, NULL));
	cr_assert_geq(zip_file_add(z, "day.csv", zip_source_buffer(z, csv, strlen(csv), 0), 0), 0);
	cr_assert_eq(zip_close(z), 0);
}

static int
load(const char *below)
{
	char path[256];
	int e;

	snprintf(path, sizeof(path), "%s%s", root, below);
	e = recording_load(&recording, path, why);
	return e == E_OK ? recording_finish(&recording, why) : e;
}

static struct series *
series(enum kind kind, const char *timeframe)
{
	struct instrument *i = recording_find(&recording, MARKET_STOCK, "IBM");

	cr_assert_not_null(i);
	return instrument_series(i, kind, timeframe);
}

static void
expect(const struct series *s, size_t index, const char *json)
{
	cr_assert_not_null(s);
	cr_assert_lt(index, s->count);
	cr_expect_eq(s->events[index].len, strlen(json), "%.*s", (int)s->events[index].len,
	    series_json(s, index));
	cr_expect_eq(strncmp(series_json(s, index), json, s->events[index].len), 0, "%.*s",
	    (int)s->events[index].len, series_json(s, index));
}

Test(lean, quotes_are_made_of_the_last_side_known)
{
	put("tick/ibm/20131007_quote.zip", "14400054,0,0,1836300,100,Q,1,0\n"
					   "14400241,1800100,300,0,0,P,1,0\r\n"
					   "14400241,9999900,1,0,0,P,1,1\n"
					   "14400277,0,0,1818000,3000,K,1,0");
	cr_assert_eq(load("/tick/ibm"), E_OK, "%s", why);
	expect(series(KIND_QUOTES, ""), 0,
	    "{\"ap\":183.63,\"as\":100,\"ax\":\"Q\",\"bp\":0,\"bs\":0,\"bx\":\" "
	    "\",\"t\":\"2013-10-07T08:00:00.054Z\"}");
	expect(series(KIND_QUOTES, ""), 1,
	    "{\"ap\":183.63,\"as\":100,\"ax\":\"Q\",\"bp\":180.01,\"bs\":300,\"bx\":\"P\",\"t\":"
	    "\"2013-10-07T08:00:00.241Z\"}");
	expect(series(KIND_QUOTES, ""), 2,
	    "{\"ap\":181.8,\"as\":3000,\"ax\":\"K\",\"bp\":180.01,\"bs\":300,\"bx\":\"P\",\"t\":"
	    "\"2013-10-07T08:00:00.277Z\"}");
	cr_expect_eq(series(KIND_QUOTES, "")->count, 3, "the suspicious one is left out");
	cr_expect_eq(recording.skipped, 1);
}

Test(lean, the_root_the_kind_and_the_symbol_are_all_understood)
{
	static const char *const below[] = { "", "/tick", "/tick/ibm", "/tick/ibm/" };
	size_t i;

	put("tick/ibm/20131007_trade.zip", "34200000,1815200,283,P,20002020,0\n");
	for (i = 0; i < 4; i++) {
		recording_fini(&recording);
		recording_init(&recording);
		cr_assert_eq(load(below[i]), E_OK, "%s", why);
		expect(series(KIND_TRADES, ""), 0,
		    "{\"p\":181.52,\"s\":283,\"t\":\"2013-10-07T13:30:00Z\",\"x\":\"P\"}");
	}
}

Test(lean, minutes_become_bars_and_quote_minutes_nothing)
{
	put("minute/ibm/20131007_trade.zip", "34200000,1815200,1816000,1814300,1815000,7978\n");
	put("minute/ibm/20131007_quote.zip", "34200000,1,1,1,1,1,1,1,1,1,1\n");
	cr_assert_eq(load(""), E_OK, "%s", why);
	expect(series(KIND_BARS, "1Min"), 0,
	    "{\"c\":181.5,\"h\":181.6,\"l\":181.43,\"o\":181.52,\"t\":\"2013-10-07T13:30:00Z\","
	    "\"v\":7978}");
	cr_expect_null(series(KIND_QUOTES, ""));
}

Test(lean, a_day_never_begins_with_the_quote_of_the_day_before)
{
	put("tick/ibm/20131007_quote.zip", "14400054,1800000,1,0,0,Q,1,0\n");
	put("tick/ibm/20131008_quote.zip", "14400054,0,0,1810000,1,Q,1,0\n");
	cr_assert_eq(load(""), E_OK, "%s", why);
	expect(series(KIND_QUOTES, ""), 1,
	    "{\"ap\":181,\"as\":1,\"ax\":\"Q\",\"bp\":0,\"bs\":0,\"bx\":\" "
	    "\",\"t\":\"2013-10-08T08:00:00.054Z\"}");
}

static void
refused(const char *csv, const char *reason)
{
	recording_fini(&recording);
	recording_init(&recording);
	put("tick/ibm/20131007_trade.zip", csv);
	cr_expect_eq(load(""), E_INVALID_PARAMETER, "%s", reason);
	cr_expect(strstr(why, reason) != NULL, "\"%s\" should say \"%s\"", why, reason);
	cr_expect(strstr(why, "20131007_trade.zip: row ") != NULL, "%s", why);
}

Test(lean, bad_rows_are_named)
{
	static char longest[3000];

	refused("34200000,1815200,283,P,0,0\n34200000,1815200,283\n", "row 2: is not a trade tick");
	refused("99999999999,1815200,283,P,0,0\n", "millisecond");
	refused("34200000,18152.5,283,P,0,0\n", "ten-thousandths");
	refused("34200000,0,283,P,0,0\n", "without a price");
	refused("34200000,1815200,-1,P,0,0\n", "whole size");
	refused("34200000,1815200,1,P\xff,0,0\n", "printable");
	memset(longest, '1', sizeof(longest) - 1);
	refused(longest, "too long");
}

Test(lean, what_is_no_zip_is_refused)
{
	char path[256];
	FILE *out;

	snprintf(path, sizeof(path), "%s/tick/ibm/20131007_trade.zip", root);
	cr_assert_not_null(out = fopen(path, "w"));
	fputs("PK nonsense", out);
	fclose(out);
	cr_expect_eq(load(""), E_INVALID_PARAMETER);
	cr_expect(strstr(why, "zip") != NULL, "%s", why);
}

Test(lean, a_folder_with_nothing_of_the_kind_is_refused)
{
	cr_expect_eq(load("/minute"), E_INVALID_PARAMETER);
	cr_expect(strstr(why, "neither recording.ini nor LEAN") != NULL, "%s", why);
}
