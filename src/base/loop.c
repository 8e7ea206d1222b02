/* loop.c - the event loop of a process.
 *
 * libevent runs the events; this adds what it has no word for: freeing after the turn, and work gathered
 * during a turn that must leave before the process sleeps again.
 */
#include "loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "mem.h"

struct loop_call {
	void (*fn)(void *);
	void *arg;
};

struct loop_calls {
	struct loop_call *rows;
	size_t count, capacity;
};

struct loop {
	struct event_base *base;
	struct loop_calls ends, frees;
	int64_t mono;
	bool mono_read; /* in this turn */
	bool stopping;
};

struct loop *
loop_new(void)
{
	struct event_config *config = event_config_new();
	struct loop *loop = mem_alloc(sizeof(*loop));

	/* One thread a process. */
	if (config == NULL)
		fatal(EXIT_WITH_SYSTEM, "out of memory: the event loop was refused");
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	loop->base = event_base_new_with_config(config);
	event_config_free(config);
	if (loop->base == NULL)
		fatal(EXIT_WITH_SYSTEM, "the event loop cannot be made (descriptors or memory)");
	return loop;
}

static void
loop_calls_add(struct loop_calls *c, void (*fn)(void *), void *arg)
{
	size_t capacity = c->capacity ? c->capacity * 2 : 16;

	if (c->count == c->capacity) {
		c->rows =
		    mem_grow(c->rows, c->capacity * sizeof(*c->rows), capacity * sizeof(*c->rows));
		c->capacity = capacity;
	}
	c->rows[c->count].fn = fn;
	c->rows[c->count].arg = arg;
	c->count++;
}

/* A call may add further ones: they run in the same sweep. */
static void
loop_calls_run(struct loop_calls *c)
{
	struct loop_call call;
	size_t i;

	for (i = 0; i < c->count; i++) {
		call = c->rows[i];
		call.fn(call.arg);
	}
	c->count = 0;
}

static void
loop_finish_turn(struct loop *loop)
{
	/* What is freed may leave work for the end of the turn, and the other way round. */
	while (loop->ends.count > 0 || loop->frees.count > 0) {
		loop_calls_run(&loop->ends);
		loop_calls_run(&loop->frees);
	}
}

void
loop_free(struct loop **lp)
{
	struct loop *loop = *lp;

	if (loop == NULL)
		return;
	loop_finish_turn(loop);
	event_base_free(loop->base);
	mem_free(&loop->ends.rows);
	mem_free(&loop->frees.rows);
	mem_free(lp);
}

struct event_base *
loop_base(struct loop *loop)
{
	return loop->base;
}

static void
loop_once(struct loop *loop, int flags)
{
	loop->mono_read = false;
	if (event_base_loop(loop->base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY | flags) < 0)
		panic("the event loop failed");
	loop_finish_turn(loop);
	loop->mono_read = false;
}

void
loop_run(struct loop *loop)
{
	loop->stopping = false;
	loop_finish_turn(loop);
	while (!loop->stopping)
		loop_once(loop, 0);
}

void
loop_stop(struct loop *loop)
{
	loop->stopping = true;
	event_base_loopbreak(loop->base);
}

static void
loop_nothing(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
}

void
loop_turn(struct loop *loop, int64_t max_wait_ms)
{
	struct timeval tv = { .tv_sec = max_wait_ms / 1000, .tv_usec = max_wait_ms % 1000 * 1000 };
	struct event *wake = evtimer_new(loop->base, loop_nothing, NULL);

	loop_finish_turn(loop);
	evtimer_add(wake, &tv);
	loop_once(loop, 0);
	event_free(wake);
}

void
loop_free_later(struct loop *loop, void (*fn)(void *), void *object)
{
	loop_calls_add(&loop->frees, fn, object);
}

void
loop_at_end(struct loop *loop, void (*fn)(void *), void *arg)
{
	loop_calls_add(&loop->ends, fn, arg);
}

int64_t
loop_mono(struct loop *loop)
{
	if (!loop->mono_read) {
		loop->mono = clock_mono();
		loop->mono_read = true;
	}
	return loop->mono;
}

static void
loop_timer_fire(evutil_socket_t fd, short what, void *arg)
{
	struct loop_timer *t = arg;

	(void)fd, (void)what;
	t->fn(t->arg);
}

void
loop_timer_open(struct loop *loop, struct loop_timer *t, void (*fn)(void *), void *arg)
{
	t->fn = fn;
	t->arg = arg;
	t->event = evtimer_new(loop->base, loop_timer_fire, t);
	if (t->event == NULL)
		fatal(EXIT_WITH_SYSTEM, "out of memory: a timer was refused");
}

void
loop_timer_set(struct loop_timer *t, int64_t ms)
{
	struct timeval tv = { 0 };

	if (ms > 0) { /* a time that has passed is now */
		tv.tv_sec = ms / 1000;
		tv.tv_usec = ms % 1000 * 1000;
	}
	evtimer_add(t->event, &tv);
}

void
loop_timer_clear(struct loop_timer *t)
{
	evtimer_del(t->event);
}

int
loop_timer_is_set(const struct loop_timer *t)
{
	return t->event != NULL && evtimer_pending(t->event, NULL);
}

void
loop_timer_close(struct loop_timer *t)
{
	if (t->event != NULL)
		event_free(t->event);
	t->event = NULL;
}
