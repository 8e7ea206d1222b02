/* export_line.c - a row of the history store as a line of CSV or JSON. */
#include <inttypes.h>
#include <string.h>

#include "clock.h"
#include "decimal.h"
#include "export.h"
#include "value_json.h"

int
export_line_head(const struct msg_desc *desc, struct buf *out)
{
	int r = E_OK;

	for (size_t i = 0; i < desc->field_count && r == E_OK; i++)
		r = buf_printf(out, "%s%s", i > 0 ? "," : "", desc->fields[i].name);
	return r == E_OK ? buf_add_text(out, "\n") : r;
}

/* Quoted where a reader would take it for more than one field (RFC 4180). */
static int
csv_text(const char *text, struct buf *out)
{
	int r;

	if (strpbrk(text, ",\"\r\n") == NULL)
		return buf_add_text(out, text);
	r = buf_add_text(out, "\"");
	for (; *text != '\0' && r == E_OK; text++)
		r = *text == '"' ? buf_add_text(out, "\"\"") : buf_add(out, text, 1);
	return r == E_OK ? buf_add_text(out, "\"") : r;
}

static int
csv_field(const struct msg_field *f, struct shelf *s, int column, struct buf *out)
{
	char number[DECIMAL_TEXT], when[CLOCK_TEXT];
	const char *name;

	if (shelf_is_null(s, column))
		return E_OK;
	switch (f->kind) {
	case KIND_F64:
		return buf_add(out, number, decimal_format(shelf_f64(s, column), number));
	case KIND_BOOL:
		return buf_add_text(out, shelf_i64(s, column) != 0 ? "true" : "false");
	case KIND_TIME:
		return buf_add(out, when, clock_format(shelf_i64(s, column), when));
	case KIND_STR:
	case KIND_LIST:
		return csv_text(shelf_text(s, column), out);
	case KIND_I64:
		return buf_printf(out, "%" PRId64, shelf_i64(s, column));
	case KIND_U64:
		break;
	}
	if ((name = value_enum_name(f, (uint64_t)shelf_i64(s, column))) != NULL)
		return buf_add_text(out, name);
	return buf_printf(out, "%" PRIu64, (uint64_t)shelf_i64(s, column));
}

int
export_line_csv(const struct msg_desc *desc, struct shelf *s, struct buf *out)
{
	int r = E_OK;

	for (size_t i = 0; i < desc->field_count && r == E_OK; i++) {
		if (i > 0)
			r = buf_add_text(out, ",");
		if (r == E_OK)
			r = csv_field(&desc->fields[i], s, (int)i, out);
	}
	return r == E_OK ? buf_add_text(out, "\n") : r;
}

/* A list is kept as the JSON it is; anything else there would break the line. */
static void
json_list(struct json *j, const char *name, const char *text)
{
	if (text[0] == '[')
		json_raw(j, name, text, strlen(text));
	else
		json_text(j, name, text);
}

static void
json_field(const struct msg_field *f, struct shelf *s, int column, struct json *j)
{
	const char *name;

	if (shelf_is_null(s, column)) {
		json_absent(j, f->name);
		return;
	}
	switch (f->kind) {
	case KIND_F64:
		json_f64(j, f->name, shelf_f64(s, column));
		break;
	case KIND_BOOL:
		json_bool(j, f->name, shelf_i64(s, column) != 0);
		break;
	case KIND_TIME:
		json_time(j, f->name, shelf_i64(s, column));
		break;
	case KIND_STR:
		json_text(j, f->name, shelf_text(s, column));
		break;
	case KIND_LIST:
		json_list(j, f->name, shelf_text(s, column));
		break;
	case KIND_I64:
		json_i64(j, f->name, shelf_i64(s, column));
		break;
	case KIND_U64:
		if ((name = value_enum_name(f, (uint64_t)shelf_i64(s, column))) != NULL)
			json_text(j, f->name, name);
		else
			json_u64(j, f->name, (uint64_t)shelf_i64(s, column));
		break;
	}
}

int
export_line_json(const struct msg_desc *desc, struct shelf *s, struct buf *out)
{
	struct json j;
	int r;

	json_begin(&j, out);
	json_object_open(&j, NULL);
	for (size_t i = 0; i < desc->field_count; i++)
		json_field(&desc->fields[i], s, (int)i, &j);
	json_object_close(&j);
	r = json_end(&j);
	return r == E_OK ? buf_add_text(out, "\n") : r;
}
