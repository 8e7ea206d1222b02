/* test_format.c - numbers for people, and tables of them. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl_room.h"

static char t[FORMAT_TEXT];

TestSuite(format, .timeout = 10);

Test(format, an_age_has_two_units)
{
	cr_expect_str_eq(format_age(4.24, t), "4.2s");
	cr_expect_str_eq(format_age(59.9, t), "59s");
	cr_expect_str_eq(format_age(723, t), "12m03s");
	cr_expect_str_eq(format_age(15130, t), "4h12m");
	cr_expect_str_eq(format_age(273600, t), "3d04h");
	cr_expect_str_eq(format_age(-1, t), "0.0s", "clocks are set back");
	cr_expect_str_eq(format_age(NAN, t), "-");
	cr_expect_lt(strlen(format_age(1e300, t)), FORMAT_TEXT);
}

Test(format, numbers_have_at_most_three_digits_and_a_unit)
{
	cr_expect_str_eq(format_bytes(0, t), "0B");
	cr_expect_str_eq(format_bytes(3.5 * 1024 * 1024, t), "3.5M");
	cr_expect_str_eq(format_rate(0, t), "0");
	cr_expect_str_eq(format_rate(4.25, t), "4.2");
	cr_expect_str_eq(format_rate(12345, t), "12345");
	cr_expect_str_eq(format_rate(123456, t), "123k");
	cr_expect_str_eq(format_latency(0.000085, t), "85us");
	cr_expect_str_eq(format_latency(0.0012, t), "1.2ms");
	cr_expect_str_eq(format_latency(0.25, t), "250ms");
	cr_expect_str_eq(format_latency(2.5, t), "2.5s");
	cr_expect_str_eq(format_percent(NAN, t), "-");
}

Test(format, what_could_steer_a_terminal_is_made_harmless)
{
	char text[] = "a\033[2Jb\x07\xff";

	cr_expect_str_eq(format_clean(text), "a?[2Jb??");
}

Test(format, columns_are_as_wide_as_their_widest_cell)
{
	struct table *table = table_new();
	char *out = NULL;
	size_t size;
	FILE *f = open_memstream(&out, &size);

	table_column(table, "NAME", TABLE_LEFT);
	table_column(table, "N", TABLE_RIGHT);
	table_column(table, "LAST", TABLE_LEFT);
	table_cell(table, STYLE_GOOD, "cache-writer");
	table_cell(table, STYLE_PLAIN, "12");
	table_cell(table, STYLE_PLAIN, "x");
	table_cell(table, STYLE_GOOD, "http-0");
	table_cell(table, STYLE_PLAIN, "7");
	table_cell(table, STYLE_PLAIN, "");
	table_print(table, f, false);
	fclose(f);
	cr_expect_str_eq(out, "NAME           N  LAST\n"
			      "cache-writer  12  x\n"
			      "http-0         7  \n");
	free(out);
	table_free(&table);
}
