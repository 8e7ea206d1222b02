/* inject.c - makes a process spin where it stands: for the faults of tests/chaos.
 *
 * usage: inject PID. As a debugger does: the two bytes of a jump to itself are written over the next instruction, in
 * the process's own copy of its text.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

#define JUMP_TO_ITSELF 0xfeebu

int
main(int argc, char **argv)
{
#if defined(__x86_64__)
	struct user_regs_struct regs;
	pid_t pid = argc == 2 ? atoi(argv[1]) : 0;
	long word;
	int status;

	if (pid <= 0 || ptrace(PTRACE_ATTACH, pid, NULL, NULL) != 0 ||
	    waitpid(pid, &status, 0) != pid) {
		fprintf(
		    stderr, "inject: %s: %s\n", argc == 2 ? argv[1] : "no PID", strerror(errno));
		return 1;
	}
	errno = 0;
	if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) != 0 ||
	    ((word = ptrace(PTRACE_PEEKTEXT, pid, (void *)(uintptr_t)regs.rip, NULL)) == -1 &&
		errno != 0) ||
	    ptrace(PTRACE_POKETEXT, pid, (void *)(uintptr_t)regs.rip,
		(void *)(uintptr_t)(((unsigned long)word & ~0xfffful) | JUMP_TO_ITSELF)) != 0)
		fprintf(stderr, "inject: %s\n", strerror(errno));
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
	return 0;
#else
	(void)argc, (void)argv;
	fprintf(stderr, "inject: not for this processor\n");
	return 77;
#endif
}
