/* test_err.c - errors, exits and roles are total. */
#include "err.h"

#include <criterion/criterion.h>
#include <string.h>

#include "role.h"

Test(err, every_code_has_its_row)
{
#define ERROR(NAME, number, status, again, type, text, action)                                     \
	cr_expect_str_eq(err_name(E_##NAME), #NAME);                                               \
	cr_expect_eq(err_status(E_##NAME), status);                                                \
	cr_expect_str_eq(err_type(E_##NAME), type);                                                \
	cr_expect(err_text(E_##NAME)[0] != '\0' && err_action(E_##NAME)[0] != '\0');               \
	cr_expect(E_##NAME < 0 && ((status) == 0 || ((status) >= 400 && (status) < 600)));
#include "tables/errors.def"
}

Test(err, numbers_are_given_once)
{
	static const int codes[] = {
#define ERROR(NAME, number, status, again, type, text, action) number,
#include "tables/errors.def"
	};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		for (size_t k = 0; k < i; k++)
			cr_expect_neq(codes[i], codes[k]);
}

Test(err, an_unknown_code_is_an_internal_error)
{
	cr_expect_str_eq(err_name(-9999), "INTERNAL_SERVICE_ERROR");
	cr_expect_eq(err_status(12345), 500);
	cr_expect_not_null(err_text(-9999));
	cr_expect_not_null(err_action(-2147483647));
	cr_expect_str_eq(err_name(E_OK), "OK");
	cr_expect_eq(err_is_final(E_SYMBOL_NOT_FOUND), 1);
	cr_expect_eq(err_is_final(E_UPSTREAM_TIMEOUT), 0);
}

Test(err, exits_say_whether_a_restart_can_help)
{
	cr_expect_eq(exit_is_fatal(EXIT_WITH_CONFIG), 1);
	cr_expect_eq(exit_is_fatal(EXIT_WITH_SOFTWARE), 0);
	cr_expect_eq(exit_is_fatal(123), 0);
	cr_expect_str_eq(exit_name(78), "CONFIG");
	cr_expect_str_eq(exit_name(123), "UNLISTED");
}

Test(role, slots_belong_to_their_role)
{
	cr_expect_eq(role_of_slot("http-0"), ROLE_HTTP);
	cr_expect_eq(role_of_slot("fetcher-rest"), ROLE_FETCHER);
	cr_expect_eq(role_of_slot("cache-writer"), ROLE_CACHE_WRITER);
	cr_expect_eq(role_of_slot("master"), ROLE_MASTER);
	cr_expect_eq(role_of_slot("httpd"), 0);
	cr_expect_eq(role_of_slot(""), 0);
	cr_expect_str_eq(role_name(ROLE_HTTP), "http");
	cr_expect_str_eq(role_executable(ROLE_MASTER), "opitios-alpaca");
	cr_expect_str_eq(role_name((enum role)0), "?");
}

Test(role, a_journal_is_that_of_a_slot_by_its_whole_name)
{
	cr_expect(role_is_fetcher_slot("fetcher-rest"));
	cr_expect(!role_is_fetcher_slot("fetcher-rest.bak"));
	cr_expect(!role_is_fetcher_slot("fetcher-rest-old"));
	cr_expect(!role_is_fetcher_slot("fetcher-res"));
	cr_expect(!role_is_fetcher_slot("fetcher-"));
	cr_expect(!role_is_fetcher_slot("fetcher"));
	cr_expect(!role_is_fetcher_slot("http-0"));
	cr_expect(!role_is_fetcher_slot(""));
}

Test(role, links_hold_in_both_directions)
{
	cr_expect(role_is_linked(ROLE_HTTP, ROLE_FETCHER));
	cr_expect(role_is_linked(ROLE_FETCHER, ROLE_HTTP));
	cr_expect(!role_is_linked(ROLE_HTTP, ROLE_CACHE_WRITER));
	cr_expect(!role_is_linked(ROLE_HTTP, ROLE_HTTP));
}
