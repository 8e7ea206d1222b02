/* missing.c - where upstream has nothing: whether the symbol does not exist, or only the data.
 *
 * The data endpoints answer an unknown symbol and one without data alike: it is not in the map. For stocks the
 * list of assets knows, which is the trading API and its own budget. For crypto bars the latest quote tells. What
 * was learned is kept for a while. Where it cannot be told, the answer says so instead of guessing.
 */
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "fetcher.h"
#include "log.h"
#include "mem.h"
#include "symbol.h"
#include "text.h"

#define ASSETS_MAX     4096
#define KNOWN_FOR_NS   (INT64_C(3600) * CLOCK_SEC)
#define UNKNOWN_FOR_NS (INT64_C(60) * CLOCK_SEC)
#define ASK_MAX_MS     3000
#define ASK_MIN_MS     200

struct asset_entry {
	UT_hash_handle hh;
	char symbol[SYMBOL_MAX];
	bool exists;
	int64_t expires_ns;
};

struct assets {
	struct asset_entry *by_symbol; /* in the order they were learned */
};

struct assets *
assets_new(void)
{
	return mem_alloc(sizeof(struct assets));
}

static void
asset_drop(struct assets *a, struct asset_entry *e)
{
	HASH_DEL(a->by_symbol, e);
	mem_free(&e);
}

void
assets_free(struct assets **ap)
{
	if (*ap == NULL)
		return;
	while ((*ap)->by_symbol != NULL)
		asset_drop(*ap, (*ap)->by_symbol);
	mem_free(ap);
}

static void
assets_learn(struct assets *a, const char *symbol, bool exists)
{
	struct asset_entry *e;

	HASH_FIND_STR(a->by_symbol, symbol, e);
	if (e != NULL)
		asset_drop(a, e);
	if (HASH_COUNT(a->by_symbol) >= ASSETS_MAX)
		asset_drop(a, a->by_symbol);
	e = mem_alloc(sizeof(*e));
	text_copy(e->symbol, sizeof(e->symbol), symbol);
	e->exists = exists;
	e->expires_ns = clock_mono() + (exists ? KNOWN_FOR_NS : UNKNOWN_FOR_NS);
	HASH_ADD_STR(a->by_symbol, symbol, e);
}

static const struct asset_entry *
assets_recall(struct assets *a, const char *symbol)
{
	struct asset_entry *e;

	HASH_FIND_STR(a->by_symbol, symbol, e);
	if (e == NULL || e->expires_ns > clock_mono())
		return e;
	asset_drop(a, e);
	return NULL;
}

static void
missing_say(struct job *job, int error, const char *reason)
{
	job->answer.definite = true;
	job_fail(job, error, 0, reason);
}

static void
missing_say_known(struct job *job, bool exists)
{
	if (!exists)
		missing_say(job, E_SYMBOL_NOT_FOUND, "upstream lists no such symbol");
	else if (shape_is_rows(job->row->shape))
		missing_say(job, E_HISTORICAL_DATA_UNAVAILABLE,
		    job->row->shape == SHAPE_BARS
			? "the symbol exists, upstream has no bars in this range"
			: "the symbol exists, upstream has no trades in this range");
	else
		missing_say(job, E_REAL_DATA_UNAVAILABLE,
		    "the symbol exists, upstream has no such value on this feed");
}

static void
missing_on_answer(const struct answer *answer, void *owner)
{
	struct job *job = owner;
	char reason[256];

	if (answer->error == E_OK || answer->error == E_SYMBOL_NOT_FOUND) {
		assets_learn(job->fetcher->assets, job->fetch.symbol, answer->error == E_OK);
		missing_say_known(job, answer->error == E_OK);
		return;
	}
	snprintf(reason, sizeof(reason),
	    "upstream has no data; whether the symbol exists could not be checked: %.150s",
	    answer->reason);
	job_fail(job, E_REAL_DATA_UNAVAILABLE, 1000, reason);
}

static void
missing_ask(struct job *job, enum endpoint endpoint)
{
	struct fetcher *f = job->fetcher;
	struct asker me = { .done = missing_on_answer, .owner = job };
	/* Behind the clock, which shares the budget: clients who guess symbols must not stop it. */
	struct msg_fetch fetch = { .endpoint = endpoint, .lane = LANE_REFRESH };
	int64_t left_ms = (job->deadline_ns - clock_mono()) / CLOCK_MS;
	const struct asset_entry *known = assets_recall(f->assets, job->fetch.symbol);

	if (known != NULL) {
		missing_say_known(job, known->exists);
		return;
	}
	text_copy(fetch.symbol, sizeof(fetch.symbol), job->fetch.symbol);
	if (endpoint == ENDPOINT_CRYPTO_QUOTE)
		text_copy(fetch.feed, sizeof(fetch.feed), job->fetch.feed);
	fetch.timeout_ms = (uint64_t)(left_ms < ASK_MIN_MS   ? ASK_MIN_MS
				      : left_ms < ASK_MAX_MS ? left_ms
							     : ASK_MAX_MS);
	plan_ask(f, &fetch, &me);
}

void
missing_decide(struct job *job)
{
	job_leave(job);
	if (job->row->shape == SHAPE_ASSET)
		missing_say(job, E_SYMBOL_NOT_FOUND, "upstream lists no such symbol");
	else if (job->row->shape == SHAPE_CLOCK)
		job_fail(
		    job, E_UPSTREAM_SERVICE_ERROR, 1000, "upstream has no clock at this address");
	else if (job->row->number == ENDPOINT_OPTION_CHAIN)
		missing_say(job, E_OPTIONS_CHAIN_UNAVAILABLE, "upstream lists no contract for it");
	else if (job->row->asset == ASSET_OPTION && shape_is_rows(job->row->shape))
		missing_say(job, E_HISTORICAL_DATA_UNAVAILABLE,
		    "upstream has nothing of this contract in this range");
	else if (job->row->asset == ASSET_OPTION)
		missing_say(
		    job, E_OPTION_DATA_UNAVAILABLE, "upstream has no such value for this contract");
	else if (job->row->asset == ASSET_STOCK)
		missing_ask(job, ENDPOINT_ASSET);
	else if (shape_is_rows(job->row->shape))
		missing_ask(job, ENDPOINT_CRYPTO_QUOTE);
	else
		missing_say(
		    job, E_SYMBOL_NOT_FOUND, "upstream knows no such pair at this location");
}
