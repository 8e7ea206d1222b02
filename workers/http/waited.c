/* waited.c - spans of what a request waits for.
 *
 * Each begins where a waiter is put on a list and is over where it is taken off, so that it ends once whatever ends the
 * wait: an answer, a time limit, a breaker, or the client who leaves. Who joins what another request began has its own
 * span of it in its own trace, linked to that request; the work itself is recorded in the other's trace alone.
 */
#include "waited.h"

#include <string.h>

#include "http_worker.h"
#include "text.h"

static const struct waited_kind {
	const char *name;
	enum span_kind kind;
} waited_kinds[] = {
	[WAITED_REDIS] = { "redis lookup", SPAN_CLIENT },
	[WAITED_STORE] = { "history read", SPAN_CLIENT },
	[WAITED_FETCH] = { "joined fetch", SPAN_INTERNAL },
};

void
waited_record(struct waiter *who, const struct asker *a)
{
	who->waited.asker = a;
}

void
waited_ask(const struct waiter *who, struct msg_fetch *f)
{
	if (who->waited.asker != NULL)
		asker_trace_fetch(who->waited.asker, f);
}

void
waited_begin(struct waiter *who, enum waited_for what, const struct msg_fetch *leads)
{
	struct waited *w = &who->waited;

	if (w->asker == NULL || !w->asker->records)
		return;
	w->what = what;
	w->id = trace_random_next(&w->asker->worker->tracing.random);
	w->begun = clock_wall();
	w->leader = (struct trace_context){ 0 };
	if (leads == NULL || trace_parse(leads->traceparent, &w->leader) != E_OK)
		return;
	/* A list may name a symbol twice. */
	if (w->leader.span == w->asker->context.span)
		w->leader = (struct trace_context){ 0 };
}

static const char *
waited_store(const struct waited *w)
{
	if (w->what == WAITED_REDIS)
		return "redis";
	return w->what == WAITED_STORE ? history_store(w->asker->worker->history) : "";
}

void
waited_over(struct waiter *who, const struct msg_fetch *asked, const struct waited_end *end)
{
	struct waited *w = &who->waited;
	struct msg_span s;

	if (w->what == WAITED_NOTHING)
		return;
	span_begin(&s, &w->asker->worker->tracing, &w->asker->context, waited_kinds[w->what].kind,
	    waited_kinds[w->what].name);
	s.id = w->id;
	s.start = w->begun;
	s.end = clock_wall();
	s.count = end->rows;
	s.failed = end->failed;
	s.link_high = w->leader.high;
	s.link_low = w->leader.low;
	s.link_id = w->leader.span;
	s.link_flags = w->leader.flags;
	(void)text_copy(s.store, sizeof(s.store), waited_store(w));
	(void)text_copy(s.outcome, sizeof(s.outcome), end->outcome);
	(void)text_copy(s.code, sizeof(s.code), end->error != E_OK ? err_name(end->error) : "");
	(void)text_safe(s.reason, sizeof(s.reason), end->reason != NULL ? end->reason : "");
	(void)text_copy(s.symbol, sizeof(s.symbol), asked->symbol);
	(void)text_copy(s.request_id, sizeof(s.request_id), w->asker->id);
	w->what = WAITED_NOTHING;
	span_end(&w->asker->worker->tracing, &s);
}

void
waited_over_as(struct waiter *who, const struct msg_fetch *asked, const char *outcome, bool failed)
{
	const struct waited_end end = { .outcome = outcome, .failed = failed };

	waited_over(who, asked, &end);
}

void
waited_fetched(struct waiter *who, const struct msg_fetch *asked, const struct outcome *what)
{
	struct waited_end end = { .outcome = "answered",
		.failed = what->error != E_OK,
		.error = what->error,
		.reason = what->reason,
		.rows = what->row_count };

	if (end.failed)
		end.outcome = what->error == E_UPSTREAM_TIMEOUT ? "timeout" : "failed";
	waited_over(who, asked, &end);
}

void
waited_refused(
    struct waiter *who, enum waited_for what, const struct msg_fetch *asked, const char *outcome)
{
	waited_begin(who, what, NULL);
	waited_over_as(who, asked, outcome, true);
}
