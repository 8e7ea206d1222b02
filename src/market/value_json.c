/* value_json.c - a value of values.def as members of a JSON object. */
#include <string.h>

#include "text.h"
#include "value.h"
#include "value_json.h"

#define ELEMENT_MAX 256

const char *
value_enum_name(const struct msg_field *f, uint64_t number)
{
	const char *name = "?";

	if (number > 15)
		return NULL;
	if (strcmp(f->name, "asset") == 0)
		name = asset_name((enum asset)number);
	else if (strcmp(f->name, "source") == 0)
		name = source_name((enum source)number);
	else if (strcmp(f->name, "part") == 0)
		name = bar_part_name((enum bar_part)number);
	return name[0] == '?' ? NULL : name;
}

void
list_put_json(struct json *j, const char *name, const char *list)
{
	const char *at = NULL, *element;
	char one[ELEMENT_MAX], safe[ELEMENT_MAX];
	size_t len;

	if (list_is_null(list)) {
		json_absent(j, name);
		return;
	}
	json_array_open(j, name);
	while (list_next(list, &at, &element, &len)) {
		(void)text_copy_n(one, sizeof(one), element, len);
		json_text(j, NULL, text_safe(safe, sizeof(safe), one));
	}
	json_array_close(j);
}

static void
number_put_json(const struct msg_field *f, uint64_t number, struct json *j)
{
	const char *name = value_enum_name(f, number);

	if (name != NULL)
		json_text(j, f->name, name);
	else
		json_u64(j, f->name, number);
}

/* Fields lie in structs made from the same table: aligned, and of these types. */
static void
field_put_json(const struct msg_field *f, const void *at, struct json *j)
{
	switch (f->kind) {
	case KIND_F64:
		json_f64(j, f->name, *(const double *)at);
		break;
	case KIND_BOOL:
		json_bool(j, f->name, *(const bool *)at);
		break;
	case KIND_TIME:
		json_time(j, f->name, *(const int64_t *)at);
		break;
	case KIND_STR:
		json_text_or_null(j, f->name, at);
		break;
	case KIND_LIST:
		list_put_json(j, f->name, at);
		break;
	case KIND_I64:
		json_i64(j, f->name, *(const int64_t *)at);
		break;
	case KIND_U64:
		number_put_json(f, *(const uint64_t *)at, j);
		break;
	}
}

void
value_put_json(const struct msg_desc *desc, const void *value, struct json *j)
{
	for (size_t i = 0; i < desc->field_count; i++)
		field_put_json(&desc->fields[i], (const char *)value + desc->fields[i].offset, j);
}
