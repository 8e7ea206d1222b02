/* spawn.c - birth of a worker: fork and exec.
 *
 * The child inherits its control channel, the statistics board and the standard three, nothing else: no
 * other descriptor, no signal disposition or mask, no variable that is not listed here. It leaves the
 * terminal's session, so that Ctrl-C reaches the master alone.
 */
#include "master_room.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "mem.h"
#include "proc.h"
#include "text.h"

#define SPAWN_CONTROL_QUEUE (256u * 1024)
#define SPAWN_HIGH_FD	    10 /* above the numbers a child expects */

extern char **environ;

const enum role worker_roles[WORKER_ROLES] = { ROLE_FETCHER, ROLE_CACHE_WRITER, ROLE_HTTP,
	ROLE_TRACER };

/* What a worker may see of the environment; secrets and settings come over the channel. */
static const char *const spawn_variables[] = { "PATH", "TZ", "LANG", "NO_COLOR", "JOURNAL_STREAM",
	"ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS" };

#define SPAWN_VARIABLES (sizeof(spawn_variables) / sizeof(spawn_variables[0]))

static bool
spawn_is_passed(const char *variable)
{
	size_t i, len;

	for (i = 0; i < SPAWN_VARIABLES; i++) {
		len = strlen(spawn_variables[i]);
		if (strncmp(variable, spawn_variables[i], len) == 0 && variable[len] == '=')
			return true;
	}
	return false;
}

char **
spawn_environment(char **from)
{
	char **to = mem_array(SPAWN_VARIABLES + 1, sizeof(*to));
	size_t n = 0;

	for (; *from != NULL && n < SPAWN_VARIABLES; from++)
		if (spawn_is_passed(*from))
			to[n++] = *from;
	return to;
}

/* The page is this process's own already. */
static void NORETURN
spawn_die(const struct slot *s, const char *what)
{
	struct stats mine = { .mine = s->page };
	int error = errno;

	trouble_note(&mine, page_trouble(error), "not born: %s: %s", what, strerror(error));
	log_error("%s: %s: %s", s->name, what, strerror(error));
	_exit(EXIT_WITH_SYSTEM);
}

void
spawn_exec(int executable, char *const argv[], char *const environment[])
{
	(void)syscall(SYS_execveat, executable, "", argv, environment, AT_EMPTY_PATH);
	/* A script's interpreter has to find it open: a wrapper then inherits one descriptor more. */
	if (errno == ENOENT && fcntl(executable, F_SETFD, 0) == 0)
		(void)syscall(SYS_execveat, executable, "", argv, environment, AT_EMPTY_PATH);
}

/* Each descriptor first goes above the numbers wanted, so that none is overwritten before its turn. */
static void
spawn_descriptors(const struct slot *s, const int *from, size_t count)
{
	int high[4], null;
	size_t i;

	for (i = 0; i < count; i++)
		if ((high[i] = fcntl(from[i], F_DUPFD, SPAWN_HIGH_FD)) < 0)
			spawn_die(s, "descriptors");
	for (i = 0; i < count; i++)
		if (dup2(high[i], PROC_FD_CONTROL + (int)i) < 0)
			spawn_die(s, "descriptors");
	if ((null = open("/dev/null", O_RDONLY)) < 0 || dup2(null, STDIN_FILENO) < 0)
		spawn_die(s, "/dev/null");
	if (close_range(PROC_FD_FIRST_FREE + 1, ~0u, 0) < 0 ||
	    fcntl(PROC_FD_FIRST_FREE, F_SETFD, FD_CLOEXEC) < 0)
		spawn_die(s, "descriptors");
}

void
spawn_signals_reset(void)
{
	sigset_t none;
	int i;

	for (i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Between fork and prctl the master may have died: then no signal will come any more. */
static void NORETURN
spawn_child(const struct slot *s, int file, int control, pid_t master)
{
	const int from[4] = { control, s->master->board_rw, s->master->board_ro, file };
	char executable[SLOT_NAME], option[] = "--slot", slot[SLOT_NAME];
	char *argv[] = { executable, option, slot, NULL };
	char **environment;

	(void)text_copy(executable, sizeof(executable), role_executable(s->role));
	(void)text_copy(slot, sizeof(slot), s->name);

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != master)
		_exit(EXIT_WITH_ORPHANED);
	setsid();
	spawn_signals_reset();
	spawn_descriptors(s, from, 4);
	environment = spawn_environment(environ);
	spawn_exec(PROC_FD_FIRST_FREE, argv, environment);
	spawn_die(s, executable);
}

static pid_t
spawn_fork(const struct slot *s, int file, int control)
{
	sigset_t all, before;
	pid_t master = getpid(), pid;

	/* A handler of the master's must not run in the child. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	if ((pid = fork()) == 0)
		spawn_child(s, file, control, master);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return pid;
}

static int
spawn_file(const struct master *m, enum role role)
{
	size_t i;

	for (i = 0; i < WORKER_ROLES; i++)
		if (m->executables[i].role == role)
			return m->executables[i].fd;
	return -1;
}

int
spawn_process(struct slot *s)
{
	struct master *m = s->master;
	int fds[2], error;
	pid_t pid;
	int64_t begun = clock_mono();

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
		page_refused(m, s->name, "control channel", error = errno);
		log_error("%s: no control channel: %s", s->name, strerror(error));
		return E_SYSTEM;
	}
	if ((pid = spawn_fork(s, spawn_file(m, s->role), fds[1])) < 0) {
		page_refused(m, s->name, "process", error = errno);
		log_error("%s: no process: %s", s->name, strerror(error));
		close(fds[0]);
		close(fds[1]);
		return E_SYSTEM;
	}
	close(fds[1]);
	s->pid = pid;
	s->control = chan_open(m->loop, fds[0], ROLE_MASTER, s->role, "master", SPAWN_CONTROL_QUEUE,
	    &control_hooks, s);
	log_debug(
	    "%s: spawned in %.3f ms", s->name, (double)(clock_mono() - begun) / (double)CLOCK_MS);
	return E_OK;
}

/* One that nothing will be spawned of may be missing. */
static bool
spawn_needs(const struct master *m, enum role role)
{
	return role != ROLE_TRACER || slots_want_tracer(&m->conf);
}

/* The name of the first executable that is missing in `dir`; null when all are there. */
static const char *
spawn_missing(const struct master *m, const char *dir)
{
	char path[sizeof(m->worker_dir) + 64];
	size_t i;

	for (i = 0; i < WORKER_ROLES; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, role_executable(worker_roles[i]));
		if (access(path, X_OK) != 0 && spawn_needs(m, worker_roles[i]))
			return role_executable(worker_roles[i]);
	}
	return NULL;
}

static void
spawn_own_dir(char *dir, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", dir, size - 1);
	char *slash;

	dir[n > 0 ? n : 0] = '\0';
	if ((slash = strrchr(dir, '/')) != NULL)
		*slash = '\0';
}

static void
spawn_open_workers(struct master *m)
{
	char path[sizeof(m->worker_dir) + 64];
	size_t i;

	for (i = 0; i < WORKER_ROLES; i++) {
		snprintf(
		    path, sizeof(path), "%s/%s", m->worker_dir, role_executable(worker_roles[i]));
		m->executables[i].role = worker_roles[i];
		m->executables[i].fd = open(path, O_PATH | O_CLOEXEC);
		if (m->executables[i].fd < 0 && spawn_needs(m, worker_roles[i]))
			fatal(EXIT_WITH_CONFIG, "supervisor.worker_dir: %s: %s", path,
			    strerror(errno));
	}
}

void
spawn_find_workers(struct master *m)
{
	const char *missing;

	if (m->conf.supervisor_worker_dir[0] != '\0') {
		(void)text_copy(
		    m->worker_dir, sizeof(m->worker_dir), m->conf.supervisor_worker_dir);
	} else {
		spawn_own_dir(m->worker_dir, sizeof(m->worker_dir));
		if (spawn_missing(m, m->worker_dir) != NULL)
			(void)text_copy(m->worker_dir, sizeof(m->worker_dir), PKGLIBEXECDIR);
	}
	if ((missing = spawn_missing(m, m->worker_dir)) != NULL)
		fatal(EXIT_WITH_CONFIG, "supervisor.worker_dir: \"%s\" has no executable %s",
		    m->worker_dir, missing);
	spawn_open_workers(m);
}

void
spawn_forget_workers(struct master *m)
{
	size_t i;

	for (i = 0; i < WORKER_ROLES; i++)
		if (m->executables[i].fd >= 0)
			close(m->executables[i].fd);
}
