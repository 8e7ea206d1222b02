/* endpoint.c - rows of endpoints.def, and the text that identifies a fetch. */
#include "endpoint.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "decimal.h"

/* Values the bare words of the table are pasted onto. */
enum { MERGES_MERGE = true, MERGES_ALONE = false };
enum { NEEDS_KEY = true, NEEDS_OPEN = false };

/* Index of each row: the order of the table. */
enum {
#define ENDPOINT(NAME, number, name, asset, host, shape, merge, key, path, help) INDEX_##NAME,
#include "tables/endpoints.def"
	ENDPOINT_ROWS
};

static const struct endpoint_row endpoint_rows[] = {
#define ENDPOINT(NAME, number_, name_, asset_, host_, shape_, merge, key, path_, help)             \
	{ .number = ENDPOINT_##NAME,                                                               \
		.name = #name_,                                                                    \
		.asset = ASSET_##asset_,                                                           \
		.host = HOST_##host_,                                                              \
		.shape = SHAPE_##shape_,                                                           \
		.merges = MERGES_##merge,                                                          \
		.needs_key = NEEDS_##key,                                                          \
		.path = (path_),                                                                   \
		.index = INDEX_##NAME },
#include "tables/endpoints.def"
};

const struct endpoint_row *
endpoint_row(uint64_t number)
{
	for (size_t i = 0; i < ENDPOINT_ROWS; i++)
		if ((uint64_t)endpoint_rows[i].number == number)
			return &endpoint_rows[i];
	return NULL;
}

size_t
endpoint_count(void)
{
	return ENDPOINT_ROWS;
}

bool
shape_is_rows(enum shape shape)
{
	return shape == SHAPE_BARS || shape == SHAPE_TRADE_ROWS;
}

struct key_text {
	char *out;
	size_t used;
};

/* Appends; the bounds of the fields make it fit, which the assertion keeps true. */
static void PRINTF_LIKE(2, 3) key_add(struct key_text *k, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(k->out + k->used, FETCH_KEY - k->used, fmt, args);
	va_end(args);
	assert(n >= 0 && (size_t)n < FETCH_KEY - k->used);
	k->used += (size_t)n;
}

static void
key_add_price(struct key_text *k, double v)
{
	char text[DECIMAL_TEXT] = "";

	if (!isnan(v))
		decimal_format(v, text);
	key_add(k, "|%s", text);
}

static void
key_add_bars(struct key_text *k, const struct msg_fetch *f)
{
	key_add(k, "|%s|%s|%" PRId64 "|%" PRId64 "|%s", f->timeframe, f->adjustment, f->start,
	    f->end, f->descending ? "desc" : "asc");
	if (f->part)
		key_add(k, "|part");
}

static void
key_add_chain(struct key_text *k, const struct msg_fetch *f)
{
	key_add(k, "|%s", f->option_type);
	key_add_price(k, f->strike_min);
	key_add_price(k, f->strike_max);
	key_add(
	    k, "|%s|%s|%s|%s", f->expiration, f->expiration_min, f->expiration_max, f->root_symbol);
}

/*
 * Fields are in fixed places and none but the token may hold a bar, so the token goes last: two
 * different questions never share a key, whatever a client sends as token.
 */
void
fetch_key(const struct msg_fetch *f, char out[FETCH_KEY])
{
	struct key_text k = { .out = out };
	const struct endpoint_row *row = endpoint_row(f->endpoint);

	if (row != NULL)
		key_add(&k, "%s", row->name);
	else
		key_add(&k, "%" PRIu64, f->endpoint);
	key_add(&k, "|%s|%s|%" PRIu64, f->symbol, f->feed, f->limit);
	if (row != NULL && shape_is_rows(row->shape))
		key_add_bars(&k, f);
	if (row != NULL && row->number == ENDPOINT_OPTION_CHAIN)
		key_add_chain(&k, f);
	key_add(&k, "|%s", f->page_token);
}
