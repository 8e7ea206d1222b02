/* route.c - the paths that are served: those the gateway calls, from endpoints.def, and their
 * sisters. */
#include <string.h>

#include "replay.h"

#define SERVE_QUOTES	     KIND_QUOTES, serve_latest
#define SERVE_TRADES	     KIND_TRADES, serve_latest
#define SERVE_BARS	     KIND_BARS, serve_history
#define SERVE_TRADE_ROWS     KIND_TRADES, serve_history
#define SERVE_SNAPSHOTS	     KIND_NONE, serve_snapshots
#define SERVE_SNAPSHOTS_BARE KIND_NONE, serve_snapshots_bare
#define SERVE_CLOCK	     KIND_NONE, serve_clock
#define SERVE_ASSET	     KIND_NONE, serve_asset
#define NEEDS_KEY	     true
#define NEEDS_OPEN	     false

#define STOCK		     MARKET_STOCK, API_DATA, true
#define OPTION		     MARKET_OPTION, API_DATA, true
#define CRYPTO		     MARKET_CRYPTO, API_DATA, false

/* Rows of the table come first: a new one without a way to be served does not compile. */
static const struct route routes[] = {
#define ENDPOINT(NAME, number, name, asset, host, shape, merge, key, path, help)                   \
	{ path, MARKET_##asset, API_##host, NEEDS_##key, SERVE_##shape },
#include "tables/endpoints.def"
	{ "/v2/stocks/quotes", STOCK, KIND_QUOTES, serve_history },
	{ "/v2/stocks/bars/latest", STOCK, KIND_BARS, serve_latest },
	{ "/v2/stocks/{symbol}/bars", STOCK, KIND_BARS, serve_history_one },
	{ "/v2/stocks/{symbol}/trades", STOCK, KIND_TRADES, serve_history_one },
	{ "/v2/stocks/{symbol}/quotes", STOCK, KIND_QUOTES, serve_history_one },
	{ "/v2/stocks/{symbol}/bars/latest", STOCK, KIND_BARS, serve_latest_one },
	{ "/v2/stocks/{symbol}/trades/latest", STOCK, KIND_TRADES, serve_latest_one },
	{ "/v2/stocks/{symbol}/quotes/latest", STOCK, KIND_QUOTES, serve_latest_one },
	{ "/v2/stocks/{symbol}/snapshot", STOCK, KIND_NONE, serve_snapshot_one },
	{ "/v1beta1/options/trades/latest", OPTION, KIND_TRADES, serve_latest },
	{ "/v1beta3/crypto/{loc}/quotes", CRYPTO, KIND_QUOTES, serve_history },
	{ "/v1beta3/crypto/{loc}/latest/bars", CRYPTO, KIND_BARS, serve_latest },
	{ "/v1beta3/crypto/{loc}/snapshots", CRYPTO, KIND_NONE, serve_snapshots_whole },
};

#define ROUTES (sizeof(routes) / sizeof(routes[0]))

size_t
route_count(void)
{
	return ROUTES;
}

const struct route *
route_row(size_t index)
{
	return &routes[index];
}

/* Length of the segment at `p`, which stands behind a slash. */
static size_t
segment_length(const char *p)
{
	return strcspn(p, "/");
}

static bool
route_matches(const struct route *r, const struct request *q)
{
	const char *p = r->pattern;
	size_t i, len;

	for (i = 0; i < q->segment_count; i++, p += len) {
		if (*p++ != '/')
			return false;
		len = segment_length(p);
		if (*p != '{' &&
		    (strncmp(p, q->segments[i], len) != 0 || q->segments[i][len] != '\0'))
			return false;
	}
	return *p == '\0';
}

const struct route *
route_find(const struct request *q)
{
	size_t i;

	for (i = 0; i < ROUTES; i++)
		if (route_matches(&routes[i], q))
			return &routes[i];
	return NULL;
}

const char *
route_variable(const struct route *r, const struct request *q, const char *name)
{
	const char *p = r->pattern;
	size_t i, len;

	for (i = 0; i < q->segment_count && *p == '/'; i++, p += len) {
		len = segment_length(++p);
		if (*p == '{' && strncmp(p + 1, name, len - 2) == 0 && name[len - 2] == '\0')
			return q->segments[i];
	}
	return "";
}
