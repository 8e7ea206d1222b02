/* publish.c - what was received goes into the journal, then to the http workers.
 *
 * An answer is result, values, result_end, in one piece: a peer whose channel has no room for all of it gets
 * the refusal alone. The other workers get it as well, with ticket 0, where it is worth keeping.
 */
#include <inttypes.h>
#include <string.h>

#include "clock.h"
#include "fetcher.h"
#include "label.h"
#include "log.h"
#include "text.h"

#define FRAME_HEAD_BYTES 4 /* see chan.h */

unsigned
publish_kind(enum msg_type type)
{
	switch (type) {
	case MSG_QUOTE:
		return LABEL(kind, QUOTE);
	case MSG_TRADE:
		return LABEL(kind, TRADE);
	case MSG_BAR:
		return LABEL(kind, BAR);
	case MSG_GREEKS:
		return LABEL(kind, GREEKS);
	case MSG_SNAPSHOT:
		return LABEL(kind, SNAPSHOT);
	case MSG_CALL:
		return LABEL(kind, CALL);
	case MSG_COVERAGE:
		return LABEL(kind, COVERAGE);
	default:
		return LABEL(kind, MARKET_CLOCK);
	}
}

/*
 * Journal
 */
static void
publish_lose(struct fetcher *f, size_t records)
{
	metric_add(&f->proc->stats, M_JOURNAL_DROPPED, 0, 0, records);
	if (records > 0)
		trouble_note(&f->proc->stats, LABEL(trouble, JOURNAL),
		    "%zu records were not kept: %s", records,
		    f->journal_full ? "the journal is full" : "the journal cannot be written");
	f->lost = true;
	if (strcmp(f->proc->conf.journal_on_full, "refuse") == 0)
		f->refusing = true;
}

static void
publish_record(struct fetcher *f, enum msg_type type, const void *value)
{
	int r = journal_append(f->journal, type, value);

	if (r == E_OK)
		return;
	if (r != E_FULL)
		log_error("journal: a record cannot be kept: %s", err_name(r));
	else if (!f->journal_full)
		log_error("journal: full; journal.on_full is %s", f->proc->conf.journal_on_full);
	f->journal_full = f->journal_full || r == E_FULL;
	publish_lose(f, 1);
}

void
publish_state(struct fetcher *f)
{
	metric_set(&f->proc->stats, M_JOURNAL_BLOCKED, 0, 0, f->journal_full || f->journal_failing);
}

/* What was gathered is in the journal now, or nowhere; of a write that failed, the beginning is. */
static void
publish_count(struct fetcher *f)
{
	static const enum msg_type types[] = { MSG_QUOTE, MSG_TRADE, MSG_BAR, MSG_GREEKS,
		MSG_SNAPSHOT, MSG_CALL, MSG_MARKET_CLOCK, MSG_COVERAGE };
	uint64_t kept;
	unsigned kind;

	_Static_assert(sizeof(types) / sizeof(*types) == LABEL_kind_COUNT, "a kind of its own");
	for (size_t i = 0; i < LABEL_kind_COUNT; i++) {
		kind = publish_kind(types[i]);
		kept = journal_kept(f->journal, types[i]);
		if (kept > f->counted[kind])
			metric_add(
			    &f->proc->stats, M_JOURNAL_RECORDS, kind, 0, kept - f->counted[kind]);
		f->counted[kind] = kept;
	}
}

void
publish_gather(struct fetcher *f, const struct records *records, size_t from, bool backwards)
{
	size_t count = records->count - from;
	const struct record *record;

	f->lost = false;
	for (size_t i = 0; i < count; i++) {
		record = &records->at[from + (backwards ? count - 1 - i : i)];
		publish_record(f, record->type, &record->v);
		seen_record(&f->proc->stats, record);
	}
}

void
publish_coverage(struct fetcher *f, const struct coverage *c)
{
	if (f->lost)
		publish_lose(f, 1); /* it would not be true */
	else
		publish_record(f, MSG_COVERAGE, c);
}

static void
publish_audit(struct fetcher *f, const struct exchange *e)
{
	struct call call = { .started = e->started_ns,
		.symbols = e->symbols,
		.try = e->try,
		.status = e->status,
		.latency_us = (uint64_t)(e->latency_ns / 1000),
		.bytes = buf_len(&e->body),
		.budget_left = e->budget_left };

	text_copy(call.endpoint, sizeof(call.endpoint), e->row->name);
	text_copy(call.path, sizeof(call.path), e->path);
	text_copy(
	    call.outcome, sizeof(call.outcome), e->outcome == E_OK ? "ok" : err_name(e->outcome));
	text_copy(call.request_id, sizeof(call.request_id), e->request_id);
	publish_record(f, MSG_CALL, &call);
}

void
publish_position(struct fetcher *f)
{
	struct msg_advanced advanced = { .sequence = journal_last(f->journal) };
	struct peer *p = NULL;

	metric_set(&f->proc->stats, M_JOURNAL_SEQUENCE, 0, 0, advanced.sequence);
	metric_set(&f->proc->stats, M_JOURNAL_BYTES, 0, 0, journal_bytes(f->journal));
	while ((p = proc_peer(f->proc, ROLE_CACHE_WRITER, p)) != NULL)
		if (peer_send(p, MSG_ADVANCED, &advanced) != E_OK)
			log_debug("%s: not told of %" PRIu64 ", it looks by itself", p->slot,
			    advanced.sequence);
}

int
publish_flush(struct fetcher *f, struct exchange *e)
{
	int64_t begun = e->trace_count > 0 ? clock_wall() : 0;
	uint64_t last;
	size_t lost = 0;
	int r;

	publish_audit(f, e);
	r = journal_flush(f->journal, &last, &lost);
	if (e->trace_count > 0)
		traced_append(f, e, begun, r);
	if (r != E_OK) {
		if (!f->journal_failing)
			log_error("journal: cannot be written; %zu records are not kept", lost);
		publish_lose(f, lost);
	}
	publish_count(f);
	f->journal_failing = r != E_OK;
	publish_state(f);
	publish_position(f);
	r = f->refusing ? E_OVERLOADED : E_OK;
	f->refusing = false;
	return r;
}

/*
 * Answers
 */
static void
result_begin(struct msg_result *m, const struct msg_fetch *fetch, uint64_t ticket)
{
	memset(m, 0, sizeof(*m));
	m->ticket = ticket;
	m->endpoint = fetch->endpoint;
	fetch_key(fetch, m->key);
	text_copy(m->symbol, sizeof(m->symbol), fetch->symbol);
}

static void
result_end(struct msg_result_end *m, const struct answer *a, uint64_t ticket)
{
	memset(m, 0, sizeof(*m));
	m->ticket = ticket;
	m->error = a->error;
	m->definite = a->definite;
	m->retry_ms = a->retry_ms;
	m->count = a->error == E_OK ? a->records.count : 0;
	m->complete = a->complete;
	m->source = a->source;
	m->received = a->received;
	text_copy(m->reason, sizeof(m->reason), a->reason);
	text_copy(m->page_token, sizeof(m->page_token), a->page_token);
	text_copy(m->feed, sizeof(m->feed), a->feed);
	text_copy(m->request_id, sizeof(m->request_id), a->request_id);
}

/* More than any message of this type takes: every field packs into its size and at most three bytes. */
static size_t
message_bound(enum msg_type type)
{
	const struct msg_desc *desc = msg_desc(type);

	return desc->size + 3 * desc->field_count + 8;
}

/* The same in frames: a head for each that is full, for the one that is open by now and for the last. */
static size_t
framed(size_t n)
{
	return n + FRAME_HEAD_BYTES * (n / CHAN_FRAME_FULL + 2);
}

static size_t
answer_bound(const struct answer *a)
{
	size_t n = message_bound(MSG_RESULT) + message_bound(MSG_RESULT_END);

	for (size_t i = 0; i < a->records.count; i++)
		n += message_bound(a->records.at[i].type);
	return framed(n);
}

/* What it takes exactly; only worked out where the bound does not fit. */
static size_t
answer_size(const struct answer *a)
{
	size_t n = message_bound(MSG_RESULT) + message_bound(MSG_RESULT_END);
	struct buf one;

	buf_init(&one, CHAN_FRAME_MAX);
	for (size_t i = 0; i < a->records.count; i++) {
		if (msg_encode(a->records.at[i].type, &a->records.at[i].v, &one) != E_OK)
			panic("a record cannot be packed");
		n += buf_len(&one);
		buf_reset(&one);
	}
	buf_fini(&one);
	return framed(n);
}

static int
answer_fits(const struct peer *p, const struct answer *a, size_t bound, size_t *exact)
{
	size_t room = chan_room(p->chan);

	if (bound <= room)
		return 1;
	if (*exact == 0)
		*exact = answer_size(a);
	return *exact <= room;
}

static void
peer_tell(struct peer *p, const struct msg_fetch *fetch, const struct answer *a, uint64_t ticket)
{
	struct msg_result begin;
	struct msg_result_end end;
	int r;

	result_begin(&begin, fetch, ticket);
	result_end(&end, a, ticket);
	r = peer_send(p, MSG_RESULT, &begin);
	for (size_t i = 0; r == E_OK && i < end.count; i++)
		r = peer_send(p, a->records.at[i].type, &a->records.at[i].v);
	if (r == E_OK)
		r = peer_send(p, MSG_RESULT_END, &end);
	if (r != E_OK && r != E_CLOSED)
		log_warn("%s: an answer did not fit its channel and was not finished: %s", p->slot,
		    err_name(r));
}

static void
asker_tell(const struct job *job, const struct asker *who, size_t bound, size_t *exact)
{
	static const struct answer crowded = { .error = E_OVERLOADED,
		.retry_ms = 1000,
		.reason = "the answer is larger than the channel to this worker has room for" };

	if (answer_fits(who->peer, &job->answer, bound, exact))
		peer_tell(who->peer, &job->fetch, &job->answer, who->ticket);
	else
		peer_tell(who->peer, &job->fetch, &crowded, who->ticket);
}

static int
job_has_asker(const struct job *job, const struct peer *p)
{
	for (const struct asker *a = job->askers; a != NULL; a = a->next)
		if (a->peer == p)
			return 1;
	return 0;
}

void
publish_answer(const struct job *job)
{
	size_t bound = answer_bound(&job->answer), exact = 0;
	struct peer *p = NULL;

	for (const struct asker *a = job->askers; a != NULL; a = a->next)
		if (a->peer != NULL)
			asker_tell(job, a, bound, &exact);
	if (!job->answer.definite || job->row->host != HOST_DATA)
		return;
	while ((p = proc_peer(job->fetcher->proc, ROLE_HTTP, p)) != NULL)
		if (!job_has_asker(job, p) && answer_fits(p, &job->answer, bound, &exact))
			peer_tell(p, &job->fetch, &job->answer, 0);
}

void
publish_refusal(struct fetcher *f, const struct msg_fetch *fetch, const struct asker *who,
    int error, uint64_t retry_ms, const char *reason)
{
	struct answer a = { .error = error, .retry_ms = retry_ms };

	(void)f;
	text_copy(a.reason, sizeof(a.reason), reason);
	if (who->peer != NULL)
		peer_tell(who->peer, fetch, &a, who->ticket);
	else
		who->done(&a, who->owner);
}

void
publish_clock(struct fetcher *f, struct peer *only)
{
	struct peer *p = NULL;

	if (!f->clock.known)
		return;
	while ((p = proc_peer(f->proc, ROLE_HTTP, p)) != NULL)
		if ((only == NULL || p == only) &&
		    peer_send(p, MSG_MARKET_CLOCK, &f->clock.now) != E_OK)
			log_debug("%s: not told what the clock said", p->slot);
}
