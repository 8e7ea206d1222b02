/* reasons.c - which reasons for the failure of a store were told, so that each is told once in an episode. */
#include <string.h>

#include "cache_writer.h"
#include "hash.h"

bool
reason_is_new(struct reasons *r, const char *why)
{
	uint64_t hash = hash_stable(why, strlen(why));

	for (unsigned i = 0; i < r->count; i++)
		if (r->told[i] == hash)
			return false;
	if (r->count == REASONS_MAX)
		return false;
	r->told[r->count++] = hash;
	return true;
}
