/* market_day.h - when the New York stock market is open, and the time a recording is told at. */
#ifndef MARKET_DAY_H
#define MARKET_DAY_H
#include <stdbool.h>
#include <stdint.h>

#include "clock.h"

/* Days are counted from the epoch, in New York. */
int64_t	session_day(int64_t ns);
int64_t	session_instant(int64_t day, int64_t ns_of_day);	/* New York wall clock to UTC */
bool	session_is_trading_day(int64_t day);
int64_t	session_open_of(int64_t day);		/* 09:30; of a trading day */
int64_t	session_close_of(int64_t day);		/* 16:00, or 13:00 on a short day */
bool	session_is_open(int64_t ns);
int64_t	session_next_open(int64_t ns);		/* strictly later */
int64_t	session_next_close(int64_t ns);		/* strictly later */
/* RFC 3339 with New York's offset, as the trading API writes times. */
void	session_format(int64_t ns, char out[CLOCK_TEXT]);

struct story {				/* the recording's own time; embedded by its owner */
	int64_t	 start, end;		/* first and last instant */
	int64_t	 began_mono;		/* when the telling began */
	double	 speed;			/* 0: stands at start */
	bool	 loops;			/* begins anew at the end, else stays there */
};

int64_t	story_now(const struct story *, int64_t mono);

#endif /* MARKET_DAY_H */
