/* test_openapi.c - the description names every route and nothing that is not there. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <string.h>

#include "stage.h"

static struct stage stage;
static struct http_request *doc;

static void
open_doc(void)
{
	stage_open(&stage);
	doc = get(&stage, "/openapi.json");
}

static void
close_doc(void)
{
	ask_free(doc);
	stage_close(&stage);
}

TestSuite(openapi, .init = open_doc, .fini = close_doc);

static const json_t *
operation(const struct route_row *row)
{
	const json_t *path = json_object_get(json_object_get(doc->json, "paths"), row->path);

	return json_object_get(path, strcmp(row->method, "POST") == 0 ? "post" : "get");
}

Test(openapi, names_every_route_with_its_parameters)
{
	cr_assert_eq(doc->status, 200);
	cr_expect_str_eq(member(doc, "openapi"), "3.0.3");
	for (int i = 0; i < ROUTE_NONE; i++) {
		const struct route_row *row = route_row((enum route)i);
		const json_t *op = operation(row);
		size_t count, in_body = 0;
		const struct param_row *rows = param_rows((enum route)i, &count);

		cr_assert_not_null(op, "%s %s", row->method, row->path);
		cr_expect_str_eq(json_string_value(at(op, "operationId")), row->name);
		for (size_t k = 0; k < count; k++)
			in_body += rows[k].in == IN_BODY;
		cr_expect_eq(json_array_size(at(op, "parameters")), count - in_body);
		cr_expect_eq(json_object_size(
				 at(op, "requestBody.content.application/json.schema.properties")),
		    in_body, "%s", row->name);
		cr_expect_not_null(at(op, "responses.200"));
		cr_expect_not_null(at(op, "responses.404"));
		cr_expect_not_null(at(op, "responses.503"));
	}
}

/* Walks the whole document: every $ref leads somewhere. */
static size_t
refs_checked(const json_t *v)
{
	const char *key, *ref;
	const json_t *item;
	size_t i, n = 0;

	json_object_foreach((json_t *)(uintptr_t)v, key, item)
	{
		if (strcmp(key, "$ref") != 0) {
			n += refs_checked(item);
			continue;
		}
		ref = json_string_value(item);
		cr_assert_eq(strncmp(ref, "#/components/schemas/", 21), 0, "%s", ref);
		cr_expect_not_null(json_object_get(at(doc->json, "components.schemas"), ref + 21),
		    "%s leads nowhere", ref);
		n++;
	}
	json_array_foreach(v, i, item) n += refs_checked(item);
	return n;
}

Test(openapi, refers_only_to_what_is_there)
{
	cr_expect_gt(refs_checked(doc->json), 50);
}

Test(openapi, describes_every_error_a_client_may_see)
{
	static const char *const names[] = {
#define ERROR(NAME, number, status, again, type, text, action) (status) != 0 ? #NAME : NULL,
#include "tables/errors.def"
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i] != NULL)
			cr_expect_not_null(
			    json_object_get(at(doc->json, "components.responses"), names[i]), "%s",
			    names[i]);
}

/* The schema must not promise fields that answers lack, nor keep silent about those they have. */
static void
expect_same_fields(const char *schema, const json_t *data)
{
	const json_t *properties = json_object_get(
	    json_object_get(at(doc->json, "components.schemas"), schema), "properties");
	const char *key;
	json_t *item;

	cr_expect_eq(json_object_size(properties), json_object_size(data), "%s", schema);
	json_object_foreach((json_t *)(uintptr_t)data, key, item)
	    cr_expect_not_null(json_object_get(properties, key), "%s.%s", schema, key);
}

Test(openapi, has_the_fields_of_real_answers)
{
	struct quote q = a_quote(&stage, "AAPL");
	struct http_request *r;

	lookup_on_quote(&stage.fetcher, &q, stage.worker.lookup);
	r = get(&stage, "/api/v1/stocks/AAPL/quote");
	expect_same_fields("Quote", at(r->json, "data"));
	expect_same_fields("Metadata", at(r->json, "metadata"));
	ask_free(r);
	r = get(&stage, "/api/v1/stocks/AAPL/bars");
	tell_bars(&stage, &stage.sent[stage.sent_count - 1], 1);
	expect_same_fields("Bars", at(r->json, "data"));
	expect_same_fields("BarRow", at(r->json, "data.bars.0"));
	ask_free(r);
	r = get(&stage, "/none");
	expect_same_fields("Error", r->json);
	expect_same_fields("ErrorMetadata", at(r->json, "metadata"));
	ask_free(r);
	r = get(&stage, "/api/v1/health/detailed");
	expect_same_fields("HealthDetailed", r->json);
	ask_free(r);
}
