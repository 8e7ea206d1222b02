/* limit.c - token bucket. */
#include "limit.h"

#include <math.h>

static void
limit_refill(struct limit *l, int64_t now)
{
	if (now <= l->updated_ns)
		return;
	l->tokens += (double)(now - l->updated_ns) / 1e9 * l->per_second;
	if (l->tokens > l->burst)
		l->tokens = l->burst;
	l->updated_ns = now;
}

void
limit_init(struct limit *l, double burst, double per_second, int64_t now)
{
	l->tokens = l->burst = burst;
	l->per_second = per_second;
	l->updated_ns = now;
	l->closed_until_ns = now;
}

int
limit_take(struct limit *l, double reserve, int64_t now)
{
	limit_refill(l, now);
	if (now < l->closed_until_ns || l->tokens < reserve + 1)
		return 0;
	l->tokens -= 1;
	return 1;
}

int64_t
limit_wait_ns(struct limit *l, double reserve, int64_t now)
{
	double missing;
	int64_t wait = 0;

	limit_refill(l, now);
	missing = reserve + 1 - l->tokens;
	if (missing > 0)
		/* One more than exact: the sum of rounded refills may stay a hair below the token. */
		wait = l->per_second > 0 ? (int64_t)ceil(missing / l->per_second * 1e9) + 1
					 : INT64_MAX;
	if (l->closed_until_ns - now > wait)
		wait = l->closed_until_ns - now;
	return wait;
}

double
limit_left(struct limit *l, int64_t now)
{
	limit_refill(l, now);
	return l->tokens;
}

void
limit_lower(struct limit *l, double tokens, int64_t now)
{
	limit_refill(l, now);
	if (tokens < l->tokens)
		l->tokens = tokens;
}

void
limit_close(struct limit *l, int64_t for_ns, int64_t now)
{
	if (now + for_ns > l->closed_until_ns)
		l->closed_until_ns = now + for_ns;
}
