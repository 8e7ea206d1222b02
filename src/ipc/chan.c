/* chan.c - a channel between two processes.
 *
 * Reading and writing end in different ways on purpose: a write that fails only stops writing and shuts the
 * socket down; the reading side then delivers what the peer said before it died, finds the end, and is the one
 * place from which a channel is declared over. So no caller of chan_send ever sees its owner called back.
 */
#include "chan.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "ipc_room.h"
#include "log.h"
#include "mem.h"
#include "text.h"

/* One word holds a set of message types. */
#define BIT(type) (UINT64_C(1) << (type))
_Static_assert(MSG_TYPE_MAX <= 64, "a set of types outgrew its word");

/* A queue that once was long gives its memory back when it is empty; what CHAN_WRITE_BYTES needs is kept. */
#define KEEP_BYTES (64 * 1024)

enum chan_state { CHAN_GREETING, CHAN_OPEN, CHAN_OVER };

static const char *const chan_state_names[] = {
	[CHAN_GREETING] = "greeting",
	[CHAN_OPEN] = "open",
	[CHAN_OVER] = "over",
};

struct chan {
	struct loop *loop;
	enum role self, peer;
	enum chan_state state;
	uint64_t may_say, may_hear; /* a bit for each type, from the message table */
	char name[SLOT_NAME];	    /* of the peer: its role until hello tells the slot */
	const struct chan_hooks *hooks;
	void *owner;
	struct event *readable, *writable;
	struct loop_timer hello_timer;
	struct wire wire;
	struct frame_in in;
	struct frame_out out;
	struct chan_counts counts;
	int error;	/* why it is over, or will be when all is read */
	bool blocked;	/* the socket is full: `writable` is awaited */
	bool gathering; /* chan_on_turn_end will be called */
	bool secret;	/* the queue holds or held a setting, which may be a key */
	bool unowned;	/* closed by its owner */
};

static void
chan_move(struct chan *c, enum chan_state to)
{
	log_debug(
	    "channel to %s: %s, was %s", c->name, chan_state_names[to], chan_state_names[c->state]);
	c->state = to;
}

/* The kernel closes the descriptor's events with it; ours must be gone first. */
static void
chan_mute(struct chan *c)
{
	event_del(c->readable);
	event_del(c->writable);
	loop_timer_clear(&c->hello_timer);
}

static void
chan_over(struct chan *c, int error, const char *why)
{
	if (c->state == CHAN_OVER)
		return;
	if (error == E_PROTOCOL)
		log_error("channel to %s: refused: %s", c->name, why);
	else if (error == E_SYSTEM)
		log_error("channel to %s: %s", c->name, why);
	chan_mute(c);
	chan_move(c, CHAN_OVER);
	c->error = error;
	c->wire.broken = true;
	shutdown(c->wire.fd, SHUT_RDWR);
	c->hooks->closed(c, error, why, c->owner);
}

/* The queue is empty: no secret stays in its memory, and not more memory than the next frames need. */
static void
chan_tidy(struct chan *c)
{
	if (c->secret)
		mem_wipe(c->out.bytes.base, c->out.bytes.capacity);
	c->secret = false;
	if (c->out.bytes.capacity > KEEP_BYTES)
		buf_shrink(&c->out.bytes);
}

static void
chan_flush(struct chan *c)
{
	int r;

	frame_end(&c->out);
	if (c->blocked || c->wire.broken)
		return;
	r = wire_write(&c->wire, &c->out.bytes);
	if (r == E_PARTIAL) {
		c->blocked = true;
		event_add(c->writable, NULL);
	} else if (r == E_SYSTEM) {
		log_error("channel to %s: cannot be written: %s", c->name, strerror(errno));
		c->error = E_SYSTEM;
	}
	if (r != E_PARTIAL)
		buf_reset(&c->out.bytes);
	if (buf_len(&c->out.bytes) == 0)
		chan_tidy(c);
}

static void
chan_on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct chan *c = arg;

	(void)fd, (void)what;
	c->blocked = false;
	chan_flush(c);
}

static void
chan_free(void *arg)
{
	struct chan *c = arg;

	event_free(c->readable);
	event_free(c->writable);
	loop_timer_close(&c->hello_timer);
	chan_tidy(c);
	buf_fini(&c->out.bytes);
	mem_free(&c);
}

static void
chan_on_turn_end(void *arg)
{
	struct chan *c = arg;

	c->gathering = false;
	if (c->unowned)
		loop_free_later(c->loop, chan_free, c);
	else if (c->state != CHAN_OVER)
		chan_flush(c);
}

/* What has gathered leaves at the end of the turn; much of it at once, so that the peer works while we do, and
 * descriptors too, of which few may wait. */
static void
chan_sent(struct chan *c)
{
	if (c->out.open >= CHAN_FRAME_FULL)
		frame_end(&c->out);
	if (buf_len(&c->out.bytes) >= CHAN_WRITE_BYTES || c->wire.out_count > 0) {
		chan_flush(c);
	} else if (!c->gathering) {
		c->gathering = true;
		loop_at_end(c->loop, chan_on_turn_end, c);
	}
}

static void
chan_say_hello(struct chan *c, const char *self_slot)
{
	struct msg_hello hello = { .protocol = msg_protocol_id(), .pid = (uint64_t)getpid() };

	if (text_copy(hello.slot, sizeof(hello.slot), self_slot) != E_OK ||
	    frame_put(&c->out, MSG_HELLO, &hello) != E_OK)
		panic("channel to %s: hello does not fit", c->name);
	chan_flush(c);
}

static int
chan_on_hello(struct chan *c, const struct msg_hello *hello, const char **why)
{
	if (c->state != CHAN_GREETING)
		*why = "a second hello";
	else if (hello->protocol != msg_protocol_id())
		*why = "its message table is not ours";
	else if (!text_is_printable(hello->slot, strlen(hello->slot)) ||
		 (role_of_slot(hello->slot) & c->peer) == 0)
		*why = "a hello in the name of another role";
	else if (hello->pid == 0 || hello->pid > INT_MAX)
		*why = "a hello of no process";
	else
		*why = NULL;
	if (*why != NULL)
		return E_PROTOCOL;
	text_copy(c->name, sizeof(c->name), hello->slot);
	loop_timer_clear(&c->hello_timer);
	chan_move(c, CHAN_OPEN);
	if (c->hooks->opened != NULL)
		c->hooks->opened(c, c->name, (int)hello->pid, c->owner);
	return E_OK;
}

/* Whether this peer may say this to us at all. */
static int
chan_admits(const struct chan *c, enum msg_type type, const char **why)
{
	if (c->state == CHAN_GREETING && type != MSG_HELLO) {
		*why = "a message before hello";
		return E_PROTOCOL;
	}
	if ((c->may_hear & BIT(type)) == 0) {
		*why = "a message its role may not send here";
		return E_PROTOCOL;
	}
	return E_OK;
}

static int
chan_dispatch(struct chan *c, enum msg_type type, const union msg_any *message, bool carries,
    const char **why)
{
	int fd = -1, r;

	if ((r = chan_admits(c, type, why)) != E_OK)
		return r;
	if (carries && (fd = wire_take_fd(&c->wire)) < 0) {
		*why = "a frame that tells of a descriptor and has none";
		return E_PROTOCOL;
	}
	if (type == MSG_HELLO) {
		if (fd >= 0)
			close(fd);
		return chan_on_hello(c, &message->hello, why);
	}
	c->counts.received++;
	c->hooks->message(c, type, message, fd, c->owner);
	return E_OK;
}

static int
chan_handle(struct chan *c, const char **why)
{
	union msg_any message;
	enum msg_type type = 0;
	bool carries;
	int r;

	while (c->state != CHAN_OVER) {
		r = frame_next(&c->in, &type, &message, &carries, why);
		if (r == E_PARTIAL)
			break;
		if (r == E_OK)
			r = chan_dispatch(c, type, &message, carries, why);
		if (type == MSG_SETTING)
			mem_wipe(&message, sizeof(message));
		if (r != E_OK)
			return r;
	}
	if (c->state != CHAN_OVER && c->wire.in_count > (frame_expects_fd(&c->in) ? 1U : 0U)) {
		*why = "a descriptor that belongs to no message";
		return E_PROTOCOL;
	}
	return E_OK;
}

static void
chan_receive(struct chan *c)
{
	const char *why = NULL;
	int r;

	if ((r = wire_read(&c->wire, &c->in, &why)) == E_PARTIAL)
		return;
	if (r == E_OK)
		r = chan_handle(c, &why);
	if (r == E_CLOSED && c->error != E_OK)
		chan_over(c, c->error, "it could not be written");
	else if (r != E_OK)
		chan_over(c, r, why);
}

static void
chan_on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	chan_receive(arg);
}

static void
chan_on_hello_late(void *arg)
{
	chan_over(arg, E_PROTOCOL, "no hello in time");
}

/* The types that `sender` may send to `receiver`. */
static uint64_t
chan_types(enum role sender, enum role receiver)
{
	const struct msg_desc *d;
	uint64_t set = 0;
	unsigned type;

	for (type = 0; type < MSG_TYPE_MAX; type++)
		if ((d = msg_desc(type)) != NULL && d->senders & sender && d->receivers & receiver)
			set |= BIT(type);
	return set;
}

static struct event *
chan_event(struct chan *c, short what, event_callback_fn fn)
{
	struct event *event = event_new(loop_base(c->loop), c->wire.fd, what, fn, c);

	if (event == NULL)
		fatal(EXIT_WITH_SYSTEM, "out of memory: an event was refused");
	return event;
}

static struct chan *
chan_new(struct loop *loop, int fd, enum role self, enum role peer, size_t queue_bytes,
    const struct chan_hooks *hooks, void *owner)
{
	struct chan *c = mem_alloc(sizeof(*c));

	assert(queue_bytes >= CHAN_QUEUE_MIN);
	evutil_make_socket_nonblocking(fd);
	evutil_make_socket_closeonexec(fd);
	c->loop = loop;
	c->self = self;
	c->peer = peer;
	c->may_say = chan_types(self, peer) & ~BIT(MSG_HELLO);
	c->may_hear = chan_types(peer, self);
	c->hooks = hooks;
	c->owner = owner;
	text_copy(c->name, sizeof(c->name), role_name(peer));
	wire_init(&c->wire, fd, (peer & ROLE_MASTER) != 0);
	buf_init(&c->out.bytes, queue_bytes);
	c->readable = chan_event(c, EV_READ | EV_PERSIST, chan_on_readable);
	c->writable = chan_event(c, EV_WRITE, chan_on_writable);
	loop_timer_open(loop, &c->hello_timer, chan_on_hello_late, c);
	event_add(c->readable, NULL);
	return c;
}

struct chan *
chan_open(struct loop *loop, int fd, enum role self, enum role peer, const char *self_slot,
    size_t queue_bytes, const struct chan_hooks *hooks, void *owner)
{
	struct chan *c = chan_new(loop, fd, self, peer, queue_bytes, hooks, owner);

	loop_timer_set(&c->hello_timer, CHAN_HELLO_MS);
	chan_say_hello(c, self_slot);
	return c;
}

struct chan *
chan_adopt(struct loop *loop, int fd, enum role self, enum role peer, const char *peer_slot,
    size_t queue_bytes, const struct chan_hooks *hooks, void *owner)
{
	struct chan *c = chan_new(loop, fd, self, peer, queue_bytes, hooks, owner);

	(void)text_copy(c->name, sizeof(c->name), peer_slot);
	chan_move(c, CHAN_OPEN);
	return c;
}

int
chan_is_quiet(struct chan *c)
{
	if (c->state != CHAN_OPEN || c->wire.broken)
		return 0;
	chan_flush(c);
	return buf_len(&c->out.bytes) == 0 && c->wire.out_count == 0 && c->wire.in_count == 0 &&
	       c->in.left == 0 && c->in.end == c->in.start;
}

void
chan_close(struct chan **cp)
{
	struct chan *c = *cp;

	if (c == NULL)
		return;
	*cp = NULL;
	if (c->state != CHAN_OVER) {
		c->blocked = false;
		chan_flush(c);
		chan_mute(c);
		chan_move(c, CHAN_OVER);
		c->error = E_CLOSED;
	}
	wire_fini(&c->wire);
	c->wire.broken = true;
	c->unowned = true;
	if (!c->gathering)
		loop_free_later(c->loop, chan_free, c);
}

static void
chan_check_allowed(const struct chan *c, enum msg_type type)
{
	if ((unsigned)type >= MSG_TYPE_MAX || (c->may_say & BIT(type)) == 0)
		panic("channel to %s: message type %d may not be sent here", c->name, (int)type);
}

static int
chan_count(struct chan *c, int r)
{
	if (r == E_OK)
		c->counts.sent++;
	else if (r == E_FULL)
		c->counts.refused++;
	return r;
}

int
chan_send(struct chan *c, enum msg_type type, const void *message)
{
	int r;

	chan_check_allowed(c, type);
	if (c->wire.broken)
		return E_CLOSED;
	if (type == MSG_SETTING)
		c->secret = true;
	if ((r = frame_put(&c->out, type, message)) == E_OK)
		chan_sent(c);
	return chan_count(c, r);
}

int
chan_send_fd(struct chan *c, enum msg_type type, const void *message, int fd)
{
	int copy = -1, r;

	chan_check_allowed(c, type);
	assert((c->self & ROLE_MASTER) != 0);
	if (c->wire.broken)
		return E_CLOSED;
	frame_end(&c->out);
	if ((copy = fcntl(fd, F_DUPFD_CLOEXEC, 0)) < 0)
		return E_SYSTEM;
	r = wire_add_fd(&c->wire, c->wire.sent + buf_len(&c->out.bytes), copy);
	if (r == E_OK && (r = frame_put_carrying(&c->out, type, message)) != E_OK)
		c->wire.out_count--;
	if (r == E_OK)
		chan_sent(c);
	else
		close(copy);
	return chan_count(c, r);
}

size_t
chan_queued(const struct chan *c)
{
	return buf_len(&c->out.bytes);
}

size_t
chan_room(const struct chan *c)
{
	return c->wire.broken ? 0 : c->out.bytes.limit - buf_len(&c->out.bytes);
}

int
chan_is_open(const struct chan *c)
{
	return c->state == CHAN_OPEN && !c->wire.broken;
}

int
chan_fd(const struct chan *c)
{
	return c->wire.fd;
}

void
chan_counts(const struct chan *c, struct chan_counts *out)
{
	*out = c->counts;
}

int
chan_wait(struct chan *c, const bool *done, int64_t timeout_ms)
{
	int64_t end = clock_mono() + timeout_ms * CLOCK_MS, left;
	struct pollfd p;

	while (!*done) {
		if (c->state == CHAN_OVER)
			return c->error;
		c->blocked = false;
		chan_flush(c);
		p = (struct pollfd){ .fd = c->wire.fd, .events = POLLIN };
		if (c->blocked)
			p.events |= POLLOUT;
		left = (end - clock_mono() + CLOCK_MS - 1) / CLOCK_MS;
		if (left <= 0 || poll(&p, 1, left < INT_MAX ? (int)left : INT_MAX) == 0)
			return E_UPSTREAM_TIMEOUT;
		if (p.revents & (POLLIN | POLLHUP | POLLERR))
			chan_receive(c);
	}
	return E_OK;
}
