/* writing.c - rows as who asks shows them, written by the thread that reads: while a server makes the next ones, and not
 * on the loop, which ten thousand rows would hold up for milliseconds. */
#include "history_room.h"
#include "mem.h"

#define TOUCHED (128 * 1024) /* pages for what is about to be written are made together */

static bool
writing_begin(struct picking *p)
{
	struct history_answer *a = &p->answer;
	const struct history_writer *writer = p->question->writer;

	if (writer == NULL || p->is_writing || p->unwritable)
		return p->is_writing;
	if (writer->begin(&a->written) != E_OK) {
		p->unwritable = true;
		return false;
	}
	json_begin(&p->json, &a->written);
	json_array_open(&p->json, NULL);
	p->is_writing = true;
	return true;
}

static void
written_touch(struct picking *p)
{
	const struct buf *b = &p->answer.written;
	size_t room = b->capacity - b->end;

	if (b->end < p->written_touched)
		return;
	room = room < TOUCHED ? room : TOUCHED;
	mem_touch(buf_tail(b), room);
	p->written_touched = b->end + room;
}

void
writing_go_on(struct picking *p)
{
	const struct history_answer *a = &p->answer;

	if (p->written >= a->count || !writing_begin(p))
		return;
	for (; p->written < a->count; p->written++) {
		written_touch(p);
		p->question->writer->row(&p->json, &a->rows[p->written], p->question);
	}
}

void
writing_drop(struct picking *p)
{
	buf_fini(&p->answer.written);
	p->written = p->written_touched = 0;
	p->is_writing = false;
}

void
writing_end(struct picking *p)
{
	writing_go_on(p);
	if (!p->is_writing)
		return;
	json_array_close(&p->json);
	if (json_end(&p->json) != E_OK)
		writing_drop(p);
}
