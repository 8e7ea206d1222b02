/* value.c - what can be told of a value without changing it: names, lists, validity, quality. */
#include "value.h"

#include <math.h>
#include <string.h>

/* ASCII unit separator: no condition code of any tape contains it, unlike comma or blank. */
#define LIST_MARK '\x1f'

/* The spread of a wide quote, as a part of its bid. */
#define WIDE_SPREAD 0.05

const char *
asset_name(enum asset asset)
{
	switch (asset) {
	case ASSET_STOCK:
		return "stock";
	case ASSET_OPTION:
		return "option";
	case ASSET_CRYPTO:
		return "crypto";
	}
	return "?";
}

const char *
source_name(enum source source)
{
	switch (source) {
	case SOURCE_STREAM:
		return "alpaca_real_time";
	case SOURCE_LATEST:
		return "alpaca_latest";
	case SOURCE_HISTORY:
		return "alpaca_historical";
	case SOURCE_REPLAY:
		return "replay";
	}
	return "?";
}

const char *
bar_part_name(enum bar_part part)
{
	switch (part) {
	case BAR_SERIES:
		return "series";
	case BAR_MINUTE:
		return "minute";
	case BAR_DAILY:
		return "daily";
	case BAR_PREVIOUS:
		return "previous";
	}
	return "?";
}

/*
 * Lists: each element is preceded by the mark, and the mark alone is the empty list. So null, empty
 * and filled lists are all plain text that codecs and stores pass on unread.
 */
void
list_null(char *list)
{
	list[0] = '\0';
}

void
list_empty(char *list)
{
	list[0] = LIST_MARK;
	list[1] = '\0';
}

int
list_is_null(const char *list)
{
	return list[0] == '\0';
}

static int
list_is_empty(const char *list)
{
	return list[0] == LIST_MARK && list[1] == '\0';
}

int
list_add(char *list, size_t size, const char *element)
{
	size_t used = list_is_empty(list) ? 0 : strlen(list);
	size_t len = strlen(element);

	if (len == 0 || strchr(element, LIST_MARK) != NULL)
		return E_INVALID_PARAMETER;
	if (len > size || used + 1 + len + 1 > size)
		return E_LIMIT;
	list[used] = LIST_MARK;
	memcpy(list + used + 1, element, len + 1);
	return E_OK;
}

int
list_next(const char *list, const char **at, const char **element, size_t *len)
{
	const char *p = *at != NULL ? *at : list;
	const char *end;

	if (p[0] != LIST_MARK || p[1] == '\0')
		return 0;
	p++;
	if ((end = strchr(p, LIST_MARK)) == NULL)
		end = p + strlen(p);
	*element = p;
	*len = (size_t)(end - p);
	*at = end;
	return 1;
}

unsigned
quote_quality(const struct quote *q)
{
	unsigned bits = 0;

	if (isnan(q->bid_price) && isnan(q->ask_price))
		return 0;
	if (isnan(q->bid_price) || isnan(q->ask_price))
		return QUALITY_ONE_SIDED;
	if (q->bid_price > q->ask_price)
		bits |= QUALITY_CROSSED;
	else if (!(q->bid_price < q->ask_price))
		bits |= QUALITY_LOCKED;
	if (q->ask_price - q->bid_price > q->bid_price * WIDE_SPREAD)
		bits |= QUALITY_WIDE;
	return bits;
}

const char *
quality_name(unsigned one_bit)
{
	switch ((enum quality)one_bit) {
	case QUALITY_CROSSED:
		return "crossed";
	case QUALITY_LOCKED:
		return "locked";
	case QUALITY_ONE_SIDED:
		return "one_sided";
	case QUALITY_WIDE:
		return "wide";
	case QUALITY_OUT_OF_SESSION:
		return "out_of_session";
	case QUALITY_LATE:
		return "late";
	case QUALITY_REVISED:
		return "revised";
	}
	return "?";
}

/* A rule every record of its kind obeys; `broken` is what to say when one does not. */
struct rule {
	bool holds;
	const char *broken;
};

static int
rules_check(const struct rule *rules, size_t count, const char **why)
{
	for (size_t i = 0; i < count; i++) {
		if (!rules[i].holds) {
			*why = rules[i].broken;
			return E_DATA_VALIDATION_ERROR;
		}
	}
	return E_OK;
}

#define RULES_CHECK(rules, why) rules_check((rules), sizeof(rules) / sizeof((rules)[0]), (why))

/* What every value has: whose it is, when the market made it and when it came. */
#define RULES_OF_ORIGIN(v)                                                                         \
	{ (v)->symbol[0] != '\0', "symbol is missing" },                                           \
	    { (v)->event > 0, "time is missing or before 1970" },                                  \
	{                                                                                          \
		(v)->received > 0, "received time is missing"                                      \
	}

/* NaN is null: the upstream did not send it. */
static bool
is_null_or_positive(double v)
{
	return isnan(v) || (isfinite(v) && v > 0);
}

static bool
is_null_or_not_negative(double v)
{
	return isnan(v) || (isfinite(v) && v >= 0);
}

static bool
is_positive(double v)
{
	return isfinite(v) && v > 0;
}

static bool
is_not_negative(double v)
{
	return isfinite(v) && v >= 0;
}

int
quote_check(const struct quote *q, const char **why)
{
	const struct rule rules[] = {
		RULES_OF_ORIGIN(q),
		{ is_null_or_positive(q->bid_price), "bid price is not positive" },
		{ is_null_or_positive(q->ask_price), "ask price is not positive" },
		{ is_null_or_not_negative(q->bid_size), "bid size is negative" },
		{ is_null_or_not_negative(q->ask_size), "ask size is negative" },
	};

	return RULES_CHECK(rules, why);
}

int
trade_check(const struct trade *t, const char **why)
{
	const struct rule rules[] = {
		RULES_OF_ORIGIN(t),
		{ is_positive(t->price), "price is missing or not positive" },
		{ is_not_negative(t->size), "size is missing or negative" },
	};

	return RULES_CHECK(rules, why);
}

/* A crypto bar without trades has real prices (of the quotes), volume 0 and vwap 0: no fault. */
int
bar_check(const struct bar *b, const char **why)
{
	const struct rule rules[] = {
		RULES_OF_ORIGIN(b),
		{ is_positive(b->open), "open is missing or not positive" },
		{ is_positive(b->high), "high is missing or not positive" },
		{ is_positive(b->low), "low is missing or not positive" },
		{ is_positive(b->close), "close is missing or not positive" },
		{ b->high >= b->low, "high is below low" },
		{ is_null_or_not_negative(b->volume), "volume is negative" },
		{ is_null_or_not_negative(b->trade_count), "trade count is negative" },
		{ is_null_or_not_negative(b->vwap), "vwap is negative" },
	};

	return RULES_CHECK(rules, why);
}
