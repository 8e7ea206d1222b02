/* word.c - commands as the server reads them, and what its errors mean. */
#include <string.h>

#include "label.h"
#include "redis.h"
#include "text.h"

int
redis_words(struct buf *b, size_t count)
{
	return buf_printf(b, "*%zu\r\n", count);
}

static size_t
digits_put(char *at, uint64_t v)
{
	char back[24];
	size_t n = 0;

	do
		back[n++] = (char)('0' + v % 10);
	while ((v /= 10) > 0);
	for (size_t i = 0; i < n; i++)
		at[i] = back[n - 1 - i];
	return n;
}

int
redis_word(struct buf *b, const void *word, size_t len)
{
	char *at;
	size_t n;
	int r;

	if ((r = buf_reserve(b, len + 28)) != E_OK)
		return r;
	at = (char *)buf_tail(b);
	at[0] = '$';
	n = 1 + digits_put(at + 1, len);
	memcpy(at + n, "\r\n", 2);
	memcpy(at + n + 2, word, len);
	memcpy(at + n + 2 + len, "\r\n", 2);
	buf_commit(b, n + len + 4);
	return E_OK;
}

int
redis_word_text(struct buf *b, const char *text)
{
	return redis_word(b, text, strlen(text));
}

int
redis_word_number(struct buf *b, int64_t v)
{
	char text[24];
	size_t n = 0;

	if (v < 0)
		text[n++] = '-';
	n += digits_put(text + n, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
	return redis_word(b, text, n);
}

unsigned
redis_cause_of(const char *error)
{
	static const struct {
		const char *word;
		unsigned cause;
	} causes[] = {
		{ "NOAUTH", LABEL(redis, AUTH) },
		{ "WRONGPASS", LABEL(redis, AUTH) },
		{ "NOPERM", LABEL(redis, AUTH) },
		{ "ERR AUTH", LABEL(redis, AUTH) },
		{ "ERR invalid password", LABEL(redis, AUTH) },
		{ "ERR Client sent AUTH", LABEL(redis, AUTH) },
		{ "LOADING", LABEL(redis, LOADING) },
		{ "MASTERDOWN", LABEL(redis, LOADING) },
		{ "READONLY", LABEL(redis, READONLY) },
		{ "OOM", LABEL(redis, OOM) },
		{ "MISCONF", LABEL(redis, MISCONF) },
		{ "NOREPLICAS", LABEL(redis, MISCONF) },
		{ "BUSY", LABEL(redis, BUSY) },
		{ "MOVED", LABEL(redis, CLUSTER) },
		{ "ASK", LABEL(redis, CLUSTER) },
		{ "TRYAGAIN", LABEL(redis, CLUSTER) },
		{ "CLUSTERDOWN", LABEL(redis, CLUSTER) },
		{ "CROSSSLOT", LABEL(redis, CLUSTER) },
		{ "NOSCRIPT", LABEL(redis, NOSCRIPT) },
		{ "ERR max number of clients", LABEL(redis, CONNECT) },
	};

	for (size_t i = 0; error != NULL && i < sizeof(causes) / sizeof(causes[0]); i++)
		if (text_starts(error, causes[i].word))
			return causes[i].cause;
	return LABEL(redis, REFUSED);
}
