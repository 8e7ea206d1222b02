/* body.c - the body of a request: of a stated length, or in chunks.
 *
 * A stated length is read straight into the body. Chunks pass the input buffer and are taken
 * apart byte by byte where framing is concerned: sizes are bare hexadecimal digits, every line
 * ends in CR LF, extensions and trailers are thrown away and bounded.
 */
#include "http_room.h"

#include <string.h>

#include "mem.h"

#define BODY_FIRST   4096 /* what is taken on the client's word alone */
#define FRAMING_BASE 256  /* framing a chunked body may have however short it is */
#define FRAMING_RATE 8	  /* and for each byte of data: chunks of one byte need five */

static void
body_grow(struct http_request *r, size_t more)
{
	size_t need = r->body_len + more;
	size_t size = r->body_size > 0 ? r->body_size : BODY_FIRST;

	while (size < need)
		size *= 2;
	if (size > r->server->limits.body_max)
		size = r->server->limits.body_max;
	if (size > r->body_size) {
		r->body = mem_grow(r->body, r->body_size, size);
		r->body_size = size;
	}
}

void
http_body_drop(struct http_request *r)
{
	if (r->body != NULL)
		mem_free(&r->body);
	r->body_size = r->body_len = 0;
}

/* Moves what the input holds of the data still wanted. */
static void
body_take_data(struct http_request *r)
{
	size_t n = r->end - r->taken;

	if (n > r->body_want)
		n = (size_t)r->body_want;
	body_grow(r, n);
	memcpy(r->body + r->body_len, r->bytes + r->taken, n);
	r->body_len += n;
	r->body_want -= n;
	r->taken += n;
}

uint8_t *
http_body_room(struct http_request *r, size_t *len)
{
	if (r->chunked || r->body_want == 0)
		return NULL;
	if (r->body_len == r->body_size)
		body_grow(r, 1);
	*len = r->body_size - r->body_len;
	if (*len > r->body_want)
		*len = (size_t)r->body_want;
	return r->body + r->body_len;
}

static int
chunk_digit(uint8_t b)
{
	if (b >= '0' && b <= '9')
		return b - '0';
	b |= 0x20;
	return b >= 'a' && b <= 'f' ? b - 'a' + 10 : -1;
}

static int
chunk_on_size(struct http_request *r, uint8_t b)
{
	int digit = chunk_digit(b);

	if (digit >= 0) {
		r->body_want = r->body_want * 16 + (uint64_t)digit;
		r->chunk = HTTP_CHUNK_SIZE_MORE;
		return r->body_want > r->server->limits.body_max - r->body_len
			   ? E_REQUEST_SIZE_EXCEEDED
			   : E_OK;
	}
	if (r->chunk == HTTP_CHUNK_SIZE)
		return E_MALFORMED_REQUEST;
	if (b == '\r')
		r->chunk = HTTP_CHUNK_SIZE_LF;
	else if (b == ';')
		r->chunk = HTTP_CHUNK_EXTENSION;
	else
		return E_MALFORMED_REQUEST;
	return E_OK;
}

static bool
chunk_is_text(uint8_t b)
{
	return b == '\t' || (b >= ' ' && b != 0x7f);
}

static int
chunk_on_extension(struct http_request *r, uint8_t b)
{
	if (b == '\r')
		r->chunk = HTTP_CHUNK_SIZE_LF;
	else if (!chunk_is_text(b))
		return E_MALFORMED_REQUEST;
	return E_OK;
}

static int
chunk_on_trailer(struct http_request *r, uint8_t b)
{
	if (++r->trailers > r->server->limits.headers_max)
		return E_HEADERS_TOO_LARGE;
	if (r->chunk == HTTP_CHUNK_TRAILER && b == '\r')
		r->chunk = HTTP_CHUNK_END_LF;
	else if (r->chunk == HTTP_CHUNK_TRAILER && (b == ' ' || b == '\t'))
		return E_MALFORMED_REQUEST;
	else if (b == '\r')
		r->chunk = HTTP_CHUNK_TRAILER_LF;
	else if (!chunk_is_text(b))
		return E_MALFORMED_REQUEST;
	else
		r->chunk = HTTP_CHUNK_TRAILER_LINE;
	return E_OK;
}

/* The one byte that may stand here. */
static int
chunk_expect(struct http_request *r, uint8_t b, char wanted, enum http_chunk next)
{
	if (b != (uint8_t)wanted)
		return E_MALFORMED_REQUEST;
	r->chunk = next;
	return E_OK;
}

/* One byte of framing. */
static int
chunk_step(struct http_request *r, uint8_t b)
{
	switch (r->chunk) {
	case HTTP_CHUNK_SIZE:
	case HTTP_CHUNK_SIZE_MORE:
		return chunk_on_size(r, b);
	case HTTP_CHUNK_EXTENSION:
		return chunk_on_extension(r, b);
	case HTTP_CHUNK_SIZE_LF:
		return chunk_expect(
		    r, b, '\n', r->body_want > 0 ? HTTP_CHUNK_DATA : HTTP_CHUNK_TRAILER);
	case HTTP_CHUNK_DATA_CR:
		return chunk_expect(r, b, '\r', HTTP_CHUNK_DATA_LF);
	case HTTP_CHUNK_DATA_LF:
		return chunk_expect(r, b, '\n', HTTP_CHUNK_SIZE);
	case HTTP_CHUNK_TRAILER:
	case HTTP_CHUNK_TRAILER_LINE:
		return chunk_on_trailer(r, b);
	case HTTP_CHUNK_TRAILER_LF:
		return chunk_expect(r, b, '\n', HTTP_CHUNK_TRAILER);
	case HTTP_CHUNK_END_LF:
	case HTTP_CHUNK_DATA:
		break;
	}
	return b == '\n' ? E_OK : E_MALFORMED_REQUEST;
}

/* Framing without end around little data would occupy us for nothing. */
static int
chunk_check_framing(struct http_request *r)
{
	size_t allowed = FRAMING_BASE + r->server->limits.headers_max + FRAMING_RATE * r->body_len;

	return ++r->framing > allowed ? E_REQUEST_SIZE_EXCEEDED : E_OK;
}

static int
body_read_chunks(struct http_request *r)
{
	enum http_chunk before;
	int e;

	while (r->taken < r->end) {
		if (r->chunk == HTTP_CHUNK_DATA) {
			body_take_data(r);
			if (r->body_want == 0)
				r->chunk = HTTP_CHUNK_DATA_CR;
			continue;
		}
		before = r->chunk;
		if ((e = chunk_step(r, r->bytes[r->taken])) != E_OK ||
		    (e = chunk_check_framing(r)) != E_OK)
			return e;
		r->taken++;
		if (before == HTTP_CHUNK_END_LF)
			return E_OK;
	}
	return E_PARTIAL;
}

int
http_body_read(struct http_request *r)
{
	int e = E_OK;

	if (r->chunked) {
		e = body_read_chunks(r);
	} else if (r->body_want > 0) {
		body_take_data(r);
		e = r->body_want > 0 ? E_PARTIAL : E_OK;
	}
	if (e == E_PARTIAL)
		r->end = r->taken = r->start + r->head_len; /* all of it is in the body now */
	r->next_start = r->taken;
	return e;
}
