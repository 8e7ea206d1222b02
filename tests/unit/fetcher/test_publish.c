/* test_publish.c - kept before it is sent, in one piece, and to every worker that can use it. */
#include <criterion/criterion.h>
#include <string.h>

#include "clock.h"
#include "fakes.h"

#define SNAPSHOT                                                                                   \
	"{\"AAPL\":{\"latestTrade\":{\"t\":\"2021-05-03T14:48:06Z\",\"p\":133.4,\"s\":1},"         \
	"\"latestQuote\":{\"t\":\"2021-05-03T14:48:07Z\",\"ap\":133.43,\"as\":7,\"bp\":133.42,"    \
	"\"bs\":15}}}"

static struct fake *k;

static void
setup(void)
{
	k = fake_new();
	k->proc.conf.upstream_merge_window = 0;
	fake_ask(k, 0, 7, ENDPOINT_STOCK_SNAPSHOT, "AAPL");
	fake_pass(k, 1);
}

static void
teardown(void)
{
	fake_free(&k);
}

TestSuite(publish, .init = setup, .fini = teardown);

static unsigned
sent_to(const struct peer *to, enum msg_type type)
{
	unsigned n = 0;

	for (unsigned i = 0; i < k->sent_count; i++)
		n += k->sent[i]->to == to && k->sent[i]->type == type;
	return n;
}

Test(publish, an_answer_is_result_values_and_end_in_one_piece)
{
	static const enum msg_type order[] = { MSG_RESULT, MSG_SNAPSHOT, MSG_TRADE, MSG_QUOTE,
		MSG_RESULT_END };
	struct msg_fetch f = fake_a_fetch(ENDPOINT_STOCK_SNAPSHOT, "AAPL");
	char key[FETCH_KEY];
	unsigned at = 0;

	fake_answer(k, fake_open(k), 200, SNAPSHOT);
	cr_assert_not_null(fake_end(k, 0, 7, &at));
	for (unsigned i = 0; i < 5; i++) {
		cr_expect_eq(k->sent[at - 1 + i]->type, order[i]);
		cr_expect_eq(k->sent[at - 1 + i]->to, &k->http[0]);
	}
	fetch_key(&f, key);
	cr_expect_str_eq(k->sent[at - 1]->data.result.key, key);
	cr_expect_str_eq(k->sent[at - 1]->data.result.symbol, "AAPL");
	cr_expect_eq(fake_end(k, 0, 7, NULL)->count, 3);
	cr_expect(fake_end(k, 0, 7, NULL)->complete);
	cr_expect_str_eq(fake_end(k, 0, 7, NULL)->feed, "iex");
	cr_expect_eq(fake_end(k, 0, 7, NULL)->received, clock_wall());
}

Test(publish, nothing_is_sent_that_is_not_in_the_journal)
{
	fake_answer(k, fake_open(k), 200, SNAPSHOT);
	for (unsigned i = 0; i < k->sent_count; i++)
		if (k->sent[i]->to != &k->writer)
			cr_expect_eq(
			    k->sent[i]->flushed, 4, "three values and the audit of the call");
	cr_expect_eq(k->flushes, 1);
	cr_expect_eq(sent_to(&k->writer, MSG_ADVANCED), 1);
	cr_expect_eq(sent_to(&k->writer, MSG_RESULT), 0);
}

Test(publish, the_other_worker_gets_it_with_ticket_zero)
{
	fake_answer(k, fake_open(k), 200, SNAPSHOT);
	cr_assert_not_null(fake_end(k, 1, 0, NULL));
	cr_expect_eq(fake_end(k, 1, 0, NULL)->count, 3);
	cr_expect_null(fake_end(k, 0, 0, NULL), "who asked gets it once");
}

Test(publish, a_channel_without_room_gets_the_refusal_alone)
{
	k->room = 1300;
	fake_answer(k, fake_open(k), 200, SNAPSHOT);
	cr_assert_not_null(fake_end(k, 0, 7, NULL));
	cr_expect_eq(fake_end(k, 0, 7, NULL)->error, E_OVERLOADED);
	cr_expect_eq(fake_end(k, 0, 7, NULL)->count, 0);
	cr_expect_eq(sent_to(&k->http[0], MSG_QUOTE), 0);
	cr_expect_eq(sent_to(&k->http[1], MSG_RESULT), 0, "and the other one nothing");
}

Test(publish, a_full_journal_is_counted_and_served_on_when_told_so)
{
	k->journal_is_full = true;
	fake_answer(k, fake_open(k), 200, SNAPSHOT);
	cr_expect_eq(fake_end(k, 0, 7, NULL)->error, E_OK);
	cr_expect(k->fetcher.journal_full);
}

Test(publish, a_record_too_large_for_the_journal_does_not_make_it_full)
{
	k->journal_refuses = E_LIMIT;
	fake_answer(k, fake_open(k), 200, SNAPSHOT);
	cr_expect(!k->fetcher.journal_full);
}

Test(publish, records_are_counted_once_they_are_flushed)
{
	struct records one = { 0 };

	records_add(&one, MSG_QUOTE);
	publish_gather(&k->fetcher, &one, 0, false);
	cr_expect_eq(k->fetcher.counted[LABEL(kind, QUOTE)], 0);
	records_fini(&one);
	fake_answer(k, fake_open(k), 200, SNAPSHOT);
	cr_expect_eq(k->fetcher.counted[LABEL(kind, QUOTE)], (uint64_t)k->kinds[MSG_QUOTE]);
	cr_expect_geq(k->kinds[MSG_QUOTE], 1);
}

Test(publish, a_full_journal_refuses_when_told_so)
{
	static struct slot_page page;

	k->proc.stats.mine = &page;
	strcpy(k->proc.conf.journal_on_full, "refuse");
	k->journal_is_full = true;
	fake_answer(k, fake_open(k), 200, SNAPSHOT);
	cr_expect_eq(fake_end(k, 0, 7, NULL)->error, E_OVERLOADED);
	cr_expect_eq(metric_read(&page, M_JOURNAL_BLOCKED, 0, 0), 1, "and it is told");
	cr_expect_gt(page.troubles[LABEL(trouble, JOURNAL)].at_ns, 0);
	cr_expect_not_null(
	    strstr(page.troubles[LABEL(trouble, JOURNAL)].text, "the journal is full"));
	cr_expect_eq(sent_to(&k->http[0], MSG_QUOTE), 0);
	fake_ask(k, 0, 8, ENDPOINT_STOCK_SNAPSHOT, "MSFT");
	cr_assert_not_null(fake_end(k, 0, 8, NULL), "and no budget is spent on more");
	cr_expect_eq(fake_end(k, 0, 8, NULL)->error, E_OVERLOADED);
}

Test(publish, the_clock_goes_to_all_http_workers)
{
	k->fetcher.clock.known = true;
	k->fetcher.clock.now.is_open = true;
	publish_clock(&k->fetcher, NULL);
	cr_expect_eq(sent_to(&k->http[0], MSG_MARKET_CLOCK), 1);
	cr_expect_eq(sent_to(&k->http[1], MSG_MARKET_CLOCK), 1);
	cr_expect_eq(sent_to(&k->writer, MSG_MARKET_CLOCK), 0);
	publish_clock(&k->fetcher, &k->http[1]);
	cr_expect_eq(sent_to(&k->http[0], MSG_MARKET_CLOCK), 1);
	cr_expect_eq(sent_to(&k->http[1], MSG_MARKET_CLOCK), 2);
}
