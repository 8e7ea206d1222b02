/* pg_row.c - rows of a PostgreSQL store, as COPY takes them in binary, made from the descriptors of values.def. */
#include "pg_room.h"

#include <endian.h>
#include <math.h>
#include <string.h>

#include "json_write.h"
#include "text.h"
#include "value.h"

#define FIELD_ROOM 12	/* length and a number */
#define LIST_TEXT  1024 /* a LIST as JSON: escapes of its bound of 64 included many times over */

const char *
pg_row_column_type(enum msg_kind kind)
{
	switch (kind) {
	case KIND_F64:
		return "double precision";
	case KIND_STR:
	case KIND_LIST:
		return "text";
	case KIND_BOOL:
		return "boolean";
	case KIND_U64:
	case KIND_I64:
	case KIND_TIME:
		break;
	}
	return "bigint";
}

int
pg_row_copy_text(struct buf *out, const struct msg_desc *desc)
{
	int r;

	if ((r = buf_printf(out, "COPY \"%s\" (", desc->table)) != E_OK)
		return r;
	for (size_t i = 0; i < desc->field_count; i++)
		if ((r = buf_printf(out, "\"%s\", ", desc->fields[i].name)) != E_OK)
			return r;
	return buf_add_text(out, "journal_source, journal_sequence) FROM STDIN (FORMAT binary);\n");
}

int
pg_row_head(struct buf *out)
{
	/* Signature of eleven bytes, flags, no extension. */
	static const char head[19] = "PGCOPY\n\377\r\n";

	return buf_add(out, head, sizeof(head));
}

int
pg_row_tail(struct buf *out)
{
	return buf_add(out, "\377\377", 2);
}

/* Room was made by the caller. */
static uint8_t *
put_u32(uint8_t *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, sizeof(v));
	return p + sizeof(v);
}

static uint8_t *
put_null(uint8_t *p)
{
	return put_u32(p, UINT32_MAX);
}

static uint8_t *
put_64(uint8_t *p, const void *value)
{
	uint64_t v;

	memcpy(&v, value, sizeof(v));
	v = htobe64(v);
	p = put_u32(p, sizeof(v));
	memcpy(p, &v, sizeof(v));
	return p + sizeof(v);
}

static uint8_t *
put_bytes(uint8_t *p, const void *bytes, size_t len)
{
	p = put_u32(p, (uint32_t)len);
	memcpy(p, bytes, len);
	return p + len;
}

/* As a JSON array. Null stays null. */
static uint8_t *
put_list(uint8_t *p, const char *list)
{
	const char *walk = NULL, *element;
	struct buf text;
	struct json json;
	char one[LIST_TEXT];
	size_t len;

	if (list_is_null(list))
		return put_null(p);
	buf_init(&text, LIST_TEXT);
	json_begin(&json, &text);
	json_array_open(&json, NULL);
	while (list_next(list, &walk, &element, &len))
		if (text_copy_n(one, sizeof(one), element, len) == E_OK)
			json_text(&json, NULL, one);
	json_array_close(&json);
	p = json_end(&json) == E_OK ? put_bytes(p, buf_data(&text), buf_len(&text)) : put_null(p);
	buf_fini(&text);
	return p;
}

static uint8_t *
put_field(uint8_t *p, const struct msg_field *field, const void *value)
{
	const char *at = (const char *)value + field->offset;
	int64_t i64;
	double f64;
	bool flag;
	size_t len;

	switch (field->kind) {
	case KIND_F64:
		memcpy(&f64, at, sizeof(f64));
		return isnan(f64) ? put_null(p) : put_64(p, at);
	case KIND_BOOL:
		memcpy(&flag, at, sizeof(flag));
		return put_bytes(p, flag ? "\1" : "\0", 1);
	case KIND_STR:
		len = strnlen(at, field->bound);
		return len == 0 ? put_null(p) : put_bytes(p, at, len);
	case KIND_LIST:
		return put_list(p, at);
	case KIND_TIME:
		memcpy(&i64, at, sizeof(i64));
		return i64 == 0 ? put_null(p) : put_64(p, at);
	case KIND_U64:
	case KIND_I64:
		break;
	}
	return put_64(p, at); /* unsigned: the same 64 bits */
}

static size_t
field_room(const struct msg_field *field)
{
	if (field->kind == KIND_LIST)
		return FIELD_ROOM + LIST_TEXT;
	return FIELD_ROOM + (field->kind == KIND_STR ? field->bound : 0);
}

int
pg_row_add(struct buf *out, const struct msg_desc *desc, const void *value, const char *source,
    uint64_t sequence)
{
	size_t room = 2 + FIELD_ROOM + STORE_SOURCE + FIELD_ROOM;
	uint16_t columns = htobe16((uint16_t)(desc->field_count + 2));
	uint8_t *p;
	int r;

	for (size_t i = 0; i < desc->field_count; i++)
		room += field_room(&desc->fields[i]);
	if ((r = buf_reserve(out, room)) != E_OK)
		return r;
	p = buf_tail(out);
	memcpy(p, &columns, sizeof(columns));
	p += sizeof(columns);
	for (size_t i = 0; i < desc->field_count; i++)
		p = put_field(p, &desc->fields[i], value);
	p = put_bytes(p, source, strlen(source));
	p = put_64(p, &sequence);
	buf_commit(out, (size_t)(p - buf_tail(out)));
	return E_OK;
}
