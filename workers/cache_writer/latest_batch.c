/* latest_batch.c - what goes to Redis at once: of each key the newest value, and every entry of the streams. */
#include <string.h>

#include "latest_sink.h"
#include "text.h"

#define NAME_BYTES (sizeof(((struct latest_id *)0)->key) + sizeof(((struct latest_id *)0)->field))

const char latest_script[] =
    "local call,sub,n=redis.call,string.sub,0 "
    "for i=1,#KEYS do "
    "local k,f,v=KEYS[i],ARGV[i*3-2],ARGV[i*3-1] "
    "local o=redis.pcall('HGET',k,f) "
    "if type(o)=='table' then call('DEL',k) o=false end "
    "if not o or sub(o,1,10)~='{\"order\":\"' or sub(o,11,48)<=sub(v,11,48) then "
    "call('HSET',k,f,v) call('PEXPIRE',k,ARGV[i*3]) n=n+1 "
    "end end return n";

_Static_assert(offsetof(struct latest_id, field) == sizeof(((struct latest_id *)0)->key),
    "key and field are hashed as one");

void
batch_open(struct latest_batch *b)
{
	memset(b, 0, sizeof(*b));
	b->rows = mem_array(BATCH_KEYS, sizeof(*b->rows));
	b->entries = mem_array(BATCH_ENTRIES, sizeof(*b->entries));
	buf_init(&b->stream, BATCH_STREAM_BYTES);
}

void
batch_close(struct latest_batch *b)
{
	HASH_CLEAR(hh, b->by_key);
	buf_fini(&b->stream);
	mem_free(&b->rows);
	mem_free(&b->entries);
}

void
batch_reset(struct latest_batch *b)
{
	HASH_CLEAR(hh, b->by_key);
	buf_reset(&b->stream);
	b->row_count = b->entry_count = 0;
	b->coalesced = 0;
}

bool
batch_is_empty(const struct latest_batch *b)
{
	return b->row_count == 0 && b->entry_count == 0;
}

static bool
id_is_newer(const struct latest_id *id, const struct latest_id *held)
{
	if (id->event_ns != held->event_ns)
		return id->event_ns > held->event_ns;
	return id->received_ns >= held->received_ns;
}

static int
batch_add_value(struct latest_batch *b, const struct journal_record *record)
{
	struct latest_id id = { .event_ns = 0 };
	struct latest_row *row = NULL;

	if (!latest_identify(record->type, &record->value, &id))
		return E_OK;
	HASH_FIND(hh, b->by_key, &id, NAME_BYTES, row);
	if (row != NULL) {
		b->coalesced++;
		if (!id_is_newer(&id, &row->id))
			return E_OK;
		row->id.event_ns = id.event_ns;
		row->id.received_ns = id.received_ns;
	} else {
		if (b->row_count == BATCH_KEYS)
			return E_FULL;
		row = &b->rows[b->row_count++];
		row->id = id;
		row->type = record->type;
		HASH_ADD_KEYPTR(hh, b->by_key, row, NAME_BYTES, row);
	}
	memcpy(&row->value, &record->value,
	    record->desc->size < sizeof(row->value) ? record->desc->size : sizeof(row->value));
	return E_OK;
}

static int
entry_write(struct buf *out, const char *key, const char *symbol,
    const struct journal_record *record, const char *origin, int64_t stream_max)
{
	uint8_t text[LATEST_TEXT];
	struct buf json = { .base = text, .capacity = sizeof(text), .limit = sizeof(text) };
	int r;

	if ((r = latest_write(record->type, &record->value, &json)) != E_OK)
		return r;
	if ((r = redis_words(out, 16)) != E_OK || (r = redis_word_text(out, "XADD")) != E_OK ||
	    (r = redis_word_text(out, key)) != E_OK ||
	    (r = redis_word_text(out, "MAXLEN")) != E_OK ||
	    (r = redis_word_text(out, "~")) != E_OK ||
	    (r = redis_word_number(out, stream_max)) != E_OK ||
	    (r = redis_word_text(out, "*")) != E_OK || (r = redis_word_text(out, "kind")) != E_OK ||
	    (r = redis_word_text(out, record->desc->name)) != E_OK ||
	    (r = redis_word_text(out, "symbol")) != E_OK ||
	    (r = redis_word_text(out, symbol)) != E_OK ||
	    (r = redis_word_text(out, "journal")) != E_OK ||
	    (r = redis_word_text(out, origin)) != E_OK ||
	    (r = redis_word_text(out, "sequence")) != E_OK ||
	    (r = redis_word_number(out, (int64_t)record->sequence)) != E_OK ||
	    (r = redis_word_text(out, "value")) != E_OK)
		return r;
	return redis_word(out, buf_data(&json), buf_len(&json));
}

/* Half an entry is taken back. */
static int
batch_add_entry(struct latest_batch *b, const struct journal_record *record, const char *origin,
    int64_t stream_max)
{
	struct latest_entry *e = &b->entries[b->entry_count];
	size_t before = buf_len(&b->stream);
	const char *symbol;
	int r;

	if (b->entry_count == BATCH_ENTRIES)
		return E_FULL;
	if (!latest_stream(record->type, &record->value, e->key, &symbol))
		return E_OK;
	if ((r = entry_write(&b->stream, e->key, symbol, record, origin, stream_max)) != E_OK) {
		b->stream.end = b->stream.start + before;
		return r;
	}
	e->len = (uint32_t)(buf_len(&b->stream) - before);
	b->entry_count++;
	return E_OK;
}

int
batch_add(struct latest_batch *b, const struct journal_record *record, const char *origin,
    int64_t stream_max)
{
	int r;

	if (b->row_count == BATCH_KEYS || b->entry_count == BATCH_ENTRIES)
		return E_FULL;
	if (stream_max > 0 && (r = batch_add_entry(b, record, origin, stream_max)) != E_OK)
		return r;
	return batch_add_value(b, record);
}

static int
row_write(const struct latest_row *row, int64_t ttl_ms, struct buf *out)
{
	uint8_t text[LATEST_TEXT];
	struct buf json = { .base = text, .capacity = sizeof(text), .limit = sizeof(text) };
	int r;

	if ((r = latest_write(row->type, &row->value, &json)) != E_OK ||
	    (r = redis_word_text(out, row->id.field)) != E_OK ||
	    (r = redis_word(out, buf_data(&json), buf_len(&json))) != E_OK)
		return r;
	return redis_word_number(out, ttl_ms);
}

int
batch_write_rows(const struct latest_batch *b, size_t from, size_t to, const char *sha,
    int64_t (*ttl_ms)(enum asset, void *), void *arg, struct buf *out)
{
	size_t count = to - from;
	int r;

	if ((r = redis_words(out, 3 + count * 4)) != E_OK ||
	    (r = redis_word_text(out, sha != NULL ? "EVALSHA" : "EVAL")) != E_OK ||
	    (r = redis_word_text(out, sha != NULL ? sha : latest_script)) != E_OK ||
	    (r = redis_word_number(out, (int64_t)count)) != E_OK)
		return r;
	for (size_t i = from; i < to; i++)
		if ((r = redis_word_text(out, b->rows[i].id.key)) != E_OK)
			return r;
	for (size_t i = from; i < to; i++)
		if ((r = row_write(&b->rows[i], ttl_ms(b->rows[i].id.asset, arg), out)) != E_OK)
			return r;
	return E_OK;
}
