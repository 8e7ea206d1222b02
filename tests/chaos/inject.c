/* inject.c - makes a running process spin where it stands, or wait for ever in a read.
 *
 * usage: chaos_inject spin|block PID. The way a debugger sets a breakpoint, a few bytes are written over the
 * instruction that comes next; the kernel gives the process a private copy of that page, so others run on. To spin it
 * is a jump to itself. To block it is a system call with such a jump behind it: made once for a pipe, which nobody
 * writes to, and once to read from that.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/user.h>
#include <sys/wait.h>

#define EXIT_SKIP 77 /* not to be had on this machine */

#if defined(__x86_64__)
#define SCRATCH_BELOW 1024 /* nobody uses the stack there */

static const unsigned char jump_to_itself[] = { 0xeb, 0xfe };
static const unsigned char call_then_jump[] = { 0x0f, 0x05, 0xeb, 0xfe };

static int
fail(const char *what, pid_t pid)
{
	fprintf(stderr, "chaos_inject: %s of %d: %s\n", what, (int)pid, strerror(errno));
	return errno == EPERM || errno == EACCES || errno == ENOSYS ? EXIT_SKIP : 1;
}

/* Of a process that is stopped and traced, as all below. */
static int
overwrite(pid_t pid, unsigned long long where, const unsigned char *code, size_t size)
{
	void *at = (void *)(uintptr_t)where;
	long word;

	errno = 0;
	word = ptrace(PTRACE_PEEKTEXT, pid, at, NULL);
	if (errno != 0)
		return fail("text", pid);
	memcpy(&word, code, size);
	if (ptrace(PTRACE_POKETEXT, pid, at, (void *)word) != 0)
		return fail("text", pid);
	return 0;
}

static int
spin(pid_t pid)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) != 0)
		return fail("registers", pid);
	return overwrite(pid, regs.rip, jump_to_itself, sizeof(jump_to_itself));
}

/* Runs the system call that stands at the next instruction. */
static int
step(pid_t pid, const struct user_regs_struct *regs)
{
	struct user_regs_struct after;
	int status;

	if (ptrace(PTRACE_SETREGS, pid, NULL, regs) != 0 ||
	    ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) != 0)
		return fail("one step", pid);
	if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status) ||
	    WSTOPSIG(status) != SIGTRAP || ptrace(PTRACE_GETREGS, pid, NULL, &after) != 0 ||
	    after.rax != 0) {
		fprintf(stderr, "chaos_inject: %d did not make a pipe\n", (int)pid);
		return 1;
	}
	return 0;
}

static int
block(pid_t pid)
{
	struct user_regs_struct regs;
	unsigned long long scratch;
	long ends;
	int r;

	if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) != 0)
		return fail("registers", pid);
	if ((r = overwrite(pid, regs.rip, call_then_jump, sizeof(call_then_jump))) != 0)
		return r;
	scratch = regs.rsp - SCRATCH_BELOW;
	regs.orig_rax = ~0ull; /* the call it was in is not made again */
	regs.rax = SYS_pipe;
	regs.rdi = scratch;
	if ((r = step(pid, &regs)) != 0)
		return r;
	errno = 0;
	ends = ptrace(PTRACE_PEEKDATA, pid, (void *)(uintptr_t)scratch, NULL);
	if (errno != 0)
		return fail("stack", pid);
	regs.rax = SYS_read;
	regs.rdi = (unsigned)ends; /* the first of the two */
	regs.rsi = scratch;
	regs.rdx = 1;
	return ptrace(PTRACE_SETREGS, pid, NULL, &regs) != 0 ? fail("registers", pid) : 0;
}

static int
attached(pid_t pid, int (*what)(pid_t))
{
	int status, r;

	if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) != 0)
		return fail("attaching", pid);
	if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status)) {
		fprintf(stderr, "chaos_inject: %d ended\n", (int)pid);
		return 1;
	}
	r = what(pid);
	/* The stop was ours: it goes on without the signal. */
	if (ptrace(PTRACE_DETACH, pid, NULL, NULL) != 0 && r == 0)
		r = fail("detaching", pid);
	return r;
}

int
main(int argc, char **argv)
{
	pid_t pid = argc == 3 ? (pid_t)atoi(argv[2]) : 0;

	if (pid > 1 && strcmp(argv[1], "spin") == 0)
		return attached(pid, spin);
	if (pid > 1 && strcmp(argv[1], "block") == 0)
		return attached(pid, block);
	fprintf(stderr, "usage: chaos_inject spin|block PID\n");
	return 64;
}
#else
int
main(void)
{
	fprintf(stderr, "chaos_inject: knows x86-64 only\n");
	return EXIT_SKIP;
}
#endif
