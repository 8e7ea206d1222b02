/* shown.c - a value or a result as JSON, made once and answered many times. */
#include "shown.h"

#include <assert.h>
#include <string.h>

#include "mem.h"
#include "symbol.h"
#include "text.h"

/* Names, two times, feed, flags: what the three parts of the metadata can come to. */
#define SHOWN_META_MAX 1024
/* A quote or a trade with every field at its bound. */
#define SHOWN_VALUE_MAX 4096

struct shown_meta {
	struct buf head, middle, tail, token;
};

static void
meta_add(struct buf *b, const char *text)
{
	int r = buf_add_text(b, text);

	assert(r == E_OK);
	(void)r;
}

/* One JSON value behind a text: what json_write knows of escaping and of null is used for each. */
static void
meta_end(struct json *j)
{
	int r = json_end(j);

	assert(r == E_OK);
	(void)r;
}

static void
meta_text(struct buf *b, const char *before, const char *value)
{
	char text[512];
	struct json j;

	meta_add(b, before);
	json_begin(&j, b);
	json_text_or_null(&j, NULL, value != NULL ? text_safe(text, sizeof(text), value) : NULL);
	meta_end(&j);
}

static void
meta_time(struct buf *b, const char *before, int64_t ns, bool in_ms)
{
	struct json j;

	meta_add(b, before);
	json_begin(&j, b);
	if (in_ms)
		json_time_ms(&j, NULL, ns);
	else
		json_time(&j, NULL, ns);
	meta_end(&j);
}

static void
meta_open(struct shown_meta *m, const struct shown_facts *f)
{
	struct json j;

	buf_init(&m->head, SHOWN_META_MAX);
	buf_init(&m->middle, SHOWN_META_MAX);
	buf_init(&m->tail, SHOWN_META_MAX);
	buf_init(&m->token, SHOWN_META_MAX * 2);
	meta_text(&m->head, ",\"metadata\":{\"data_source\":",
	    f->source != 0 ? source_name((enum source)f->source) : NULL);
	/* A recording need not be of the feed that was asked for, and most do not say which they are of. */
	meta_text(&m->head, ",\"feed\":", f->source == SOURCE_REPLAY ? NULL : f->feed);
	meta_add(&m->head, ",\"cache\":\"");
	meta_time(&m->middle, "\",\"event_time\":", f->event_ns, false);
	meta_time(&m->middle, ",\"received_at\":", f->received_ns, true);
	meta_add(&m->middle, ",\"data_freshness_seconds\":");
	meta_add(&m->tail, "\",\"quality\":");
	json_begin(&j, &m->tail);
	render_quality(&j, NULL, f->quality);
	meta_end(&j);
	meta_add(&m->tail, "}}");
	meta_text(&m->token, "", f->page_token);
}

static void
meta_close(struct shown_meta *m)
{
	buf_fini(&m->head);
	buf_fini(&m->middle);
	buf_fini(&m->tail);
	buf_fini(&m->token);
}

static size_t
meta_len(const struct shown_meta *m)
{
	return buf_len(&m->head) + buf_len(&m->middle) + buf_len(&m->tail) + buf_len(&m->token);
}

static char *
shown_append(char *at, const void *from, size_t len)
{
	if (len > 0)
		memcpy(at, from, len);
	return at + len;
}

/* All but the text, and the lengths of what is no metadata. */
static void
shown_fill(struct shown *s, const struct shown_facts *f, const struct shown_meta *m, size_t bytes)
{
	*s = (struct shown){ .refs = 1,
		.source = f->source,
		.event_ns = f->event_ns,
		.received_ns = f->received_ns,
		.quality = f->quality,
		.count = f->count,
		.complete = f->complete,
		.first = f->first,
		.last = f->last,
		.aged_ns = f->aged_ns,
		.unsettled_ns = f->unsettled_ns,
		.bytes = bytes,
		.head_len = buf_len(&m->head),
		.middle_len = buf_len(&m->middle),
		.tail_len = buf_len(&m->tail),
		.token_len = buf_len(&m->token) };
	(void)strncpy(s->feed, f->feed, sizeof(s->feed) - 1);
}

int
shown_room(struct buf *b, size_t usual)
{
	int r = buf_reserve(b, sizeof(struct shown) + usual + 4 * (size_t)SHOWN_META_MAX);

	if (r == E_OK)
		buf_commit(b, sizeof(struct shown));
	return r;
}

/* What stands behind the data, in the order of struct shown. */
static int
room_add(struct buf *b, const struct shown_meta *m, const void *dates, size_t dates_len)
{
	int r;

	if ((r = buf_add(b, buf_data(&m->head), buf_len(&m->head))) != E_OK ||
	    (r = buf_add(b, buf_data(&m->middle), buf_len(&m->middle))) != E_OK ||
	    (r = buf_add(b, buf_data(&m->tail), buf_len(&m->tail))) != E_OK ||
	    (r = buf_add(b, dates, dates_len)) != E_OK)
		return r;
	return buf_add(b, buf_data(&m->token), buf_len(&m->token));
}

struct shown *
shown_of_room(const struct shown_facts *f, struct buf *b, const void *dates, size_t dates_len)
{
	size_t len = buf_len(b) - sizeof(struct shown), bytes;
	struct shown *s = NULL;
	struct shown_meta m;

	meta_open(&m, f);
	if (room_add(b, &m, dates, dates_len) == E_OK) {
		bytes = buf_len(b);
		s = buf_take(b);
		shown_fill(s, f, &m, bytes);
		s->data_len = len;
		s->dates_len = dates_len;
	}
	meta_close(&m);
	return s;
}

struct shown *
shown_new(
    const struct shown_facts *f, const void *data, size_t len, const void *dates, size_t dates_len)
{
	struct shown_meta m;
	struct shown *s;
	size_t bytes;
	char *at;

	meta_open(&m, f);
	bytes = sizeof(*s) + len + dates_len + meta_len(&m);
	s = mem_alloc(bytes);
	shown_fill(s, f, &m, bytes);
	s->data_len = len;
	s->dates_len = dates_len;
	at = shown_append(s->text, data, len);
	at = shown_append(at, buf_data(&m.head), s->head_len);
	at = shown_append(at, buf_data(&m.middle), s->middle_len);
	at = shown_append(at, buf_data(&m.tail), s->tail_len);
	at = shown_append(at, dates, dates_len);
	shown_append(at, buf_data(&m.token), s->token_len);
	meta_close(&m);
	return s;
}

struct shown *
shown_get(struct shown *s)
{
	s->refs++;
	return s;
}

void
shown_put(struct shown **sp)
{
	struct shown *s = *sp;

	if (s == NULL)
		return;
	assert(s->refs > 0);
	*sp = NULL;
	if (--s->refs == 0)
		mem_free(&s);
}

void
shown_drop(void *shown)
{
	struct shown *s = shown;

	shown_put(&s);
}

const char *
shown_data(const struct shown *s)
{
	return s->text;
}

const char *
shown_head(const struct shown *s)
{
	return shown_data(s) + s->data_len;
}

const char *
shown_middle(const struct shown *s)
{
	return shown_head(s) + s->head_len;
}

const char *
shown_tail(const struct shown *s)
{
	return shown_middle(s) + s->middle_len;
}

const char *
shown_dates(const struct shown *s)
{
	return shown_tail(s) + s->tail_len;
}

const char *
shown_token(const struct shown *s)
{
	return shown_dates(s) + s->dates_len;
}

/* Closes the object in the writer and makes a shown of it. */
static struct shown *
shown_of(struct json *j, const struct shown_facts *f)
{
	struct shown *s;

	json_object_close(j);
	meta_end(j);
	s = shown_new(f, buf_data(j->out), buf_len(j->out), NULL, 0);
	buf_fini(j->out);
	return s;
}

static void
shown_begin(struct json *j, struct buf *b, enum asset asset, const char *symbol)
{
	char text[SYMBOL_MAX];

	buf_init(b, SHOWN_VALUE_MAX);
	json_begin(j, b);
	json_object_open(j, NULL);
	json_text(j, "symbol", text_safe(text, sizeof(text), symbol));
	if (asset == ASSET_OPTION)
		render_contract(j, symbol);
}

struct shown *
shown_quote(const struct quote *q)
{
	struct shown_facts f = { .source = q->source,
		.feed = q->feed,
		.event_ns = q->event,
		.received_ns = q->received,
		.quality = quote_quality(q),
		.count = 1,
		.complete = true,
		.page_token = "" };
	struct json j;
	struct buf b;

	shown_begin(&j, &b, (enum asset)q->asset, q->symbol);
	render_quote(&j, q);
	return shown_of(&j, &f);
}

struct shown *
shown_trade(const struct trade *t)
{
	struct shown_facts f = { .source = t->source,
		.feed = t->feed,
		.event_ns = t->event,
		.received_ns = t->received,
		.count = 1,
		.complete = true,
		.page_token = "",
		.quality = t->update[0] != '\0' ? QUALITY_REVISED : 0 };
	struct json j;
	struct buf b;

	shown_begin(&j, &b, (enum asset)t->asset, t->symbol);
	render_trade(&j, t);
	return shown_of(&j, &f);
}
