/* lane.c - batches, and the lanes they wait in. */
#include <assert.h>
#include <string.h>

#include "clock.h"
#include "fetcher.h"
#include "label.h"
#include "mem.h"
#include "text.h"

/* A batch that was tried before may start while there is so much time left for its answer. */
#define AGAIN_MIN_NS (100 * CLOCK_MS)
/* Cuts of one batch: one culprit among a hundred symbols takes seven, two at most fourteen. */
#define SPLITS_MAX 14

unsigned
lane_label(enum lane lane)
{
	static const unsigned labels[LANE_COUNT] = { [LANE_INTERACTIVE] = LABEL(lane, INTERACTIVE),
		[LANE_REFRESH] = LABEL(lane, REFRESH),
		[LANE_BACKFILL] = LABEL(lane, BACKFILL) };

	return labels[lane];
}

static void
lane_count(struct batch *b, int batches, int jobs)
{
	struct plan *p = &b->fetcher->plan;

	p->batches[b->row->host][b->lane] += (unsigned)batches;
	p->jobs_in[b->lane] += (unsigned)jobs;
	p->jobs_waiting += (unsigned)jobs;
}

void
lane_enter(struct batch *b, bool at_front)
{
	struct batches *lane = &b->fetcher->plan.lanes[b->row->host][b->lane];

	b->state = BATCH_WAITING;
	if (at_front)
		TAILQ_INSERT_HEAD(lane, b, link);
	else
		TAILQ_INSERT_TAIL(lane, b, link);
	lane_count(b, 1, (int)b->count);
}

void
lane_leave(struct batch *b)
{
	TAILQ_REMOVE(&b->fetcher->plan.lanes[b->row->host][b->lane], b, link);
	lane_count(b, -1, -(int)b->count);
}

void
lane_promote(struct batch *b, enum lane lane)
{
	if (b->state != BATCH_WAITING || lane >= b->lane)
		return;
	lane_leave(b);
	b->lane = lane;
	lane_enter(b, false);
}

struct batch *
batch_new(struct fetcher *f, const struct endpoint_row *row, const char *feed, enum lane lane)
{
	struct batch *b = mem_alloc(sizeof(*b));

	b->fetcher = f;
	b->row = row;
	b->lane = lane;
	b->state = BATCH_SETTLING;
	text_copy(b->feed, sizeof(b->feed), feed);
	TAILQ_INIT(&b->jobs);
	return b;
}

void
batch_free(struct batch **bp)
{
	struct splits *s = (*bp)->splits;

	assert(TAILQ_EMPTY(&(*bp)->jobs));
	if (s != NULL && --s->batches == 0)
		mem_free(&s);
	mem_free(bp);
}

void
batch_add(struct batch *b, struct job *job)
{
	job->batch = b;
	TAILQ_INSERT_TAIL(&b->jobs, job, link);
	b->count++;
	if (b->state == BATCH_WAITING)
		lane_count(b, 0, 1);
}

void
job_leave(struct job *job)
{
	struct batch *b = job->batch;

	if (b == NULL)
		return;
	TAILQ_REMOVE(&b->jobs, job, link);
	job->batch = NULL;
	b->count--;
	if (b->state != BATCH_WAITING)
		return;
	lane_count(b, 0, -1);
	if (b->count == 0) {
		lane_leave(b);
		batch_free(&b);
	}
}

void
batch_fail(struct batch *b, int error, uint64_t retry_ms, const char *reason)
{
	struct job *job, *last = TAILQ_LAST(&b->jobs, jobs);
	bool more = last != NULL;

	/* The last one takes a waiting batch with it. */
	while (more) {
		job = TAILQ_FIRST(&b->jobs);
		more = job != last;
		job_fail(job, error, retry_ms, reason);
	}
}

struct batch *
batch_split(struct batch *b)
{
	struct batch *half;
	struct job *job;

	if (b->splits == NULL) {
		b->splits = mem_alloc(sizeof(*b->splits));
		*b->splits = (struct splits){ .batches = 1, .left = SPLITS_MAX };
	}
	if (b->splits->left == 0)
		return NULL;
	b->splits->left--;
	half = batch_new(b->fetcher, b->row, b->feed, b->lane);
	half->splits = b->splits;
	half->splits->batches++;
	half->departed = b->departed;
	for (unsigned n = b->count / 2; n > 0; n--) {
		job = TAILQ_LAST(&b->jobs, jobs);
		TAILQ_REMOVE(&b->jobs, job, link);
		b->count--;
		batch_add(half, job);
	}
	return half;
}

void
lane_return(struct batch *b, int64_t delay_ms)
{
	struct job *job;

	b->sealed = true;
	b->ready_ns = clock_mono() + delay_ms * CLOCK_MS;
	TAILQ_FOREACH (job, &b->jobs, link) {
		job->start_by_ns = job->deadline_ns - AGAIN_MIN_NS;
		if (job->start_by_ns < b->fetcher->plan.next_expiry_ns)
			b->fetcher->plan.next_expiry_ns = job->start_by_ns;
	}
	lane_enter(b, true);
	plan_kick(b->fetcher);
}

/* A batch that still takes company. */
struct batch *
lane_company(struct fetcher *f, const struct endpoint_row *row, const char *feed)
{
	struct batch *b;

	if (!row->merges)
		return NULL;
	for (int lane = 0; lane < LANE_COUNT; lane++)
		TAILQ_FOREACH_REVERSE(b, &f->plan.lanes[row->host][lane], batches, link)
	if (b->row == row && !b->sealed && b->count < (unsigned)f->proc->conf.upstream_merge_max &&
	    strcmp(b->feed, feed) == 0)
		return b;
	return NULL;
}

unsigned
lane_calls_ahead(const struct fetcher *f, enum endpoint_host host, enum lane lane)
{
	unsigned n = 0;

	for (int i = 0; i <= (int)lane; i++)
		n += f->plan.batches[host][i];
	return n;
}

/* Two jobs of a batch may ask for one symbol, with the feed named and not named. */
int
batch_repeats_symbol(const struct batch *b, const struct job *job)
{
	const struct job *j;

	TAILQ_FOREACH (j, &b->jobs, link) {
		if (j == job)
			return 0;
		if (strcmp(j->fetch.symbol, job->fetch.symbol) == 0)
			return 1;
	}
	return 0;
}
