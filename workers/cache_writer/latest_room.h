/* latest_room.h - the sink itself: what its files share. */
#ifndef LATEST_ROOM_H
#define LATEST_ROOM_H
#include "clock.h"
#include "label.h"
#include "latest_known.h"
#include "latest_sink.h"
#include "session.h"

#define LATEST_INSTANCE 24

struct latest {
	struct loop *loop;
	const struct conf *conf;
	struct stats *stats;
	struct redis *redis;
	struct redis_bounds bounds;
	char instance[LATEST_INSTANCE]; /* of this state directory, among gateways */
	char sha[REDIS_SHA];
	bool whole_script; /* the server may not know it yet */
	struct latest_source *sources;
	size_t source_count;
	struct latest_batch batches[2];
	struct latest_batch *gathered, *flying;
	/* the batch on its way */
	size_t outstanding; /* commands without an answer */
	size_t positions;   /* of those that keep a position */
	bool flight;
	size_t rows_sent, entries_sent; /* of it */
	bool more; /* the journals held more than was read */
	int64_t flight_ns;
	size_t rows_answered; /* in the order they were sent */
	bool alone; /* nobody else wrote since this sink began to be the last one who did */
	bool begins; /* it does so with this batch */
	unsigned flight_cause; /* REDIS_WELL, or the first failure */
	char flight_why[REDIS_WHY];
	struct buf command;
	/* of what it wrote; see latest_known.c */
	struct latest_known known;
	char writer[LATEST_INSTANCE]; /* another one each time it begins */
	bool sole; /* it wrote last, when it was last told */
	int64_t together_until; /* somebody else writes too: compared until then */
	/* an episode */
	bool failing, refused; /* refused: it answered, and not well */
	int64_t failing_since;
	struct backoff backoff;
	struct loop_timer work, check;
	int64_t pinged_ns; /* 0: none on its way */
	struct market_clock clock; /* the last of any journal */
	/* draining */
	int64_t drain_until;
	void (*drained)(void *);
	void *drained_arg;
};

/* latest_send.c */
void latest_send(struct latest *);	/* what was gathered; none is on its way */
void latest_send_more(struct latest *); /* the next part of it */
bool latest_may_send(const struct latest *);
void latest_position_ask(struct latest *, struct latest_source *);
void latest_ping(struct latest *);
void latest_failed(struct latest *, unsigned cause, const char *why);
void latest_works(struct latest *);
/* latest_sink.c */
void latest_rewind(struct latest *);
void latest_drain_check(struct latest *);

#endif /* LATEST_ROOM_H */
