/* latest_batch.c - what goes to Redis at once: of each key the newest value, and every entry of the streams. */
#include <string.h>

#include "latest_known.h"
#include "latest_sink.h"
#include "text.h"

#define MARK_KNOWN 128
#define PLACES	   (2 * BATCH_KEYS)
#define NAME_BYTES (sizeof(((struct latest_id *)0)->key) + sizeof(((struct latest_id *)0)->field))

/* KEYS: hashes, and the key of who wrote last where there is one. ARGV: this writer; whether he begins to be the last one;
 * a byte a row, which names its pair and, with 128 added, tells that the row is known to be newer; how many pairs; pairs
 * of field and milliseconds to live; values. */
const char latest_script[] =
    "local call,pcall,sub,K,A=redis.call,redis.pcall,string.sub,KEYS,ARGV "
    "local n,sole=#K,false "
    "if A[1]~='' then n=n-1 "
    "if pcall('GET',K[n+1])==A[1] then sole=true "
    "elseif A[2]=='1' then sole=true call('SET',K[n+1],A[1],'PX',86400000) "
    "else call('DEL',K[n+1]) end end "
    "local won,B,m=n,{string.byte(A[3],1,n)},A[4]*2+4 "
    "for i=1,n do local k,v,b,r=K[i],A[m+i],B[i] "
    "if b>128 then b=b-128 if sole then r=pcall('HSET',k,A[b*2+3],v) end end "
    "if r~=0 then "
    "local f=A[b*2+3] local o=pcall('HGET',k,f) "
    "if type(o)=='table' then call('DEL',k) o=false end "
    "if not o or sub(o,1,48)<=sub(v,1,48) or sub(o,1,10)~='{\"order\":\"' then "
    "call('HSET',k,f,v) call('PEXPIRE',k,A[b*2+4]) else won=won-1 end "
    "end end "
    "if sole then return won end return -1-won";

_Static_assert(ROWS_A_CALL < MARK_KNOWN, "a mark names any of its pairs");
_Static_assert((PLACES & (PLACES - 1)) == 0, "a place is found by its lowest bits");
_Static_assert(offsetof(struct latest_id, field) == sizeof(((struct latest_id *)0)->key),
    "key and field are hashed as one");

void
batch_open(struct latest_batch *b)
{
	memset(b, 0, sizeof(*b));
	b->rows = mem_array(BATCH_KEYS, sizeof(*b->rows));
	b->index = mem_array(PLACES, sizeof(*b->index));
	b->entries = mem_array(BATCH_ENTRIES, sizeof(*b->entries));
	buf_init(&b->stream, BATCH_STREAM_BYTES);
}

void
batch_close(struct latest_batch *b)
{
	buf_fini(&b->stream);
	mem_free(&b->rows);
	mem_free(&b->index);
	mem_free(&b->entries);
}

void
batch_reset(struct latest_batch *b)
{
	for (size_t i = 0; i < b->row_count; i++)
		b->index[b->rows[i].place] = 0;
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

/* Its place in the index, or the one it would take. Half of it is always free. Not uthash, whose chains lead through rows
 * all over megabytes, and which grows anew with each batch: that took a quarter of this process's time. */
static uint32_t
batch_place(const struct latest_batch *b, const struct latest_id *id, uint64_t name)
{
	uint32_t at = (uint32_t)name & (PLACES - 1);
	uint64_t held;

	while ((held = b->index[at]) != 0) {
		if (held >> 32 == name >> 32 &&
		    memcmp(&b->rows[(uint32_t)held - 1].id, id, NAME_BYTES) == 0)
			break;
		at = (at + 1) & (PLACES - 1);
	}
	return at;
}

static int
batch_add_value(struct latest_batch *b, const struct journal_record *record)
{
	struct latest_id id = { .event_ns = 0 };
	struct latest_row *row;
	uint32_t place;
	uint64_t name;

	if (!latest_identify(record->type, &record->value, &id))
		return E_OK;
	name = known_name(&id);
	place = batch_place(b, &id, name);
	if (b->index[place] != 0) {
		row = &b->rows[(uint32_t)b->index[place] - 1];
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
		row->name = name;
		row->place = place;
		row->type = record->type;
		b->index[place] = name >> 32 << 32 | (uint32_t)b->row_count;
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

/* Rows of one call by field and time to live: few pairs of them occur. */
struct rows_call {
	const struct latest_row *rows;
	size_t count, pairs;
	const struct latest_row *pair[ROWS_A_CALL]; /* one that has it */
	uint8_t marks[ROWS_A_CALL];
};

static size_t
pair_of(struct rows_call *c, const struct latest_row *row)
{
	for (size_t i = c->pairs; i > 0; i--)
		if (c->pair[i - 1]->ttl_ms == row->ttl_ms &&
		    strcmp(c->pair[i - 1]->id.field, row->id.field) == 0)
			return i;
	c->pair[c->pairs++] = row;
	return c->pairs;
}

static int
call_write_keys(const struct rows_call *c, const struct latest_call *how, struct buf *out)
{
	bool fenced = how->writer[0] != '\0';
	int r;

	if ((r = redis_words(out, 7 + c->count * 2 + c->pairs * 2 + fenced)) != E_OK ||
	    (r = redis_word_text(out, how->sha != NULL ? "EVALSHA" : "EVAL")) != E_OK ||
	    (r = redis_word_text(out, how->sha != NULL ? how->sha : latest_script)) != E_OK ||
	    (r = redis_word_number(out, (int64_t)c->count + fenced)) != E_OK)
		return r;
	for (size_t i = 0; i < c->count; i++)
		if ((r = redis_word_text(out, c->rows[i].id.key)) != E_OK)
			return r;
	return fenced ? redis_word_text(out, LATEST_WRITER) : E_OK;
}

static int
call_write_pairs(const struct rows_call *c, const struct latest_call *how, struct buf *out)
{
	int r;

	if ((r = redis_word_text(out, how->writer)) != E_OK ||
	    (r = redis_word_number(out, how->begins)) != E_OK ||
	    (r = redis_word(out, c->marks, c->count)) != E_OK ||
	    (r = redis_word_number(out, (int64_t)c->pairs)) != E_OK)
		return r;
	for (size_t i = 0; i < c->pairs; i++)
		if ((r = redis_word_text(out, c->pair[i]->id.field)) != E_OK ||
		    (r = redis_word_number(out, c->pair[i]->ttl_ms)) != E_OK)
			return r;
	return E_OK;
}

static int
row_write(const struct latest_row *row, struct buf *out)
{
	uint8_t text[LATEST_TEXT];
	struct buf json = { .base = text, .capacity = sizeof(text), .limit = sizeof(text) };
	int r;

	if ((r = latest_write(row->type, &row->value, &json)) != E_OK)
		return r;
	return redis_word(out, buf_data(&json), buf_len(&json));
}

int
batch_write_rows(const struct latest_batch *b, size_t from, size_t to,
    const struct latest_call *how, struct buf *out)
{
	struct rows_call c = { .rows = &b->rows[from], .count = to - from };
	int r;

	for (size_t i = 0; i < c.count; i++)
		c.marks[i] =
		    (uint8_t)(pair_of(&c, &c.rows[i]) + (c.rows[i].known ? MARK_KNOWN : 0));
	if ((r = call_write_keys(&c, how, out)) != E_OK ||
	    (r = call_write_pairs(&c, how, out)) != E_OK)
		return r;
	for (size_t i = 0; i < c.count; i++)
		if ((r = row_write(&c.rows[i], out)) != E_OK)
			return r;
	return E_OK;
}
