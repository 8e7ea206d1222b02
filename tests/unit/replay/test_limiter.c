/* test_limiter.c - token buckets by key and API. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "clock.h"
#include "replay.h"

static struct limiter limiter;
static struct answer answer;

static void
begin(void)
{
	clock_fake(1700000000 * CLOCK_SEC, CLOCK_SEC);
	limiter_init(&limiter, 60);
	answer_init(&answer);
}

static void
end(void)
{
	limiter_fini(&limiter);
	answer_fini(&answer);
	clock_real();
}

TestSuite(limiter, .init = begin, .fini = end);

static int
admitted(enum api api, const char *key, int tries)
{
	int n = 0;

	while (tries-- > 0)
		n += limiter_admit(&limiter, api, key, &answer);
	return n;
}

Test(limiter, gives_a_minutes_worth_at_once_and_refills_evenly)
{
	cr_expect_eq(admitted(API_DATA, "k", 100), 60);
	clock_fake(1700000010 * CLOCK_SEC, 11 * CLOCK_SEC);
	cr_expect_eq(admitted(API_DATA, "k", 100), 10, "one a second");
	cr_expect_eq(limiter.refused, 40 + 90);
}

Test(limiter, keys_and_the_trading_api_have_their_own)
{
	cr_expect_eq(admitted(API_DATA, "a", 100), 60);
	cr_expect_eq(admitted(API_DATA, "b", 100), 60);
	cr_expect_eq(admitted(API_TRADING, "a", 100), 60);
}

Test(limiter, says_what_is_left_and_when_it_is_full_again)
{
	cr_assert(limiter_admit(&limiter, API_DATA, "k", &answer));
	cr_expect(answer.shows_budget);
	cr_expect_eq((int)answer.budget_limit, 60);
	cr_expect_eq((int)answer.budget_left, 59);
	cr_expect_eq(answer.budget_reset, 1700000001);
}

Test(limiter, nought_is_no_limit)
{
	limiter_init(&limiter, 0);
	cr_expect_eq(admitted(API_DATA, "k", 1000), 1000);
	cr_expect_not(answer.shows_budget);
}

Test(limiter, remembers_a_bounded_number_of_keys_and_forgets_the_unused)
{
	char key[16];
	int i;

	cr_expect_eq(admitted(API_DATA, "first", 60), 60);
	for (i = 0; i < KEYS_MAX - 1; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		cr_expect_eq(admitted(API_DATA, key, 1), 1);
	}
	cr_expect_eq(admitted(API_DATA, "first", 1), 0, "still known, and by this used again");
	cr_expect_eq(admitted(API_DATA, "one more", 1), 1);
	cr_expect_eq(HASH_COUNT(limiter.budgets), KEYS_MAX);
	cr_expect_eq(admitted(API_DATA, "first", 1), 0, "another one went");
}
