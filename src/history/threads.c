/* threads.c - threads that read the store, so that neither a disk, a network nor a name server holds up the loop.
 *
 * Questions go to the threads in a bounded queue, answers come back through an eventfd. The threads have every signal
 * blocked, log nothing and share nothing but the queues. A question nobody waits for any more is left where it is
 * noticed: before it is begun, or where its reader looks.
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

/* A disk that does not come back must not keep the process from ending. */
#define JOIN_PATIENCE_S 2

#define THREADS_MAX	4

struct threads;

struct thread {
	struct threads *of;
	pthread_t id;
	void *store; /* the thread's own */
};

struct threads {
	struct history *history;
	const struct history_kind *kind;
	struct event *event;
	int fd;
	struct thread all[THREADS_MAX];
	pthread_mutex_t lock;
	pthread_cond_t given;
	struct history_tickets queue, done; /* under the lock */
	unsigned waiting;
	atomic_bool stopping;
};

static void
threads_tell(struct threads *r)
{
	uint64_t one = 1;

	/* It can only be full, and then it rings already. */
	while (write(r->fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static struct history_ticket *
threads_next(struct threads *r)
{
	struct history_ticket *t = NULL;

	pthread_mutex_lock(&r->lock);
	while (!r->stopping && TAILQ_EMPTY(&r->queue))
		pthread_cond_wait(&r->given, &r->lock);
	if (!r->stopping) {
		t = TAILQ_FIRST(&r->queue);
		TAILQ_REMOVE(&r->queue, t, queue);
	}
	pthread_mutex_unlock(&r->lock);
	return t;
}

static void
threads_finish(struct threads *r, struct history_ticket *t)
{
	pthread_mutex_lock(&r->lock);
	TAILQ_INSERT_TAIL(&r->done, t, queue);
	pthread_mutex_unlock(&r->lock);
	threads_tell(r);
}

static void *
thread_run(void *arg)
{
	struct thread *own = arg;
	struct threads *r = own->of;
	struct history_ticket *t;

	while ((t = threads_next(r)) != NULL) {
		if (!atomic_load(&t->gone))
			r->kind->read(own->store, t);
		threads_finish(r, t);
	}
	r->kind->end(&own->store);
	return NULL;
}

static void
threads_on_event(evutil_socket_t fd, short what, void *owner)
{
	struct history_tickets done = TAILQ_HEAD_INITIALIZER(done);
	struct threads *r = owner;
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
thread_start(struct threads *r, struct thread *own, const struct conf *conf)
{
	sigset_t all, before;

	own->of = r;
	own->store = r->kind->begin(conf, &r->stopping);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&own->id, NULL, thread_run, own) != 0)
		fatal(EXIT_WITH_SYSTEM, "history: no thread can be made to read the store");
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct threads *
threads_open(struct history *h, const struct history_kind *kind, const struct conf *conf)
{
	struct threads *r = mem_alloc(sizeof(*r));

	r->history = h;
	r->kind = kind;
	TAILQ_INIT(&r->queue);
	TAILQ_INIT(&r->done);
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->given, NULL);
	if ((r->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
		fatal(EXIT_WITH_SYSTEM, "history: no descriptor: %s", strerror(errno));
	r->event =
	    event_new(loop_base(history_loop(h)), r->fd, EV_READ | EV_PERSIST, threads_on_event, r);
	if (r->event == NULL || event_add(r->event, NULL) != 0)
		fatal(EXIT_WITH_SYSTEM, "history: out of memory");
	for (unsigned i = 0; i < kind->threads; i++)
		thread_start(r, &r->all[i], conf);
	return r;
}

int
threads_ask(struct threads *r, struct history_ticket *t)
{
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
threads_give_back(struct history_tickets *list)
{
	struct history_ticket *t;

	while ((t = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, t, queue);
		history_done(t);
	}
}

/* What is left to a thread that hangs is left to it: the process is about to end. */
void
threads_close(struct threads *r)
{
	struct timespec until;
	unsigned hang = 0;

	event_free(r->event);
	pthread_mutex_lock(&r->lock);
	r->stopping = true;
	pthread_cond_broadcast(&r->given);
	pthread_mutex_unlock(&r->lock);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += JOIN_PATIENCE_S;
	for (unsigned i = 0; i < r->kind->threads; i++)
		hang += pthread_timedjoin_np(r->all[i].id, NULL, &until) != 0;
	if (hang > 0) {
		log_warn("history %s: a read hangs and is left behind", r->kind->name);
		return;
	}
	threads_give_back(&r->queue);
	threads_give_back(&r->done);
	close(r->fd);
	pthread_cond_destroy(&r->given);
	pthread_mutex_destroy(&r->lock);
	mem_free(&r);
}
