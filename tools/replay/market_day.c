/* market_day.c - when the New York stock market is open, and the time a recording is told at.
 *
 * Holidays follow the exchange's rules rather than a list, so that any recorded year has them;
 * closures nobody could know in advance are listed. Rules before 1998 are not covered: recordings
 * begin later.
 */
#include "market_day.h"

#include <stdio.h>
#include <string.h>

#define OPENS  ((9 * 60 + 30) * 60 * CLOCK_SEC)
#define CLOSES (16 * 3600 * CLOCK_SEC)
#define EARLY  (13 * 3600 * CLOCK_SEC)

struct date {
	int year, month, day;
};

/* Days the exchange stayed shut for mourning, attack or storm. */
static const struct date closures[] = { { 2001, 9, 11 }, { 2001, 9, 12 }, { 2001, 9, 13 },
	{ 2001, 9, 14 }, { 2004, 6, 11 }, { 2007, 1, 2 }, { 2012, 10, 29 }, { 2012, 10, 30 },
	{ 2018, 12, 5 }, { 2025, 1, 9 } };

/* 0 is Sunday; 1970-01-01 was a Thursday. */
static int
weekday(int64_t day)
{
	return (int)(((day + 4) % 7 + 7) % 7);
}

int64_t
session_day(int64_t ns)
{
	int64_t local = ns + clock_new_york_offset(ns) * CLOCK_SEC;

	return local >= 0 ? local / CLOCK_DAY : -((-local + CLOCK_DAY - 1) / CLOCK_DAY);
}

int64_t
session_instant(int64_t day, int64_t ns_of_day)
{
	int64_t local = day * CLOCK_DAY + ns_of_day;
	int64_t guess = local + 5 * 3600 * CLOCK_SEC;

	/* Off by an hour in summer at worst; the switch happens at 02:00 on Sundays, so one look
	 * is enough. */
	return local - clock_new_york_offset(guess) * CLOCK_SEC;
}

/* The n-th weekday of a month. */
static int64_t
nth(int year, int month, int wanted, int n)
{
	int64_t first = clock_days(year, month, 1);

	return first + (wanted - weekday(first) + 7) % 7 + 7 * (n - 1);
}

static int64_t
last_monday(int year, int month)
{
	int64_t day = clock_days(year, month, 31);

	while (weekday(day) != 1)
		day--;
	return day;
}

/* Gregorian Easter Sunday, by Lichtenberg's form of Gauss's formula; a date counted from the
 * first of March. */
static int64_t
easter(int year)
{
	int century = year / 100;
	int moon_shift = 15 + (3 * century + 3) / 4 - (8 * century + 13) / 25;
	int sun_shift = 2 - (3 * century + 3) / 4;
	int golden = year % 19;
	int seed = (19 * golden + moon_shift) % 30;
	int full_moon = 21 + seed - (seed + golden / 11) / 29;
	int first_sunday = 7 - (year + year / 4 + sun_shift) % 7;

	return clock_days(year, 3, full_moon + 7 - (full_moon - first_sunday) % 7);
}

/* A holiday of fixed date moves off the weekend: Saturday to Friday, Sunday to Monday. */
static bool
is_observed(int64_t day, int64_t holiday)
{
	switch (weekday(holiday)) {
	case 0:
		return day == holiday + 1;
	case 6:
		return day == holiday - 1;
	default:
		return day == holiday;
	}
}

static bool
is_fixed_holiday(int64_t day, int year)
{
	int64_t new_year = clock_days(year, 1, 1);

	/* New Year's Day on a Saturday is not made up for: the last day of the year is for the
	 * books. */
	if (weekday(new_year) != 6 && is_observed(day, new_year))
		return true;
	if (year >= 2022 && is_observed(day, clock_days(year, 6, 19)))
		return true;
	return is_observed(day, clock_days(year, 7, 4)) ||
	       is_observed(day, clock_days(year, 12, 25));
}

static bool
is_closure(const struct date *d)
{
	size_t i;

	for (i = 0; i < sizeof(closures) / sizeof(closures[0]); i++)
		if (closures[i].year == d->year && closures[i].month == d->month &&
		    closures[i].day == d->day)
			return true;
	return false;
}

bool
session_is_trading_day(int64_t day)
{
	struct date d;

	if (weekday(day) == 0 || weekday(day) == 6)
		return false;
	clock_civil(day, &d.year, &d.month, &d.day);
	if (is_fixed_holiday(day, d.year) || is_closure(&d))
		return false;
	return day != nth(d.year, 1, 1, 3) && day != nth(d.year, 2, 1, 3) &&
	       day != easter(d.year) - 2 && day != last_monday(d.year, 5) &&
	       day != nth(d.year, 9, 1, 1) && day != nth(d.year, 11, 4, 4);
}

static bool
closes_early(int64_t day)
{
	struct date d;

	clock_civil(day, &d.year, &d.month, &d.day);
	return day == nth(d.year, 11, 4, 4) + 1 || (d.month == 12 && d.day == 24) ||
	       (d.month == 7 && d.day == 3);
}

int64_t
session_open_of(int64_t day)
{
	return session_instant(day, OPENS);
}

int64_t
session_close_of(int64_t day)
{
	return session_instant(day, closes_early(day) ? EARLY : CLOSES);
}

bool
session_is_open(int64_t ns)
{
	int64_t day = session_day(ns);

	return session_is_trading_day(day) && ns >= session_open_of(day) &&
	       ns < session_close_of(day);
}

int64_t
session_next_open(int64_t ns)
{
	int64_t day = session_day(ns);

	while (!session_is_trading_day(day) || session_open_of(day) <= ns)
		day++;
	return session_open_of(day);
}

int64_t
session_next_close(int64_t ns)
{
	int64_t day = session_day(ns);

	while (!session_is_trading_day(day) || session_close_of(day) <= ns)
		day++;
	return session_close_of(day);
}

void
session_format(int64_t ns, char out[CLOCK_TEXT])
{
	int offset = clock_new_york_offset(ns);
	size_t len = clock_format(ns + offset * CLOCK_SEC, out);

	/* New York is always west of Greenwich, by whole hours. */
	snprintf(out + len - 1, CLOCK_TEXT - len + 1, "-%02d:00", (-offset / 3600) % 24);
}

int64_t
story_now(const struct story *s, int64_t mono)
{
	double told = (double)(mono - s->began_mono) * s->speed;
	int64_t length = s->end - s->start;

	if (s->speed <= 0 || length <= 0 || told <= 0)
		return s->start;
	if (told < (double)length)
		return s->start + (int64_t)told;
	if (!s->loops)
		return s->end;
	return s->start +
	       (int64_t)(told - (double)length * (double)(int64_t)(told / (double)length));
}
