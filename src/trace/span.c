/* span.c - spans to the tracer, or nowhere. */
#include "span.h"

#include <string.h>

#include "label.h"
#include "log.h"
#include "text.h"

void
tracing_init(struct tracing *t, struct proc *p)
{
	const struct conf *c = &p->conf;

	memset(t, 0, sizeof(*t));
	t->proc = p;
	trace_random_init(&t->random);
	if (trace_sampler_init(&t->sampler, c->trace_sampler, c->trace_sampler_arg) != E_OK)
		log_warn("trace.sampler_arg: \"%s\" is no ratio between 0 and 1: all is sampled",
		    c->trace_sampler_arg);
}

void
tracing_peer_up(struct tracing *t, struct peer *p)
{
	if (p->role != ROLE_TRACER)
		return;
	t->tracer = p;
	t->on = true;
}

void
tracing_peer_down(struct tracing *t, const struct peer *p)
{
	if (t->tracer == p)
		t->tracer = NULL;
}

void
span_begin(struct msg_span *s, struct tracing *t, const struct trace_context *c,
    enum span_kind kind, const char *name)
{
	memset(s, 0, sizeof(*s));
	s->trace_high = c->high;
	s->trace_low = c->low;
	s->parent = c->span;
	s->flags = c->flags;
	s->id = trace_random_next(&t->random);
	s->kind = kind;
	(void)text_copy(s->name, sizeof(s->name), name);
}

static void
span_lose(struct tracing *t, enum label_lost why)
{
	metric_add(&t->proc->stats, M_TRACE_DROPPED, why, 0, 1);
}

void
span_end(struct tracing *t, const struct msg_span *s)
{
	metric_add(&t->proc->stats, M_TRACE_SPANS, 0, 0, 1);
	if (t->tracer == NULL)
		span_lose(t, LABEL(lost, ABSENT));
	else if (PROC_PEER_QUEUE - chan_room(t->tracer->chan) >= SPANS_QUEUED_MAX ||
		 peer_send(t->tracer, MSG_SPAN, s) != E_OK)
		span_lose(t, LABEL(lost, CHANNEL));
}
