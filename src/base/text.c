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

/* Digits, optionally a point and digits, then a unit of the list. */
static int
text_to_unit(const char *text, const struct text_unit *units, double *out)
{
	char number[32];
	size_t len = strspn(text, "0123456789.");
	double v;

	if (len == 0 || len >= sizeof(number))
		return E_INVALID_PARAMETER;
	(void)text_copy_n(number, sizeof(number), text, len);
	if (text_to_f64(number, &v) != E_OK)
		return E_INVALID_PARAMETER;
	for (; units->name != NULL; units++)
		if (text_equal_nocase(text + len, units->name)) {
			*out = v * (double)units->factor;
			return E_OK;
		}
	return E_INVALID_PARAMETER;
}

int
text_to_msec(const char *text, int64_t *out)
{
	static const struct text_unit units[] = { { "", 1000 }, { "ms", 1 }, { "s", 1000 },
		{ "m", 60000 }, { "h", 3600000 }, { "d", 86400000 }, { NULL, 0 } };
	double v;

	if (text_to_unit(text, units, &v) != E_OK || v > 9e15 || floor(v) != v)
		return E_INVALID_PARAMETER;
	*out = (int64_t)v;
	return E_OK;
}

int
text_to_bytes(const char *text, uint64_t *out)
{
	static const struct text_unit units[] = { { "", 1 }, { "b", 1 }, { "k", 1024 },
		{ "m", 1048576 }, { "g", 1073741824 }, { "t", UINT64_C(1) << 40 }, { NULL, 0 } };
	double v;

	if (text_to_unit(text, units, &v) != E_OK || v > 9e15 || floor(v) != v)
		return E_INVALID_PARAMETER;
	*out = (uint64_t)v;
	return E_OK;
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
