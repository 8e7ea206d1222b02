/* query.c - the name=value pairs of a query. */
#include "http.h"

#include <string.h>

static int
query_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The escape at `from`, which is two digits, inside `left` bytes, and not NUL. */
static int
query_unescape(const char *from, size_t left, char *out)
{
	int high, low;

	if (left < 3 || (high = query_hex(from[1])) < 0 || (low = query_hex(from[2])) < 0 ||
	    (high | low) == 0)
		return E_INVALID_PARAMETER;
	*out = (char)(high << 4 | low);
	return E_OK;
}

/* Bounded by what comes out, not by how it was spelled. */
static int
query_take(const char *from, size_t len, char *to, size_t size)
{
	size_t i, n = 0;

	for (i = 0; i < len; i++) {
		if (n + 1 >= size)
			return E_INVALID_PARAMETER;
		to[n] = from[i] == '+' ? ' ' : from[i];
		if (from[i] == '%') {
			if (query_unescape(from + i, len - i, &to[n]) != E_OK)
				return E_INVALID_PARAMETER;
			i += 2;
		}
		n++;
	}
	to[n] = '\0';
	return E_OK;
}

int
http_query_next(const char **at, char *name, size_t name_size, char *value, size_t value_size)
{
	const char *pair = *at + strspn(*at, "&");
	size_t len = strcspn(pair, "&");
	size_t name_len = strcspn(pair, "=&");
	size_t skip = name_len < len ? 1 : 0;
	int e;

	if (len == 0)
		return 0;
	if ((e = query_take(pair, name_len, name, name_size)) != E_OK)
		return e;
	e = query_take(pair + name_len + skip, len - name_len - skip, value, value_size);
	if (e != E_OK)
		return e;
	*at = pair + len;
	return 1;
}
