/* history.c - bars, trades and quotes of the past, page by page.
 *
 * The limit counts points over all symbols; results come by symbol, then time; a token says where
 * the next page starts and is null, never absent, at the end.
 */
#include <string.h>

#include "clock.h"
#include "replay.h"
#include "spelling.h"
#include "text.h"

struct walk {
	enum kind kind;
	struct window window;
	char timeframe[TIMEFRAME_TEXT]; /* of bars */
	int64_t now;
	uint64_t left;	    /* points this page may still take */
	bool resumes, more; /* `from` was given; `next` is where the next page starts */
	bool unrecorded;    /* an adjustment was asked for that the recording has not */
	char adjustment[ADJUSTMENT_TEXT]; /* "": the recording's own */
	struct token from, next;
};

/* The part of a series inside the window that has happened: [low, high). */
static void
walk_span(const struct walk *w, const struct instrument *i, const struct series *s, size_t *low,
    size_t *high)
{
	size_t happened = series_happened(s, w->now);

	*low = series_from(s, w->window.start);
	*high = w->window.end == INT64_MAX ? happened : series_from(s, w->window.end + 1);
	if (*high > happened)
		*high = happened;
	if (!w->resumes || strcmp(w->from.symbol, i->symbol) != 0)
		return;
	if (w->window.descends && w->from.index < *high)
		*high = w->from.index + 1;
	else if (!w->window.descends && w->from.index > *low)
		*low = w->from.index;
}

static void
walk_stop_at(struct walk *w, const struct instrument *i, size_t index)
{
	w->more = true;
	w->next = w->from; /* the tag stays */
	text_copy(w->next.symbol, sizeof(w->next.symbol), i->symbol);
	w->next.index = index;
}

/* Writes what the page still takes of one symbol as an array. False: it has nothing here. */
static bool
walk_symbol(struct walk *w, const struct instrument *i, const char *name, struct json *j)
{
	struct series *s = instrument_series_adjusted(i, w->kind, w->timeframe, w->adjustment);
	size_t low, high, n, index;

	if (s == NULL || w->more || w->unrecorded)
		return false;
	if (w->resumes && strcmp(i->symbol, w->from.symbol) < 0)
		return false;
	walk_span(w, i, s, &low, &high);
	if (low >= high)
		return false;
	if (w->left == 0) {
		walk_stop_at(w, i, w->window.descends ? high - 1 : low);
		return false;
	}
	json_array_open(j, name);
	for (n = 0; n < high - low && w->left > 0; n++, w->left--) {
		index = w->window.descends ? high - 1 - n : low + n;
		json_raw(j, NULL, series_json(s, index), s->events[index].len);
	}
	json_array_close(j);
	if (n < high - low)
		walk_stop_at(w, i, w->window.descends ? high - 1 - n : low + n);
	return true;
}

static void
walk_end(struct walk *w, const struct request *q, struct json *j)
{
	char text[TOKEN_TEXT];

	if (*request_param(q, "currency") != '\0')
		json_text(j, "currency", "USD");
	if (w->more)
		token_write(&w->next, text);
	json_text(j, "next_page_token", w->more ? text : NULL);
}

static bool
walk_read_timeframe(struct walk *w, const struct request *q, struct answer *a)
{
	const char *text = request_param(q, "timeframe");

	w->timeframe[0] = '\0';
	if (w->kind != KIND_BARS)
		return true;
	if (*text == '\0')
		answer_refuse(a, 400,
		    "Invalid format for parameter timeframe: query parameter "
		    "'timeframe' is required");
	else if (!timeframe_read(text, w->timeframe))
		answer_refuse(a, 400, "invalid timeframe: %s", text);
	return w->timeframe[0] != '\0';
}

static bool
walk_read_adjustment(
    struct walk *w, const struct replay *r, const struct request *q, struct answer *a)
{
	static const char words[] = ",raw,split,dividend,spin-off,all,";
	const char *given = request_param(q, "adjustment");
	char copy[64], *rest = copy, *word, padded[72];

	w->unrecorded = *given != '\0' && strcmp(given, r->recording.adjustment) != 0;
	if (w->unrecorded && r->recording.from_journal)
		w->unrecorded = text_copy(w->adjustment, sizeof(w->adjustment), given) != E_OK;
	if (*given == '\0')
		return true;
	text_copy(copy, sizeof(copy), given);
	while ((word = text_split(&rest, ',')) != NULL) {
		snprintf(padded, sizeof(padded), ",%s,", word);
		if (strstr(words, padded) == NULL) {
			answer_refuse(a, 400, "invalid adjustment: %s", given);
			return false;
		}
	}
	return true;
}

static bool
walk_read_token(struct walk *w, const struct request *q, const struct symbols *s, struct answer *a)
{
	const char *text = request_param(q, "page_token");
	char tag[sizeof(w->from.tag)];
	size_t i;

	/* A token of another endpoint, timeframe or order would go on somewhere else: refused. */
	snprintf(tag, sizeof(tag), "%c%c%s", kind_plural(w->kind)[0],
	    w->window.descends ? 'd' : 'a', w->timeframe);
	w->resumes = *text != '\0' && strcmp(text, TOKEN_REPEAT) != 0;
	if (w->resumes) {
		if (!token_read(text, &w->from) || strcmp(w->from.tag, tag) != 0) {
			answer_refuse(a, 400, "invalid page_token: %s", text);
			return false;
		}
		for (i = 0; i < s->count && strcmp(s->rows[i]->symbol, w->from.symbol) != 0; i++)
			;
		if (i == s->count) {
			answer_refuse(a, 400, "invalid page_token: %s", text);
			return false;
		}
	}
	text_copy(w->from.tag, sizeof(w->from.tag), tag);
	return true;
}

static bool
walk_begin(struct walk *w, struct replay *r, const struct route *route, const struct request *q,
    const struct symbols *s, struct answer *a)
{
	memset(w, 0, sizeof(*w));
	w->kind = route->kind;
	w->now = replay_now(r);
	if (!walk_read_timeframe(w, q, a) || !walk_read_adjustment(w, r, q, a) ||
	    !feed_check(route, q, a) || !window_read(r, route, q, &w->window, a) ||
	    !walk_read_token(w, q, s, a))
		return false;
	w->left = w->window.limit;
	return true;
}

void
serve_history(
    struct replay *r, const struct route *route, const struct request *q, struct answer *a)
{
	struct symbols symbols;
	struct walk walk;
	struct json j;
	size_t i;

	if (!symbols_read(r, route, q, &symbols, a) || !walk_begin(&walk, r, route, q, &symbols, a))
		return;
	answer_json_begin(a, &j);
	json_object_open(&j, NULL);
	json_object_open(&j, kind_plural(route->kind));
	for (i = 0; i < symbols.count && !walk.more; i++)
		walk_symbol(&walk, symbols.rows[i], symbols.rows[i]->symbol, &j);
	json_object_close(&j);
	walk_end(&walk, q, &j);
	json_object_close(&j);
	answer_json_end(a, &j);
}

void
serve_history_one(
    struct replay *r, const struct route *route, const struct request *q, struct answer *a)
{
	const char *symbol = route_variable(route, q, "symbol");
	struct symbols symbols = { .count = 0 };
	struct walk walk;
	struct json j;

	if (!symbol_is_well_formed(route->market, symbol)) {
		answer_refuse(a, 400, "invalid symbol: %s", symbol);
		return;
	}
	if ((symbols.rows[0] = recording_find_feed(
		 &r->recording, route->market, symbol, request_param(q, "feed"))) != NULL)
		symbols.count = 1;
	if (!walk_begin(&walk, r, route, q, &symbols, a))
		return;
	answer_json_begin(a, &j);
	json_object_open(&j, NULL);
	if (symbols.count == 0 ||
	    !walk_symbol(&walk, symbols.rows[0], kind_plural(route->kind), &j))
		json_absent(&j, kind_plural(route->kind));
	walk_end(&walk, q, &j);
	json_text(&j, "symbol", symbol);
	json_object_close(&j);
	answer_json_end(a, &j);
}
