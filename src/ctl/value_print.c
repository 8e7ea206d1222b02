/* value_print.c - a value of values.def as a line for people. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "clock.h"
#include "ctl_room.h"
#include "decimal.h"
#include "msg.h"
#include "text.h"
#include "value_json.h"

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
		if ((name = value_enum_name(f, (uint64_t)field_i64(f, value))) == NULL)
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
