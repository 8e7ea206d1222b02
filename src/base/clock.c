/* clock.c - time: nanoseconds inside, RFC 3339 outside. */
#include "clock.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define CLOCK_DATE 11 /* 2024-03-08T, without an end */

static struct {
	bool fake;
	int64_t wall, mono;
} clock_state;

static int64_t
clock_read(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * CLOCK_SEC + t.tv_nsec;
}

int64_t
clock_wall(void)
{
	return clock_state.fake ? clock_state.wall : clock_read(CLOCK_REALTIME);
}

int64_t
clock_mono(void)
{
	return clock_state.fake ? clock_state.mono : clock_read(CLOCK_MONOTONIC);
}

void
clock_fake(int64_t wall, int64_t mono)
{
	clock_state.fake = true;
	clock_state.wall = wall;
	clock_state.mono = mono;
}

void
clock_real(void)
{
	clock_state.fake = false;
}

/* Days between 0000-03-01 and the epoch are 719468; years start in March so that the leap day is the last. */
int64_t
clock_days(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
	       day_of_year - 719468;
}

void
clock_civil(int64_t days, int *year, int *month, int *day)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;

	*day = (int)(doy - (153 * mp + 2) / 5 + 1);
	*month = (int)(mp < 10 ? mp + 3 : mp - 9);
	*year = (int)(yoe + era * 400 + (*month <= 2));
}

static void
clock_split(int64_t ns, int64_t *days, int64_t *ns_of_day)
{
	*days = ns / CLOCK_DAY;
	*ns_of_day = ns % CLOCK_DAY;
	if (*ns_of_day < 0) {
		*ns_of_day += CLOCK_DAY;
		*days -= 1;
	}
}

static char *
clock_digits(char *to, int64_t v, int width)
{
	int i;

	for (i = width - 1; i >= 0; i--, v /= 10)
		to[i] = (char)('0' + v % 10);
	return to + width;
}

/* Times that are written come by the thousand and of one day: each thread keeps the last it wrote. */
static void
clock_date(int64_t days, char out[CLOCK_DATE])
{
	static _Thread_local char text[CLOCK_DATE];
	static _Thread_local int64_t of = INT64_MIN;
	int year, month, day;
	char *p = text;

	if (days != of) {
		clock_civil(days, &year, &month, &day);
		p = clock_digits(p, year, 4);
		*p++ = '-';
		p = clock_digits(p, month, 2);
		*p++ = '-';
		p = clock_digits(p, day, 2);
		*p = 'T';
		of = days;
	}
	memcpy(out, text, CLOCK_DATE);
}

static char *
clock_seconds(int64_t ns, char *p, int64_t *fraction)
{
	int64_t days, rest;

	clock_split(ns, &days, &rest);
	clock_date(days, p);
	p += CLOCK_DATE;
	p = clock_digits(p, rest / (3600 * CLOCK_SEC), 2);
	*p++ = ':';
	p = clock_digits(p, rest / (60 * CLOCK_SEC) % 60, 2);
	*p++ = ':';
	p = clock_digits(p, rest / CLOCK_SEC % 60, 2);
	*fraction = rest % CLOCK_SEC;
	return p;
}

size_t
clock_format(int64_t ns, char out[CLOCK_TEXT])
{
	int64_t fraction;
	char *p = clock_seconds(ns, out, &fraction);
	int width = 9;

	if (fraction != 0) {
		for (; fraction % 10 == 0; fraction /= 10)
			width--;
		*p++ = '.';
		p = clock_digits(p, fraction, width);
	}
	*p++ = 'Z';
	*p = '\0';
	return (size_t)(p - out);
}

size_t
clock_format_ms(int64_t ns, char out[CLOCK_TEXT])
{
	int64_t fraction;
	char *p = clock_seconds(ns, out, &fraction);

	*p++ = '.';
	p = clock_digits(p, fraction / CLOCK_MS, 3);
	*p++ = 'Z';
	*p = '\0';
	return (size_t)(p - out);
}

static int
clock_month_days(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

/* Exactly `width` digits off *p. */
static int
clock_take(const char **p, int width, int *out)
{
	int v = 0;

	for (; width > 0; width--, (*p)++) {
		if (!isdigit((unsigned char)**p))
			return 0;
		v = v * 10 + (**p - '0');
	}
	*out = v;
	return 1;
}

static int
clock_skip(const char **p, char c)
{
	if (**p != c)
		return 0;
	(*p)++;
	return 1;
}

static int
clock_take_date(const char **p, int *year, int *month, int *day)
{
	return clock_take(p, 4, year) && clock_skip(p, '-') && clock_take(p, 2, month) &&
	       clock_skip(p, '-') && clock_take(p, 2, day) && *month >= 1 && *month <= 12 &&
	       *day >= 1 && *day <= clock_month_days(*year, *month);
}

int
clock_parse_date(const char *text, int *year, int *month, int *day)
{
	int y, m, d;

	if (!clock_take_date(&text, &y, &m, &d) || *text != '\0')
		return E_INVALID_DATE_RANGE;
	*year = y;
	*month = m;
	*day = d;
	return E_OK;
}

/* .123456789 into nanoseconds; at least one digit, at most nine. */
static int
clock_take_fraction(const char **p, int64_t *ns)
{
	int64_t v = 0;
	int digits = 0;

	for (; isdigit((unsigned char)**p) && digits < 9; digits++, (*p)++)
		v = v * 10 + (**p - '0');
	if (digits == 0)
		return 0;
	for (; digits < 9; digits++)
		v *= 10;
	*ns = v;
	return 1;
}

static int
clock_take_offset(const char **p, int64_t *seconds)
{
	int sign, hours, minutes;

	if (clock_skip(p, 'Z') || clock_skip(p, 'z')) {
		*seconds = 0;
		return 1;
	}
	sign = **p == '-' ? -1 : 1;
	if (!clock_skip(p, '-') && !clock_skip(p, '+'))
		return 0;
	if (!clock_take(p, 2, &hours) || !clock_skip(p, ':') || !clock_take(p, 2, &minutes))
		return 0;
	*seconds = sign * (hours * 3600 + minutes * 60);
	return hours <= 23 && minutes <= 59;
}

int
clock_parse(const char *text, int64_t *ns)
{
	int year, month, day, hour, minute, second;
	int64_t fraction = 0, offset, seconds;

	if (!clock_take_date(&text, &year, &month, &day) || (*text != 'T' && *text != 't'))
		return E_INVALID_DATE_RANGE;
	text++;
	if (!clock_take(&text, 2, &hour) || !clock_skip(&text, ':') ||
	    !clock_take(&text, 2, &minute) || !clock_skip(&text, ':') ||
	    !clock_take(&text, 2, &second))
		return E_INVALID_DATE_RANGE;
	if (hour > 23 || minute > 59 || second > 60)
		return E_INVALID_DATE_RANGE;
	if (clock_skip(&text, '.') && !clock_take_fraction(&text, &fraction))
		return E_INVALID_DATE_RANGE;
	if (!clock_take_offset(&text, &offset) || *text != '\0')
		return E_INVALID_DATE_RANGE;
	/* Nanoseconds since the epoch fit 64 bits from 1677 to 2262. */
	if (year < 1678 || year > 2261)
		return E_INVALID_DATE_RANGE;
	seconds =
	    clock_days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
	*ns = seconds * CLOCK_SEC + fraction;
	return E_OK;
}

/* Day of the month of the n-th Sunday (from 1), or of the last one (0). */
static int
clock_sunday(int year, int month, int nth)
{
	int64_t first = clock_days(year, month, 1);
	int weekday = (int)(((first % 7) + 7 + 4) % 7); /* the epoch was a Thursday */
	int day = 1 + (7 - weekday) % 7;

	if (nth == 0)
		return day + 7 * ((clock_month_days(year, month) - day) / 7);
	return day + 7 * (nth - 1);
}

/* Summer time: second Sunday of March to first of November since 2007, before that first (last until 1986)
 * Sunday of April to last of October. Changes are at 02:00 local time. */
int
clock_new_york_offset(int64_t ns)
{
	int64_t days, rest, begin, end;
	int year, month, day;

	clock_split(ns, &days, &rest);
	clock_civil(days, &year, &month, &day);
	if (year >= 2007) {
		begin = clock_days(year, 3, clock_sunday(year, 3, 2));
		end = clock_days(year, 11, clock_sunday(year, 11, 1));
	} else {
		begin = clock_days(year, 4, clock_sunday(year, 4, year >= 1987 ? 1 : 0));
		end = clock_days(year, 10, clock_sunday(year, 10, 0));
	}
	begin = begin * CLOCK_DAY + 7 * 3600 * CLOCK_SEC;
	end = end * CLOCK_DAY + 6 * 3600 * CLOCK_SEC;
	return ns >= begin && ns < end ? -4 * 3600 : -5 * 3600;
}
