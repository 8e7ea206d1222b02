/* decimal.c - doubles as decimals: shortest text that reads back as the same double.
 *
 * Prices have few digits. If rounding d * 10^k gives an integer below 2^53 whose quotient by 10^k is d
 * again, then that integer with the point moved k places reads back as d: both operands of the division are
 * exact, so it rounds as a correct reader would. The first such k has the fewest digits. What is left
 * (about one real number in a million here) goes through printf with growing precision.
 */
#include "decimal.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLACES_MAX 15

static const double decimal_powers[PLACES_MAX + 1] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8,
	1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15 };

/* Writes digits with the point `places` from the right. */
static size_t
decimal_place(uint64_t digits, int places, int negative, char *out)
{
	char text[DECIMAL_TEXT], *end = text + sizeof(text), *at = end;
	size_t len;

	if (places > 0) {
		for (; places > 0; places--, digits /= 10)
			*--at = (char)('0' + digits % 10);
		*--at = '.';
	}
	do
		*--at = (char)('0' + digits % 10);
	while ((digits /= 10) != 0);
	if (negative)
		*--at = '-';
	len = (size_t)(end - at);
	memcpy(out, at, len);
	out[len] = '\0';
	return len;
}

/* As nearbyint() does it, without a call: behind 2^52 doubles have no fraction, so that the sum is rounded to an
 * integer, to the even one of two. */
static double
decimal_whole(double v)
{
	return v < 4503599627370496.0 ? v + 4503599627370496.0 - 4503599627370496.0 : v;
}

static int
decimal_quick(double d, char *out, size_t *len)
{
	double a = fabs(d), scaled, whole;
	int k;

	for (k = 0; k <= PLACES_MAX; k++) {
		scaled = a * decimal_powers[k];
		if (scaled >= 9007199254740992.0)
			return 0;
		whole = decimal_whole(scaled);
		/* One that far off cannot be it, which spares the division: scaled is within 2^-53 of it, and so
		 * is the quotient. */
		if (fabs(scaled - whole) > scaled * 0x1p-50)
			continue;
		if (whole / decimal_powers[k] == a) {
			*len = decimal_place((uint64_t)whole, k, signbit(d) && a != 0, out);
			return 1;
		}
	}
	return 0;
}

/* printf's %e turned into plain notation where JavaScript would do the same. */
static size_t
decimal_plain(const char *text, char *out)
{
	char digits[DECIMAL_TEXT];
	const char *p = text, *e = strchr(text, 'e');
	int exponent = atoi(e + 1), negative = *p == '-', i;
	size_t count = 0, len = 0;

	for (p += negative; p < e; p++)
		if (*p != '.')
			digits[count++] = *p;
	while (count > 1 && digits[count - 1] == '0')
		count--;
	if (negative)
		out[len++] = '-';
	if (exponent < 0) {
		len += (size_t)sprintf(out + len, "0.");
		for (i = -1; i > exponent; i--)
			out[len++] = '0';
		memcpy(out + len, digits, count);
		len += count;
	} else {
		for (i = 0; i <= exponent; i++)
			out[len++] = (size_t)i < count ? digits[i] : '0';
		if (count > (size_t)exponent + 1) {
			out[len++] = '.';
			memcpy(out + len, digits + exponent + 1, count - (size_t)exponent - 1);
			len += count - (size_t)exponent - 1;
		}
	}
	out[len] = '\0';
	return len;
}

/* 2.5e-10, not 2.500000000000000e-10: trailing zeros of the mantissa and of the exponent go. */
static size_t
decimal_scientific(const char *text, char *out)
{
	const char *e = strchr(text, 'e');
	size_t mantissa = (size_t)(e - text);

	if (memchr(text, '.', mantissa) != NULL) {
		while (text[mantissa - 1] == '0')
			mantissa--;
		if (text[mantissa - 1] == '.')
			mantissa--;
	}
	return (size_t)sprintf(out, "%.*se%d", (int)mantissa, text, atoi(e + 1));
}

size_t
decimal_format(double d, char out[DECIMAL_TEXT])
{
	char text[DECIMAL_TEXT];
	double a = fabs(d);
	size_t len;
	int precision;

	if (!isfinite(d)) {
		memcpy(out, "null", 5);
		return 4;
	}
	if (decimal_quick(d, out, &len))
		return len;
	/* Any 15 digits survive a normal double, so that 15 are printed first and their zeros cut; the
	 * numbers below hold fewer digits the smaller they are. */
	for (precision = a < DBL_MIN ? 0 : 14; precision <= 16; precision++) {
		snprintf(text, sizeof(text), "%.*e", precision, d);
		if (strtod(text, NULL) == d)
			break;
	}
	return a >= 1e-7 && a < 1e21 ? decimal_plain(text, out) : decimal_scientific(text, out);
}
