/* hours.c - the hours of the New York stock market, by the clock on its wall, and where intervals begin. */
#include "hours.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"

#define MINUTE	 (60 * CLOCK_SEC)
#define HOUR	 (60 * MINUTE)
#define SUNDAY	 0
#define SATURDAY 6

static const struct window {
	const char *name;
	int64_t begin, end; /* since midnight on the wall */
} windows[] = {
	[HOURS_ALL] = { "all", 0, CLOCK_DAY },
	[HOURS_EXTENDED] = { "extended", 4 * HOUR, 20 * HOUR },
	[HOURS_REGULAR] = { "regular", 9 * HOUR + 30 * MINUTE, 16 * HOUR },
};

const char *
hours_name(enum hours hours)
{
	return windows[hours].name;
}

/* What the wall shows, as if it were UTC. */
static int64_t
wall_of(int64_t ns)
{
	return ns + clock_new_york_offset(ns) * CLOCK_SEC;
}

static int64_t
floor_of(int64_t ns, int64_t unit)
{
	int64_t rest = ns % unit;

	return ns - rest - (rest < 0 ? unit : 0);
}

/* The first of January 1970 was a Thursday. */
static int
weekday_of(int64_t midnight)
{
	int64_t days = (midnight / CLOCK_DAY + 4) % 7;

	return (int)(days < 0 ? days + 7 : days);
}

bool
hours_contain(enum hours hours, int64_t ns)
{
	int64_t wall, midnight;
	int day;

	if (hours == HOURS_ALL)
		return true;
	wall = wall_of(ns);
	midnight = floor_of(wall, CLOCK_DAY);
	day = weekday_of(midnight);
	return day != SUNDAY && day != SATURDAY && wall - midnight >= windows[hours].begin &&
	       wall - midnight < windows[hours].end;
}

/* Clocks change in the night of a Sunday: from a Friday's close on, what the wall shows next is a Monday, whose own
 * offset counts. */
int64_t
hours_next(enum hours hours, int64_t ns)
{
	int64_t midnight, begin;

	if (hours_contain(hours, ns))
		return ns;
	midnight = floor_of(wall_of(ns), CLOCK_DAY);
	for (;; midnight += CLOCK_DAY) {
		int day = weekday_of(midnight);

		begin = midnight + windows[hours].begin;
		begin -= clock_new_york_offset(begin + 5 * HOUR) * CLOCK_SEC;
		if (day != SUNDAY && day != SATURDAY && begin >= ns)
			return begin;
	}
}

int64_t
hours_end(enum hours hours, int64_t ns)
{
	int64_t wall = wall_of(ns);

	if (hours == HOURS_ALL)
		return INT64_MAX;
	return ns - wall + floor_of(wall, CLOCK_DAY) + windows[hours].end;
}

bool
timeframe_is_intraday(const char *timeframe)
{
	return strstr(timeframe, "Min") != NULL || strstr(timeframe, "Hour") != NULL;
}

bool
timeframe_begins(const char *timeframe, enum asset asset, int64_t ns)
{
	char *unit;
	int64_t n = strtol(timeframe, &unit, 10);

	if (n <= 0)
		return false;
	if (strcmp(unit, "Min") == 0)
		return 60 % n == 0 && ns % (n * MINUTE) == 0;
	if (strcmp(unit, "Hour") == 0)
		return n == 1 && ns % HOUR == 0;
	if (strcmp(unit, "Day") == 0)
		return n == 1 && asset != ASSET_CRYPTO && wall_of(ns) % CLOCK_DAY == 0;
	return false;
}
