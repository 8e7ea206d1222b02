/* sync.c - a thread that forces files to disk, so that a slow disk does not hold up who writes the journal.
 *
 * It owns the descriptors given to it and touches nothing else of a journal. It never logs: what it has to say is
 * picked up by the writer. A disk that never answers must not keep the process from ending, so closing waits a
 * bounded time and then leaves the thread to itself: it frees what it was given.
 */
#include "journal_room.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "mem.h"

#define SYNC_JOBS    8 /* segments that wait; a disk further behind makes the writer wait */
#define SYNC_STACK   (256 * 1024)
#define SYNC_END_SEC 2

struct sync_job {
	int fd;
	bool round; /* of the periodic sync, not a segment left behind */
};

struct syncer {
	pthread_t thread;
	pid_t pid; /* a fork has no thread */
	pthread_mutex_t lock;
	pthread_cond_t given, ended;
	struct sync_job jobs[SYNC_JOBS];
	size_t first, count; /* the first is in work */
	int rounds;	     /* jobs of the periodic sync not done yet */
	int error;	     /* errno of a failure not told yet */
	bool quit, gone, abandoned;
};

static void
syncer_free(struct syncer *s)
{
	pthread_cond_destroy(&s->given);
	pthread_cond_destroy(&s->ended);
	pthread_mutex_destroy(&s->lock);
	mem_free(&s);
}

/* fsync, as folders are among them; a segment's size changes with nearly every sync anyway. */
static int
job_do(const struct sync_job *job)
{
	int error = fsync(job->fd) == 0 ? 0 : errno;

	close(job->fd);
	return error;
}

static void *
syncer_run(void *arg)
{
	struct syncer *s = arg;
	struct sync_job job;
	bool abandoned;
	int error;

	pthread_mutex_lock(&s->lock);
	while (s->count > 0 || !s->quit) {
		if (s->count == 0) {
			pthread_cond_wait(&s->given, &s->lock);
			continue;
		}
		job = s->jobs[s->first];
		pthread_mutex_unlock(&s->lock);
		error = job_do(&job);
		pthread_mutex_lock(&s->lock);
		s->first = (s->first + 1) % SYNC_JOBS;
		s->count--;
		s->rounds -= job.round;
		if (error != 0)
			s->error = error;
	}
	s->gone = true;
	abandoned = s->abandoned;
	pthread_cond_signal(&s->ended);
	pthread_mutex_unlock(&s->lock);
	if (abandoned)
		syncer_free(s);
	return NULL;
}

/* Signals are the main thread's. */
static int
syncer_start(struct syncer *s)
{
	pthread_attr_t attr;
	sigset_t all, before;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, SYNC_STACK);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&s->thread, &attr, syncer_run, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return r == 0 ? E_OK : E_SYSTEM;
}

int
syncer_open(struct syncer **result)
{
	struct syncer *s = mem_alloc(sizeof(*s));
	pthread_condattr_t attr;

	s->pid = getpid();
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->given, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->ended, &attr);
	pthread_condattr_destroy(&attr);
	if (syncer_start(s) != E_OK) {
		syncer_free(s);
		return E_SYSTEM;
	}
	*result = s;
	return E_OK;
}

void
syncer_close(struct syncer **syncer)
{
	struct syncer *s = *syncer;
	struct timespec until;
	bool gone;

	*syncer = NULL;
	if (s == NULL || s->pid != getpid())
		return;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += SYNC_END_SEC;
	pthread_mutex_lock(&s->lock);
	s->quit = true;
	pthread_cond_signal(&s->given);
	while (!s->gone && pthread_cond_timedwait(&s->ended, &s->lock, &until) == 0)
		;
	gone = s->gone;
	s->abandoned = !gone;
	if (!gone)
		pthread_detach(s->thread);
	pthread_mutex_unlock(&s->lock);
	if (!gone)
		return;
	pthread_join(s->thread, NULL);
	syncer_free(s);
}

int
syncer_give(struct syncer *s, int fd, bool round)
{
	int r = E_FULL;

	if (s->pid != getpid())
		return E_SYSTEM;
	pthread_mutex_lock(&s->lock);
	if (s->count < SYNC_JOBS) {
		s->jobs[(s->first + s->count++) % SYNC_JOBS] = (struct sync_job){ fd, round };
		s->rounds += round;
		pthread_cond_signal(&s->given);
		r = E_OK;
	}
	pthread_mutex_unlock(&s->lock);
	return r;
}

bool
syncer_look(struct syncer *s, int *error)
{
	bool busy;

	*error = 0;
	if (s->pid != getpid())
		return false;
	pthread_mutex_lock(&s->lock);
	busy = s->rounds > 0;
	*error = s->error;
	s->error = 0;
	pthread_mutex_unlock(&s->lock);
	return busy;
}
