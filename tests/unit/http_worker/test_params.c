/* test_params.c - parameters of queries and bodies against their rows. */
#include <criterion/criterion.h>
#include <string.h>

#include "stage.h"

static struct params params;
static struct route_match match;
static struct fault fault;

/* Null: no such row. */
static const struct param *
params_find(const struct params *p, const char *name)
{
	for (size_t i = 0; i < p->count; i++)
		if (strcmp(p->at[i].row->name, name) == 0)
			return &p->at[i];
	return NULL;
}

static void
open_params(void)
{
	params_init(&params, 16384);
}

static void
close_params(void)
{
	params_fini(&params);
}

TestSuite(params, .init = open_params, .fini = close_params);

static int
read_for(enum route route, const char *query, const char *body)
{
	fault = (struct fault){ 0 };
	match.row = route_row(route);
	match.values[0] = "AAPL";
	return params_read_parts(
	    &params, &match, query, body, body != NULL ? strlen(body) : 0, &fault);
}

static void
expect_refused(enum route route, const char *query, const char *body, const char *parameter)
{
	int r = read_for(route, query, body);

	cr_expect_eq(r, E_INVALID_PARAMETER, "%s %s", query, body != NULL ? body : "");
	cr_expect_eq(fault.code, r);
	cr_assert_not_null(fault.parameter, "%s", query);
	cr_expect_str_eq(fault.parameter, parameter, "%s", query);
	cr_expect_not_null(fault.reason);
}

Test(params, come_from_path_and_query_with_their_types)
{
	cr_assert_eq(
	    read_for(ROUTE_stock_bars, "limit=7&max_age_seconds=1.5&feed=sip", NULL), E_OK);
	cr_expect_str_eq(params_find(&params, "symbol")->text, "AAPL");
	cr_expect_eq(params_find(&params, "limit")->integer, 7);
	cr_expect_eq(params_find(&params, "max_age_seconds")->number, 1.5);
	cr_expect_str_eq(params_find(&params, "feed")->text, "sip");
	cr_expect_not(params_find(&params, "start")->given);
	cr_expect_null(params_find(&params, "nonsense"));
}

Test(params, unknown_twice_empty_or_of_another_type_are_refused_by_name)
{
	expect_refused(ROUTE_stock_quote, "nonsense=1", NULL, "nonsense");
	expect_refused(ROUTE_stock_quote, "feed=iex&feed=sip", NULL, "feed");
	expect_refused(ROUTE_stock_quote, "feed=", NULL, "feed");
	expect_refused(ROUTE_stock_quote, "feed", NULL, "feed");
	expect_refused(ROUTE_stock_bars, "limit=x", NULL, "limit");
	expect_refused(ROUTE_stock_bars, "limit=1.5", NULL, "limit");
	expect_refused(ROUTE_stock_quote, "max_age_seconds=nan", NULL, "max_age_seconds");
	expect_refused(ROUTE_stock_quote, "symbol=MSFT", NULL, "symbol");
	expect_refused(ROUTE_livez, "a=b", NULL, "a");
	expect_refused(ROUTE_stock_quote_post, "a=b", "{\"symbol\":\"AAPL\"}", "a");
}

Test(params, a_query_with_broken_escapes_is_refused)
{
	expect_refused(ROUTE_stock_quote, "feed=%zz", NULL, "feed");
	expect_refused(ROUTE_stock_quote, "feed=a%00b", NULL, "feed");
}

Test(params, a_list_is_split_in_order_with_its_doubles)
{
	cr_assert_eq(read_for(ROUTE_stock_quotes, "symbols=B,A,,B", NULL), E_OK);
	cr_assert_eq(params.item_count, 4);
	cr_expect_str_eq(params.items[0], "B");
	cr_expect_str_eq(params.items[1], "A");
	cr_expect_str_eq(params.items[2], "");
	cr_expect_str_eq(params.items[3], "B");
	expect_refused(ROUTE_stock_quotes, "symbols=", NULL, "symbols");
	expect_refused(ROUTE_stock_quotes, "", NULL, "symbols");
}

Test(params, come_from_a_json_body)
{
	cr_assert_eq(read_for(ROUTE_option_chain_post, "",
			 "{\"underlying_symbol\":\"AAPL\",\"strike_price_gte\":190.5,\"limit\":10,"
			 "\"feed\":null}"),
	    E_OK);
	cr_expect_str_eq(params_find(&params, "underlying_symbol")->text, "AAPL");
	cr_expect_eq(params_find(&params, "strike_price_gte")->number, 190.5);
	cr_expect_eq(params_find(&params, "limit")->integer, 10);
	cr_expect_not(params_find(&params, "feed")->given, "null is not given");
}

Test(params, other_spellings_of_a_body_are_understood_but_not_beside_the_first)
{
	cr_assert_eq(read_for(ROUTE_option_quote_post, "", "{\"symbol\":\"X\"}"), E_OK);
	cr_expect_str_eq(params_find(&params, "contract")->text, "X");
	cr_assert_eq(
	    read_for(ROUTE_option_chain_post, "", "{\"underlying\":\"X\",\"option_type\":\"put\"}"),
	    E_OK);
	cr_expect_str_eq(params_find(&params, "type")->text, "put");
	expect_refused(
	    ROUTE_option_quote_post, "", "{\"symbol\":\"X\",\"contract\":\"Y\"}", "contract");
	expect_refused(ROUTE_stock_quote_post, "", "{\"contract\":\"X\"}", "contract");
}

Test(params, a_body_of_another_shape_is_refused)
{
	expect_refused(ROUTE_stock_quote_post, "", "[]", "body");
	expect_refused(ROUTE_stock_quote_post, "", "{}", "symbol");
	expect_refused(ROUTE_stock_quote_post, "", "{\"symbol\":null}", "symbol");
	expect_refused(ROUTE_stock_quote_post, "", "{\"symbol\":7}", "symbol");
	expect_refused(ROUTE_stock_quote_post, "", "{\"symbol\":\"\"}", "symbol");
	expect_refused(ROUTE_stock_quote_post, "", "{\"symbol\":\"A\",\"x\":1}", "x");
	expect_refused(ROUTE_stock_quote_post, "", "{\"symbol\":\"A\",\"max_age_seconds\":\"5\"}",
	    "max_age_seconds");
	expect_refused(
	    ROUTE_option_chain_post, "", "{\"underlying_symbol\":\"A\",\"limit\":1.5}", "limit");
	expect_refused(ROUTE_stock_quotes_batch, "", "{\"symbols\":\"A\"}", "symbols");
	expect_refused(ROUTE_stock_quotes_batch, "", "{\"symbols\":[]}", "symbols");
	expect_refused(ROUTE_stock_quotes_batch, "", "{\"symbols\":[\"A\",7]}", "symbols");
}

Test(params, a_body_that_is_no_json_is_malformed)
{
	static const char *const bodies[] = { "", "{", "nul", "{\"symbol\":\"A\",\"symbol\":\"B\"}",
		"\xff\xfe", "{\"symbol\":\"a\\u0000b\"}" };

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		cr_expect_eq(read_for(ROUTE_stock_quote_post, "", bodies[i]), E_MALFORMED_REQUEST,
		    "%s", bodies[i]);
		cr_expect_not_null(fault.reason);
	}
}

Test(params, a_list_longer_than_any_batch_is_cut_where_it_shows)
{
	char query[16384] = "symbols=A";

	for (size_t i = 0; i < 3000; i++)
		strcat(query, ",A");
	cr_assert_eq(read_for(ROUTE_stock_quotes, query, NULL), E_OK);
	cr_expect_eq(params.item_count, PARAM_ITEMS_MAX);
}
