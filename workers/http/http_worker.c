/* http_worker.c - the http worker: answers from book and cache, asks the fetcher for the rest. */
#include "http_worker.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>

#include "log.h"

static struct worker *
worker_of(void *owner)
{
	return owner;
}

static void
http_on_request(struct http_request *request, void *owner)
{
	worker_serve(worker_of(owner), request);
}

static void
http_on_refused(struct http_request *request, int error, void *owner)
{
	worker_refuse(worker_of(owner), request, error);
}

static void
http_on_gone(struct http_request *request, void *owner)
{
	worker_gone(worker_of(owner), request);
}

static void
http_on_connections(size_t open, bool accepted, void *owner)
{
	struct stats *s = &worker_of(owner)->proc->stats;

	metric_set(s, M_HTTP_CONNECTIONS, 0, 0, open);
	if (accepted)
		metric_add(s, M_HTTP_ACCEPTED, 0, 0, 1);
}

static void
http_on_dropped(enum http_drop why, void *owner)
{
	static const enum label_drop labels[] = {
		[HTTP_DROP_TIMEOUT] = LABEL_drop_TIMEOUT,
		[HTTP_DROP_LIMIT] = LABEL_drop_LIMIT,
		[HTTP_DROP_MALFORMED] = LABEL_drop_MALFORMED,
		[HTTP_DROP_RESET] = LABEL_drop_RESET,
		[HTTP_DROP_CROSSED] = LABEL_drop_CROSSED,
	};

	metric_add(&worker_of(owner)->proc->stats, M_HTTP_DROPPED, (unsigned)labels[why], 0, 1);
}

static void
http_on_starved(int error, void *owner)
{
	bool of_memory = error == ENOMEM || error == ENOBUFS;

	trouble_note(&worker_of(owner)->proc->stats,
	    of_memory ? LABEL(trouble, MEMORY) : LABEL(trouble, DESCRIPTORS),
	    "a client could not be taken: %s", strerror(error));
}

static void
http_on_bytes(size_t in, size_t out, void *owner)
{
	struct stats *s = &worker_of(owner)->proc->stats;

	metric_add(s, M_HTTP_BYTES_IN, 0, 0, in);
	metric_add(s, M_HTTP_BYTES_OUT, 0, 0, out);
}

static const struct http_hooks server_hooks = {
	.request = http_on_request,
	.refused = http_on_refused,
	.gone = http_on_gone,
	.connections = http_on_connections,
	.dropped = http_on_dropped,
	.starved = http_on_starved,
	.bytes = http_on_bytes,
};

/* Large answers come and go. Each in a mapping of its own goes back to the system when it is freed; glibc would
 * move its threshold up with the first one and keep the rest. */
static void
memory_tune(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, 256 * 1024);
	(void)mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
}

static struct http_server *
server_new(struct worker *w)
{
	const struct conf *c = &w->proc->conf;
	const struct http_limits limits = {
		.connections_max = (size_t)c->http_connections_max,
		.request_line_max = c->http_request_line_max,
		.headers_max = c->http_headers_max,
		.output_max = c->http_output_bytes,
		.body_max = c->http_body_max,
		.header_timeout_ms = c->http_header_timeout,
		.body_timeout_ms = c->http_body_timeout,
		.idle_timeout_ms = c->http_idle_timeout,
		.total_timeout_ms = c->http_total_timeout,
	};

	return http_server_new(w->proc->loop, &limits, &server_hooks, w);
}

static void
http_on_peer_up(struct peer *peer, void *owner)
{
	struct worker *w = worker_of(owner);

	w->fetcher_was_ready |= peer->role == ROLE_FETCHER;
	tracing_peer_up(&w->tracing, peer);
	lookup_peer_up(w->lookup, peer);
}

static void
http_on_peer_down(struct peer *peer, void *owner)
{
	tracing_peer_down(&worker_of(owner)->tracing, peer);
	lookup_peer_down(worker_of(owner)->lookup, peer);
}

static void
http_on_listener(int fd, const char *name, void *owner)
{
	if (http_server_listen(worker_of(owner)->server, fd) != E_OK)
		fatal(EXIT_WITH_SYSTEM, "%s: the listening socket cannot be used", name);
}

static void
http_drained(void *arg)
{
	proc_finished(arg);
}

/* What waits for the fetcher is answered: its connection is not at rest, and so the server not empty. */
static void
http_on_drain(int64_t timeout_ms, void *owner)
{
	struct worker *w = worker_of(owner);
	const struct board *b = w->proc->stats.all;
	const struct http_drain drain = {
		.timeout_ms = timeout_ms,
		.spread_ms = w->proc->conf.http_close_spread,
		.last = b != NULL && b->stopping != 0,
		.done = http_drained,
		.arg = w->proc,
	};

	tracing_drain(&w->tracing);
	http_server_drain(w->server, &drain);
}

static const struct proc_hooks hooks = {
	.peer_up = http_on_peer_up,
	.peer_down = http_on_peer_down,
	.listener = http_on_listener,
	.drain = http_on_drain,
};

#define TO_LOOKUP(name)                                                                            \
	static void http_on_##name(struct peer *from, const void *data, void *owner)               \
	{                                                                                          \
		lookup_on_##name(from, data, worker_of(owner)->lookup);                            \
	}

TO_LOOKUP(result)
TO_LOOKUP(result_end)
TO_LOOKUP(quote)
TO_LOOKUP(trade)
TO_LOOKUP(bar)
TO_LOOKUP(greeks)
TO_LOOKUP(snapshot)
TO_LOOKUP(market_clock)

static const struct msg_handler handlers[] = {
	{ MSG_RESULT, http_on_result },
	{ MSG_RESULT_END, http_on_result_end },
	{ MSG_QUOTE, http_on_quote },
	{ MSG_TRADE, http_on_trade },
	{ MSG_BAR, http_on_bar },
	{ MSG_GREEKS, http_on_greeks },
	{ MSG_SNAPSHOT, http_on_snapshot },
	{ MSG_MARKET_CLOCK, http_on_market_clock },
	{ 0, NULL },
};

int
main(int argc, char **argv)
{
	struct proc *p = proc_begin(ROLE_HTTP, argc, argv);
	struct worker w = { .proc = p };

	proc_confine(p);
	memory_tune();
	proc_connect(p, &hooks, handlers, &w);

	worker_open(&w, p);
	w.server = server_new(&w);

	proc_ready(p);
	proc_loop(p);

	http_server_free(&w.server);
	worker_close(&w);
	return proc_end(p);
}
