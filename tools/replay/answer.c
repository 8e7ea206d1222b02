/* answer.c - the bodies that are not data: refusals, pages, and JSON that might not fit. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "request.h"

#define KEPT_BYTES (256 * 1024) /* a body larger than this gives its memory back */

void
answer_init(struct answer *a)
{
	memset(a, 0, sizeof(*a));
	buf_init(&a->body, ANSWER_BYTES);
	answer_reset(a);
}

void
answer_fini(struct answer *a)
{
	buf_fini(&a->body);
}

void
answer_reset(struct answer *a)
{
	if (a->body.capacity > KEPT_BYTES)
		buf_fini(&a->body);
	buf_reset(&a->body);
	a->status = 200;
	a->type = "application/json; charset=UTF-8";
	a->manner = MANNER_PLAIN;
	a->delay_ms = 0;
	a->shows_budget = a->closes = false;
}

void
answer_bytes(struct answer *a, int status, const char *type, const void *bytes, size_t len)
{
	buf_reset(&a->body);
	a->status = status;
	a->type = type;
	if (buf_add(&a->body, bytes, len) != E_OK)
		a->status = 500;
}

static void
answer_refuse_args(struct answer *a, int status, int code, const char *fmt, va_list args)
{
	char text[400], *c;
	struct json j;

	vsnprintf(text, sizeof(text), fmt, args);
	for (c = text; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e)
			*c = '?'; /* echoed from outside: must stay valid UTF-8 */
	answer_json_begin(a, &j);
	a->status = status;
	json_object_open(&j, NULL);
	if (code != 0)
		json_i64(&j, "code", code);
	json_text(&j, "message", text);
	json_object_close(&j);
	answer_json_end(a, &j);
}

void
answer_refuse(struct answer *a, int status, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	answer_refuse_args(a, status, 0, fmt, args);
	va_end(args);
}

void
answer_refuse_code(struct answer *a, int status, int code, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	answer_refuse_args(a, status, code, fmt, args);
	va_end(args);
}

void
answer_page(struct answer *a, int status, const char *title)
{
	buf_reset(&a->body);
	a->status = status;
	a->type = "text/html";
	a->shows_budget = false;
	if (buf_printf(&a->body,
		"<html>\r\n<head><title>%d %s</title></head>\r\n<body>\r\n"
		"<center><h1>%d "
		"%s</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n",
		status, title, status, title) != E_OK)
		a->status = 500;
}

void
answer_json_begin(struct answer *a, struct json *j)
{
	buf_reset(&a->body);
	json_begin(j, &a->body);
}

void
answer_json_end(struct answer *a, struct json *j)
{
	static const char full[] = "{\"message\": \"the answer does not fit\"}";

	if (json_end(j) != E_OK)
		answer_bytes(a, 500, a->type, full, sizeof(full) - 1);
}

const char *
answer_reason(int status)
{
	static const struct {
		int status;
		const char *text;
	} reasons[] = { { 200, "OK" }, { 400, "Bad Request" }, { 401, "Unauthorized" },
		{ 403, "Forbidden" }, { 404, "Not Found" }, { 405, "Method Not Allowed" },
		{ 408, "Request Timeout" }, { 411, "Length Required" },
		{ 413, "Payload Too Large" }, { 414, "URI Too Long" },
		{ 422, "Unprocessable Entity" }, { 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" }, { 500, "Internal Server Error" },
		{ 502, "Bad Gateway" }, { 503, "Service Unavailable" }, { 504, "Gateway Timeout" },
		{ 505, "HTTP Version Not Supported" } };
	size_t i;

	for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].text;
	return "Unassigned";
}
