/* msg.c - the message table as data: descriptors, protocol id, one line for logs.
 *
 * Values travel from the fetcher to the http workers; to the cache-writer they go through the journal.
 */
#include "msg.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "decimal.h"
#include "hash.h"
#include "ipc_room.h"

#define ROWS(a) (sizeof(a) / sizeof((a)[0]))

#define VALUE(name, NAME, number, version, stored, table, help)                                    \
	static const struct msg_field name##_fields[] = {
#define FIELD(name, KIND, field, bound, help)                                                      \
	{ #field, KIND_##KIND, (bound), offsetof(struct name, field), (help) },
#define VALUE_END(name)                                                                            \
	}                                                                                          \
	;
#include "tables/values.def"

#define MESSAGE(name, NAME, number, senders, receivers, help)                                      \
	static const struct msg_field name##_fields[] = {
#define FIELD(name, KIND, field, bound, help)                                                      \
	{ #field, KIND_##KIND, (bound), offsetof(struct msg_##name, field), (help) },
#define MESSAGE_END(name)                                                                          \
	}                                                                                          \
	;
#include "tables/messages.def"

#define IS_STORED  true
#define IS_PASSING false

const struct msg_desc msg_descs[MSG_TYPE_MAX] = {
#define VALUE(name, NAME, number, version, stored, table, help)                                    \
	[number] = { #name, MSG_##NAME, (version), IS_##stored, (table), ROLE_FETCHER, ROLE_HTTP,  \
		name##_fields, ROWS(name##_fields), sizeof(struct name), (help) },
#define FIELD(name, KIND, field, bound, help)
#define VALUE_END(name)
#include "tables/values.def"
#define MESSAGE(name, NAME, number, senders, receivers, help)                                      \
	[number] = { #name, MSG_##NAME, 0, false, NULL, (senders), (receivers), name##_fields,     \
		ROWS(name##_fields), sizeof(struct msg_##name), (help) },
#define FIELD(name, KIND, field, bound, help)
#define MESSAGE_END(name)
#include "tables/messages.def"
};

/* Every field fits its widest form: 9 bytes of number, or text with a head of at most 9. */
const size_t msg_worsts[MSG_TYPE_MAX] = {
#define VALUE(name, NAME, number, version, stored, table, help) [number] = 5 + 9
#define FIELD(name, KIND, field, bound, help)			+MSG_FIELD_WIRE(bound)
#define VALUE_END(name)						,
#include "tables/values.def"
#define MESSAGE(name, NAME, number, senders, receivers, help) [number] = 5 + 9
#define FIELD(name, KIND, field, bound, help)		      +MSG_FIELD_WIRE(bound)
#define MESSAGE_END(name)				      ,
#include "tables/messages.def"
};

#define VALUE(name, NAME, number, version, stored, table, help)                                    \
	_Static_assert(ROWS(name##_fields) <= MSG_FIELDS_MAX, #name ": too many fields");
#define FIELD(name, KIND, field, bound, help)
#define VALUE_END(name)
#include "tables/values.def"
#define MESSAGE(name, NAME, number, senders, receivers, help)                                      \
	_Static_assert(ROWS(name##_fields) <= MSG_FIELDS_MAX, #name ": too many fields");
#define FIELD(name, KIND, field, bound, help)
#define MESSAGE_END(name)
#include "tables/messages.def"

/* The reader keeps a message that is not complete within MSG_WIRE_MAX; the codec writes 16-bit text lengths. */
#define VALUE(name, NAME, number, version, stored, table, help)                                    \
	_Static_assert((number) > 0 && (number) < 32, #name ": 1-31 are values");                  \
	_Static_assert(5 + 9
#define FIELD(name, KIND, field, bound, help) +MSG_FIELD_WIRE(bound)
#define VALUE_END(name)			      <= MSG_WIRE_MAX, #name ": too long for the reader");
#include "tables/values.def"
#define MESSAGE(name, NAME, number, senders, receivers, help)                                      \
	_Static_assert((number) > 31 && (number) < MSG_TYPE_MAX, #name ": 32 on are messages");    \
	_Static_assert(5 + 9
#define FIELD(name, KIND, field, bound, help) +MSG_FIELD_WIRE(bound)
#define MESSAGE_END(name)		      <= MSG_WIRE_MAX, #name ": too long for the reader");
#include "tables/messages.def"

const struct msg_desc *
msg_desc(unsigned type)
{
	return type < MSG_TYPE_MAX && msg_descs[type].name != NULL ? &msg_descs[type] : NULL;
}

static uint64_t PRINTF_LIKE(2, 3) hash_line(uint64_t so_far, const char *fmt, ...)
{
	char line[160];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	return hash_stable_more(
	    so_far, line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

/* Hashed as text, so that neither byte order nor the layout of the structs is part of it; nor are the help texts. */
uint64_t
msg_protocol_id(void)
{
	uint64_t id = hash_stable("opitios", 7);
	const struct msg_field *f;
	const struct msg_desc *d;

	for (d = msg_descs; d < msg_descs + MSG_TYPE_MAX; d++) {
		if (d->name == NULL)
			continue;
		id = hash_line(id, "%s %d %u %d %x %x\n", d->name, (int)d->type, d->version,
		    d->stored, d->senders, d->receivers);
		for (f = d->fields; f < d->fields + d->field_count; f++)
			id = hash_line(id, " %s %d %zu\n", f->name, (int)f->kind, f->bound);
	}
	return id;
}

/* What is cut is cut; `used` stays below `size`. */
struct line {
	char *out;
	size_t size, used;
};

static void PRINTF_LIKE(2, 3) line_add(struct line *l, const char *fmt, ...)
{
	size_t room = l->size - l->used;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(l->out + l->used, room, fmt, args);
	va_end(args);
	if (n > 0)
		l->used += (size_t)n < room ? (size_t)n : room - 1;
}

static void
line_add_text(struct line *l, const char *text, size_t bound)
{
	size_t i;

	line_add(l, "\"");
	for (i = 0; i < bound && text[i] != '\0'; i++) {
		if (text[i] >= ' ' && text[i] <= '~' && text[i] != '"' && text[i] != '\\')
			line_add(l, "%c", text[i]);
		else
			line_add(l, "\\x%02x", (unsigned char)text[i]);
	}
	line_add(l, "\"");
}

static void
line_add_field(struct line *l, const struct msg_field *f, const void *at)
{
	char number[DECIMAL_TEXT], when[CLOCK_TEXT];

	switch (f->kind) {
	case KIND_U64:
		line_add(l, "%" PRIu64, *(const uint64_t *)at);
		break;
	case KIND_I64:
		line_add(l, "%" PRId64, *(const int64_t *)at);
		break;
	case KIND_F64:
		decimal_format(*(const double *)at, number);
		line_add(l, "%s", number);
		break;
	case KIND_BOOL:
		line_add(l, "%s", *(const bool *)at ? "true" : "false");
		break;
	case KIND_TIME:
		clock_format(*(const int64_t *)at, when);
		line_add(l, "%s", *(const int64_t *)at != 0 ? when : "null");
		break;
	case KIND_STR:
	case KIND_LIST:
		line_add_text(l, at, f->bound);
		break;
	}
}

/* A setting may be a key of the upstream: its value never reaches a log. */
static bool
field_is_secret(const struct msg_desc *d, const struct msg_field *f)
{
	return d->type == MSG_SETTING && strcmp(f->name, "value") == 0;
}

void
msg_print(enum msg_type type, const void *message, char *out, size_t size)
{
	struct line l = { .out = out, .size = size };
	const struct msg_desc *d = msg_desc(type);
	const struct msg_field *f;

	if (size == 0)
		return;
	out[0] = '\0';
	if (d == NULL) {
		line_add(&l, "unknown(%u)", (unsigned)type);
		return;
	}
	line_add(&l, "%s{", d->name);
	for (f = d->fields; f < d->fields + d->field_count; f++) {
		line_add(&l, "%s%s=", f == d->fields ? "" : " ", f->name);
		if (field_is_secret(d, f))
			line_add(&l, "(hidden)");
		else
			line_add_field(&l, f, (const char *)message + f->offset);
	}
	line_add(&l, "}");
}
