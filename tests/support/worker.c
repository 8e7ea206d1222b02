/* worker.c - a worker for the tests of proc and master: lives as proc.h says and misbehaves on demand.
 *
 * <state.dir>/<slot>.mode says how, in a word and a number; a mode that begins with "once" is forgotten when
 * read, so that the successor behaves. What happens is appended to <state.dir>/events as
 * "<slot> <pid> <monotonic ns> <what>".
 */
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "proc.h"
#include "text.h"

#define WORKER_BOARD_FD 100 /* stage.c knows it */

extern char **environ;

struct worker {
	struct proc *proc;
	char mode[32];
	int number;
	char fds[256]; /* open when main began */
	struct loop_timer timer;
};

static void
worker_say(struct worker *w, const char *what, const char *more)
{
	char path[400], line[512];
	int fd, n;

	snprintf(path, sizeof(path), "%s/events", w->proc->conf.state_dir);
	n = snprintf(line, sizeof(line), "%s %d %" PRId64 " %s%s%s\n", w->proc->slot, (int)getpid(),
	    clock_mono(), what, more[0] ? " " : "", more);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, line, (size_t)n) != n)
		abort();
	close(fd);
}

/* Copies of the board stay open, far above, for the test to look through. */
static void
worker_note_fds(struct worker *w)
{
	char one[16];
	int fd;

	for (fd = 0; fd < 1024; fd++) {
		if (fcntl(fd, F_GETFD) < 0)
			continue;
		snprintf(one, sizeof(one), "%s%d", w->fds[0] ? " " : "", fd);
		strncat(w->fds, one, sizeof(w->fds) - strlen(w->fds) - 1);
	}
	fcntl(PROC_FD_BOARD_RW, F_DUPFD_CLOEXEC, WORKER_BOARD_FD);
	fcntl(PROC_FD_BOARD_RO, F_DUPFD_CLOEXEC, WORKER_BOARD_FD + 1);
}

static void
worker_read_mode(struct worker *w)
{
	char path[400], line[64] = "", first[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.mode", w->proc->conf.state_dir, w->proc->slot);
	if ((f = fopen(path, "re")) == NULL)
		return;
	if (fgets(line, sizeof(line), f) == NULL)
		line[0] = '\0';
	fclose(f);
	if (sscanf(line, "once %31s %d", w->mode, &w->number) >= 1)
		unlink(path);
	else if (sscanf(line, "%31s %d", first, &w->number) >= 1)
		(void)text_copy(w->mode, sizeof(w->mode), first);
}

static bool
worker_is(const struct worker *w, const char *mode)
{
	return strcmp(w->mode, mode) == 0;
}

static void
worker_flood(void *arg)
{
	struct worker *w = arg;
	struct msg_ready ready = { 0 };
	int i;

	for (i = 0; i < 1000; i++)
		if (chan_send(w->proc->master, MSG_READY, &ready) != E_OK)
			break;
	loop_timer_set(&w->timer, 0);
}

static void
worker_peer_up(struct peer *peer, void *owner)
{
	struct worker *w = owner;
	static const char noise[] = "\0\0\0\4nois";

	struct msg_peer_lost lost = { .link = peer->link, .error = E_PROTOCOL };

	worker_say(w, "up", peer->slot);
	if (worker_is(w, "accuse") && chan_send(w->proc->master, MSG_PEER_LOST, &lost) != E_OK)
		abort();
	if (worker_is(w, "babble") && write(chan_fd(peer->chan), noise, 8) == 8)
		w->mode[0] = '\0';
	if (worker_is(w, "hangup")) {
		w->mode[0] = '\0';
		shutdown(chan_fd(peer->chan), SHUT_RDWR);
	}
}

static void
worker_peer_down(struct peer *peer, void *owner)
{
	worker_say(owner, "down", peer->slot);
}

static void
worker_listener(int fd, const char *name, void *owner)
{
	int listening = 0;
	socklen_t len = sizeof(listening);

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 && listening)
		worker_say(owner, "listener", name);
	close(fd);
}

static void
worker_drained(void *arg)
{
	struct worker *w = arg;

	worker_say(w, "drained", "");
	proc_finished(w->proc);
}

static void
worker_drain(int64_t timeout_ms, void *owner)
{
	struct worker *w = owner;

	(void)timeout_ms;
	worker_say(w, "drain", "");
	if (worker_is(w, "stuck"))
		for (;;)
			pause();
	loop_timer_close(&w->timer);
	loop_timer_open(w->proc->loop, &w->timer, worker_drained, w);
	loop_timer_set(&w->timer, 20);
}

static const struct proc_hooks worker_hooks = {
	.peer_up = worker_peer_up,
	.peer_down = worker_peer_down,
	.listener = worker_listener,
	.drain = worker_drain,
};

static void
worker_begun(struct worker *w)
{
	char **e, number[32];

	worker_read_mode(w);
	worker_say(w, "begin", w->mode);
	worker_say(w, "fds", w->fds);
	for (e = environ; *e != NULL; e++)
		worker_say(w, "env", *e);
	worker_say(w, "secret", w->proc->conf.alpaca_secret[0] ? "held" : "absent");
	snprintf(number, sizeof(number), "%" PRId64, w->proc->conf.http_header_timeout);
	worker_say(w, "header_timeout", number);
	if (worker_is(w, "exit"))
		exit(w->number);
	if (worker_is(w, "abort"))
		abort();
	if (worker_is(w, "slow"))
		usleep((useconds_t)w->number * 1000);
	if (worker_is(w, "never"))
		for (;;)
			pause();
}

static int __attribute__((noinline)) worker_overflow(int depth)
{
	volatile char room[4096];

	room[depth % 4096] = (char)depth;
	return worker_overflow(depth + 1) + room[0];
}

/* Touches a page of a file that is not there any more. */
static void
worker_bus(struct worker *w)
{
	char path[400], *page;
	int fd;

	snprintf(path, sizeof(path), "%s/short", w->proc->conf.state_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	page[0] = 1;
}

static void __attribute__((noinline)) worker_crash(struct worker *w)
{
	static volatile int zero;
	static volatile uintptr_t eight = 8; /* the compiler must not see it coming */

	if (worker_is(w, "segv"))
		*(volatile int *)eight = 1;
	if (worker_is(w, "fpe"))
		zero = 100 / zero;
	if (worker_is(w, "ill"))
		__builtin_trap();
	if (worker_is(w, "bus"))
		worker_bus(w);
	if (worker_is(w, "overflow"))
		zero = worker_overflow(0);
	if (worker_is(w, "kill"))
		kill(getpid(), SIGKILL);
	if (worker_is(w, "die"))
		abort();
	if (worker_is(w, "leave"))
		exit(w->number);
}

static void
worker_hang(struct worker *w)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	int ends[2];
	char byte;

	if (worker_is(w, "loop"))
		for (;;)
			(void)*(volatile int *)&w->number;
	if (worker_is(w, "deadlock")) {
		pthread_mutex_lock(&lock);
		pthread_mutex_lock(&lock);
	}
	if (worker_is(w, "read") && pipe2(ends, O_CLOEXEC) == 0)
		(void)!read(ends[0], &byte, 1);
	if (worker_is(w, "stop"))
		kill(getpid(), SIGSTOP);
	stats_patience(&w->proc->stats, 30000);
	if (worker_is(w, "patient"))
		kill(getpid(), SIGSTOP);
	if (worker_is(w, "disk") && vfork() == 0) { /* its parent waits as for a disk */
		usleep(1500 * 1000);
		_exit(0);
	}
	stats_patience(&w->proc->stats, 0);
}

/* Uses half of its time, and its loop turns: no hang, however busy the machine is. */
static void
worker_busy(void *arg)
{
	struct worker *w = arg;
	int64_t until = clock_mono() + 40 * CLOCK_MS;

	while (clock_mono() < until)
		;
	loop_timer_close(&w->timer);
	loop_timer_open(w->proc->loop, &w->timer, worker_busy, w);
	loop_timer_set(&w->timer, 1);
}

/* From within the loop, as a handler would. */
static void
worker_fail(void *arg)
{
	struct worker *w = arg;

	stats_doing(&w->proc->stats, "GET", "/api/v1/test", "id-7");
	log_warn("about to misbehave: %s", w->mode);
	worker_crash(w);
	worker_hang(w);
	stats_done(&w->proc->stats);
	if (worker_is(w, "busy"))
		worker_busy(w);
}

static void
worker_misbehave(struct worker *w)
{
	static const char noise[64] = "this is no frame of anything anybody ever declared";

	if (worker_is(w, "flood"))
		worker_flood(w);
	else if (w->mode[0] != '\0' && !worker_is(w, "babble") && !worker_is(w, "hangup") &&
		 !worker_is(w, "stuck") && !worker_is(w, "accuse") && !worker_is(w, "slow")) {
		loop_timer_close(&w->timer);
		loop_timer_open(w->proc->loop, &w->timer, worker_fail, w);
		loop_timer_set(&w->timer, 20);
	}
	if (worker_is(w, "garbage") && write(PROC_FD_CONTROL, noise, sizeof(noise)) < 0)
		abort();
	if (worker_is(w, "mute")) {
		shutdown(PROC_FD_CONTROL, SHUT_RDWR);
		for (;;)
			pause();
	}
}

int
main(int argc, char **argv)
{
	struct worker w = { .mode = "" };
	int code;

	worker_note_fds(&w);
	w.proc = proc_begin(argc == 3 ? role_of_slot(argv[2]) : 0, argc, argv);
	proc_confine(w.proc);
	proc_connect(w.proc, &worker_hooks, NULL, &w);
	loop_timer_open(w.proc->loop, &w.timer, worker_flood, &w);
	worker_begun(&w);
	proc_ready(w.proc);
	worker_misbehave(&w);
	proc_loop(w.proc);
	worker_say(&w, "end", "");
	loop_timer_close(&w.timer);
	code = proc_end(w.proc);
	return code;
}
