/* reader.c - hiredis' reader, bounded: a server, or who answers in its place, cannot make us allocate what it did not
 * send. */
#include <string.h>

#include "log.h"
#include "redis_room.h"

/* The default array is as large as it was announced, whether it comes or not. */
static void *
reader_array(const redisReadTask *task, int elements)
{
	struct redis_reader *r = task->privdata;

	if (elements < 0 || (size_t)elements > READER_ELEMENTS_MAX - r->elements)
		return NULL;
	r->elements += (size_t)elements;
	return r->default_array(task, elements);
}

void
redis_reader_open(struct redis_reader *r)
{
	r->elements = 0;
	r->hiredis = redisReaderCreate();
	if (r->hiredis == NULL)
		fatal(EXIT_WITH_SYSTEM, "out of memory: a reader of Redis was refused");
	r->fns = *r->hiredis->fn;
	r->default_array = r->fns.createArray;
	r->fns.createArray = reader_array;
	r->hiredis->fn = &r->fns;
	r->hiredis->privdata = r;
}

void
redis_reader_close(struct redis_reader *r)
{
	if (r->hiredis != NULL)
		redisReaderFree(r->hiredis);
	r->hiredis = NULL;
}

int
redis_reader_feed(struct redis_reader *r, const char *bytes, size_t len)
{
	if (r->hiredis->len - r->hiredis->pos + len > READER_BYTES_MAX)
		return E_PROTOCOL;
	return redisReaderFeed(r->hiredis, bytes, len) == REDIS_OK ? E_OK : E_PROTOCOL;
}

int
redis_reader_next(struct redis_reader *r, redisReply **reply)
{
	void *got = NULL;

	if (redisReaderGetReply(r->hiredis, &got) != REDIS_OK)
		return E_PROTOCOL;
	if (got == NULL)
		return E_PARTIAL;
	r->elements = 0;
	*reply = got;
	return E_OK;
}

bool
redis_reply_is_text(const redisReply *reply, const char *text)
{
	return reply != NULL &&
	       (reply->type == REDIS_REPLY_STATUS || reply->type == REDIS_REPLY_STRING) &&
	       reply->len == strlen(text) && memcmp(reply->str, text, reply->len) == 0;
}
