/* http_worker.h - the worker, a request in hand, its answer. Room header. */
#ifndef HTTP_WORKER_H
#define HTTP_WORKER_H
#include "clock.h"
#include "health.h"
#include "http.h"
#include "log.h"
#include "lookup.h"
#include "proc.h"
#include "router.h"
#include "span.h"
#include "status.h"
#include "symbol.h"

/* The largest answer: what a result may hold, and its envelope. */
#define ANSWER_BYTES_MAX (ASSEMBLY_BYTES_MAX + ((size_t)1 << 20))
/* Kept between answers; more is given back. */
#define ANSWER_BYTES_KEPT ((size_t)256 * 1024)

/* The access log, as log.access says. */
enum access_kind { ACCESS_OFF, ACCESS_SAMPLED, ACCESS_FULL };
struct access {
	enum access_kind kind;
	uint64_t	 one_in, seen;
};

struct worker {
	struct proc		*proc;
	struct http_server	*server;
	struct router		*router;
	struct lookup		*lookup;
	struct history		*history;	/* null: no store is read */
	struct params		 params;	/* of the request in hand */
	struct buf		 out;		/* body of the answer in hand */
	struct buf		 openapi;	/* made once */
	size_t			 in_flight;
	int64_t			 started_ns;	/* wall */
	bool			 fetcher_was_ready;
	struct request_ids	 ids;
	int64_t			 time_ms;	/* what time_text says */
	char			 time_text[CLOCK_TEXT];
	size_t			 time_len;
	struct route_match	 match;		/* of the request in hand */
	struct access		 access;
	struct status_feed	*feed;
	struct tracing		 tracing;
};

void	worker_open(struct worker *, struct proc *);	/* all but the server */
void	worker_close(struct worker *);
void	worker_serve(struct worker *, struct http_request *);
void	worker_refuse(struct worker *, struct http_request *, int error);
void	worker_gone(struct worker *, struct http_request *);

/* Who asked: what it takes to answer, now or later. */
struct asker {
	struct worker		*worker;
	struct http_request	*request;
	enum route		 route;
	char			 id[REQUEST_ID_MAX + 1];
	char			 trace[TRACEPARENT_LEN + 1];	/* `context` as text for the answer; "": it gets none */
	struct trace_context	 context;	/* the client's, or this request's own where this gateway traces */
	uint64_t		 parent;	/* the client's span; 0: it sent none */
	bool			 records;	/* spans are wanted */
	bool			 has_state;	/* with a tracestate that is well-formed */
	/* For the log, borrowed until the answer is sent; null: it has none. */
	const char		*cache, *code, *symbol;
};

struct visit {			/* the request in hand, while its handler runs */
	struct worker		*worker;
	const struct params	*params;
	struct asker		 asker;
};

void	asker_begin(struct asker *, struct worker *, struct http_request *, enum route);

/* Its part in a trace: after all but `trace` and what follows from it is set. */
void	asker_trace_begin(struct asker *);
/* What the fetcher shall know of it. */
void	asker_trace_fetch(const struct asker *, struct msg_fetch *);
/* lookup_now, recorded. */
bool	asker_look(const struct asker *, const struct ask *, struct found *);
/* The same for many: wall clock before, and what is told behind. */
int64_t	asker_trace_now(const struct asker *);
void	asker_trace_lookup(const struct asker *, int64_t begun, const char *symbol, const char *way, size_t count);
void	asker_trace_answered(const struct asker *, int status);
void	asker_trace_gone(const struct asker *);	/* the client is */

/* Each of these answers the request, exactly once. */
void	answer_found(struct asker *, const struct ask *, const struct found *);
void	answer_fault(struct asker *, const struct fault *);
/* `allow` is the Allow header's value, or null. */
void	answer_fault_allowing(struct asker *, const struct fault *, const char *allow);
/* Anything else; never to be stored by caches. `headers` are lines, or null. */
void	answer_plain(struct asker *, int status, const char *type, const void *body, size_t len,
	    const char *headers);

/* A stream of the status page; not when its feed is full. */
void	answer_stream(struct asker *);

/* Bodies: each appends to the buffer, E_FULL at its limit.
 * `"data":{...},"metadata":{...}}` of a good answer: the brace that opens it is the caller's. */
int	compose_found(struct worker *, struct buf *, const char *request_id, const struct ask *,
	    const struct found *) MUST_CHECK;
/* The same, but rows of a range or a chain are left out: they belong at *gap; 0: there is none. */
int	compose_around(struct worker *, struct buf *, const char *request_id, const struct ask *,
	    const struct found *, size_t *gap) MUST_CHECK;
/* The whole body of an error, into the worker's buffer. */
int	compose_fault(struct asker *, const struct fault *) MUST_CHECK;
/* Now, RFC 3339 with milliseconds; made once a millisecond. */
const char *worker_time(struct worker *, size_t *len);
size_t	digits_of(uint64_t, char out[24]);		/* decimal; returns how many */

/* What a route asks upstream for. */
struct question {
	enum endpoint	 endpoint;
	enum ask_kind	 kind;
	enum asset	 asset;
	int		(*spell)(const char *, char[SYMBOL_MAX]);
	const char	*feeds;		/* "iex|sip": those a client may name; null: none */
};

/* The question with the client's parameters. A LIST is left to the caller. E_INVALID_*, with
 * *fault filled. */
int	ask_read(struct ask *, const struct question *, const struct params *, const struct conf *,
	    struct fault *) MUST_CHECK;
/* Whether a parameter of this name is understood; for tests. */
bool	ask_knows(const char *name);

/* Ask for one value, or for one of each symbol of the request's list; answers now or later. */
void	single_answer(struct visit *, const struct question *);
void	batch_answer(struct visit *, const struct question *);
/* Ask for bars or trades of a range: of the store where it is covered, of upstream where it is not. */
void	range_answer(struct visit *, const struct question *);

/* Tokens of pages: where a walk goes on, bound to the question. */
#define TOKEN_TEXT 80
struct token {
	int64_t		 event;		/* the instant the next page begins in */
	uint64_t	 skip;		/* rows of it that were given before */
};
/* Where the page behind this answer begins; "" when there is none. Returns `out`. */
void	token_spell(const struct ask *, const struct token *, char out[TOKEN_TEXT]);
const char *token_write(const struct ask *, const struct shown *, char out[TOKEN_TEXT]);
/* E_INVALID_PARAMETER: no token of this question. */
int	token_read(const struct ask *, const char *, struct token *) MUST_CHECK;
/* Rows run from the end on: newest first was asked for, or no beginning was named. */
bool	ask_runs_down(const struct ask *);
/* An instant has one row: of stocks and options a bar. */
bool	ask_has_single_rows(const struct ask *);
/* What ASK_CLOCK is answered with: the clock the lookup holds now, or that nothing is known. */
void	market_answer(struct asker *, const struct found *);

/* What waits for its answer, hung on its request; `leave` forgets it when the client goes. */
struct pending {
	void	(*leave)(struct pending *);
};

/* The document of the status page; `worker` is a struct worker. */
int	status_page_write(void *worker, struct buf *) MUST_CHECK;

int	openapi_write(struct buf *) MUST_CHECK;

void	access_configure(struct access *, const struct conf *);
/* A line of the answer that is about to be sent, if its turn has come. Off it is not called. */
void	access_answered(struct access *, const struct asker *, const struct http_answer *, int64_t duration_ns);
struct trace_texts {
	char	 id[TRACE_ID_LEN + 1], span[TRACE_SPAN_LEN + 1];
};
/* What the log says a line is about that concerns this request; the ids of its trace are written to `texts`. */
struct log_about asker_about(const struct asker *, struct trace_texts *texts);
/* The same of the trace alone: texts->id, or null without one. */
const char *asker_trace_id(const struct asker *, struct trace_texts *texts);

#endif /* HTTP_WORKER_H */
