/* batch.c - one request for several symbols: each is answered or refused alone, in the order asked.
 *
 * An entry is composed when its value is at hand, so that it says truthfully how it was come
 * by; the request is answered when the last one is.
 */
#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "http_worker.h"
#include "mem.h"
#include "text.h"

/* One entry: a quote with its metadata, or an error. */
#define ENTRY_BYTES_MAX 8192

struct batch;

struct entry {
	struct waiter waiter;
	struct batch *batch;
	char symbol[SYMBOL_MAX]; /* as the market spells it; "" when it was malformed */
	struct buf text;
};

/* What the metadata of the whole says: what all good entries share, else null, and the worst
 * ages. */
struct batch_sum {
	size_t ok;
	uint64_t source;
	char feed[16];
	enum cache_way way;
	bool mixed_source, mixed_feed, mixed_way;
	int64_t newest_event_ns;
	int64_t oldest_received_ns, oldest_taken_ns; /* of the same entry */
	unsigned quality;
};

struct batch {
	struct pending pending; /* first: the request's tag */
	struct asker asker;
	struct ask ask; /* of every entry but its symbol */
	size_t count, left;
	struct batch_sum sum;
	struct entry entries[];
};

static void
batch_free(struct batch *b)
{
	for (size_t i = 0; i < b->count; i++)
		buf_fini(&b->entries[i].text);
	mem_free(&b);
}

static void
sum_add(struct batch_sum *s, const struct found *f)
{
	const struct shown *v = f->what.shown;

	if (s->ok++ == 0) {
		s->source = v->source;
		(void)text_copy(s->feed, sizeof(s->feed), v->feed);
		s->way = f->way;
		s->oldest_received_ns = v->received_ns;
		s->oldest_taken_ns = v->taken_ns;
	}
	s->mixed_source |= v->source != s->source;
	s->mixed_feed |= strcmp(v->feed, s->feed) != 0;
	s->mixed_way |= f->way != s->way;
	if (v->event_ns > s->newest_event_ns)
		s->newest_event_ns = v->event_ns;
	if (v->taken_ns < s->oldest_taken_ns) {
		s->oldest_received_ns = v->received_ns;
		s->oldest_taken_ns = v->taken_ns;
	}
	s->quality |= v->quality;
}

/* `{"symbol":"AAPL","status":"ok",`: the members that follow are the caller's. */
static int
entry_begin(struct entry *e, const char *symbol, const char *status)
{
	char text[64];
	struct json j;
	int r;

	buf_reset(&e->text);
	if ((r = buf_add_text(&e->text, "{\"symbol\":")) != E_OK)
		return r;
	json_begin(&j, &e->text);
	json_text(&j, NULL, text_safe(text, sizeof(text), symbol));
	if ((r = json_end(&j)) != E_OK)
		return r;
	return buf_printf(&e->text, ",\"status\":\"%s\",", status);
}

static void
entry_refuse(struct entry *e, const char *symbol, const struct fault *f)
{
	int64_t retry_after = fault_retry_after(f);
	int r;

	if ((r = entry_begin(e, symbol, "error")) == E_OK &&
	    (r = buf_add_text(&e->text, "\"error\":")) == E_OK &&
	    (r = fault_write_error(&e->text, f)) == E_OK)
		r = retry_after < 0
			? buf_add_text(&e->text, ",\"retry_after\":null}")
			: buf_printf(&e->text, ",\"retry_after\":%lld}", (long long)retry_after);
	assert(r == E_OK); /* every part is bounded, and together they are below the limit */
	(void)r;
}

static void
entry_fill(struct entry *e, const struct ask *ask, const struct found *f)
{
	struct batch *b = e->batch;
	struct fault fault = { .code = f->what.error,
		.symbol = ask->fetch.symbol,
		.reason = f->what.reason,
		.retry_ms = f->what.retry_ms };

	if (fault.code == E_OK &&
	    (entry_begin(e, ask->fetch.symbol, "ok") != E_OK ||
		compose_found(b->asker.worker, &e->text, b->asker.id, ask, f) != E_OK))
		fault.code = E_INTERNAL_SERVICE_ERROR;
	if (fault.code == E_OK)
		sum_add(&b->sum, f);
	else
		entry_refuse(e, ask->fetch.symbol, &fault);
}

static void
batch_metadata(struct batch *b, struct json *j)
{
	struct worker *w = b->asker.worker;
	const struct batch_sum *s = &b->sum;
	int64_t age = clock_mono() - s->oldest_taken_ns;
	size_t len;

	json_object_open(j, "metadata");
	json_text(j, "data_source",
	    s->ok == 0 || s->mixed_source ? NULL : source_name((enum source)s->source));
	json_text_or_null(j, "feed", s->mixed_feed || s->source == SOURCE_REPLAY ? NULL : s->feed);
	json_text(j, "cache", s->ok == 0 || s->mixed_way ? NULL : cache_way_name(s->way));
	json_text(j, "timestamp", worker_time(w, &len));
	json_time(j, "event_time", s->newest_event_ns);
	json_time_ms(j, "received_at", s->oldest_received_ns);
	if (s->ok > 0)
		json_f64(j, "data_freshness_seconds", (double)(age / CLOCK_MS) / 1000);
	else
		json_absent(j, "data_freshness_seconds");
	json_text(j, "market_status", session_name(lookup_session(w->lookup, b->ask.asset)));
	json_text(j, "request_id", b->asker.id);
	render_quality(j, "quality", s->quality);
	json_object_close(j);
}

static int
batch_compose(struct batch *b, struct buf *out)
{
	struct json j;

	json_begin(&j, out);
	json_object_open(&j, NULL);
	json_object_open(&j, "data");
	json_array_open(&j, "quotes");
	for (size_t i = 0; i < b->count; i++)
		json_raw(&j, NULL, buf_data(&b->entries[i].text), buf_len(&b->entries[i].text));
	json_array_close(&j);
	json_object_open(&j, "summary");
	json_u64(&j, "total_requested", b->count);
	json_u64(&j, "successful", b->sum.ok);
	json_u64(&j, "failed", b->count - b->sum.ok);
	json_object_close(&j);
	json_object_close(&j);
	batch_metadata(b, &j);
	json_object_close(&j);
	return json_end(&j);
}

static void
batch_finish(struct batch *b)
{
	struct fault full = { .code = E_INTERNAL_SERVICE_ERROR };
	struct buf out;

	buf_init(&out, ANSWER_BYTES_MAX);
	if (batch_compose(b, &out) == E_OK)
		answer_plain(
		    &b->asker, 200, "application/json", buf_data(&out), buf_len(&out), NULL);
	else
		answer_fault(&b->asker, &full);
	buf_fini(&out);
	batch_free(b);
}

/* The batch's question with this entry's symbol. */
static void
entry_ask(const struct entry *e, struct ask *ask)
{
	*ask = e->batch->ask;
	(void)text_copy(ask->fetch.symbol, sizeof(ask->fetch.symbol), e->symbol);
}

static void
entry_done(struct waiter *w, const struct outcome *what)
{
	struct entry *e = (struct entry *)((char *)w - offsetof(struct entry, waiter));
	struct batch *b = e->batch;
	struct found found;
	struct ask ask;

	entry_ask(e, &ask);
	lookup_settle(b->asker.worker->lookup, &ask, what, &found);
	entry_fill(e, &ask, &found);
	assert(b->left > 0);
	if (--b->left > 0)
		return;
	http_tag_set(b->asker.request, NULL);
	batch_finish(b);
}

static void
batch_leave(struct pending *p)
{
	struct batch *b = (struct batch *)p;

	asker_trace_gone(&b->asker);
	for (size_t i = 0; i < b->count; i++)
		lookup_leave(b->asker.worker->lookup, &b->entries[i].waiter);
	batch_free(b);
}

/* True when the entry has to wait. */
static bool
entry_begin_look(struct entry *e, const struct question *q, const char *asked)
{
	struct lookup *lookup = e->batch->asker.worker->lookup;
	struct fault malformed = { .symbol = asked, .code = q->spell(asked, e->symbol) };
	struct outcome refused = { .retry_ms = 1000,
		.reason = "as many fetches wait as this gateway allows" };
	struct found found;
	struct ask ask;

	if (malformed.code != E_OK) {
		entry_refuse(e, asked, &malformed);
		return false;
	}
	entry_ask(e, &ask);
	if (!lookup_now(lookup, &ask, &found)) {
		e->waiter.done = entry_done;
		if ((refused.error = lookup_later(lookup, &ask, &e->waiter)) == E_OK)
			return true;
		lookup_settle(lookup, &ask, &refused, &found);
	}
	entry_fill(e, &ask, &found);
	return false;
}

static struct batch *
batch_new(struct visit *c, const struct ask *ask)
{
	size_t count = c->params->item_count;
	struct batch *b = mem_alloc(sizeof(*b) + count * sizeof(b->entries[0]));

	b->pending.leave = batch_leave;
	b->asker = c->asker;
	b->ask = *ask;
	asker_trace_fetch(&b->asker, &b->ask.fetch);
	b->count = count;
	for (size_t i = 0; i < count; i++) {
		b->entries[i].batch = b;
		waited_record(&b->entries[i].waiter, &b->asker);
		buf_init(&b->entries[i].text, ENTRY_BYTES_MAX);
	}
	return b;
}

static const char *
list_name(const struct params *p)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->at[i].row->type == TYPE_LIST)
			return p->at[i].row->name;
	return NULL;
}

void
batch_answer(struct visit *c, const struct question *q)
{
	const struct conf *conf = &c->worker->proc->conf;
	struct fault fault = { .code = E_INVALID_PARAMETER,
		.parameter = list_name(c->params),
		.reason = "it names more symbols than http.batch_max allows" };
	struct batch *b;
	struct ask ask;
	int64_t begun;

	if (c->params->item_count > (size_t)conf->http_batch_max ||
	    ask_read(&ask, q, c->params, conf, &fault) != E_OK) {
		answer_fault(&c->asker, &fault);
		return;
	}
	b = batch_new(c, &ask);
	begun = asker_trace_now(&b->asker);
	for (size_t i = 0; i < b->count; i++)
		b->left += entry_begin_look(&b->entries[i], q, c->params->items[i]);
	asker_trace_lookup(&b->asker, begun, "", b->left > 0 ? "miss" : "", b->count);
	if (b->left == 0)
		batch_finish(b);
	else
		http_tag_set(b->asker.request, b);
}
