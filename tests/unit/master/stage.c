/* stage.c - a real master with test workers, for tests. */
#include "stage.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

#define STAGE_ARGS 40

void
stage_open(struct stage *st)
{
	static const char *const names[] = { "fetcher", "cache-writer", "http" };
	char path[160];
	size_t i;

	memset(st, 0, sizeof(*st));
	strcpy(st->dir, "/tmp/opitios-stage-XXXXXX");
	cr_assert_not_null(mkdtemp(st->dir));
	snprintf(st->state, sizeof(st->state), "%s/state", st->dir);
	mkdir(st->state, 0700);
	snprintf(path, sizeof(path), "%s/workers", st->dir);
	mkdir(path, 0700);
	for (i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/workers/%s", st->dir, names[i]);
		cr_assert_eq(symlink(BUILD_DIR "/test_worker", path), 0);
	}
}

void
stage_mode(struct stage *st, const char *slot, const char *mode)
{
	char path[160];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.mode", st->state, slot);
	if (mode == NULL) {
		unlink(path);
		return;
	}
	f = fopen(path, "we");
	fputs(mode, f);
	fclose(f);
}

static pid_t
stage_fork(struct stage *st, const char *const *arguments, int out)
{
	const char *argv[STAGE_ARGS] = { BUILD_DIR "/opitios-alpaca" };
	char dir[160], state[160], conf[160];
	int n = 1;
	pid_t pid;

	snprintf(dir, sizeof(dir), "--supervisor.worker_dir=%s/workers", st->dir);
	snprintf(state, sizeof(state), "--state.dir=%s", st->state);
	snprintf(conf, sizeof(conf), "--config=%s/conf", st->dir);
	if (st->has_conf)
		argv[n++] = conf;
	argv[n++] = dir;
	argv[n++] = state;
	while (*arguments != NULL && n < STAGE_ARGS - 1)
		argv[n++] = *arguments++;
	if ((pid = fork()) != 0)
		return pid;
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	setenv("ALPACA_API_KEY", "PKTHEKEYOFTHETEST", 1);
	setenv("ALPACA_SECRET_KEY", "the-secret-of-the-test", 1);
	setenv("TZ", "UTC", 1);
	/* However the test ends: a gateway without it would run on, with workers that spin. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execv(argv[0], (char **)argv);
	_exit(127);
}

void
stage_start(struct stage *st, const char *const *settings)
{
	const char *arguments[STAGE_ARGS] = { "--http.address=127.0.0.1:0",
		st->conf_counts ? "--http.backlog=512" : "--http.workers=2",
		"--supervisor.stable_after=10ms", "--supervisor.drain_delay=0", "--log.level=debug",
		"--admin.address=127.0.0.1:0" };
	char path[160];
	int n = 6, fd;

	while (settings != NULL && *settings != NULL && n < STAGE_ARGS - 3)
		arguments[n++] = *settings++;
	snprintf(path, sizeof(path), "%s/log", st->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	st->master = stage_fork(st, arguments, fd);
	close(fd);
}

pid_t
stage_child(struct stage *st, const char *slot)
{
	char path[300], text[512] = "", *at;
	DIR *dir = opendir("/proc");
	struct dirent *e;
	pid_t found = 0;
	int fd, ppid;
	ssize_t n;

	while (found == 0 && (e = readdir(dir)) != NULL) {
		snprintf(path, sizeof(path), "/proc/%s/stat", e->d_name);
		if (atoi(e->d_name) == 0 || (fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
			continue;
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
		text[n > 0 ? n : 0] = '\0';
		at = strrchr(text, ')');
		if (at == NULL || at[2] == 'Z' || sscanf(at + 4, "%d", &ppid) != 1 ||
		    ppid != (int)st->master)
			continue;
		snprintf(path, sizeof(path), "/proc/%s/cmdline", e->d_name);
		if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
			continue;
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
		text[n > 0 ? n : 0] = '\0';
		at = text + strlen(text) + 1;
		if (n > 0 && at < text + n && strcmp(at, "--slot") == 0 &&
		    strcmp(at + 7, slot) == 0)
			found = atoi(e->d_name);
	}
	closedir(dir);
	return found;
}

/* The board is opened through a child that keeps copies of its descriptors: the master lets nobody look. */
static bool
stage_attach(struct stage *st)
{
	pid_t child = stage_child(st, "cache-writer");
	char path[64];
	int rw, ro;

	if (child == 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/fd/100", (int)child);
	rw = open(path, O_RDWR | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/fd/101", (int)child);
	ro = open(path, O_RDONLY | O_CLOEXEC);
	if (rw < 0 || ro < 0 || board_attach(rw, ro, "cache-writer", &st->stats) != E_OK) {
		close(rw);
		close(ro);
		return false;
	}
	st->board = st->stats.all;
	return true;
}

void
stage_ready(struct stage *st)
{
	int status;

	WAIT_FOR(10000, waitpid(st->master, &status, WNOHANG) != 0 || stage_attach(st));
	cr_assert_not_null(st->board, "the master ended: %s", stage_read(st, "log"));
	WAIT_FOR(10000, st->board->all_ready_ns != 0);
}

int
stage_exit(struct stage *st, int ms)
{
	int status = 0;

	WAIT_FOR(ms, waitpid(st->master, &status, WNOHANG) == st->master);
	st->master = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* A sanitizer's report or a panic of any process fails the test that ran it. */
static void
stage_check_log(struct stage *st)
{
	static const char *const alarms[] = { "Sanitizer", "runtime error", "\"panic\"",
		"cannot be: ignored" };
	char *log = stage_read(st, "log");
	size_t i;

	for (i = 0; i < sizeof(alarms) / sizeof(alarms[0]); i++)
		cr_assert_null(strstr(log, alarms[i]), "%s in the log:\n%s", alarms[i], log);
}

void
stage_close(struct stage *st)
{
	char command[128];
	int status;

	if (st->master != 0) {
		kill(st->master, SIGKILL);
		waitpid(st->master, &status, 0);
	}
	stage_check_log(st);
	free(st->text);
	snprintf(command, sizeof(command), "rm -rf '%s'", st->dir);
	cr_assert_eq(system(command), 0);
}

void
stage_conf(struct stage *st, const char *text)
{
	char path[160];
	FILE *f;

	snprintf(path, sizeof(path), "%s/conf", st->dir);
	st->has_conf = text != NULL;
	st->conf_counts = text != NULL && strstr(text, "workers") != NULL;
	if (text == NULL)
		return;
	f = fopen(path, "we");
	cr_assert(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
}

bool
stage_logged(struct stage *st, const char *what)
{
	return strstr(stage_read(st, "log"), what) != NULL;
}

unsigned
stage_slots(struct stage *st)
{
	unsigned n = 0, i;

	for (i = 0; i < st->board->slot_count; i++)
		n += st->board->slots[i].current == 1 && st->board->slots[i].role != ROLE_MASTER;
	return n;
}

const struct slot_page *
stage_slot(struct stage *st, const char *label)
{
	uint32_t i;

	for (i = 0; i < st->board->slot_count; i++)
		if (st->board->slots[i].current && strcmp(st->board->slots[i].label, label) == 0)
			return &st->board->slots[i];
	cr_assert_fail("no current page of %s", label);
	return NULL;
}

const struct slot_page *
stage_page(struct stage *st, const char *slot)
{
	uint32_t i;

	for (i = 0; i < st->board->slot_count; i++)
		if (strcmp(st->board->slots[i].slot, slot) == 0)
			return &st->board->slots[i];
	cr_assert_fail("no page of %s", slot);
	return NULL;
}

bool
stage_is_ready(struct stage *st, const char *slot)
{
	return strcmp(stage_page(st, slot)->state, "ready") == 0;
}

char *
stage_read(struct stage *st, const char *name)
{
	char path[200], *text;
	FILE *f;

	free(st->text);
	text = st->text = calloc(1, 4 << 20);
	snprintf(path, sizeof(path), "%s/%s", st->dir, name);
	if ((f = fopen(path, "re")) == NULL)
		return text;
	if (fread(text, 1, (4 << 20) - 1, f) == 0)
		text[0] = '\0';
	fclose(f);
	return text;
}

static int64_t
stage_event(struct stage *st, const char *slot, const char *what, int nth, int *count)
{
	char *text = stage_read(st, "state/events"), *line, *save = NULL, name[40], rest[300];
	int64_t at, found = -1;
	int pid;

	*count = 0;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "%39s %d %ld %299[^\n]", name, &pid, &at, rest) != 4)
			continue;
		if ((slot != NULL && strcmp(name, slot) != 0) ||
		    strncmp(rest, what, strlen(what)) != 0)
			continue;
		if ((*count)++ == nth)
			found = at;
	}
	return found;
}

int
stage_count(struct stage *st, const char *slot, const char *what)
{
	int count;

	stage_event(st, slot, what, -1, &count);
	return count;
}

int64_t
stage_time(struct stage *st, const char *slot, const char *what, int nth)
{
	int count;

	return stage_event(st, slot, what, nth, &count);
}

int
stage_run(struct stage *st, const char *const *arguments, char *said, size_t size)
{
	int pipes[2], status = 0;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	cr_assert_eq(pipe2(pipes, O_CLOEXEC), 0);
	pid = stage_fork(st, arguments, pipes[1]);
	close(pipes[1]);
	while ((n = read(pipes[0], said + len, size - 1 - len)) > 0)
		len += (size_t)n;
	said[len] = '\0';
	close(pipes[0]);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}
