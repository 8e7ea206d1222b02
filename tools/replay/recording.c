/* recording.c - instruments and their series: adding, ordering, finding. */
#include "recording.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "clock.h"
#include "market_day.h"
#include "spelling.h"
#include "text.h"

#define SERIES_EVENTS_MAX (64u * 1024 * 1024)
#define REPEATS_LOOK	  64
#define SERIES_TEXT_MAX	  (4095ull * 1024 * 1024) /* offsets are 32 bits */

void
recording_init(struct recording *r)
{
	memset(r, 0, sizeof(*r));
	text_copy(r->adjustment, sizeof(r->adjustment), "raw");
}

static void
instrument_free(struct instrument *i)
{
	struct series *s;

	while ((s = i->series) != NULL) {
		i->series = s->next;
		mem_free(&s->events);
		buf_fini(&s->text);
		mem_free(&s);
	}
	mem_free(&i);
}

void
recording_fini(struct recording *r)
{
	struct instrument *i, *next;

	HASH_ITER (hh, r->instruments, i, next) {
		HASH_DEL(r->instruments, i);
		instrument_free(i);
	}
}

static void
instrument_id(char *id, size_t size, enum market market, const char *symbol, const char *feed)
{
	static const char letters[] = {
		[MARKET_STOCK] = 's', [MARKET_OPTION] = 'o', [MARKET_CRYPTO] = 'c'
	};

	snprintf(id, size, "%c:%s%s%s", letters[market], symbol, *feed != '\0' ? "|" : "", feed);
}

static struct instrument *
instrument_find(const struct recording *r, enum market market, const char *symbol, const char *feed)
{
	struct instrument *found;
	char id[sizeof(found->id)];

	if (strlen(symbol) >= SYMBOL_TEXT || strlen(feed) >= FEED_TEXT)
		return NULL;
	instrument_id(id, sizeof(id), market, symbol, feed);
	HASH_FIND_STR(r->instruments, id, found);
	return found;
}

struct instrument *
recording_find(const struct recording *r, enum market market, const char *symbol)
{
	struct instrument *found = instrument_find(r, market, symbol, "");

	for (size_t i = 0; found == NULL && i < r->feed_count; i++)
		found = instrument_find(r, market, symbol, r->feeds[i]);
	return found;
}

struct instrument *
recording_find_feed(
    const struct recording *r, enum market market, const char *symbol, const char *feed)
{
	struct instrument *found;

	if (*feed == '\0')
		return recording_find(r, market, symbol);
	found = instrument_find(r, market, symbol, feed);
	return found != NULL ? found : instrument_find(r, market, symbol, "");
}

static struct instrument *
instrument_make(struct recording *r, enum market market, const char *symbol, const char *feed)
{
	struct instrument *i = mem_alloc(sizeof(*i));

	i->market = market;
	text_copy(i->symbol, sizeof(i->symbol), symbol);
	text_copy(i->feed, sizeof(i->feed), feed);
	instrument_id(i->id, sizeof(i->id), market, symbol, feed);
	if (market == MARKET_OPTION)
		contract_read(symbol, &i->contract);
	HASH_ADD_STR(r->instruments, id, i);
	return i;
}

struct series *
instrument_series_adjusted(
    const struct instrument *i, enum kind kind, const char *timeframe, const char *adjustment)
{
	struct series *s;

	for (s = i->series; s != NULL; s = s->next)
		if (s->kind == kind && strcmp(s->timeframe, timeframe) == 0 &&
		    strcmp(s->adjustment, adjustment) == 0)
			return s;
	return NULL;
}

struct series *
instrument_series(const struct instrument *i, enum kind kind, const char *timeframe)
{
	return instrument_series_adjusted(i, kind, timeframe, "");
}

/* False: there are too many. */
static bool
feed_note(struct recording *r, const char *feed)
{
	size_t i;

	for (i = 0; i < r->feed_count && strcmp(r->feeds[i], feed) != 0; i++)
		;
	if (*feed == '\0' || i < r->feed_count)
		return true;
	if (i == FEEDS_MAX)
		return false;
	text_copy(r->feeds[r->feed_count++], FEED_TEXT, feed);
	return true;
}

struct series *
recording_series_of(struct recording *r, enum market market, const char *symbol, const char *feed,
    enum kind kind, const char *timeframe, const char *adjustment)
{
	struct instrument *i;
	struct series *s;

	if (!feed_note(r, feed))
		return NULL;
	if ((i = instrument_find(r, market, symbol, feed)) == NULL)
		i = instrument_make(r, market, symbol, feed);
	if ((s = instrument_series_adjusted(i, kind, timeframe, adjustment)) != NULL)
		return s;
	s = mem_alloc(sizeof(*s));
	s->kind = kind;
	s->market = market;
	text_copy(s->timeframe, sizeof(s->timeframe), timeframe);
	text_copy(s->adjustment, sizeof(s->adjustment), adjustment);
	buf_init(&s->text, (size_t)SERIES_TEXT_MAX);
	s->next = i->series;
	i->series = s;
	return s;
}

struct series *
recording_series(struct recording *r, enum market market, const char *symbol, enum kind kind,
    const char *timeframe)
{
	return recording_series_of(r, market, symbol, "", kind, timeframe, "");
}

int
series_add(struct series *s, int64_t time, const void *json, size_t len)
{
	size_t capacity = s->capacity ? s->capacity * 2 : 16;
	struct event *e;

	if (s->count >= SERIES_EVENTS_MAX || buf_len(&s->text) + len > SERIES_TEXT_MAX)
		return E_LIMIT;
	if (s->count == s->capacity) {
		s->events = mem_grow(
		    s->events, s->capacity * sizeof(*s->events), capacity * sizeof(*s->events));
		s->capacity = capacity;
	}
	e = &s->events[s->count];
	e->time = time;
	e->at = (uint32_t)buf_len(&s->text);
	e->len = (uint32_t)len;
	if (buf_add(&s->text, json, len) != E_OK)
		return E_LIMIT;
	if (s->count > 0 && time < s->events[s->count - 1].time)
		s->disordered = true;
	s->count++;
	return E_OK;
}

/* By time; of one time by where the text stands, which is the order of reading. */
static int
event_order(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

/* Of one instant: whether the same was kept already. Only the last few are looked at: nobody trades more at once. */
static bool
series_has(const struct series *s, size_t kept, const struct event *e)
{
	const char *text = (const char *)buf_data(&s->text);

	for (size_t n = 0; n < REPEATS_LOOK && n < kept; n++) {
		const struct event *k = &s->events[kept - 1 - n];

		if (k->time != e->time)
			return false;
		if (k->len == e->len && memcmp(text + k->at, text + e->at, e->len) == 0)
			return true;
	}
	return false;
}

/* What was received more than once: of a bar the last, of anything else one of each. */
static void
series_thin(struct series *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->count; i++)
		if (kept > 0 && s->kind == KIND_BARS &&
		    s->events[kept - 1].time == s->events[i].time)
			s->events[kept - 1] = s->events[i];
		else if (!series_has(s, kept, &s->events[i]))
			s->events[kept++] = s->events[i];
	s->count = kept;
}

static int
series_finish(struct series *s, const char *symbol, char why[LOAD_WHY])
{
	char when[CLOCK_TEXT];
	size_t i;

	if (s->disordered)
		qsort(s->events, s->count, sizeof(*s->events), event_order);
	s->disordered = false;
	if (s->repeats)
		series_thin(s);
	for (i = 1; s->kind == KIND_BARS && i < s->count; i++)
		if (s->events[i].time == s->events[i - 1].time) {
			clock_format(s->events[i].time, when);
			snprintf(why, LOAD_WHY, "%s: the %s bar of %s was recorded twice", symbol,
			    s->timeframe, when);
			return E_INVALID_PARAMETER;
		}
	return E_OK;
}

static int
instrument_order(const struct instrument *a, const struct instrument *b)
{
	return strcmp(a->id, b->id);
}

int
recording_finish(struct recording *r, char why[LOAD_WHY])
{
	struct instrument *i, *next;
	struct series *s;
	int e;

	r->events = 0;
	HASH_ITER (hh, r->instruments, i, next)
		for (s = i->series; s != NULL; s = s->next) {
			if ((e = series_finish(s, i->symbol, why)) != E_OK)
				return e;
			r->events += s->count;
		}
	HASH_SORT(r->instruments, instrument_order);
	return E_OK;
}

int64_t
series_end_of(const struct series *s, size_t index)
{
	int64_t time = s->events[index].time;

	return s->kind == KIND_BARS ? timeframe_end(s->timeframe, s->market, time) : time;
}

size_t
series_happened(const struct series *s, int64_t now)
{
	size_t low = 0, high = s != NULL ? s->count : 0, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (series_end_of(s, middle) <= now)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t
series_from(const struct series *s, int64_t time)
{
	size_t low = 0, high = s != NULL ? s->count : 0, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (s->events[middle].time < time)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const char *
series_json(const struct series *s, size_t index)
{
	return (const char *)buf_data(&s->text) + s->events[index].at;
}

bool
instrument_is_known(const struct instrument *i, int64_t now)
{
	const struct series *s;

	for (s = i->series; s != NULL; s = s->next)
		if (series_happened(s, now) > 0)
			return true;
	return false;
}

int
recording_load(struct recording *r, const char *folder, char why[LOAD_WHY])
{
	struct stat st;

	if (stat(folder, &st) != 0 || !S_ISDIR(st.st_mode)) {
		snprintf(why, LOAD_WHY, "%s: is not a folder that can be read", folder);
		return E_ABSENT;
	}
	if (csv_is_recording(folder))
		return csv_load(r, folder, why);
	return lean_load(r, folder, why);
}
