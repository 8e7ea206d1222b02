/* head.c - request line and header fields, read where they lie.
 *
 * Lines are found and bounded here before the parser sees them: it gets whole lines only, each
 * ended by CR LF with no other CR in it and none continuing the one before. That settles the
 * ways of smuggling that rest on two readers seeing different lines, whatever leniency the
 * installed llhttp has.
 */
#include "http_room.h"

#include <string.h>

#include "mem.h"

#define EMPTY_LINES_MAX 4 /* before a request line; old clients send one behind a body */
#define VERSION_LEN	9 /* " HTTP/1.1" */

static uint32_t
head_offset(const llhttp_t *p, const char *at)
{
	const struct http_request *r = p->data;

	return (uint32_t)((size_t)((const uint8_t *)at - r->bytes) - r->start);
}

static int
head_on_target(llhttp_t *p, const char *at, size_t len)
{
	struct http_request *r = p->data;

	r->target = head_offset(p, at);
	r->target_len = (uint32_t)len;
	return 0;
}

/* A name has to end at its colon; parsers have been seen to let blanks pass there. */
static int
head_on_name(llhttp_t *p, const char *at, size_t len)
{
	struct http_request *r = p->data;
	struct http_field *f;

	if (r->field_count == r->lines || at[len] != ':')
		return -1;
	f = &r->fields[r->field_count++];
	f->name = head_offset(p, at);
	f->name_len = (uint32_t)len;
	f->value = f->name + f->name_len;
	f->value_len = 0;
	return 0;
}

static int
head_on_value(llhttp_t *p, const char *at, size_t len)
{
	struct http_request *r = p->data;
	struct http_field *f;

	if (r->field_count == 0)
		return -1;
	/* Of an empty value llhttp tells where the next line starts. It stays as head_on_name
	 * left it. */
	if (len == 0)
		return 0;
	f = &r->fields[r->field_count - 1];
	while (len > 0 && (at[len - 1] == ' ' || at[len - 1] == '\t'))
		len--;
	f->value = head_offset(p, at);
	f->value_len = (uint32_t)len;
	return 0;
}

/* The parser's work ends here: bodies are framed by body.c. */
static int
head_on_complete(llhttp_t *p)
{
	(void)p;
	return HPE_PAUSED;
}

static llhttp_settings_t head_settings = {
	.on_url = head_on_target,
	.on_header_field = head_on_name,
	.on_header_value = head_on_value,
	.on_headers_complete = head_on_complete,
};

void
http_head_begin(struct http_request *r)
{
	r->stage = HTTP_READ_HEAD;
	r->next_start = r->start;
	r->line = r->scanned = r->fed = r->fields_at = r->head_len = 0;
	r->target = r->target_len = r->skipped = r->lines = 0;
	r->field_count = 0;
	r->chunked = r->expects = r->is_head = false;
	r->keep = true;
	r->method = r->path = r->query = "";
	r->body_len = r->framing = r->trailers = 0;
	r->body_want = 0;
	r->chunk = HTTP_CHUNK_SIZE;
	r->client[0] = '\0';
	llhttp_init(&r->parser, HTTP_REQUEST, &head_settings);
	r->parser.data = r;
}

/* To the front of the buffer; only while nobody holds pointers into it. */
static void
head_move_up(struct http_request *r)
{
	if (r->start == 0)
		return;
	memmove(r->bytes, r->bytes + r->start, r->end - r->start);
	r->end -= r->start;
	r->next_start -= r->start;
	r->start = 0;
}

static void
head_grow(struct http_request *r, size_t size)
{
	if (size > r->server->input_max)
		size = r->server->input_max;
	if (size > r->size) {
		r->bytes = mem_grow(r->bytes, r->size, size);
		r->size = size;
	}
}

void
http_head_make_room(struct http_request *r)
{
	if (r->end < r->size)
		return;
	head_move_up(r);
	if (r->end == r->size)
		head_grow(r, r->size * 2);
}

static int
head_parser_error(struct http_request *r, llhttp_errno_t error)
{
	const uint8_t *line = r->bytes + r->start;
	size_t n;

	switch (error) {
	case HPE_OK:
	case HPE_PAUSED:
		return E_OK;
	case HPE_INVALID_VERSION:
	case HPE_PAUSED_H2_UPGRADE:
		return E_HTTP_VERSION_NOT_SUPPORTED;
	case HPE_INVALID_METHOD:
		/* A method nobody knows is not malformed when it is spelled as methods are. */
		for (n = 0; line[n] >= 'A' && line[n] <= 'Z'; n++)
			;
		return n > 0 && line[n] == ' ' ? E_NOT_IMPLEMENTED : E_MALFORMED_REQUEST;
	default:
		return E_MALFORMED_REQUEST;
	}
}

/* Whole lines up to `end` (from start). */
static int
head_feed(struct http_request *r, size_t end)
{
	const char *from = (const char *)r->bytes + r->start + r->fed;
	llhttp_errno_t error;

	if (end == r->fed)
		return E_OK;
	error = llhttp_execute(&r->parser, from, end - r->fed);
	r->fed = end;
	return head_parser_error(r, error);
}

/* `len` is without CR LF. The version is looked at first: what follows it may be anything in
 * another one. */
static int
head_check_request_line(const struct http_request *r, const uint8_t *line, size_t len)
{
	const uint8_t *v = line + len - VERSION_LEN;

	if (len > r->server->limits.request_line_max)
		return E_URI_TOO_LONG;
	if (len < VERSION_LEN || memcmp(v, " HTTP/", 6) != 0 || v[6] < '0' || v[6] > '9' ||
	    v[7] != '.' || v[8] < '0' || v[8] > '9')
		return E_MALFORMED_REQUEST;
	if (v[6] != '1' || v[8] > '1')
		return E_HTTP_VERSION_NOT_SUPPORTED;
	return E_OK;
}

/* An empty line before the request line: stepped over. */
static int
head_skip_line(struct http_request *r)
{
	if (r->skipped++ >= EMPTY_LINES_MAX)
		return E_MALFORMED_REQUEST;
	r->start += 2;
	r->next_start = r->start;
	r->line = r->scanned = 0;
	return E_OK;
}

/* One line that ends at `end` (from start, behind LF). */
static int
head_take_line(struct http_request *r, size_t end)
{
	const uint8_t *line = r->bytes + r->start + r->line;
	size_t len = end - r->line;
	int e;

	if (len < 2 || line[len - 2] != '\r' || memchr(line, '\r', len - 2) != NULL)
		return E_MALFORMED_REQUEST;
	len -= 2;
	r->line = r->scanned = end;
	if (r->fields_at == 0) {
		if (len == 0)
			return head_skip_line(r);
		if ((e = head_check_request_line(r, line, len)) != E_OK)
			return e;
		r->fields_at = end;
		return E_OK;
	}
	if (end - r->fields_at > r->server->limits.headers_max + 2)
		return E_HEADERS_TOO_LARGE;
	if (len == 0)
		r->head_len = end;
	else if (line[0] == ' ' || line[0] == '\t' || line[0] == ':')
		return E_MALFORMED_REQUEST;
	else if (++r->lines > HTTP_FIELDS_MAX)
		return E_HEADERS_TOO_LARGE;
	return E_OK;
}

/* What a line may be that has not ended yet. */
static int
head_check_open_line(const struct http_request *r, size_t have)
{
	const struct http_limits *l = &r->server->limits;
	const uint8_t *first = r->bytes + r->start;

	if (r->fields_at != 0)
		return have - r->fields_at > l->headers_max + 2 ? E_HEADERS_TOO_LARGE : E_PARTIAL;
	if (have > 0 && (*first < 'A' || *first > 'Z') && *first != '\r')
		return E_MALFORMED_REQUEST; /* TLS, or no HTTP at all: no need to wait for more of it */
	return have > l->request_line_max + 2 ? E_URI_TOO_LONG : E_PARTIAL;
}

static int
head_take_lines(struct http_request *r)
{
	const uint8_t *at, *lf;
	int e;

	while (r->head_len == 0) {
		at = r->bytes + r->start + r->scanned;
		lf = memchr(at, '\n', r->end - r->start - r->scanned);
		if (lf == NULL) {
			r->scanned = r->end - r->start;
			return E_PARTIAL;
		}
		if ((e = head_take_line(r, (size_t)(lf + 1 - r->bytes) - r->start)) != E_OK)
			return e;
	}
	return E_OK;
}

/* The bytes stay where they are from here on: the application may hold pointers to them. */
static void
head_settle(struct http_request *r)
{
	if (r->start + r->head_len + HTTP_INPUT_ROOM > r->size) {
		head_move_up(r);
		head_grow(r, r->head_len + HTTP_INPUT_ROOM);
	}
	r->taken = r->next_start = r->start + r->head_len;
	r->method = llhttp_method_name((llhttp_method_t)r->parser.method);
	r->is_head = r->parser.method == HTTP_HEAD;
	http_request_terminate(r);
}

int
http_head_read(struct http_request *r)
{
	int e = head_take_lines(r), fed;

	if (e != E_OK && e != E_PARTIAL)
		return e;
	if (r->fields_at != 0 && (fed = head_feed(r, r->line)) != E_OK)
		return fed;
	if (e == E_PARTIAL)
		return head_check_open_line(r, r->end - r->start);
	head_settle(r);
	if (r->field_count != r->lines)
		return E_MALFORMED_REQUEST; /* the parser saw other fields than there are lines */
	if ((e = http_request_judge_target(r)) != E_OK)
		return e;
	return http_request_judge_fields(r);
}

void
http_head_salvage(struct http_request *r)
{
	if (r->fed == 0 && r->fields_at != 0)
		(void)!head_feed(r, r->fields_at);
	if (r->method[0] != '\0' || r->target_len == 0)
		return;
	r->method = llhttp_method_name((llhttp_method_t)r->parser.method);
	r->is_head = r->parser.method == HTTP_HEAD;
	http_request_terminate(r);
	(void)!http_request_judge_target(r);
}
