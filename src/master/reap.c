/* reap.c - what ended, and how.
 *
 * As pid 1 the master also inherits strangers; they are reaped and forgotten.
 */
#include "master_room.h"

#include <stdio.h>
#include <string.h>
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

void
reap_children(struct master *m)
{
	struct slot *s;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if ((s = slots_find_pid(m, pid)) == NULL) {
			log_debug("reaped pid %d, which is no worker", (int)pid);
			continue;
		}
		s->wait_status = status;
		slot_event(s, SLOT_ON_DIED);
	}
}
