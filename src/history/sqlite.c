/* sqlite.c - history out of the SQLite file: a thread reads, so that a disk never holds up the loop.
 *
 * Questions go to the thread in a bounded queue, answers come back through an eventfd. The thread has every signal
 * blocked, logs nothing and shares nothing but its queues. A question nobody waits for any more is left where it is
 * noticed: before it is begun, or by SQLite's own progress hook.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "history_room.h"
#include "log.h"
#include "mem.h"
#include "sqlite_read.h"

/* A disk that does not come back must not keep the process from ending. */
#define JOIN_PATIENCE_S 2

struct reader {
	struct history *history;
	struct event *event;
	int fd;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t given;
	struct history_tickets queue, done; /* under the lock */
	struct history_ticket *in_hand;
	unsigned waiting;
	bool stopping;
	struct sqlite_read *file; /* the thread's */
};

static void
reader_tell(struct reader *r)
{
	uint64_t one = 1;

	/* It can only be full, and then it rings already. */
	while (write(r->fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static struct history_ticket *
reader_next(struct reader *r)
{
	struct history_ticket *t = NULL;

	pthread_mutex_lock(&r->lock);
	while (!r->stopping && TAILQ_EMPTY(&r->queue))
		pthread_cond_wait(&r->given, &r->lock);
	if (!r->stopping) {
		t = r->in_hand = TAILQ_FIRST(&r->queue);
		TAILQ_REMOVE(&r->queue, t, queue);
	}
	pthread_mutex_unlock(&r->lock);
	return t;
}

static void
reader_finish(struct reader *r, struct history_ticket *t)
{
	pthread_mutex_lock(&r->lock);
	TAILQ_INSERT_TAIL(&r->done, t, queue);
	r->in_hand = NULL;
	pthread_mutex_unlock(&r->lock);
	reader_tell(r);
}

static void *
reader_run(void *arg)
{
	struct reader *r = arg;
	struct history_ticket *t;

	while ((t = reader_next(r)) != NULL) {
		if (!atomic_load(&t->gone))
			sqlite_read(r->file, t);
		reader_finish(r, t);
	}
	sqlite_read_close(&r->file);
	return NULL;
}

static void
reader_on_event(evutil_socket_t fd, short what, void *owner)
{
	struct history_tickets done = TAILQ_HEAD_INITIALIZER(done);
	struct reader *r = owner;
	struct history_ticket *t;
	uint64_t rung;

	(void)what;
	if (read(fd, &rung, sizeof(rung)) < 0)
		return; /* rung for what an earlier call took */
	pthread_mutex_lock(&r->lock);
	TAILQ_CONCAT(&done, &r->done, queue);
	pthread_mutex_unlock(&r->lock);
	while ((t = TAILQ_FIRST(&done)) != NULL) {
		TAILQ_REMOVE(&done, t, queue);
		r->waiting--;
		history_done(t);
	}
}

static void
reader_start(struct reader *r)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&r->thread, NULL, reader_run, r) != 0)
		fatal(EXIT_WITH_SYSTEM, "history: no thread can be made to read the store");
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void *
reader_open(struct history *h, const struct conf *conf)
{
	struct reader *r = mem_alloc(sizeof(*r));

	r->history = h;
	TAILQ_INIT(&r->queue);
	TAILQ_INIT(&r->done);
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->given, NULL);
	r->file = sqlite_read_new(conf->state_dir);
	if ((r->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
		fatal(EXIT_WITH_SYSTEM, "history: no descriptor: %s", strerror(errno));
	r->event =
	    event_new(loop_base(history_loop(h)), r->fd, EV_READ | EV_PERSIST, reader_on_event, r);
	if (r->event == NULL || event_add(r->event, NULL) != 0)
		fatal(EXIT_WITH_SYSTEM, "history: out of memory");
	reader_start(r);
	return r;
}

static int
reader_ask(void *store, struct history_ticket *t)
{
	struct reader *r = store;

	if (r->waiting >= HISTORY_WAITING_MAX)
		return E_OVERLOADED;
	r->waiting++;
	pthread_mutex_lock(&r->lock);
	TAILQ_INSERT_TAIL(&r->queue, t, queue);
	pthread_cond_signal(&r->given);
	pthread_mutex_unlock(&r->lock);
	return E_OK;
}

static void
reader_give_back(struct history_tickets *list)
{
	struct history_ticket *t;

	while ((t = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, t, queue);
		history_done(t);
	}
}

/* What is left to a thread that hangs in the disk is left to it: the process is about to end. */
static void
reader_close(void *store)
{
	struct reader *r = store;
	struct timespec until;

	event_free(r->event);
	pthread_mutex_lock(&r->lock);
	r->stopping = true;
	pthread_cond_signal(&r->given);
	pthread_mutex_unlock(&r->lock);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += JOIN_PATIENCE_S;
	if (pthread_timedjoin_np(r->thread, NULL, &until) != 0) {
		log_warn("history sqlite: a read hangs in the disk and is left behind");
		return;
	}
	reader_give_back(&r->queue);
	reader_give_back(&r->done);
	close(r->fd);
	pthread_cond_destroy(&r->given);
	pthread_mutex_destroy(&r->lock);
	mem_free(&r);
}

const struct history_kind history_sqlite = {
	.name = "sqlite",
	.open = reader_open,
	.close = reader_close,
	.ask = reader_ask,
};
