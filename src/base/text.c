/* text.c - bounded text: copying, comparing, numbers with units. */
#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int
text_copy(char *to, size_t size, const char *from)
{
	return text_copy_n(to, size, from, strlen(from));
}

int
text_copy_n(char *to, size_t size, const char *from, size_t len)
{
	int r = E_OK;

	if (len >= size) {
		len = size - 1;
		r = E_LIMIT;
	}
	memcpy(to, from, len);
	to[len] = '\0';
	return r;
}

void
text_upper(char *text)
{
	for (; *text; text++)
		if (*text >= 'a' && *text <= 'z')
			*text = (char)(*text - 'a' + 'A');
}

int
text_equal_nocase(const char *a, const char *b)
{
	return strcasecmp(a, b) == 0;
}

int
text_starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

int
text_is_printable(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			return 0;
	return 1;
}

int
text_to_u64(const char *text, uint64_t *out)
{
	char *end;
	unsigned long long v;

	if (!isdigit((unsigned char)*text))
		return E_INVALID_PARAMETER;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno != 0 || *end != '\0')
		return E_INVALID_PARAMETER;
	*out = v;
	return E_OK;
}

int
text_to_i64(const char *text, int64_t *out)
{
	char *end;
	long long v;

	if (!isdigit((unsigned char)*text) && !(*text == '-' && isdigit((unsigned char)text[1])))
		return E_INVALID_PARAMETER;
	errno = 0;
	v = strtoll(text, &end, 10);
	if (errno != 0 || *end != '\0')
		return E_INVALID_PARAMETER;
	*out = v;
	return E_OK;
}

int
text_to_f64(const char *text, double *out)
{
	size_t plain = strspn(text, "0123456789+-.eE");
	char *end;
	double v;

	/* strtod also knows blanks, hexadecimal, "inf" and "nan": none of them is a number here. */
	if (*text == '\0' || *text == '+' || text[plain] != '\0')
		return E_INVALID_PARAMETER;
	v = strtod(text, &end);
	if (*end != '\0' || !isfinite(v))
		return E_INVALID_PARAMETER;
	*out = v;
	return E_OK;
}

int
text_to_bool(const char *text, int *out)
{
	static const char *const words[] = { "false", "true", "no", "yes", "off", "on", "0", "1" };
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (text_equal_nocase(text, words[i])) {
			*out = (int)(i & 1);
			return E_OK;
		}
	return E_INVALID_PARAMETER;
}

struct text_unit {
	const char *name;
	uint64_t factor;
};

/* Digits off *p into a number; how many there were, or -1 when they are too many. */
static int
text_take_digits(const char **p, uint64_t *out)
{
	int digits = 0;

	for (*out = 0; isdigit((unsigned char)**p); (*p)++) {
		if (++digits > 15)
			return -1;
		*out = *out * 10 + (uint64_t)(**p - '0');
	}
	return digits;
}

/* Digits, optionally a point and digits, then a unit of the list. Whole numbers throughout: 1.001 times
 * 1000 as doubles is not 1001. */
static int
text_to_unit(const char *text, const struct text_unit *units, uint64_t *out)
{
	uint64_t whole, fraction = 0, scale = 1, limit = UINT64_C(1) << 53;
	int digits, places = 0;

	digits = text_take_digits(&text, &whole);
	if (digits > 0 && *text == '.') {
		text++;
		if ((places = text_take_digits(&text, &fraction)) == 0)
			return E_INVALID_PARAMETER;
	}
	if (digits <= 0 || places < 0 || places > 6)
		return E_INVALID_PARAMETER;
	for (; places > 0; places--)
		scale *= 10;
	for (; units->name != NULL; units++) {
		if (!text_equal_nocase(text, units->name))
			continue;
		if (whole > limit / units->factor - 1 || fraction * units->factor % scale != 0)
			return E_INVALID_PARAMETER;
		*out = whole * units->factor + fraction * units->factor / scale;
		return E_OK;
	}
	return E_INVALID_PARAMETER;
}

int
text_to_msec(const char *text, int64_t *out)
{
	static const struct text_unit units[] = { { "", 1000 }, { "ms", 1 }, { "s", 1000 },
		{ "m", 60000 }, { "h", 3600000 }, { "d", 86400000 }, { NULL, 0 } };
	uint64_t v;

	if (text_to_unit(text, units, &v) != E_OK)
		return E_INVALID_PARAMETER;
	*out = (int64_t)v;
	return E_OK;
}

int
text_to_bytes(const char *text, uint64_t *out)
{
	static const struct text_unit units[] = { { "", 1 }, { "b", 1 }, { "k", 1024 },
		{ "m", 1048576 }, { "g", 1073741824 }, { "t", UINT64_C(1) << 40 }, { NULL, 0 } };

	return text_to_unit(text, units, out);
}

/* Length a first byte promises; 0 for one that begins no character. */
static size_t
utf8_promised(unsigned char first)
{
	if (first < 0x80)
		return first != '\0';
	if (first < 0xc2 ||
	    first > 0xf4) /* the middle of one, longer than need be, or beyond the last */
		return 0;
	return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

const char *
text_safe(char *out, size_t size, const char *in)
{
	size_t i;

	for (i = 0; i + 1 < size && in[i] != '\0'; i++)
		out[i] = (char)(in[i] >= 0x20 && in[i] <= 0x7e ? in[i] : '?');
	out[i] = '\0';
	return out;
}

size_t
text_utf8_len(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t len = utf8_promised(p[0]);

	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* Longer than need be, half of a surrogate pair, beyond the last character. */
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

static int
text_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int
text_unescape(char *text, int plus)
{
	char *to = text;
	int high, low;

	for (; *text; text++) {
		if (*text == '+' && plus) {
			*to++ = ' ';
		} else if (*text != '%') {
			*to++ = *text;
		} else {
			if ((high = text_hex(text[1])) < 0 || (low = text_hex(text[2])) < 0)
				return E_INVALID_PARAMETER;
			if ((high | low) == 0)
				return E_INVALID_PARAMETER;
			*to++ = (char)(high * 16 + low);
			text += 2;
		}
	}
	*to = '\0';
	return E_OK;
}

char *
text_split(char **rest, char separator)
{
	char *part = *rest, *end;

	if (part == NULL)
		return NULL;
	end = strchr(part, separator);
	if (end != NULL)
		*end++ = '\0';
	*rest = end;
	return part;
}
