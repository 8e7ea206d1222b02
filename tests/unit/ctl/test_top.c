/* test_top.c - the screen: it fits, and nothing a worker says can break it. */
#include <criterion/criterion.h>
#include <locale.h>
#include <math.h>
#include <string.h>

#include "top.h"

static struct top top;

static void
setup(void)
{
	memset(&top, 0, sizeof(top));
	top.last_seconds = NAN;
	setlocale(LC_CTYPE, "C.UTF-8");
}

TestSuite(top, .init = setup, .timeout = 10);

static void
given(const char *workers)
{
	json_error_t error;

	top.status = json_loads(
	    "{\"version\":\"0.1.0\",\"health\":\"degraded\",\"reasons\":[\"a worker is not "
	    "ready\"],"
	    "\"uptime_seconds\":4.5,\"generation\":2,\"pid\":12,\"budget_remaining\":180,"
	    "\"budget_limit\":200,\"journal_lag\":null,\"slots\":{\"total\":2,\"ready\":1,"
	    "\"failed\":1},"
	    "\"crashes\":{\"kept\":0,\"newest\":0}}",
	    0, &error);
	top.workers = json_loads(workers, 0, &error);
	cr_assert_not_null(top.workers, "%s", error.text);
	const json_t *list = json_object_get(top.workers, "workers"), *w;
	size_t i;

	top.rows = calloc(json_array_size(list) + 1, sizeof(*top.rows));
	json_array_foreach(list, i, w)
	{
		top.rows[i].worker = w;
		top.rows[i].rates = (struct rates){ NAN, NAN, NAN };
	}
	top.row_count = json_array_size(list);
}

static char *
drawn(size_t width, size_t height, bool full)
{
	struct screen s;
	char *text;

	screen_begin(&s, width, height, false, full);
	top_draw(&top, &s);
	text = strndup((const char *)buf_data(&s.out), buf_len(&s.out));
	buf_fini(&s.out);
	return text;
}

static size_t
columns_of(const char *line)
{
	size_t n = 0;

	for (; *line != '\0' && *line != '\r' && *line != '\n' && *line != '\033'; line++)
		n += ((unsigned char)*line & 0xc0) != 0x80;
	return n;
}

#define SLOT                                                                                       \
	"{\"slot\":\"http-0\",\"role\":\"http\",\"state\":\"ready\",\"pid\":77,\"uptime_"          \
	"seconds\":3,"                                                                             \
	"\"restarts\":3,\"failed\":false,\"requests_total\":5,\"in_flight\":1,\"rss_bytes\":"      \
	"1048576,\"other\":null}"

Test(top, no_line_is_wider_than_the_screen_and_no_more_of_them_than_it_has)
{
	static const size_t sizes[][2] = { { 80, 24 }, { 140, 40 }, { 20, 5 }, { 200, 6 } };

	given("{\"workers\":[" SLOT "," SLOT "," SLOT "," SLOT "," SLOT "," SLOT "," SLOT "]}");
	for (size_t i = 0; i < 4; i++) {
		char *text = drawn(sizes[i][0], sizes[i][1], true), *line = text + 3;
		size_t count = 1;

		for (; line != NULL; count += line != NULL) {
			cr_expect_leq(columns_of(line), sizes[i][0], "%zu: %s", sizes[i][0], line);
			line = strchr(line, '\n');
			line = line != NULL ? line + 1 : NULL;
		}
		if (sizes[i][1] >= 8)
			cr_expect_eq(count, sizes[i][1]);
		free(text);
	}
}

Test(top, slots_without_room_are_counted)
{
	char *text;

	given("{\"workers\":[" SLOT "," SLOT "," SLOT "," SLOT "," SLOT "]}");
	text = drawn(80, 8, true);
	cr_expect_not_null(strstr(text, "3 more"), "%s", text);
	free(text);
	top.first = 3;
	text = drawn(80, 8, true);
	cr_expect_null(strstr(text, "more"), "%s", text);
	free(text);
	top.first = 100;
	free(drawn(80, 8, true));
	cr_expect_eq(top.first, 4, "the last one stays");
}

Test(top, as_text_it_has_every_slot_and_no_escape)
{
	char *text;

	given("{\"workers\":[" SLOT
	      ",{\"slot\":\"http-1\",\"state\":\"waiting\",\"pid\":null,\"failed\":true,"
	      "\"last_exit\":\"signal 11 (Segmentation fault)\",\"last_exit_seconds\":2}]}");
	text = drawn(140, 0, false);
	cr_expect_not_null(strstr(text, "http-0"));
	cr_expect_not_null(strstr(text, "http-1       failed"), "%s", text);
	cr_expect_not_null(strstr(text, "signal 11 (Segmentation fault), 2.0s ago"), "%s", text);
	cr_expect_not_null(strstr(text, "degraded: a worker is not ready"));
	cr_expect_null(strchr(text, '\033'));
	free(text);
}

Test(top, a_worker_gone_mad_cannot_steer_the_terminal)
{
	char *text;

	given("{\"workers\":[{\"slot\":\"http-0\",\"state\":\"ready\",\"pid\":1,\"doing_now\":true,"
	      "\"doing\":\"GET /\\u001b[2J\\u0007\",\"doing_seconds\":0.1}]}");
	text = drawn(140, 0, false);
	cr_expect_null(strchr(text, '\033'));
	cr_expect_null(strchr(text, '\a'));
	cr_expect_not_null(strstr(text, "GET /?[2J?"), "%s", text);
	free(text);
}

Test(top, members_that_are_missing_or_of_another_type_are_unknown)
{
	char *text;

	given("{\"workers\":[{\"slot\":7,\"state\":[],\"pid\":\"x\"},{}]}");
	text = drawn(80, 24, true);
	cr_expect_not_null(strstr(text, "-"));
	free(text);
}

Test(top, the_order_puts_the_busiest_first_and_keeps_equals_as_they_are)
{
	given("{\"workers\":[{\"slot\":\"a\"},{\"slot\":\"b\"},{\"slot\":\"c\"}]}");
	top.rows[1].rates.requests = 5;
	top.rows[2].rates.requests = 9;
	top.order = TOP_BY_REQUESTS;
	top_sort(&top);
	cr_expect_str_eq(member_text(top.rows[0].worker, "slot"), "c");
	cr_expect_str_eq(member_text(top.rows[1].worker, "slot"), "b");
	top.rows[0].rates.requests = 5;
	top_sort(&top);
	cr_expect_str_eq(member_text(top.rows[0].worker, "slot"), "c");
}
