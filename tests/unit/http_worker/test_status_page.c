/* test_status_page.c - /status of an http worker: its files, its document, its streams. */
#include <criterion/criterion.h>
#include <string.h>

#include "label.h"
#include "stage.h"

static struct stage stage;

static void
open_stage(void)
{
	stage_open(&stage);
}

static void
close_stage(void)
{
	stage_close(&stage);
}

TestSuite(status_page, .init = open_stage, .fini = close_stage);

Test(status_page, the_page_and_its_files_are_part_of_the_program)
{
	static const struct {
		const char *path, *type;
	} files[] = { { "/status", "text/html; charset=utf-8" },
		{ "/status/page.css", "text/css; charset=utf-8" },
		{ "/status/page.js", "text/javascript; charset=utf-8" },
		{ "/status/symbol.js", "text/javascript; charset=utf-8" },
		{ "/status/icon.svg", "image/svg+xml" } };

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct http_request *r = get(&stage, files[i].path);
		const char *policy = answer_header(r, "Content-Security-Policy");

		cr_assert_eq(r->status, 200, "%s", files[i].path);
		cr_expect_str_eq(r->type, files[i].type);
		cr_expect_gt(r->answer_len, 100);
		cr_assert_not_null(policy);
		cr_expect_not_null(strstr(policy, "default-src 'none'"));
		cr_expect_null(strstr(policy, "unsafe"));
		ask_free(r);
	}
	expect_error(get(&stage, "/status/../page.c"), 404, "NOT_FOUND");
	expect_error(get(&stage, "/status/page.html"), 404, "NOT_FOUND");
}

Test(status_page, the_page_names_nothing_outside_its_address_and_has_no_script_or_style_of_its_own)
{
	struct http_request *r = get(&stage, "/status");
	const char *text = r->answer;

	for (const char *at = text; (at = strstr(at, "src=\"")) != NULL; at += 5)
		cr_expect_eq(strncmp(at + 5, "status/", 7), 0, "%.60s", at);
	for (const char *at = text; (at = strstr(at, "<link")) != NULL; at += 5)
		cr_expect_not_null(strstr(at, "href=\"status/"));
	cr_expect_null(strstr(text, "<style"));
	cr_expect_null(strstr(text, " style="));
	cr_expect_null(strstr(text, " onclick="));
	cr_expect_null(strstr(text, "<script>"));
	ask_free(r);
}

Test(status_page, the_document_counts_what_was_asked)
{
	struct http_request *r;
	const json_t *slot;

	for (int i = 0; i < 3; i++)
		ask_free(get(&stage, "/livez"));
	ask_free(get(&stage, "/nothing"));
	r = get(&stage, "/status/now.json");
	cr_assert_eq(r->status, 200);
	cr_expect_eq(json_integer_value(json_object_get(r->json, "format")), 2);
	cr_expect_not_null(json_object_get(json_object_get(r->json, "health"), "workers"));
	cr_assert_gt(json_array_size(json_object_get(r->json, "slots")), 0);
	for (size_t i = 0; i < json_array_size(json_object_get(r->json, "slots")); i++) {
		slot = json_array_get(json_object_get(r->json, "slots"), i);
		if (json_object_get(slot, "by_class") == NULL)
			continue;
		cr_expect_eq(json_integer_value(json_object_get(slot, "requests_total")), 4);
		cr_expect_eq(json_array_size(json_object_get(slot, "duration_buckets")),
		    json_array_size(
			json_object_get(json_object_get(r->json, "bucket_seconds"), "http")) +
			1);
		cr_expect_eq(
		    json_integer_value(json_object_get(json_object_get(slot, "by_class"), "4xx")),
		    1);
	}
	ask_free(r);
}

Test(status_page, the_market_is_what_the_fetchers_clock_says_and_unknown_when_that_is_old)
{
	struct stats fetcher = { .mine = stage.fetcher_page };
	struct http_request *r = get(&stage, "/status/now.json");

	cr_expect_str_eq(member(r, "market.status"), "unknown");
	ask_free(r);
	metric_set(&fetcher, M_MARKET_IS_OPEN, 0, 0, 1);
	metric_set(&fetcher, M_MARKET_CLOCK, 0, 0, (uint64_t)stage.wall);
	metric_set(&fetcher, M_MARKET_RECEIVED, 0, 0, (uint64_t)stage.wall);
	metric_set(&fetcher, M_MARKET_NEXT_CLOSE, 0, 0, (uint64_t)(stage.wall + 3600 * CLOCK_SEC));
	r = get(&stage, "/status/now.json");
	cr_expect_str_eq(member(r, "market.status"), "open");
	ask_free(r);
	stage_pass(&stage, 200 * 1000);
	r = get(&stage, "/status/now.json");
	cr_expect_str_eq(member(r, "market.status"), "unknown");
	ask_free(r);
}

Test(status_page, crashes_are_told_newest_first_whatever_their_texts_hold)
{
	struct crash_line *lines = stage.board->crashes;
	struct http_request *r;
	const json_t *all;

	for (uint32_t id = 5; id < 15; id++) {
		lines[id % BOARD_CRASHES].id = id;
		strcpy(lines[id % BOARD_CRASHES].slot, "http-0");
		strcpy(lines[id % BOARD_CRASHES].ended, "<script>\"\\\n\x01</script>");
	}
	memset(lines[14 % BOARD_CRASHES].cause, 'x', sizeof(lines[0].cause));
	r = get(&stage, "/status/now.json");
	all = json_object_get(r->json, "crashes");
	cr_assert_eq(json_array_size(all), BOARD_CRASHES);
	for (size_t i = 0; i < BOARD_CRASHES; i++)
		cr_expect_eq(json_integer_value(json_object_get(json_array_get(all, i), "id")),
		    (json_int_t)(14 - i));
	ask_free(r);
}

Test(status_page, streams_are_bounded_and_counted_as_answered)
{
	struct http_request *streams[STATUS_STREAMS_MAX], *one;

	for (size_t i = 0; i < STATUS_STREAMS_MAX; i++) {
		streams[i] = get(&stage, "/status/events");
		cr_assert_eq(streams[i]->status, 200);
		cr_expect_str_eq(streams[i]->type, "text/event-stream");
		cr_expect_eq(
		    strncmp(streams[i]->answer, "retry: 500\nevent: status\ndata: {", 31), 0);
		cr_expect_eq(
		    strncmp(streams[i]->answer + streams[i]->answer_len - 3, "}\n\n", 3), 0);
	}
	expect_error(get(&stage, "/status/events"), 503, "OVERLOADED");
	cr_expect_eq(metric_read(stage.http, M_HTTP_IN_FLIGHT, 0, 0), 0);
	worker_gone(&stage.worker, streams[0]);
	one = get(&stage, "/status/events");
	cr_expect_eq(one->status, 200, "there is room again");
	worker_gone(&stage.worker, one);
	for (size_t i = 1; i < STATUS_STREAMS_MAX; i++)
		worker_gone(&stage.worker, streams[i]);
	cr_expect_eq(metric_read(stage.http, M_HTTP_IN_FLIGHT, 0, 0), 0);
	for (size_t i = 0; i < STATUS_STREAMS_MAX; i++)
		ask_free(streams[i]);
	ask_free(one);
}

Test(status_page, who_takes_nothing_for_ten_seconds_is_cut_and_nobody_else)
{
	struct http_request *slow = get(&stage, "/status/events"),
			    *quick = get(&stage, "/status/events");
	size_t before = quick->answer_len;

	slow->full = true;
	for (int i = 1; i < STATUS_STUCK_MAX; i++)
		status_feed_tick(stage.worker.feed);
	slow->full = false; /* it takes one: counted anew */
	status_feed_tick(stage.worker.feed);
	slow->full = true;
	for (int i = 1; i < STATUS_STUCK_MAX; i++)
		status_feed_tick(stage.worker.feed);
	cr_expect_eq(slow->cut, 0);
	for (int i = 0; i < 3; i++)
		status_feed_tick(stage.worker.feed);
	cr_expect_eq(slow->cut, 1, "once");
	cr_expect_eq(quick->cut, 0);
	cr_expect_gt(quick->answer_len, before);
	worker_gone(&stage.worker, slow);
	worker_gone(&stage.worker, quick);
	ask_free(slow);
	ask_free(quick);
}

Test(status_page, nobody_watching_costs_no_document)
{
	struct http_request *r = get(&stage, "/status/events");
	size_t len = r->answer_len;

	worker_gone(&stage.worker, r);
	status_feed_tick(stage.worker.feed);
	cr_expect_eq(r->answer_len, len);
	ask_free(r);
}
