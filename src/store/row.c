/* row.c - rows of a SQLite store made from the descriptors of values.def, so that no field is listed twice. */
#include "store_room.h"

#include <math.h>
#include <string.h>

#include "json_write.h"
#include "text.h"
#include "value.h"

#define LIST_TEXT 1024 /* a LIST as JSON: escapes of its bound of 64 included many times over */

const char *
row_column_type(enum msg_kind kind)
{
	switch (kind) {
	case KIND_F64:
		return "REAL";
	case KIND_STR:
	case KIND_LIST:
		return "TEXT";
	case KIND_U64:
	case KIND_I64:
	case KIND_BOOL:
	case KIND_TIME:
		break;
	}
	return "INTEGER";
}

int
row_insert_text(const struct msg_desc *desc, struct buf *out)
{
	int r;

	if ((r = buf_printf(out, "INSERT INTO \"%s\" (", desc->table)) != E_OK)
		return r;
	for (size_t i = 0; i < desc->field_count; i++)
		if ((r = buf_printf(out, "\"%s\", ", desc->fields[i].name)) != E_OK)
			return r;
	if ((r = buf_add_text(out, "journal_source, journal_sequence) VALUES (")) != E_OK)
		return r;
	for (size_t i = 0; i < desc->field_count; i++)
		if ((r = buf_add_text(out, "?, ")) != E_OK)
			return r;
	return buf_add(out, "?, ?)", sizeof("?, ?)")); /* with its NUL */
}

/* Null stays NULL; any other list becomes an array. */
static int
bind_list(sqlite3_stmt *stmt, int at, const char *list)
{
	const char *walk = NULL, *element;
	char one[LIST_TEXT];
	struct json json;
	struct buf text;
	size_t len;
	int r = SQLITE_TOOBIG;

	if (list_is_null(list))
		return sqlite3_bind_null(stmt, at);
	buf_init(&text, LIST_TEXT);
	json_begin(&json, &text);
	json_array_open(&json, NULL);
	while (list_next(list, &walk, &element, &len)) {
		if (text_copy_n(one, sizeof(one), element, len) != E_OK)
			goto out;
		json_text(&json, NULL, one);
	}
	json_array_close(&json);
	if (json_end(&json) == E_OK)
		r = sqlite3_bind_text(
		    stmt, at, (const char *)buf_data(&text), (int)buf_len(&text), SQLITE_TRANSIENT);
out:
	buf_fini(&text);
	return r;
}

static int
bind_field(sqlite3_stmt *stmt, int at, const struct msg_field *field, const void *value)
{
	const char *p = (const char *)value + field->offset;
	int64_t i64;
	double f64;
	bool flag;

	switch (field->kind) {
	case KIND_F64:
		memcpy(&f64, p, sizeof(f64));
		return isnan(f64) ? sqlite3_bind_null(stmt, at)
				  : sqlite3_bind_double(stmt, at, f64);
	case KIND_BOOL:
		memcpy(&flag, p, sizeof(flag));
		return sqlite3_bind_int(stmt, at, flag);
	case KIND_STR:
		return p[0] == '\0' ? sqlite3_bind_null(stmt, at)
				    : sqlite3_bind_text(stmt, at, p, -1, SQLITE_STATIC);
	case KIND_LIST:
		return bind_list(stmt, at, p);
	case KIND_TIME:
		memcpy(&i64, p, sizeof(i64));
		return i64 == 0 ? sqlite3_bind_null(stmt, at) : sqlite3_bind_int64(stmt, at, i64);
	case KIND_U64:
	case KIND_I64:
		break;
	}
	memcpy(&i64, p, sizeof(i64)); /* unsigned: the same 64 bits */
	return sqlite3_bind_int64(stmt, at, i64);
}

int
row_bind(sqlite3_stmt *stmt, const char *source, const struct journal_record *record)
{
	const struct msg_desc *desc = record->desc;
	int at = 1, r;

	for (size_t i = 0; i < desc->field_count; i++)
		if ((r = bind_field(stmt, at++, &desc->fields[i], &record->value)) != SQLITE_OK)
			return r;
	if ((r = sqlite3_bind_text(stmt, at++, source, -1, SQLITE_STATIC)) != SQLITE_OK)
		return r;
	return sqlite3_bind_int64(stmt, at, (int64_t)record->sequence);
}
