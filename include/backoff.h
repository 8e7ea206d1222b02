/* backoff.h - growing delay between attempts at something that keeps failing. */
#ifndef BACKOFF_H
#define BACKOFF_H
#include <stdint.h>

struct backoff {			/* embedded by its owner; owns nothing */
	uint32_t	 floor_ms;
	uint32_t	 ceiling_ms;
	uint32_t	 failures;
};

/* Delay before the next attempt, never above the ceiling; counts one failure. */
uint32_t	backoff_next_ms(struct backoff *);

/* The same, moved by up to +-`percent`, still never above the ceiling. */
uint32_t	backoff_next_jittered_ms(struct backoff *, uint32_t percent);

/* The attempt succeeded: start again from the floor. */
void		backoff_reset(struct backoff *);

#endif /* BACKOFF_H */
