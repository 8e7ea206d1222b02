/* rows.c - how many rows one transaction is given, where the store is too slow for as many as are allowed. */
#include "cache_writer.h"

#define FAR_FROM_LATE 4	 /* a batch that takes less than this part of the time allowed */
#define EASY_ROW      16 /* of them in a row, before more is tried */

uint64_t
rows_allowed(const struct rows *r, uint64_t most)
{
	return r->bound != 0 && r->bound < most ? r->bound : most;
}

void
rows_lower(struct rows *r, uint64_t failed)
{
	r->bound = failed > 1 ? failed / 2 : 1;
	r->easy = 0;
}

void
rows_raise(struct rows *r, uint64_t done, uint64_t most, int64_t took_ns, int64_t allowed_ns)
{
	if (r->bound == 0 || done < r->bound || took_ns > allowed_ns / FAR_FROM_LATE ||
	    ++r->easy < EASY_ROW)
		return;
	r->easy = 0;
	r->bound *= 2;
	if (r->bound >= most)
		r->bound = 0;
}
