/* inject.c - makes a running process spin where it stands.
 *
 * usage: chaos_inject PID. The way a debugger sets a breakpoint, two bytes are written over the instruction that comes
 * next: a jump to itself. The kernel gives the process a private copy of that page, so others run on.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/user.h>
#include <sys/wait.h>

#define EXIT_SKIP 77 /* not to be had on this machine */

#if defined(__x86_64__)
static const unsigned char jump_to_itself[] = { 0xeb, 0xfe };

static int
fail(const char *what, pid_t pid)
{
	fprintf(stderr, "chaos_inject: %s of %d: %s\n", what, (int)pid, strerror(errno));
	return errno == EPERM || errno == EACCES || errno == ENOSYS ? EXIT_SKIP : 1;
}

/* Of a process that is stopped and traced. */
static int
overwrite(pid_t pid)
{
	struct user_regs_struct regs;
	void *at;
	long word;

	if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) != 0)
		return fail("registers", pid);
	at = (void *)(uintptr_t)regs.rip;
	errno = 0;
	word = ptrace(PTRACE_PEEKTEXT, pid, at, NULL);
	if (errno != 0)
		return fail("text", pid);
	memcpy(&word, jump_to_itself, sizeof(jump_to_itself));
	if (ptrace(PTRACE_POKETEXT, pid, at, (void *)word) != 0)
		return fail("text", pid);
	return 0;
}

int
main(int argc, char **argv)
{
	pid_t pid = argc == 2 ? (pid_t)atoi(argv[1]) : 0;
	int status, r;

	if (pid <= 1) {
		fprintf(stderr, "usage: chaos_inject PID\n");
		return 64;
	}
	if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) != 0)
		return fail("attaching", pid);
	if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status)) {
		fprintf(stderr, "chaos_inject: %d ended\n", (int)pid);
		return 1;
	}
	r = overwrite(pid);
	/* The stop was ours: it goes on without the signal. */
	if (ptrace(PTRACE_DETACH, pid, NULL, NULL) != 0 && r == 0)
		r = fail("detaching", pid);
	return r;
}
#else
int
main(void)
{
	fprintf(stderr, "chaos_inject: knows x86-64 only\n");
	return EXIT_SKIP;
}
#endif
