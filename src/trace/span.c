/* span.c - spans to the tracer, or nowhere. */
#include "span.h"

#include <string.h>

#include "label.h"
#include "log.h"
#include "mem.h"
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

static void
span_lose(struct tracing *t, enum label_lost why, unsigned count)
{
	metric_add(&t->proc->stats, M_TRACE_DROPPED, why, 0, count);
}

static bool
tracer_takes(const struct tracing *t)
{
	return PROC_PEER_QUEUE - chan_room(t->tracer->chan) < SPANS_QUEUED_MAX;
}

static void
tracing_flush(void *owner)
{
	struct tracing *t = owner;
	unsigned sent = 0;

	while (t->tracer != NULL && sent < t->held_count && tracer_takes(t) &&
	       peer_send(t->tracer, MSG_SPAN, &t->held[sent]) == E_OK)
		sent++;
	if (sent < t->held_count)
		span_lose(t, t->tracer == NULL ? LABEL(lost, ABSENT) : LABEL(lost, CHANNEL),
		    t->held_count - sent);
	t->held_count = 0;
	loop_timer_clear(&t->timer);
}

void
tracing_drain(struct tracing *t)
{
	t->draining = true;
	if (t->on)
		tracing_flush(t);
}

void
tracing_fini(struct tracing *t)
{
	if (!t->on)
		return;
	loop_timer_close(&t->timer);
	mem_free(&t->held);
	t->tracer = NULL;
}

void
tracing_peer_up(struct tracing *t, struct peer *p)
{
	if (p->role != ROLE_TRACER)
		return;
	t->tracer = p;
	if (t->on)
		return;
	t->on = true;
	t->held = mem_array(SPANS_HELD, sizeof(*t->held));
	loop_timer_open(t->proc->loop, &t->timer, tracing_flush, t);
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

void
span_end(struct tracing *t, const struct msg_span *s)
{
	metric_add(&t->proc->stats, M_TRACE_SPANS, 0, 0, 1);
	if (t->tracer == NULL) {
		span_lose(t, LABEL(lost, ABSENT), 1);
		return;
	}
	t->held[t->held_count++] = *s;
	if (t->held_count == SPANS_HELD || t->draining)
		tracing_flush(t);
	else if (t->held_count == 1)
		loop_timer_set(&t->timer, SPANS_HELD_MS);
}
