/* value_print.c - a value of values.def as a line for people, or as JSON for programs. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "clock.h"
#include "ctl_room.h"
#include "decimal.h"
#include "json_write.h"
#include "msg.h"
#include "text.h"

#define PRINT_ELEMENT 256

static int64_t
field_i64(const struct msg_field *f, const void *value)
{
	int64_t v;

	memcpy(&v, (const char *)value + f->offset, sizeof(v));
	return v;
}

static double
field_f64(const struct msg_field *f, const void *value)
{
	double v;

	memcpy(&v, (const char *)value + f->offset, sizeof(v));
	return v;
}

static bool
field_bool(const struct msg_field *f, const void *value)
{
	bool v;

	memcpy(&v, (const char *)value + f->offset, sizeof(v));
	return v;
}

/* Of an enum of value.h; null: a number without a name. */
static const char *
field_name(const struct msg_field *f, const void *value)
{
	int64_t v = field_i64(f, value);
	const char *name = "?";

	if (v < 0 || v > 15)
		return NULL;
	if (strcmp(f->name, "asset") == 0)
		name = asset_name((enum asset)v);
	else if (strcmp(f->name, "source") == 0)
		name = source_name((enum source)v);
	else if (strcmp(f->name, "part") == 0)
		name = bar_part_name((enum bar_part)v);
	return name[0] == '?' ? NULL : name;
}

static void
list_put_json(struct json *j, const char *name, const char *list)
{
	const char *at = NULL, *element;
	char one[PRINT_ELEMENT];
	size_t len;

	if (list_is_null(list)) {
		json_absent(j, name);
		return;
	}
	json_array_open(j, name);
	while (list_next(list, &at, &element, &len)) {
		(void)text_copy_n(one, sizeof(one), element, len);
		json_text(j, NULL, one);
	}
	json_array_close(j);
}

static void
field_put_json(const struct msg_field *f, const void *value, struct json *j)
{
	const char *text = (const char *)value + f->offset, *name;

	switch (f->kind) {
	case KIND_F64:
		json_f64(j, f->name, field_f64(f, value));
		break;
	case KIND_BOOL:
		json_bool(j, f->name, field_bool(f, value));
		break;
	case KIND_TIME:
		json_time(j, f->name, field_i64(f, value));
		break;
	case KIND_STR:
		json_text_or_null(j, f->name, text);
		break;
	case KIND_LIST:
		list_put_json(j, f->name, text);
		break;
	case KIND_I64:
		json_i64(j, f->name, field_i64(f, value));
		break;
	case KIND_U64:
		if ((name = field_name(f, value)) != NULL)
			json_text(j, f->name, name);
		else
			json_u64(j, f->name, (uint64_t)field_i64(f, value));
		break;
	}
}

void
value_put_json(const struct msg_desc *desc, const void *value, struct json *j)
{
	for (size_t i = 0; i < desc->field_count; i++)
		field_put_json(&desc->fields[i], value, j);
}

static int
list_print(const struct msg_field *f, const char *list, struct buf *out)
{
	const char *at = NULL, *element;
	char one[PRINT_ELEMENT], safe[PRINT_ELEMENT];
	size_t len;
	int r = buf_printf(out, " %s=[", f->name);

	for (bool first = true; r == E_OK && list_next(list, &at, &element, &len); first = false) {
		(void)text_copy_n(one, sizeof(one), element, len);
		r = buf_printf(out, "%s%s", first ? "" : ",", text_safe(safe, sizeof(safe), one));
	}
	return r == E_OK ? buf_add_text(out, "]") : r;
}

/* Nothing of what is null. */
static int
field_print(const struct msg_field *f, const void *value, struct buf *out)
{
	const char *text = (const char *)value + f->offset, *name;
	char safe[PRINT_ELEMENT + CLOCK_TEXT + DECIMAL_TEXT];

	switch (f->kind) {
	case KIND_F64:
		if (isnan(field_f64(f, value)))
			return E_OK;
		(void)decimal_format(field_f64(f, value), safe);
		break;
	case KIND_BOOL:
		return buf_printf(out, " %s=%s", f->name, field_bool(f, value) ? "true" : "false");
	case KIND_TIME:
		if (field_i64(f, value) == 0)
			return E_OK;
		(void)clock_format(field_i64(f, value), safe);
		break;
	case KIND_STR:
		if (text[0] == '\0')
			return E_OK;
		(void)text_safe(safe, sizeof(safe), text);
		break;
	case KIND_LIST:
		return list_is_null(text) ? E_OK : list_print(f, text, out);
	case KIND_I64:
		return buf_printf(out, " %s=%" PRId64, f->name, field_i64(f, value));
	case KIND_U64:
		if ((name = field_name(f, value)) == NULL)
			return buf_printf(
			    out, " %s=%" PRIu64, f->name, (uint64_t)field_i64(f, value));
		(void)text_copy(safe, sizeof(safe), name);
		break;
	}
	return buf_printf(out, " %s=%s", f->name, safe);
}

int
value_print_text(const struct msg_desc *desc, const void *value, struct buf *out)
{
	int r = E_OK;

	for (size_t i = 0; r == E_OK && i < desc->field_count; i++)
		r = field_print(&desc->fields[i], value, out);
	return r;
}

const char *
value_text(const struct msg_desc *desc, const void *value, const char *name)
{
	for (size_t i = 0; i < desc->field_count; i++)
		if (desc->fields[i].kind == KIND_STR && strcmp(desc->fields[i].name, name) == 0)
			return (const char *)value + desc->fields[i].offset;
	return NULL;
}
