/* control_json.c - the order that POST /_replay/fault carries. */
#include "control_json.h"

#include <jansson.h>
#include <string.h>

#include "text.h"

static int
order_text(const json_t *v, char *to, size_t size)
{
	return json_is_string(v) ? text_copy(to, size, json_string_value(v)) : E_MALFORMED_REQUEST;
}

static int
order_number(const json_t *v, int64_t *to)
{
	if (!json_is_integer(v))
		return E_MALFORMED_REQUEST;
	*to = json_integer_value(v);
	return E_OK;
}

static int
order_kind(const json_t *v, char *to, size_t size)
{
	/* 429 is a natural thing to write without quotes. */
	if (!json_is_integer(v))
		return order_text(v, to, size);
	snprintf(to, size, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	return E_OK;
}

static int
order_member(struct control_order *o, const char *name, const json_t *v)
{
	if (strcmp(name, "kind") == 0)
		return order_kind(v, o->kind, sizeof(o->kind));
	if (strcmp(name, "path") == 0)
		return order_text(v, o->path, sizeof(o->path));
	if (strcmp(name, "variant") == 0)
		return order_text(v, o->variant, sizeof(o->variant));
	if (strcmp(name, "count") == 0)
		return order_number(v, &o->count);
	if (strcmp(name, "delay_ms") == 0)
		return order_number(v, &o->delay_ms);
	return E_ABSENT;
}

int
control_json_read(const void *bytes, size_t len, struct control_order *out, const char **why)
{
	struct control_order o = { .count = 1, .delay_ms = -1 };
	json_t *root = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, NULL), *value;
	const char *name;
	int e = E_OK;

	if (!json_is_object(root)) {
		json_decref(root);
		*why = "the body is not a JSON object";
		return E_MALFORMED_REQUEST;
	}
	json_object_foreach(root, name, value) if (e == E_OK) e = order_member(&o, name, value);
	json_decref(root);
	if (e != E_OK) {
		*why = "members are kind, path, variant (text), count, delay_ms (whole numbers)";
		return E_MALFORMED_REQUEST;
	}
	*out = o;
	return E_OK;
}
