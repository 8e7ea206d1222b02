/* fuzz_decode.c - any bytes as an answer of the upstream.
 *
 * The first byte chooses the shape, the rest is the body. Whatever it is, reading ends, every record that comes out
 * obeys the rules of its kind and can be packed, a refusal says why and leaves nothing behind, and the numbers in
 * it are the ones of the body.
 */
#include <string.h>

#include "chan.h"
#include "decode.h"
#include "fuzz.h"

static const struct fuzz_shape {
	enum shape shape;
	enum asset asset;
	const char *symbol;
} fuzz_shapes[] = {
	{ SHAPE_QUOTES, ASSET_STOCK, "AAPL" },
	{ SHAPE_TRADES, ASSET_STOCK, "AAPL" },
	{ SHAPE_SNAPSHOTS_BARE, ASSET_STOCK, "AAPL" },
	{ SHAPE_BARS, ASSET_STOCK, "AAPL" },
	{ SHAPE_SNAPSHOTS, ASSET_OPTION, "AAPL240426C00152500" },
	{ SHAPE_QUOTES, ASSET_CRYPTO, "BTC/USD" },
	{ SHAPE_CLOCK, ASSET_STOCK, "" },
	{ SHAPE_TRADE_ROWS, ASSET_STOCK, "AAPL" },
};

static int
record_is_sound(const struct record *r)
{
	const char *why;

	if (r->type == MSG_QUOTE)
		return quote_check(&r->v.quote, &why) == E_OK;
	if (r->type == MSG_TRADE)
		return trade_check(&r->v.trade, &why) == E_OK;
	if (r->type == MSG_BAR)
		return bar_check(&r->v.bar, &why) == E_OK;
	return 1;
}

static void
check_records(const struct records *records)
{
	struct buf packed;

	buf_init(&packed, CHAN_FRAME_MAX);
	for (size_t i = 0; i < records->count; i++) {
		must_hold(record_is_sound(&records->at[i]));
		must_hold(msg_encode(records->at[i].type, &records->at[i].v, &packed) == E_OK);
		buf_reset(&packed);
	}
	buf_fini(&packed);
}

/* One way of reading the body: nothing is left behind unless it succeeded. */
static void
check_read(int r, const struct decode *d, struct records *records)
{
	must_hold(r == E_OK || r == E_ABSENT || r == E_DATA_VALIDATION_ERROR);
	must_hold(r == E_OK || records->count == 0);
	must_hold(r != E_DATA_VALIDATION_ERROR || d->why[0] != '\0');
	check_records(records);
	records_cut(records, 0);
}

static void
check_body(const struct body *b, const struct fuzz_shape *s)
{
	struct decode d = { .asset = s->asset,
		.shape = s->shape,
		.source = SOURCE_LATEST,
		.received = 1,
		.feed = "iex",
		.timeframe = "1Day",
		.adjustment = "raw" };
	struct records records = { 0 };
	char text[256], token[DECODE_TOKEN];
	size_t contracts, refused;
	int64_t code;

	if (s->shape == SHAPE_CLOCK)
		check_read(body_clock(b, &d, &records), &d, &records);
	else
		check_read(body_symbol(b, &d, s->symbol, &records), &d, &records);
	if (s->asset == ASSET_OPTION)
		check_read(body_chain(b, &d, &records, &contracts, &refused), &d, &records);
	must_hold(body_token(b, &d, token) != E_OK || strlen(token) < sizeof(token));
	(void)!body_asset(b, &d);
	body_message(b, text, sizeof(text), &code);
	records_fini(&records);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct fuzz_shape *s;
	struct body *b = NULL;
	const char *why = NULL;
	int r;

	if (size == 0)
		return 0;
	s = &fuzz_shapes[data[0] % (sizeof(fuzz_shapes) / sizeof(fuzz_shapes[0]))];
	r = body_parse(data + 1, size - 1, &b, &why);
	must_hold(r == E_OK || (r == E_DATA_VALIDATION_ERROR && why != NULL && b == NULL));
	if (r == E_OK)
		check_body(b, s);
	body_free(&b);
	return 0;
}
