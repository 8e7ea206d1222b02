/* decode_record.c - one JSON object into one value, or a refusal that says what was wrong.
 *
 * A member that is absent or null was not sent and stays null; one of the wrong type, negative or not finite
 * breaks the schema. Members nobody here knows are passed over: Alpaca adds some now and then.
 */
#include "decode_record.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "text.h"

/* Beyond it not every integer is a double. */
#define EXACT_INTEGER (INT64_C(1) << 53)

int
decode_refuse(struct decode *d, enum msg_type type, const char *fmt, ...)
{
	va_list args;

	d->refused = type;
	va_start(args, fmt);
	vsnprintf(d->why, sizeof(d->why), fmt, args);
	va_end(args);
	return E_DATA_VALIDATION_ERROR;
}

/* Reads the members of one object; the first fault ends it and the rest does nothing. */
struct reader {
	struct decode *d;
	enum msg_type type;
	const json_t *from;
	const char *mark;
	int error;
};

static void
reader_fault(struct reader *r, const char *key, const char *what)
{
	if (r->error == E_OK)
		r->error = decode_refuse(r->d, r->type, "%s %s", key, what);
}

static const json_t *
reader_member(struct reader *r, const char *key)
{
	const json_t *v = json_object_get(r->from, key);

	return r->error == E_OK && v != NULL && !json_is_null(v) ? v : NULL;
}

static double
read_signed(struct reader *r, const char *key)
{
	const json_t *v = reader_member(r, key);
	json_int_t i;

	if (v == NULL)
		return NAN;
	if (json_is_real(v))
		return json_real_value(v);
	if (!json_is_integer(v)) {
		reader_fault(r, key, "is not a number this gateway can relay unchanged");
		return NAN;
	}
	i = json_integer_value(v);
	if (i > EXACT_INTEGER || i < -EXACT_INTEGER)
		reader_fault(r, key, "is too large to be relayed unchanged");
	return (double)i;
}

static double
read_amount(struct reader *r, const char *key)
{
	double v = read_signed(r, key);

	if (!isnan(v) && signbit(v))
		reader_fault(r, key, "is negative");
	return v;
}

static void
read_text(struct reader *r, const char *key, char *out, size_t size)
{
	const json_t *v = reader_member(r, key);

	if (v == NULL)
		return;
	if (!json_is_string(v))
		reader_fault(r, key, "is not a text");
	else if (!text_is_printable(json_string_value(v), json_string_length(v)))
		reader_fault(r, key, "holds bytes no code has");
	else if (text_copy(out, size, json_string_value(v)) != E_OK)
		reader_fault(r, key, "is longer than any code");
}

static void
read_time(struct reader *r, const char *key, int64_t *out)
{
	const json_t *v = reader_member(r, key);

	if (r->error != E_OK)
		return;
	if (v == NULL)
		reader_fault(r, key, "is missing");
	else if (!json_is_string(v) || clock_parse(json_string_value(v), out) != E_OK)
		reader_fault(r, key, "is not a time");
}

static void
list_take(struct reader *r, const char *key, const json_t *v, char *list, size_t size)
{
	if (!json_is_string(v) || !text_is_printable(json_string_value(v), json_string_length(v)))
		reader_fault(r, key, "holds what is no condition code");
	else if (json_string_length(v) == 0)
		return;
	else if (list_add(list, size, json_string_value(v)) != E_OK)
		reader_fault(r, key, "holds more condition codes than a record has");
}

/* Stocks: an array of codes. Options: one text, which is one code. */
static void
read_conditions(struct reader *r, const char *key, char *list, size_t size)
{
	const json_t *v = reader_member(r, key);

	if (v == NULL)
		return;
	list_empty(list);
	if (!json_is_array(v)) {
		list_take(r, key, v, list, size);
		return;
	}
	for (size_t i = 0; i < json_array_size(v); i++)
		list_take(r, key, json_array_get(v, i), list, size);
}

/* Ids reach past int64: then they come as the text decode_scan made of them. */
static void
read_id(struct reader *r, const char *key, bool *has, uint64_t *out)
{
	const json_t *v = reader_member(r, key);
	size_t mark = strlen(r->mark);
	const char *text;

	if (v == NULL)
		return;
	if (json_is_integer(v) && json_integer_value(v) >= 0) {
		*out = (uint64_t)json_integer_value(v);
		*has = true;
		return;
	}
	text = json_is_string(v) ? json_string_value(v) : "";
	if (strncmp(text, r->mark, mark) == 0 && text_to_u64(text + mark, out) == E_OK)
		*has = true;
	else
		reader_fault(r, key, "is not an id");
}

static bool
read_flag(struct reader *r, const char *key)
{
	const json_t *v = reader_member(r, key);

	if (r->error == E_OK && !json_is_boolean(v))
		reader_fault(r, key, "is not true or false");
	return json_is_true(v);
}

static struct reader
reader_begin(struct decode *d, enum msg_type type, const json_t *from)
{
	struct reader r = { .d = d, .type = type, .from = from, .mark = "" };

	if (!json_is_object(from))
		r.error = decode_refuse(d, type, "the record is not an object");
	return r;
}

/* The rules every record obeys wherever it comes from; `check` is value.h's. */
#define READER_END(r, out, check)                                                                  \
	do {                                                                                       \
		const char *why_ = "";                                                             \
		if ((r)->error == E_OK && check((out), &why_) != E_OK)                             \
			(r)->error = decode_refuse((r)->d, (r)->type, "%s", why_);                 \
	} while (0)

#define FILL_ORIGIN(out, d, name)                                                                  \
	do {                                                                                       \
		(out)->asset = (d)->asset;                                                         \
		(out)->source = (d)->source;                                                       \
		(out)->received = (d)->received;                                                   \
		text_copy((out)->symbol, sizeof((out)->symbol), (name));                           \
		text_copy((out)->feed, sizeof((out)->feed), (d)->feed);                            \
	} while (0)

/*
 * Price 0 is how Alpaca writes that there is no such side: the exchange is then blank, or the size 0 too. A
 * price of 0 for shares that somebody offers on an exchange is no side and no price: refused.
 */
static void
read_side(struct reader *r, const char *keys[3], double *price, double *size, char *exchange,
    size_t exchange_size)
{
	*price = read_amount(r, keys[0]);
	*size = read_amount(r, keys[1]);
	read_text(r, keys[2], exchange, exchange_size);
	if (isnan(*price) || *price > 0)
		return;
	if (exchange[0] != '\0' && strcmp(exchange, " ") != 0 && *size > 0)
		reader_fault(r, keys[0], "is 0 on a side that has a size and an exchange");
	*price = *size = NAN;
	if (strcmp(exchange, " ") == 0)
		exchange[0] = '\0';
}

int
record_quote(struct decode *d, const char *symbol, const json_t *from, struct quote *out)
{
	struct reader r = reader_begin(d, MSG_QUOTE, from);

	memset(out, 0, sizeof(*out));
	FILL_ORIGIN(out, d, symbol);
	read_time(&r, "t", &out->event);
	read_side(&r, (const char *[]){ "bp", "bs", "bx" }, &out->bid_price, &out->bid_size,
	    out->bid_exchange, sizeof(out->bid_exchange));
	read_side(&r, (const char *[]){ "ap", "as", "ax" }, &out->ask_price, &out->ask_size,
	    out->ask_exchange, sizeof(out->ask_exchange));
	read_conditions(&r, "c", out->conditions, sizeof(out->conditions));
	read_text(&r, "z", out->tape, sizeof(out->tape));
	READER_END(&r, out, quote_check);
	return r.error;
}

int
record_trade(
    struct decode *d, const char *mark, const char *symbol, const json_t *from, struct trade *out)
{
	struct reader r = reader_begin(d, MSG_TRADE, from);

	r.mark = mark;
	memset(out, 0, sizeof(*out));
	FILL_ORIGIN(out, d, symbol);
	read_time(&r, "t", &out->event);
	out->price = read_amount(&r, "p");
	out->size = read_amount(&r, "s");
	read_text(&r, "x", out->exchange, sizeof(out->exchange));
	read_conditions(&r, "c", out->conditions, sizeof(out->conditions));
	read_text(&r, "z", out->tape, sizeof(out->tape));
	read_id(&r, "i", &out->has_id, &out->trade_id);
	read_text(&r, "tks", out->taker_side, sizeof(out->taker_side));
	read_text(&r, "u", out->update, sizeof(out->update));
	READER_END(&r, out, trade_check);
	return r.error;
}

int
record_bar(
    struct decode *d, const char *symbol, enum bar_part part, const json_t *from, struct bar *out)
{
	struct reader r = reader_begin(d, MSG_BAR, from);
	bool series = part == BAR_SERIES;

	memset(out, 0, sizeof(*out));
	FILL_ORIGIN(out, d, symbol);
	out->part = part;
	text_copy(out->timeframe, sizeof(out->timeframe),
	    series		 ? d->timeframe
	    : part == BAR_MINUTE ? "1Min"
				 : "1Day");
	text_copy(out->adjustment, sizeof(out->adjustment),
	    series		      ? d->adjustment
	    : d->asset == ASSET_STOCK ? "raw"
				      : "");
	read_time(&r, "t", &out->event);
	out->open = read_amount(&r, "o");
	out->high = read_amount(&r, "h");
	out->low = read_amount(&r, "l");
	out->close = read_amount(&r, "c");
	out->volume = read_amount(&r, "v");
	out->trade_count = read_amount(&r, "n");
	out->vwap = read_amount(&r, "vw");
	READER_END(&r, out, bar_check);
	return r.error;
}

/* Greeks may be negative. They stand in the snapshot in two members, either of which may be absent. */
int
record_greeks(struct decode *d, const char *symbol, const json_t *snapshot, struct greeks *out)
{
	const json_t *inner = json_object_get(snapshot, "greeks");
	struct reader r = reader_begin(d, MSG_GREEKS, snapshot);
	struct reader g;

	memset(out, 0, sizeof(*out));
	FILL_ORIGIN(out, d, symbol);
	out->delta = out->gamma = out->rho = out->theta = out->vega = NAN;
	out->implied_volatility = read_amount(&r, "impliedVolatility");
	if (r.error != E_OK || inner == NULL || json_is_null(inner))
		return r.error;
	g = reader_begin(d, MSG_GREEKS, inner);
	if (g.error != E_OK)
		return g.error;
	out->delta = read_signed(&g, "delta");
	out->gamma = read_signed(&g, "gamma");
	out->rho = read_signed(&g, "rho");
	out->theta = read_signed(&g, "theta");
	out->vega = read_signed(&g, "vega");
	return g.error;
}

int
record_clock(struct decode *d, const json_t *from, struct market_clock *out)
{
	struct reader r = reader_begin(d, MSG_MARKET_CLOCK, from);

	memset(out, 0, sizeof(*out));
	out->source = d->source;
	out->received = d->received;
	read_time(&r, "timestamp", &out->timestamp);
	out->is_open = read_flag(&r, "is_open");
	read_time(&r, "next_open", &out->next_open);
	read_time(&r, "next_close", &out->next_close);
	return r.error;
}
