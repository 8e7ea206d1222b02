/* test_request.c - reading request heads. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "request.h"

static struct request request;
static char head[HEAD_BYTES + 1];

static int
parse(const char *text)
{
	snprintf(head, sizeof(head), "%s", text);
	return request_parse(&request, head, strlen(text));
}

Test(request, is_cut_into_path_parameters_and_credentials)
{
	cr_assert_eq(
	    parse("GET /v2/stocks/bars?symbols=A%2CB&start=2024-01-01T00%3A00%3A00%2B00%3A00&x "
		  "HTTP/1.1\r\nHost: h\r\napca-api-key-id: K\r\nAPCA-API-SECRET-KEY:  S \r\n\r\n"),
	    0);
	cr_expect_str_eq(request.method, "GET");
	cr_expect_str_eq(request.path, "/v2/stocks/bars");
	cr_expect_eq(request.segment_count, 3);
	cr_expect_str_eq(request.segments[2], "bars");
	cr_expect_str_eq(request_param(&request, "symbols"), "A,B");
	cr_expect_str_eq(request_param(&request, "start"), "2024-01-01T00:00:00+00:00");
	cr_expect_str_eq(request_param(&request, "x"), "");
	cr_expect_str_eq(request_param(&request, "absent"), "");
	cr_expect_str_eq(request.key, "K");
	cr_expect_str_eq(request.secret, "S");
	cr_expect(request.keeps_alive);
}

Test(request, a_slash_may_be_escaped_in_a_segment_or_doubled_between_them)
{
	cr_assert_eq(parse("GET //v2//assets/BTC%2FUSD HTTP/1.1\r\n\r\n"), 0);
	cr_expect_eq(request.segment_count, 3);
	cr_expect_str_eq(request.segments[2], "BTC/USD");
}

Test(request, says_whether_the_connection_stays)
{
	cr_assert_eq(parse("GET / HTTP/1.0\r\n\r\n"), 0);
	cr_expect_not(request.keeps_alive);
	cr_assert_eq(parse("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), 0);
	cr_expect(request.keeps_alive);
	cr_assert_eq(parse("GET / HTTP/1.1\r\nConnection: close\r\n\r\n"), 0);
	cr_expect_not(request.keeps_alive);
}

Test(request, what_is_not_http_is_refused)
{
	static const struct {
		const char *text;
		int status;
	} bad[] = { { "GET\r\n\r\n", 400 }, { "GET /\r\n\r\n", 400 },
		{ "get / HTTP/1.1\r\n\r\n", 400 }, { "GET / HTTP/2.0\r\n\r\n", 505 },
		{ "GET x HTTP/1.1\r\n\r\n", 400 }, { "GET /%zz HTTP/1.1\r\n\r\n", 400 },
		{ "GET /%00 HTTP/1.1\r\n\r\n", 400 }, { "GET / HTTP/1.1\r\nno colon\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\nA B: c\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\n: c\r\n\r\n", 400 }, { "GET / HTTP/1.1\nA: b\n\r\n\r\n", 400 },
		{ "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400 },
		{ "POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413 },
		{ "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411 },
		{ "GET /a/b/c/d/e/f/g/h/i/j/k HTTP/1.1\r\n\r\n", 400 }, { "\r\n\r\n", 400 } };
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_eq(parse(bad[i].text), bad[i].status, "%s", bad[i].text);
}

Test(request, bounds_its_parts)
{
	char text[HEAD_BYTES];
	size_t len;

	len = (size_t)snprintf(text, sizeof(text), "GET /");
	memset(text + len, 'a', 1200);
	snprintf(text + len + 1200, sizeof(text) - len - 1200, " HTTP/1.1\r\n\r\n");
	cr_expect_eq(parse(text), 414, "a long path");
	len = (size_t)snprintf(text, sizeof(text), "GET /?");
	memset(text + len, '&', 40);
	for (size_t i = 0; i < 40; i++)
		memcpy(text + len + 2 * i, "a&", 2);
	snprintf(text + len + 80, sizeof(text) - len - 80, " HTTP/1.1\r\n\r\n");
	cr_expect_eq(parse(text), 400, "too many parameters");
	len = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nAPCA-API-KEY-ID: ");
	memset(text + len, 'k', 200);
	snprintf(text + len + 200, sizeof(text) - len - 200, "\r\n\r\n");
	cr_expect_eq(parse(text), 400, "a long key");
}
