/* symbol.c - stock, crypto and option symbols and timeframes: grammar only, no lookup. */
#include "symbol.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

#define STOCK_ROOT_MAX	  5
#define STOCK_SUFFIX_MAX  4
#define CRYPTO_PART_MAX	  10
#define OPTION_ROOT_MAX	  6
#define OPTION_DATE_LEN	  6
#define OPTION_STRIKE_LEN 8
#define OPTION_TAIL	  (OPTION_DATE_LEN + 1 + OPTION_STRIKE_LEN)

/* ASCII only, whatever the locale says. */
static bool
is_letter(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Upper-cased copy; a text that does not fit is no symbol. */
static int
symbol_fold(const char *in, char out[SYMBOL_MAX])
{
	size_t len = strnlen(in, SYMBOL_MAX);

	if (len == 0 || len == SYMBOL_MAX)
		return E_INVALID_SYMBOL_FORMAT;
	for (size_t i = 0; i < len; i++)
		out[i] = (char)(in[i] >= 'a' && in[i] <= 'z' ? in[i] - 'a' + 'A' : in[i]);
	out[len] = '\0';
	return E_OK;
}

static size_t
letters_span(const char *s)
{
	size_t n = 0;

	while (is_letter(s[n]))
		n++;
	return n;
}

int
symbol_stock(const char *in, char out[SYMBOL_MAX])
{
	char s[SYMBOL_MAX] = "";
	size_t n, suffix;
	int r;

	if ((r = symbol_fold(in, s)) != E_OK)
		return r;
	n = letters_span(s);
	if (n == 0 || n > STOCK_ROOT_MAX)
		return E_INVALID_SYMBOL_FORMAT;
	if (s[n] == '.') {
		suffix = letters_span(s + n + 1);
		if (suffix == 0 || suffix > STOCK_SUFFIX_MAX)
			return E_INVALID_SYMBOL_FORMAT;
		n += 1 + suffix;
	}
	if (s[n] != '\0')
		return E_INVALID_SYMBOL_FORMAT;
	memcpy(out, s, n + 1);
	return E_OK;
}

/* One half of a pair: letters and digits (1INCH), at least one letter. 0 when it is not one. */
static size_t
crypto_part_span(const char *s)
{
	size_t n = 0, letters = 0;

	for (; is_letter(s[n]) || is_digit(s[n]); n++)
		letters += is_letter(s[n]);
	return letters > 0 && n <= CRYPTO_PART_MAX ? n : 0;
}

int
symbol_crypto(const char *in, char out[SYMBOL_MAX])
{
	char s[SYMBOL_MAX] = "";
	size_t base, quote;
	int r;

	if ((r = symbol_fold(in, s)) != E_OK)
		return r;
	base = crypto_part_span(s);
	if (base == 0 || (s[base] != '-' && s[base] != '/'))
		return E_INVALID_SYMBOL_FORMAT;
	quote = crypto_part_span(s + base + 1);
	if (quote == 0 || s[base + 1 + quote] != '\0')
		return E_INVALID_SYMBOL_FORMAT;
	s[base] = '/';
	memcpy(out, s, base + 1 + quote + 1);
	return E_OK;
}

static bool
digits_only(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!is_digit(s[i]))
			return false;
	return true;
}

/* YYMMDD as YYYY-MM-DD; the day must exist. Listed options are of this century. */
static int
contract_date(const char *yymmdd, char out[12])
{
	int year, month, day;

	if (!digits_only(yymmdd, OPTION_DATE_LEN))
		return E_INVALID_SYMBOL_FORMAT;
	(void)snprintf(out, 12, "20%.2s-%.2s-%.2s", yymmdd, yymmdd + 2, yymmdd + 4);
	if (clock_parse_date(out, &year, &month, &day) != E_OK)
		return E_INVALID_SYMBOL_FORMAT;
	return E_OK;
}

static bool
option_root_is_valid(const char *s, size_t len)
{
	if (len == 0 || len > OPTION_ROOT_MAX || !is_letter(s[0]))
		return false;
	for (size_t i = 1; i < len; i++)
		if (!is_letter(s[i]) && !is_digit(s[i]))
			return false;
	return true;
}

/* The one reader of OCC names. The underlying is the root without the digit that marks an adjusted or
 * mini contract: AAPL1 and AAPL7 are delivered in AAPL. */
static int
contract_parse(const char *folded, struct contract *c)
{
	size_t len = strlen(folded), root, strike = 0;
	const char *tail;

	if (len <= OPTION_TAIL)
		return E_INVALID_SYMBOL_FORMAT;
	root = len - OPTION_TAIL;
	tail = folded + root;
	if (!option_root_is_valid(folded, root) ||
	    (tail[OPTION_DATE_LEN] != 'C' && tail[OPTION_DATE_LEN] != 'P') ||
	    !digits_only(tail + OPTION_DATE_LEN + 1, OPTION_STRIKE_LEN) ||
	    contract_date(tail, c->expiration) != E_OK)
		return E_INVALID_SYMBOL_FORMAT;
	for (size_t i = 0; i < OPTION_STRIKE_LEN; i++)
		strike = strike * 10 + (size_t)(tail[OPTION_DATE_LEN + 1 + i] - '0');
	while (is_digit(folded[root - 1]))
		root--;
	memcpy(c->underlying, folded, root);
	c->underlying[root] = '\0';
	c->is_call = tail[OPTION_DATE_LEN] == 'C';
	c->strike = (double)strike / 1000.0;
	return E_OK;
}

int
symbol_option(const char *in, char out[SYMBOL_MAX])
{
	char s[SYMBOL_MAX] = "";
	struct contract c;
	int r;

	if ((r = symbol_fold(in, s)) != E_OK || (r = contract_parse(s, &c)) != E_OK)
		return r;
	memcpy(out, s, strlen(s) + 1);
	return E_OK;
}

int
symbol_contract(const char *option, struct contract *contract)
{
	char s[SYMBOL_MAX] = "";
	struct contract c = { .is_call = 0 };
	int r;

	if ((r = symbol_fold(option, s)) != E_OK || (r = contract_parse(s, &c)) != E_OK)
		return r;
	*contract = c;
	return E_OK;
}

/* Alpaca's grammar; case matters, since M is a month and nobody says which minute `m` would be. */
static const struct timeframe_unit {
	const char *spelling;
	const char *name;
	unsigned max;
	bool divides_max; /* months: only what a year is made of */
} timeframe_units[] = {
	{ "Min", "Min", 59, false },
	{ "T", "Min", 59, false },
	{ "Hour", "Hour", 23, false },
	{ "H", "Hour", 23, false },
	{ "Day", "Day", 1, false },
	{ "D", "Day", 1, false },
	{ "Week", "Week", 1, false },
	{ "W", "Week", 1, false },
	{ "Month", "Month", 12, true },
	{ "M", "Month", 12, true },
};

static bool
timeframe_fits(const struct timeframe_unit *u, unsigned n)
{
	return n > 0 && n <= u->max && (!u->divides_max || u->max % n == 0);
}

int
timeframe_parse(const char *in, char out[12])
{
	unsigned n = 0;
	size_t i = 0;

	for (; i < 2 && is_digit(in[i]); i++)
		n = n * 10 + (unsigned)(in[i] - '0');
	if (i == 0 || in[0] == '0')
		return E_INVALID_PARAMETER;
	for (size_t u = 0; u < sizeof(timeframe_units) / sizeof(timeframe_units[0]); u++) {
		if (strcmp(in + i, timeframe_units[u].spelling) != 0)
			continue;
		if (!timeframe_fits(&timeframe_units[u], n))
			return E_INVALID_PARAMETER;
		(void)snprintf(out, 12, "%u%s", n, timeframe_units[u].name);
		return E_OK;
	}
	return E_INVALID_PARAMETER;
}

int64_t
timeframe_ns(const char *text)
{
	char *unit;
	int64_t n = strtol(text, &unit, 10);

	n = n > 0 && n < 1000 ? n : 1;
	if (unit[0] == 'H')
		return n * 3600 * CLOCK_SEC;
	if (unit[0] == 'D')
		return n * CLOCK_DAY;
	if (unit[0] == 'W')
		return n * 7 * CLOCK_DAY;
	return strcmp(unit, "M") == 0 || strncmp(unit, "Mo", 2) == 0 ? n * 31 * CLOCK_DAY
								     : n * 60 * CLOCK_SEC;
}
