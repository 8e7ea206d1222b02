/* sample.h - messages of every row of the table, filled from the descriptors: for tests, seeds and figures. */
#ifndef SAMPLE_H
#define SAMPLE_H
#include "msg.h"

enum sample_style {
	SAMPLE_PLAIN, /* the same in every build: golden files rest on it */
	SAMPLE_LEAST, /* smallest numbers, null and empty texts */
	SAMPLE_MOST,  /* largest numbers, texts of full length */
	SAMPLE_RANDOM
};

/* xorshift; the seed is not 0 and moves on. */
uint64_t sample_random(uint64_t *seed);
void sample_fill(const struct msg_desc *, enum sample_style, uint64_t *seed, union msg_any *);
/* Field by field; NaN equals NaN. */
bool sample_equal(const struct msg_desc *, const union msg_any *, const union msg_any *);

#endif /* SAMPLE_H */
