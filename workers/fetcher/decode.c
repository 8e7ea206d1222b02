/* decode.c - bodies of the upstream into records: which part of a body belongs to whom. */
#include "decode.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "decode_record.h"
#include "hash.h"
#include "mem.h"
#include "symbol.h"
#include "text.h"

struct record *
records_add(struct records *r, enum msg_type type)
{
	size_t capacity = r->capacity ? r->capacity * 2 : 4;
	struct record *new;

	if (r->count == r->capacity) {
		r->at = mem_grow(r->at, r->capacity * sizeof(*r->at), capacity * sizeof(*r->at));
		r->capacity = capacity;
	}
	new = &r->at[r->count++];
	memset(new, 0, sizeof(*new));
	new->type = type;
	return new;
}

void
records_cut(struct records *r, size_t count)
{
	if (count < r->count)
		r->count = count;
}

void
records_reverse(struct records *r, size_t from)
{
	struct record keep;

	for (size_t to = r->count; from + 1 < to; from++, to--) {
		keep = r->at[from];
		r->at[from] = r->at[to - 1];
		r->at[to - 1] = keep;
	}
}

void
records_fini(struct records *r)
{
	mem_free(&r->at);
	r->count = r->capacity = 0;
}

int
body_parse(const uint8_t *data, size_t len, struct body **out, const char **why)
{
	uint64_t secret;
	struct body *b;
	struct buf text;
	int r;

	b = mem_alloc(sizeof(*b));
	hash_random(&secret, sizeof(secret));
	snprintf(b->mark, sizeof(b->mark), "#%016" PRIx64 ":", secret);
	/* Few numbers are put in quotes; a body full of them is none of Alpaca's. */
	buf_init(&text, len + len / 2 + 4096);
	r = decode_scan(data, len, b->mark, &text, why);
	if (r == E_OK) {
		b->root = json_loadb(
		    (const char *)buf_data(&text), buf_len(&text), JSON_REJECT_DUPLICATES, NULL);
		if (b->root == NULL) {
			*why = "the body is not JSON";
			r = E_DATA_VALIDATION_ERROR;
		}
	}
	buf_fini(&text);
	if (r != E_OK)
		body_free(&b);
	else
		*out = b;
	return r;
}

void
body_free(struct body **bp)
{
	if (*bp == NULL)
		return;
	json_decref((*bp)->root);
	mem_free(bp);
}

/* What a record of this shape is, for the count of refused ones. */
static enum msg_type
shape_type(enum shape shape)
{
	switch (shape) {
	case SHAPE_QUOTES:
		return MSG_QUOTE;
	case SHAPE_TRADES:
	case SHAPE_TRADE_ROWS:
		return MSG_TRADE;
	case SHAPE_BARS:
		return MSG_BAR;
	case SHAPE_SNAPSHOTS_BARE:
	case SHAPE_SNAPSHOTS:
		return MSG_SNAPSHOT;
	case SHAPE_CLOCK:
	case SHAPE_ASSET:
		break;
	}
	return MSG_MARKET_CLOCK;
}

static const char *
shape_wrapper(enum shape shape)
{
	switch (shape) {
	case SHAPE_QUOTES:
		return "quotes";
	case SHAPE_TRADES:
	case SHAPE_TRADE_ROWS:
		return "trades";
	case SHAPE_BARS:
		return "bars";
	case SHAPE_SNAPSHOTS:
		return "snapshots";
	case SHAPE_SNAPSHOTS_BARE:
	case SHAPE_CLOCK:
	case SHAPE_ASSET:
		break;
	}
	return NULL;
}

/* The map from symbols to records. E_ABSENT for the null that stands for an empty one. */
static int
body_map(const struct body *b, struct decode *d, const json_t **map)
{
	const char *wrapper = shape_wrapper(d->shape);
	const json_t *m = b->root;

	if (!json_is_object(m))
		return decode_refuse(d, shape_type(d->shape), "the body is not an object");
	if (wrapper != NULL) {
		m = json_object_get(m, wrapper);
		if (m == NULL)
			return decode_refuse(d, shape_type(d->shape), "%s is missing", wrapper);
		if (json_is_null(m))
			return E_ABSENT;
		if (!json_is_object(m))
			return decode_refuse(d, shape_type(d->shape), "%s is not a map", wrapper);
	}
	*map = m;
	return E_OK;
}

int
body_symbol(const struct body *b, struct decode *d, const char *symbol, struct records *out)
{
	const json_t *map = NULL, *from;
	int r;

	if ((r = body_map(b, d, &map)) != E_OK)
		return r;
	from = json_object_get(map, symbol);
	if (from == NULL || json_is_null(from))
		return E_ABSENT;
	return body_take(b, d, symbol, from, out);
}

/* Roots go on behind the underlying: AAPL1, SPXW; the dot of BRK.B is left out of them. */
static bool
root_is_of(const char *symbol, const char *underlying)
{
	for (; *underlying != '\0'; underlying++)
		if (*underlying != '.' && *symbol++ != *underlying)
			return false;
	return true;
}

/* Upstream filters; that it did is not taken on trust. */
static bool
contract_was_asked(const struct msg_fetch *f, const char *symbol)
{
	struct contract c;

	if (f == NULL)
		return true;
	if (symbol_contract(symbol, &c) != E_OK)
		return false;
	if (f->root_symbol[0] == '\0' && !root_is_of(symbol, f->symbol))
		return false;
	if (f->option_type[0] != '\0' && (strcmp(f->option_type, "call") == 0) != (c.is_call != 0))
		return false;
	if ((f->strike_min > 0 && c.strike < f->strike_min) ||
	    (f->strike_max > 0 && c.strike > f->strike_max))
		return false;
	return (f->expiration[0] == '\0' || strcmp(c.expiration, f->expiration) == 0) &&
	       (f->expiration_min[0] == '\0' || strcmp(c.expiration, f->expiration_min) >= 0) &&
	       (f->expiration_max[0] == '\0' || strcmp(c.expiration, f->expiration_max) <= 0);
}

int
body_chain(
    const struct body *b, struct decode *d, struct records *out, size_t *contracts, size_t *refused)
{
	const json_t *map = NULL, *from;
	const char *name;
	char symbol[SYMBOL_MAX];
	size_t good = 0, bad = 0;
	void *at;
	int r;

	if ((r = body_map(b, d, &map)) != E_OK)
		return r;
	for (at = json_object_iter((json_t *)map); at != NULL;
	     at = json_object_iter_next((json_t *)map, at)) {
		name = json_object_iter_key(at);
		from = json_object_iter_value(at);
		if (symbol_option(name, symbol) != E_OK || strcmp(name, symbol) != 0)
			r = decode_refuse(d, MSG_SNAPSHOT, "a key is not an option contract");
		else if (!contract_was_asked(d->filters, symbol))
			r = decode_refuse(d, MSG_SNAPSHOT, "a contract was not asked for");
		else
			r = json_is_null(from) ? E_ABSENT : body_take(b, d, symbol, from, out);
		if (r == E_ABSENT) { /* nothing trades it, but it is listed */
			body_add_snapshot(d, symbol, out);
			r = E_OK;
		}
		good += r == E_OK;
		bad += r == E_DATA_VALIDATION_ERROR;
	}
	*contracts = good;
	*refused = bad;
	if (good > 0)
		return E_OK;
	return bad > 0 ? E_DATA_VALIDATION_ERROR : E_ABSENT;
}

int
body_clock(const struct body *b, struct decode *d, struct records *out)
{
	size_t count = out->count;
	int r = record_clock(d, b->root, &records_add(out, MSG_MARKET_CLOCK)->v.clock);

	if (r != E_OK)
		records_cut(out, count);
	return r;
}

int
body_asset(const struct body *b, struct decode *d)
{
	const char *symbol = json_string_value(json_object_get(b->root, "symbol"));

	if (symbol != NULL && (d->asked == NULL || strcmp(symbol, d->asked) == 0))
		return E_OK;
	if (symbol != NULL)
		return decode_refuse(d, MSG_MARKET_CLOCK, "the body describes another asset");
	return decode_refuse(d, MSG_MARKET_CLOCK, "the body describes no asset");
}

int
body_token(const struct body *b, struct decode *d, char out[DECODE_TOKEN])
{
	const json_t *v = json_object_get(b->root, "next_page_token");

	if (v == NULL || json_is_null(v)) {
		out[0] = '\0';
		return E_OK;
	}
	if (!json_is_string(v) || !text_is_printable(json_string_value(v), json_string_length(v)))
		return decode_refuse(d, shape_type(d->shape), "next_page_token is not a text");
	if (json_string_length(v) >= DECODE_TOKEN)
		return decode_refuse(d, shape_type(d->shape), "next_page_token is too long");
	memcpy(out, json_string_value(v), json_string_length(v) + 1);
	return E_OK;
}

void
body_message(const struct body *b, char *out, size_t size, int64_t *code)
{
	const json_t *message = json_object_get(b->root, "message");
	const json_t *number = json_object_get(b->root, "code");

	*code = json_is_integer(number) ? json_integer_value(number) : 0;
	out[0] = '\0';
	if (!json_is_string(message))
		return;
	text_copy(out, size, json_string_value(message));
	for (char *p = out; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			*p = '?';
}
