/* otlp.c - spans as protobuf.
 *
 * Written by hand: of the proto it takes five messages, and the field numbers below are theirs for ever. What is inside
 * of a message is written into a buffer of its own first, because its length stands before it.
 */
#include <stdio.h>
#include <string.h>

#include "build_config.h"
#include "span.h"
#include "text.h"
#include "tracer.h"

#define MEMBER_MAX ((size_t)4096) /* an attribute, or a link */

enum wire { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

/* Names of trace.proto and common.proto. */
enum {
	SPAN_TRACE_ID = 1,
	SPAN_SPAN_ID = 2,
	SPAN_TRACE_STATE = 3,
	SPAN_PARENT_SPAN_ID = 4,
	SPAN_NAME = 5,
	SPAN_KIND = 6,
	SPAN_START = 7,
	SPAN_END = 8,
	SPAN_ATTRIBUTES = 9,
	SPAN_LINKS = 13,
	SPAN_STATUS = 15,
	SPAN_FLAGS = 16,
	LINK_TRACE_ID = 1,
	LINK_SPAN_ID = 2,
	LINK_FLAGS = 6,
	STATUS_MESSAGE = 2,
	STATUS_CODE = 3,
	STATUS_CODE_ERROR = 2,
	KEY_VALUE_KEY = 1,
	KEY_VALUE_VALUE = 2,
	ANY_STRING = 1,
	ANY_INT = 3,
	RESOURCE_ATTRIBUTES = 1,
	REQUEST_RESOURCE_SPANS = 1,
	RESOURCE_SPANS_RESOURCE = 1,
	RESOURCE_SPANS_SCOPE_SPANS = 2,
	SCOPE_SPANS_SCOPE = 1,
	SCOPE_NAME = 1,
	SCOPE_VERSION = 2,
	FLAG_HAS_IS_REMOTE = 0x100,
	FLAG_IS_REMOTE = 0x200
};

static int
put_varint(struct buf *b, uint64_t v)
{
	uint8_t out[10];
	size_t n = 0;

	do {
		out[n] = (uint8_t)(v & 0x7f);
		v >>= 7;
		out[n++] |= v != 0 ? 0x80 : 0;
	} while (v != 0);
	return buf_add(b, out, n);
}

static int
put_tag(struct buf *b, unsigned field, enum wire wire)
{
	return put_varint(b, (uint64_t)field << 3 | (unsigned)wire);
}

static int
put_number(struct buf *b, unsigned field, uint64_t v)
{
	int r = put_tag(b, field, WIRE_VARINT);

	return r == E_OK ? put_varint(b, v) : r;
}

static int
put_fixed(struct buf *b, unsigned field, enum wire wire, uint64_t v)
{
	uint8_t out[8];
	size_t len = wire == WIRE_FIXED64 ? 8 : 4;
	int r = put_tag(b, field, wire);

	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(v >> 8 * i);
	return r == E_OK ? buf_add(b, out, len) : r;
}

int
otlp_bytes(struct buf *b, unsigned field, const void *bytes, size_t len)
{
	int r;

	if ((r = put_tag(b, field, WIRE_BYTES)) == E_OK && (r = put_varint(b, len)) == E_OK)
		r = buf_add(b, bytes, len);
	return r;
}

/* A field that is no UTF-8 has a whole batch refused: what is none is a '?', byte by byte. */
static int
put_text(struct buf *b, unsigned field, const char *text)
{
	size_t whole;
	int r;

	if (text[0] == '\0')
		return E_OK;
	if ((r = put_tag(b, field, WIRE_BYTES)) == E_OK)
		r = put_varint(b, strlen(text));
	while (r == E_OK && *text != '\0') {
		for (whole = 0; text[whole] != '\0' && text_utf8_len(text + whole) > 0;)
			whole += text_utf8_len(text + whole);
		r = whole > 0 ? buf_add(b, text, whole) : buf_add(b, "?", 1);
		text += whole > 0 ? whole : 1;
	}
	return r;
}

/* Ids are bytes, the most significant first. */
static int
put_id(struct buf *b, unsigned field, const uint64_t *words, size_t count)
{
	uint8_t out[16];

	for (size_t i = 0; i < count * 8; i++)
		out[i] = (uint8_t)(words[i / 8] >> (56 - 8 * (i % 8)));
	return otlp_bytes(b, field, out, count * 8);
}

/* KeyValue with a value that is encoded already. */
static int
put_attribute(struct buf *b, unsigned field, const char *name, const struct buf *value)
{
	struct buf pair;
	int r;

	buf_init(&pair, MEMBER_MAX);
	if ((r = put_text(&pair, KEY_VALUE_KEY, name)) == E_OK &&
	    (r = otlp_bytes(&pair, KEY_VALUE_VALUE, buf_data(value), buf_len(value))) == E_OK)
		r = otlp_bytes(b, field, buf_data(&pair), buf_len(&pair));
	buf_fini(&pair);
	return r;
}

/* Absent texts and zeros are no attributes. */
static int
put_text_attribute(struct buf *b, unsigned field, const char *name, const char *text)
{
	struct buf value;
	int r;

	if (text[0] == '\0')
		return E_OK;
	buf_init(&value, MEMBER_MAX);
	if ((r = put_text(&value, ANY_STRING, text)) == E_OK)
		r = put_attribute(b, field, name, &value);
	buf_fini(&value);
	return r;
}

static int
put_number_attribute(struct buf *b, const char *name, uint64_t v)
{
	struct buf value;
	int r;

	if (v == 0)
		return E_OK;
	buf_init(&value, MEMBER_MAX);
	if ((r = put_number(&value, ANY_INT, v)) == E_OK)
		r = put_attribute(b, SPAN_ATTRIBUTES, name, &value);
	buf_fini(&value);
	return r;
}

/* As the conventions have it. */
static const char *
system_name(const char *store)
{
	return strcmp(store, "postgres") == 0 ? "postgresql" : store;
}

static int
put_attributes(struct buf *b, const struct msg_span *s, const char *slot)
{
	const struct {
		const char *name, *text;
	} texts[] = {
		{ "opitios.slot", slot },
		{ "http.request.method", s->method },
		{ "http.route", s->route },
		{ "url.path", s->path },
		{ "error.type", !s->failed	     ? ""
				: s->code[0] != '\0' ? s->code
						     : s->outcome },
		{ "db.system.name", system_name(s->store) },
		{ "opitios.request_id", s->request_id },
		{ "opitios.symbol", s->symbol },
		{ "opitios.cache", s->cache },
		{ "opitios.outcome", s->outcome },
		{ "opitios.code", s->code },
		{ "opitios.endpoint", s->endpoint },
		{ "opitios.upstream_request_id", s->upstream_id },
	};
	const struct {
		const char *name;
		uint64_t number;
	} numbers[] = {
		{ "http.response.status_code", s->status },
		{ "http.request.resend_count", s->try > 1 ? s->try - 1 : 0 },
		{ "opitios.count", s->count },
	};
	int r = E_OK;

	for (size_t i = 0; r == E_OK && i < sizeof(texts) / sizeof(texts[0]); i++)
		r = put_text_attribute(b, SPAN_ATTRIBUTES, texts[i].name, texts[i].text);
	for (size_t i = 0; r == E_OK && i < sizeof(numbers) / sizeof(numbers[0]); i++)
		r = put_number_attribute(b, numbers[i].name, numbers[i].number);
	return r;
}

static int
put_link(struct buf *b, const struct msg_span *s)
{
	const uint64_t trace[2] = { s->link_high, s->link_low };
	struct buf link;
	int r;

	if (s->link_id == 0)
		return E_OK;
	buf_init(&link, MEMBER_MAX);
	if ((r = put_id(&link, LINK_TRACE_ID, trace, 2)) == E_OK &&
	    (r = put_id(&link, LINK_SPAN_ID, &s->link_id, 1)) == E_OK &&
	    (r = put_fixed(&link, LINK_FLAGS, WIRE_FIXED32,
		 (s->link_flags & 0xff) | FLAG_HAS_IS_REMOTE)) == E_OK)
		r = otlp_bytes(b, SPAN_LINKS, buf_data(&link), buf_len(&link));
	buf_fini(&link);
	return r;
}

static int
put_status(struct buf *b, const struct msg_span *s)
{
	struct buf status;
	int r;

	if (!s->failed)
		return E_OK;
	buf_init(&status, MEMBER_MAX);
	if ((r = put_text(&status, STATUS_MESSAGE, s->reason)) == E_OK &&
	    (r = put_number(&status, STATUS_CODE, STATUS_CODE_ERROR)) == E_OK)
		r = otlp_bytes(b, SPAN_STATUS, buf_data(&status), buf_len(&status));
	buf_fini(&status);
	return r;
}

static int
put_identity(struct buf *b, const struct msg_span *s)
{
	const uint64_t trace[2] = { s->trace_high, s->trace_low };
	int r;

	if ((r = put_id(b, SPAN_TRACE_ID, trace, 2)) == E_OK &&
	    (r = put_id(b, SPAN_SPAN_ID, &s->id, 1)) == E_OK &&
	    (r = put_text(b, SPAN_TRACE_STATE, s->state)) == E_OK && s->parent != 0)
		r = put_id(b, SPAN_PARENT_SPAN_ID, &s->parent, 1);
	return r;
}

int
otlp_span(struct buf *b, const struct msg_span *s, const char *slot)
{
	uint64_t flags = (s->flags & 0xff) | FLAG_HAS_IS_REMOTE | (s->remote ? FLAG_IS_REMOTE : 0);
	int r;

	if ((r = put_identity(b, s)) == E_OK && (r = put_text(b, SPAN_NAME, s->name)) == E_OK &&
	    (r = put_number(b, SPAN_KIND, s->kind)) == E_OK &&
	    (r = put_fixed(b, SPAN_START, WIRE_FIXED64, (uint64_t)s->start)) == E_OK &&
	    (r = put_fixed(b, SPAN_END, WIRE_FIXED64, (uint64_t)s->end)) == E_OK &&
	    (r = put_attributes(b, s, slot)) == E_OK && (r = put_link(b, s)) == E_OK &&
	    (r = put_status(b, s)) == E_OK)
		r = put_fixed(b, SPAN_FLAGS, WIRE_FIXED32, flags);
	return r;
}

int
otlp_resource(struct buf *b, const struct pair *attributes, size_t count)
{
	int r = E_OK;

	for (size_t i = 0; r == E_OK && i < count; i++)
		r = put_text_attribute(
		    b, RESOURCE_ATTRIBUTES, attributes[i].name, attributes[i].value);
	return r;
}

static int
put_scope_spans(struct buf *b, const struct buf *spans)
{
	struct buf scope;
	int r;

	buf_init(&scope, MEMBER_MAX);
	if ((r = put_text(&scope, SCOPE_NAME, PACKAGE_NAME)) == E_OK &&
	    (r = put_text(&scope, SCOPE_VERSION, PACKAGE_VERSION)) == E_OK &&
	    (r = otlp_bytes(b, SCOPE_SPANS_SCOPE, buf_data(&scope), buf_len(&scope))) == E_OK)
		r = buf_add(b, buf_data(spans), buf_len(spans));
	buf_fini(&scope);
	return r;
}

int
otlp_request(struct buf *b, const struct buf *resource, const struct buf *spans)
{
	const size_t limit = buf_len(resource) + buf_len(spans) + MEMBER_MAX;
	struct buf scope_spans, all;
	int r;

	buf_init(&scope_spans, limit);
	buf_init(&all, limit);
	if ((r = put_scope_spans(&scope_spans, spans)) == E_OK &&
	    (r = otlp_bytes(
		 &all, RESOURCE_SPANS_RESOURCE, buf_data(resource), buf_len(resource))) == E_OK &&
	    (r = otlp_bytes(&all, RESOURCE_SPANS_SCOPE_SPANS, buf_data(&scope_spans),
		 buf_len(&scope_spans))) == E_OK)
		r = otlp_bytes(b, REQUEST_RESOURCE_SPANS, buf_data(&all), buf_len(&all));
	buf_fini(&scope_spans);
	buf_fini(&all);
	return r;
}
