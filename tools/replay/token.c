/* token.c - where a walk goes on: base64 of what, symbol and position. */
#include <stdio.h>
#include <string.h>

#include "replay.h"
#include "text.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void
base64_write(const unsigned char *in, size_t len, char *out)
{
	uint32_t v;
	size_t i;

	for (i = 0; i < len; i += 3) {
		v = (uint32_t)in[i] << 16;
		v |= i + 1 < len ? (uint32_t)in[i + 1] << 8 : 0;
		v |= i + 2 < len ? (uint32_t)in[i + 2] : 0;
		*out++ = alphabet[v >> 18];
		*out++ = alphabet[v >> 12 & 63];
		*out++ = i + 1 < len ? alphabet[v >> 6 & 63] : '=';
		*out++ = i + 2 < len ? alphabet[v & 63] : '=';
	}
	*out = '\0';
}

/* Returns the length, 0 for what is not base64 or does not fit. */
static size_t
base64_read(const char *in, char *out, size_t size)
{
	size_t digits = strspn(in, alphabet), n = 0, i;
	size_t padding = strspn(in + digits, "=");
	uint32_t v = 0;

	if (in[digits + padding] != '\0' || (digits + padding) % 4 != 0 || padding > 2 ||
	    digits * 3 / 4 >= size)
		return 0;
	for (i = 0; i < digits; i++) {
		v = v << 6 | (uint32_t)(strchr(alphabet, in[i]) - alphabet);
		if (i % 4 != 0)
			out[n++] = (char)(v >> (6 - i % 4 * 2) & 0xff);
	}
	out[n] = '\0';
	return n;
}

void
token_write(const struct token *t, char out[TOKEN_TEXT])
{
	char text[TOKEN_TEXT / 2];
	int len = snprintf(
	    text, sizeof(text), "%s|%s|%llu", t->symbol, t->tag, (unsigned long long)t->index);

	base64_write((const unsigned char *)text, (size_t)len, out);
}

bool
token_read(const char *in, struct token *out)
{
	char text[TOKEN_TEXT], *rest = text, *symbol, *tag;
	struct token t;

	if (base64_read(in, text, sizeof(text)) == 0)
		return false;
	symbol = text_split(&rest, '|');
	tag = text_split(&rest, '|');
	if (tag == NULL || rest == NULL || text_to_u64(rest, &t.index) != E_OK ||
	    text_copy(t.symbol, sizeof(t.symbol), symbol) != E_OK ||
	    text_copy(t.tag, sizeof(t.tag), tag) != E_OK)
		return false;
	*out = t;
	return true;
}
