/* test_csv_load.c - recordings in the project's own format. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "recording.h"

#define INI  "[recording]\nname = t\norigin = made\nlicence = none\n"
#define HEAD "timestamp,open,high,low,close,volume,trade_count,vwap\n"

static char folder[64], why[LOAD_WHY];
static struct recording recording;

static void
begin(void)
{
	snprintf(folder, sizeof(folder), "/tmp/opitios-csv-XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	recording_init(&recording);
	why[0] = '\0';
}

static void
end(void)
{
	char command[128];

	recording_fini(&recording);
	snprintf(command, sizeof(command), "rm -r '%s'", folder);
	cr_assert_eq(system(command), 0);
}

TestSuite(csv, .init = begin, .fini = end);

static void
put(const char *name, const char *text)
{
	char path[256];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	cr_assert_not_null(out = fopen(path, "w"));
	fputs(text, out);
	fclose(out);
}

/* What loading says of this one file. */
static int
load(const char *name, const char *text)
{
	int e;

	put("recording.ini", INI);
	put(name, text);
	e = recording_load(&recording, folder, why);
	return e == E_OK ? recording_finish(&recording, why) : e;
}

static const char *
event(const char *symbol, enum kind kind, const char *timeframe, size_t index)
{
	static char text[1024];
	struct instrument *i = recording_find(&recording, MARKET_STOCK, symbol);
	struct series *s;

	cr_assert_not_null(i);
	cr_assert_not_null(s = instrument_series(i, kind, timeframe));
	cr_assert_lt(index, s->count);
	snprintf(text, sizeof(text), "%.*s", (int)s->events[index].len, series_json(s, index));
	return text;
}

Test(csv, a_bar_leaves_out_what_the_source_has_not)
{
	cr_assert_eq(load("bars-1Day-GOOG.csv",
			 HEAD "2008-10-14T04:00:00Z,393.53,394.50,357,362.71,7784800,,\n"),
	    E_OK, "%s", why);
	cr_expect_str_eq(event("GOOG", KIND_BARS, "1Day", 0),
	    "{\"c\":362.71,\"h\":394.5,\"l\":357,\"o\":393.53,"
	    "\"t\":\"2008-10-14T04:00:00Z\",\"v\":7784800}");
}

Test(csv, a_quote_without_a_side_says_so_as_upstream_does)
{
	cr_assert_eq(load("quotes.csv", "symbol,timestamp,bid_price,bid_size,bid_exchange,ask_"
					"price,ask_size,ask_exchange,conditions,tape\n"
					"ONE,2024-03-08T20:44:59Z,12.5,100,Q,,,,R; ,C\n"),
	    E_OK, "%s", why);
	cr_expect_str_eq(event("ONE", KIND_QUOTES, "", 0),
	    "{\"ap\":0,\"as\":0,\"ax\":\" \",\"bp\":12.5,\"bs\":100,\"bx\":\"Q\",\"c\":[\"R\",\" "
	    "\"],"
	    "\"t\":\"2024-03-08T20:44:59Z\",\"z\":\"C\"}");
}

static void
refused(const char *name, const char *text, const char *reason)
{
	cr_expect_eq(load(name, text), E_INVALID_PARAMETER, "%s", reason);
	cr_expect(strstr(why, reason) != NULL, "\"%s\" should say \"%s\"", why, reason);
	cr_expect(strstr(why, name) != NULL || strchr(name, '/') != NULL, "%s", why);
}

Test(csv, a_bad_number_is_named_with_file_and_row)
{
	refused("bars-1Day-A.csv",
	    HEAD "2008-10-14T04:00:00Z,1,1,1,1,1,,\n2008-10-15T04:00:00Z,1,x,1,1,1,,\n",
	    "row 3: high");
}

Test(csv, a_price_of_zero_is_refused)
{
	refused("bars-1Day-A.csv", HEAD "2008-10-14T04:00:00Z,1,1,0,1,1,,\n", "row 2: low");
}

Test(csv, a_cell_too_few_is_refused)
{
	refused("bars-1Day-A.csv", HEAD "2008-10-14T04:00:00Z,1,1,1,1\n",
	    "row 2: has another number of cells");
}

Test(csv, a_column_nobody_knows_is_refused)
{
	refused(
	    "bars-1Day-A.csv", "timestamp,open,high,low,close,volume,colour\n", "row 1: colour");
}

Test(csv, a_missing_column_is_refused)
{
	refused("bars-1Day-A.csv", "timestamp,open,high,low,close\n", "volume is missing");
}

Test(csv, rows_out_of_order_are_refused)
{
	refused("bars-1Day-A.csv",
	    HEAD "2008-10-15T04:00:00Z,1,1,1,1,1,,\n2008-10-14T04:00:00Z,1,1,1,1,1,,\n",
	    "row 3: is earlier");
}

Test(csv, a_price_without_a_size_is_refused)
{
	refused("quotes-A.csv",
	    "timestamp,bid_price,bid_size,ask_price,ask_size\n2024-03-08T20:44:59Z,1,,2,1\n",
	    "bid_price and its size");
}

Test(csv, a_bar_recorded_twice_is_refused)
{
	cr_expect_eq(load("bars-1Day-A.csv", HEAD
			 "2008-10-15T04:00:00Z,1,1,1,1,1,,\n2008-10-15T04:00:00Z,1,1,1,1,1,,\n"),
	    E_INVALID_PARAMETER);
	cr_expect(strstr(why, "recorded twice") != NULL, "%s", why);
}

Test(csv, an_empty_file_and_binary_rubbish_are_refused)
{
	refused("bars-1Day-A.csv", "", "is empty");
	refused("bars-1Day-A.csv", "\x01\x02\xff", "not printable");
}

Test(csv, a_file_of_another_name_is_refused)
{
	refused("bar-1Day-A.csv", HEAD, "is not named like");
	unlink("bar-1Day-A.csv");
}

Test(csv, the_origin_must_be_stated)
{
	put("recording.ini", "[recording]\nname = t\n");
	cr_expect_eq(recording_load(&recording, folder, why), E_INVALID_PARAMETER);
	cr_expect(strstr(why, "must be stated") != NULL, "%s", why);
}

Test(csv, an_unknown_key_is_named_with_its_row)
{
	put("recording.ini", INI "colour = red\n");
	cr_expect_eq(recording_load(&recording, folder, why), E_INVALID_PARAMETER);
	cr_expect(strstr(why, "row 5") != NULL && strstr(why, "colour") != NULL, "%s", why);
}

Test(csv, a_folder_that_is_not_there_is_said_to_be_absent)
{
	cr_expect_eq(recording_load(&recording, "/nonexistent", why), E_ABSENT);
	cr_expect(strstr(why, "/nonexistent") != NULL);
}
