/* result.c - a result put together from the messages between `result` and `result_end`.
 *
 * Rows become JSON as they arrive, so a chain of ten thousand contracts is held once and small.
 * Nothing of it is used before its end came; a channel that dies takes the half result with it.
 */
#include <assert.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "lookup.h"
#include "mem.h"
#include "symbol.h"
#include "text.h"

#define DATE_TEXT 12
/* Expiration dates of one underlying: some forty exist; beyond this a chain is no chain. */
#define DATES_MAX 4096

struct assembly {
	const struct conf *conf;
	bool is_open;
	bool has_quote, has_trade, has_clock;
	struct msg_result head;
	uint64_t values; /* messages counted, as result_end counts them */
	uint64_t rows;
	int64_t newest_ns;
	unsigned quality;
	struct json json; /* of the rows */
	struct buf text;
	struct quote quote;
	struct trade trade;
	struct market_clock clock;
	struct snapshot_parts_seen parts; /* of the symbol that is arriving */
	struct history_row *ranged;	  /* `rows` of them, of a range */
	size_t ranged_capacity;
	struct shown_edge first, last;
	char (*dates)[DATE_TEXT]; /* sorted, each once */
	size_t date_count, date_capacity;
};

struct assembly *
assembly_new(const struct conf *conf)
{
	struct assembly *a = mem_alloc(sizeof(*a));

	a->conf = conf;
	buf_init(&a->text, ASSEMBLY_BYTES_MAX);
	return a;
}

/* Memory goes back as well: one long chain must not stay for ever. */
static void
assembly_reset(struct assembly *a)
{
	const struct conf *conf = a->conf;

	buf_fini(&a->text);
	mem_free(&a->dates);
	mem_free(&a->ranged);
	memset(a, 0, sizeof(*a));
	a->conf = conf;
	buf_init(&a->text, ASSEMBLY_BYTES_MAX);
}

void
assembly_free(struct assembly **ap)
{
	if (*ap == NULL)
		return;
	assembly_reset(*ap);
	mem_free(ap);
}

bool
assembly_is_open(const struct assembly *a)
{
	return a->is_open;
}

bool
assembly_is_of(const struct assembly *a, enum endpoint endpoint)
{
	return a->is_open && a->head.endpoint == endpoint;
}

static enum shape
assembly_shape(const struct assembly *a)
{
	const struct endpoint_row *row = endpoint_row(a->head.endpoint);

	return row != NULL ? row->shape : SHAPE_ASSET;
}

static bool
assembly_is_chain(const struct assembly *a)
{
	return a->head.endpoint == ENDPOINT_OPTION_CHAIN;
}

static bool
assembly_is_rows(const struct assembly *a)
{
	return assembly_is_chain(a) || shape_is_rows(assembly_shape(a));
}

void
assembly_begin(struct assembly *a, const struct msg_result *head)
{
	assembly_reset(a);
	a->is_open = true;
	a->head = *head;
	json_begin(&a->json, &a->text);
	if (assembly_is_rows(a))
		json_array_open(&a->json, NULL);
}

/* Where the date is, or belongs. */
static size_t
dates_find(const struct assembly *a, const char *date)
{
	size_t low = 0, high = a->date_count, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (strcmp(a->dates[middle], date) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void
dates_add(struct assembly *a, const char *date)
{
	size_t at = dates_find(a, date), more;

	if (at < a->date_count && strcmp(a->dates[at], date) == 0)
		return;
	if (a->date_count == DATES_MAX)
		return;
	if (a->date_count == a->date_capacity) {
		more = a->date_capacity ? a->date_capacity * 2 : 16;
		a->dates = mem_grow(a->dates, a->date_capacity * DATE_TEXT, more * DATE_TEXT);
		a->date_capacity = more;
	}
	memmove(a->dates[at + 1], a->dates[at], (a->date_count - at) * DATE_TEXT);
	memset(a->dates[at], 0, DATE_TEXT);
	(void)text_copy(a->dates[at], DATE_TEXT, date);
	a->date_count++;
}

static void
assembly_saw(struct assembly *a, int64_t event_ns)
{
	if (event_ns > a->newest_ns)
		a->newest_ns = event_ns;
}

/* The snapshot that was arriving is whole: the next symbol began, or the end came. */
static void
parts_flush(struct assembly *a)
{
	struct snapshot_parts_seen *s = &a->parts;
	struct contract contract;
	const struct endpoint_row *row = endpoint_row(a->head.endpoint);

	if (s->symbol[0] == '\0' || row == NULL)
		return;
	if (s->has & HAS_QUOTE)
		a->quality |= quote_quality(&s->quote);
	json_object_open(&a->json, NULL);
	render_snapshot(&a->json, row->asset, s);
	json_object_close(&a->json);
	a->rows++;
	if (symbol_contract(s->symbol, &contract) == E_OK)
		dates_add(a, contract.expiration);
	s->symbol[0] = '\0';
	s->has = 0;
}

/* The parts of the symbol this value belongs to. Values of one symbol come together. */
static struct snapshot_parts_seen *
parts_of(struct assembly *a, const char *symbol)
{
	struct snapshot_parts_seen *s = &a->parts;

	if (strcmp(s->symbol, symbol) != 0) {
		parts_flush(a);
		(void)text_copy(s->symbol, sizeof(s->symbol), symbol);
	}
	return s;
}

static bool
assembly_has_snapshots(const struct assembly *a)
{
	enum shape shape = assembly_shape(a);

	return shape == SHAPE_SNAPSHOTS || shape == SHAPE_SNAPSHOTS_BARE;
}

static void
assembly_add_quote(struct assembly *a, const struct quote *q)
{
	struct snapshot_parts_seen *s;

	assembly_saw(a, q->event);
	if (assembly_has_snapshots(a)) {
		s = parts_of(a, q->symbol);
		s->quote = *q;
		s->has |= HAS_QUOTE;
	}
	a->quote = *q;
	a->has_quote = true;
}

/* Kept as it came as well: whoever asked for a piece puts it together with others. */
static struct history_row *
assembly_keep_row(struct assembly *a, int64_t event)
{
	size_t more = a->ranged_capacity ? a->ranged_capacity * 2 : 64;

	if (a->rows == a->ranged_capacity) {
		a->ranged = mem_grow(
		    a->ranged, a->ranged_capacity * sizeof(*a->ranged), more * sizeof(*a->ranged));
		a->ranged_capacity = more;
	}
	if (a->last.event != event)
		a->last = (struct shown_edge){ .event = event };
	a->last.rows++;
	if (a->rows == 0 || a->first.event == event)
		a->first = (struct shown_edge){ .event = event, .rows = a->first.rows + 1 };
	a->ranged[a->rows].versions = 0; /* only the store knows of others */
	return &a->ranged[a->rows++];
}

static void
assembly_add_trade_row(struct assembly *a, const struct trade *t)
{
	assembly_saw(a, t->event);
	render_trade_row(&a->json, t, trade_is_final(t, a->conf->history_final_after * CLOCK_MS));
	assembly_keep_row(a, t->event)->v.trade = *t;
	if (t->update[0] != '\0')
		a->quality |= QUALITY_REVISED;
}

static void
assembly_add_trade(struct assembly *a, const struct trade *t)
{
	struct snapshot_parts_seen *s;

	if (assembly_shape(a) == SHAPE_TRADE_ROWS) {
		assembly_add_trade_row(a, t);
		return;
	}
	assembly_saw(a, t->event);
	if (assembly_has_snapshots(a)) {
		s = parts_of(a, t->symbol);
		s->trade = *t;
		s->has |= HAS_TRADE;
	}
	a->trade = *t;
	a->has_trade = true;
}

static void
assembly_add_row(struct assembly *a, const struct bar *b)
{
	assembly_saw(a, b->event);
	render_bar_row(&a->json, b, bar_is_final(b, a->conf->history_final_after * CLOCK_MS), 0);
	assembly_keep_row(a, b->event)->v.bar = *b;
}

static void
assembly_add_bar(struct assembly *a, const struct bar *b)
{
	struct snapshot_parts_seen *s;

	if (!assembly_has_snapshots(a)) {
		assembly_add_row(a, b);
		return;
	}
	s = parts_of(a, b->symbol);
	switch ((enum bar_part)b->part) {
	case BAR_MINUTE:
		s->minute = *b;
		s->has |= HAS_MINUTE;
		break;
	case BAR_DAILY:
		s->daily = *b;
		s->has |= HAS_DAILY;
		break;
	case BAR_PREVIOUS:
		s->previous = *b;
		s->has |= HAS_PREVIOUS;
		break;
	case BAR_SERIES:
		break;
	}
}

static void
assembly_add_greeks(struct assembly *a, const struct greeks *g)
{
	struct snapshot_parts_seen *s = parts_of(a, g->symbol);

	s->greeks = *g;
	s->has |= HAS_GREEKS;
}

void
assembly_add(struct assembly *a, enum msg_type type, const void *value)
{
	a->values++;
	if (type == MSG_QUOTE) {
		assembly_add_quote(a, value);
	} else if (type == MSG_TRADE) {
		assembly_add_trade(a, value);
	} else if (type == MSG_BAR) {
		assembly_add_bar(a, value);
	} else if (type == MSG_GREEKS) {
		assembly_add_greeks(a, value);
	} else if (type == MSG_SNAPSHOT) {
		/* A contract nothing trades has a snapshot without parts: it is in the chain all
		 * the same. */
		(void)parts_of(a, ((const struct snapshot *)value)->symbol);
	} else if (type == MSG_MARKET_CLOCK) {
		a->clock = *(const struct market_clock *)value;
		a->has_clock = true;
	}
}

static int
dates_render(const struct assembly *a, struct buf *out)
{
	struct json j;

	json_begin(&j, out);
	json_array_open(&j, NULL);
	for (size_t i = 0; i < a->date_count; i++)
		json_text(&j, NULL, a->dates[i]);
	json_array_close(&j);
	return json_end(&j);
}

static int
assembly_show(struct assembly *a, const struct msg_result_end *end, struct shown **out)
{
	struct shown_facts f = { .source = end->source,
		.feed = end->feed,
		.event_ns = a->newest_ns,
		.received_ns = end->received,
		.quality = a->quality,
		.count = a->rows,
		.complete = end->complete,
		.first = a->first,
		.last = a->last,
		.page_token = end->page_token };
	struct buf dates;
	int r;

	buf_init(&dates, (size_t)DATES_MAX * (DATE_TEXT + 3) + 2);
	if ((r = dates_render(a, &dates)) == E_OK)
		*out = shown_new(
		    &f, buf_data(&a->text), buf_len(&a->text), buf_data(&dates), buf_len(&dates));
	buf_fini(&dates);
	return r;
}

/* Closes the JSON of the rows; null shown for what the book holds and for a snapshot of nothing. */
static int
assembly_finish(struct assembly *a, const struct msg_result_end *end, struct shown **out)
{
	*out = NULL;
	if (assembly_has_snapshots(a))
		parts_flush(a);
	if (assembly_is_rows(a))
		json_array_close(&a->json);
	if (json_end(&a->json) != E_OK)
		return E_OVERLOADED;
	if (!assembly_is_rows(a) && a->rows > 1)
		return E_PROTOCOL;
	if (end->error != E_OK || (!assembly_is_rows(a) && a->rows == 0))
		return E_OK;
	return assembly_show(a, end, out);
}

int
assembly_end(struct assembly *a, const struct msg_result_end *end, struct assembled *out)
{
	struct shown *shown;
	int r;

	if (!a->is_open || a->head.ticket != end->ticket || a->values != end->count)
		r = E_PROTOCOL;
	else
		r = assembly_finish(a, end, &shown);
	a->is_open = false;
	if (r == E_OK)
		*out = (struct assembled){ .head = &a->head,
			.shown = shown,
			.quote = a->has_quote && !assembly_is_chain(a) ? &a->quote : NULL,
			.trade = a->has_trade && !assembly_is_chain(a) ? &a->trade : NULL,
			.clock = a->has_clock ? &a->clock : NULL,
			.rows = a->ranged,
			.row_count = a->ranged != NULL ? a->rows : 0 };
	return r;
}
