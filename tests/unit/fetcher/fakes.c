/* fakes.c - an upstream, a journal and peers that the tests of the fetcher hold in their hands. */
#include "fakes.h"

#include <math.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "mem.h"
#include "text.h"

#define FAKE_WALL (INT64_C(1700000000) * CLOCK_SEC)

static struct fake *the_fake; /* the doubles below have no argument that could lead to it */

struct fake *
fake_new(void)
{
	struct fake *k = mem_alloc(sizeof(*k));
	struct fetcher *f = &k->fetcher;

	the_fake = k;
	log_open("test", LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	clock_fake(FAKE_WALL, 1000 * CLOCK_SEC);
	conf_defaults(&k->proc.conf);
	k->proc.loop = loop_new();
	k->room = 1 << 20;
	text_copy(k->proc.slot, sizeof(k->proc.slot), "fetcher-rest");
	for (int i = 0; i < 2; i++)
		k->http[i] = (struct peer){ .proc = &k->proc, .role = ROLE_HTTP };
	k->writer = (struct peer){ .proc = &k->proc, .role = ROLE_CACHE_WRITER };
	k->http[0].next = &k->http[1];
	k->http[1].next = &k->writer;
	k->proc.peers = &k->http[0];
	f->proc = &k->proc;
	f->has_key = true;
	f->assets = assets_new();
	for (int i = 0; i < HOSTS; i++)
		budget_init(&f->budgets[i], 200, 0, NULL, 1);
	for (int i = 0; i < FAMILIES; i++)
		breaker_init(&f->breakers[i], 5, 2000);
	plan_init(f);
	loop_timer_open(k->proc.loop, &f->trim_timer, NULL, NULL);
	return k;
}

void
fake_free(struct fake **kp)
{
	struct fake *k = *kp;

	plan_fini(&k->fetcher);
	assets_free(&k->fetcher.assets);
	loop_timer_close(&k->fetcher.trim_timer);
	loop_free(&k->proc.loop);
	for (unsigned i = 0; i < k->call_count; i++) {
		buf_fini(&k->calls[i]->exchange.body);
		mem_free(&k->calls[i]);
	}
	for (unsigned i = 0; i < k->sent_count; i++)
		mem_free(&k->sent[i]);
	clock_real();
	mem_free(kp);
}

void
fake_pass(struct fake *k, int64_t ms)
{
	clock_fake(clock_wall() + ms * CLOCK_MS, clock_mono() + ms * CLOCK_MS);
	plan_kick(&k->fetcher);
	loop_turn(k->proc.loop, 0);
}

struct msg_fetch
fake_a_fetch(enum endpoint endpoint, const char *symbol)
{
	struct msg_fetch f = {
		.endpoint = endpoint, .timeout_ms = 12000, .strike_min = NAN, .strike_max = NAN
	};

	text_copy(f.symbol, sizeof(f.symbol), symbol);
	if (endpoint == ENDPOINT_STOCK_BARS || endpoint == ENDPOINT_CRYPTO_BARS)
		text_copy(f.timeframe, sizeof(f.timeframe), "1Day");
	return f;
}

void
fake_fetch(struct fake *k, unsigned http, const struct msg_fetch *fetch)
{
	struct asker who = { .peer = &k->http[http], .ticket = fetch->ticket };

	plan_ask(&k->fetcher, fetch, &who);
}

void
fake_ask(struct fake *k, unsigned http, uint64_t ticket, enum endpoint endpoint, const char *symbol)
{
	struct msg_fetch f = fake_a_fetch(endpoint, symbol);

	f.ticket = ticket;
	fake_fetch(k, http, &f);
}

struct fake_call *
fake_open(struct fake *k)
{
	for (unsigned i = k->call_count; i > 0; i--)
		if (!k->calls[i - 1]->answered)
			return k->calls[i - 1];
	return NULL;
}

unsigned
fake_open_count(const struct fake *k)
{
	unsigned n = 0;

	for (unsigned i = 0; i < k->call_count; i++)
		n += !k->calls[i]->answered;
	return n;
}

static void
fake_conclude(struct fake *k, struct fake_call *c)
{
	c->answered = true;
	c->exchange.received_ns = clock_wall();
	c->exchange.latency_ns = CLOCK_MS;
	if (!k->says_no_date)
		c->exchange.date_ns = clock_wall() - k->ahead_ns;
	c->exchange.done(&c->exchange, c->exchange.owner);
	loop_turn(k->proc.loop, 0);
}

void
fake_answer(struct fake *k, struct fake_call *c, long status, const char *body)
{
	if (c == NULL || c->answered)
		panic("the test answers a call that is not open");
	c->exchange.status = status;
	c->exchange.sent = 1;
	if (buf_add_text(&c->exchange.body, body) != E_OK)
		panic("the test's body is too long");
	fake_conclude(k, c);
}

void
fake_break(struct fake *k, struct fake_call *c, enum exchange_end end)
{
	c->exchange.end = end;
	text_copy(c->exchange.text, sizeof(c->exchange.text), "broken by the test");
	fake_conclude(k, c);
}

const struct msg_result_end *
fake_end(const struct fake *k, unsigned http, uint64_t ticket, unsigned *first_value)
{
	unsigned begin = 0;

	for (unsigned i = 0; i < k->sent_count; i++) {
		if (k->sent[i]->to != &k->http[http])
			continue;
		if (k->sent[i]->type == MSG_RESULT)
			begin = i + 1;
		if (k->sent[i]->type == MSG_RESULT_END &&
		    k->sent[i]->data.result_end.ticket == ticket) {
			if (first_value != NULL)
				*first_value = begin;
			return &k->sent[i]->data.result_end;
		}
	}
	return NULL;
}

/*
 * Doubles of exchange.c, proc.c, chan.c and the journal
 */
struct exchange *
upstream_call(struct upstream *u, enum endpoint_host host, const char *path, int64_t timeout_ms,
    const struct call_trace *trace, void (*done)(struct exchange *, void *owner), void *owner)
{
	struct fake_call *c = mem_alloc(sizeof(*c));

	(void)u;
	if (trace != NULL)
		text_copy(c->traceparent, sizeof(c->traceparent), trace->traceparent);
	if (the_fake->call_count == FAKE_CALLS)
		panic("more calls than the test expects");
	the_fake->calls[the_fake->call_count++] = c;
	c->host = host;
	text_copy(c->path, sizeof(c->path), path);
	buf_init(&c->exchange.body, 1 << 20);
	c->exchange.done = done;
	c->exchange.owner = owner;
	c->exchange.timeout_ms = timeout_ms;
	c->exchange.rate_limit = c->exchange.rate_remaining = c->exchange.rate_reset = -1;
	c->exchange.started_ns = clock_wall();
	text_copy(c->exchange.path, sizeof(c->exchange.path), path);
	return &c->exchange;
}

int
upstream_is_ready(const struct upstream *u)
{
	(void)u;
	return !the_fake->loading;
}

int
peer_send(struct peer *to, enum msg_type type, const void *data)
{
	struct fake_sent *s = mem_alloc(sizeof(*s));

	if (the_fake->sent_count == FAKE_SENT)
		panic("more messages than the test expects");
	the_fake->sent[the_fake->sent_count++] = s;
	s->to = to;
	s->type = type;
	s->appended = the_fake->appended;
	s->flushed = the_fake->flushed;
	memcpy(&s->data, data, msg_desc(type)->size);
	return E_OK;
}

struct peer *
proc_peer(struct proc *p, enum role role, struct peer *after)
{
	struct peer *at = after != NULL ? after->next : p->peers;

	while (at != NULL && at->role != role)
		at = at->next;
	return at;
}

size_t
chan_room(const struct chan *c)
{
	(void)c;
	return the_fake->room;
}

void
proc_finished(struct proc *p)
{
	(void)p;
	the_fake->finished++;
}

int
journal_append(struct journal *j, enum msg_type type, const void *value)
{
	(void)j;
	if (the_fake->journal_is_full || the_fake->journal_refuses != E_OK)
		return the_fake->journal_is_full ? E_FULL : the_fake->journal_refuses;
	the_fake->appended++;
	the_fake->kinds[type]++;
	if (type == MSG_COVERAGE && the_fake->covered_count < 32)
		the_fake->covered[the_fake->covered_count++] = *(const struct coverage *)value;
	if ((type == MSG_BAR || type == MSG_TRADE) && the_fake->kept_count < 256)
		the_fake->kept_events[the_fake->kept_count++] =
		    type == MSG_BAR ? ((const struct bar *)value)->event
				    : ((const struct trade *)value)->event;
	return E_OK;
}

int
journal_flush(struct journal *j, uint64_t *last, size_t *lost)
{
	(void)j;
	the_fake->flushed = the_fake->appended;
	the_fake->flushes++;
	*last = the_fake->flushed;
	*lost = 0;
	return E_OK;
}

uint64_t
journal_last(const struct journal *j)
{
	(void)j;
	return the_fake->flushed;
}

uint64_t
journal_bytes(const struct journal *j)
{
	(void)j;
	return 0;
}

uint64_t
journal_kept(const struct journal *j, enum msg_type type)
{
	(void)j;
	return the_fake->flushed == the_fake->appended ? (uint64_t)the_fake->kinds[type] : 0;
}
