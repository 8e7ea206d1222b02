/* ipc_room.h - what the files of this room tell one another: bytes of messages, frames, the socket. */
#ifndef IPC_ROOM_H
#define IPC_ROOM_H
#include "chan.h"
#include "msg.h"

/* Bytes read from a socket at once, and so the most one channel handles in a turn of the loop. A message
 * that began in one read and ends in the next waits in the same room: MSG_WIRE_MAX bounds it. */
#define FRAME_READ_BYTES (64 * 1024)
#define FRAME_HEAD	 4
/* The top bit of a head: a descriptor travels with this frame and belongs to its first message. */
#define FRAME_CARRIES	 0x80000000U

#define UNPACK_DEPTH_MAX 8

/* Longest encoding of any field and message that the reader accepts, whatever width the writer chose. */
#define MSG_FIELD_WIRE(bound) (9 + (bound))
#define MSG_WIRE_MAX	      (8 * 1024)
#define MSG_FIELDS_MAX	      64

/* msg.c: the rows by type, name null where there is none, and the most bytes an encoding of each takes. */
extern const struct msg_desc msg_descs[MSG_TYPE_MAX];
extern const size_t msg_worsts[MSG_TYPE_MAX];

/* codec.c: as msg_encode, with `gap` unwritten bytes in front of the message; *added counts them in. */
int codec_append(
    struct buf *, size_t gap, enum msg_type, const void *message, size_t *added) MUST_CHECK;

/* unpack.c: whether `data` opens with one whole msgpack object of any kind, and how long it is. E_PROTOCOL with
 * *why (static). Never allocates; nesting at most UNPACK_DEPTH_MAX; nothing may announce more than is at hand. */
int unpack_check(const uint8_t *data, size_t len, size_t *used, const char **why) MUST_CHECK;

/* frame.c, the reading side: bytes come in at frame_space(), messages go out of frame_next(). */
struct frame_in {
	uint8_t bytes[FRAME_READ_BYTES + MSG_WIRE_MAX];
	size_t start, end;
	size_t left;  /* bytes of the open frame not handed out yet */
	bool carries; /* its first message, not handed out yet, has a descriptor */
};
/* Room for the next read, never empty once frame_next has answered E_PARTIAL. */
uint8_t *frame_space(struct frame_in *, size_t *room);
void frame_filled(struct frame_in *, size_t);
/* E_PARTIAL: read more; E_PROTOCOL: this stream cannot be read any further. */
int frame_next(struct frame_in *, enum msg_type *, union msg_any *, bool *carries,
    const char **why) MUST_CHECK;
/* Whether the bytes so far may leave a descriptor waiting for its message. */
bool frame_expects_fd(const struct frame_in *);

/* frame.c, the writing side: messages gather in an open frame until frame_end. */
struct frame_out {
	struct buf bytes; /* whole frames, and the open one at the end */
	size_t open;	  /* bytes of the open frame, head included; 0: none is open */
};
int frame_put(struct frame_out *, enum msg_type, const void *message) MUST_CHECK;
/* A frame of this message alone, whose head tells of a descriptor. */
int frame_put_carrying(struct frame_out *, enum msg_type, const void *message) MUST_CHECK;
void frame_end(struct frame_out *);

/* wire.c: the socket, with descriptors in their place in the stream. */
#define WIRE_FDS_OUT 64 /* waiting to be sent */
#define WIRE_FDS_IN  4	/* received, their message not complete */

struct wire {
	int fd;
	bool takes_fds; /* the peer may pass descriptors */
	bool broken;	/* a write failed: nothing more is written */
	uint64_t sent;	/* bytes the kernel took */
	struct {
		uint64_t at; /* goes with this byte of the stream */
		int fd;
	} out[WIRE_FDS_OUT];
	size_t out_count;
	int in[WIRE_FDS_IN];
	size_t in_count;
};
void wire_init(struct wire *, int fd, bool takes_fds);
void wire_fini(struct wire *); /* closes the socket and what waits */
/* Queues `fd`, which changes owner, with the stream's byte `at`. E_FULL: it stays the caller's. */
int wire_add_fd(struct wire *, uint64_t at, int fd) MUST_CHECK;
/* -1 when none waits. */
int wire_take_fd(struct wire *);
/* Writes what the socket takes and consumes it. E_OK: all of it; E_PARTIAL: the rest waits for room; E_CLOSED,
 * E_SYSTEM: never again, and the reading side will see the end of the stream. */
int wire_write(struct wire *, struct buf *) MUST_CHECK;
/* One read. E_PARTIAL: there was nothing; E_CLOSED: the end; E_SYSTEM; E_PROTOCOL: unwanted descriptors. */
int wire_read(struct wire *, struct frame_in *, const char **why) MUST_CHECK;

#endif /* IPC_ROOM_H */
