/* csv_row.c - the columns of the project's own CSV files, and the objects their rows become. */
#include "csv_row.h"

#include <string.h>

#include "clock.h"
#include "text.h"

enum cell {
	CELL_TIME,
	CELL_PRICE, /* above zero */
	CELL_SIZE,  /* whole, but a fraction is fine for crypto */
	CELL_WHOLE,
	CELL_SIGNED,
	CELL_CODE,  /* short text */
	CELL_CODES, /* a list; of options one text */
	CELL_BID,
	CELL_BID_SIZE,
	CELL_BID_CODE, /* empty when there is no such side */
	CELL_ASK,
	CELL_ASK_SIZE,
	CELL_ASK_CODE,
	CELL_SYMBOL,
	CELL_KEPT, /* kept in the file, not served */
};

struct field {
	enum kind kind;
	const char *column, *json;
	enum cell cell;
	bool must;
};

/* In the order the members are written: Alpaca's bodies have them by name. */
static const struct field fields[] = {
	{ KIND_BARS, "close", "c", CELL_PRICE, true },
	{ KIND_BARS, "high", "h", CELL_PRICE, true },
	{ KIND_BARS, "low", "l", CELL_PRICE, true },
	{ KIND_BARS, "trade_count", "n", CELL_WHOLE, false },
	{ KIND_BARS, "open", "o", CELL_PRICE, true },
	{ KIND_BARS, "timestamp", "t", CELL_TIME, true },
	{ KIND_BARS, "volume", "v", CELL_SIZE, true },
	{ KIND_BARS, "vwap", "vw", CELL_PRICE, false },
	{ KIND_BARS, "adj_close", NULL, CELL_KEPT, false },
	{ KIND_BARS, "symbol", NULL, CELL_SYMBOL, false },
	{ KIND_QUOTES, "ask_price", "ap", CELL_ASK, true },
	{ KIND_QUOTES, "ask_size", "as", CELL_ASK_SIZE, true },
	{ KIND_QUOTES, "ask_exchange", "ax", CELL_ASK_CODE, false },
	{ KIND_QUOTES, "bid_price", "bp", CELL_BID, true },
	{ KIND_QUOTES, "bid_size", "bs", CELL_BID_SIZE, true },
	{ KIND_QUOTES, "bid_exchange", "bx", CELL_BID_CODE, false },
	{ KIND_QUOTES, "conditions", "c", CELL_CODES, false },
	{ KIND_QUOTES, "timestamp", "t", CELL_TIME, true },
	{ KIND_QUOTES, "tape", "z", CELL_CODE, false },
	{ KIND_QUOTES, "symbol", NULL, CELL_SYMBOL, false },
	{ KIND_TRADES, "conditions", "c", CELL_CODES, false },
	{ KIND_TRADES, "id", "i", CELL_WHOLE, false },
	{ KIND_TRADES, "price", "p", CELL_PRICE, true },
	{ KIND_TRADES, "size", "s", CELL_SIZE, true },
	{ KIND_TRADES, "timestamp", "t", CELL_TIME, true },
	{ KIND_TRADES, "taker_side", "tks", CELL_CODE, false },
	{ KIND_TRADES, "update", "u", CELL_CODE, false },
	{ KIND_TRADES, "exchange", "x", CELL_CODE, false },
	{ KIND_TRADES, "tape", "z", CELL_CODE, false },
	{ KIND_TRADES, "symbol", NULL, CELL_SYMBOL, false },
	{ KIND_GREEKS, "delta", "delta", CELL_SIGNED, false },
	{ KIND_GREEKS, "gamma", "gamma", CELL_SIGNED, false },
	{ KIND_GREEKS, "rho", "rho", CELL_SIGNED, false },
	{ KIND_GREEKS, "theta", "theta", CELL_SIGNED, false },
	{ KIND_GREEKS, "vega", "vega", CELL_SIGNED, false },
	{ KIND_GREEKS, "implied_volatility", "impliedVolatility", CELL_SIGNED, false },
	{ KIND_GREEKS, "timestamp", NULL, CELL_TIME, true },
	{ KIND_GREEKS, "symbol", NULL, CELL_SYMBOL, false },
};

#define FIELDS (sizeof(fields) / sizeof(fields[0]))

struct csv_event {		   /* one row, by field */
	const char *cells[FIELDS]; /* null: no such column */
	int64_t time;
	const char *symbol;
};

enum kind
csv_kind(const char *name)
{
	static const char *const names[] = { [KIND_QUOTES] = "quotes",
		[KIND_TRADES] = "trades",
		[KIND_BARS] = "bars",
		[KIND_GREEKS] = "greeks" };
	enum kind k;

	for (k = KIND_QUOTES; k < KIND_NONE; k++)
		if (strcmp(name, names[k]) == 0)
			break;
	return k;
}

int
csv_refuse(struct csv_file *f, const char *reason)
{
	snprintf(f->why, LOAD_WHY, "%.500s: row %lu: %.200s", f->path, f->row, reason);
	return E_INVALID_PARAMETER;
}

static int
csv_refuse_cell(struct csv_file *f, const char *column, const char *what)
{
	char reason[200];

	snprintf(reason, sizeof(reason), "%.40s %.120s", column, what);
	return csv_refuse(f, reason);
}

static int
field_find(enum kind kind, const char *column)
{
	size_t i;

	for (i = 0; i < FIELDS; i++)
		if (fields[i].kind == kind && strcmp(fields[i].column, column) == 0)
			return (int)i;
	return -1;
}

int
csv_row_head(struct csv_file *f, char *line)
{
	char *cells[ROW_CELLS];
	bool seen[FIELDS] = { false };
	size_t i;

	f->columns = row_split(line, cells);
	if (f->columns > ROW_CELLS)
		return csv_refuse(f, "has too many columns");
	for (i = 0; i < f->columns; i++) {
		f->field_of[i] = field_find(f->kind, cells[i]);
		if (f->field_of[i] < 0)
			return csv_refuse_cell(f, cells[i], "is not a column of such a file");
		if (seen[f->field_of[i]])
			return csv_refuse_cell(f, cells[i], "is there twice");
		seen[f->field_of[i]] = true;
	}
	for (i = 0; i < FIELDS; i++) {
		if (fields[i].kind != f->kind || seen[i])
			continue;
		if (fields[i].must || (fields[i].cell == CELL_SYMBOL && f->symbol[0] == '\0'))
			return csv_refuse_cell(f, fields[i].column, "is missing among the columns");
	}
	return E_OK;
}

static int
csv_put_number(
    struct csv_file *f, struct piece *p, const struct field *d, const char *text, enum number sort)
{
	char number[NUMBER_TEXT];

	if (!number_read(text, sort, number))
		return csv_refuse_cell(f, d->column, "is not such a number as belongs there");
	piece_raw(p, d->json, number);
	return E_OK;
}

static enum number
csv_size_sort(const struct csv_file *f)
{
	return f->market == MARKET_CRYPTO ? NUMBER_SIZE : NUMBER_WHOLE;
}

/* No such side of a quote: upstream says price 0 and a blank as exchange. */
static int
csv_put_side(struct csv_file *f, struct piece *p, const struct field *d, const char *text)
{
	if (d->cell == CELL_BID_CODE || d->cell == CELL_ASK_CODE) {
		piece_text(p, d->json, *text != '\0' ? text : " ");
		return E_OK;
	}
	if (*text == '\0') {
		piece_raw(p, d->json, "0");
		return E_OK;
	}
	return csv_put_number(f, p, d, text,
	    d->cell == CELL_BID || d->cell == CELL_ASK ? NUMBER_PRICE : csv_size_sort(f));
}

static int
csv_put_codes(struct csv_file *f, struct piece *p, const struct field *d, const char *text)
{
	if (f->market == MARKET_OPTION)
		piece_text(p, d->json, text);
	else
		piece_list(p, d->json, text);
	return E_OK;
}

static int
csv_put_cell(
    struct csv_file *f, struct piece *p, const struct field *d, const char *text, int64_t time)
{
	switch (d->cell) {
	case CELL_TIME:
		piece_time(p, time);
		return E_OK;
	case CELL_CODES:
		return csv_put_codes(f, p, d, text);
	case CELL_BID:
	case CELL_BID_SIZE:
	case CELL_BID_CODE:
	case CELL_ASK:
	case CELL_ASK_SIZE:
	case CELL_ASK_CODE:
		return csv_put_side(f, p, d, text);
	default:
		break;
	}
	if (*text == '\0')
		return d->must ? csv_refuse_cell(f, d->column, "is empty") : E_OK;
	if (d->cell == CELL_CODE) {
		piece_text(p, d->json, text);
		return E_OK;
	}
	return csv_put_number(f, p, d, text,
	    d->cell == CELL_PRICE    ? NUMBER_PRICE
	    : d->cell == CELL_SIZE   ? csv_size_sort(f)
	    : d->cell == CELL_SIGNED ? NUMBER_SIGNED
				     : NUMBER_WHOLE);
}

static int
csv_put_all(struct csv_file *f, struct piece *p, const struct csv_event *e)
{
	size_t i;
	int r = E_OK;

	piece_open(p);
	for (i = 0; r == E_OK && i < FIELDS; i++)
		if (fields[i].kind == f->kind && fields[i].json != NULL && e->cells[i] != NULL)
			r = csv_put_cell(f, p, &fields[i], e->cells[i], e->time);
	return r;
}

/* The greeks stand in an object of their own, the volatility beside it. */
static int
csv_put_greeks(struct csv_file *f, struct piece *p, const struct csv_event *e)
{
	struct piece inner;
	size_t i, volatility = FIELDS;
	int r = E_OK;

	piece_open(p);
	piece_open(&inner);
	for (i = 0; r == E_OK && i < FIELDS; i++) {
		if (fields[i].kind != KIND_GREEKS || fields[i].json == NULL || e->cells[i] == NULL)
			continue;
		if (strcmp(fields[i].json, "impliedVolatility") == 0)
			volatility = i;
		else
			r = csv_put_cell(f, &inner, &fields[i], e->cells[i], e->time);
	}
	if (r == E_OK && inner.len > 1 && (r = piece_close(&inner)) == E_OK)
		piece_raw(p, "greeks", inner.text);
	if (r == E_OK && volatility < FIELDS)
		r = csv_put_cell(f, p, &fields[volatility], e->cells[volatility], e->time);
	return r;
}

static int
csv_check_sides(struct csv_file *f, const struct csv_event *e)
{
	static const char *const sides[][2] = { { "bid_price", "bid_size" },
		{ "ask_price", "ask_size" } };
	const char *price, *size;
	size_t i;

	for (i = 0; i < 2; i++) {
		price = e->cells[field_find(KIND_QUOTES, sides[i][0])];
		size = e->cells[field_find(KIND_QUOTES, sides[i][1])];
		if ((*price == '\0') != (*size == '\0'))
			return csv_refuse_cell(f, sides[i][0], "and its size go together");
	}
	return E_OK;
}

static int
csv_row_cut(struct csv_file *f, char *line, struct csv_event *e)
{
	char *cells[ROW_CELLS];
	const struct field *d;
	size_t i;

	memset(e, 0, sizeof(*e));
	e->symbol = f->symbol;
	if (row_split(line, cells) != f->columns)
		return csv_refuse(f, "has another number of cells than the first row");
	for (i = 0; i < f->columns; i++) {
		d = &fields[f->field_of[i]];
		e->cells[f->field_of[i]] = cells[i];
		if (d->cell == CELL_SYMBOL)
			e->symbol = cells[i];
		if (d->cell == CELL_TIME && clock_parse(cells[i], &e->time) != E_OK)
			return csv_refuse_cell(f, d->column, "is not an RFC 3339 time");
	}
	if (!symbol_is_well_formed(f->market, e->symbol))
		return csv_refuse_cell(f, e->symbol, "is not a symbol of this market");
	return f->kind == KIND_QUOTES ? csv_check_sides(f, e) : E_OK;
}

int
csv_row_add(struct csv_file *f, char *line)
{
	struct csv_event e;
	struct series *s;
	struct piece p;
	int r;

	if ((r = csv_row_cut(f, line, &e)) != E_OK)
		return r;
	r = f->kind == KIND_GREEKS ? csv_put_greeks(f, &p, &e) : csv_put_all(f, &p, &e);
	if (r != E_OK)
		return r;
	if (piece_close(&p) != E_OK)
		return csv_refuse(f, "is longer than an event may be");
	s = recording_series(f->into, f->market, e.symbol, f->kind, f->timeframe);
	if (s->count > 0 && e.time < s->events[s->count - 1].time)
		return csv_refuse(f, "is earlier than the row before it");
	if (series_add(s, e.time, p.text, p.len) != E_OK)
		return csv_refuse(f, "is more than a recording may hold");
	return E_OK;
}
