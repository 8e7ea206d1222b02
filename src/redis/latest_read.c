/* latest_read.c - a latest value out of Redis: who wrote it there nobody can know, so everything is checked. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "clock.h"
#include "latest.h"
#include "text.h"

static int
refuse(const char **why, const char *text)
{
	*why = text;
	return E_DATA_VALIDATION_ERROR;
}

static bool
enum_by_name(const char *field, const char *text, uint64_t *v)
{
	if (strcmp(field, "asset") == 0) {
		for (int i = ASSET_STOCK; i <= ASSET_CRYPTO; i++)
			if (strcmp(text, asset_name((enum asset)i)) == 0)
				return *v = (uint64_t)i, true;
		return false;
	}
	for (int i = SOURCE_STREAM; i <= SOURCE_REPLAY; i++)
		if (strcmp(text, source_name((enum source)i)) == 0)
			return *v = (uint64_t)i, true;
	return false;
}

static bool
read_u64(const char *name, const json_t *j, uint64_t *v)
{
	if (strcmp(name, "asset") == 0 || strcmp(name, "source") == 0)
		return json_is_string(j) && enum_by_name(name, json_string_value(j), v);
	if (!json_is_integer(j) || json_integer_value(j) < 0)
		return false;
	*v = (uint64_t)json_integer_value(j);
	return true;
}

static bool
read_f64(const json_t *j, double *v)
{
	if (!json_is_number(j) && !json_is_null(j))
		return false;
	*v = json_is_null(j) ? NAN : json_number_value(j);
	return true;
}

static bool
read_time(const json_t *j, int64_t *v)
{
	*v = 0;
	return json_is_null(j) ||
	       (json_is_string(j) && clock_parse(json_string_value(j), v) == E_OK && *v > 0);
}

static bool
read_text(const json_t *j, char *to, size_t size)
{
	to[0] = '\0';
	if (json_is_null(j))
		return true;
	return json_is_string(j) && strlen(json_string_value(j)) == json_string_length(j) &&
	       text_copy(to, size, json_string_value(j)) == E_OK &&
	       text_is_printable(to, strlen(to));
}

static bool
read_list(const json_t *j, char *to, size_t size)
{
	char element[32];

	list_null(to);
	if (json_is_null(j))
		return true;
	if (!json_is_array(j))
		return false;
	list_empty(to);
	for (size_t i = 0; i < json_array_size(j); i++)
		if (json_is_null(json_array_get(j, i)) ||
		    !read_text(json_array_get(j, i), element, sizeof(element)) ||
		    element[0] == '\0' || list_add(to, size, element) != E_OK)
			return false;
	return true;
}

static bool
read_field(const struct msg_field *f, const json_t *j, void *at)
{
	if (j == NULL)
		return false;
	switch (f->kind) {
	case KIND_U64:
		return read_u64(f->name, j, at);
	case KIND_F64:
		return read_f64(j, at);
	case KIND_BOOL:
		*(bool *)at = json_is_true(j);
		return json_is_boolean(j);
	case KIND_TIME:
		return read_time(j, at);
	case KIND_STR:
		return read_text(j, at, f->bound);
	case KIND_LIST:
		return read_list(j, at, f->bound);
	case KIND_I64:
		break;
	}
	return false;
}

static int
read_object(const struct msg_desc *d, const json_t *j, union msg_any *value, const char **why)
{
	const char *kind = json_string_value(json_object_get(j, "kind"));

	if (kind == NULL || strcmp(kind, d->name) != 0)
		return refuse(why, "it is of another kind");
	if (json_integer_value(json_object_get(j, "version")) != (json_int_t)d->version)
		return refuse(why, "it is of another version");
	for (size_t i = 0; i < d->field_count; i++)
		if (!read_field(&d->fields[i], json_object_get(j, d->fields[i].name),
			(char *)value + d->fields[i].offset))
			return refuse(why, "a field is missing or of another type");
	return E_OK;
}

int
latest_read(
    enum msg_type type, const char *text, size_t len, union msg_any *value, const char **why)
{
	struct latest_id id;
	json_t *j;
	int r;

	*why = "it is no JSON object";
	if (len > LATEST_TEXT || (type != MSG_QUOTE && type != MSG_TRADE))
		return E_DATA_VALIDATION_ERROR;
	memset(value, 0, sizeof(*value));
	if ((j = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL)) == NULL)
		return E_DATA_VALIDATION_ERROR;
	r = json_is_object(j) ? read_object(msg_desc(type), j, value, why)
			      : E_DATA_VALIDATION_ERROR;
	json_decref(j);
	if (r == E_OK)
		r = type == MSG_QUOTE ? quote_check(&value->quote, why)
				      : trade_check(&value->trade, why);
	if (r == E_OK && !latest_identify(type, value, &id))
		return refuse(why, "it is no latest value");
	return r == E_OK ? E_OK : E_DATA_VALIDATION_ERROR;
}
