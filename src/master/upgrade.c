/* upgrade.c - the same pid goes on as another executable.
 *
 * First the new executable is tried as a child (trial.c): whatever is wrong with it ends there. Then, once no slot
 * is on its way and every control channel is quiet, this process executes it, and leaves it sockets, statistics,
 * live workers and open descriptors of the executables that were (handover.c). The new image replaces the workers
 * as a reload does. When its workers do not get ready in time it executes the old image again, with the old
 * workers' executables, whatever lies at their paths by now.
 *
 * Workers serve all the while: they notice nothing until their successors are ready.
 */
#include "master_room.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "handover.h"
#include "label.h"
#include "log.h"
#include "mem.h"
#include "text.h"

#define UPGRADE_TEXT	   512
#define UPGRADE_POLL_MS	   5
#define UPGRADE_DEAF_TURNS 2   /* one reads the pipe, behind the timers; one runs the handlers */
#define UPGRADE_MORE	   4   /* arguments of one image for another */
#define UPGRADE_OPTION	   320 /* longer than any value of a setting */
#define UPGRADE_QUIET_NS   (5 * CLOCK_SEC) /* beyond the time for getting ready */

enum upgrade_stage { UPGRADE_TRIAL, UPGRADE_QUIET, UPGRADE_RENEW, UPGRADE_BACK };

struct upgrade {
	enum upgrade_stage stage;
	struct loop_timer timer;
	int64_t deadline_ns;
	unsigned deaf;	 /* turns since signals wait; 0: they do not */
	sigset_t before; /* the signals that waited before */
	bool draining;	 /* the process before a successor finishes what it has in hand */
	pid_t trial;
	int reason_fd; /* what the trial says */
	char path[512];
	char why[UPGRADE_TEXT]; /* the new image: what went wrong */
	struct handover handover;
	done_fn *done;
	void *arg;
};

static void
upgrade_hear(struct upgrade *u)
{
	if (u->deaf > 0)
		sigprocmask(SIG_SETMASK, &u->before, NULL);
	u->deaf = 0;
}

/* Signals wait for the image that is executed next. One that came before is in the loop's own pipe, which does not
 * outlive the exec: turns pass until its handler has run. False: not yet. */
static bool
upgrade_is_deaf(struct upgrade *u)
{
	sigset_t all;

	if (u->deaf++ == 0) {
		sigfillset(&all);
		sigprocmask(SIG_BLOCK, &all, &u->before);
	}
	if (u->deaf <= UPGRADE_DEAF_TURNS)
		loop_timer_set(&u->timer, 0);
	return u->deaf > UPGRADE_DEAF_TURNS;
}

static void
upgrade_free(struct master *m)
{
	struct upgrade *u = m->upgrade;
	size_t i;

	upgrade_hear(u);
	loop_timer_close(&u->timer);
	if (u->reason_fd >= 0)
		close(u->reason_fd);
	if (u->handover.previous >= 0)
		close(u->handover.previous);
	if (u->handover.conf >= 0)
		close(u->handover.conf);
	for (i = 0; i < WORKER_ROLES; i++)
		if (u->handover.previous_executables[i].fd >= 0)
			close(u->handover.previous_executables[i].fd);
	mem_free(&m->upgrade);
}

static void
upgrade_end(struct master *m, int error, const char *text)
{
	bool stayed = m->upgrade->stage == UPGRADE_BACK;
	done_fn *done = m->upgrade->done;
	void *arg = m->upgrade->arg;

	metric_add(
	    &m->stats, M_UPGRADES, error == E_OK ? LABEL(result, OK) : LABEL(result, FAILED), 0, 1);
	if (error == E_OK)
		log_info("upgrade: %s", text);
	else
		log_error("upgrade: failed, %s: %s",
		    stayed ? "the new executable stays, with the old workers"
			   : "the old executable serves on",
		    text);
	upgrade_free(m);
	if (done != NULL)
		done(arg, error, text);
}

/* The file at the path this image was started from: by now perhaps another one. */
static int
upgrade_path(char *out, size_t size)
{
	static const char gone[] = " (deleted)";
	ssize_t n = readlink("/proc/self/exe", out, size - 1);
	size_t len;

	if (n <= 0)
		return E_SYSTEM;
	out[n] = '\0';
	len = (size_t)n;
	if (len > sizeof(gone) && strcmp(out + len - (sizeof(gone) - 1), gone) == 0)
		out[len - (sizeof(gone) - 1)] = '\0';
	return access(out, X_OK) == 0 ? E_OK : E_ABSENT;
}

void
upgrade_arguments(const struct master *m, const char *const *more, const char *argv[UPGRADE_ARGS])
{
	size_t i, n = 0;

	for (i = 0; m->arguments[i] != NULL && n < UPGRADE_ARGS - UPGRADE_MORE - 1; i++)
		if (strncmp(m->arguments[i], "--handover=", 11) != 0)
			argv[n++] = m->arguments[i];
	for (i = 0; i < UPGRADE_MORE && more[i] != NULL; i++)
		argv[n++] = more[i];
	argv[n] = NULL;
}

static void upgrade_timer(void *);

static struct upgrade *
upgrade_new(struct master *m, enum upgrade_stage stage, done_fn *done, void *arg)
{
	struct upgrade *u = mem_alloc(sizeof(*u));
	size_t i;

	u->stage = stage;
	u->done = done;
	u->arg = arg;
	u->reason_fd = -1;
	u->handover = (struct handover)HANDOVER_NONE;
	for (i = 0; i < WORKER_ROLES; i++)
		u->handover.previous_executables[i].fd = -1;
	u->deadline_ns = clock_mono() + m->conf.supervisor_upgrade_timeout * CLOCK_MS;
	loop_timer_open(m->loop, &u->timer, upgrade_timer, m);
	loop_timer_set(&u->timer, m->conf.supervisor_upgrade_timeout);
	m->upgrade = u;
	return u;
}

static const char *
upgrade_obstacle(const struct master *m)
{
	if (m->stop.phase != STOP_NOT)
		return "the gateway is stopping";
	if (m->upgrade != NULL)
		return "another upgrade is under way";
	if (m->reload != NULL || m->scale != NULL || m->strategy != NULL)
		return "a reload, a scaling or a restart of several slots is under way: try again "
		       "when it "
		       "has ended";
	return NULL;
}

void
upgrade_begin(struct master *m, done_fn *done, void *arg)
{
	const char *obstacle = upgrade_obstacle(m);
	struct upgrade *u;

	if (obstacle != NULL) {
		log_error("upgrade: refused: %s", obstacle);
		done(arg, E_FULL, obstacle);
		return;
	}
	u = upgrade_new(m, UPGRADE_TRIAL, done, arg);
	if (upgrade_path(u->path, sizeof(u->path)) != E_OK) {
		upgrade_end(m, E_ABSENT, "there is no executable at this one's path any more");
		return;
	}
	log_info("upgrade: trying %s", u->path);
	if (trial_start(m, u->path, &u->trial, &u->reason_fd) != E_OK) {
		page_refused(m, "upgrade", "process for the trial", errno);
		upgrade_end(m, E_SYSTEM, "the system refused a process for the trial");
	}
}

bool
upgrade_reaped(struct master *m, pid_t pid, int status)
{
	struct upgrade *u = m->upgrade;
	char said[UPGRADE_TEXT - 64] = "", text[UPGRADE_TEXT], how[64];
	ssize_t n;

	if (u == NULL || u->trial == 0 || pid != u->trial)
		return false;
	u->trial = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_WITH_OK) {
		u->stage = UPGRADE_QUIET;
		u->deadline_ns = clock_mono() + UPGRADE_QUIET_NS;
		look_soon(m);
		return true;
	}
	reap_text(status, how, sizeof(how));
	n = read(u->reason_fd, said, sizeof(said) - 1);
	said[n > 0 ? n : 0] = '\0';
	if (said[0] == '\0')
		snprintf(text, sizeof(text),
		    "the new executable ended in its trial: %s: its lines in the log say why", how);
	else
		snprintf(text, sizeof(text), "the new executable: %s", said);
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_WITH_SYSTEM)
		trouble_note(&m->stats, LABEL(trouble, PROCESSES), "upgrade: %s", said);
	upgrade_end(m, E_SYSTEM, text);
	return true;
}

static bool
upgrade_slot_rests(const struct slot *s)
{
	switch (s->state) {
	case SLOT_READY:
		return s->control != NULL && chan_is_quiet(s->control);
	case SLOT_IDLE:
	case SLOT_WAITING:
	case SLOT_FAILED:
		return true;
	default:
		return false;
	}
}

/* No slot on its way, nothing half said. */
static bool
upgrade_is_quiet(const struct master *m)
{
	size_t i;

	for (i = 0; i < m->slot_count; i++)
		if (!upgrade_slot_rests(&m->slots[i]))
			return false;
	return m->replacing == NULL && m->reload == NULL;
}

/* Comes back only when the system refuses: then everything is as it was, and errno says why. Signals
 * wait until the new image has its handlers. */
static void
upgrade_execute(struct master *m, const char *path, struct handover *h)
{
	const char *argv[UPGRADE_ARGS];
	char option[32];
	int fd, error;

	if ((h->executable = open("/proc/self/exe", O_RDONLY)) < 0)
		return;
	if (handover_write(m, h, &fd) != E_OK) {
		error = errno;
		close(h->executable);
		errno = error;
		return;
	}
	snprintf(option, sizeof(option), "--handover=%d", fd);
	upgrade_arguments(m, (const char *[]){ option, NULL }, argv);
	handover_keep_all(m, true);
	handover_keep(h->asker, true);
	handover_keep(h->conf, true);
	execve(path, (char **)(uintptr_t)argv, m->environment);
	error = errno;
	handover_keep_all(m, false);
	handover_keep(h->asker, false);
	handover_keep(h->conf, false);
	close(h->executable);
	close(fd);
	errno = error;
}

static void
upgrade_try_execute(struct master *m)
{
	struct upgrade *u = m->upgrade;
	char text[UPGRADE_TEXT];

	if (!upgrade_is_quiet(m)) {
		upgrade_hear(u);
		loop_timer_set(&u->timer, UPGRADE_POLL_MS);
		return;
	}
	if (!upgrade_is_deaf(u))
		return;
	log_info("upgrade: going on as %s", u->path);
	notify_reloading(m);
	u->handover.asker = ctl_release(m, u->arg);
	if ((u->handover.conf = way_back_conf_write(&m->conf)) >= 0)
		upgrade_execute(m, u->path, &u->handover);
	snprintf(text, sizeof(text), "it cannot be executed: %s", strerror(errno));
	notify_reloaded(m);
	upgrade_end(m, E_SYSTEM, text);
}

/* The image that was, by its file that is still open, whatever its path leads to now. */
static void
upgrade_try_back(struct master *m)
{
	struct upgrade *u = m->upgrade;
	struct handover h = HANDOVER_NONE;
	char path[48], text[UPGRADE_TEXT];

	if (!upgrade_is_quiet(m) && clock_mono() < u->deadline_ns) {
		upgrade_hear(u);
		loop_timer_set(&u->timer, UPGRADE_POLL_MS);
		return;
	}
	if (upgrade_is_quiet(m) && !upgrade_is_deaf(u))
		return;
	h.rollback = true;
	h.conf = u->handover.conf;
	(void)text_copy(h.why, sizeof(h.why), u->why);
	/* The number taken over may be another's by now: its client may have left. */
	h.asker = ctl_release(m, u->arg);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", u->handover.previous);
	errno = EBUSY; /* of a slot that does not come to rest */
	if (upgrade_is_quiet(m))
		upgrade_execute(m, path, &h);
	snprintf(text, sizeof(text), "%.300s; the old executable cannot be gone back to: %s",
	    u->why, strerror(errno));
	notify_reloaded(m);
	upgrade_end(m, E_SYSTEM, text);
	slots_start(m);
}

static void
upgrade_renewed(void *arg, int error, const char *text)
{
	struct master *m = arg;
	struct upgrade *u = m->upgrade;

	if (u == NULL)
		return;
	if (error == E_OK) {
		upgrade_end(m, E_OK, text);
		return;
	}
	u->stage = UPGRADE_BACK;
	u->deadline_ns = clock_mono() + UPGRADE_QUIET_NS;
	if (u->why[0] == '\0')
		(void)text_copy(u->why, sizeof(u->why), text);
	loop_timer_set(&u->timer, 0);
}

/* Workers of the executables that were: for whatever has to start from now on. */
void
upgrade_take_back_executables(struct master *m)
{
	struct upgrade *u = m->upgrade;
	struct executable swap;
	size_t i;

	if (u == NULL || u->stage != UPGRADE_RENEW)
		return;
	for (i = 0; i < WORKER_ROLES; i++) {
		swap = m->executables[i];
		m->executables[i] = u->handover.previous_executables[i];
		u->handover.previous_executables[i] = swap;
	}
}

/* What a process before has in hand may take as long as draining may; the time for getting ready is its successor's. */
static void
upgrade_watch_drains(struct master *m, struct upgrade *u)
{
	bool before = u->draining;
	size_t i;

	u->draining = false;
	for (i = 0; i < m->slot_count; i++)
		u->draining |= m->slots[i].twin == NULL && m->slots[i].state == SLOT_RENEWING;
	if (before && !u->draining)
		loop_timer_set(&u->timer, m->conf.supervisor_upgrade_timeout);
}

void
upgrade_look(struct master *m)
{
	struct upgrade *u = m->upgrade;

	if (u != NULL && u->stage == UPGRADE_QUIET)
		loop_timer_set(&u->timer, 0);
	else if (u != NULL && u->stage == UPGRADE_RENEW)
		upgrade_watch_drains(m, u);
}

static void
upgrade_timer(void *arg)
{
	struct master *m = arg;
	struct upgrade *u = m->upgrade;
	char text[UPGRADE_TEXT];

	snprintf(text, sizeof(text), "not ready within %lld ms",
	    (long long)m->conf.supervisor_upgrade_timeout);
	switch (u->stage) {
	case UPGRADE_TRIAL:
		(void)kill(u->trial, SIGKILL);
		upgrade_end(m, E_UPSTREAM_TIMEOUT, text);
		break;
	case UPGRADE_QUIET:
		if (clock_mono() < u->deadline_ns)
			upgrade_try_execute(m);
		else
			upgrade_end(
			    m, E_UPSTREAM_TIMEOUT, "the slots did not come to rest in time");
		break;
	case UPGRADE_RENEW:
		if (u->draining) {
			loop_timer_set(&u->timer, m->conf.supervisor_upgrade_timeout);
			break;
		}
		(void)text_copy(u->why, sizeof(u->why), text);
		reload_give_up(m, text);
		break;
	case UPGRADE_BACK:
		upgrade_try_back(m);
		break;
	}
}

void
upgrade_go_on(struct master *m, struct handover *h)
{
	struct upgrade *u;
	done_fn *done = NULL;
	void *arg = ctl_adopt(m, h->asker, &done);

	u = upgrade_new(m, UPGRADE_RENEW, done, arg);
	u->handover = *h;
	if (h->rollback) {
		notify_reloaded(m);
		upgrade_end(m, E_SYSTEM, h->why);
		return;
	}
	reload_everything(m, upgrade_renewed, m);
}

void
upgrade_cancel(struct master *m)
{
	if (m->upgrade == NULL)
		return;
	if (m->upgrade->trial > 0)
		(void)kill(m->upgrade->trial, SIGKILL);
	upgrade_end(m, E_CLOSED, "the gateway is stopping");
}
