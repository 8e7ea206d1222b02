/* fetcher.c - the worker that holds the only connection to the upstream: its entry point. */
#include "fetcher.h"

#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "err.h"
#include "log.h"

/* One thread, and large bodies now and then: what they took goes back to the system. */
#define MALLOC_LARGE (128 * 1024)

/* A client wants what no cache holds. */
static void
fetcher_on_fetch(struct peer *from, const void *data, void *owner)
{
	const struct msg_fetch *fetch = data;
	struct asker who = { .peer = from, .ticket = fetch->ticket };
	struct msg_fetch without;

	/* It becomes a line of the upstream call's head: a worker gone mad must not write others there. */
	if (fetch->tracestate[0] != '\0' && !tracestate_is_valid(fetch->tracestate)) {
		without = *fetch;
		without.tracestate[0] = '\0';
		fetch = &without;
		log_warn("%s: sent a tracestate that is none, left out", from->slot);
	}
	if (fetch->traceparent[0] != '\0' && trace_parse(fetch->traceparent, &who.trace) != E_OK)
		log_debug("%s: its traceparent is none", from->slot);
	plan_ask(owner, fetch, &who);
}

static void
journal_measure(struct fetcher *f)
{
	metric_set(&f->proc->stats, M_JOURNAL_BYTES, 0, 0, journal_bytes(f->journal));
	metric_set(&f->proc->stats, M_JOURNAL_KEPT_BYTES, 0, 0, journal_stored_bytes(f->journal));
}

/* Everything up to here is in the store: the journal may let it go. */
static void
fetcher_on_stored(struct peer *from, const void *data, void *owner)
{
	const struct msg_stored *stored = data;
	struct fetcher *f = owner;

	(void)from;
	journal_passed(f->journal, stored->sequence);
	f->journal_full = journal_bytes(f->journal) - journal_stored_bytes(f->journal) >=
			  f->proc->conf.journal_max_bytes;
	publish_state(f);
	journal_measure(f);
}

static const struct msg_handler fetcher_handlers[] = {
	{ MSG_FETCH, fetcher_on_fetch },
	{ MSG_STORED, fetcher_on_stored },
	{ 0, NULL },
};

static void
fetcher_peer_up(struct peer *peer, void *owner)
{
	struct fetcher *f = owner;

	tracing_peer_up(&f->tracing, peer);
	if (peer->role == ROLE_HTTP)
		publish_clock(f, peer);
	else if (peer->role == ROLE_CACHE_WRITER && f->journal != NULL)
		publish_position(f);
}

static void
fetcher_peer_down(struct peer *peer, void *owner)
{
	struct fetcher *f = owner;

	tracing_peer_down(&f->tracing, peer);
	plan_forget(f, peer);
}

static void
fetcher_drain(int64_t timeout_ms, void *owner)
{
	struct fetcher *f = owner;

	log_info("draining for at most %lld ms", (long long)timeout_ms);
	f->draining = true;
	tracing_drain(&f->tracing);
	plan_kick(f);
}

/* Calls can be made. What loading left behind is given back once the first of them are through. */
static void
fetcher_upstream_ready(void *owner)
{
	struct fetcher *f = owner;

	plan_kick(f);
	loop_timer_set(&f->trim_timer, TRIM_AFTER_MS);
}

static const struct proc_hooks fetcher_hooks = {
	.peer_up = fetcher_peer_up,
	.peer_down = fetcher_peer_down,
	.drain = fetcher_drain,
};

/* What a power cut may take is what came since the last of these. */
static void
fetcher_sync(void *owner)
{
	struct fetcher *f = owner;

	if (journal_sync_begin(f->journal) != E_OK && !f->journal_failing)
		log_error("journal: cannot be forced to disk");
	journal_prune(f->journal);
	journal_measure(f);
	loop_timer_set(&f->sync_timer, f->proc->conf.journal_sync_interval);
}

static void
fetcher_trim(void *owner)
{
	(void)owner;
	rest_give_back();
}

static void
fetcher_open_journal(struct fetcher *f)
{
	const struct conf *conf = &f->proc->conf;
	struct journal_limits limits = { .segment_bytes = conf->journal_segment_bytes,
		.max_bytes = conf->journal_max_bytes,
		.keep_ns = conf->journal_keep * CLOCK_MS };

	if (conf->journal_record && conf->journal_keep == 0)
		limits.keep_ns = JOURNAL_KEEP_EVER;

	if (journal_open(&f->journal, conf->state_dir, f->proc->slot, &limits) != E_OK)
		fatal(EXIT_WITH_STATE, "%s: the journal of %s cannot be opened", conf->state_dir,
		    f->proc->slot);
	loop_timer_open(f->proc->loop, &f->sync_timer, fetcher_sync, f);
	if (conf->journal_sync_interval > 0)
		loop_timer_set(&f->sync_timer, conf->journal_sync_interval);
}

static void
fetcher_open_budgets(struct fetcher *f)
{
	const struct conf *conf = &f->proc->conf;
	const double per_minute[HOSTS] = { [HOST_DATA] = (double)conf->upstream_budget_per_minute,
		[HOST_TRADING] = TRADING_PER_MINUTE };
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/budget.%s", conf->state_dir, f->proc->slot);
	f->marks = budget_file_open(path, HOSTS);
	for (int i = 0; i < HOSTS; i++)
		budget_init(&f->budgets[i], per_minute[i], (double)conf->upstream_budget_reserve,
		    f->marks != NULL ? f->marks + i * BUDGET_MARKS : NULL, budget_boot());
	for (int i = 0; i < FAMILIES; i++)
		breaker_init(&f->breakers[i], (unsigned)conf->upstream_breaker_failures,
		    conf->upstream_breaker_open);
}

int
main(int argc, char **argv)
{
	struct proc *p;
	struct fetcher f;

	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, MALLOC_LARGE);
	mallopt(M_TRIM_THRESHOLD, MALLOC_LARGE);
	p = proc_begin(ROLE_FETCHER, argc, argv);
	memset(&f, 0, sizeof(f));
	f.proc = p;
	plan_init(&f);
	loop_timer_open(p->loop, &f.trim_timer, fetcher_trim, &f);

	proc_confine(p);
	proc_connect(p, &fetcher_hooks, fetcher_handlers, &f);

	tracing_init(&f.tracing, p);
	f.has_key = p->conf.alpaca_key[0] != '\0' && p->conf.alpaca_secret[0] != '\0';
	f.assets = assets_new();
	fetcher_open_journal(&f);
	fetcher_open_budgets(&f);
	f.upstream = upstream_new(p->loop, &p->conf, fetcher_upstream_ready, &f);
	clock_watch_begin(&f);

	proc_ready(p);
	proc_loop(p);

	tracing_fini(&f.tracing);
	clock_watch_end(&f);
	plan_fini(&f);
	upstream_free(&f.upstream);
	budget_file_close(&f.marks, HOSTS);
	loop_timer_close(&f.sync_timer);
	journal_close(&f.journal);
	assets_free(&f.assets);
	loop_timer_close(&f.trim_timer);
	return proc_end(p);
}
