/* trading.c - the two calls of the trading API that market data needs: the clock and one asset. */
#include <string.h>

#include "replay.h"
#include "spelling.h"

void
serve_clock(struct replay *r, const struct route *route, const struct request *q, struct answer *a)
{
	int64_t now = replay_now(r);
	char text[CLOCK_TEXT];
	struct json j;

	(void)route;
	(void)q;
	answer_json_begin(a, &j);
	json_object_open(&j, NULL);
	session_format(now, text);
	json_text(&j, "timestamp", text);
	json_bool(&j, "is_open", session_is_open(now));
	session_format(session_next_open(now), text);
	json_text(&j, "next_open", text);
	session_format(session_next_close(now), text);
	json_text(&j, "next_close", text);
	json_object_close(&j);
	answer_json_end(a, &j);
}

/* A recording knows of an asset that it exists and what it is; everything else of Alpaca's
 * record is left out. */
void
serve_asset(struct replay *r, const struct route *route, const struct request *q, struct answer *a)
{
	static const struct {
		enum market market;
		const char *class;
	} classes[] = { { MARKET_STOCK, "us_equity" }, { MARKET_OPTION, "us_option" },
		{ MARKET_CRYPTO, "crypto" } };
	const char *symbol = route_variable(route, q, "symbol");
	struct json j;
	size_t i;

	for (i = 0; i < 3; i++)
		if (recording_find(&r->recording, classes[i].market, symbol) != NULL)
			break;
	if (i == 3) {
		answer_refuse_code(a, 404, 40410000, "asset not found for %s", symbol);
		return;
	}
	answer_json_begin(a, &j);
	json_object_open(&j, NULL);
	json_text(&j, "class", classes[i].class);
	json_text(&j, "symbol", symbol);
	json_object_close(&j);
	answer_json_end(a, &j);
}
