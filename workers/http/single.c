/* single.c - a request for one value: answered now, or when its fetch is over. */
#include <stddef.h>

#include "http_worker.h"
#include "mem.h"

struct single {
	struct pending pending; /* first: the request's tag */
	struct waiter waiter;
	struct asker asker;
	struct ask ask;
};

static struct single *
single_of_waiter(struct waiter *w)
{
	return (struct single *)((char *)w - offsetof(struct single, waiter));
}

static void
single_done(struct waiter *w, const struct outcome *what)
{
	struct single *s = single_of_waiter(w);
	struct found found;

	lookup_settle(s->asker.worker->lookup, &s->ask, what, &found);
	http_tag_set(s->asker.request, NULL);
	answer_found(&s->asker, &s->ask, &found);
	mem_free(&s);
}

static void
single_leave(struct pending *p)
{
	struct single *s = (struct single *)p;

	asker_trace_gone(&s->asker);
	lookup_leave(s->asker.worker->lookup, &s->waiter);
	mem_free(&s);
}

static void
single_wait(struct visit *c, const struct ask *ask)
{
	struct lookup *lookup = c->worker->lookup;
	struct single *s = mem_alloc(sizeof(*s));
	struct outcome refused = { .retry_ms = 1000,
		.reason = "as many fetches wait as this gateway allows" };
	struct found found;

	s->pending.leave = single_leave;
	s->waiter.done = single_done;
	s->asker = c->asker;
	s->ask = *ask;
	asker_trace_fetch(&s->asker, &s->ask.fetch);
	waited_record(&s->waiter, &s->asker);
	if ((refused.error = lookup_later(lookup, &s->ask, &s->waiter)) == E_OK) {
		http_tag_set(c->asker.request, s);
		return;
	}
	lookup_settle(lookup, ask, &refused, &found);
	answer_found(&c->asker, ask, &found);
	mem_free(&s);
}

void
single_answer(struct visit *c, const struct question *q)
{
	struct fault fault = { 0 };
	struct found found;
	struct ask ask;

	if (ask_read(&ask, q, c->params, &c->worker->proc->conf, &fault) != E_OK)
		answer_fault(&c->asker, &fault);
	else if (asker_look(&c->asker, &ask, &found))
		answer_found(&c->asker, &ask, &found);
	else
		single_wait(c, &ask);
}
