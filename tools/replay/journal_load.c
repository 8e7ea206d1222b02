/* journal_load.c - what a gateway received, read back out of its journal, as what its upstream said.
 *
 * Values go back into the members Alpaca's bodies have, nulls by leaving them out; a side that a quote had not becomes
 * upstream's way of saying so. Nothing is summed up or made of something else. A bar that was revised is there as it
 * was received last, what was received again is there once. A journal may hold anything: what cannot have come from
 * upstream is counted and left out.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "clock.h"
#include "decimal.h"
#include "journal_scan.h"
#include "log.h"
#include "row.h"
#include "text.h"

#define PATH_BYTES   1400
#define LIST_TEXT    80
#define COMPLAINTS   10 /* lines about damage, of one journal */
#define FAILURES_MAX 100

struct journal_file {
	struct recording *into;
	const char *source;
	uint64_t taken, left_out, damages;
};

static bool
put_number(struct piece *p, const char *name, double v)
{
	char text[DECIMAL_TEXT];

	if (isnan(v))
		return true;
	if (!isfinite(v))
		return false;
	(void)decimal_format(v, text);
	piece_raw(p, name, text);
	return true;
}

/* An empty text is null: left out. */
static bool
put_code(struct piece *p, const char *name, const char *text)
{
	if (*text == '\0')
		return true;
	if (!text_is_printable(text, strlen(text)))
		return false;
	piece_text(p, name, text);
	return true;
}

/* An array; of options one text. */
static bool
put_conditions(struct piece *p, enum market market, const char *list)
{
	const char *at = NULL, *element;
	char codes[LIST_TEXT] = "";
	size_t len, used = 0;

	if (list_is_null(list))
		return true;
	while (list_next(list, &at, &element, &len)) {
		if (used + len + 2 > sizeof(codes) || !text_is_printable(element, len))
			return false;
		if (used > 0)
			codes[used++] = ';';
		memcpy(codes + used, element, len);
		codes[used += len] = '\0';
	}
	if (market == MARKET_OPTION)
		piece_text(p, "c", codes);
	else
		piece_list(p, "c", codes);
	return true;
}

struct side {
	const char *price_name, *size_name, *exchange_name;
	double price, size;
	const char *exchange;
};

static bool
put_side(struct piece *p, const struct side *s)
{
	if (!isnan(s->price))
		return put_number(p, s->price_name, s->price) &&
		       put_number(p, s->size_name, s->size) &&
		       put_code(p, s->exchange_name, s->exchange);
	piece_raw(p, s->price_name, "0");
	piece_raw(p, s->size_name, "0");
	piece_text(p, s->exchange_name, " ");
	return true;
}

static bool
quote_put(struct piece *p, enum market market, const struct quote *q)
{
	const struct side ask = { "ap", "as", "ax", q->ask_price, q->ask_size, q->ask_exchange };
	const struct side bid = { "bp", "bs", "bx", q->bid_price, q->bid_size, q->bid_exchange };

	if (!put_side(p, &ask) || !put_side(p, &bid) || !put_conditions(p, market, q->conditions))
		return false;
	piece_time(p, q->event);
	return put_code(p, "z", q->tape);
}

static bool
trade_put(struct piece *p, enum market market, const struct trade *t)
{
	char id[24];

	if (!put_conditions(p, market, t->conditions))
		return false;
	if (t->has_id) {
		(void)snprintf(id, sizeof(id), "%" PRIu64, t->trade_id);
		piece_raw(p, "i", id);
	}
	if (!put_number(p, "p", t->price) || !put_number(p, "s", t->size))
		return false;
	piece_time(p, t->event);
	return put_code(p, "tks", t->taker_side) && put_code(p, "u", t->update) &&
	       put_code(p, "x", t->exchange) && put_code(p, "z", t->tape);
}

static bool
bar_put(struct piece *p, const struct bar *b)
{
	if (!put_number(p, "c", b->close) || !put_number(p, "h", b->high) ||
	    !put_number(p, "l", b->low) || !put_number(p, "n", b->trade_count) ||
	    !put_number(p, "o", b->open))
		return false;
	piece_time(p, b->event);
	return put_number(p, "v", b->volume) && put_number(p, "vw", b->vwap);
}

/* The greeks stand in an object of their own, the volatility beside it. */
static bool
greeks_put(struct piece *p, const struct greeks *g)
{
	struct piece inner;

	piece_open(&inner);
	if (!put_number(&inner, "delta", g->delta) || !put_number(&inner, "gamma", g->gamma) ||
	    !put_number(&inner, "rho", g->rho) || !put_number(&inner, "theta", g->theta) ||
	    !put_number(&inner, "vega", g->vega))
		return false;
	if (inner.len > 1 && piece_close(&inner) == E_OK)
		piece_raw(p, "greeks", inner.text);
	return put_number(p, "impliedVolatility", g->implied_volatility);
}

struct place { /* of an event: where it belongs */
	uint64_t asset;
	const char *symbol, *feed, *timeframe, *adjustment;
	enum kind kind;
	int64_t time;
};

static bool
market_of(uint64_t asset, enum market *market)
{
	switch (asset) {
	case ASSET_STOCK:
		*market = MARKET_STOCK;
		return true;
	case ASSET_OPTION:
		*market = MARKET_OPTION;
		return true;
	case ASSET_CRYPTO:
		*market = MARKET_CRYPTO;
		return true;
	default:
		return false;
	}
}

static bool
place_is_sound(const struct place *p, enum market *market)
{
	char timeframe[TIMEFRAME_TEXT];

	return market_of(p->asset, market) && symbol_is_well_formed(*market, p->symbol) &&
	       p->time > 0 && text_is_printable(p->feed, strlen(p->feed)) &&
	       (p->kind != KIND_BARS || (timeframe_read(p->timeframe, timeframe) &&
					    strcmp(timeframe, p->timeframe) == 0));
}

/* E_INVALID_PARAMETER: it cannot have come from upstream. E_LIMIT. */
static int
event_add(struct journal_file *f, const struct place *where, struct piece *p)
{
	const char *adjustment = where->adjustment;
	enum market market;
	struct series *s;

	if (!place_is_sound(where, &market) || piece_close(p) != E_OK)
		return E_INVALID_PARAMETER;
	if (strcmp(adjustment, f->into->adjustment) == 0)
		adjustment = "";
	/* The path names crypto's location, no parameter does. */
	s = recording_series_of(f->into, market, where->symbol,
	    market == MARKET_CRYPTO ? "" : where->feed, where->kind, where->timeframe, adjustment);
	if (s == NULL)
		return E_INVALID_PARAMETER;
	s->repeats = true;
	return series_add(s, where->time, p->text, p->len);
}

static int
record_take(struct journal_file *f, enum msg_type type, const union msg_any *v)
{
	struct place where = { .timeframe = "", .adjustment = "" };
	enum market market = MARKET_STOCK;
	struct piece p;
	bool sound;

	piece_open(&p);
	switch (type) {
	case MSG_QUOTE:
		where = (struct place){ v->quote.asset, v->quote.symbol, v->quote.feed, "", "",
			KIND_QUOTES, v->quote.event };
		sound = market_of(where.asset, &market) && quote_put(&p, market, &v->quote);
		break;
	case MSG_TRADE:
		where = (struct place){ v->trade.asset, v->trade.symbol, v->trade.feed, "", "",
			KIND_TRADES, v->trade.event };
		sound = market_of(where.asset, &market) && trade_put(&p, market, &v->trade);
		break;
	case MSG_BAR:
		where = (struct place){ v->bar.asset, v->bar.symbol, v->bar.feed, v->bar.timeframe,
			v->bar.adjustment, KIND_BARS, v->bar.event };
		sound = bar_put(&p, &v->bar);
		break;
	case MSG_GREEKS:
		where = (struct place){ v->greeks.asset, v->greeks.symbol, v->greeks.feed, "", "",
			KIND_GREEKS, v->greeks.event > 0 ? v->greeks.event : v->greeks.received };
		sound = greeks_put(&p, &v->greeks);
		break;
	default:
		return E_OK; /* calls, clocks, and that a snapshot's parts belong together */
	}
	return sound ? event_add(f, &where, &p) : E_INVALID_PARAMETER;
}

static void
complain(struct journal_file *f, const struct scan_item *i)
{
	if (f->damages++ < COMPLAINTS)
		log_warn("journal %s: segment %" PRIu64 ": %s: see opitios-ctl journal verify",
		    f->source, i->segment,
		    i->kind == SCAN_GAP	     ? "records are missing"
		    : i->kind == SCAN_DAMAGE ? "damaged"
					     : "of a version this program does not know");
}

/* E_ABSENT: the end. */
static int
item_take(struct journal_file *f, const struct scan_item *i)
{
	int e = E_OK;

	switch (i->kind) {
	case SCAN_END:
		return E_ABSENT;
	case SCAN_RECORD:
		e = record_take(f, i->desc->type, i->value);
		f->taken += e == E_OK;
		f->left_out += e == E_INVALID_PARAMETER;
		break;
	case SCAN_GAP:
	case SCAN_DAMAGE:
	case SCAN_UNKNOWN:
	case SCAN_NEWER:
		complain(f, i);
		break;
	case SCAN_SEGMENT:
	case SCAN_STEP:
	case SCAN_TORN:
		break;
	}
	return e == E_INVALID_PARAMETER ? E_OK : e;
}

static int
source_load(struct recording *r, const char *state_dir, const char *source, char why[LOAD_WHY])
{
	struct journal_file f = { .into = r, .source = source };
	struct scan_from from = { 0 };
	struct journal_scan *scan;
	struct scan_item item;
	int e, failures = 0;

	if (journal_scan_open(&scan, state_dir, source, &from) != E_OK) {
		snprintf(
		    why, LOAD_WHY, "%.600s/journal/%s: %s", state_dir, source, strerror(errno));
		return E_ABSENT;
	}
	do {
		if ((e = journal_scan_next(scan, &item)) == E_OK)
			e = item_take(&f, &item);
		else if (failures++ < FAILURES_MAX)
			e = E_OK;
	} while (e == E_OK);
	journal_scan_close(&scan);
	log_info("journal %s: %" PRIu64 " records, %" PRIu64 " left out, %" PRIu64 " damages",
	    source, f.taken, f.left_out, f.damages);
	if (e == E_ABSENT)
		return E_OK;
	snprintf(why, LOAD_WHY, "%.600s/journal/%s: %s", state_dir, source,
	    e == E_LIMIT ? "is more than a recording may hold" : "cannot be read");
	return e;
}

/* The folder `journal` itself was given: its parent is as good as the state directory. */
static void
state_dir_of(const char *folder, char path[PATH_BYTES])
{
	char inner[PATH_BYTES + 16];
	struct stat st;
	size_t len = strlen(folder);

	while (len > 1 && folder[len - 1] == '/')
		len--;
	snprintf(path, PATH_BYTES, "%.*s", (int)(len < PATH_BYTES ? len : 0), folder);
	snprintf(inner, sizeof(inner), "%s/journal", path);
	if (stat(inner, &st) == 0 || len < 7 || strncmp(folder + len - 7, "journal", 7) != 0)
		return;
	if (len == 7)
		text_copy(path, PATH_BYTES, ".");
	else if (folder[len - 8] == '/')
		path[len > 8 ? len - 8 : 1] = '\0';
}

int
journal_load(struct recording *r, const char *folder, char why[LOAD_WHY])
{
	char path[PATH_BYTES], (*names)[JOURNAL_SOURCE];
	size_t count, len = strlen(r->name);
	int e;

	state_dir_of(folder, path);
	if (journal_sources(path, &names, &count) != E_OK) {
		snprintf(why, LOAD_WHY, "%.600s: %s", folder, strerror(errno));
		return E_ABSENT;
	}
	e = E_OK;
	for (size_t i = 0; i < count && e == E_OK; i++)
		e = source_load(r, path, names[i], why);
	mem_free(&names);
	if (e == E_OK && count == 0) {
		snprintf(why, LOAD_WHY,
		    "%.600s: holds no journal: give the state directory of a gateway", folder);
		e = E_ABSENT;
	}
	r->from_journal = true;
	snprintf(r->name + len, sizeof(r->name) - len, "%sjournal", len > 0 ? "+" : "");
	return e;
}
