/* budget.h - what may be spent upstream: a token bucket that outlives the process, and the circuit breaker. */
#ifndef BUDGET_H
#define BUDGET_H
#include <stdbool.h>
#include <stdint.h>

#include "limit.h"

/* State of a bucket on disk. Two marks a bucket, written in turn, so that one is whole whenever the process is
 * killed; both clocks, because the monotonic one starts over at boot. */
struct budget_mark {
	uint64_t	 sequence;		/* 0: never written */
	double		 tokens;
	int64_t		 mono_ns;
	int64_t		 wall_ns;
	int64_t		 closed_for_ns;		/* counted from mono_ns */
	uint64_t	 refusals;
	uint64_t	 boot;			/* of which boot mono_ns counts */
	uint64_t	 check;			/* hash of what stands above */
};
#define BUDGET_MARKS 2

struct budget {				/* embedded; borrows the marks */
	struct limit	 limit;
	double		 per_minute;		/* configured: the upstream's word lowers it, never raises it */
	double		 reserve;
	uint64_t	 refusals;		/* 429s since the last answer that was none */
	uint64_t	 sequence;
	uint64_t	 boot;
	struct budget_mark *marks;		/* BUDGET_MARKS of them; null: not kept */
};

/* Goes on where the marks stopped; full when they were never written, empty when both are broken. */
void	budget_init(struct budget *, double per_minute, double reserve, struct budget_mark *marks, uint64_t boot);
/* Takes a token for one call, and has it written down before the caller can send anything: 1 taken, 0 none. */
int	budget_take(struct budget *);
/* Calls that were sent without asking: a library's own second attempt. */
void	budget_charge(struct budget *, unsigned calls);
/* When the `calls`th call from now could start, in ns; 0 at once. */
int64_t	budget_wait_ns(struct budget *, unsigned calls);
double	budget_left(struct budget *);
/* What the upstream's headers say; -1 for what they do not. Never raises the level. */
void	budget_hear(struct budget *, int64_t limit, int64_t remaining);
/* 429. `reset_ns`: how long the upstream said to wait, 0 when it did not. Waits grow from one to the next. */
void	budget_refused(struct budget *, int64_t reset_ns);
void	budget_accepted(struct budget *);

/* Maps `count` buckets' marks at `path`, made when absent. Null with a line in the log when that cannot be. */
struct budget_mark *budget_file_open(const char *path, unsigned count);
void	budget_file_close(struct budget_mark **, unsigned count);
uint64_t budget_boot(void);			/* identity of this boot of the machine */

/* Circuit breaker of one family of calls. */
struct breaker {			/* embedded */
	unsigned	 threshold;		/* failures in a row that open it */
	unsigned	 failures;
	int64_t		 floor_ns;
	int64_t		 open_for_ns;		/* how long the next opening lasts */
	int64_t		 until_ns;		/* monotonic */
	int64_t		 asked_ns;		/* somebody wanted a call, monotonic */
	int		 error;			/* it was opened by; E_OK when it never was */
	enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_PROBING } state;
};
#define BREAKER_CEILING_NS (INT64_C(30) * 1000000000)

void	breaker_init(struct breaker *, unsigned threshold, int64_t floor_ms);
/* How long no call may start; 0 when one may. While the one call that probes is out: what is usual. */
int64_t	breaker_wait_ns(const struct breaker *, int64_t now_ns);
void	breaker_asked(struct breaker *, int64_t now_ns);
/* Until when it is told as open, 0 when it is not: only a question makes a probe, and one that nobody asks for would be
 * told as failing for ever. */
#define BREAKER_SHOWN_NS (INT64_C(90) * 1000000000)
int64_t	breaker_shown_until(const struct breaker *);
int	breaker_started(struct breaker *, int64_t now_ns);	/* a call leaves: 1 when it is the probe */
/* A call ended; `error` is E_OK unless the upstream failed. Unless the breaker is closed only the probe counts:
 * others left before it opened. Returns 1 when the breaker opened or closed by it. */
int	breaker_ended(struct breaker *, bool probe, int error, int64_t now_ns);
/* What those are told who are not let through. */
int	breaker_error(const struct breaker *);
const char *breaker_state_name(enum breaker_state);

#endif /* BUDGET_H */
