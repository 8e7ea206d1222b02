/* plan.c - takes what is asked: refuses it, joins it to the identical job under way, or gives it a batch.
 *
 * A job travels alone, or, where the endpoint takes many symbols, with others of the same endpoint and feed
 * that came within the merge window or while budget was awaited.
 */
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "fetcher.h"
#include "label.h"
#include "log.h"
#include "symbol.h"

#define PATIENCE_MIN_MS	  100
#define PATIENCE_MAX_MS	  600000
#define PATIENCE_USUAL_MS 5000

unsigned
plan_family(const struct endpoint_row *row)
{
	if (row->host == HOST_TRADING)
		return LABEL(family, TRADING);
	switch (row->asset) {
	case ASSET_STOCK:
		return LABEL(family, STOCK);
	case ASSET_OPTION:
		return LABEL(family, OPTION);
	case ASSET_CRYPTO:
		return LABEL(family, CRYPTO);
	}
	return 0;
}

struct breaker *
plan_breaker(struct fetcher *f, const struct endpoint_row *row)
{
	return &f->breakers[plan_family(row)];
}

/* When asking again makes sense, for one who is refused now. */
uint64_t
plan_retry_ms(struct fetcher *f, const struct endpoint_row *row, unsigned calls)
{
	int64_t ms = budget_wait_ns(&f->budgets[row->host], calls) / CLOCK_MS + 1;

	return (uint64_t)(ms > 100 ? ms : 100);
}

static int
symbol_check(enum asset asset, const char *symbol)
{
	char again[SYMBOL_MAX];
	int r = E_INVALID_SYMBOL_FORMAT;

	switch (asset) {
	case ASSET_STOCK:
		r = symbol_stock(symbol, again);
		break;
	case ASSET_OPTION:
		r = symbol_option(symbol, again);
		break;
	case ASSET_CRYPTO:
		r = symbol_crypto(symbol, again);
		break;
	}
	return r == E_OK && strcmp(symbol, again) != 0 ? E_INVALID_SYMBOL_FORMAT : r;
}

/* What can be told without asking anybody. A chain is asked by its underlying, which is a stock or an index. */
static int
fetch_check(const struct fetcher *f, const struct msg_fetch *fetch, const struct endpoint_row *row,
    const char **why)
{
	*why = "no such upstream call";
	if (row == NULL)
		return E_INVALID_PARAMETER;
	*why = "the symbol was refused before the upstream was asked";
	if (row->shape != SHAPE_CLOCK &&
	    symbol_check(row->number == ENDPOINT_OPTION_CHAIN ? ASSET_STOCK : row->asset,
		fetch->symbol) != E_OK)
		return E_INVALID_SYMBOL_FORMAT;
	*why = "bars need a timeframe";
	if (row->shape == SHAPE_BARS && fetch->timeframe[0] == '\0')
		return E_INVALID_PARAMETER;
	*why = "no key is configured, and the upstream wants one here";
	if (row->needs_key && !f->has_key)
		return E_UPSTREAM_AUTHENTICATION_FAILED;
	return E_OK;
}

static void
plan_overloaded(struct fetcher *f, const struct msg_fetch *fetch, const struct asker *who,
    uint64_t retry_ms, const char *reason)
{
	metric_add(&f->proc->stats, M_FETCH_OVERLOADED, lane_label((enum lane)fetch->lane), 0, 1);
	publish_refusal(f, fetch, who, E_OVERLOADED, retry_ms, reason);
}

/* Whether a new call of this kind has a place: answers by itself when not. */
static int
plan_admits(struct fetcher *f, const struct msg_fetch *fetch, const struct endpoint_row *row,
    const struct asker *who)
{
	struct breaker *breaker = plan_breaker(f, row);
	int64_t now = clock_mono(), wait = breaker_wait_ns(breaker, now);
	char reason[96];

	breaker_asked(breaker, now);
	if (breaker->state == BREAKER_OPEN && wait > 0) {
		snprintf(reason, sizeof(reason),
		    "the %s upstream keeps failing; it is asked again later",
		    label_text(LABELS_family, plan_family(row)));
		publish_refusal(
		    f, fetch, who, breaker_error(breaker), (uint64_t)(wait / CLOCK_MS + 1), reason);
		return 0;
	}
	if (f->draining && who->peer != NULL)
		plan_overloaded(f, fetch, who, 1000, "this process is ending");
	else if (f->journal_full && strcmp(f->proc->conf.journal_on_full, "refuse") == 0)
		plan_overloaded(f, fetch, who, 1000, "the journal is full");
	else if (f->plan.jobs_waiting >= (unsigned)f->proc->conf.upstream_queue_max)
		plan_overloaded(f, fetch, who, plan_retry_ms(f, row, f->plan.jobs_waiting + 1),
		    "as many fetches wait as upstream.queue_max allows");
	else
		return 1;
	return 0;
}

/* Into a batch, unless the budget could not let it leave in time. */
static void
plan_place(struct fetcher *f, struct job *job)
{
	enum lane lane = (enum lane)job->fetch.lane;
	const char *feed = request_feed(job->row, job->fetch.feed, &f->proc->conf);
	struct batch *b = lane_company(f, job->row, feed);
	unsigned ahead = lane_calls_ahead(f, job->row->host, lane) + (b == NULL);
	int64_t now = clock_mono();

	if (budget_wait_ns(&f->budgets[job->row->host], ahead) > job->start_by_ns - now) {
		metric_add(&f->proc->stats, M_FETCH_OVERLOADED, lane_label(lane), 0, 1);
		job_fail(job, E_OVERLOADED, plan_retry_ms(f, job->row, ahead),
		    "the upstream budget is spent for as long as the asker would wait");
		return;
	}
	if (b == NULL) {
		b = batch_new(f, job->row, feed, lane);
		b->ready_ns = now;
		if (job->row->merges)
			b->ready_ns += f->proc->conf.upstream_merge_window * CLOCK_MS;
		lane_enter(b, false);
	}
	batch_add(b, job);
	lane_promote(b, lane);
	if (b->count >= (unsigned)f->proc->conf.upstream_merge_max)
		b->ready_ns = now;
	if (shape_is_rows(job->row->shape) || job->row->number == ENDPOINT_OPTION_CHAIN)
		walk_begin(b);
	plan_kick(f);
}

static void
plan_join(
    struct job *job, const struct msg_fetch *fetch, const struct asker *who, int64_t patience_ms)
{
	struct fetcher *f = job->fetcher;

	if (job_join(job, who, patience_ms) != E_OK) {
		plan_overloaded(f, fetch, who, 1000, "too many wait for this answer already");
		return;
	}
	metric_add(&f->proc->stats, M_UPSTREAM_COALESCED, (unsigned)job->row->index, 0, 1);
	if (job->batch != NULL)
		lane_promote(job->batch, (enum lane)fetch->lane);
	plan_kick(f);
}

static int64_t
plan_patience_ms(const struct msg_fetch *fetch)
{
	if (fetch->timeout_ms == 0)
		return PATIENCE_USUAL_MS;
	if (fetch->timeout_ms < PATIENCE_MIN_MS)
		return PATIENCE_MIN_MS;
	return fetch->timeout_ms > PATIENCE_MAX_MS ? PATIENCE_MAX_MS : (int64_t)fetch->timeout_ms;
}

void
plan_ask(struct fetcher *f, const struct msg_fetch *asked, const struct asker *who)
{
	struct msg_fetch fetch = *asked;
	const struct endpoint_row *row = endpoint_row(fetch.endpoint);
	char key[FETCH_KEY];
	const char *why;
	struct job *job;
	int r;

	if (fetch.lane >= LANE_COUNT)
		fetch.lane = LANE_BACKFILL;
	if ((r = fetch_check(f, &fetch, row, &why)) != E_OK) {
		publish_refusal(f, &fetch, who, r, 0, why);
		return;
	}
	fetch_key(&fetch, key);
	HASH_FIND_STR(f->plan.jobs, key, job);
	if (job != NULL) {
		plan_join(job, &fetch, who, plan_patience_ms(&fetch));
		return;
	}
	if (!plan_admits(f, &fetch, row, who))
		return;
	job = job_new(f, &fetch, key);
	if (job_join(job, who, plan_patience_ms(&fetch)) != E_OK)
		panic("a new job refused its first asker");
	plan_place(f, job);
}

int
plan_is_idle(const struct fetcher *f)
{
	return f->plan.jobs == NULL;
}

void
plan_forget(struct fetcher *f, const struct peer *peer)
{
	struct job *job, *next;

	HASH_ITER (hh, f->plan.jobs, job, next)
		job_forget(job, peer);
}

static void
plan_on_timer(void *owner)
{
	plan_kick(owner);
}

void
plan_init(struct fetcher *f)
{
	for (int host = 0; host < HOSTS; host++)
		for (int lane = 0; lane < LANE_COUNT; lane++)
			TAILQ_INIT(&f->plan.lanes[host][lane]);
	f->plan.next_expiry_ns = INT64_MAX;
	loop_timer_open(f->proc->loop, &f->plan.timer, plan_on_timer, f);
}

/* What is still there is dropped unanswered: the channels are gone. */
void
plan_fini(struct fetcher *f)
{
	struct job *job;
	struct batch *b;
	bool travels;

	f->plan.over = true;
	loop_timer_close(&f->plan.timer);
	while ((job = f->plan.jobs) != NULL) {
		b = job->batch;
		travels = b != NULL && b->state == BATCH_TRAVELLING;
		job_leave(job);
		if (travels && b->count == 0)
			batch_free(&b);
		HASH_DEL(f->plan.jobs, job);
		job_discard(job);
	}
}
