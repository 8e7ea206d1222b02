/* breaker.c - stops asking a family of calls that keeps failing, then tries with one. */
#include "budget.h"

#include "clock.h"
#include "err.h"

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
breaker_asked(struct breaker *b, int64_t now)
{
	b->asked_ns = now;
}

int64_t
breaker_shown_until(const struct breaker *b)
{
	int64_t asked_until = b->asked_ns + BREAKER_SHOWN_NS;

	if (b->state == BREAKER_CLOSED)
		return 0;
	return b->until_ns > asked_until ? b->until_ns : asked_until;
}

int
breaker_started(struct breaker *b, int64_t now)
{
	if (b->state != BREAKER_OPEN || now < b->until_ns)
		return 0;
	b->state = BREAKER_PROBING;
	return 1;
}

static void
breaker_open(struct breaker *b, int error, int64_t now)
{
	b->state = BREAKER_OPEN;
	b->error = error;
	b->until_ns = now + b->open_for_ns;
	b->open_for_ns *= 2;
	if (b->open_for_ns > BREAKER_CEILING_NS)
		b->open_for_ns =
		    b->floor_ns > BREAKER_CEILING_NS ? b->floor_ns : BREAKER_CEILING_NS;
}

int
breaker_ended(struct breaker *b, bool probe, int error, int64_t now)
{
	enum breaker_state before = b->state;

	if (before != BREAKER_CLOSED && !probe)
		return 0;
	if (error == E_OK) {
		b->state = BREAKER_CLOSED;
		b->failures = 0;
		b->open_for_ns = b->floor_ns;
		return before != BREAKER_CLOSED;
	}
	b->failures++;
	if (before == BREAKER_CLOSED && b->failures < b->threshold)
		return 0;
	breaker_open(b, error, now);
	return 1;
}

/* A bad key stays a bad key whoever asks; everything else is "it fails". */
int
breaker_error(const struct breaker *b)
{
	return b->error == E_UPSTREAM_AUTHENTICATION_FAILED ? b->error : E_UPSTREAM_SERVICE_ERROR;
}

const char *
breaker_state_name(enum breaker_state state)
{
	static const char *const names[] = { "closed", "open", "probing" };

	return names[state];
}
