/* chan.h - a channel between two processes: frames of messages over a Unix socket, bounded both ways.
 *
 * A frame is a 4-byte big-endian length (at most 1 MiB) and so many bytes of messages back to back. What is
 * sent during one turn of the loop leaves at its end as one frame; more than CHAN_FRAME_FULL opens another,
 * and more than CHAN_WRITE_BYTES is written without waiting for the end of the turn. The top bit of the
 * length says that a descriptor came along, for the frame's first message; only the master may pass
 * descriptors. hello goes first both ways and is checked here: protocol id, the speaker's role, and from then
 * on that the message table allows this sender to say what it says. A peer that breaks the protocol costs its
 * channel only: `closed` is called with E_PROTOCOL. One turn of the loop reads a bounded amount from each
 * channel, so that a flood of one does not starve others.
 */
#ifndef CHAN_H
#define CHAN_H
#include "loop.h"
#include "msg.h"

#define CHAN_FRAME_MAX	 (1024 * 1024)
#define CHAN_FRAME_FULL	 (16 * 1024)
#define CHAN_WRITE_BYTES (48 * 1024)
#define CHAN_QUEUE_MIN	 (4 * 1024)
/* As long as the slowest role may take to be ready: its end of a channel can wait that long to be opened. */
#define CHAN_HELLO_MS	 30000

struct chan;

struct chan_hooks {
	/* One message. `fd` is -1, or a descriptor that now belongs to the callee. */
	void	(*message)(struct chan *, enum msg_type, const void *data, int fd, void *owner);
	/* Both hellos are through; `slot` and `pid` are the peer's. May be null. */
	void	(*opened)(struct chan *, const char *slot, int pid, void *owner);
	/* The channel is over: E_CLOSED, E_PROTOCOL, E_SYSTEM. Called once, never from within chan_send or
	 * chan_close; the owner calls chan_close then or later. */
	void	(*closed)(struct chan *, int error, const char *why, void *owner);
};

/* Takes `fd` (made non-blocking, close-on-exec). `self` and `peer` are what the table's senders and receivers
 * are checked against; `self_slot` goes out in hello. At most `queue_bytes`, and not less than CHAN_QUEUE_MIN, wait
 * to be sent. */
struct chan	*chan_open(struct loop *, int fd, enum role self, enum role peer, const char *self_slot,
		    size_t queue_bytes, const struct chan_hooks *, void *owner);
/* Goes on with a channel whose hellos are through and which was quiet when another image of this process let it go. */
struct chan	*chan_adopt(struct loop *, int fd, enum role self, enum role peer, const char *peer_slot,
		    size_t queue_bytes, const struct chan_hooks *, void *owner);
/* Open, with nothing half read and nothing left to be sent: its descriptor is all there is of it. */
int		 chan_is_quiet(struct chan *);
void		 chan_close(struct chan **);		/* flushes what the socket takes at once */

/* E_FULL: the queue's bound was reached, nothing was queued; E_CLOSED; E_LIMIT as msg_encode. Saying what the table
 * does not allow `self` to say to `peer` is a bug: panics. */
int		 chan_send(struct chan *, enum msg_type, const void *) MUST_CHECK;
/* The master only. `fd` is dup'ed; E_FULL also when 64 descriptors wait; E_SYSTEM when it cannot be dup'ed. */
int		 chan_send_fd(struct chan *, enum msg_type, const void *, int fd) MUST_CHECK;
size_t		 chan_queued(const struct chan *);	/* bytes waiting */
size_t		 chan_room(const struct chan *);	/* bytes that may still be queued */
int		 chan_is_open(const struct chan *);
int		 chan_fd(const struct chan *);
/* Start-up only: handles what arrives until `*done` or the time is over. E_UPSTREAM_TIMEOUT, or why it closed. */
int		 chan_wait(struct chan *, const bool *done, int64_t timeout_ms) MUST_CHECK;

struct chan_counts {
	uint64_t sent;		/* messages queued, hello aside */
	uint64_t received;	/* messages handed to the owner */
	uint64_t refused;	/* E_FULL answers */
};
void		 chan_counts(const struct chan *, struct chan_counts *);

#endif /* CHAN_H */
