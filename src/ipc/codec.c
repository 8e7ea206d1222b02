/* codec.c - messages into bytes: msgpack-c's packer, writing straight into the queue's memory. */
#include <msgpack/pack.h>
#include <string.h>

#include "ipc_room.h"
#include "log.h"

/* The packer is instantiated a second time with an output of ours: its own calls back for every number. */
struct sink {
	uint8_t *at;
};

static inline int
sink_add(struct sink *s, const void *data, size_t len)
{
	memcpy(s->at, data, len);
	s->at += len;
	return 0;
}

#define msgpack_pack_inline_func(name)		     static inline int sink##name
#define msgpack_pack_inline_func_cint(name)	     static inline int sink##name
#define msgpack_pack_inline_func_fixint(name)	     static inline int sink_fix##name
#define msgpack_pack_user			     struct sink *
#define msgpack_pack_append_buffer(user, bytes, len) return sink_add((user), (bytes), (len))
#include <msgpack/pack_template.h>

/* NaN is how the structs spell null; infinities are numbers like others. */
static void
put_number(struct sink *s, double number)
{
	if (number != number)
		sink_nil(s);
	else
		sink_double(s, number);
}

static int
put_text(struct sink *s, const char *text, size_t bound)
{
	size_t len = strnlen(text, bound);

	if (len == bound)
		return E_LIMIT;
	sink_str(s, len);
	sink_add(s, text, len);
	return E_OK;
}

static int
put_field(struct sink *s, const struct msg_field *f, const void *at)
{
	switch (f->kind) {
	case KIND_U64:
		sink_uint64(s, *(const uint64_t *)at);
		break;
	case KIND_I64:
	case KIND_TIME:
		sink_int64(s, *(const int64_t *)at);
		break;
	case KIND_F64:
		put_number(s, *(const double *)at);
		break;
	case KIND_BOOL:
		*(const bool *)at ? sink_true(s) : sink_false(s);
		break;
	case KIND_STR:
	case KIND_LIST:
		return put_text(s, at, f->bound);
	}
	return E_OK;
}

/* Writes without looking at room: the caller has msg_worst bytes. */
static int
put_message(struct sink *s, const struct msg_desc *d, const uint8_t *message)
{
	const struct msg_field *f, *end = d->fields + d->field_count;
	int r;

	sink_array(s, d->field_count + 1);
	sink_uint64(s, (uint64_t)d->type);
	for (f = d->fields; f < end; f++)
		if ((r = put_field(s, f, message + f->offset)) != E_OK)
			return r;
	return E_OK;
}

/* Near the limit the worst case does not fit though the message may: it is written aside and measured. */
static int
append_tight(
    struct buf *b, size_t gap, const struct msg_desc *d, const void *message, size_t *added)
{
	uint8_t aside[MSG_WIRE_MAX];
	struct sink s = { .at = aside };
	size_t len;
	int r;

	if ((r = put_message(&s, d, message)) != E_OK)
		return r;
	len = (size_t)(s.at - aside);
	if ((r = buf_reserve(b, gap + len)) != E_OK)
		return r;
	memcpy(buf_tail(b) + gap, aside, len);
	buf_commit(b, gap + len);
	*added = gap + len;
	return E_OK;
}

int
codec_append(struct buf *b, size_t gap, enum msg_type type, const void *message, size_t *added)
{
	size_t need = gap + ((unsigned)type < MSG_TYPE_MAX ? msg_worsts[type] : 0);
	struct sink s;
	uint8_t *tail;
	int r;

	if (need == gap)
		panic("message type %d is not in the table", (int)type);
	if (buf_reserve(b, need) != E_OK)
		return append_tight(b, gap, &msg_descs[type], message, added);
	tail = buf_tail(b);
	s.at = tail + gap;
	if ((r = put_message(&s, &msg_descs[type], message)) != E_OK)
		return r;
	*added = (size_t)(s.at - tail);
	buf_commit(b, *added);
	return E_OK;
}

int
msg_encode(enum msg_type type, const void *message, struct buf *b)
{
	size_t added;

	return codec_append(b, 0, type, message, &added);
}
