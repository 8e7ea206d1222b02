/* ends.h - a loop and one or two ends of a channel, recording what happens at each. */
#ifndef ENDS_H
#define ENDS_H
#include "chan.h"

#define END_KEPT 512

struct end {
	struct chan *chan;
	int opened, closed, error, pid;
	char slot[SLOT_NAME], why[128];
	size_t count;		       /* messages received */
	enum msg_type types[END_KEPT]; /* of the first ones */
	union msg_any first[END_KEPT];
	int fds[END_KEPT];
	bool stop_after_one; /* closes the channel within its own callback */
	bool got_one;
	uint64_t expected; /* ADVANCED must come as 1, 2, 3... */
	bool disorder;
};

struct ends {
	struct loop *loop;
	struct end a, b;
	int raw; /* the far end when no channel is on it */
};

#define QUEUE (256 * 1024)

/* Channels at both ends. */
void ends_open(struct ends *, enum role a, enum role b);
/* A channel at `a`; the test itself writes and reads e->raw (blocking). */
void ends_open_raw(struct ends *, enum role a, enum role b);
void ends_close(struct ends *);
/* Turns the loop until the condition holds; fails the test after five seconds. */
#define ends_until(e, condition)                                                                   \
	do {                                                                                       \
		int64_t end_ = clock_mono() + 5 * CLOCK_SEC;                                       \
		while (!(condition)) {                                                             \
			cr_assert_lt(clock_mono(), end_, "never came true: %s", #condition);       \
			loop_turn((e)->loop, 20);                                                  \
		}                                                                                  \
	} while (0)

/* A frame of what was encoded into `b`, written to the raw end. */
void ends_write(struct ends *, const void *, size_t);
void ends_write_frame(struct ends *, const void *, size_t);
void ends_write_hello(struct ends *, uint64_t protocol, const char *slot);

#endif /* ENDS_H */
