/* test_traced.c - a call that several wait for, in the trace of each. */
#include <criterion/criterion.h>
#include <string.h>

#include "clock.h"
#include "fakes.h"

#define QUOTES                                                                                     \
	"{\"quotes\":{\"AAPL\":{\"t\":\"2021-10-12T00:00:00Z\",\"ap\":15.07,\"as\":3,\"bp\":"      \
	"15.01,\"bs\":3}}}"

static struct fake *k;
static struct peer tracer;

static void
setup(void)
{
	k = fake_new();
	k->proc.conf.upstream_merge_window = 0;
	k->room = PROC_PEER_QUEUE;
	tracer = (struct peer){ .proc = &k->proc, .role = ROLE_TRACER };
	tracing_init(&k->fetcher.tracing, &k->proc);
	tracing_peer_up(&k->fetcher.tracing, &tracer);
	tracing_drain(&k->fetcher.tracing); /* each leaves at once */
}

static void
teardown(void)
{
	tracing_fini(&k->fetcher.tracing);
	fake_free(&k);
}

TestSuite(traced, .init = setup, .fini = teardown);

/* The nth message of this type. */
static const union msg_any *
sent(enum msg_type type, unsigned nth)
{
	for (unsigned i = 0; i < k->sent_count; i++)
		if (k->sent[i]->type == type && nth-- == 0)
			return &k->sent[i]->data;
	return NULL;
}

static void
ask(unsigned http, uint64_t ticket, uint64_t trace, unsigned flags)
{
	struct asker who = { .peer = &k->http[http],
		.ticket = ticket,
		.trace = { .high = 1, .low = trace, .span = 100 + trace, .flags = flags } };
	struct msg_fetch f = fake_a_fetch(ENDPOINT_STOCK_QUOTE, "AAPL");

	f.ticket = ticket;
	trace_format(&who.trace, f.traceparent);
	strcpy(f.tracestate, "rojo=1");
	plan_ask(&k->fetcher, &f, &who);
}

Test(traced, each_sampled_one_has_the_call_in_its_own_trace)
{
	const struct msg_span *call, *journal, *other;

	ask(0, 1, 7, TRACE_SAMPLED);
	fake_pass(k, 0);
	ask(1, 2, 8, TRACE_SAMPLED);
	ask(1, 3, 9, 0);
	fake_answer(k, fake_open(k), 200, QUOTES);
	cr_assert_not_null(sent(MSG_SPAN, 3), "two calls, two appends");
	cr_expect_null(sent(MSG_SPAN, 4), "nobody asked for the third's");
	call = &sent(MSG_SPAN, 0)->span;
	other = &sent(MSG_SPAN, 1)->span;
	journal = &sent(MSG_SPAN, 2)->span;
	cr_expect_eq(call->trace_low, 7);
	cr_expect_eq(call->parent, 107);
	cr_expect_eq(call->kind, SPAN_CLIENT);
	cr_expect_eq(call->link_id, 0);
	cr_expect_eq(other->trace_low, 8);
	cr_expect_eq(other->parent, 108);
	cr_expect_eq(other->link_id, call->id);
	cr_expect_eq(other->link_low, 7);
	cr_expect_neq(other->id, call->id);
	cr_expect_eq(journal->parent, call->id);
	cr_expect_str_eq(journal->name, "journal append");
	cr_assert_not_null(sent(MSG_APPENDED, 1), "the writer is told of both");
	cr_expect_eq(sent(MSG_APPENDED, 0)->appended.sequence, k->flushed);
}

Test(traced, who_is_not_sampled_has_no_span)
{
	ask(0, 1, 7, 0);
	fake_pass(k, 0);
	fake_answer(k, fake_open(k), 200, QUOTES);
	cr_expect_null(sent(MSG_SPAN, 0));
	cr_expect_null(sent(MSG_APPENDED, 0));
	cr_expect_not_null(sent(MSG_RESULT_END, 0));
}

Test(traced, the_upstream_is_told_where_that_is_set)
{
	ask(0, 1, 7, TRACE_SAMPLED);
	fake_pass(k, 0);
	cr_expect_str_eq(fake_open(k)->traceparent, "");
	fake_answer(k, fake_open(k), 200, QUOTES);
	k->proc.conf.trace_upstream = true;
	ask(0, 2, 8, 0);
	fake_pass(k, 0);
	cr_expect_str_eq(fake_open(k)->traceparent,
	    "00-00000000000000010000000000000008-000000000000006c-00", "as it came");
	fake_answer(k, fake_open(k), 200, QUOTES);
}

Test(traced, a_tracer_that_does_not_read_costs_its_spans)
{
	k->room = PROC_PEER_QUEUE - SPANS_QUEUED_MAX;
	ask(0, 1, 7, TRACE_SAMPLED);
	fake_pass(k, 0);
	fake_answer(k, fake_open(k), 200, QUOTES);
	cr_expect_null(sent(MSG_SPAN, 0));
	cr_expect_eq(fake_end(k, 0, 1, NULL)->error, E_OK);
}
