/* reap.c - what ended, and how.
 *
 * As pid 1 the master also inherits strangers; they are reaped and forgotten.
 */
#include "master_room.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "log.h"

void
reap_text(int status, char *out, size_t size)
{
	if (WIFSIGNALED(status))
		snprintf(out, size, "signal %d (%s)%s", WTERMSIG(status),
		    strsignal(WTERMSIG(status)), WCOREDUMP(status) ? ", core written" : "");
	else if (WIFEXITED(status))
		snprintf(
		    out, size, "exit %d (%s)", WEXITSTATUS(status), exit_name(WEXITSTATUS(status)));
	else
		snprintf(out, size, "status %d", status);
}

static void
reap_one(struct master *m, pid_t pid, int status, const struct rusage *use)
{
	struct slot *s = slots_find_pid(m, pid);

	if (s != NULL) {
		s->wait_status = status;
		s->peak_rss_kb = use->ru_maxrss;
		slot_event(s, SLOT_ON_DIED);
	} else if (!upgrade_reaped(m, pid, status)) {
		log_debug("reaped pid %d, which is no worker", (int)pid);
		metric_add(&m->stats, M_MASTER_ORPHANS, 0, 0, 1);
	}
}

void
reap_children(struct master *m)
{
	struct rusage use;
	int status;
	pid_t pid;

	while ((pid = wait4(-1, &status, WNOHANG, &use)) > 0)
		reap_one(m, pid, status, &use);
}
