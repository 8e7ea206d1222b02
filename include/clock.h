/* clock.h - time: nanoseconds inside, RFC 3339 outside. */
#ifndef CLOCK_H
#define CLOCK_H
#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define CLOCK_MS   INT64_C(1000000)
#define CLOCK_SEC  INT64_C(1000000000)
#define CLOCK_DAY  (86400 * CLOCK_SEC)
#define CLOCK_TEXT 40

int64_t	clock_wall(void);	/* since the epoch */
int64_t	clock_mono(void);	/* never steps back; not comparable between machines, is between processes */

/* Tests: both clocks answer these until clock_real(). */
void	clock_fake(int64_t wall, int64_t mono);
void	clock_real(void);

/* UTC with `Z`, as many fraction digits as are not zero: 2022-01-03T09:00:00.0256Z. Returns the length. */
size_t	clock_format(int64_t ns, char out[CLOCK_TEXT]);
/* Always three fraction digits, for answers and logs. */
size_t	clock_format_ms(int64_t ns, char out[CLOCK_TEXT]);
/* RFC 3339 with 0-9 fraction digits and any offset. E_INVALID_DATE_RANGE otherwise. */
int	clock_parse(const char *, int64_t *ns) MUST_CHECK;
/* YYYY-MM-DD, a day that exists. */
int	clock_parse_date(const char *, int *year, int *month, int *day) MUST_CHECK;
/* Days since the epoch of a civil date, and back. */
int64_t	clock_days(int year, int month, int day);
void	clock_civil(int64_t days, int *year, int *month, int *day);
/* Offset of New York from UTC in seconds at this instant (rule of 2007 on, and of 1987-2006 before). */
int	clock_new_york_offset(int64_t ns);

#endif /* CLOCK_H */
