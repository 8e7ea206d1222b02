/* loop.h - the event loop of a process: libevent, with freeing after the turn. */
#ifndef LOOP_H
#define LOOP_H
#include <event2/event.h>
#include <stdint.h>

struct loop;

struct loop	*loop_new(void);
void		 loop_free(struct loop **);	/* runs what is left of free_later */
struct event_base *loop_base(struct loop *);	/* borrowed; for plain libevent events */

void		 loop_run(struct loop *);	/* until loop_stop */
void		 loop_stop(struct loop *);
void		 loop_turn(struct loop *, int64_t max_wait_ms);	/* one turn; for tests */

/* Nobody frees an object inside its own callback: this runs fn(object) when the turn is over. */
void		 loop_free_later(struct loop *, void (*fn)(void *), void *object);
/* Runs fn(arg) once at the end of this turn, before waiting again; for flushing what gathered. */
void		 loop_at_end(struct loop *, void (*fn)(void *), void *arg);

/* A timer owned by its struct; fires once unless set again. */
struct loop_timer {
	struct event	*event;
	void		(*fn)(void *);
	void		*arg;
};
void		 loop_timer_open(struct loop *, struct loop_timer *, void (*fn)(void *), void *arg);
void		 loop_timer_set(struct loop_timer *, int64_t ms);	/* replaces an earlier setting */
void		 loop_timer_clear(struct loop_timer *);
int		 loop_timer_is_set(const struct loop_timer *);
void		 loop_timer_close(struct loop_timer *);

/* Clock read once a turn, in ns; cheap. Monotonic. */
int64_t		 loop_mono(struct loop *);

#endif /* LOOP_H */
