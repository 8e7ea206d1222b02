/* render.c - values as JSON members. Nothing is calculated: a number leaves as it came. */
#include <math.h>
#include <string.h>

#include "clock.h"
#include "decimal.h"
#include "shown.h"
#include "symbol.h"
#include "text.h"
#include "value_json.h"

/* A bar as JSON: ten names, a time, nine numbers. */
#define ROW_MAX (256 + CLOCK_TEXT + 9 * DECIMAL_TEXT)

/* A code of the market; "" and null are null. */
static void
render_code(struct json *j, const char *name, const char *code)
{
	char text[64];

	json_text_or_null(j, name, code != NULL ? text_safe(text, sizeof(text), code) : NULL);
}

/* A side without a price is no quote: its size and exchange mean nothing and are null as well. */
static void
render_side(
    struct json *j, const char *const names[3], double price, double size, const char *exchange)
{
	bool is_quoted = !isnan(price);

	json_f64(j, names[0], price);
	json_f64(j, names[1], is_quoted ? size : NAN);
	render_code(j, names[2], is_quoted ? exchange : NULL);
}

void
render_quote(struct json *j, const struct quote *q)
{
	static const char *const bid[3] = { "bid_price", "bid_size", "bid_exchange" };
	static const char *const ask[3] = { "ask_price", "ask_size", "ask_exchange" };

	render_side(j, bid, q->bid_price, q->bid_size, q->bid_exchange);
	render_side(j, ask, q->ask_price, q->ask_size, q->ask_exchange);
	list_put_json(j, "conditions", q->conditions);
	render_code(j, "tape", q->tape);
}

void
render_trade(struct json *j, const struct trade *t)
{
	json_f64(j, "price", t->price);
	json_f64(j, "size", t->size);
	render_code(j, "exchange", t->exchange);
	list_put_json(j, "conditions", t->conditions);
	render_code(j, "tape", t->tape);
	if (t->has_id)
		json_u64(j, "trade_id", t->trade_id);
	else
		json_absent(j, "trade_id");
	if (t->asset == ASSET_CRYPTO)
		render_code(j, "taker_side", t->taker_side);
}

void
render_bar(struct json *j, const struct bar *b)
{
	json_time(j, "timestamp", b->event);
	json_f64(j, "open", b->open);
	json_f64(j, "high", b->high);
	json_f64(j, "low", b->low);
	json_f64(j, "close", b->close);
	json_f64(j, "volume", b->volume);
	json_f64(j, "trade_count", b->trade_count);
	json_f64(j, "vwap", b->vwap);
}

bool
bar_is_final(const struct bar *b, int64_t final_after_ns)
{
	return b->received - final_after_ns - timeframe_ns(b->timeframe) >= b->event;
}

bool
trade_is_final(const struct trade *t, int64_t final_after_ns)
{
	return t->received - final_after_ns >= t->event;
}

/* A member behind a text that begins with what parts it from the one before. */
#define PUT(at, literal) (memcpy((at), (literal), sizeof(literal) - 1), (at) + sizeof(literal) - 1)

static char *
put_number(char *at, double v)
{
	return at + decimal_format(v, at);
}

/* Ten thousand of these are one answer: written into room that is made once. The same members as render_bar's. */
void
render_bar_row(struct json *j, const struct bar *b, bool is_final, unsigned versions)
{
	char row[ROW_MAX], *at = row;

	at = PUT(at, "{\"timestamp\":\"");
	at += clock_format(b->event, at);
	at = put_number(PUT(at, "\",\"open\":"), b->open);
	at = put_number(PUT(at, ",\"high\":"), b->high);
	at = put_number(PUT(at, ",\"low\":"), b->low);
	at = put_number(PUT(at, ",\"close\":"), b->close);
	at = put_number(PUT(at, ",\"volume\":"), b->volume);
	at = put_number(PUT(at, ",\"trade_count\":"), b->trade_count);
	at = put_number(PUT(at, ",\"vwap\":"), b->vwap);
	at = is_final ? PUT(at, ",\"final\":true") : PUT(at, ",\"final\":false");
	at = PUT(at, ",\"versions\":");
	at = versions > 0 ? put_number(at, versions) : PUT(at, "null");
	at = PUT(at, "}");
	json_raw(j, NULL, row, (size_t)(at - row));
}

void
render_trade_row(struct json *j, const struct trade *t, bool is_final)
{
	json_object_open(j, NULL);
	json_time(j, "timestamp", t->event);
	render_trade(j, t);
	if (t->asset != ASSET_CRYPTO)
		json_absent(j, "taker_side");
	render_code(j, "update", t->update);
	json_bool(j, "final", is_final);
	json_object_close(j);
}

void
render_contract(struct json *j, const char *option_symbol)
{
	struct contract c;

	if (symbol_contract(option_symbol, &c) != E_OK)
		return;
	json_text(j, "underlying_symbol", c.underlying);
	json_text(j, "expiration_date", c.expiration);
	json_text(j, "option_type", c.is_call ? "call" : "put");
	json_f64(j, "strike_price", c.strike);
}

void
render_quality(struct json *j, const char *name, unsigned bits)
{
	json_array_open(j, name);
	for (unsigned bit = 1; bit <= QUALITY_REVISED; bit <<= 1)
		if (bits & bit)
			json_text(j, NULL, quality_name(bit));
	json_array_close(j);
}

static void
render_part_bar(struct json *j, const char *name, bool has, const struct bar *b)
{
	if (!has) {
		json_absent(j, name);
		return;
	}
	json_object_open(j, name);
	render_bar(j, b);
	json_object_close(j);
}

static void
render_part_trade(struct json *j, bool has, const struct trade *t)
{
	if (!has) {
		json_absent(j, "latest_trade");
		return;
	}
	json_object_open(j, "latest_trade");
	json_time(j, "timestamp", t->event);
	render_trade(j, t);
	json_object_close(j);
}

static void
render_part_quote(struct json *j, bool has, const struct quote *q)
{
	if (!has) {
		json_absent(j, "latest_quote");
		return;
	}
	json_object_open(j, "latest_quote");
	json_time(j, "timestamp", q->event);
	render_quote(j, q);
	json_object_close(j);
}

/* Alpaca gives greeks and implied volatility, one of them, or none. */
static void
render_greeks(struct json *j, bool has, const struct greeks *g)
{
	bool any = has && !(isnan(g->delta) && isnan(g->gamma) && isnan(g->rho) &&
			      isnan(g->theta) && isnan(g->vega));

	if (any) {
		json_object_open(j, "greeks");
		json_f64(j, "delta", g->delta);
		json_f64(j, "gamma", g->gamma);
		json_f64(j, "rho", g->rho);
		json_f64(j, "theta", g->theta);
		json_f64(j, "vega", g->vega);
		json_object_close(j);
	} else {
		json_absent(j, "greeks");
	}
	json_f64(j, "implied_volatility", has ? g->implied_volatility : NAN);
}

void
render_snapshot(struct json *j, enum asset asset, const struct snapshot_parts_seen *s)
{
	render_code(j, "symbol", s->symbol);
	if (asset == ASSET_OPTION)
		render_contract(j, s->symbol);
	render_part_trade(j, s->has & HAS_TRADE, &s->trade);
	render_part_quote(j, s->has & HAS_QUOTE, &s->quote);
	render_part_bar(j, "minute_bar", s->has & HAS_MINUTE, &s->minute);
	render_part_bar(j, "daily_bar", s->has & HAS_DAILY, &s->daily);
	render_part_bar(j, "previous_daily_bar", s->has & HAS_PREVIOUS, &s->previous);
	if (asset == ASSET_OPTION)
		render_greeks(j, s->has & HAS_GREEKS, &s->greeks);
}
