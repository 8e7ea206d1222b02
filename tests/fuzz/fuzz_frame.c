/* fuzz_frame.c - any bytes through the frame reader, in pieces of any size.
 *
 * Invariants: how the stream was cut into reads changes neither the messages nor how it ends; what was read
 * and is framed again reads back as the same messages.
 */
#include <string.h>

#include "fuzz.h"
#include "hash.h"
#include "ipc_room.h"

struct outcome {
	int end; /* E_PARTIAL or E_PROTOCOL */
	size_t messages;
	uint64_t content; /* hash over all of them */
};

static void
take_message(struct outcome *o, struct frame_out *out, enum msg_type type,
    const union msg_any *message, bool carries)
{
	struct buf b;

	buf_init(&b, CHAN_FRAME_MAX);
	must_hold(msg_encode(type, message, &b) == E_OK);
	o->content = hash_stable_more(o->content, buf_data(&b), buf_len(&b));
	o->content = hash_stable_more(o->content, &carries, 1);
	o->messages++;
	buf_fini(&b);
	if (out == NULL)
		return;
	if (carries)
		must_hold(frame_put_carrying(out, type, message) == E_OK);
	else
		must_hold(frame_put(out, type, message) == E_OK);
	if (out->open >= CHAN_FRAME_FULL)
		frame_end(out);
}

/* Hands out what is there. */
static int
take_messages(struct frame_in *in, struct outcome *o, struct frame_out *out)
{
	const char *why = NULL;
	union msg_any message;
	enum msg_type type;
	bool carries;
	int r;

	while ((r = frame_next(in, &type, &message, &carries, &why)) == E_OK)
		take_message(o, out, type, &message, carries);
	must_hold(r == E_PARTIAL || (r == E_PROTOCOL && why != NULL));
	(void)frame_expects_fd(in);
	return r;
}

static struct outcome
read_in_pieces(const uint8_t *data, size_t size, size_t piece, struct frame_out *out)
{
	static struct frame_in kept; /* 72 KiB: a fresh one for each run would be most of the run */
	struct frame_in *in = &kept;
	struct outcome o = { .end = E_PARTIAL };
	uint8_t *space;
	size_t room, n;

	in->start = in->end = in->left = 0;
	in->carries = false;
	while (size > 0 && o.end == E_PARTIAL) {
		space = frame_space(in, &room);
		n = size < piece ? size : piece;
		n = n < room ? n : room;
		memcpy(space, data, n);
		frame_filled(in, n);
		data += n;
		size -= n;
		o.end = take_messages(in, &o, out);
	}
	return o;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t pieces[] = { 1, 2, 3, 5, 17, 256, 4096 };
	struct outcome whole, cut, again;
	struct frame_out out = { .open = 0 };

	if (size == 0)
		return 0;
	buf_init(&out.bytes, 16 * CHAN_FRAME_MAX);
	whole = read_in_pieces(data + 1, size - 1, FRAME_READ_BYTES, &out);
	cut = read_in_pieces(data + 1, size - 1, pieces[data[0] % 7], NULL);
	must_hold(whole.end == cut.end);
	must_hold(whole.messages == cut.messages && whole.content == cut.content);
	frame_end(&out);
	again = read_in_pieces(buf_data(&out.bytes), buf_len(&out.bytes), FRAME_READ_BYTES, NULL);
	must_hold(again.end == E_PARTIAL);
	must_hold(again.messages == whole.messages && again.content == whole.content);
	buf_fini(&out.bytes);
	return 0;
}
