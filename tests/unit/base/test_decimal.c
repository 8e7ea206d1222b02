/* test_decimal.c - numbers leave equal as decimals and no longer than they must be. */
#include "decimal.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t
next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *state ^ *state >> 29;
}

static double
random_double(uint64_t *state)
{
	double d;
	uint64_t bits;

	do {
		bits = next_random(state) ^ next_random(state) << 32;
		memcpy(&d, &bits, sizeof(d));
	} while (!isfinite(d));
	return d;
}

/* The digits that count, without sign, point, exponent and the zeros at either end. */
static size_t
significant(const char *text)
{
	char digits[64];
	size_t n = 0, first = 0;

	for (; *text != '\0' && *text != 'e'; text++)
		if (*text >= '0' && *text <= '9')
			digits[n++] = *text;
	while (n > 0 && digits[n - 1] == '0')
		n--;
	while (first < n && digits[first] == '0')
		first++;
	return n - first;
}

static size_t
shortest(double d)
{
	char text[64];

	for (int precision = 1; precision < 17; precision++) {
		snprintf(text, sizeof(text), "%.*g", precision, d);
		if (strtod(text, NULL) == d)
			return significant(text);
	}
	snprintf(text, sizeof(text), "%.17g", d);
	return significant(text);
}

static void
formats(double d, const char *expected)
{
	char text[DECIMAL_TEXT];
	size_t len = decimal_format(d, text);

	cr_expect_str_eq(text, expected);
	cr_expect_eq(len, strlen(expected));
}

Test(decimal, known_numbers_look_as_people_write_them)
{
	formats(0, "0");
	formats(-0.0, "0");
	formats(1, "1");
	formats(-1.5, "-1.5");
	formats(190.01, "190.01");
	formats(0.1, "0.1");
	formats(0.1 + 0.2, "0.30000000000000004");
	formats(1e20, "100000000000000000000");
	formats(1e21, "1e21");
	formats(123456789012345680000.0, "123456789012345680000");
	formats(1e-7, "0.0000001");
	formats(9.5e-8, "0.000000095");
	formats(1.2345678901234e-8, "1.2345678901234e-8");
	formats(0.00000123456, "0.00000123456");
	formats(3447222699101865076.0, "3447222699101865000");
	formats(5e-324, "5e-324");
	formats(DBL_MAX, "1.7976931348623157e308");
	formats(9007199254740993.0, "9007199254740992");
	formats(67351.123456789, "67351.123456789");
	formats(-1234567.125, "-1234567.125");
}

Test(decimal, what_is_no_number_is_null)
{
	formats(NAN, "null");
	formats(INFINITY, "null");
	formats(-INFINITY, "null");
}

/* The condition first: a million assertions that hold cost more than what they assert. */
static void
check_round_trip(double d)
{
	char text[DECIMAL_TEXT];
	size_t len = decimal_format(d, text);
	const char *digits = text + (text[0] == '-');

	if (len >= DECIMAL_TEXT || len != strlen(text) || strtod(text, NULL) != d)
		cr_assert_fail("%.17g became %s", d, text);
	if (digits[0] < '0' || digits[0] > '9' || text[len - 1] < '0' || text[len - 1] > '9')
		cr_assert_fail("%s is no JSON number", text);
}

Test(decimal, a_million_random_doubles_read_back_to_the_same)
{
	uint64_t state = 42;

	for (int i = 0; i < 1000000; i++)
		check_round_trip(random_double(&state));
}

/* n / 10^places as people write it. */
static void
print_price(uint64_t n, unsigned places, char out[64])
{
	uint64_t scale = 1;

	for (unsigned i = 0; i < places; i++)
		scale *= 10;
	sprintf(out, "%llu.%0*llu", (unsigned long long)(n / scale), (int)places,
	    (unsigned long long)(n % scale));
	if (places == 0)
		*strchr(out, '.') = '\0';
	for (char *end = out + strlen(out); strchr(out, '.') && strchr("0.", end[-1]); end--)
		end[-1] = '\0';
}

Test(decimal, a_million_prices_read_back_to_the_same_text)
{
	uint64_t state = 43;
	char text[DECIMAL_TEXT], printed[64];

	for (int i = 0; i < 1000000; i++) {
		unsigned places = (unsigned)(next_random(&state) % 10);
		uint64_t n = next_random(&state) % UINT64_C(1000000000000000);
		double price;

		print_price(n, places, printed);
		price = strtod(printed, NULL);
		decimal_format(price, text);
		if (strcmp(text, printed) != 0)
			cr_assert_fail("%s became %s", printed, text);
	}
}

Test(decimal, no_shorter_text_reads_back_to_the_same)
{
	uint64_t state = 44;
	char text[DECIMAL_TEXT];

	for (int i = 0; i < 30000; i++) {
		double d =
		    i % 2 ? random_double(&state) : (double)(int64_t)next_random(&state) / 1e13;

		decimal_format(d, text);
		if (significant(text) != shortest(d))
			cr_assert_fail("%.17g became %s", d, text);
	}
}

/* Around powers of two and ten, where neighbours are spaced unevenly. */
Test(decimal, edges_between_powers_read_back_to_the_same)
{
	for (int e = -1070; e < 1023; e++) {
		check_round_trip(ldexp(1, e));
		check_round_trip(nextafter(ldexp(1, e), 0));
		check_round_trip(nextafter(ldexp(1, e), INFINITY));
	}
	for (int e = -320; e < 308; e++) {
		double d = pow(10, e);

		check_round_trip(d);
		check_round_trip(-nextafter(d, 0));
		check_round_trip(nextafter(d, INFINITY));
	}
}
