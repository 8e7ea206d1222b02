/* buf.c - bytes that grow at the end and are consumed at the start, up to a limit. */
#include "buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mem.h"

#define BUF_FIRST 256

void
buf_init(struct buf *b, size_t limit)
{
	memset(b, 0, sizeof(*b));
	b->limit = limit;
}

void
buf_fini(struct buf *b)
{
	size_t limit = b->limit;

	mem_free(&b->base);
	buf_init(b, limit);
}

void
buf_reset(struct buf *b)
{
	b->start = b->end = 0;
}

void
buf_shrink(struct buf *b)
{
	if (b->start == b->end)
		buf_fini(b);
}

static void
buf_compact(struct buf *b)
{
	if (b->start == 0)
		return;
	memmove(b->base, b->base + b->start, buf_len(b));
	b->end -= b->start;
	b->start = 0;
}

void *
buf_take(struct buf *b)
{
	void *all;

	buf_compact(b);
	all = mem_grow(b->base, b->end, b->end); /* what is not used goes back */
	b->base = NULL;
	buf_fini(b);
	return all;
}

size_t
buf_len(const struct buf *b)
{
	return b->end - b->start;
}

uint8_t *
buf_data(const struct buf *b)
{
	return b->base != NULL ? b->base + b->start : NULL;
}

void
buf_consume(struct buf *b, size_t n)
{
	b->start += n < buf_len(b) ? n : buf_len(b);
	if (b->start == b->end)
		buf_reset(b);
}

/* Memory for n more bytes, whatever the limit says. */
static void
buf_make_room(struct buf *b, size_t n)
{
	size_t capacity;

	if (b->base != NULL && b->capacity - b->end >= n)
		return;
	/* Moving pays only when at least half was consumed; otherwise a long queue is moved again and again. */
	if (b->base != NULL && b->start >= buf_len(b))
		buf_compact(b);
	if (b->base != NULL && b->capacity - b->end >= n)
		return;
	capacity = b->capacity ? b->capacity : BUF_FIRST;
	while (capacity - b->end < n)
		capacity *= 2;
	b->base =
	    mem_grow(b->base, capacity, capacity); /* not zeroed: it is written before it is read */
	b->capacity = capacity;
}

int
buf_reserve(struct buf *b, size_t n)
{
	if (n > b->limit || buf_len(b) > b->limit - n)
		return E_FULL;
	buf_make_room(b, n);
	return E_OK;
}

uint8_t *
buf_tail(const struct buf *b)
{
	return b->base != NULL ? b->base + b->end : NULL;
}

void
buf_commit(struct buf *b, size_t n)
{
	b->end += n;
}

int
buf_add(struct buf *b, const void *data, size_t n)
{
	int r;

	if (n == 0)
		return E_OK;
	if ((r = buf_reserve(b, n)) != E_OK)
		return r;
	memcpy(buf_tail(b), data, n);
	buf_commit(b, n);
	return E_OK;
}

int
buf_add_text(struct buf *b, const char *text)
{
	return buf_add(b, text, strlen(text));
}

int
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list args;
	int n, r;

	va_start(args, fmt);
	n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (n < 0)
		return E_SYSTEM;
	if ((r = buf_reserve(b, (size_t)n)) != E_OK)
		return r;
	buf_make_room(
	    b, (size_t)n + 1); /* the NUL is written and not kept: it counts for no limit */
	va_start(args, fmt);
	vsnprintf((char *)buf_tail(b), (size_t)n + 1, fmt, args);
	va_end(args);
	buf_commit(b, (size_t)n);
	return E_OK;
}
