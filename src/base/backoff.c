/* backoff.c - growing delay between attempts at something that keeps failing. */
#include "backoff.h"

#include "hash.h"

uint32_t
backoff_next_ms(struct backoff *b)
{
	uint64_t delay = b->floor_ms;
	uint32_t i;

	for (i = 0; i < b->failures && delay > 0 && delay < b->ceiling_ms; i++)
		delay *= 2;
	if (b->failures < UINT32_MAX)
		b->failures++;
	return (uint32_t)(delay < b->ceiling_ms ? delay : b->ceiling_ms);
}

uint32_t
backoff_next_jittered_ms(struct backoff *b, uint32_t percent)
{
	uint64_t delay = backoff_next_ms(b), span = delay * (percent < 100 ? percent : 100) / 100;
	uint64_t draw;

	hash_random(&draw, sizeof(draw));
	delay = delay - span + draw % (2 * span + 1);
	return (uint32_t)(delay < b->ceiling_ms ? delay : b->ceiling_ms);
}

void
backoff_reset(struct backoff *b)
{
	b->failures = 0;
}
