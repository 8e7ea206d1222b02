/* test_router.c - paths and methods against the whole route table. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "stage.h"

static struct router *router;
static struct route_match match;

static void
open_router(void)
{
	router = router_new();
}

static void
close_router(void)
{
	router_free(&router);
}

TestSuite(router, .init = open_router, .fini = close_router);

/* The template with each {param} filled. */
static void
fill_path(const char *path, char out[256])
{
	size_t n = 0;

	for (const char *p = path; *p != '\0'; p++) {
		if (*p != '{') {
			out[n++] = *p;
			continue;
		}
		memcpy(out + n, "X1", 2);
		n += 2;
		p = strchr(p, '}');
	}
	out[n] = '\0';
}

Test(router, finds_every_row_of_the_table_and_its_handler)
{
	char path[256];

	for (int i = 0; i < ROUTE_NONE; i++) {
		const struct route_row *row = route_row((enum route)i);

		fill_path(row->path, path);
		router_find(router, row->method, path, &match);
		cr_assert_eq(match.row, row, "%s %s", row->method, path);
		cr_assert_not_null(row->answer, "%s has no handler", row->name);
	}
}

Test(router, gives_the_values_of_a_path_unescaped)
{
	router_find(router, "GET", "/api/v1/crypto/BTC%2FUSD/quote", &match);
	cr_assert_not_null(match.row);
	cr_expect_str_eq(match.values[0], "BTC/USD");
}

Test(router, answers_head_with_the_row_of_get)
{
	router_find(router, "HEAD", "/livez", &match);
	cr_assert_not_null(match.row);
	cr_expect_str_eq(match.row->method, "GET");
}

Test(router, knows_which_methods_a_path_takes_when_it_does_not_take_this_one)
{
	router_find(router, "DELETE", "/api/v1/stocks/AAPL/bars", &match);
	cr_expect_null(match.row);
	cr_expect_eq(match.methods, METHOD_GET);
	router_find(router, "GET", "/api/v1/stocks/quotes/batch", &match);
	cr_expect_null(match.row);
	cr_expect_eq(match.methods, METHOD_POST);
	cr_expect_str_eq(router_allow(METHOD_POST), "POST, OPTIONS");
}

Test(router, prefers_a_text_but_comes_back_to_a_parameter)
{
	router_find(router, "GET", "/api/v1/stocks/quotes", &match);
	cr_assert_eq(match.row->route, ROUTE_stock_quotes);
	router_find(router, "GET", "/api/v1/stocks/quotes/quote", &match);
	cr_assert_eq(match.row->route, ROUTE_stock_quote);
	cr_expect_str_eq(match.values[0], "quotes");
}

Test(router, finds_nothing_at_paths_that_are_almost_right)
{
	static const char *const paths[] = { "", "/", "//", "*", "livez", "/livez/", "//livez",
		"/LIVEZ", "/api/v1/stocks//quote", "/api/v1/stocks/AAPL/quote/",
		"/api/v1/stocks/AAPL//quote", "/api/v1/stocks/AAPL/quote/x", "/api/v1/stocks/AAPL",
		"/api/v1/stocks/BTC/USD/quote", "/a/b/c/d/e/f/g/h/i/j/k", "/api/v2/health" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		router_find(router, "GET", paths[i], &match);
		cr_expect_null(match.row, "%s", paths[i]);
		cr_expect_eq(match.methods, 0, "%s", paths[i]);
	}
}

Test(router, finds_nothing_at_a_path_longer_than_any)
{
	char path[2000];

	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	router_find(router, "GET", path, &match);
	cr_expect_null(match.row);
}

Test(router, keeps_an_escape_that_is_none)
{
	router_find(router, "GET", "/api/v1/stocks/A%00B/quote", &match);
	cr_assert_not_null(match.row);
	cr_expect_str_eq(match.values[0], "A%00B");
	router_find(router, "GET", "/api/v1/stocks/%zz/quote", &match);
	cr_expect_str_eq(match.values[0], "%zz");
}

Test(router, gives_every_parameter_row_to_its_route)
{
	size_t count, all = 0, in_table = 0;

	for (int i = 0; i < ROUTE_NONE; i++) {
		const struct param_row *rows = param_rows((enum route)i, &count);
		size_t in_path = 0, braces = 0;

		for (const char *p = route_row((enum route)i)->path; *p != '\0'; p++)
			braces += *p == '{';
		for (size_t k = 0; k < count; k++) {
			cr_assert_eq((int)rows[k].route, i);
			in_path += rows[k].in == IN_PATH;
			cr_expect(rows[k].type == TYPE_LIST || i == ROUTE_status_file ||
				      ask_knows(rows[k].name),
			    "nobody understands %s", rows[k].name);
		}
		cr_expect_eq(in_path, braces, "%s", route_row((enum route)i)->path);
		cr_expect_leq(count, PARAMS_MAX);
		all += count;
	}
#define ROUTE(METHOD, path, handler, permission, help)
#define PARAM(handler, in, name, type, need, help) in_table++;
#include "tables/routes.def"
	cr_expect_eq(all, in_table, "rows of one route stand together");
}
