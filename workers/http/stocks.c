/* stocks.c - /api/v1/stocks. */
#include "http_worker.h"
#include "symbol.h"

#define FEEDS_LATEST  "iex|sip|delayed_sip|otc|boats|overnight"
#define FEEDS_HISTORY "iex|sip|otc|boats"

static const struct question quote = { ENDPOINT_STOCK_QUOTE, ASK_QUOTE, ASSET_STOCK, symbol_stock,
	FEEDS_LATEST };
static const struct question trade = { ENDPOINT_STOCK_TRADE, ASK_TRADE, ASSET_STOCK, symbol_stock,
	FEEDS_LATEST };
static const struct question snapshot = { ENDPOINT_STOCK_SNAPSHOT, ASK_SNAPSHOT, ASSET_STOCK,
	symbol_stock, FEEDS_LATEST };
static const struct question bars = { ENDPOINT_STOCK_BARS, ASK_BARS, ASSET_STOCK, symbol_stock,
	FEEDS_HISTORY };
static const struct question trades = { ENDPOINT_STOCK_TRADES, ASK_TRADES, ASSET_STOCK,
	symbol_stock, FEEDS_HISTORY };

void
route_stock_quote(struct visit *c)
{
	single_answer(c, &quote);
}

void
route_stock_quote_post(struct visit *c)
{
	single_answer(c, &quote);
}

void
route_stock_trade(struct visit *c)
{
	single_answer(c, &trade);
}

void
route_stock_snapshot(struct visit *c)
{
	single_answer(c, &snapshot);
}

void
route_stock_bars(struct visit *c)
{
	range_answer(c, &bars);
}

void
route_stock_trades(struct visit *c)
{
	range_answer(c, &trades);
}

void
route_stock_quotes(struct visit *c)
{
	batch_answer(c, &quote);
}

void
route_stock_quotes_batch(struct visit *c)
{
	batch_answer(c, &quote);
}
