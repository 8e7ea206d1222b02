/* traced.c - a request's part in a trace: its context, its spans, what goes on to the fetcher and back to the client. */
#include <stdio.h>
#include <string.h>

#include "http_worker.h"
#include "text.h"

/* The client's, if it sent one and no more. */
static void
asker_parent(struct asker *a, struct trace_context *parent)
{
	const char *header = http_header(a->request, "traceparent");

	*parent = (struct trace_context){ 0 };
	if (header == NULL)
		return;
	if (trace_parse(header, parent) != E_OK ||
	    http_header_nth(a->request, "traceparent", 1) != NULL) {
		*parent = (struct trace_context){ 0 };
		metric_add(&a->worker->proc->stats, M_TRACE_IGNORED, 0, 0, 1);
	}
}

/* All fields of that name as one list; false: it is too long. */
static bool
asker_tracestate_join(const struct asker *a, char out[TRACESTATE_MAX + 1])
{
	const char *header;
	size_t len = 0, more;

	out[0] = '\0';
	for (unsigned i = 0; (header = http_header_nth(a->request, "tracestate", i)) != NULL; i++) {
		more = strlen(header);
		if (len + (i > 0) + more > TRACESTATE_MAX)
			return false;
		if (i > 0)
			out[len++] = ',';
		memcpy(out + len, header, more + 1);
		len += more;
	}
	return true;
}

/* Without a traceparent it belongs to nothing. Looked at once, whoever wants it later: it is counted here. */
static bool
asker_tracestate_is_good(const struct asker *a)
{
	char state[TRACESTATE_MAX + 1];

	if (a->parent == 0 || http_header(a->request, "tracestate") == NULL)
		return false;
	if (asker_tracestate_join(a, state) && tracestate_is_valid(state))
		return true;
	metric_add(&a->worker->proc->stats, M_TRACE_IGNORED, 0, 0, 1);
	return false;
}

/* "" without one. */
static void
asker_tracestate(const struct asker *a, char out[TRACESTATE_MAX + 1])
{
	if (!a->has_state || !asker_tracestate_join(a, out))
		out[0] = '\0';
}

void
asker_trace_begin(struct asker *a)
{
	struct tracing *t = &a->worker->tracing;
	struct trace_context parent;

	asker_parent(a, &parent);
	a->parent = parent.span;
	a->has_state = asker_tracestate_is_good(a);
	a->context = parent;
	a->records = false;
	a->trace[0] = '\0';
	if (t->on) {
		if (trace_is(&parent))
			a->context.span = trace_random_next(&t->random);
		else
			trace_begin(&t->random, &a->context);
		a->records = trace_sampler_takes(&t->sampler, &parent, &a->context);
		a->context.flags &= ~(unsigned)TRACE_SAMPLED;
		a->context.flags |= a->records ? TRACE_SAMPLED : 0;
	}
	/* Of one that nobody asked for and nobody records there is nothing to be found by it. */
	if (trace_is(&a->context) && (a->records || a->parent != 0))
		trace_format(&a->context, a->trace);
}

void
asker_trace_fetch(const struct asker *a, struct msg_fetch *f)
{
	f->traceparent[0] = '\0';
	if (trace_is(&a->context))
		trace_format(&a->context, f->traceparent);
	if (a->worker->proc->conf.trace_upstream)
		asker_tracestate(a, f->tracestate);
}

static void
asker_span(const struct asker *a, struct msg_span *s, enum span_kind kind, const char *name)
{
	span_begin(s, &a->worker->tracing, &a->context, kind, name);
	(void)text_copy(s->request_id, sizeof(s->request_id), a->id);
}

int64_t
asker_trace_now(const struct asker *a)
{
	return a->records ? clock_wall() : 0;
}

void
asker_trace_lookup(
    const struct asker *a, int64_t begun, const char *symbol, const char *way, size_t count)
{
	struct msg_span s;

	if (!a->records)
		return;
	asker_span(a, &s, SPAN_INTERNAL, "cache lookup");
	s.start = begun;
	s.end = clock_wall();
	s.count = count;
	(void)text_copy(s.symbol, sizeof(s.symbol), symbol);
	(void)text_copy(s.cache, sizeof(s.cache), way);
	span_end(&a->worker->tracing, &s);
}

bool
asker_look(const struct asker *a, const struct ask *ask, struct found *f)
{
	int64_t begun = asker_trace_now(a);
	bool is_found = lookup_now(a->worker->lookup, ask, f);

	asker_trace_lookup(
	    a, begun, ask->fetch.symbol, cache_way_name(is_found ? f->way : CACHE_MISS), 1);
	return is_found;
}

/* `status` is 0 when nobody is left to be answered. */
static void
asker_trace_request(const struct asker *a, int status, const char *reason)
{
	const char *route = label_text(LABELS_route, a->route);
	const char *method = http_method(a->request);
	struct msg_span s;
	char name[128];

	(void)snprintf(name, sizeof(name), a->route == ROUTE_NONE ? "%s" : "%s %s", method, route);
	asker_span(a, &s, SPAN_SERVER, name);
	s.id = a->context.span;
	s.parent = a->parent;
	s.remote = a->parent != 0;
	s.end = clock_wall();
	s.start = s.end - (clock_mono() - http_arrived(a->request));
	s.status = (uint64_t)status;
	s.failed = status == 0 || status >= 500;
	asker_tracestate(a, s.state);
	(void)text_copy(s.method, sizeof(s.method), method);
	(void)text_copy(s.route, sizeof(s.route), a->route == ROUTE_NONE ? "" : route);
	(void)text_safe(s.path, sizeof(s.path), http_path(a->request));
	(void)text_copy(s.symbol, sizeof(s.symbol), a->symbol != NULL ? a->symbol : "");
	(void)text_copy(s.cache, sizeof(s.cache), a->cache != NULL ? a->cache : "");
	(void)text_copy(s.code, sizeof(s.code), a->code != NULL ? a->code : "");
	(void)text_copy(s.reason, sizeof(s.reason), reason);
	span_end(&a->worker->tracing, &s);
}

void
asker_trace_answered(const struct asker *a, int status)
{
	if (a->records)
		asker_trace_request(a, status, status >= 500 && a->code != NULL ? a->code : "");
}

void
asker_trace_gone(const struct asker *a)
{
	if (a->records)
		asker_trace_request(
		    a, 0, "no answer: the client left, or the time for it was over");
}
