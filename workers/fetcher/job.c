/* job.c - one question and everyone who waits for its answer. */
#include <string.h>

#include "clock.h"
#include "fetcher.h"
#include "log.h"
#include "mem.h"
#include "text.h"

/* An answer has to be there before the asker gives up by itself: this part of its patience is left to it. */
#define MARGIN_PART   10
#define MARGIN_MAX_MS 250

struct job *
job_new(struct fetcher *f, const struct msg_fetch *fetch, const char *key)
{
	struct job *job = mem_alloc(sizeof(*job));

	job->fetcher = f;
	job->fetch = *fetch;
	job->row = endpoint_row(fetch->endpoint);
	text_copy(job->key, sizeof(job->key), key);
	HASH_ADD_STR(f->plan.jobs, key, job);
	return job;
}

/* A call may take the upstream's timeout, but never more than half of the asker's patience is kept for it. */
static int64_t
job_call_time(const struct job *job, int64_t patience_ns)
{
	int64_t call_ns = job->fetcher->proc->conf.upstream_timeout * CLOCK_MS;

	return call_ns < patience_ns / 2 ? call_ns : patience_ns / 2;
}

int
job_join(struct job *job, const struct asker *who, int64_t timeout_ms)
{
	int64_t margin = timeout_ms / MARGIN_PART;
	int64_t patience_ns =
	    (timeout_ms - (margin < MARGIN_MAX_MS ? margin : MARGIN_MAX_MS)) * CLOCK_MS;
	int64_t deadline = clock_mono() + patience_ns;
	int64_t start_by = deadline - job_call_time(job, patience_ns);
	struct asker *a, **at;

	if (job->asker_count >= ASKERS_MAX)
		return E_LIMIT;
	a = mem_copy(who, sizeof(*who));
	a->deadline_ns = deadline;
	/* Behind who asked first: that one's trace is the call's. */
	at = job->askers != NULL ? &job->askers->next : &job->askers;
	a->next = *at;
	*at = a;
	job->asker_count++;
	if (deadline > job->deadline_ns)
		job->deadline_ns = deadline;
	if (start_by > job->start_by_ns)
		job->start_by_ns = start_by;
	if (start_by < job->fetcher->plan.next_expiry_ns)
		job->fetcher->plan.next_expiry_ns = start_by;
	return E_OK;
}

/* Asked from inside of this process: told after the job is out of the tables, so that it may ask again. */
static void
askers_call(struct job *job)
{
	for (struct asker *a = job->askers; a != NULL; a = a->next)
		if (a->peer == NULL)
			a->done(&job->answer, a->owner);
}

void
job_finish(struct job *job)
{
	struct fetcher *f = job->fetcher;

	if (job->finished)
		return;
	job->finished = true;
	job_leave(job);
	HASH_DEL(f->plan.jobs, job);
	publish_answer(job);
	askers_call(job);
	loop_free_later(f->proc->loop, job_discard, job);
	if (f->draining)
		plan_kick(f);
}

void
job_fail(struct job *job, int error, uint64_t retry_ms, const char *reason)
{
	job->answer.error = error;
	job->answer.retry_ms = retry_ms;
	text_copy(job->answer.reason, sizeof(job->answer.reason), reason);
	records_fini(&job->answer.records);
	job_finish(job);
}

void
job_discard(void *object)
{
	struct job *job = object;
	struct asker *a;

	while ((a = job->askers) != NULL) {
		job->askers = a->next;
		mem_free(&a);
	}
	records_fini(&job->answer.records);
	mem_free(&job);
}

/* One asker's time is over; the others go on waiting. */
static void
asker_expire(struct job *job, struct asker *a)
{
	bool queued =
	    job->batch != NULL && job->batch->state == BATCH_WAITING && job->batch->tries == 0;
	struct answer late = { .error = queued ? E_OVERLOADED : E_UPSTREAM_TIMEOUT,
		.retry_ms = 1000 };

	text_copy(late.reason, sizeof(late.reason),
	    queued ? "no upstream call could be started in time"
		   : "the upstream did not answer in time");
	if (a->peer == NULL)
		a->done(&late, a->owner);
	else
		publish_refusal(
		    job->fetcher, &job->fetch, a, late.error, late.retry_ms, late.reason);
	mem_free(&a);
}

void
job_expire(struct job *job, int64_t now)
{
	struct asker **at = &job->askers, *a;

	while (!job->finished && (a = *at) != NULL) {
		if (a->deadline_ns > now) {
			if (a->deadline_ns < job->fetcher->plan.next_expiry_ns)
				job->fetcher->plan.next_expiry_ns = a->deadline_ns;
			at = &a->next;
			continue;
		}
		*at = a->next;
		job->asker_count--;
		asker_expire(job, a);
	}
}

void
job_forget(struct job *job, const struct peer *peer)
{
	struct asker **at = &job->askers, *a;

	while ((a = *at) != NULL) {
		if (a->peer != peer) {
			at = &a->next;
			continue;
		}
		*at = a->next;
		job->asker_count--;
		mem_free(&a);
	}
}
