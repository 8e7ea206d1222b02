/* test_fault.c - which requests faults strike, and what they do. */
#include <criterion/criterion.h>
#include <string.h>

#include "fault.h"

static const char quotes[] = "{\"quotes\":{\"AAPL\":{\"ap\":0,\"as\":0,\"ax\":\" "
			     "\",\"bp\":13.8,\"bs\":1,\"t\":\"2024-03-08T20:44:59Z\"}}}";
static const char bars[] =
    "{\"bars\":{\"A\":[{\"c\":2,\"o\":1.5,\"t\":\"T\"}]},\"next_page_token\":\"QQ==\"}";

static struct request
request_to(const char *path)
{
	struct request q = { .path = path };

	snprintf(q.line, sizeof(q.line), "GET %s HTTP/1.1", path);
	return q;
}

static const char *
broken(const char *variant, const char *body)
{
	static char text[512];
	struct buf b;

	buf_init(&b, 4096);
	cr_assert_eq(buf_add_text(&b, body), E_OK);
	if (schema_variant_is_known(variant))
		schema_break(variant, &b);
	else
		token_break(variant, &b);
	snprintf(text, sizeof(text), "%.*s", (int)buf_len(&b), (const char *)buf_data(&b));
	buf_fini(&b);
	return text;
}

Test(fault, strikes_as_often_as_it_was_told_and_only_there)
{
	struct faults *f = faults_new();
	struct request q = request_to("/v2/stocks/bars"), other = request_to("/v2/clock");
	int i;

	cr_assert_eq(faults_add_text(f, "500:2:/v2/stocks"), E_OK);
	cr_expect_null(faults_strike(f, &other));
	for (i = 0; i < 2; i++)
		cr_expect_not_null(faults_strike(f, &q));
	cr_expect_null(faults_strike(f, &q), "spent");
	cr_assert_eq(faults_add_text(f, "hang"), E_OK);
	for (i = 0; i < 100; i++)
		cr_expect_not_null(faults_strike(f, &other), "for ever");
	faults_free(&f);
}

Test(fault, orders_that_make_no_sense_are_refused)
{
	static const char *const bad[] = { "", "501", "500:0", "500:-2", "500:x", ":1" };
	struct faults *f = faults_new();
	struct fault odd = { .kind = FAULT_SCHEMA, .count = 1, .variant = "no_such" };
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_eq(faults_add_text(f, bad[i]), E_INVALID_PARAMETER, "\"%s\"", bad[i]);
	cr_expect_eq(faults_add(f, &odd), E_INVALID_PARAMETER);
	faults_free(&f);
}

Test(fault, there_are_only_so_many)
{
	struct faults *f = faults_new();
	int i;

	for (i = 0; i < FAULTS_MAX; i++)
		cr_expect_eq(faults_add_text(f, "429"), E_OK);
	cr_expect_eq(faults_add_text(f, "429"), E_FULL);
	faults_clear(f);
	cr_expect_eq(faults_count(f), 0);
	faults_free(&f);
}

Test(fault, a_429_shows_no_budget)
{
	struct fault f = { .kind = FAULT_429 };
	struct answer a;

	answer_init(&a);
	a.shows_budget = true;
	fault_apply(&f, &a);
	cr_expect_eq(a.status, 429);
	cr_expect_not(a.shows_budget);
	cr_expect_eq(memcmp(buf_data(&a.body), "{\"message\": \"too many requests.\"}", 33), 0);
	answer_fini(&a);
}

Test(schema, breaks_one_price_and_leaves_the_rest)
{
	cr_expect_str_eq(broken("string_price", quotes),
	    "{\"quotes\":{\"AAPL\":{\"ap\":0,\"as\":0,\"ax\":\" "
	    "\",\"bp\":\"13.8\",\"bs\":1,\"t\":\"2024-03-08T20:44:59Z\"}}}");
	cr_expect(strstr(broken("null_price", quotes), "\"bp\":null,\"bs\"") != NULL);
	cr_expect(strstr(broken("negative_price", quotes), "\"bp\":-13.8,\"bs\"") != NULL);
	cr_expect(strstr(broken("huge_price", quotes), "\"bp\":1e999,\"bs\"") != NULL);
	cr_expect(strstr(broken("missing_price", quotes), "\"ax\":\" \",\"bs\":1") != NULL);
	cr_expect(strstr(broken("string_price", bars), "\"o\":\"1.5\"") != NULL);
}

Test(schema, breaks_times_and_wrappers)
{
	cr_expect(strstr(broken("missing_time", quotes), "\"bs\":1}}}") != NULL);
	cr_expect(strstr(broken("bad_time", quotes), "\"t\":\"yesterday\"}}}") != NULL);
	cr_expect_eq(strncmp(broken("missing_wrapper", quotes), "{\"AAPL\":{", 9), 0);
	cr_expect_str_eq(broken("null_wrapper", quotes), "{\"quotes\":null}");
	cr_expect_str_eq(broken("array_body", quotes), "[]");
}

Test(schema, leaves_a_body_alone_that_has_nothing_of_the_kind)
{
	cr_expect_str_eq(broken("string_price", "{\"quotes\":{}}"), "{\"quotes\":{}}");
	cr_expect_str_eq(broken("missing_time", "{}"), "{}");
	cr_expect_str_eq(broken("null_wrapper", ""), "");
}

Test(schema, breaks_page_tokens)
{
	cr_expect(strstr(broken("null", bars), "\"next_page_token\":null}") != NULL);
	cr_expect(strstr(broken("empty", bars), "\"next_page_token\":\"\"}") != NULL);
	cr_expect(
	    strstr(broken("repeat", bars), "\"next_page_token\":\"" TOKEN_REPEAT "\"}") != NULL);
	cr_expect_str_eq(
	    broken("absent", bars), "{\"bars\":{\"A\":[{\"c\":2,\"o\":1.5,\"t\":\"T\"}]}}");
}
