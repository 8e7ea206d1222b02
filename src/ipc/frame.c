/* frame.c - a stream of bytes cut into frames, and frames into messages.
 *
 * Messages are handed out as they arrive, not when their frame is complete: so the reader needs room for one
 * read and the start of one message, whatever length a head announces.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

#include "ipc_room.h"
#include "mem.h"

_Static_assert(
    CHAN_FRAME_FULL + MSG_WIRE_MAX <= CHAN_FRAME_MAX, "an open frame must not outgrow the limit");

uint8_t *
frame_space(struct frame_in *in, size_t *room)
{
	size_t kept = in->end - in->start;

	/* Whoever read all messages keeps less than one. */
	assert(kept < MSG_WIRE_MAX);
	memmove(in->bytes, in->bytes + in->start, kept);
	in->start = 0;
	in->end = kept;
	*room = FRAME_READ_BYTES;
	return in->bytes + kept;
}

void
frame_filled(struct frame_in *in, size_t len)
{
	in->end += len;
}

static int
frame_begin(struct frame_in *in, const char **why)
{
	uint32_t head;
	size_t len;

	if (in->end - in->start < FRAME_HEAD)
		return E_PARTIAL;
	memcpy(&head, in->bytes + in->start, sizeof(head));
	head = ntohl(head);
	len = head & ~FRAME_CARRIES;
	if (len == 0 || len > CHAN_FRAME_MAX) {
		*why = len == 0 ? "an empty frame" : "a frame above the limit";
		return E_PROTOCOL;
	}
	in->start += FRAME_HEAD;
	in->left = len;
	in->carries = (head & FRAME_CARRIES) != 0;
	return E_OK;
}

int
frame_next(struct frame_in *in, enum msg_type *type, union msg_any *message, bool *carries,
    const char **why)
{
	size_t have, used;
	int r;

	if (in->left == 0 && (r = frame_begin(in, why)) != E_OK)
		return r;
	have = in->end - in->start;
	r = msg_decode(
	    in->bytes + in->start, have < in->left ? have : in->left, &used, type, message, why);
	if (r == E_PARTIAL && have >= in->left) {
		*why = "a message that does not end within its frame";
		return E_PROTOCOL;
	}
	if (r != E_OK)
		return r;
	/* Settings may be keys: they do not stay behind in memory that is read into again some day. */
	if (*type == MSG_SETTING)
		mem_wipe(in->bytes + in->start, used);
	in->start += used;
	in->left -= used;
	*carries = in->carries;
	in->carries = false;
	return E_OK;
}

bool
frame_expects_fd(const struct frame_in *in)
{
	return in->carries || (in->left == 0 && in->end > in->start);
}

static void
frame_seal(struct frame_out *out, uint32_t flags)
{
	uint32_t head;

	if (out->open == 0)
		return;
	head = htonl((uint32_t)(out->open - FRAME_HEAD) | flags);
	memcpy(buf_tail(&out->bytes) - out->open, &head, sizeof(head));
	out->open = 0;
}

int
frame_put(struct frame_out *out, enum msg_type type, const void *message)
{
	size_t added;
	int r;

	r = codec_append(&out->bytes, out->open == 0 ? FRAME_HEAD : 0, type, message, &added);
	if (r == E_OK)
		out->open += added;
	return r;
}

int
frame_put_carrying(struct frame_out *out, enum msg_type type, const void *message)
{
	int r;

	frame_end(out);
	if ((r = frame_put(out, type, message)) != E_OK)
		return r;
	frame_seal(out, FRAME_CARRIES);
	return E_OK;
}

void
frame_end(struct frame_out *out)
{
	frame_seal(out, 0);
}
