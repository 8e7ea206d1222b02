/* test_list_text.c - lists as stores keep them. */
#include <criterion/criterion.h>

#include "list_text.h"
#include "value.h"

Test(list_text, arrays_become_lists_and_null_stays_null)
{
	char list[64];

	cr_expect(list_from_text(NULL, list, sizeof(list)));
	cr_expect(list_is_null(list));
	cr_expect(list_from_text("[]", list, sizeof(list)));
	cr_expect_str_eq(list, "\x1f");
	cr_expect(list_from_text("[\"@\",\" \", \"I\"]", list, sizeof(list)));
	cr_expect_str_eq(list, "\x1f@\x1f \x1fI");
	cr_expect(list_from_text("[\"a\\\"b\",\"\\\\\",\"\\u0041\"]", list, sizeof(list)));
	cr_expect_str_eq(list, "\x1f"
			       "a\"b\x1f\\\x1f"
			       "A");
}

Test(list_text, what_is_broken_or_too_long_is_no_list)
{
	static const char *const broken[] = { "", "a", "[", "[\"abc", "[\"abc\"", "[\"abc\"]x",
		"[\"abc\",]", "[\"abc\"\"d\"]", "\"abc\"", "[1]", "[null,\"a\"]", "\"\\", "[\"\\u1",
		"[\"abc\",\"defgh\"]" };
	char list[8];

	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
		cr_expect_not(list_from_text(broken[i], list, sizeof(list)), "%s", broken[i]);
}
