/* span.h - what a worker records of sampled traces, and its way to the tracer.
 *
 * A span is a message on the worker's channel to the tracer, queued as any other and never waited for: where the
 * tracer is absent, hangs or is behind, spans are dropped and counted, and nothing else happens. They leave some at a
 * time: to wake another process for each would cost more than all else of tracing.
 */
#ifndef SPAN_H
#define SPAN_H
#include "proc.h"
#include "trace.h"

enum span_kind { SPAN_INTERNAL = 1, SPAN_SERVER, SPAN_CLIENT };	/* numbers of OTLP */

/* Of what waits for the tracer no more is held. */
#define SPANS_QUEUED_MAX (1u << 20)

#define SPANS_HELD    32	/* or as many as came within */
#define SPANS_HELD_MS 100

struct tracing {
	struct proc	*proc;
	struct peer	*tracer;	/* null: there is none now */
	bool		 on;		/* there was one: from then on requests get ids of their own */
	struct trace_sampler sampler;
	struct trace_random  random;
	struct msg_span	*held;		/* null before there was a tracer */
	unsigned	 held_count;
	bool		 draining;	/* nothing is held any more */
	struct loop_timer timer;
};

void	tracing_init(struct tracing *, struct proc *);
/* Before the loop. What is held then goes nowhere: that is tracing_drain's. */
void	tracing_fini(struct tracing *);
void	tracing_drain(struct tracing *);	/* what is held leaves, and what comes from now on at once */
/* For every peer that comes or goes; others than a tracer change nothing. */
void	tracing_peer_up(struct tracing *, struct peer *);
void	tracing_peer_down(struct tracing *, const struct peer *);

/* A span of this context's trace, whose parent is the context's; everything else is the caller's to fill. */
void	span_begin(struct msg_span *, struct tracing *, const struct trace_context *, enum span_kind, const char *name);
/* Away with it, or dropped. */
void	span_end(struct tracing *, const struct msg_span *);

#endif /* SPAN_H */
