/* latest.c - latest values as Redis holds them: which they are, their key, their JSON. */
#include "latest.h"

#include <stdio.h>
#include <string.h>

#include "json_write.h"
#include "text.h"
#include "value_json.h"

void
latest_key(char key[LATEST_KEY], const char *kind, const char *symbol)
{
	(void)snprintf(key, LATEST_KEY, LATEST_PREFIX "%s:%s", kind, symbol);
}

/* A replay does not tell which of its values were asked of the past: the newest event wins all the same. */
static bool
source_is_latest(uint64_t source)
{
	return source == SOURCE_LATEST || source == SOURCE_STREAM || source == SOURCE_REPLAY;
}

/* What a kind's row of values.def calls them. */
static void
identify(struct latest_id *id, const char *kind, const char *symbol, const char *feed,
    uint64_t asset, int64_t event, int64_t received)
{
	latest_key(id->key, kind, symbol);
	(void)text_copy(id->field, sizeof(id->field), feed);
	id->asset = (enum asset)asset;
	id->event_ns = event;
	id->received_ns = received;
}

#define IDENTIFY(id, v, event)                                                                     \
	identify((id), msg_desc(type)->name, (v)->symbol, (v)->feed, (v)->asset, (event),          \
	    (v)->received)

static bool
bar_is_latest(const struct bar *b)
{
	return (b->part == BAR_MINUTE || b->part == BAR_DAILY) && b->timeframe[0] != '\0';
}

bool
latest_identify(enum msg_type type, const void *value, struct latest_id *id)
{
	const struct quote *q = value;
	const struct trade *t = value;
	const struct bar *b = value;
	const struct greeks *g = value;
	const struct snapshot *s = value;

	switch (type) {
	case MSG_QUOTE:
		IDENTIFY(id, q, q->event);
		return source_is_latest(q->source);
	case MSG_TRADE:
		IDENTIFY(id, t, t->event);
		return source_is_latest(t->source) && t->update[0] == '\0';
	case MSG_BAR:
		IDENTIFY(id, b, b->event);
		(void)snprintf(id->field, sizeof(id->field), "%s/%s", b->feed, b->timeframe);
		return source_is_latest(b->source) && bar_is_latest(b);
	case MSG_GREEKS:
		IDENTIFY(id, g, g->event);
		return source_is_latest(g->source);
	case MSG_SNAPSHOT:
		IDENTIFY(id, s, 0);
		return source_is_latest(s->source);
	default:
		return false;
	}
}

static const char *
text_of(const struct msg_desc *d, const void *value, const char *field)
{
	for (size_t i = 0; i < d->field_count; i++)
		if (strcmp(d->fields[i].name, field) == 0)
			return (const char *)value + d->fields[i].offset;
	return NULL;
}

bool
latest_stream(enum msg_type type, const void *value, char key[LATEST_KEY], const char **symbol)
{
	const struct msg_desc *d = msg_desc(type);
	const char *feed = d != NULL ? text_of(d, value, "feed") : NULL;

	if (feed == NULL || feed[0] == '\0')
		return false;
	*symbol = text_of(d, value, "symbol");
	latest_key(key, "stream", feed);
	return *symbol != NULL;
}

#define ORDER_DIGITS 19

static void
order_write(int64_t ns, char out[ORDER_DIGITS])
{
	uint64_t rest = ns > 0 ? (uint64_t)ns : 0;

	for (int i = ORDER_DIGITS; i > 0; rest /= 10)
		out[--i] = (char)('0' + rest % 10);
}

int
latest_write(enum msg_type type, const void *value, struct buf *out)
{
	const struct msg_desc *d = msg_desc(type);
	struct latest_id id;
	char order[2 * ORDER_DIGITS + 1] = "";
	struct json j;

	(void)latest_identify(type, value, &id);
	order_write(id.event_ns, order);
	order_write(id.received_ns, order + ORDER_DIGITS);
	json_begin(&j, out);
	json_object_open(&j, NULL);
	json_text(&j, "order", order);
	json_text(&j, "kind", d->name);
	json_u64(&j, "version", d->version);
	value_put_json(d, value, &j);
	json_object_close(&j);
	return json_end(&j);
}
