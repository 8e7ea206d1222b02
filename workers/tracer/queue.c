/* queue.c - spans that wait for their export: a ring of a fixed size. */
#include "mem.h"
#include "tracer.h"

void
queue_init(struct queue *q, size_t max)
{
	*q = (struct queue){ .at = mem_array(max, sizeof(*q->at)), .max = max };
}

void
queue_fini(struct queue *q)
{
	for (; q->count > 0; q->count--, q->first = (q->first + 1) % q->max)
		mem_free(&q->at[q->first].bytes);
	mem_free(&q->at);
}

bool
queue_add(struct queue *q, const void *bytes, size_t len)
{
	if (q->count == q->max)
		return false;
	q->at[(q->first + q->count++) % q->max] =
	    (struct queued){ .bytes = mem_copy(bytes, len), .len = len };
	return true;
}

size_t
queue_take(struct queue *q, size_t most, struct buf *out)
{
	struct queued *one;
	size_t n;

	for (n = 0; n < most && q->count > 0; n++) {
		one = &q->at[q->first];
		if (otlp_bytes(out, OTLP_SPANS, one->bytes, one->len) != E_OK)
			break;
		mem_free(&one->bytes);
		q->first = (q->first + 1) % q->max;
		q->count--;
	}
	return n;
}
