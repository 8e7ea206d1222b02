/* query.c - parameters that several endpoints take: symbols, range, limit, order, feed. */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "replay.h"
#include "spelling.h"
#include "text.h"

#define LIMIT_DEFAULT 1000
#define LIMIT_MOST    10000

const char *
kind_plural(enum kind k)
{
	return k == KIND_QUOTES ? "quotes" : k == KIND_TRADES ? "trades" : "bars";
}

const char *
kind_singular(enum kind k)
{
	return k == KIND_QUOTES ? "quote" : k == KIND_TRADES ? "trade" : "bar";
}

static int
instrument_compare(const void *a, const void *b)
{
	const struct instrument *const *x = a, *const *y = b;

	return strcmp((*x)->symbol, (*y)->symbol);
}

static void
symbols_order(struct symbols *s)
{
	size_t i, kept = 0;

	qsort(s->rows, s->count, sizeof(s->rows[0]), instrument_compare);
	for (i = 0; i < s->count; i++)
		if (kept == 0 || s->rows[kept - 1] != s->rows[i])
			s->rows[kept++] = s->rows[i];
	s->count = kept;
}

static bool
symbols_add(struct replay *r, enum market market, const char *symbol, const char *feed,
    struct symbols *s, struct answer *a)
{
	struct instrument *i;

	if (!symbol_is_well_formed(market, symbol)) {
		answer_refuse(a, 400, "invalid symbol: %s", symbol);
		return false;
	}
	if (++s->asked > (market == MARKET_OPTION ? OPTION_SYMBOLS_MAX : SYMBOLS_MAX)) {
		answer_refuse(a, 400, "too many symbols");
		return false;
	}
	if ((i = recording_find_feed(&r->recording, market, symbol, feed)) != NULL)
		s->rows[s->count++] = i;
	return true;
}

bool
symbols_read(struct replay *r, const struct route *route, const struct request *q,
    struct symbols *s, struct answer *a)
{
	const char *given = request_param(q, "symbols");
	char *copy, *rest, *symbol;
	bool fine = true;

	s->count = s->asked = 0;
	if (*given == '\0') {
		answer_refuse(a, 400,
		    "Invalid format for parameter symbols: query parameter "
		    "'symbols' is required");
		return false;
	}
	rest = copy = mem_text(given);
	while (fine && (symbol = text_split(&rest, ',')) != NULL)
		fine = symbols_add(r, route->market, symbol, request_param(q, "feed"), s, a);
	mem_free(&copy);
	if (s->asked > r->stats.symbols_most)
		r->stats.symbols_most = s->asked;
	symbols_order(s);
	return fine;
}

/* A day stands for all of it: its first instant, or its last one as an end. */
static bool
time_read(const char *text, enum market market, bool is_end, int64_t *out)
{
	int year, month, day;
	int64_t days;

	if (clock_parse(text, out) == E_OK)
		return true;
	if (clock_parse_date(text, &year, &month, &day) != E_OK || year < 1700 || year > 2200)
		return false;
	days = clock_days(year, month, day) + is_end;
	*out = market == MARKET_CRYPTO ? days * CLOCK_DAY : session_instant(days, 0);
	*out -= is_end;
	return true;
}

static bool
window_time(const struct route *route, const struct request *q, const char *name, int64_t *out,
    struct answer *a)
{
	const char *text = request_param(q, name);

	if (*text == '\0' || time_read(text, route->market, strcmp(name, "end") == 0, out))
		return true;
	answer_refuse(a, 400,
	    "Invalid format for parameter %s: error parsing '%.60s' as RFC3339 or 2006-01-02 time: "
	    "parsing time \"%.60s\" as \"2006-01-02\": cannot parse \"%.60s\" as \"2006\"",
	    name, text, text, text);
	return false;
}

bool
limit_read(const struct replay *r, const struct request *q, uint64_t otherwise, uint64_t most,
    uint64_t *limit, struct answer *a)
{
	const char *text = request_param(q, "limit");

	*limit = otherwise;
	if (*text != '\0' && (text_to_u64(text, limit) != E_OK || *limit < 1 || *limit > most)) {
		answer_refuse(a, 400, "invalid limit: %s", text);
		return false;
	}
	if (r->options.page_max != 0 && *limit > r->options.page_max)
		*limit = r->options.page_max;
	return true;
}

bool
window_read(const struct replay *r, const struct route *route, const struct request *q,
    struct window *w, struct answer *a)
{
	const char *sort = request_param(q, "sort");
	int64_t now = replay_now(r);

	/* Upstream's defaults: from the start of the day, to now. */
	w->start = route->market == MARKET_CRYPTO ? now - now % CLOCK_DAY
						  : session_instant(session_day(now), 0);
	w->end = now;
	if (!window_time(route, q, "start", &w->start, a) ||
	    !window_time(route, q, "end", &w->end, a) ||
	    !limit_read(r, q, LIMIT_DEFAULT, LIMIT_MOST, &w->limit, a))
		return false;
	if (*sort != '\0' && strcmp(sort, "asc") != 0 && strcmp(sort, "desc") != 0) {
		answer_refuse(a, 400, "invalid sort: %s", sort);
		return false;
	}
	w->descends = strcmp(sort, "desc") == 0;
	if (w->end < w->start && *request_param(q, "end") != '\0') {
		answer_refuse(a, 400, "end should not be before start");
		return false;
	}
	return true;
}

bool
feed_check(const struct route *route, const struct request *q, struct answer *a)
{
	static const char *const feeds[] = {
		[MARKET_STOCK] = " sip iex boats otc delayed_sip overnight ",
		[MARKET_OPTION] = " opra indicative ",
		[MARKET_CRYPTO] = "",
	};
	const char *feed = request_param(q, "feed"), *currency = request_param(q, "currency");
	char word[24];

	snprintf(word, sizeof(word), " %.20s ", feed);
	if (*feed != '\0' && route->market != MARKET_CRYPTO &&
	    strstr(feeds[route->market], word) == NULL) {
		answer_refuse(a, 400, "invalid feed: %s", feed);
		return false;
	}
	if (*currency != '\0' && strcmp(currency, "USD") != 0) {
		/* Upstream converts; a recording holds what it holds. */
		answer_refuse(a, 400, "invalid currency: %s was not recorded", currency);
		return false;
	}
	return true;
}
