/* settle.c - an upstream call is over: what its answer means for budget, breaker, and everyone in the batch. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "backoff.h"
#include "clock.h"
#include "fetcher.h"
#include "log.h"
#include "text.h"

/* Named culprits taken out one by one; with more the batch is cut in halves, which gets there sooner. */
#define CULPRITS_MAX	 10
#define JITTER_PERCENT	 25
#define DISK_PATIENCE_MS 30000
#define RETRY_CEILING_MS 10000
/* A body of this size leaves memory behind that is worth giving back. */
#define BIG_BODY (256 * 1024)
/* Further apart than that, and one of two clocks is wrong. */
#define CLOCKS_APART_NS (5 * CLOCK_SEC)

static void
settle_budget(struct fetcher *f, struct exchange *c)
{
	struct budget *b = &f->budgets[c->row->host];
	int64_t reset_ns = 0;

	if (c->sent > 1)
		budget_charge(b, c->sent - 1);
	budget_hear(b, c->rate_limit, c->rate_remaining);
	if (c->rate_reset > 0 && c->rate_reset < INT64_MAX / CLOCK_SEC)
		reset_ns = c->rate_reset * CLOCK_SEC - clock_wall();
	if (c->status == 429) {
		log_warn_of(LOG_ABOUT(.endpoint = c->row->name, .status = 429),
		    "upstream %s: answered 429, asking less", c->row->name);
		budget_refused(b, reset_ns);
	} else if (c->status != 0) {
		budget_accepted(b);
	}
	c->budget_left = budget_left(b);
}

/* A client without patience cuts its own call short: no sign of a failing upstream. The probe counts always. */
static int
timeout_is_ours(const struct fetcher *f, const struct exchange *c, const struct breaker *b)
{
	return c->end == EXCHANGE_TIMED_OUT && b->state == BREAKER_CLOSED &&
	       c->timeout_ms < f->proc->conf.upstream_timeout / 2;
}

static void
settle_breaker(struct fetcher *f, const struct exchange *c, const struct verdict *v)
{
	struct breaker *b = plan_breaker(f, c->row);
	unsigned family = plan_family(c->row);
	const char *name = label_text(LABELS_family, family);

	if (timeout_is_ours(f, c, b) ||
	    !breaker_ended(b, c->is_probe, v->failing ? v->error : E_OK, clock_mono()))
		return;
	if (b->state == BREAKER_OPEN)
		log_warn_of(LOG_ABOUT(.code = err_name(v->error), .endpoint = c->row->name),
		    "upstream %s: circuit breaker open for %" PRId64 " ms: %s", name,
		    breaker_wait_ns(b, clock_mono()) / CLOCK_MS, v->reason);
	else
		log_info("upstream %s: circuit breaker closed", name);
	metric_set(&f->proc->stats, M_UPSTREAM_BREAKER, family, 0, b->state == BREAKER_OPEN);
	if (f->proc->stats.mine == NULL)
		return;
	snprintf(f->proc->stats.mine->note, sizeof(f->proc->stats.mine->note),
	    "circuit breaker of %s %s", name, breaker_state_name(b->state));
}

static void
settle_account(struct fetcher *f, struct exchange *c, const struct verdict *v)
{
	struct stats *stats = &f->proc->stats;
	unsigned endpoint = (unsigned)c->row->index;
	const struct log_about about = {
		.code = err_name(v->error), .endpoint = c->row->name, .status = c->status
	};
	/* An answer that cannot be read is none, though the breaker does not count it. */
	bool is_well = !v->failing && v->error != E_DATA_VALIDATION_ERROR;

	settle_budget(f, c);
	settle_breaker(f, c, v);
	c->outcome = v->error;
	metric_observe(stats, M_UPSTREAM_DURATION, endpoint, c->latency_ns);
	check_store(stats, CHECK_EXTERNAL_API, is_well ? E_OK : v->error, c->latency_ns,
	    is_well ? c->row->name : v->reason);
	f->clock.last_call_ns = clock_mono();
	if (v->error == E_UPSTREAM_AUTHENTICATION_FAILED)
		log_error_of(&about, "upstream %s: %s", c->row->name, v->reason);
	else if (!is_well)
		log_warn_of(&about, "upstream %s: try %u: %s", c->row->name, c->try, v->reason);
	if (buf_len(&c->body) > BIG_BODY)
		loop_timer_set(&f->trim_timer, TRIM_AFTER_MS);
}

/* Where an answer came from. */
static void
answer_origin(struct job *job, const struct decode *d, const struct exchange *c)
{
	job->answer.source = d->source;
	job->answer.received = d->received;
	text_copy(job->answer.feed, sizeof(job->answer.feed), d->feed);
	text_copy(job->answer.request_id, sizeof(job->answer.request_id), c->request_id);
}

static void
settle_count_refused(
    struct fetcher *f, const struct decode *d, const struct exchange *c, const char *symbol)
{
	metric_add(&f->proc->stats, M_RECORDS_REFUSED, publish_kind(d->refused), 0, 1);
	log_warn_of(LOG_ABOUT(.symbol = symbol, .code = err_name(E_DATA_VALIDATION_ERROR),
			.endpoint = c->row->name),
	    "%s: refused what upstream %s sent: %s", symbol, c->row->name, d->why);
}

static int
job_decode(struct job *job, const struct body *body, struct decode *d)
{
	struct records *out = &job->answer.records;

	if (job->row->shape == SHAPE_CLOCK)
		return body_clock(body, d, out);
	if (job->row->shape == SHAPE_ASSET)
		return body_asset(body, d);
	return body_symbol(body, d, job->fetch.symbol, out);
}

static void
job_settle(struct job *job, int result)
{
	switch (result) {
	case E_OK:
		job->answer.complete = job->answer.definite = true;
		job_finish(job);
		break;
	case E_ABSENT:
		missing_decide(job);
		break;
	case E_DATA_VALIDATION_ERROR:
		job_fail(job, result, 0, job->answer.reason);
		break;
	default:
		job_fail(job, result, 1000, "what upstream sent could not be kept in the journal");
		break;
	}
}

/* Reads everything first and keeps it, then answers: nothing leaves that is not in the journal. */
static void
settle_values(struct batch *b, const struct body *body, struct decode *d, struct exchange *c)
{
	struct fetcher *f = b->fetcher;
	struct job *job;
	int kept, r;

	TAILQ_FOREACH (job, &b->jobs, link) {
		job->answer.error = job_decode(job, body, d);
		answer_origin(job, d, c);
		if (job->answer.error == E_DATA_VALIDATION_ERROR) {
			text_copy(job->answer.reason, sizeof(job->answer.reason), d->why);
			settle_count_refused(f, d, c, job->fetch.symbol);
			c->outcome = E_DATA_VALIDATION_ERROR;
		}
		if (!batch_repeats_symbol(b, job))
			publish_gather(f, &job->answer.records, 0, false);
	}
	kept = publish_flush(f, c);
	while ((job = TAILQ_FIRST(&b->jobs)) != NULL) {
		r = job->answer.error;
		job->answer.error = E_OK;
		job_settle(job, r == E_OK ? kept : r);
	}
}

static enum source
settle_source(const struct endpoint_row *row, const struct exchange *c)
{
	if (c->is_replay)
		return SOURCE_REPLAY;
	return shape_is_rows(row->shape) ? SOURCE_HISTORY : SOURCE_LATEST;
}

/* Of an episode once. */
static void
settle_tell_clock(struct fetcher *f, const struct exchange *c, int64_t ahead, bool agree)
{
	if (agree && f->clock_is_off)
		log_info("clock: this machine's agrees with upstream's again");
	else if (!agree && !f->clock_is_off && c->date_ns == 0)
		log_warn_of(LOG_ABOUT(.endpoint = c->row->name),
		    "upstream %s: its answer has no Date: no range counts as complete without one",
		    c->row->name);
	else if (!agree && !f->clock_is_off)
		log_error_of(LOG_ABOUT(.endpoint = c->row->name),
		    "clock: this machine's is %" PRId64
		    " s %s upstream's: no range counts as complete until they agree; set it, by "
		    "NTP",
		    (ahead < 0 ? -ahead : ahead) / CLOCK_SEC, ahead < 0 ? "behind" : "ahead of");
	f->clock_is_off = !agree;
}

/* A clock that is ahead of the market's would make what has yet to come complete and final. So what was over when it
 * was received is told by upstream's clock, and only where ours agrees with it: it is ours by which a store tells later
 * how old all this is. An answer out of a cache on the way has the date it was made at, and says nothing then. */
static int64_t
settle_seen(struct fetcher *f, const struct exchange *c)
{
	int64_t ahead = c->received_ns - c->date_ns;
	bool agree = c->date_ns != 0 && ahead >= -CLOCKS_APART_NS &&
		     ahead <= CLOCKS_APART_NS + c->latency_ns;

	if (c->is_replay)
		return c->replay_ns;
	settle_tell_clock(f, c, ahead, agree);
	if (!agree)
		return 0;
	return ahead > 0 ? c->date_ns : c->received_ns;
}

static void
settle_body(struct batch *b, const struct body *body, struct exchange *c)
{
	const struct msg_fetch *first = &TAILQ_FIRST(&b->jobs)->fetch;
	struct decode d = { .asset = b->row->asset,
		.shape = b->row->shape,
		.source = settle_source(b->row, c),
		.received = c->received_ns,
		.seen = settle_seen(b->fetcher, c),
		.feed = b->feed,
		.timeframe = first->timeframe,
		.adjustment = first->adjustment,
		.asked = first->symbol,
		.filters = first,
		.start = first->start,
		.end = first->end };

	if (b->row->asset == ASSET_STOCK && first->adjustment[0] == '\0')
		d.adjustment = "raw";
	if (b->row->asset != ASSET_STOCK)
		d.adjustment = "";
	/* The journal is written here, which takes as long as the disk does. */
	stats_doing(&b->fetcher->proc->stats, "reading and keeping", b->row->name, first->symbol);
	stats_patience(&b->fetcher->proc->stats, DISK_PATIENCE_MS);
	if (shape_is_rows(b->row->shape) || b->row->number == ENDPOINT_OPTION_CHAIN)
		walk_settle(b, body, &d, c);
	else
		settle_values(b, body, &d, c);
	stats_patience(&b->fetcher->proc->stats, 0);
	stats_done(&b->fetcher->proc->stats);
}

static struct job *
batch_find(const struct batch *b, const char *symbol)
{
	struct job *job;

	TAILQ_FOREACH (job, &b->jobs, link)
		if (strcasecmp(job->fetch.symbol, symbol) == 0)
			return job;
	return NULL;
}

/* Cut too often, nobody can tell who is to blame: no verdict on any of them. */
static void
settle_halves(struct batch *b, const struct verdict *v)
{
	struct batch *half = batch_split(b);
	char reason[256];

	b->culprits = 0;
	if (half != NULL) {
		lane_return(half, 0);
		lane_return(b, 0);
		return;
	}
	snprintf(reason, sizeof(reason),
	    "upstream refused several symbols at once without naming one: %.180s", v->reason);
	batch_fail(b, E_UPSTREAM_SERVICE_ERROR, 1000, reason);
}

/* Upstream refuses the whole call for one symbol. Asking again for the rest is no further try: the upstream
 * works, and each time the batch is smaller. */
static void
settle_culprit(struct batch *b, const struct verdict *v)
{
	struct fetcher *f = b->fetcher;
	struct job *job = v->culprit[0] != '\0' ? batch_find(b, v->culprit) : NULL;

	b->tries--;
	if (job == NULL || b->culprits >= CULPRITS_MAX) {
		settle_halves(b, v);
		return;
	}
	b->culprits++;
	for (; job != NULL; job = batch_find(b, v->culprit)) {
		metric_add(&f->proc->stats, M_UPSTREAM_CULPRITS, (unsigned)b->row->index, 0, 1);
		job->answer.definite = true;
		job_fail(job, E_INVALID_SYMBOL_FORMAT, 0, v->reason);
	}
	if (b->count > 0)
		lane_return(b, 0);
}

/* 1 when the batch goes back to be tried once more. */
static int
settle_again(struct batch *b, const struct verdict *v)
{
	struct fetcher *f = b->fetcher;
	struct backoff pause = { .floor_ms = (uint32_t)f->proc->conf.upstream_retry_delay,
		.ceiling_ms = RETRY_CEILING_MS,
		.failures = b->tries - 1 };
	const struct breaker *breaker = plan_breaker(f, b->row);

	if (!v->again || b->tries >= (unsigned)f->proc->conf.upstream_tries ||
	    breaker->state == BREAKER_OPEN)
		return 0;
	b->last_error = v->error;
	text_copy(b->last_reason, sizeof(b->last_reason), v->reason);
	metric_add(&f->proc->stats, M_UPSTREAM_RETRIES, (unsigned)b->row->index, 0, 1);
	lane_return(b, backoff_next_jittered_ms(&pause, JITTER_PERCENT));
	return 1;
}

/* When asking again makes sense after this failure; 0 where it cannot help. */
static uint64_t
settle_retry_ms(struct batch *b, const struct verdict *v)
{
	int64_t wait = breaker_wait_ns(plan_breaker(b->fetcher, b->row), clock_mono()) / CLOCK_MS;

	if (v->error == E_OVERLOADED)
		return plan_retry_ms(b->fetcher, b->row, 1);
	if (!v->again)
		return 0;
	return (uint64_t)(wait > 1000 ? wait : 1000);
}

static void
settle_absent(struct batch *b, const struct decode *d, const struct exchange *c)
{
	struct job *job;

	while ((job = TAILQ_FIRST(&b->jobs)) != NULL) {
		answer_origin(job, d, c);
		missing_decide(job);
	}
}

/* What was refused for the question's own sake is a verdict on it; a page token of ours is no part of it. */
static void
settle_refusal(struct batch *b, const struct verdict *v)
{
	bool definite = (v->refused || v->error == E_NOT_ENTITLED) && b->pages == 0;
	struct job *job;

	TAILQ_FOREACH (job, &b->jobs, link)
		job->answer.definite = definite;
	batch_fail(b, v->error, settle_retry_ms(b, v), v->reason);
}

static void
settle_error(struct batch *b, const struct verdict *v, struct exchange *c)
{
	struct decode d = {
		.source = settle_source(b->row, c), .received = c->received_ns, .feed = b->feed
	};

	if (publish_flush(b->fetcher, c) != E_OK)
		log_debug("upstream %s: the audit of a failed call was not kept", b->row->name);
	if (v->absent)
		settle_absent(b, &d, c);
	else if (v->refused && v->names_symbol && b->count > 1)
		settle_culprit(b, v);
	else if (!settle_again(b, v))
		settle_refusal(b, v);
}

/* After the body was read: one that breaks the schema counts as invalid, whatever its status. */
static void
settle_count(struct fetcher *f, const struct exchange *c, const struct verdict *v)
{
	enum label_outcome outcome = v->outcome;

	if (c->outcome == E_DATA_VALIDATION_ERROR)
		outcome = LABEL_outcome_INVALID;
	metric_add(&f->proc->stats, M_UPSTREAM_REQUESTS, (unsigned)c->row->index, outcome, 1);
}

void
batch_settle(struct exchange *c, void *owner)
{
	struct batch *b = owner;
	struct fetcher *f = b->fetcher;
	char trace[TRACE_ID_LEN + 1];
	struct verdict v;

	if (trace_is(&c->trace)) {
		trace_format_id(&c->trace, trace);
		log_context(NULL, trace);
	}
	b->state = BATCH_SETTLING;
	f->plan.in_flight[b->row->host]--;
	plan_kick(f);
	verdict_read(&v, c);
	traced_gather(b, c);
	traced_call(f, c, &v);
	settle_account(f, c, &v);
	if (b->count == 0) {
		if (publish_flush(f, c) != E_OK)
			log_debug("upstream %s: the audit of a call was not kept", b->row->name);
	} else if (v.error == E_OK) {
		settle_body(b, v.body, c);
	} else {
		settle_error(b, &v, c);
	}
	settle_count(f, c, &v);
	verdict_fini(&v);
	log_context(NULL, NULL);
	if (b->state == BATCH_SETTLING)
		batch_free(&b);
}
