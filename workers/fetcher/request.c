/* request.c - path and query of an upstream call, out of what was asked.
 *
 * Bars and trades without a start: the upstream would begin today, so a client that asks for "the last 100 bars" would get
 * what today has so far. Such a fetch is asked newest first from long ago; the rows are turned round before
 * they are handed on, unless the asker wanted them so. Its page token leads further into the past.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "clock.h"
#include "decimal.h"
#include "fetcher.h"

/* Before any history the upstream has, or a recording may hold. */
#define LONG_AGO   "1990-01-01T00:00:00Z"

#define PAGE_ROWS  10000
#define PAGE_CHAIN 1000

struct request {
	struct buf *out;
	int error;
	char separator;
};

/* Everything but the unreserved characters of RFC 3986 is escaped: a symbol cannot add a parameter. */
static void
add_escaped(struct request *r, const char *text)
{
	static const char plain[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

	for (; *text != '\0' && r->error == E_OK; text++)
		if (strchr(plain, *text) != NULL)
			r->error = buf_add(r->out, text, 1);
		else
			r->error = buf_printf(r->out, "%%%02X", (unsigned)(unsigned char)*text);
}

static void
add_plain(struct request *r, const char *text)
{
	if (r->error == E_OK)
		r->error = buf_add_text(r->out, text);
}

static void
add_name(struct request *r, const char *name)
{
	if (r->error == E_OK)
		r->error = buf_printf(r->out, "%c%s=", r->separator, name);
	r->separator = '&';
}

static void
add_text(struct request *r, const char *name, const char *value)
{
	if (value[0] == '\0')
		return;
	add_name(r, name);
	add_escaped(r, value);
}

static void
add_time(struct request *r, const char *name, int64_t ns)
{
	char text[CLOCK_TEXT];

	if (ns == 0)
		return;
	clock_format(ns, text);
	add_text(r, name, text);
}

static void
add_price(struct request *r, const char *name, double v)
{
	char text[DECIMAL_TEXT];

	if (isnan(v))
		return;
	decimal_format(v, text);
	add_text(r, name, text);
}

static void
add_page(struct request *r, const struct batch *b, uint64_t page_max)
{
	uint64_t rows = b->rows_max - b->rows;

	add_name(r, "limit");
	if (r->error == E_OK)
		r->error = buf_printf(r->out, "%" PRIu64, rows < page_max ? rows : page_max);
	add_text(r, "page_token", b->token);
}

/* The path of the row with its holes filled. */
static void
add_path(struct request *r, const struct batch *b)
{
	const struct job *first = TAILQ_FIRST(&b->jobs);
	const char *at = b->row->path, *hole;

	while (r->error == E_OK && (hole = strchr(at, '{')) != NULL) {
		r->error = buf_add(r->out, at, (size_t)(hole - at));
		add_escaped(r, strncmp(hole, "{loc}", 5) == 0 ? b->feed : first->fetch.symbol);
		at = strchr(hole, '}') + 1;
	}
	add_plain(r, at);
}

static void
add_symbols(struct request *r, const struct batch *b)
{
	const struct job *j;
	const char *comma = "";

	add_name(r, "symbols");
	TAILQ_FOREACH (j, &b->jobs, link) {
		if (batch_repeats_symbol(b, j))
			continue;
		add_plain(r, comma);
		add_escaped(r, j->fetch.symbol);
		comma = "%2C";
	}
}

static void
add_rows(struct request *r, const struct batch *b, const struct msg_fetch *f)
{
	if (b->row->shape == SHAPE_BARS)
		add_text(r, "timeframe", f->timeframe);
	if (b->row->shape == SHAPE_BARS && b->row->asset == ASSET_STOCK)
		add_text(r, "adjustment", f->adjustment);
	if (f->start != 0)
		add_time(r, "start", f->start);
	else
		add_text(r, "start", LONG_AGO);
	add_time(r, "end", f->end);
	add_text(r, "sort", b->newest_first ? "desc" : "asc");
	add_page(r, b, PAGE_ROWS);
}

static void
add_chain(struct request *r, const struct batch *b, const struct msg_fetch *f)
{
	add_text(r, "type", f->option_type);
	add_price(r, "strike_price_gte", f->strike_min);
	add_price(r, "strike_price_lte", f->strike_max);
	add_text(r, "expiration_date", f->expiration);
	add_text(r, "expiration_date_gte", f->expiration_min);
	add_text(r, "expiration_date_lte", f->expiration_max);
	add_text(r, "root_symbol", f->root_symbol);
	add_page(r, b, PAGE_CHAIN);
}

int
request_path(const struct batch *b, struct buf *out)
{
	struct request r = { .out = out, .separator = '?' };
	const struct msg_fetch *f = &TAILQ_FIRST(&b->jobs)->fetch;

	add_path(&r, b);
	if (b->row->shape == SHAPE_CLOCK || b->row->shape == SHAPE_ASSET)
		return r.error;
	if (b->row->number != ENDPOINT_OPTION_CHAIN)
		add_symbols(&r, b);
	if (shape_is_rows(b->row->shape))
		add_rows(&r, b, f);
	if (b->row->number == ENDPOINT_OPTION_CHAIN)
		add_chain(&r, b, f);
	/* Upstream takes no feed for the past of options. */
	if (b->row->asset == ASSET_STOCK ||
	    (b->row->asset == ASSET_OPTION && !shape_is_rows(b->row->shape)))
		add_text(&r, "feed", b->feed);
	return r.error;
}

const char *
request_feed(const struct endpoint_row *row, const char *asked, const struct conf *conf)
{
	if (row->host == HOST_TRADING)
		return "";
	if (asked[0] != '\0')
		return asked;
	switch (row->asset) {
	case ASSET_STOCK:
		return conf->alpaca_stock_feed;
	case ASSET_OPTION:
		return conf->alpaca_option_feed;
	case ASSET_CRYPTO:
		return conf->alpaca_crypto_loc;
	}
	return "";
}
