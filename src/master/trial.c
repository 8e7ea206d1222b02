/* trial.c - whether an executable could take over: asked of it, as a child, before it is let.
 *
 * The new master reads the configuration and compares its tables with those of the one that runs; each of its
 * workers has to load and say the same. The reason of a refusal goes to descriptor 3, for whoever asked.
 */
#include "master_room.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "handover.h"
#include "log.h"
#include "msg.h"
#include "text.h"

#define TRIAL_OPTION 320 /* longer than any value of a setting */

void
trial_tables(char out[TRIAL_TABLES])
{
	(void)snprintf(
	    out, TRIAL_TABLES, "%016" PRIx64 "-%016" PRIx64, msg_protocol_id(), board_layout());
}

static void
trial_tell(void *arg, const char *why)
{
	(void)arg;
	if (write(TRIAL_FD, why, strlen(why)) < 0)
		log_debug("upgrade: nobody listens: %s", strerror(errno));
}

void
trial_tell_fatal(void)
{
	log_on_fatal(trial_tell, NULL);
}

static int PRINTF_LIKE(2, 3) trial_refuse(enum exit_code code, const char *fmt, ...)
{
	char why[400];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	log_error("upgrade: %s", why);
	if (n > 0)
		trial_tell(NULL, why);
	return (int)code;
}

/* The sockets and the lock that are handed over are where they are: a gateway that says otherwise would be in two places. */
static int
trial_check_kept(const struct master *m, const char *kept)
{
	char key[64], value[1024];
	const struct conf_row *row;
	const char *equals = strchr(kept, '=');

	if (equals == NULL ||
	    text_copy_n(key, sizeof(key), kept, (size_t)(equals - kept)) != E_OK ||
	    (row = conf_find(key)) == NULL)
		return EXIT_WITH_OK;
	if (conf_text(&m->conf, row, value, sizeof(value)) == E_OK &&
	    strcmp(value, equals + 1) == 0)
		return EXIT_WITH_OK;
	return trial_refuse(EXIT_WITH_CONFIG,
	    "%s is \"%.100s\" now, and this gateway runs with \"%.100s\": only a restart changes "
	    "it: set it back, or "
	    "stop and start instead",
	    key, value, equals + 1);
}

static void NORETURN
trial_exec(int executable, const char *name, int out)
{
	char *argv[] = { (char *)(uintptr_t)name, (char *)(uintptr_t) "--tables", NULL };

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(out, STDOUT_FILENO);
	spawn_exec(executable, argv, environ);
	_exit(EXIT_WITH_SYSTEM);
}

/* What a worker's executable prints of its tables. E_ABSENT: it does not even run; E_SYSTEM, errno: no process for it. */
static int
trial_ask(int executable, const char *name, char *said, size_t size)
{
	int pipes[2], status = -1;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	if (pipe(pipes) != 0 || (pid = fork()) < 0)
		return E_SYSTEM;
	if (pid == 0)
		trial_exec(executable, name, pipes[1]);
	close(pipes[1]);
	while (len < size - 1 && (n = read(pipes[0], said + len, size - 1 - len)) > 0)
		len += (size_t)n;
	said[len] = '\0';
	said[strcspn(said, "\n")] = '\0';
	close(pipes[0]);
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return E_ABSENT;
	return E_OK;
}

int
trial_run(struct master *m)
{
	const char *wanted = m->options->trial, *name;
	char mine[TRIAL_TABLES], said[128];
	size_t i;
	int code, r;

	trial_tables(mine);
	if (strcmp(mine, wanted) != 0)
		return trial_refuse(EXIT_WITH_PROTOCOL,
		    "its messages or statistics are laid out otherwise: stop and start instead; "
		    "sockets kept by systemd lose no connection then");
	for (i = 0; i < m->options->keeps_count; i++)
		if ((code = trial_check_kept(m, m->options->trial_keeps[i])) != EXIT_WITH_OK)
			return code;
	spawn_find_workers(m);
	for (i = 0; i < WORKER_ROLES; i++) {
		if (m->executables[i].fd < 0)
			continue;
		name = role_executable(m->executables[i].role);
		r = trial_ask(m->executables[i].fd, name, said, sizeof(said));
		if (r == E_SYSTEM)
			return trial_refuse(EXIT_WITH_SYSTEM,
			    "%s/%s cannot be tried, no process: %s", m->worker_dir, name,
			    strerror(errno));
		if (r != E_OK)
			return trial_refuse(
			    EXIT_WITH_CONFIG, "%s/%s does not run", m->worker_dir, name);
		if (strcmp(said, wanted) != 0)
			return trial_refuse(EXIT_WITH_PROTOCOL,
			    "%s/%s is of another build than its master", m->worker_dir, name);
	}
	return EXIT_WITH_OK;
}

/* The two tables, and what is handed over whatever the configuration says by now. */
static void
trial_arguments(const struct master *m, const char *argv[UPGRADE_ARGS])
{
	static char text[UPGRADE_MORE][TRIAL_OPTION]; /* the child's own */
	const char *more[UPGRADE_MORE + 1] = { text[0], text[1], text[2], text[3] };
	char tables[TRIAL_TABLES];

	trial_tables(tables);
	(void)snprintf(text[0], TRIAL_OPTION, "--trial=%s", tables);
	(void)snprintf(text[1], TRIAL_OPTION, "--trial-keeps=state.dir=%s", m->conf.state_dir);
	(void)snprintf(
	    text[2], TRIAL_OPTION, "--trial-keeps=admin.address=%s", m->conf.admin_address);
	(void)snprintf(
	    text[3], TRIAL_OPTION, "--trial-keeps=http.address=%s", m->conf.http_address);
	upgrade_arguments(m, more, argv);
}

static void NORETURN
trial_child(const struct master *m, const char *path, int reason, pid_t master)
{
	const char *argv[UPGRADE_ARGS];
	enum exit_code code;
	sigset_t none;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != master)
		_exit(EXIT_WITH_ORPHANED);
	spawn_signals_reset();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	trial_arguments(m, argv);
	if (dup2(reason, TRIAL_FD) < 0 || close_range(TRIAL_FD + 1, ~0u, 0) < 0)
		_exit(EXIT_WITH_SYSTEM);
	execve(path, (char **)(uintptr_t)argv, m->environment);
	code = errno == EAGAIN || errno == ENOMEM ? EXIT_WITH_SYSTEM : EXIT_WITH_CONFIG;
	dprintf(TRIAL_FD, "%s: %s", path, strerror(errno));
	_exit((int)code);
}

int
trial_start(const struct master *m, const char *path, pid_t *pid, int *reason_fd)
{
	pid_t master = getpid();
	sigset_t all, before;
	int pipes[2];

	if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK) != 0)
		return E_SYSTEM;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	if ((*pid = fork()) == 0)
		trial_child(m, path, pipes[1], master);
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(pipes[1]);
	*reason_fd = pipes[0];
	return *pid > 0 ? E_OK : E_SYSTEM;
}
