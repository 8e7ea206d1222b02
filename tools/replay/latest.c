/* latest.c - the latest quote, trade or minute bar, as of the recording's own time. */
#include "clock.h"
#include "replay.h"
#include "spelling.h"

static bool
put_latest(
    struct replay *r, const struct instrument *i, enum kind kind, const char *name, struct json *j)
{
	struct series *s = instrument_series(i, kind, kind == KIND_BARS ? "1Min" : "");
	size_t happened = series_happened(s, replay_now(r));

	if (happened == 0)
		return false;
	json_raw(j, name, series_json(s, happened - 1), s->events[happened - 1].len);
	return true;
}

void
serve_latest(struct replay *r, const struct route *route, const struct request *q, struct answer *a)
{
	struct symbols symbols;
	struct json j;
	size_t i;

	if (!symbols_read(r, route, q, &symbols, a) || !feed_check(route, q, a))
		return;
	answer_json_begin(a, &j);
	json_object_open(&j, NULL);
	json_object_open(&j, kind_plural(route->kind));
	for (i = 0; i < symbols.count; i++)
		put_latest(r, symbols.rows[i], route->kind, symbols.rows[i]->symbol, &j);
	json_object_close(&j);
	if (*request_param(q, "currency") != '\0')
		json_text(&j, "currency", "USD");
	json_object_close(&j);
	answer_json_end(a, &j);
}

void
serve_latest_one(
    struct replay *r, const struct route *route, const struct request *q, struct answer *a)
{
	const char *symbol = route_variable(route, q, "symbol");
	struct instrument *i;
	struct json j;
	bool found;

	if (!symbol_is_well_formed(route->market, symbol)) {
		answer_refuse(a, 400, "invalid symbol: %s", symbol);
		return;
	}
	if (!feed_check(route, q, a))
		return;
	i = recording_find_feed(&r->recording, route->market, symbol, request_param(q, "feed"));
	answer_json_begin(a, &j);
	json_object_open(&j, NULL);
	json_text(&j, "symbol", symbol);
	found = i != NULL && put_latest(r, i, route->kind, kind_singular(route->kind), &j);
	json_object_close(&j);
	answer_json_end(a, &j);
	if (!found)
		answer_refuse(a, 404, "no %s found for %s", kind_singular(route->kind), symbol);
}
