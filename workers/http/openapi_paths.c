/* openapi_paths.c - /openapi.json: routes.def as OpenAPI 3.0, written once at start. */
#include <string.h>

#include "openapi.h"

void
route_openapi(struct visit *c)
{
	const struct buf *b = &c->worker->openapi;

	answer_plain(&c->asker, 200, "application/json", buf_data(b), buf_len(b), NULL);
}

static const char *
type_name(enum param_type type)
{
	static const char *const names[] = { "string", "integer", "number", "string", "array" };

	return names[type];
}

static void
render_param_schema(struct json *j, const struct param_row *p)
{
	json_text(j, "type", type_name(p->type));
	if (p->type == TYPE_LIST) {
		json_object_open(j, "items");
		json_text(j, "type", "string");
		json_object_close(j);
	}
}

static void
render_parameter(struct json *j, const struct param_row *p)
{
	json_object_open(j, NULL);
	json_text(j, "name", p->name);
	json_text(j, "in", p->in == IN_PATH ? "path" : "query");
	json_bool(j, "required", p->need == NEED_MUST);
	json_text(j, "description", p->help);
	if (p->type == TYPE_LIST) {
		json_text(j, "style", "form");
		json_bool(j, "explode", false);
	}
	json_object_open(j, "schema");
	render_param_schema(j, p);
	json_object_close(j);
	json_object_close(j);
}

static void
render_body_properties(struct json *j, const struct param_row *rows, size_t count)
{
	json_object_open(j, "properties");
	for (size_t i = 0; i < count; i++) {
		if (rows[i].in != IN_BODY)
			continue;
		json_object_open(j, rows[i].name);
		render_param_schema(j, &rows[i]);
		json_text(j, "description", rows[i].help);
		json_object_close(j);
	}
	json_object_close(j);
	json_array_open(j, "required");
	for (size_t i = 0; i < count; i++)
		if (rows[i].in == IN_BODY && rows[i].need == NEED_MUST)
			json_text(j, NULL, rows[i].name);
	json_array_close(j);
}

static void
render_request_body(struct json *j, const struct param_row *rows, size_t count)
{
	json_object_open(j, "requestBody");
	json_bool(j, "required", true);
	json_object_open(j, "content");
	json_object_open(j, "application/json");
	json_object_open(j, "schema");
	json_text(j, "type", "object");
	render_body_properties(j, rows, count);
	json_object_close(j);
	json_object_close(j);
	json_object_close(j);
	json_object_close(j);
}

static void
render_responses(struct json *j, enum route route)
{
	json_object_open(j, "responses");
	json_object_open(j, "200");
	json_text(j, "description", "The answer.");
	openapi_render_answer(j, route);
	json_object_close(j);
	openapi_render_errors(j);
	json_object_close(j);
}

static void
render_operation(struct json *j, const struct route_row *row)
{
	const struct param_row *rows;
	bool has_body = false;
	char method[8];
	size_t count;

	rows = param_rows(row->route, &count);
	for (size_t i = 0; row->method[i] != '\0' || (method[i] = '\0'); i++)
		method[i] = (char)(row->method[i] - 'A' + 'a');
	json_object_open(j, method);
	json_text(j, "operationId", row->name);
	json_text(j, "summary", row->help);
	json_array_open(j, "parameters");
	for (size_t i = 0; i < count; i++) {
		has_body |= rows[i].in == IN_BODY;
		if (rows[i].in != IN_BODY)
			render_parameter(j, &rows[i]);
	}
	json_array_close(j);
	if (has_body)
		render_request_body(j, rows, count);
	render_responses(j, row->route);
	json_object_close(j);
}

/* One path stands once, with all its methods, where its first row is. */
static void
render_path(struct json *j, enum route first)
{
	const struct route_row *row = route_row(first);

	for (int i = 0; i < (int)first; i++)
		if (strcmp(route_row((enum route)i)->path, row->path) == 0)
			return;
	json_object_open(j, row->path);
	for (int i = (int)first; i < ROUTE_NONE; i++)
		if (strcmp(route_row((enum route)i)->path, row->path) == 0)
			render_operation(j, route_row((enum route)i));
	json_object_close(j);
}

int
openapi_write(struct buf *out)
{
	struct json j;

	json_begin(&j, out);
	json_object_open(&j, NULL);
	json_text(&j, "openapi", "3.0.3");
	json_object_open(&j, "info");
	json_text(&j, "title", SERVICE_NAME);
	json_text(&j, "version", "1");
	json_text(&j, "description",
	    "Market data of Alpaca, as it was received: nothing is calculated, every answer says "
	    "where it "
	    "came from and how old it is.");
	json_object_close(&j);
	json_object_open(&j, "paths");
	for (int i = 0; i < ROUTE_NONE; i++)
		render_path(&j, (enum route)i);
	json_object_close(&j);
	json_object_open(&j, "components");
	openapi_render_schemas(&j);
	openapi_render_error_responses(&j);
	json_object_close(&j);
	json_object_close(&j);
	return json_end(&j);
}
