/* hours.h - the hours of the New York stock market, by the clock on its wall, and where intervals begin. */
#ifndef HOURS_H
#define HOURS_H
#include <stdbool.h>
#include <stdint.h>

#include "value.h"

/* Regular 09:30-16:00, extended 04:00-20:00 New York time, Monday to Friday; the end does not belong to it. Days on
 * which the market rests or closes early are not known here: no row lies in what they leave out. */
enum hours { HOURS_ALL, HOURS_EXTENDED, HOURS_REGULAR };

const char	*hours_name(enum hours);	/* "all", "extended", "regular" */
bool		 hours_contain(enum hours, int64_t ns);
/* The first instant at or after `ns` that lies within the hours. */
int64_t		 hours_next(enum hours, int64_t ns);

/* The first instant at or after one within the hours that is not: their end that day; INT64_MAX for all. */
int64_t		 hours_end(enum hours, int64_t ns);

/* Whether a bar of this timeframe may begin at `ns`, for what is known of how they are cut: minutes that divide an
 * hour, one hour, and days of stocks and options. False where it is not known. */
bool		 timeframe_begins(const char *timeframe, enum asset, int64_t ns);
/* Intervals shorter than a day: those of which a session has many. */
bool		 timeframe_is_intraday(const char *timeframe);

#endif /* HOURS_H */
