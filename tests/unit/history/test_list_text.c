/* test_list_text.c - lists as stores keep them. */
#include <criterion/criterion.h>

#include "list_text.h"
#include "value.h"

Test(list_text, arrays_become_lists_and_null_stays_null)
{
	char list[64];

	list_from_text(NULL, list, sizeof(list));
	cr_expect(list_is_null(list));
	list_from_text("[]", list, sizeof(list));
	cr_expect_str_eq(list, "\x1f");
	list_from_text("[\"@\",\" \",\"I\"]", list, sizeof(list));
	cr_expect_str_eq(list, "\x1f@\x1f \x1fI");
	list_from_text("[\"a\\\"b\",\"\\\\\",\"\\u0041\"]", list, sizeof(list));
	cr_expect_str_eq(list, "\x1f"
			       "a\"b\x1f\\\x1f"
			       "A");
}

Test(list_text, what_is_broken_or_too_long_ends_somewhere)
{
	char list[8];

	list_from_text("[\"abc\",\"defgh\"]", list, sizeof(list));
	cr_expect_str_eq(list, "\x1f"
			       "abc");
	list_from_text("[\"abc", list, sizeof(list));
	list_from_text("\"\\", list, sizeof(list));
	list_from_text("\"\\u1", list, sizeof(list));
}
