/* schema.c - good bodies broken on purpose, each in one named way.
 *
 * Works on the text, so that everything else in the body stays as it was recorded: what the
 * gateway refuses, it refuses for the one thing that is wrong.
 */
#include <string.h>

#include "fault.h"
#include "text.h"

struct span {
	size_t at, len;
};

/* Members that are prices, in the order they are looked for. */
static const char *const prices[] = {
	"\"bp\":", "\"ap\":", "\"p\":", "\"o\":", "\"h\":", "\"l\":"
};

static bool
body_find(const struct buf *b, const char *text, size_t from, size_t *at)
{
	const char *base = (const char *)buf_data(b);
	const char *hit;

	if (base == NULL || from > buf_len(b))
		return false;
	hit = memmem(base + from, buf_len(b) - from, text, strlen(text));
	if (hit == NULL)
		return false;
	*at = (size_t)(hit - base);
	return true;
}

static char
byte_at(const struct buf *b, size_t at)
{
	return at < buf_len(b) ? (char)buf_data(b)[at] : '\0';
}

/* The end of the JSON value that begins at `from`. */
static size_t
value_end(const struct buf *b, size_t from)
{
	const char *s = (const char *)buf_data(b);
	bool quoted = false;
	size_t i, depth = 0;

	for (i = from; i < buf_len(b); i++) {
		if (quoted) {
			i += s[i] == '\\';
			quoted = s[i] != '"';
		} else if (s[i] == '"')
			quoted = true;
		else if (s[i] == '{' || s[i] == '[')
			depth++;
		else if ((s[i] == '}' || s[i] == ']' || s[i] == ',') && depth == 0)
			return i;
		else if (s[i] == '}' || s[i] == ']')
			depth--;
	}
	return i;
}

static void
body_replace(struct buf *b, struct span span, const char *text)
{
	size_t tail = span.at + span.len, rest = buf_len(b) - tail;
	char *copy = mem_alloc(rest + 1);

	memcpy(copy, buf_data(b) + tail, rest);
	b->end = b->start + span.at;
	/* Fits: what was there was a whole answer, and the texts put in are shorter than an
	 * answer's slack. */
	if (buf_add_text(b, text) != E_OK || buf_add(b, copy, rest) != E_OK)
		buf_reset(b);
	mem_free(&copy);
}

/* The first price above zero: nought says that there is no such side. */
static bool
price_find(const struct buf *b, struct span *span)
{
	size_t i, at, from;

	for (i = 0; i < sizeof(prices) / sizeof(prices[0]); i++)
		for (from = 0; body_find(b, prices[i], from, &at); from = at + 1) {
			span->at = at + strlen(prices[i]);
			span->len = value_end(b, span->at) - span->at;
			if (buf_data(b)[span->at] != '0' || span->len > 1)
				return true;
		}
	return false;
}

static void
price_becomes(struct buf *b, const char *before, bool keep, const char *after)
{
	char text[96];
	struct span span;

	if (!price_find(b, &span))
		return;
	snprintf(text, sizeof(text), "%s%.*s%s", before, keep ? (int)span.len : 0,
	    (const char *)buf_data(b) + span.at, after);
	body_replace(b, span, text);
}

static void
break_string_price(struct buf *b)
{
	price_becomes(b, "\"", true, "\"");
}

static void
break_null_price(struct buf *b)
{
	price_becomes(b, "null", false, "");
}

static void
break_negative_price(struct buf *b)
{
	price_becomes(b, "-", true, "");
}

static void
break_huge_price(struct buf *b)
{
	price_becomes(b, "1e999", false, "");
}

static void
break_missing_price(struct buf *b)
{
	struct span span;
	size_t i;

	if (!price_find(b, &span))
		return;
	/* Back to the name's opening quote, and with the comma behind. */
	for (i = span.at - 2; i > 0 && buf_data(b)[i - 1] != '"'; i--)
		;
	span.len += span.at - i + 1;
	span.at = i - 1;
	if (byte_at(b, span.at + span.len) == ',')
		span.len++;
	body_replace(b, span, "");
}

static void
break_missing_time(struct buf *b)
{
	struct span span;

	if (!body_find(b, "\"t\":", 0, &span.at))
		return;
	span.len = value_end(b, span.at + 4) - span.at;
	if (byte_at(b, span.at + span.len) == ',')
		span.len++;
	else if (buf_data(b)[span.at - 1] == ',') {
		span.at--;
		span.len++;
	}
	body_replace(b, span, "");
}

static void
break_bad_time(struct buf *b)
{
	struct span span;

	if (!body_find(b, "\"t\":", 0, &span.at))
		return;
	span.at += 4;
	span.len = value_end(b, span.at) - span.at;
	body_replace(b, span, "\"yesterday\"");
}

/* The first member's value stands where the whole object should. */
static void
break_missing_wrapper(struct buf *b)
{
	struct span span = { 0, 0 };
	size_t colon, end;

	if (!body_find(b, ":", 0, &colon))
		return;
	end = value_end(b, colon + 1);
	b->end = b->start + end;
	span.len = colon + 1;
	body_replace(b, span, "");
}

static void
break_null_wrapper(struct buf *b)
{
	struct span span;

	if (!body_find(b, ":", 0, &span.at))
		return;
	span.at++;
	span.len = value_end(b, span.at) - span.at;
	body_replace(b, span, "null");
}

static void
break_array_body(struct buf *b)
{
	struct span span = { 0, buf_len(b) };

	body_replace(b, span, "[]");
}

static const struct {
	const char *name;
	void (*fn)(struct buf *);
} variants[] = {
	{ "string_price", break_string_price },
	{ "null_price", break_null_price },
	{ "negative_price", break_negative_price },
	{ "huge_price", break_huge_price },
	{ "missing_price", break_missing_price },
	{ "missing_time", break_missing_time },
	{ "bad_time", break_bad_time },
	{ "missing_wrapper", break_missing_wrapper },
	{ "null_wrapper", break_null_wrapper },
	{ "array_body", break_array_body },
};

#define VARIANTS (sizeof(variants) / sizeof(variants[0]))

bool
schema_variant_is_known(const char *name)
{
	size_t i;

	for (i = 0; i < VARIANTS; i++)
		if (strcmp(variants[i].name, name) == 0)
			return true;
	return false;
}

void
schema_break(const char *name, struct buf *body)
{
	size_t i;

	for (i = 0; i < VARIANTS; i++)
		if (strcmp(variants[i].name, name) == 0)
			variants[i].fn(body);
}

bool
token_variant_is_known(const char *name)
{
	return strcmp(name, "null") == 0 || strcmp(name, "empty") == 0 ||
	       strcmp(name, "repeat") == 0 || strcmp(name, "absent") == 0;
}

void
token_break(const char *name, struct buf *body)
{
	static const char member[] = "\"next_page_token\":";
	struct span span;

	if (!body_find(body, member, 0, &span.at))
		return;
	if (strcmp(name, "absent") == 0) {
		span.len = value_end(body, span.at) - span.at;
		if (buf_data(body)[span.at - 1] == ',') {
			span.at--;
			span.len++;
		}
		body_replace(body, span, "");
		return;
	}
	span.at += sizeof(member) - 1;
	span.len = value_end(body, span.at) - span.at;
	body_replace(body, span,
	    strcmp(name, "null") == 0	 ? "null"
	    : strcmp(name, "empty") == 0 ? "\"\""
					 : "\"" TOKEN_REPEAT "\"");
}
