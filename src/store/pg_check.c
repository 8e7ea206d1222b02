/* pg_check.c - what a URL of PostgreSQL says, looked at by a child which loads libpq and ends.
 *
 * Who asks is the master, which stays for months and wants nothing else of libpq: with what that needs itself (TLS,
 * Kerberos, LDAP) it would weigh three times as much. So nothing here may be linked with libpq, only loaded.
 */
#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "store.h"
#include "text.h"

#define LIBPQ	  "libpq.so.5"
#define ANSWER_MS 5000 /* of the child, which needs about ten */
#define ENDED_MS  1000 /* for it to be gone behind its answer */
#define FINE	  '+'  /* how its answer begins: the URL is fine, or it cannot tell */
#define UNSURE	  '?'

typedef PQconninfoOption *parse_fn(const char *, char **);

/* Value of an option, "" when it is not given. */
static const char *
option_of(const PQconninfoOption *options, const char *name)
{
	for (; options->keyword != NULL; options++)
		if (strcmp(options->keyword, name) == 0)
			return options->val != NULL ? options->val : "";
	return "";
}

/* Words of a list with commas, each empty or 1 to 65535. */
static bool
ports_are_valid(const char *list)
{
	char *end;
	long port;

	for (;;) {
		if (*list != ',' && *list != '\0') {
			port = strtol(list, &end, 10);
			if (!isdigit((unsigned char)*list) || port < 1 || port > UINT16_MAX)
				return false;
			list = end;
		}
		if (*list == '\0')
			return true;
		if (*list++ != ',')
			return false;
	}
}

/* An @ begins a socket without a file; elsewhere it shows that a password's own @ or / was not written as %XX, so that its
 * end is taken for a host or a database, which are told to everybody. */
static bool
names_hold_a_secret(const char *hosts, const char *database)
{
	for (const char *at = hosts; (at = strchr(at, '@')) != NULL; at++)
		if (at != hosts && at[-1] != ',')
			return true;
	return strchr(database, '@') != NULL;
}

/* In the child: that it is fine, or what is wrong, without any part of the URL. Nothing is let go of, as it ends. */
static const char *
url_look(const char *url)
{
	const PQconninfoOption *options;
	parse_fn *parse;
	void *libpq;

	if ((libpq = dlopen(LIBPQ, RTLD_LAZY | RTLD_LOCAL)) == NULL ||
	    (parse = (parse_fn *)(uintptr_t)dlsym(libpq, "PQconninfoParse")) == NULL)
		return "?cannot be checked, as " LIBPQ " cannot be loaded: install libpq";
	/* Its own words may repeat a part of the URL, and that part may be the password. */
	if ((options = parse(url, NULL)) == NULL)
		return "is no PostgreSQL URL: write postgresql://user:password@host:port/database, "
		       "with special characters of the password as %XX";
	if (names_hold_a_secret(option_of(options, "host"), option_of(options, "dbname")))
		return "has an @ in its host or database: write special characters of the password "
		       "as %XX (@ is %40, / is %2F)";
	if (!ports_are_valid(option_of(options, "port")))
		return "names a port that is none";
	return "+";
}

static void
child_run(const char *url, int out, pid_t parent)
{
	const char *why;
	size_t len;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(EXIT_WITH_ORPHANED);
	why = url_look(url);
	len = strlen(why);
	_exit(write(out, why, len) == (ssize_t)len ? EXIT_WITH_OK : EXIT_WITH_SYSTEM);
}

/* All that the child says until it ends. False: it did not in time. */
static bool
answer_read(int fd, char *answer, size_t size)
{
	int64_t until = clock_mono() + ANSWER_MS * CLOCK_MS, left;
	struct pollfd in = { .fd = fd, .events = POLLIN };
	size_t len = 0;
	ssize_t n = 1;

	answer[0] = '\0';
	while (n > 0 && (left = (until - clock_mono()) / CLOCK_MS) > 0) {
		if (poll(&in, 1, (int)left) <= 0)
			continue;
		while ((n = read(fd, answer + len, size - 1 - len)) < 0 && errno == EINTR)
			;
		len += n > 0 ? (size_t)n : 0;
		answer[len] = '\0';
	}
	return n == 0;
}

/* Signals stay blocked in the child: its handlers would write to the parent's loop. */
static pid_t
child_start(const char *url, int out)
{
	pid_t parent = getpid(), pid;
	sigset_t all, before;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	if ((pid = fork()) == 0)
		child_run(url, out, parent);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return pid;
}

/* One that cannot end, as its disk is gone, is left to whoever reaps what else ended. */
static void
child_wait(pid_t pid)
{
	const struct timespec moment = { .tv_nsec = CLOCK_MS };

	for (int i = 0; i < ENDED_MS && waitpid(pid, NULL, WNOHANG) == 0; i++)
		nanosleep(&moment, NULL);
}

static int
answer_unsure(char why[STORE_WHY], const char *words)
{
	(void)text_copy(why, STORE_WHY, words);
	return E_SYSTEM;
}

static int
answer_judge(char why[STORE_WHY], const char *answer)
{
	if (answer[0] == '\0')
		return answer_unsure(why, "cannot be checked, as that ended early");
	if (answer[0] == UNSURE)
		return answer_unsure(why, answer + 1);
	(void)text_copy(why, STORE_WHY, answer);
	return answer[0] == FINE ? E_OK : E_CONFIG;
}

int
store_postgres_check(const char *url, char why[STORE_WHY])
{
	char answer[STORE_WHY];
	int pipes[2], r;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC) != 0)
		return answer_unsure(why, "cannot be checked, as a pipe cannot be made");
	pid = child_start(url, pipes[1]);
	close(pipes[1]);
	if (pid < 0) {
		r = answer_unsure(why, "cannot be checked, as a process cannot be started");
	} else if (!answer_read(pipes[0], answer, sizeof(answer))) {
		r = answer_unsure(why, "cannot be checked, as that takes too long");
		kill(pid, SIGKILL);
	} else {
		r = answer_judge(why, answer);
	}
	close(pipes[0]);
	if (pid > 0)
		child_wait(pid);
	return r;
}
