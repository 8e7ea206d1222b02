/* test_json_write.c - JSON text, read back by jansson's rules written out here. */
#include "json_write.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static struct buf out;
static struct json j;

static void
set_up(void)
{
	buf_init(&out, 4096);
	json_begin(&j, &out);
}

static void
tear_down(void)
{
	buf_fini(&out);
}

TestSuite(json_write, .init = set_up, .fini = tear_down);

static void
wrote(const char *expected)
{
	cr_expect_eq(json_end(&j), E_OK);
	cr_expect_eq(buf_len(&out), strlen(expected));
	cr_expect_eq(memcmp(buf_data(&out), expected, buf_len(&out)), 0, "%.*s", (int)buf_len(&out),
	    (char *)buf_data(&out));
}

Test(json_write, members_are_separated_and_nested)
{
	json_object_open(&j, NULL);
	json_text(&j, "a", "x");
	json_array_open(&j, "b");
	json_i64(&j, NULL, -1);
	json_u64(&j, NULL, UINT64_MAX);
	json_object_open(&j, NULL);
	json_object_close(&j);
	json_array_open(&j, NULL);
	json_array_close(&j);
	json_array_close(&j);
	json_bool(&j, "c", 1);
	json_bool(&j, "d", 0);
	json_absent(&j, "e");
	json_raw(&j, "f", "[1,2]", 5);
	json_f64(&j, "g", 0.1);
	json_object_close(&j);
	wrote("{\"a\":\"x\",\"b\":[-1,18446744073709551615,{},[]],\"c\":true,\"d\":false,"
	      "\"e\":null,\"f\":[1,2],\"g\":0.1}");
}

Test(json_write, null_stands_for_what_is_not_there)
{
	json_array_open(&j, NULL);
	json_text(&j, NULL, NULL);
	json_text(&j, NULL, "");
	json_text_or_null(&j, NULL, "");
	json_text_or_null(&j, NULL, NULL);
	json_f64(&j, NULL, NAN);
	json_f64(&j, NULL, INFINITY);
	json_time(&j, NULL, 0);
	json_time_ms(&j, NULL, 0);
	json_array_close(&j);
	wrote("[null,\"\",null,null,null,null,null,null]");
}

Test(json_write, times_are_rfc3339)
{
	json_array_open(&j, NULL);
	json_time(&j, NULL, 1);
	json_time_ms(&j, NULL, 1500000);
	json_array_close(&j);
	wrote("[\"1970-01-01T00:00:00.000000001Z\",\"1970-01-01T00:00:00.001Z\"]");
}

Test(json_write, quotes_and_control_characters_are_escaped)
{
	json_text(&j, NULL, "a\"b\\c\n\x01\x1f\x7f/");
	wrote("\"a\\\"b\\\\c\\u000a\\u0001\\u001f\x7f/\"");
}

Test(json_write, utf8_passes_and_what_is_none_is_replaced)
{
	json_text(&j, NULL, "\xc3\xa4\xf0\x9f\x90\x8d|\xff|\xc3(|\xed\xa0\x80|\xe2\x82");
	wrote("\"\xc3\xa4\xf0\x9f\x90\x8d|\\ufffd|\\ufffd(|\\ufffd\\ufffd\\ufffd|\\ufffd\\ufffd\"");
}

Test(json_write, a_full_buffer_is_told_at_the_end)
{
	struct buf small;
	struct json k;

	buf_init(&small, 8);
	json_begin(&k, &small);
	json_object_open(&k, NULL);
	json_text(&k, "name", "value");
	json_object_close(&k);
	cr_expect_eq(json_end(&k), E_FULL);
	cr_expect_leq(buf_len(&small), 8);
	buf_fini(&small);
}
