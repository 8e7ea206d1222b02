/* found.c - how old an answer is, and how old it may be: one moment of a look-up, freshness, what a client is told of it. */
#include "found.h"

#include "clock.h"

static int64_t
lookup_freshness_of_kind(const struct conf *c, enum ask_kind kind)
{
	switch (kind) {
	case ASK_QUOTE:
		return c->freshness_quote;
	case ASK_TRADE:
		return c->freshness_trade;
	case ASK_SNAPSHOT:
	case ASK_CHAIN:
		return c->freshness_snapshot;
	case ASK_BARS:
	case ASK_TRADES:
		return c->freshness_bars;
	case ASK_CLOCK:
		break;
	}
	return SESSION_CLOCK_AGE_NS / CLOCK_MS;
}

int64_t
found_at_most(int64_t limit, const struct ask *a)
{
	return a->max_age_ns != ASK_ANY_AGE && a->max_age_ns < limit ? a->max_age_ns : limit;
}

struct moment
lookup_moment(const struct lookup *l, enum asset asset)
{
	struct moment m = { .now_ns = clock_mono() };

	m.session = asset == ASSET_CRYPTO ? SESSION_OPEN
					  : session_of(&l->clock, m.now_ns - l->clock_taken_ns);
	return m;
}

int64_t
lookup_freshness(const struct lookup *l, const struct ask *a, const struct moment *m)
{
	const struct conf *c = &l->proc->conf;
	bool is_closed = m->session == SESSION_CLOSED;

	return found_at_most(
	    (is_closed ? c->freshness_closed : lookup_freshness_of_kind(c, a->kind)) * CLOCK_MS, a);
}

void
found_begin(struct found *f, enum cache_way way, const struct moment *m, int64_t taken)
{
	*f = (struct found){
		.way = way, .session = m->session, .age_ns = taken != 0 ? m->now_ns - taken : 0
	};
}

void
found_refuse_empty(const struct ask *a, struct found *f)
{
	const struct shown *s = f->what.shown;
	bool is_rows = ask_is_range(a->kind) || a->kind == ASK_CHAIN;

	if (f->what.error != E_OK || s == NULL || !is_rows || s->count > 0 || !s->complete ||
	    a->fetch.page_token[0] != '\0')
		return;
	f->what.error =
	    ask_is_range(a->kind) ? E_HISTORICAL_DATA_UNAVAILABLE : E_OPTIONS_CHAIN_UNAVAILABLE;
	f->what.shown = NULL;
}

void
found_age(struct found *f)
{
	const struct shown *s = f->what.shown;

	if (s == NULL || s->aged_ns == 0)
		return;
	f->age_ns += s->aged_ns;
	f->fresh_ns += s->aged_ns - s->unsettled_ns;
}

int64_t
found_cached_age(const struct cached *c, const struct moment *m)
{
	return m->now_ns - c->taken_ns + (c->shown != NULL ? c->shown->unsettled_ns : 0);
}

void
found_fill(struct found *f, const struct cached *c, int64_t fresh)
{
	uint64_t left_ms = (uint64_t)((fresh > f->age_ns ? fresh - f->age_ns : 0) / CLOCK_MS);

	f->fresh_ns = fresh;
	f->what.error = c->error;
	f->what.shown = c->shown;
	f->what.reason = c->reason[0] != '\0' ? c->reason : NULL;
	found_age(f);
	if (c->error != E_OK)
		f->what.retry_ms = c->retry_ms > left_ms ? c->retry_ms : left_ms;
}
