/* traced.c - calls and the journal in the traces of those who wait for them.
 *
 * A call may be for many. Each sampled one gets spans of its own in its own trace, linked to those of the first, which
 * the upstream is told of if it is told at all.
 */
#include <string.h>

#include "clock.h"
#include "fetcher.h"
#include "log.h"
#include "text.h"

static bool
traced_has(const struct exchange *e, const struct trace_context *c)
{
	for (unsigned i = 0; i < e->trace_count; i++)
		if (e->traces[i].asked.span == c->span && e->traces[i].asked.low == c->low)
			return true;
	return false;
}

void
traced_gather(const struct batch *b, struct exchange *e)
{
	struct trace_random *random = &b->fetcher->tracing.random;
	const struct job *job;

	TAILQ_FOREACH (job, &b->jobs, link)
		for (const struct asker *a = job->askers; a != NULL; a = a->next) {
			if (!trace_is(&e->trace))
				e->trace = a->trace;
			if (e->trace_count == EXCHANGE_TRACES || !trace_is_sampled(&a->trace) ||
			    !b->fetcher->tracing.on || traced_has(e, &a->trace))
				continue;
			e->traces[e->trace_count++] = (struct exchange_trace){ .asked = a->trace,
				.span = trace_random_next(random),
				.journal = trace_random_next(random) };
		}
}

/* Nobody sampled: the context goes on as it is. */
bool
traced_header(const struct batch *b, struct exchange *e, char traceparent[TRACEPARENT_LEN + 1],
    struct call_trace *out)
{
	struct trace_context c = e->trace;

	if (!b->fetcher->proc->conf.trace_upstream || !trace_is(&c))
		return false;
	if (e->trace_count > 0) {
		c = e->traces[0].asked;
		c.span = e->traces[0].span;
	}
	trace_format(&c, traceparent);
	*out = (struct call_trace){ traceparent, NULL };
	/* The state belongs to one trace: the first job's, which came with it. */
	if (strncmp(TAILQ_FIRST(&b->jobs)->fetch.traceparent + 3, traceparent + 3, TRACE_ID_LEN) ==
	    0)
		out->tracestate = TAILQ_FIRST(&b->jobs)->fetch.tracestate;
	return true;
}

static void
traced_link(struct msg_span *s, const struct exchange *e, unsigned i, uint64_t id)
{
	if (i == 0)
		return;
	s->link_high = e->traces[0].asked.high;
	s->link_low = e->traces[0].asked.low;
	s->link_id = id;
	s->link_flags = e->traces[0].asked.flags;
}

void
traced_call(struct fetcher *f, const struct exchange *e, const struct verdict *v)
{
	char name[128] = "GET ";
	struct msg_span s;

	text_copy(name + 4, sizeof(name) - 4, e->row->name);
	for (unsigned i = 0; i < e->trace_count; i++) {
		span_begin(&s, &f->tracing, &e->traces[i].asked, SPAN_CLIENT, name);
		s.id = e->traces[i].span;
		s.start = e->started_ns;
		s.end = e->received_ns;
		s.status = (uint64_t)e->status;
		s.try = e->try;
		s.count = e->symbols;
		s.failed = v->error != E_OK;
		text_copy(s.method, sizeof(s.method), "GET");
		text_copy_n(s.path, sizeof(s.path), e->path,
		    strcspn(e->path, "?") < sizeof(s.path) ? strcspn(e->path, "?")
							   : sizeof(s.path) - 1);
		text_copy(s.endpoint, sizeof(s.endpoint), e->row->name);
		text_copy(s.upstream_id, sizeof(s.upstream_id), e->request_id);
		text_copy(s.code, sizeof(s.code), s.failed ? err_name(v->error) : "");
		text_safe(s.reason, sizeof(s.reason), s.failed ? v->reason : "");
		traced_link(&s, e, i, e->traces[0].span);
		span_end(&f->tracing, &s);
	}
}

/* So that the writer can tell when it is stored. */
static void
traced_tell(struct fetcher *f, const struct trace_context *c)
{
	struct msg_appended appended = { .sequence = journal_last(f->journal) };
	struct peer *p = NULL;

	trace_format(c, appended.traceparent);
	while ((p = proc_peer(f->proc, ROLE_CACHE_WRITER, p)) != NULL)
		if (peer_send(p, MSG_APPENDED, &appended) != E_OK)
			log_debug("%s: not told of a trace", p->slot);
}

void
traced_append(struct fetcher *f, struct exchange *e, int64_t begun_ns, int result)
{
	struct trace_context c;
	struct msg_span s;

	for (unsigned i = 0; i < e->trace_count; i++) {
		c = e->traces[i].asked;
		c.span = e->traces[i].span;
		span_begin(&s, &f->tracing, &c, SPAN_INTERNAL, "journal append");
		s.id = e->traces[i].journal;
		s.start = begun_ns;
		s.end = clock_wall();
		s.failed = result != E_OK;
		text_copy(s.code, sizeof(s.code), s.failed ? err_name(result) : "");
		traced_link(&s, e, i, e->traces[0].journal);
		span_end(&f->tracing, &s);
		c.span = s.id;
		if (result == E_OK)
			traced_tell(f, &c);
	}
}
