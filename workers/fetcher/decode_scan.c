/* decode_scan.c - a look over a body before the JSON library sees it.
 *
 * Two things the library does not do. It bounds neither nesting nor the memory a small body can ask for: an
 * empty array is two bytes here and a hundred there. And it bends numbers: an integer beyond int64 fails the
 * whole body, a decimal of more digits than a double holds is rounded in silence. Such numbers are rare (trade
 * ids beyond 2^63) and are put in quotes behind a mark nobody outside can know; the reader of an id takes them
 * from there, the reader of a price refuses them.
 */
#include "decode.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "decimal.h"

#define INTEGER_DIGITS 18 /* any of so many digits fits an int64 */
#define EXACT_DIGITS   15 /* any decimal of so many digits survives a double */
#define EXPONENT_MAX   100000
#define NUMBER_MAX     512 /* longest number that is looked at */

/* A decimal taken apart: 0.d1d2d3... times ten to the power of `point`. */
struct number {
	const char *text;
	size_t len;
	size_t digits; /* significant ones */
	long point;
	bool is_integer; /* written without point and exponent */
	bool negative;
};

static int
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* What follows the letter. An absurd one ends up far outside of what a double reaches, whatever its figure. */
static int
exponent_read(const char *s, size_t len, long *out)
{
	size_t i = len > 0 && (s[0] == '-' || s[0] == '+');
	long v = 0;

	if (i == len)
		return 0;
	for (; i < len; i++) {
		if (!is_digit(s[i]))
			return 0;
		if (v < EXPONENT_MAX)
			v = v * 10 + (s[i] - '0');
	}
	*out = s[0] == '-' ? -v : v;
	return 1;
}

/* The grammar of JSON; 0 when it is not a number of it. */
static int
number_read(const char *s, size_t len, struct number *n)
{
	size_t i = 0, whole, fraction = 0, leading = 0, trailing = 0;
	bool started = false;
	long exponent = 0;

	*n = (struct number){ .text = s, .len = len, .is_integer = true };
	if (i < len && s[i] == '-')
		n->negative = true, i++;
	for (whole = i; i < len && is_digit(s[i]); i++)
		;
	if (i == whole || (s[whole] == '0' && i - whole > 1))
		return 0;
	whole = i - whole;
	if (i < len && s[i] == '.') {
		n->is_integer = false;
		for (i++; i < len && is_digit(s[i]); i++)
			fraction++;
		if (fraction == 0)
			return 0;
	}
	for (size_t k = 0; k < i; k++) {
		if (!is_digit(s[k]))
			continue;
		started = started || s[k] != '0';
		leading += !started;
		trailing = s[k] == '0' ? trailing + 1 : 0;
	}
	if (i < len && (s[i] == 'e' || s[i] == 'E')) {
		n->is_integer = false;
		if (!exponent_read(s + i + 1, len - i - 1, &exponent))
			return 0;
		i = len;
	}
	n->digits = started ? whole + fraction - leading - trailing : 0;
	n->point = started ? (long)whole - (long)leading + exponent : 0;
	return i == len;
}

/* Significant digits are equal and stand at the same place. */
int
decode_same_number(const char *a, size_t a_len, const char *b, size_t b_len)
{
	struct number x, y;
	const char *p, *q;

	if (!number_read(a, a_len, &x) || !number_read(b, b_len, &y))
		return 0;
	if (x.digits != y.digits || x.point != y.point)
		return 0;
	if (x.digits == 0)
		return 1;
	for (p = a; !is_digit(*p) || *p == '0'; p++)
		;
	for (q = b; !is_digit(*q) || *q == '0'; q++)
		;
	for (size_t left = x.digits; left > 0; left--, p++, q++) {
		p += *p == '.';
		q += *q == '.';
		if (*p != *q)
			return 0;
	}
	return x.negative == y.negative;
}

/* Whether reading it as int64 or double and writing it again gives the same decimal. */
static int
number_survives(const struct number *n)
{
	char copy[NUMBER_MAX], again[DECIMAL_TEXT];
	double d;

	if (n->is_integer)
		return n->len - n->negative <= INTEGER_DIGITS;
	if (n->digits <= EXACT_DIGITS && n->point > -290 && n->point < 290)
		return 1;
	memcpy(copy, n->text, n->len);
	copy[n->len] = '\0';
	d = strtod(copy, NULL);
	return isfinite(d) && decode_same_number(copy, n->len, again, decimal_format(d, again));
}

static int
number_copy(const char *s, size_t len, const char *mark, struct buf *out)
{
	struct number n;
	int r;

	if (len < NUMBER_MAX && (!number_read(s, len, &n) || number_survives(&n)))
		return buf_add(out, s, len);
	if ((r = buf_add_text(out, "\"")) == E_OK && (r = buf_add_text(out, mark)) == E_OK &&
	    (r = buf_add(out, s, len)) == E_OK)
		r = buf_add_text(out, "\"");
	return r;
}

/* Bytes up to the end of the string that begins at s[0]. */
static size_t
string_length(const char *s, size_t len)
{
	size_t i;

	for (i = 1; i < len && s[i] != '"'; i++)
		i += s[i] == '\\';
	return i < len ? i + 1 : len;
}

static size_t
number_length(const char *s, size_t len)
{
	size_t i = 0;

	while (i < len && (is_digit(s[i]) || strchr("+-.eE", s[i]) != NULL) && s[i] != '\0')
		i++;
	return i;
}

/* Neither a number nor a string: up to the next of them. Keeps count of nesting and members. */
static size_t
structure_length(const char *s, size_t len, int *depth, size_t *values, const char **why)
{
	size_t i;

	for (i = 0; i < len && s[i] != '"' && s[i] != '-' && !is_digit(s[i]); i++) {
		if (s[i] == '{' || s[i] == '[')
			++*depth, ++*values;
		else if (s[i] == '}' || s[i] == ']')
			--*depth;
		else if (s[i] == ',')
			++*values;
		if (*depth > DECODE_DEPTH)
			*why = "the body is nested too deeply";
		if (*values > DECODE_VALUES_MAX)
			*why = "the body has too many members";
	}
	return i;
}

int
decode_scan(const uint8_t *body, size_t len, const char *mark, struct buf *out, const char **why)
{
	const char *s = (const char *)body, *fault = NULL;
	size_t values = 0, n;
	int depth = 0, r = E_OK;

	while (len > 0 && r == E_OK && fault == NULL) {
		if (*s == '"') {
			n = string_length(s, len);
			r = buf_add(out, s, n);
		} else if (*s == '-' || is_digit(*s)) {
			n = number_length(s, len);
			r = number_copy(s, n, mark, out);
		} else {
			n = structure_length(s, len, &depth, &values, &fault);
			r = buf_add(out, s, n);
		}
		s += n;
		len -= n;
	}
	if (r != E_OK)
		fault = "the body is too large";
	if (fault == NULL)
		return E_OK;
	*why = fault;
	return E_DATA_VALIDATION_ERROR;
}
