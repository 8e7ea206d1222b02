/* session.h - whether the stock market is open, as far as its clock can be believed. */
#ifndef SESSION_H
#define SESSION_H
#include <stdint.h>

#include "value.h"

enum session { SESSION_UNKNOWN, SESSION_OPEN, SESSION_CLOSED };

/* The clock is asked every minute; three missed answers and it is not believed any more. */
#define SESSION_CLOCK_AGE_NS (INT64_C(180) * 1000000000)

const char	*session_name(enum session);	/* "open", "closed", "unknown" */

/* What a clock that was taken in `age_ns` ago tells of now. Unknown when
 * nothing was received, when it is too old, or when the change it announced has passed since:
 * whether it came true only a newer clock can tell. The clock may be a recording's: its own
 * time is moved by what passed here. */
enum session	 session_of(const struct market_clock *, int64_t age_ns);

#endif /* SESSION_H */
