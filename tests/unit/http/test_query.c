/* test_query.c - name=value pairs of a query. */
#include <criterion/criterion.h>
#include <string.h>

#include "http.h"

Test(http_query, pairs_come_one_by_one_unescaped)
{
	const char *at = "&&symbols=AAPL%2CMSFT&note=a+b&empty=&bare&x=%c3%a9=1";
	char name[16], value[16];

	cr_assert_eq(http_query_next(&at, name, sizeof(name), value, sizeof(value)), 1);
	cr_expect_str_eq(name, "symbols");
	cr_expect_str_eq(value, "AAPL,MSFT");
	cr_assert_eq(http_query_next(&at, name, sizeof(name), value, sizeof(value)), 1);
	cr_expect_str_eq(value, "a b");
	cr_assert_eq(http_query_next(&at, name, sizeof(name), value, sizeof(value)), 1);
	cr_expect_str_eq(name, "empty");
	cr_expect_str_eq(value, "");
	cr_assert_eq(http_query_next(&at, name, sizeof(name), value, sizeof(value)), 1);
	cr_expect_str_eq(name, "bare");
	cr_expect_str_eq(value, "");
	cr_assert_eq(http_query_next(&at, name, sizeof(name), value, sizeof(value)), 1);
	cr_expect_str_eq(value, "\xc3\xa9=1");
	cr_expect_eq(http_query_next(&at, name, sizeof(name), value, sizeof(value)), 0);
	cr_expect_eq(http_query_next(&at, name, sizeof(name), value, sizeof(value)), 0);
}

Test(http_query, a_part_may_fill_its_buffer_and_no_more)
{
	const char *fits = "abc=%41%42%43", *longer = "abcd=x", *value_longer = "a=ABCD";
	char name[4], value[4];

	cr_expect_eq(http_query_next(&fits, name, sizeof(name), value, sizeof(value)), 1);
	cr_expect_str_eq(value, "ABC", "what comes out counts, not how it is spelled");
	cr_expect_eq(http_query_next(&longer, name, sizeof(name), value, sizeof(value)),
	    E_INVALID_PARAMETER);
	cr_expect_eq(http_query_next(&value_longer, name, sizeof(name), value, sizeof(value)),
	    E_INVALID_PARAMETER);
}

Test(http_query, broken_escapes_are_refused)
{
	static const char *const broken[] = { "a=%", "a=%4", "a=%4&b=1", "a=%zz", "%=1", "a=%00",
		"a=%-1" };
	char name[16], value[16];
	size_t i;

	for (i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		const char *at = broken[i];

		cr_expect_eq(http_query_next(&at, name, sizeof(name), value, sizeof(value)),
		    E_INVALID_PARAMETER, "%s", broken[i]);
		cr_expect_eq(at, broken[i], "untouched on failure");
	}
}
