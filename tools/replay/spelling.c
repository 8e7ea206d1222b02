/* spelling.c - how symbols, timeframes and numbers are spelled upstream. */
#include "spelling.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "market_day.h"

#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static bool
is_stock(const char *s)
{
	size_t letters = strspn(s, UPPER);

	if (letters == 0 || letters > 8)
		return false;
	for (s += letters; *s == '.'; s += letters) {
		letters = strspn(++s, UPPER);
		if (letters == 0 || letters > 4)
			return false;
	}
	return *s == '\0';
}

static bool
is_crypto(const char *s)
{
	size_t base = strspn(s, UPPER DIGITS);
	size_t quote;

	if (base == 0 || base > 12 || s[base] != '/')
		return false;
	quote = strspn(s + base + 1, UPPER DIGITS);
	return quote > 0 && quote <= 12 && s[base + 1 + quote] == '\0';
}

bool
symbol_is_well_formed(enum market market, const char *symbol)
{
	struct contract_facts facts;

	if (strlen(symbol) >= SYMBOL_TEXT)
		return false;
	switch (market) {
	case MARKET_STOCK:
		return is_stock(symbol);
	case MARKET_CRYPTO:
		return is_crypto(symbol);
	default:
		return contract_read(symbol, &facts);
	}
}

/* Root of 1-6 starting with a letter, YYMMDD that exists, C or P, strike x 1000 in 8 digits. */
bool
contract_read(const char *s, struct contract_facts *out)
{
	size_t len = strlen(s), root, underlying;
	struct contract_facts f = { .is_call = false };
	int year, month, day;

	if (len < 16 || len > 21)
		return false;
	root = len - 15;
	if (!isupper((unsigned char)s[0]) || strspn(s, UPPER DIGITS) < root ||
	    strspn(s + root, DIGITS) != 6 || strspn(s + root + 7, DIGITS) != 8)
		return false;
	if (s[root + 6] != 'C' && s[root + 6] != 'P')
		return false;
	memcpy(f.root, s, root);
	/* An adjusted contract's root ends in a digit that its underlying has not: AAPL1. */
	underlying = strspn(f.root, UPPER);
	memcpy(f.underlying, f.root, underlying);
	snprintf(f.expiration, sizeof(f.expiration), "20%.2s-%.2s-%.2s", s + root, s + root + 2,
	    s + root + 4);
	if (clock_parse_date(f.expiration, &year, &month, &day) != E_OK)
		return false;
	f.is_call = s[root + 6] == 'C';
	f.strike_thousandths = strtoll(s + root + 7, NULL, 10);
	*out = f;
	return true;
}

struct unit {
	const char *text, *name; /* as asked, as answered */
	const char *counts;	 /* those allowed; null: 1 to `max` */
	int max;
};

static const struct unit units[] = {
	{ "Min", "Min", NULL, 59 },
	{ "T", "Min", NULL, 59 },
	{ "Hour", "Hour", NULL, 23 },
	{ "H", "Hour", NULL, 23 },
	{ "Day", "Day", NULL, 1 },
	{ "D", "Day", NULL, 1 },
	{ "Week", "Week", NULL, 1 },
	{ "W", "Week", NULL, 1 },
	{ "Month", "Month", " 1 2 3 4 6 12 ", 12 },
	{ "M", "Month", " 1 2 3 4 6 12 ", 12 },
};

static bool
unit_takes(const struct unit *u, int count)
{
	char text[8];

	snprintf(text, sizeof(text), " %d ", count);
	return count >= 1 && count <= u->max &&
	       (u->counts == NULL || strstr(u->counts, text) != NULL);
}

bool
timeframe_read(const char *s, char out[TIMEFRAME_TEXT])
{
	size_t digits = strspn(s, DIGITS), i;
	int count;

	if (digits < 1 || digits > 2 || s[0] == '0')
		return false;
	count = (int)strtol(s, NULL, 10);
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(s + digits, units[i].text) == 0 && unit_takes(&units[i], count)) {
			snprintf(out, TIMEFRAME_TEXT, "%d%s", count, units[i].name);
			return true;
		}
	return false;
}

static int64_t
month_end(int64_t start, int months)
{
	int64_t local = session_day(start);
	int year, month, day;

	clock_civil(local, &year, &month, &day);
	month += months;
	year += (month - 1) / 12;
	return session_instant(clock_days(year, (month - 1) % 12 + 1, 1), 0);
}

int64_t
timeframe_end(const char *timeframe, enum market market, int64_t start)
{
	char *unit;
	long count = strtol(timeframe, &unit, 10);

	if (strcmp(unit, "Min") == 0)
		return start + count * 60 * CLOCK_SEC;
	if (strcmp(unit, "Hour") == 0)
		return start + count * 3600 * CLOCK_SEC;
	if (strcmp(unit, "Week") == 0)
		return start + 7 * CLOCK_DAY;
	if (strcmp(unit, "Month") == 0)
		return month_end(start, (int)count);
	return market == MARKET_STOCK ? session_close_of(session_day(start)) : start + CLOCK_DAY;
}

/* Copies the decimal without the zeros that say nothing: 29.50 is 29.5, 030 stays refused. */
static bool
number_copy(const char *s, char out[NUMBER_TEXT])
{
	size_t sign = *s == '-';
	size_t whole = strspn(s + sign, DIGITS);
	size_t end = sign + whole;

	if (whole == 0 || (whole > 1 && s[sign] == '0'))
		return false;
	if (s[end] == '.') {
		if (strspn(s + end + 1, DIGITS) == 0)
			return false;
		end += 1 + strspn(s + end + 1, DIGITS);
	}
	if (s[end] != '\0' || end >= NUMBER_TEXT)
		return false;
	memcpy(out, s, end);
	if (memchr(out, '.', end) != NULL)
		while (out[end - 1] == '0')
			end--;
	if (out[end - 1] == '.')
		end--;
	out[end] = '\0';
	return true;
}

bool
number_read(const char *s, enum number sort, char out[NUMBER_TEXT])
{
	char text[NUMBER_TEXT];

	if (!number_copy(s, text))
		return false;
	if (sort != NUMBER_SIGNED && text[0] == '-')
		return false;
	if (sort == NUMBER_PRICE && strpbrk(text, "123456789") == NULL)
		return false;
	if (sort == NUMBER_WHOLE && (strchr(text, '.') != NULL || strlen(text) > 19))
		return false;
	memcpy(out, text, sizeof(text));
	return true;
}

void
number_of_ten_thousandths(uint64_t v, char out[NUMBER_TEXT])
{
	int len = snprintf(out, NUMBER_TEXT, "%llu.%04llu", (unsigned long long)(v / 10000),
	    (unsigned long long)(v % 10000));

	while (out[len - 1] == '0')
		len--;
	if (out[len - 1] == '.')
		len--;
	out[len] = '\0';
}
