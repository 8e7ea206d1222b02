/* json_write.c - JSON text into a buffer. */
#include "json_write.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "decimal.h"
#include "text.h"

void
json_begin(struct json *j, struct buf *out)
{
	memset(j, 0, sizeof(*j));
	j->out = out;
}

int
json_end(struct json *j)
{
	assert(j->depth == 0 || j->error != E_OK);
	return j->error;
}

static void
json_put(struct json *j, const void *bytes, size_t len)
{
	if (j->error == E_OK)
		j->error = buf_add(j->out, bytes, len);
}

/* Comma where something stands before, and the name where there is one. */
static void
json_lead(struct json *j, const char *name)
{
	uint32_t bit = UINT32_C(1) << j->depth;
	size_t comma = (j->filled & bit) != 0, len = name != NULL ? strlen(name) : 0;
	size_t all = comma + (name != NULL ? len + 3 : 0);
	uint8_t *at;

	j->filled |= bit;
	if (all == 0 || j->error != E_OK || (j->error = buf_reserve(j->out, all)) != E_OK)
		return;
	at = buf_tail(j->out);
	if (comma)
		*at++ = ',';
	if (name != NULL) {
		*at++ = '"';
		memcpy(at, name, len);
		at[len] = '"';
		at[len + 1] = ':';
	}
	buf_commit(j->out, all);
}

static void
json_open(struct json *j, const char *name, const char *bracket)
{
	json_lead(j, name);
	json_put(j, bracket, 1);
	j->depth++;
	assert(j->depth < JSON_DEPTH);
	j->filled &= ~(UINT32_C(1) << j->depth);
}

static void
json_close(struct json *j, const char *bracket)
{
	assert(j->depth > 0);
	j->depth--;
	json_put(j, bracket, 1);
}

void
json_object_open(struct json *j, const char *name)
{
	json_open(j, name, "{");
}

void
json_object_close(struct json *j)
{
	json_close(j, "}");
}

void
json_array_open(struct json *j, const char *name)
{
	json_open(j, name, "[");
}

void
json_array_close(struct json *j)
{
	json_close(j, "]");
}

/* Quotes, backslashes and control characters are escaped; a byte that is no UTF-8 becomes U+FFFD, since
 * clients may send anything and a body must stay JSON. */
static void
json_escape(struct json *j, const char *text)
{
	const char *run = text;
	char escape[8];
	size_t len;

	while (*text != '\0') {
		unsigned char c = (unsigned char)*text;

		if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
			text++; /* nearly all there is */
			continue;
		}
		if ((len = text_utf8_len(text)) > 0 && c >= 0x20 && c != '"' && c != '\\') {
			text += len;
			continue;
		}
		json_put(j, run, (size_t)(text - run));
		if (c == '"' || c == '\\')
			(void)snprintf(escape, sizeof(escape), "\\%c", c);
		else
			(void)snprintf(escape, sizeof(escape), "\\u%04x", len > 0 ? c : 0xfffd);
		json_put(j, escape, strlen(escape));
		run = ++text;
	}
	json_put(j, run, (size_t)(text - run));
}

void
json_text(struct json *j, const char *name, const char *text)
{
	if (text == NULL) {
		json_absent(j, name);
		return;
	}
	json_lead(j, name);
	json_put(j, "\"", 1);
	json_escape(j, text);
	json_put(j, "\"", 1);
}

void
json_text_or_null(struct json *j, const char *name, const char *text)
{
	json_text(j, name, text != NULL && *text != '\0' ? text : NULL);
}

void
json_f64(struct json *j, const char *name, double v)
{
	char text[DECIMAL_TEXT];
	size_t len = decimal_format(v, text);

	json_lead(j, name);
	json_put(j, text, len);
}

void
json_i64(struct json *j, const char *name, int64_t v)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%" PRId64, v);

	json_lead(j, name);
	json_put(j, text, (size_t)len);
}

void
json_u64(struct json *j, const char *name, uint64_t v)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%" PRIu64, v);

	json_lead(j, name);
	json_put(j, text, (size_t)len);
}

void
json_bool(struct json *j, const char *name, int v)
{
	json_lead(j, name);
	json_put(j, v ? "true" : "false", v ? 4 : 5);
}

void
json_absent(struct json *j, const char *name)
{
	json_lead(j, name);
	json_put(j, "null", 4);
}

void
json_time(struct json *j, const char *name, int64_t ns)
{
	char text[CLOCK_TEXT];

	if (ns != 0)
		clock_format(ns, text);
	json_text(j, name, ns != 0 ? text : NULL);
}

void
json_time_ms(struct json *j, const char *name, int64_t ns)
{
	char text[CLOCK_TEXT];

	if (ns != 0)
		clock_format_ms(ns, text);
	json_text(j, name, ns != 0 ? text : NULL);
}

void
json_raw(struct json *j, const char *name, const void *bytes, size_t len)
{
	json_lead(j, name);
	json_put(j, bytes, len);
}
