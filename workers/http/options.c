/* options.c - /api/v1/options. */
#include "http_worker.h"
#include "symbol.h"

#define FEEDS "opra|indicative"

static const struct question quote = { ENDPOINT_OPTION_QUOTE, ASK_QUOTE, ASSET_OPTION,
	symbol_option, FEEDS };
static const struct question snapshot = { ENDPOINT_OPTION_SNAPSHOT, ASK_SNAPSHOT, ASSET_OPTION,
	symbol_option, FEEDS };
static const struct question chain = { ENDPOINT_OPTION_CHAIN, ASK_CHAIN, ASSET_OPTION, symbol_stock,
	FEEDS };
/* Upstream takes no feed for these. */
static const struct question bars = { ENDPOINT_OPTION_BARS, ASK_BARS, ASSET_OPTION, symbol_option,
	NULL };
static const struct question trades = { ENDPOINT_OPTION_TRADES, ASK_TRADES, ASSET_OPTION,
	symbol_option, NULL };

void
route_option_quote(struct visit *c)
{
	single_answer(c, &quote);
}

void
route_option_quote_post(struct visit *c)
{
	single_answer(c, &quote);
}

void
route_option_snapshot(struct visit *c)
{
	single_answer(c, &snapshot);
}

void
route_option_chain(struct visit *c)
{
	single_answer(c, &chain);
}

void
route_option_chain_post(struct visit *c)
{
	single_answer(c, &chain);
}

void
route_option_quotes_batch(struct visit *c)
{
	batch_answer(c, &quote);
}

void
route_option_bars(struct visit *c)
{
	range_answer(c, &bars);
}

void
route_option_trades(struct visit *c)
{
	range_answer(c, &trades);
}
