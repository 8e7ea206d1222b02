/* unpack.c - bounded reading of msgpack: messages out of bytes, in place.
 *
 * Bytes come from another process, which may be broken or taken over. So nothing is allocated here, nothing is
 * believed before it was compared with the bound of its row and with the bytes at hand, and what is not
 * exactly a row of the table is refused. Which parts of msgpack-c this stands on, and why its unpacker is
 * none of them, is told in doc/adr/0002-bounded-unpacking.md.
 */
#include <endian.h>
#include <msgpack/unpack_define.h>
#include <string.h>

#include "ipc_room.h"

/* First bytes of the format; msgpack-c names the low five bits of those from 0xc0 to 0xdf. */
#define FIRST(state) (0xc0 | (state))
enum first {
	FIXMAP = 0x80, /* below: small numbers */
	FIXARRAY = 0x90,
	FIXSTR = 0xa0,
	NIL = 0xc0,
	FALSE = 0xc2,
	TRUE = 0xc3,
	DOUBLE = FIRST(MSGPACK_CS_DOUBLE),
	UINT_8 = FIRST(MSGPACK_CS_UINT_8),
	UINT_64 = FIRST(MSGPACK_CS_UINT_64),
	INT_8 = FIRST(MSGPACK_CS_INT_8),
	INT_64 = FIRST(MSGPACK_CS_INT_64),
	STR_8 = FIRST(MSGPACK_CS_STR_8),
	STR_32 = FIRST(MSGPACK_CS_STR_32),
	ARRAY_16 = FIRST(MSGPACK_CS_ARRAY_16),
	ARRAY_32 = FIRST(MSGPACK_CS_ARRAY_32),
	NEGATIVE_FIXINT = 0xe0 /* from here on: small negative numbers */
};

struct reader {
	const uint8_t *at, *end;
	const char *why;
};

static int
refuse(struct reader *r, const char *why)
{
	r->why = why;
	return E_PROTOCOL;
}

static inline size_t
at_hand(const struct reader *r)
{
	return (size_t)(r->end - r->at);
}

static inline uint64_t
big_endian(const uint8_t *at, size_t width)
{
	uint64_t v64;
	uint32_t v32;
	uint16_t v16;

	switch (width) {
	case 1:
		return at[0];
	case 2:
		memcpy(&v16, at, 2);
		return be16toh(v16);
	case 4:
		memcpy(&v32, at, 4);
		return be32toh(v32);
	default:
		memcpy(&v64, at, 8);
		return be64toh(v64);
	}
}

/* The first byte is at hand; the number behind it, of `width` bytes, may not be. */
static inline int
take_wide(struct reader *r, size_t width, uint64_t *v)
{
	if (at_hand(r) < 1 + width)
		return E_PARTIAL;
	*v = big_endian(r->at + 1, width);
	r->at += 1 + width;
	return E_OK;
}

static uint64_t
sign_extend(uint64_t v, size_t width)
{
	unsigned unused = (unsigned)(64 - 8 * width);

	return (uint64_t)((int64_t)(v << unused) >> unused);
}

/* Any width is taken: what counts is the number. */
static int
take_number(struct reader *r, uint64_t *v, bool *negative)
{
	size_t width;
	uint8_t first;
	int e;

	if (r->at == r->end)
		return E_PARTIAL;
	first = *r->at;
	*negative = false;
	if (first < FIXMAP || first >= NEGATIVE_FIXINT) {
		*negative = first >= NEGATIVE_FIXINT;
		*v = sign_extend(first, 1);
		r->at++;
		return E_OK;
	}
	if (first >= UINT_8 && first <= UINT_64)
		return take_wide(r, (size_t)1 << (first - UINT_8), v);
	if (first < INT_8 || first > INT_64)
		return refuse(r, "something else where a whole number is due");
	width = (size_t)1 << (first - INT_8);
	if ((e = take_wide(r, width, v)) != E_OK)
		return e;
	*v = sign_extend(*v, width);
	*negative = (int64_t)*v < 0;
	return E_OK;
}

static int
take_u64(struct reader *r, uint64_t *out)
{
	bool negative;
	uint64_t v;
	int e;

	/* Most are small: types, counts, enums. */
	if (r->at < r->end && *r->at < FIXMAP) {
		*out = *r->at++;
		return E_OK;
	}
	if ((e = take_number(r, &v, &negative)) != E_OK)
		return e;
	if (negative)
		return refuse(r, "a negative number where none may be");
	*out = v;
	return E_OK;
}

static int
take_i64(struct reader *r, int64_t *out)
{
	bool negative;
	uint64_t v;
	int e;

	if ((e = take_number(r, &v, &negative)) != E_OK)
		return e;
	if (!negative && v > INT64_MAX)
		return refuse(r, "a number above the largest signed one");
	*out = (int64_t)v;
	return E_OK;
}

static int
take_f64(struct reader *r, double *out)
{
	uint64_t bits;
	double v;
	int e;

	if (r->at == r->end)
		return E_PARTIAL;
	if (*r->at == NIL) {
		*out = __builtin_nan("");
		r->at++;
		return E_OK;
	}
	if (*r->at != DOUBLE)
		return refuse(r, "something else where a double or nil is due");
	if ((e = take_wide(r, sizeof(bits), &bits)) != E_OK)
		return e;
	memcpy(&v, &bits, sizeof(v));
	if (v != v)
		return refuse(r, "NaN as a double: null is spelled nil");
	*out = v;
	return E_OK;
}

static int
take_bool(struct reader *r, bool *out)
{
	if (r->at == r->end)
		return E_PARTIAL;
	if (*r->at != TRUE && *r->at != FALSE)
		return refuse(r, "something else where true or false is due");
	*out = *r->at++ == TRUE;
	return E_OK;
}

static int
take_text_head(struct reader *r, uint64_t *len)
{
	uint8_t first;

	if (r->at == r->end)
		return E_PARTIAL;
	first = *r->at;
	if (first >= FIXSTR && first < NIL) {
		*len = first - FIXSTR;
		r->at++;
		return E_OK;
	}
	if (first < STR_8 || first > STR_32)
		return refuse(r, "something else where a text is due");
	return take_wide(r, (size_t)1 << (first - STR_8), len);
}

/* The bound comes first: a length that can never be right must not make anybody wait for its bytes. What the
 * bytes spell is not looked at: texts of clients and of the upstream travel here, and neither must be able to
 * end a channel by a byte that is not UTF-8. */
static int
take_text(struct reader *r, char *out, size_t bound)
{
	uint64_t len;
	int e;

	if ((e = take_text_head(r, &len)) != E_OK)
		return e;
	if (len >= bound)
		return refuse(r, "a text longer than its bound");
	if (at_hand(r) < len)
		return E_PARTIAL;
	if (memchr(r->at, '\0', len) != NULL)
		return refuse(r, "a text with a NUL in it");
	memcpy(out, r->at, len);
	out[len] = '\0';
	r->at += len;
	return E_OK;
}

static int
take_field(struct reader *r, const struct msg_field *f, void *out)
{
	switch (f->kind) {
	case KIND_U64:
		return take_u64(r, out);
	case KIND_I64:
	case KIND_TIME:
		return take_i64(r, out);
	case KIND_F64:
		return take_f64(r, out);
	case KIND_BOOL:
		return take_bool(r, out);
	case KIND_STR:
	case KIND_LIST:
		return take_text(r, out, f->bound);
	}
	return refuse(r, "a field of no kind");
}

static int
take_array_head(struct reader *r, uint64_t *count)
{
	uint8_t first;

	if (r->at == r->end)
		return E_PARTIAL;
	first = *r->at;
	if (first >= FIXARRAY && first < FIXSTR) {
		*count = first - FIXARRAY;
		r->at++;
		return E_OK;
	}
	if (first != ARRAY_16 && first != ARRAY_32)
		return refuse(r, "something else where a message is due");
	return take_wide(r, first == ARRAY_16 ? 2 : 4, count);
}

/* A count no row has is refused before anything behind it is looked at. */
static int
take_desc(struct reader *r, const struct msg_desc **out)
{
	const struct msg_desc *d;
	uint64_t count, type;
	int e;

	if ((e = take_array_head(r, &count)) != E_OK)
		return e;
	if (count == 0 || count > MSG_FIELDS_MAX + 1)
		return refuse(r, "a count of fields that no message has");
	if ((e = take_u64(r, &type)) != E_OK)
		return e;
	if (type >= MSG_TYPE_MAX || msg_descs[type].name == NULL)
		return refuse(r, "a type that is not in the table");
	d = &msg_descs[type];
	if (count != d->field_count + 1)
		return refuse(r, "more or fewer fields than its row has");
	*out = d;
	return E_OK;
}

int
msg_decode(const uint8_t *data, size_t len, size_t *used, enum msg_type *type, union msg_any *out,
    const char **why)
{
	struct reader r = { .at = data, .end = data + len };
	const struct msg_field *f, *end;
	const struct msg_desc *d;
	int e;

	if ((e = take_desc(&r, &d)) != E_OK)
		goto out;
	for (f = d->fields, end = f + d->field_count; f < end; f++)
		if ((e = take_field(&r, f, (uint8_t *)out + f->offset)) != E_OK)
			goto out;
	*used = (size_t)(r.at - data);
	*type = d->type;
out:
	if (e == E_PROTOCOL)
		*why = r.why;
	return e;
}

/* Of each first byte from 0xc0 to 0xdf: how wide the length behind it is, what follows besides that length,
 * and how many objects each unit of length stands for where it counts objects. */
struct shape {
	uint8_t width, fixed, objects;
};

static const struct shape shapes[32] = {
	[MSGPACK_CS_BIN_8] = { 1, 0, 0 },
	[MSGPACK_CS_BIN_16] = { 2, 0, 0 },
	[MSGPACK_CS_BIN_32] = { 4, 0, 0 },
	[MSGPACK_CS_EXT_8] = { 1, 1, 0 },
	[MSGPACK_CS_EXT_16] = { 2, 1, 0 },
	[MSGPACK_CS_EXT_32] = { 4, 1, 0 },
	[MSGPACK_CS_FLOAT] = { 0, 4, 0 },
	[MSGPACK_CS_DOUBLE] = { 0, 8, 0 },
	[MSGPACK_CS_UINT_8] = { 0, 1, 0 },
	[MSGPACK_CS_UINT_16] = { 0, 2, 0 },
	[MSGPACK_CS_UINT_32] = { 0, 4, 0 },
	[MSGPACK_CS_UINT_64] = { 0, 8, 0 },
	[MSGPACK_CS_INT_8] = { 0, 1, 0 },
	[MSGPACK_CS_INT_16] = { 0, 2, 0 },
	[MSGPACK_CS_INT_32] = { 0, 4, 0 },
	[MSGPACK_CS_INT_64] = { 0, 8, 0 },
	[MSGPACK_CS_FIXEXT_1] = { 0, 2, 0 },
	[MSGPACK_CS_FIXEXT_2] = { 0, 3, 0 },
	[MSGPACK_CS_FIXEXT_4] = { 0, 5, 0 },
	[MSGPACK_CS_FIXEXT_8] = { 0, 9, 0 },
	[MSGPACK_CS_FIXEXT_16] = { 0, 17, 0 },
	[MSGPACK_CS_STR_8] = { 1, 0, 0 },
	[MSGPACK_CS_STR_16] = { 2, 0, 0 },
	[MSGPACK_CS_STR_32] = { 4, 0, 0 },
	[MSGPACK_CS_ARRAY_16] = { 2, 0, 1 },
	[MSGPACK_CS_ARRAY_32] = { 4, 0, 1 },
	[MSGPACK_CS_MAP_16] = { 2, 0, 2 },
	[MSGPACK_CS_MAP_32] = { 4, 0, 2 },
};

/* Steps over a head: `body` bytes and `objects` objects belong to it. */
static int
check_head(struct reader *r, uint64_t *body, uint64_t *objects)
{
	uint8_t first = *r->at;
	struct shape shape;
	uint64_t length = 0;

	*body = *objects = 0;
	if (first >= FIXMAP && first < NIL) {
		if (first >= FIXSTR)
			*body = first & 0x1f;
		else
			*objects = first >= FIXARRAY ? first & 0x0f : (first & 0x0fU) * 2;
		r->at++;
		return E_OK;
	}
	if (first < FIXMAP || first >= NEGATIVE_FIXINT) {
		r->at++;
		return E_OK;
	}
	if (first == NIL + 1)
		return refuse(r, "a byte the format never uses");
	shape = shapes[first & 0x1f];
	if (at_hand(r) < (size_t)1 + shape.width)
		return refuse(r, "a length that is cut");
	if (shape.width > 0)
		length = big_endian(r->at + 1, shape.width);
	r->at += 1 + shape.width;
	*objects = length * shape.objects;
	*body = shape.fixed + (shape.objects == 0 ? length : 0);
	return E_OK;
}

/* Iterative: `open` holds how many objects each open container still lacks. */
int
unpack_check(const uint8_t *data, size_t len, size_t *used, const char **why)
{
	struct reader r = { .at = data, .end = data + len };
	uint64_t open[UNPACK_DEPTH_MAX], body, objects;
	size_t depth = 0;
	int e = E_OK;

	do {
		if (r.at == r.end)
			e = refuse(&r, "an object that is missing");
		else
			e = check_head(&r, &body, &objects);
		if (e == E_OK && (body > at_hand(&r) || objects > at_hand(&r)))
			e = refuse(&r, "a length beyond the bytes at hand");
		if (e == E_OK && objects > 0 && depth == UNPACK_DEPTH_MAX)
			e = refuse(&r, "nesting too deep");
		if (e != E_OK)
			goto out;
		r.at += body;
		if (depth > 0)
			open[depth - 1]--;
		if (objects > 0)
			open[depth++] = objects;
		while (depth > 0 && open[depth - 1] == 0)
			depth--;
	} while (depth > 0);
	*used = (size_t)(r.at - data);
out:
	if (e == E_PROTOCOL)
		*why = r.why;
	return e;
}
