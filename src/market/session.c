/* session.c - whether the stock market is open, as far as its clock can be believed. */
#include "session.h"

const char *
session_name(enum session session)
{
	switch (session) {
	case SESSION_OPEN:
		return "open";
	case SESSION_CLOSED:
		return "closed";
	case SESSION_UNKNOWN:
		break;
	}
	return "unknown";
}

enum session
session_of(const struct market_clock *clock, int64_t age_ns)
{
	int64_t change = clock->is_open ? clock->next_close : clock->next_open;

	if (clock->received == 0 || age_ns > SESSION_CLOCK_AGE_NS)
		return SESSION_UNKNOWN;
	if (change == 0 || clock->timestamp + age_ns >= change)
		return SESSION_UNKNOWN;
	return clock->is_open ? SESSION_OPEN : SESSION_CLOSED;
}
