/* breaker.c - stops asking a family of calls that keeps failing, then tries with one. */
#include "budget.h"

#include "clock.h"

void
breaker_init(struct breaker *b, unsigned threshold, int64_t floor_ms)
{
	*b = (struct breaker){ .threshold = threshold,
		.floor_ns = floor_ms * CLOCK_MS,
		.open_for_ns = floor_ms * CLOCK_MS };
}

int64_t
breaker_wait_ns(const struct breaker *b, int64_t now)
{
	switch (b->state) {
	case BREAKER_CLOSED:
		return 0;
	case BREAKER_OPEN:
		return b->until_ns > now ? b->until_ns - now : 0;
	case BREAKER_PROBING:
		return b->floor_ns;
	}
	return 0;
}

void
breaker_started(struct breaker *b, int64_t now)
{
	if (b->state == BREAKER_OPEN && now >= b->until_ns)
		b->state = BREAKER_PROBING;
}

static void
breaker_open(struct breaker *b, int64_t now)
{
	b->state = BREAKER_OPEN;
	b->until_ns = now + b->open_for_ns;
	b->open_for_ns *= 2;
	if (b->open_for_ns > BREAKER_CEILING_NS)
		b->open_for_ns =
		    b->floor_ns > BREAKER_CEILING_NS ? b->floor_ns : BREAKER_CEILING_NS;
}

int
breaker_ended(struct breaker *b, bool failed, int64_t now)
{
	enum breaker_state before = b->state;

	if (!failed) {
		b->state = BREAKER_CLOSED;
		b->failures = 0;
		b->open_for_ns = b->floor_ns;
		return before != BREAKER_CLOSED;
	}
	b->failures++;
	if (before == BREAKER_PROBING ||
	    (before == BREAKER_CLOSED && b->failures >= b->threshold)) {
		breaker_open(b, now);
		return 1;
	}
	return 0;
}

const char *
breaker_state_name(enum breaker_state state)
{
	static const char *const names[] = { "closed", "open", "probing" };

	return names[state];
}
