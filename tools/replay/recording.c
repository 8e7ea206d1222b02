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
instrument_id(char *id, size_t size, enum market market, const char *symbol)
{
	static const char letters[] = {
		[MARKET_STOCK] = 's', [MARKET_OPTION] = 'o', [MARKET_CRYPTO] = 'c'
	};

	snprintf(id, size, "%c:%s", letters[market], symbol);
}

struct instrument *
recording_find(const struct recording *r, enum market market, const char *symbol)
{
	struct instrument *found;
	char id[sizeof(found->id)];

	if (strlen(symbol) >= SYMBOL_TEXT)
		return NULL;
	instrument_id(id, sizeof(id), market, symbol);
	HASH_FIND_STR(r->instruments, id, found);
	return found;
}

static struct instrument *
instrument_make(struct recording *r, enum market market, const char *symbol)
{
	struct instrument *i = mem_alloc(sizeof(*i));

	i->market = market;
	text_copy(i->symbol, sizeof(i->symbol), symbol);
	instrument_id(i->id, sizeof(i->id), market, symbol);
	if (market == MARKET_OPTION)
		contract_read(symbol, &i->contract);
	HASH_ADD_STR(r->instruments, id, i);
	return i;
}

struct series *
instrument_series(const struct instrument *i, enum kind kind, const char *timeframe)
{
	struct series *s;

	for (s = i->series; s != NULL; s = s->next)
		if (s->kind == kind && strcmp(s->timeframe, timeframe) == 0)
			return s;
	return NULL;
}

struct series *
recording_series(struct recording *r, enum market market, const char *symbol, enum kind kind,
    const char *timeframe)
{
	struct instrument *i = recording_find(r, market, symbol);
	struct series *s;

	if (i == NULL)
		i = instrument_make(r, market, symbol);
	if ((s = instrument_series(i, kind, timeframe)) != NULL)
		return s;
	s = mem_alloc(sizeof(*s));
	s->kind = kind;
	s->market = market;
	text_copy(s->timeframe, sizeof(s->timeframe), timeframe);
	buf_init(&s->text, (size_t)SERIES_TEXT_MAX);
	s->next = i->series;
	i->series = s;
	return s;
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

static int
series_finish(struct series *s, const char *symbol, char why[LOAD_WHY])
{
	char when[CLOCK_TEXT];
	size_t i;

	if (s->disordered)
		qsort(s->events, s->count, sizeof(*s->events), event_order);
	s->disordered = false;
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
