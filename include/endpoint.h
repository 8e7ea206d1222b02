/* endpoint.h - the upstream calls, made from endpoints.def, and the identity of a fetch. */
#ifndef ENDPOINT_H
#define ENDPOINT_H
#include <stddef.h>

#include "err.h"
#include "msg.h"
#include "value.h"

enum endpoint {
#define ENDPOINT(NAME, number, name, asset, host, shape, merge, key, path, help) ENDPOINT_##NAME = (number),
#include "tables/endpoints.def"
};
enum lane { LANE_INTERACTIVE = 0, LANE_REFRESH = 1, LANE_BACKFILL = 2, LANE_COUNT };
enum endpoint_host { HOST_DATA, HOST_TRADING };
enum shape { SHAPE_QUOTES, SHAPE_TRADES, SHAPE_SNAPSHOTS_BARE, SHAPE_SNAPSHOTS, SHAPE_BARS, SHAPE_TRADE_ROWS,
	SHAPE_CLOCK, SHAPE_ASSET };

struct endpoint_row {
	enum endpoint		 number;
	const char		*name;
	enum asset		 asset;
	enum endpoint_host	 host;
	enum shape		 shape;
	bool			 merges;
	bool			 needs_key;
	const char		*path;
	int			 index;		/* dense, from 0: the metric label */
};

/* Null for an unknown number. */
const struct endpoint_row *endpoint_row(uint64_t number);
size_t	endpoint_count(void);

/* Rows of a range of time, page by page: bars or trades. */
bool	shape_is_rows(enum shape);

#define FETCH_KEY 512
/* What makes two fetches the same question: every field but ticket, lane and timeout that its endpoint reads (bars: of
 * timeframe to descending; chain: of option_type to root_symbol), as readable text. No field but the token may hold `|`.
 * Never fails: the fields' bounds keep it below FETCH_KEY. */
void	fetch_key(const struct msg_fetch *, char out[FETCH_KEY]);

#endif /* ENDPOINT_H */
