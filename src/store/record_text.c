/* record_text.c - a journal record as one JSON object, for whoever has to read a dead letter. */
#include <string.h>

#include "json_write.h"
#include "store_room.h"
#include "text.h"
#include "value.h"

static void
put_list(struct json *j, const char *name, const char *list)
{
	const char *walk = NULL, *element;
	char one[256];
	size_t len;

	if (list_is_null(list)) {
		json_absent(j, name);
		return;
	}
	json_array_open(j, name);
	while (list_next(list, &walk, &element, &len))
		if (text_copy_n(one, sizeof(one), element, len) == E_OK)
			json_text(j, NULL, one);
	json_array_close(j);
}

static void
put_field(struct json *j, const struct msg_field *field, const void *value)
{
	const char *p = (const char *)value + field->offset;
	uint64_t u64 = 0;
	int64_t i64;
	double f64;
	bool flag;

	switch (field->kind) {
	case KIND_F64:
		memcpy(&f64, p, sizeof(f64));
		json_f64(j, field->name, f64);
		return;
	case KIND_BOOL:
		memcpy(&flag, p, sizeof(flag));
		json_bool(j, field->name, flag);
		return;
	case KIND_STR:
		json_text_or_null(j, field->name, p);
		return;
	case KIND_LIST:
		put_list(j, field->name, p);
		return;
	case KIND_I64:
	case KIND_TIME:
		memcpy(&i64, p, sizeof(i64));
		json_i64(j, field->name, i64);
		return;
	case KIND_U64:
		break;
	}
	memcpy(&u64, p, sizeof(u64));
	json_u64(j, field->name, u64);
}

int
record_text(const struct journal_record *record, struct buf *out)
{
	struct json json;

	json_begin(&json, out);
	json_object_open(&json, NULL);
	for (size_t i = 0; i < record->desc->field_count; i++)
		put_field(&json, &record->desc->fields[i], &record->value);
	json_object_close(&json);
	return json_end(&json);
}
