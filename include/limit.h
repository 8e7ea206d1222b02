/* limit.h - token bucket. */
#ifndef LIMIT_H
#define LIMIT_H
#include <stdint.h>

struct limit {				/* embedded by its owner; owns nothing */
	double		 tokens;
	double		 burst;
	double		 per_second;
	int64_t		 updated_ns;	/* monotonic */
	int64_t		 closed_until_ns; /* nothing is given before */
};

void	limit_init(struct limit *, double burst, double per_second, int64_t now_ns);
/* Takes a token: 1 taken, 0 there is none. `reserve` tokens are left untouched. */
int	limit_take(struct limit *, double reserve, int64_t now_ns);
/* When limit_take could next succeed, in ns from now; 0 when now. */
int64_t	limit_wait_ns(struct limit *, double reserve, int64_t now_ns);
double	limit_left(struct limit *, int64_t now_ns);
/* Somebody who knows says fewer are left: never raises. */
void	limit_lower(struct limit *, double tokens, int64_t now_ns);
void	limit_close(struct limit *, int64_t for_ns, int64_t now_ns);

#endif /* LIMIT_H */
