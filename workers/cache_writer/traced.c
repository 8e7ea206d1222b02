/* traced.c - commits in the traces of those whose records they hold: one span for each. */
#include "traced.h"

#include <string.h>

#include "clock.h"
#include "text.h"

static void
traced_span(struct traced *t, const struct trace_context *c)
{
	struct msg_span s;

	span_begin(&s, &t->tracing, c, SPAN_CLIENT, "store commit");
	s.start = t->last.start;
	s.end = t->last.end;
	s.count = t->last.rows;
	(void)text_copy(s.store, sizeof(s.store), t->store);
	span_end(&t->tracing, &s);
}

static bool
traced_holds(const struct traced_commit *c, const char *source, uint64_t sequence)
{
	return sequence <= c->sequence && strcmp(c->source, source) == 0;
}

void
traced_await(struct traced *t, const char *source, const struct msg_appended *m)
{
	struct traced_record *r = &t->awaited[t->next];
	struct trace_context c;

	if (m->traceparent[0] == '\0' || trace_parse(m->traceparent, &c) != E_OK ||
	    !trace_is_sampled(&c))
		return;
	if (traced_holds(&t->last, source, m->sequence)) {
		traced_span(t, &c);
		return;
	}
	t->next = (t->next + 1) % TRACED_MAX;
	r->sequence = m->sequence;
	r->context = c;
	(void)text_copy(r->source, sizeof(r->source), source);
}

void
traced_committed(
    struct traced *t, const char *source, uint64_t sequence, const struct store_commit *done)
{
	struct traced_record *r;

	t->last.sequence = sequence;
	t->last.rows = done->rows;
	t->last.end = clock_wall();
	t->last.start = t->last.end - done->took_ns;
	(void)text_copy(t->last.source, sizeof(t->last.source), source);
	for (unsigned i = 0; i < TRACED_MAX; i++) {
		r = &t->awaited[i];
		if (r->sequence == 0 || !traced_holds(&t->last, r->source, r->sequence))
			continue;
		traced_span(t, &r->context);
		r->sequence = 0;
	}
}
