/* snapshot.c - snapshots: of stocks without a wrapper, of options and crypto with one, and the
 * chain. */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "replay.h"
#include "spelling.h"
#include "text.h"

#define CHAIN_DEFAULT 100
#define CHAIN_MOST    1000

struct filter { /* what a chain is narrowed to; "" and negative: not asked */
	const char *underlying, *root, *type, *on, *from, *to;
	double strike_least, strike_most;
	int64_t updated_since;
};

static size_t
last_of(const struct instrument *i, enum kind kind, const char *timeframe, int64_t now,
    const struct series **s)
{
	*s = instrument_series(i, kind, timeframe);
	return series_happened(*s, now);
}

static void
put_part(const struct instrument *i, enum kind kind, const char *timeframe, size_t before,
    int64_t now, const char *name, struct json *j)
{
	const struct series *s;
	size_t happened = last_of(i, kind, timeframe, now, &s);

	if (happened > before)
		json_raw(j, name, series_json(s, happened - 1 - before),
		    s->events[happened - 1 - before].len);
}

/* Greeks and volatility are recorded as members of one object, which are members of the snapshot
 * here. */
static void
put_greeks(const struct instrument *i, int64_t now, struct json *j)
{
	static const char lead[] = "{\"greeks\":";
	const struct series *s;
	size_t happened = last_of(i, KIND_GREEKS, "", now, &s);
	const char *text, *volatility;
	size_t len;

	if (happened == 0)
		return;
	text = series_json(s, happened - 1);
	len = s->events[happened - 1].len;
	volatility = memmem(text, len, "\"impliedVolatility\":", 20);
	if (strncmp(text, lead, sizeof(lead) - 1) == 0)
		json_raw(j, "greeks", text + sizeof(lead) - 1,
		    (volatility != NULL ? (size_t)(volatility - text) - 1 : len - 1) -
			(sizeof(lead) - 1));
	if (volatility != NULL)
		json_raw(j, "impliedVolatility", volatility + 20,
		    len - 1 - (size_t)(volatility + 20 - text));
}

static void
put_snapshot(const struct instrument *i, int64_t now, struct json *j)
{
	put_part(i, KIND_BARS, "1Day", 0, now, "dailyBar", j);
	put_greeks(i, now, j);
	put_part(i, KIND_QUOTES, "", 0, now, "latestQuote", j);
	put_part(i, KIND_TRADES, "", 0, now, "latestTrade", j);
	put_part(i, KIND_BARS, "1Min", 0, now, "minuteBar", j);
	put_part(i, KIND_BARS, "1Day", 1, now, "prevDailyBar", j);
}

void
serve_snapshots_bare(
    struct replay *r, const struct route *route, const struct request *q, struct answer *a)
{
	int64_t now = replay_now(r);
	struct symbols symbols;
	struct json j;
	size_t i;

	if (!symbols_read(r, route, q, &symbols, a) || !feed_check(route, q, a))
		return;
	answer_json_begin(a, &j);
	json_object_open(&j, NULL);
	for (i = 0; i < symbols.count; i++) {
		if (!instrument_is_known(symbols.rows[i], now))
			continue;
		json_object_open(&j, symbols.rows[i]->symbol);
		put_snapshot(symbols.rows[i], now, &j);
		json_object_close(&j);
	}
	json_object_close(&j);
	answer_json_end(a, &j);
}

void
serve_snapshot_one(
    struct replay *r, const struct route *route, const struct request *q, struct answer *a)
{
	const char *symbol = route_variable(route, q, "symbol");
	int64_t now = replay_now(r);
	struct instrument *i;
	struct json j;

	if (!symbol_is_well_formed(route->market, symbol)) {
		answer_refuse(a, 400, "invalid symbol: %s", symbol);
		return;
	}
	if (!feed_check(route, q, a))
		return;
	i = recording_find_feed(&r->recording, route->market, symbol, request_param(q, "feed"));
	if (i == NULL || !instrument_is_known(i, now)) {
		answer_refuse(a, 404, "no snapshot found for %s", symbol);
		return;
	}
	answer_json_begin(a, &j);
	json_object_open(&j, NULL);
	put_snapshot(i, now, &j);
	json_text(&j, "symbol", symbol);
	json_object_close(&j);
	answer_json_end(a, &j);
}

static bool
filter_read_date(const struct request *q, const char *name, const char **out, struct answer *a)
{
	int year, month, day;

	*out = request_param(q, name);
	if (**out == '\0' || clock_parse_date(*out, &year, &month, &day) == E_OK)
		return true;
	answer_refuse(a, 400, "Invalid format for parameter %s: '%s' is not a date", name, *out);
	return false;
}

static bool
filter_read_strike(const struct request *q, const char *name, double *out, struct answer *a)
{
	const char *text = request_param(q, name);

	*out = -1;
	if (*text == '\0' || (text_to_f64(text, out) == E_OK && *out >= 0))
		return true;
	answer_refuse(a, 400, "Invalid format for parameter %s: '%s' is not a price", name, text);
	return false;
}

static bool
filter_read_since(const struct request *q, int64_t *out, struct answer *a)
{
	const char *text = request_param(q, "updated_since");

	*out = INT64_MIN;
	if (*text == '\0' || clock_parse(text, out) == E_OK)
		return true;
	answer_refuse(a, 400, "Invalid format for parameter updated_since: '%s'", text);
	return false;
}

static bool
filter_read(struct filter *f, const struct route *route, const struct request *q, struct answer *a)
{
	f->underlying = route_variable(route, q, "symbol");
	f->root = request_param(q, "root_symbol");
	f->type = request_param(q, "type");
	if (*f->underlying != '\0' && !symbol_is_well_formed(MARKET_STOCK, f->underlying)) {
		answer_refuse(a, 400, "invalid symbol: %s", f->underlying);
		return false;
	}
	if (*f->type != '\0' && strcmp(f->type, "call") != 0 && strcmp(f->type, "put") != 0) {
		answer_refuse(a, 400, "invalid type: %s", f->type);
		return false;
	}
	return filter_read_date(q, "expiration_date", &f->on, a) &&
	       filter_read_date(q, "expiration_date_gte", &f->from, a) &&
	       filter_read_date(q, "expiration_date_lte", &f->to, a) &&
	       filter_read_strike(q, "strike_price_gte", &f->strike_least, a) &&
	       filter_read_strike(q, "strike_price_lte", &f->strike_most, a) &&
	       filter_read_since(q, &f->updated_since, a);
}

static bool
filter_takes_contract(const struct filter *f, const struct contract_facts *c)
{
	double strike = (double)c->strike_thousandths;

	if (strcmp(f->underlying, c->underlying) != 0 ||
	    (*f->root != '\0' && strcmp(f->root, c->root) != 0))
		return false;
	if (*f->type != '\0' && c->is_call != (f->type[0] == 'c'))
		return false;
	if ((f->strike_least >= 0 && strike < f->strike_least * 1000 - 0.001) ||
	    (f->strike_most >= 0 && strike > f->strike_most * 1000 + 0.001))
		return false;
	/* Dates of this form compare as text. */
	return (*f->on == '\0' || strcmp(c->expiration, f->on) == 0) &&
	       (*f->from == '\0' || strcmp(c->expiration, f->from) >= 0) &&
	       (*f->to == '\0' || strcmp(c->expiration, f->to) <= 0);
}

static bool
filter_takes(const struct filter *f, const struct instrument *i, int64_t now)
{
	const struct series *quotes, *trades;
	size_t quote, trade;

	if (*f->underlying != '\0' &&
	    (i->market != MARKET_OPTION || !filter_takes_contract(f, &i->contract)))
		return false;
	if (!instrument_is_known(i, now))
		return false;
	if (f->updated_since == INT64_MIN)
		return true;
	quote = last_of(i, KIND_QUOTES, "", now, &quotes);
	trade = last_of(i, KIND_TRADES, "", now, &trades);
	return (quote > 0 && quotes->events[quote - 1].time >= f->updated_since) ||
	       (trade > 0 && trades->events[trade - 1].time >= f->updated_since);
}

struct page {
	const struct filter *filter;
	const char *from;	/* symbol to start at */
	const char *feed;	/* "": not asked */
	char next[SYMBOL_TEXT]; /* where the next page starts; "" at the end */
	uint64_t left;
	int64_t now;
};

static void
page_put(struct page *p, const struct instrument *i, struct json *j)
{
	if (p->next[0] != '\0' || strcmp(i->symbol, p->from) < 0 ||
	    !filter_takes(p->filter, i, p->now))
		return;
	if (p->left == 0) {
		text_copy(p->next, sizeof(p->next), i->symbol);
		return;
	}
	p->left--;
	json_object_open(j, i->symbol);
	put_snapshot(i, p->now, j);
	json_object_close(j);
}

static void
page_put_token(const struct page *p, const char *tag, struct json *j)
{
	struct token t = { .index = 0 };
	char text[TOKEN_TEXT];

	text_copy(t.symbol, sizeof(t.symbol), p->next);
	text_copy(t.tag, sizeof(t.tag), tag);
	token_write(&t, text);
	json_text(j, "next_page_token", p->next[0] != '\0' ? text : NULL);
}

/* By list, or with an underlying in the path its whole chain. No tag: there are no pages. */
static void
page_write(struct page *p, const struct recording *r, const struct symbols *s, const char *tag,
    struct answer *a)
{
	const struct instrument *i;
	struct json j;
	size_t n;

	answer_json_begin(a, &j);
	json_object_open(&j, NULL);
	json_object_open(&j, "snapshots");
	if (*p->filter->underlying == '\0')
		for (n = 0; n < s->count; n++)
			page_put(p, s->rows[n], &j);
	else
		for (i = r->instruments; i != NULL; i = i->hh.next)
			if (recording_find_feed(r, i->market, i->symbol, p->feed) == i)
				page_put(p, i, &j);
	json_object_close(&j);
	if (tag != NULL)
		page_put_token(p, tag, &j);
	json_object_close(&j);
	answer_json_end(a, &j);
}

/* Of crypto pairs: all of them at once, without a token. */
void
serve_snapshots_whole(
    struct replay *r, const struct route *route, const struct request *q, struct answer *a)
{
	struct filter filter = { .underlying = "", .updated_since = INT64_MIN };
	struct page page = {
		.filter = &filter, .from = "", .left = SYMBOLS_MAX, .now = replay_now(r), .feed = ""
	};
	struct symbols symbols;

	if (symbols_read(r, route, q, &symbols, a))
		page_write(&page, &r->recording, &symbols, NULL, a);
}

void
serve_snapshots(
    struct replay *r, const struct route *route, const struct request *q, struct answer *a)
{
	const char *given = request_param(q, "page_token"), *tag;
	struct token token = { .symbol = "" };
	struct page page = { .now = replay_now(r), .feed = request_param(q, "feed") };
	struct symbols symbols;
	struct filter filter;

	if (!filter_read(&filter, route, q, a) || !feed_check(route, q, a) ||
	    !limit_read(r, q, CHAIN_DEFAULT, CHAIN_MOST, &page.left, a))
		return;
	tag = *filter.underlying != '\0' ? filter.underlying : "list";
	if (*filter.underlying == '\0' && !symbols_read(r, route, q, &symbols, a))
		return;
	if (*given != '\0' && strcmp(given, TOKEN_REPEAT) != 0 &&
	    (!token_read(given, &token) || strcmp(token.tag, tag) != 0)) {
		answer_refuse(a, 400, "invalid page_token: %s", given);
		return;
	}
	page.filter = &filter;
	page.from = token.symbol;
	page_write(&page, &r->recording, &symbols, tag, a);
}
