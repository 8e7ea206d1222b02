/* test_token.c - page tokens. */
#include <criterion/criterion.h>

#include "replay.h"

Test(token, leads_back_to_where_it_was_made)
{
	static const char *const symbols[] = { "A", "AB", "ABC", "BTC/USD", "AAPL240216C00190000" };
	struct token t = { .tag = "ba1Day", .index = 18446744073709551615ull }, back;
	char text[TOKEN_TEXT];
	size_t i;

	for (i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
		snprintf(t.symbol, sizeof(t.symbol), "%s", symbols[i]);
		token_write(&t, text);
		cr_assert(token_read(text, &back), "%s", text);
		cr_expect_str_eq(back.symbol, symbols[i]);
		cr_expect_str_eq(back.tag, "ba1Day");
		cr_expect_eq(back.index, t.index);
	}
}

Test(token, what_nobody_gave_out_is_refused)
{
	static const char *const bad[] = { "", "=", "====", "AAAA", "%%%", "R09P",
		"QUFQTA==", "QUFQTHxifHg=", "R09PR3xiYTFEYXl8Mw", "R09PR3xiYTFEYXl8Mw===" };
	char longer[2000];
	struct token t;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_not(token_read(bad[i], &t), "\"%s\"", bad[i]);
	memset(longer, 'A', sizeof(longer));
	longer[1996] = '\0';
	cr_expect_not(token_read(longer, &t));
}
