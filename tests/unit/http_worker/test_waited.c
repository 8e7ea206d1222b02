/* test_waited.c - what a recorded request waits for: a span each, ended once, linked to whose work it shares. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "fake_history.h"
#include "mem.h"
#include "stage.h"

#define QUOTE "/api/v1/stocks/AAPL/quote"
#define RANGE                                                                                      \
	"/api/v1/stocks/AAPL/"                                                                     \
	"bars?timeframe=1Min&start=2020-09-13T12:27:00Z&end=2020-09-13T12:36:59Z"

static struct stage stage;
static struct peer tracer;

/* What is ended stays in the worker's hand: no timer fires here. */
static void
setup(void)
{
	stage.with_history = true;
	stage_open(&stage);
	tracer = (struct peer){ .proc = &stage.proc, .role = ROLE_TRACER };
	tracing_peer_up(&stage.worker.tracing, &tracer);
}

static void
teardown(void)
{
	stage_close(&stage);
}

TestSuite(waited, .init = setup, .fini = teardown);

static struct http_request *
ask_traced(const char *target, unsigned trace, bool sampled)
{
	char header[128];

	snprintf(header, sizeof(header), "traceparent: 00-%032x-%016x-%s\r\n", trace, 7u,
	    sampled ? "01" : "00");
	return ask(&stage, "GET", target, header, NULL);
}

/* The nth of these spans that were ended. */
static const struct msg_span *
ended(const char *name, unsigned nth)
{
	const struct tracing *t = &stage.worker.tracing;

	for (unsigned i = 0; i < t->held_count; i++)
		if (strcmp(t->held[i].name, name) == 0 && nth-- == 0)
			return &t->held[i];
	return NULL;
}

static const struct msg_span *
only(const char *name)
{
	const struct msg_span *s = ended(name, 0);

	cr_assert_not_null(s, "no %s", name);
	cr_assert_null(ended(name, 1), "%s ended twice", name);
	return s;
}

static void
leave(struct http_request *r)
{
	worker_gone(&stage.worker, r);
	ask_free(r);
}

Test(waited, who_joins_a_fetch_is_linked_to_who_began_it)
{
	struct http_request *first = ask_traced(QUOTE, 1, true),
			    *second = ask_traced(QUOTE, 2, true);
	struct quote q = a_quote(&stage, "AAPL");
	const struct msg_span *s, *leader, *own;

	stage_pass(&stage, 30);
	cr_assert_null(ended("joined fetch", 0));
	tell_quote(&stage, last_sent(&stage), &q);
	s = only("joined fetch");
	leader = ended("GET /api/v1/stocks/{symbol}/quote", 0);
	own = ended("GET /api/v1/stocks/{symbol}/quote", 1);
	cr_assert(leader != NULL && own != NULL);
	cr_expect_eq(s->trace_low, 2);
	cr_expect_eq(s->parent, own->id);
	cr_expect_eq(s->kind, SPAN_INTERNAL);
	cr_expect_eq(s->link_low, 1);
	cr_expect_eq(s->link_id, leader->id);
	cr_expect_eq(s->link_flags, TRACE_SAMPLED);
	cr_expect_eq(s->end - s->start, 30 * CLOCK_MS);
	cr_expect_str_eq(s->outcome, "answered");
	cr_expect_not(s->failed);
	ask_free(first);
	ask_free(second);
}

Test(waited, who_is_not_recorded_has_no_span_and_may_lead)
{
	struct http_request *first = ask_traced(QUOTE, 1, false),
			    *second = ask_traced(QUOTE, 2, true),
			    *third = ask_traced(QUOTE, 3, false);
	struct quote q = a_quote(&stage, "AAPL");
	const struct msg_span *s;

	tell_quote(&stage, last_sent(&stage), &q);
	s = only("joined fetch");
	cr_expect_eq(s->trace_low, 2);
	cr_expect_eq(s->link_low, 1);
	cr_expect_eq(s->link_flags, 0, "nobody will find anything there, and is told so");
	ask_free(first);
	ask_free(second);
	ask_free(third);
}

Test(waited, a_client_that_leaves_ends_it_and_the_answer_does_not_again)
{
	struct http_request *first = ask_traced(QUOTE, 1, true),
			    *second = ask_traced(QUOTE, 2, true);
	struct quote q = a_quote(&stage, "AAPL");
	const struct msg_span *s;

	leave(second);
	s = only("joined fetch");
	cr_expect_str_eq(s->outcome, "left");
	cr_expect(s->failed);
	tell_quote(&stage, last_sent(&stage), &q);
	(void)only("joined fetch");
	ask_free(first);
}

Test(waited, a_fetch_that_fails_says_why_and_one_that_is_late_too)
{
	struct http_request *first = ask_traced(QUOTE, 1, true),
			    *second = ask_traced(QUOTE, 2, true);
	const struct msg_span *s;

	tell_error(&stage, last_sent(&stage), E_UPSTREAM_SERVICE_ERROR, "it is on fire");
	s = ended("joined fetch", 0);
	cr_assert_not_null(s);
	cr_expect_str_eq(s->outcome, "failed");
	cr_expect_str_eq(s->code, err_name(E_UPSTREAM_SERVICE_ERROR));
	cr_expect_str_eq(s->reason, "it is on fire");
	ask_free(first);
	ask_free(second);
	first = ask_traced(QUOTE "?max_age_seconds=0", 1, true);
	second = ask_traced(QUOTE "?max_age_seconds=0", 2, true);
	stage_pass(&stage, stage.proc.conf.http_fetch_timeout + 1);
	waiting_expire(stage.worker.lookup->waiting);
	s = ended("joined fetch", 1);
	cr_assert_not_null(s);
	cr_expect_str_eq(s->outcome, "timeout");
	cr_expect(s->failed);
	ask_free(first);
	ask_free(second);
}

Test(waited, a_symbol_twice_in_one_list_links_nothing_to_itself)
{
	struct http_request *r = ask_traced("/api/v1/stocks/quotes?symbols=AAPL,AAPL", 1, true);
	struct quote q = a_quote(&stage, "AAPL");

	if (!r->answered)
		tell_quote(&stage, last_sent(&stage), &q);
	cr_assert(r->answered);
	for (unsigned i = 0; ended("joined fetch", i) != NULL; i++)
		cr_expect_eq(ended("joined fetch", i)->link_id, 0);
	ask_free(r);
}

static void
store_says(struct history_answer a)
{
	fake_history_answer(&a);
}

Test(waited, a_read_of_the_store_tells_its_rows)
{
	struct http_request *r = ask_traced(RANGE, 1, true);
	int64_t end = fake_history.asked[0].end;
	struct history_answer a = { .reach = end, .next = end, .count = 1 };
	const struct msg_span *s;

	a.rows = mem_array(1, sizeof(*a.rows));
	a.rows[0] = (struct history_row){ .v.bar = { .event = fake_history.asked[0].start },
		.versions = 1 };
	stage_pass(&stage, 3);
	fake_history_answer(&a);
	mem_free(&a.rows);
	s = only("history read");
	cr_expect_eq(s->parent, ended("GET /api/v1/stocks/{symbol}/bars", 0)->id);
	cr_expect_eq(s->kind, SPAN_CLIENT);
	cr_expect_str_eq(s->store, "sqlite");
	cr_expect_str_eq(s->symbol, "AAPL");
	cr_expect_str_eq(s->outcome, "hit");
	cr_expect_eq(s->count, 1);
	cr_expect_eq(s->end - s->start, 3 * CLOCK_MS);
	cr_expect_not(s->failed);
	ask_free(r);
}

Test(waited, a_store_with_a_part_of_it_or_with_nothing_says_which)
{
	struct http_request *r = ask_traced(RANGE, 1, true);
	int64_t start = fake_history.asked[0].start;

	store_says((struct history_answer){ .reach = start, .next = INT64_MAX, .holes = 1 });
	cr_expect_str_eq(only("history read")->outcome, "partial");
	leave(r);
	r = ask_traced(RANGE, 2, true);
	store_says((struct history_answer){ .reach = start - 1, .next = INT64_MAX, .holes = 1 });
	cr_expect_str_eq(ended("history read", 1)->outcome, "miss");
	leave(r);
	cr_expect_null(ended("history read", 2));
}

Test(waited, a_store_in_trouble_is_an_error_by_its_kind)
{
	struct http_request *r = ask_traced(RANGE, 1, true);
	const struct msg_span *s;

	store_says((struct history_answer){ .error = E_STORE, .late = true, .why = "too slow" });
	s = only("history read");
	cr_expect_str_eq(s->outcome, "timeout");
	cr_expect_str_eq(s->reason, "too slow");
	cr_expect(s->failed);
	leave(r);
	r = ask_traced(RANGE, 2, true);
	store_says((struct history_answer){ .error = E_STORE, .why = "no such table" });
	cr_expect_str_eq(ended("history read", 1)->outcome, "failed");
	leave(r);
	fake_history.is_refusing = true;
	r = ask_traced(RANGE, 3, true);
	s = ended("history read", 2);
	cr_assert_not_null(s);
	cr_expect_str_eq(s->outcome, "full");
	cr_expect(s->failed);
	cr_expect_eq(s->start, s->end);
	leave(r);
}

Test(waited, a_client_that_leaves_while_the_store_reads_ends_that_once)
{
	struct http_request *r = ask_traced(RANGE, 1, true);

	leave(r);
	cr_expect_eq(fake_history.cancelled, 1);
	cr_expect_str_eq(only("history read")->outcome, "left");
	cr_expect(only("history read")->failed);
}
