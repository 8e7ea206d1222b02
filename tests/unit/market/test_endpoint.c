/* test_endpoint.c - the upstream calls and what makes two fetches the same. */
#include "endpoint.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static struct msg_fetch
a_fetch(enum endpoint endpoint)
{
	struct msg_fetch f = { .ticket = 1,
		.endpoint = endpoint,
		.lane = 0,
		.timeout_ms = 1000,
		.symbol = "AAPL",
		.strike_min = NAN,
		.strike_max = NAN };

	return f;
}

static int
same(const struct msg_fetch *a, const struct msg_fetch *b)
{
	char ka[FETCH_KEY], kb[FETCH_KEY];

	fetch_key(a, ka);
	fetch_key(b, kb);
	return strcmp(ka, kb) == 0;
}

Test(endpoint, every_row_is_found_by_its_number_and_counts_on)
{
	size_t found = 0;

	for (uint64_t n = 0; n < 1000; n++) {
		const struct endpoint_row *row = endpoint_row(n);

		if (row == NULL)
			continue;
		cr_expect_eq(row->number, n);
		cr_expect_eq((size_t)row->index, found);
		cr_expect_eq(row->path[0], '/');
		found++;
	}
	cr_expect_eq(found, endpoint_count());
	cr_expect_null(endpoint_row(UINT64_C(1) << 32 | ENDPOINT_STOCK_QUOTE));
}

Test(endpoint, rows_hold_what_the_table_says)
{
	const struct endpoint_row *row = endpoint_row(ENDPOINT_CRYPTO_QUOTE);

	cr_assert_not_null(row);
	cr_expect_str_eq(row->name, "crypto_quote");
	cr_expect_eq(row->asset, ASSET_CRYPTO);
	cr_expect_eq(row->host, HOST_DATA);
	cr_expect_eq(row->shape, SHAPE_QUOTES);
	cr_expect(row->merges && !row->needs_key);
	row = endpoint_row(ENDPOINT_CLOCK);
	cr_expect_eq(row->host, HOST_TRADING);
	cr_expect(!row->merges && row->needs_key);
}

Test(fetch_key, who_asks_and_how_long_they_wait_is_not_part_of_it)
{
	struct msg_fetch a = a_fetch(ENDPOINT_STOCK_QUOTE), b = a;

	b.ticket = 99;
	b.lane = LANE_BACKFILL;
	b.timeout_ms = 5;
	cr_expect(same(&a, &b));
}

Test(fetch_key, every_field_the_endpoint_reads_makes_another_question)
{
	struct msg_fetch a = a_fetch(ENDPOINT_STOCK_BARS), b;

#define DIFFERS(base, change)                                                                      \
	do {                                                                                       \
		b = (base);                                                                        \
		change;                                                                            \
		cr_expect(!same(&(base), &b), #change);                                            \
	} while (0)
	DIFFERS(a, b.endpoint = ENDPOINT_CRYPTO_BARS);
	DIFFERS(a, strcpy(b.symbol, "MSFT"));
	DIFFERS(a, strcpy(b.feed, "sip"));
	DIFFERS(a, strcpy(b.timeframe, "1Day"));
	DIFFERS(a, strcpy(b.adjustment, "all"));
	DIFFERS(a, b.start = 1);
	DIFFERS(a, b.end = 1);
	DIFFERS(a, b.limit = 1);
	DIFFERS(a, b.descending = true);
	DIFFERS(a, strcpy(b.page_token, "t"));
	a = a_fetch(ENDPOINT_OPTION_CHAIN);
	DIFFERS(a, strcpy(b.option_type, "call"));
	DIFFERS(a, b.strike_min = 0);
	DIFFERS(a, b.strike_max = 190.5);
	DIFFERS(a, strcpy(b.expiration, "2024-02-16"));
	DIFFERS(a, strcpy(b.expiration_min, "2024-02-16"));
	DIFFERS(a, strcpy(b.expiration_max, "2024-02-16"));
	DIFFERS(a, strcpy(b.root_symbol, "AAPL1"));
	DIFFERS(a, b.limit = 1);
	DIFFERS(a, strcpy(b.page_token, "t"));
#undef DIFFERS
	a.strike_min = 1;
	a.strike_max = NAN;
	b = a;
	b.strike_min = NAN;
	b.strike_max = 1;
	cr_expect(!same(&a, &b), "fields do not slide into one another");
}

Test(fetch_key, a_token_cannot_pose_as_another_field)
{
	struct msg_fetch a = a_fetch(ENDPOINT_STOCK_QUOTE), b = a;

	strcpy(a.page_token, "x|y");
	strcpy(b.page_token, "y");
	b.limit = 0;
	cr_expect(!same(&a, &b));
}

static void
fill(char *field, size_t size)
{
	memset(field, 'x', size - 1);
	field[size - 1] = '\0';
}

Test(fetch_key, the_longest_fetch_fits)
{
	char key[FETCH_KEY];

	for (uint64_t n = 0; n < 20; n++) {
		struct msg_fetch f = a_fetch((enum endpoint)n);

		f.limit = UINT64_MAX;
		f.start = f.end = INT64_MIN;
		f.strike_min = -1.2345678901234567e-7;
		f.strike_max = -1.2345678901234567e-300;
		fill(f.symbol, sizeof(f.symbol));
		fill(f.feed, sizeof(f.feed));
		fill(f.timeframe, sizeof(f.timeframe));
		fill(f.adjustment, sizeof(f.adjustment));
		fill(f.page_token, sizeof(f.page_token));
		fill(f.option_type, sizeof(f.option_type));
		fill(f.expiration, sizeof(f.expiration));
		fill(f.expiration_min, sizeof(f.expiration_min));
		fill(f.expiration_max, sizeof(f.expiration_max));
		fill(f.root_symbol, sizeof(f.root_symbol));
		fetch_key(&f, key);
		cr_expect_lt(strlen(key), FETCH_KEY - 32, "%zu", strlen(key));
	}
}
