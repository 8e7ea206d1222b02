/* rows.c - how many rows one transaction is given, where the store is too slow for as many as are allowed. */
#include "cache_writer.h"

/* More is tried after this many batches that were far from late (a quarter of the time allowed), after four times as many
 * that took up to half, and seldom whatever they take: most of it may be what a commit of one row takes as well. */
#define EASY	   256
#define EASY_FAR   16
#define EASY_HALF  4
#define EASY_CLOSE 1

uint64_t
rows_allowed(const struct rows *r, uint64_t most)
{
	return r->bound != 0 && r->bound < most ? r->bound : most;
}

void
rows_lower(struct rows *r, uint64_t most)
{
	uint64_t allowed = rows_allowed(r, most);

	r->bound = allowed > 1 ? allowed / 2 : 1;
	r->easy = 0;
}

void
rows_raise(struct rows *r, uint64_t done, uint64_t most, int64_t took_ns, int64_t allowed_ns)
{
	if (r->bound == 0 || done < r->bound)
		return;
	r->easy += took_ns <= allowed_ns / 4   ? EASY_FAR
		   : took_ns <= allowed_ns / 2 ? EASY_HALF
					       : EASY_CLOSE;
	if (r->easy < EASY)
		return;
	r->easy = 0;
	r->bound += took_ns <= allowed_ns / 4 ? r->bound : (r->bound + 1) / 2;
	if (r->bound >= most)
		r->bound = 0;
}
