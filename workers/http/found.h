/* found.h - between lookup.c and found.c. */
#ifndef FOUND_H
#define FOUND_H
#include "lookup.h"

/* The clock is read once a look-up: what is decided by it and what is told of it are one. It is
 * the one that never steps: by the wall clock a value could become younger than it is. */
struct moment {
	int64_t now_ns;
	enum session session;
};

struct moment	 lookup_moment(const struct lookup *, enum asset);

/* A limit, tightened by what the client asked for. */
int64_t		 found_at_most(int64_t limit, const struct ask *);
/* How old an answer to this may be at that moment. */
int64_t		 lookup_freshness(const struct lookup *, const struct ask *, const struct moment *);

/* A value held since `taken`; 0: there is none. */
void		 found_begin(struct found *, enum cache_way, const struct moment *, int64_t taken);
/* What L1 holds. Asking before a refusal is forgotten draws the same one: it says when. */
void		 found_fill(struct found *, const struct cached *, int64_t fresh);
/* A range without a single row is no data, unless it is the end of a walk over pages. */
void		 found_refuse_empty(const struct ask *, struct found *);
/* What was old when it was taken in is older now; how long it may be served counts from then, for what may still change
 * from when it was received. */
void		 found_age(struct found *);
int64_t		 found_cached_age(const struct cached *, const struct moment *);

#endif /* FOUND_H */
