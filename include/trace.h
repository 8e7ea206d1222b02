/* trace.h - the context of a trace as W3C's traceparent and tracestate carry it, and who of them is sampled. */
#ifndef TRACE_H
#define TRACE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define TRACEPARENT_LEN 55	/* of version 00 */
#define TRACE_ID_LEN	32	/* within a traceparent, behind "00-" */
#define TRACE_SPAN_LEN	16
#define TRACESTATE_MAX	512	/* bytes of all members together */
#define TRACESTATE_MEMBERS 32

#define TRACE_SAMPLED 0x01	/* somebody records this trace */
#define TRACE_RANDOM  0x02	/* the last seven bytes of its id are random */

struct trace_context {
	uint64_t high, low;	/* of the trace's id; both 0: there is none */
	uint64_t span;		/* who is the parent of what comes next */
	unsigned flags;		/* of those known above */
};

bool	trace_is(const struct trace_context *);
bool	trace_is_sampled(const struct trace_context *);

/* Strictly as https://www.w3.org/TR/trace-context-2/ has it: version ff is none, a version after 00 may go on behind
 * what 00 has, and is read as 00. E_INVALID_PARAMETER, *out untouched. */
int	trace_parse(const char *traceparent, struct trace_context *out) MUST_CHECK;
/* Always as version 00. */
void	trace_format(const struct trace_context *, char out[TRACEPARENT_LEN + 1]);
/* The trace's id alone. */
void	trace_format_id(const struct trace_context *, char out[TRACE_ID_LEN + 1]);
/* Within both bounds, every member well formed and none twice. "" is. */
bool	tracestate_is_valid(const char *);

struct trace_random {		/* where new ids come from; no secret */
	uint64_t state[2];
};
void	 trace_random_init(struct trace_random *);
uint64_t trace_random_next(struct trace_random *);	/* never 0 */
/* A trace of its own: ids, and that they are random. */
void	 trace_begin(struct trace_random *, struct trace_context *out);

struct trace_sampler {
	bool	 parent_based;	/* who has a parent does as that one does */
	uint64_t below;		/* of 2^63: ids whose last eight bytes, halved, are less than this are sampled */
};
/* By the names and arguments of OTEL_TRACES_SAMPLER. E_CONFIG: no such sampler, or no ratio between 0 and 1; then all
 * is sampled as if there were no argument. */
int	trace_sampler_init(struct trace_sampler *, const char *name, const char *arg) MUST_CHECK;
/* `parent` may be none. `mine` is the trace as it will go on. */
bool	trace_sampler_takes(const struct trace_sampler *, const struct trace_context *parent,
	    const struct trace_context *mine);

#endif /* TRACE_H */
