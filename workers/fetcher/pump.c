/* pump.c - starts what may start, gives up what cannot be done in time any more.
 *
 * Runs at the end of a turn in which something changed, and when a window, a pause, the budget or somebody's
 * patience runs out.
 */
#include <string.h>

#include "clock.h"
#include "fetcher.h"
#include "label.h"
#include "log.h"

#define NEVER	       INT64_MAX
#define PATH_MAX_BYTES 8192
#define SHOW_NS	       CLOCK_SEC

/* Returns when one of them has to be looked at again. */
static int64_t
breakers_show(struct fetcher *f, int64_t now)
{
	int64_t until, soonest = NEVER;

	for (unsigned i = 0; i < FAMILIES; i++) {
		until = breaker_shown_until(&f->breakers[i]);
		metric_set(&f->proc->stats, M_UPSTREAM_BREAKER, i, 0, until > now);
		if (until > now && until < soonest)
			soonest = until;
	}
	return soonest;
}

static void
plan_show(struct fetcher *f)
{
	double left = budget_left(&f->budgets[HOST_DATA]);

	for (int i = 0; i < LANE_COUNT; i++)
		metric_set(&f->proc->stats, M_FETCH_QUEUE, lane_label((enum lane)i), 0,
		    f->plan.jobs_in[i]);
	metric_set(&f->proc->stats, M_UPSTREAM_BUDGET_LIMIT, 0, 0,
	    (uint64_t)f->proc->conf.upstream_budget_per_minute);
	metric_set(&f->proc->stats, M_UPSTREAM_BUDGET_RESERVE, 0, 0,
	    (uint64_t)f->proc->conf.upstream_budget_reserve);
	metric_set(
	    &f->proc->stats, M_UPSTREAM_BUDGET, 0, 0, left > 0 ? (uint64_t)(left * 1000) : 0);
}

static int64_t
batch_patience_ns(const struct batch *b, int64_t now)
{
	const struct job *job;
	int64_t latest = now;

	TAILQ_FOREACH (job, &b->jobs, link)
		if (job->deadline_ns > latest)
			latest = job->deadline_ns;
	return latest - now;
}

static void
batch_leave(struct batch *b, const char *path)
{
	struct fetcher *f = b->fetcher;
	int64_t now = clock_mono(), limit_ms = f->proc->conf.upstream_timeout;
	int64_t left_ms = batch_patience_ns(b, now) / CLOCK_MS;
	struct exchange *call, traced = { 0 };
	char traceparent[TRACEPARENT_LEN + 1];
	struct call_trace trace;
	bool is_probe, is_traced;

	b->tries++;
	if (!b->departed && b->count > 1)
		metric_add(
		    &f->proc->stats, M_UPSTREAM_MERGED, (unsigned)b->row->index, 0, b->count - 1);
	b->departed = b->sealed = true;
	b->state = BATCH_TRAVELLING;
	f->plan.in_flight[b->row->host]++;
	is_probe = breaker_started(plan_breaker(f, b->row), now);
	if (left_ms < limit_ms)
		limit_ms = left_ms > 1 ? left_ms : 1;
	traced_gather(b, &traced);
	is_traced = traced_header(b, &traced, traceparent, &trace);
	call = upstream_call(
	    f->upstream, b->row->host, path, limit_ms, is_traced ? &trace : NULL, batch_settle, b);
	call->trace = traced.trace;
	call->trace_count = traced.trace_count;
	memcpy(call->traces, traced.traces, sizeof(call->traces));
	call->row = b->row;
	call->symbols = b->row->shape == SHAPE_CLOCK ? 0 : b->count;
	call->try = b->tries;
	call->is_probe = is_probe;
}

static void
batch_start(struct batch *b)
{
	struct buf path;

	buf_init(&path, PATH_MAX_BYTES);
	lane_leave(b);
	b->state = BATCH_SETTLING;
	if (request_path(b, &path) == E_OK && buf_add(&path, "", 1) == E_OK) {
		batch_leave(b, (const char *)buf_data(&path));
	} else {
		batch_fail(b, E_INTERNAL_SERVICE_ERROR, 0, "the upstream request is too long");
		batch_free(&b);
	}
	buf_fini(&path);
}

/* The first batch that may leave now. Those whose breaker is open are answered on the way. */
static struct batch *
plan_next(struct fetcher *f, enum endpoint_host host, int64_t now, int64_t *soonest)
{
	struct batch *b, *next;
	struct breaker *breaker;
	int64_t wait;

	for (int lane = 0; lane < LANE_COUNT; lane++) {
		for (b = TAILQ_FIRST(&f->plan.lanes[host][lane]); b != NULL; b = next) {
			next = TAILQ_NEXT(b, link);
			breaker = plan_breaker(f, b->row);
			wait = breaker_wait_ns(breaker, now);
			if (wait > 0 && breaker->state == BREAKER_OPEN)
				batch_fail(b,
				    b->last_error != E_OK ? b->last_error : breaker_error(breaker),
				    (uint64_t)(wait / CLOCK_MS + 1),
				    b->last_error != E_OK ? b->last_reason
							  : "the upstream keeps failing");
			else if (wait == 0 && b->ready_ns <= now)
				return b;
			else if (wait == 0 && b->ready_ns < *soonest)
				*soonest = b->ready_ns;
		}
	}
	return NULL;
}

static int64_t
plan_pump(struct fetcher *f, enum endpoint_host host, int64_t now)
{
	int64_t soonest = NEVER;
	struct batch *b;

	if (!upstream_is_ready(f->upstream))
		return NEVER; /* it will kick */
	while (f->plan.in_flight[host] < (unsigned)f->proc->conf.upstream_connections_max) {
		if ((b = plan_next(f, host, now, &soonest)) == NULL)
			return soonest;
		if (!budget_take(&f->budgets[host]))
			return now + budget_wait_ns(&f->budgets[host], 1);
		batch_start(b);
	}
	return NEVER; /* a call that ends will kick */
}

/* A job that waits and cannot be done in time any more. */
static void
job_give_up(struct job *job)
{
	const struct batch *b = job->batch;
	struct fetcher *f = job->fetcher;

	if (b->tries > 0 && b->last_error != E_OK) {
		job_fail(job, b->last_error, 1000, b->last_reason);
		return;
	}
	metric_add(&f->proc->stats, M_FETCH_OVERLOADED, lane_label(b->lane), 0, 1);
	job_fail(job, E_OVERLOADED, plan_retry_ms(f, job->row, 1),
	    "no upstream call could be started in time");
}

static void
plan_expire(struct fetcher *f, int64_t now)
{
	struct job *job, *next;

	if (now < f->plan.next_expiry_ns)
		return;
	f->plan.next_expiry_ns = NEVER;
	/* Finished jobs leave the table but stay in memory until the turn is over: `next` may be one. */
	HASH_ITER (hh, f->plan.jobs, job, next) {
		if (job->finished)
			continue;
		job_expire(job, now);
		if (job->batch == NULL || job->batch->state != BATCH_WAITING)
			continue;
		if (job->asker_count == 0 || job->start_by_ns <= now)
			job_give_up(job);
		else if (job->start_by_ns < f->plan.next_expiry_ns)
			f->plan.next_expiry_ns = job->start_by_ns;
	}
}

static void
plan_turn(void *owner)
{
	struct fetcher *f = owner;
	int64_t now = clock_mono(), wake, soonest;

	f->plan.kicked = false;
	if (f->plan.over)
		return; /* the last sweep of a loop that ends */
	plan_expire(f, now);
	wake = f->plan.next_expiry_ns;
	for (int host = 0; host < HOSTS; host++)
		if ((soonest = plan_pump(f, (enum endpoint_host)host, now)) < wake)
			wake = soonest;
	if (budget_left(&f->budgets[HOST_DATA]) < f->budgets[HOST_DATA].limit.burst &&
	    wake > now + SHOW_NS)
		wake = now + SHOW_NS; /* a bucket that fills is shown filling */
	if ((soonest = breakers_show(f, now)) < wake)
		wake = soonest;
	if (wake != NEVER)
		loop_timer_set(&f->plan.timer, wake > now ? (wake - now) / CLOCK_MS + 1 : 0);
	plan_show(f);
	if (f->draining && plan_is_idle(f))
		proc_finished(f->proc);
}

void
plan_kick(struct fetcher *f)
{
	if (f->plan.kicked)
		return;
	f->plan.kicked = true;
	loop_at_end(f->proc->loop, plan_turn, f);
}
