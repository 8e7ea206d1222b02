/* crypto.c - /api/v1/crypto. The location (us, eu-1, ...) is the operator's, not the client's. */
#include "http_worker.h"
#include "symbol.h"

static const struct question quote = { ENDPOINT_CRYPTO_QUOTE, ASK_QUOTE, ASSET_CRYPTO,
	symbol_crypto, NULL };
static const struct question trade = { ENDPOINT_CRYPTO_TRADE, ASK_TRADE, ASSET_CRYPTO,
	symbol_crypto, NULL };
static const struct question bars = { ENDPOINT_CRYPTO_BARS, ASK_BARS, ASSET_CRYPTO, symbol_crypto,
	NULL };
static const struct question trades = { ENDPOINT_CRYPTO_TRADES, ASK_TRADES, ASSET_CRYPTO,
	symbol_crypto, NULL };

void
route_crypto_quote(struct visit *c)
{
	single_answer(c, &quote);
}

void
route_crypto_trade(struct visit *c)
{
	single_answer(c, &trade);
}

void
route_crypto_bars(struct visit *c)
{
	range_answer(c, &bars);
}

void
route_crypto_trades(struct visit *c)
{
	range_answer(c, &trades);
}
