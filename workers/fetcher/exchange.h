/* exchange.h - one HTTP exchange with the upstream, and what its answer means. */
#ifndef EXCHANGE_H
#define EXCHANGE_H
#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "conf.h"
#include "decode.h"
#include "endpoint.h"
#include "label.h"
#include "loop.h"
#include "trace.h"

#define EXCHANGE_PATH 256		/* what is kept of a path for the audit */

enum exchange_end {			/* how the exchange went, whatever was answered */
	EXCHANGE_ANSWERED,
	EXCHANGE_TIMED_OUT,
	EXCHANGE_UNREACHABLE,	/* no connection, or it broke off */
	EXCHANGE_TOO_LARGE,
	EXCHANGE_GARBLED		/* not HTTP, or a content encoding that cannot be read */
};

#define EXCHANGE_TRACES 8	/* of those who share a call, so many get spans of it */

struct exchange_trace {		/* somebody sampled who waits for this call */
	struct trace_context asked;	/* by this span of theirs */
	uint64_t	 span;		/* the call in their trace */
	uint64_t	 journal;	/* and what was appended */
};

struct exchange {			/* the upstream's until `done` was called, and that turn over */
	enum exchange_end	 end;
	long		 status;	/* 0: none arrived */
	struct buf	 body;
	char		 text[128];	/* of the failure */
	char		 request_id[64];
	int64_t		 rate_limit, rate_remaining, rate_reset; /* headers; -1: not sent */
	bool		 is_replay;
	int64_t		 replay_ns;	/* what its clock shows; 0: it did not say */
	int64_t		 date_ns;	/* upstream's clock when it answered, a second exact; 0: it did not say */
	int64_t		 started_ns, received_ns;	/* wall clock */
	int64_t		 latency_ns;
	unsigned	 sent;		/* requests put on the wire: more than one when a kept connection had died */
	char		 path[EXCHANGE_PATH];
	/* the asker's notes, for the audit */
	const struct endpoint_row *row;
	unsigned	 symbols, try;
	bool		 is_probe;	/* of its family's breaker */
	struct trace_context trace;	/* of who asked first, sampled or not; for the log */
	struct exchange_trace traces[EXCHANGE_TRACES];
	unsigned	 trace_count;
	int64_t		 timeout_ms;
	double		 budget_left;
	int		 outcome;
	/* exchange.c's */
	void		*easy;
	struct upstream	*upstream;
	void		(*done)(struct exchange *, void *owner);
	void		*owner;
	uint64_t	 body_max;
	char		 curl_text[256];
};

/* Takes key and secret out of `conf` into its own headers and wipes them there. `ready` is called from the loop
 * when calls can be made: libcurl is loaded in the background. */
struct upstream	*upstream_new(struct loop *, struct conf *, void (*ready)(void *owner), void *owner);
int		 upstream_is_ready(const struct upstream *);
void		 upstream_free(struct upstream **);	/* calls under way end without `done` */
struct call_trace {		/* as header fields of the call, unchanged; "" or null: left out */
	const char	*traceparent, *tracestate;
};
/* `done` is called once, later. `path` begins with a slash. `trace` may be null. */
struct exchange	*upstream_call(struct upstream *, enum endpoint_host, const char *path, int64_t timeout_ms,
		    const struct call_trace *trace,
		    void (*done)(struct exchange *, void *owner), void *owner);

struct verdict {		/* what a call's answer means for those who asked */
	int		 error;		/* E_OK: there is a body to read */
	enum label_outcome outcome;
	bool		 again;		/* another try may help */
	bool		 failing;	/* counts for the circuit breaker */
	bool		 absent;	/* 404 in the upstream's own words */
	bool		 refused;	/* the request, not its rate or its sender: a symbol may be to blame */
	bool		 names_symbol;	/* refused, and its words are about a symbol */
	char		 culprit[32];	/* the symbol it named, "" when none */
	char		 reason[256];
	struct body	*body;		/* owned; null when there is none */
};
void	verdict_read(struct verdict *, const struct exchange *);
void	verdict_fini(struct verdict *);

#endif /* EXCHANGE_H */
