/* otlp_answer.c - what a collector says to a batch: how much of it was not taken.
 *
 * From outside: everything is within the bytes there are, and what is not understood says nothing.
 */
#include <string.h>

#include "tracer.h"

enum { PARTIAL_SUCCESS = 1, REJECTED_SPANS = 1 };

struct wire {
	const uint8_t *at;
	size_t left;
};

struct field {
	uint64_t number; /* its varint */
	struct wire in;	 /* its bytes */
	unsigned tag, kind;
};

static bool
wire_varint(struct wire *w, uint64_t *out)
{
	uint64_t v = 0;
	uint8_t byte;

	for (unsigned shift = 0; shift < 64 && w->left > 0; shift += 7) {
		byte = *w->at++;
		w->left--;
		v |= (uint64_t)(byte & 0x7f) << shift;
		if ((byte & 0x80) == 0) {
			*out = v;
			return true;
		}
	}
	return false;
}

static bool
wire_skip(struct wire *w, uint64_t len)
{
	if (len > w->left)
		return false;
	w->at += len;
	w->left -= len;
	return true;
}

/* False: the end, or nothing that can be read. */
static bool
wire_next(struct wire *w, struct field *f)
{
	uint64_t head, len;

	if (!wire_varint(w, &head) || head >> 3 > UINT32_MAX >> 3)
		return false;
	*f = (struct field){ .tag = (unsigned)(head >> 3), .kind = head & 7 };
	switch (f->kind) {
	case 0:
		return wire_varint(w, &f->number);
	case 1:
		return wire_skip(w, 8);
	case 2:
		if (!wire_varint(w, &len))
			return false;
		f->in = (struct wire){ w->at, len };
		return wire_skip(w, len);
	case 5:
		return wire_skip(w, 4);
	default:
		return false;
	}
}

uint64_t
otlp_rejected(const uint8_t *bytes, size_t len)
{
	struct wire all = { bytes, len };
	struct field f, inner;
	uint64_t rejected = 0;

	while (wire_next(&all, &f))
		while (f.tag == PARTIAL_SUCCESS && f.kind == 2 && wire_next(&f.in, &inner))
			if (inner.tag == REJECTED_SPANS && inner.kind == 0)
				rejected = inner.number;
	return rejected <= INT64_MAX ? rejected : 0;
}
