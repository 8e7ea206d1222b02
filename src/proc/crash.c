/* crash.c - a process that dies by its own fault says where, from inside the signal's handler.
 *
 * It writes into its page of the statistics board, which is the master's and outlives it. Only calls that are safe
 * in a handler are made, and what matters most is written first: a second fault while the stack is walked
 * leaves what stands there by then. The signal is then raised again with its default action, so that status and core
 * are what they would have been. An own stack lets the handler run when the other one has overflowed.
 */
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "build_config.h"
#include "log.h"
#include "proc_room.h"
#include "text.h"

#define CRASH_STACK	(64 * 1024)
#define CRASH_WALK	(CRASH_FRAMES + 8) /* the handler's own frames are left out */
#define CRASH_MAPS_READ 2048
#define CRASH_LINE	512
#define BUILD_ID_MAX	20

/* A handler is told nothing: this is all it knows. */
static struct slot_page *crash_page;
static uint8_t crash_stack[CRASH_STACK] __attribute__((aligned(16)));

static const int crash_signals[] = {
	SIGABRT,
	SIGSYS,
	SIGTRAP,
#ifndef WITH_SANITIZERS /* theirs says more of these */
	SIGSEGV,
	SIGBUS,
	SIGFPE,
	SIGILL,
#endif
};

static uint64_t
crash_instruction(const ucontext_t *context)
{
#if defined(__x86_64__)
	return (uint64_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
	return (uint64_t)context->uc_mcontext.pc;
#else
	(void)context;
	return 0;
#endif
}

/* From the interrupted instruction on; all of it when the walk did not come by there. */
static void
crash_walk(struct crash_note *note)
{
	void *found[CRASH_WALK];
	int count = backtrace(found, CRASH_WALK), first = 0, i;
	uint32_t n = 0;

	for (i = 0; i < count; i++)
		if ((uint64_t)(uintptr_t)found[i] == note->instruction)
			first = i;
	for (i = first; i < count && n < CRASH_FRAMES; i++)
		note->frame[n++].address = (uint64_t)(uintptr_t)found[i];
	note->frames = n;
}

static uint64_t
crash_hex(const char **at)
{
	uint64_t v = 0;
	char c;

	for (; (c = **at) != '\0'; (*at)++) {
		if (c >= '0' && c <= '9')
			v = v << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (uint64_t)(c - 'a' + 10);
		else
			break;
	}
	return v;
}

/* "7f00-7f10 r-xp 00001000 08:01 123  /usr/lib/libc.so.6": names the frames that lie within. */
static void
crash_map_line(struct crash_note *note, const char *line)
{
	const char *at = line, *name;
	uint64_t begin, end, offset;
	uint32_t i;

	begin = crash_hex(&at);
	if (*at++ != '-')
		return;
	end = crash_hex(&at);
	if (*at++ != ' ' || at[0] == '\0' || at[1] == '\0' || at[2] != 'x')
		return;
	at = strchr(at, ' ');
	if (at == NULL || (name = strrchr(line, '/')) == NULL)
		return;
	at++;
	offset = crash_hex(&at);
	for (i = 0; i < note->frames && i < CRASH_FRAMES; i++) {
		if (note->frame[i].address < begin || note->frame[i].address >= end)
			continue;
		note->frame[i].offset = note->frame[i].address - begin + offset;
		(void)text_copy(note->frame[i].module, sizeof(note->frame[i].module), name + 1);
	}
}

/* What is loaded is known to the kernel; the loader's own lists may be half changed. */
static void
crash_name_frames(struct crash_note *note)
{
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	char line[CRASH_LINE], bytes[CRASH_MAPS_READ];
	size_t len = 0;
	ssize_t n, i;

	if (fd < 0)
		return;
	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		for (i = 0; i < n; i++) {
			if (bytes[i] != '\n') {
				if (len < sizeof(line) - 1)
					line[len++] = bytes[i];
				continue;
			}
			line[len] = '\0';
			crash_map_line(note, line);
			len = 0;
		}
	close(fd);
}

static void
crash_on_signal(int number, siginfo_t *info, void *context)
{
	struct crash_note *note = &crash_page->crash;
	struct timespec now = { 0 };

	note->code = info->si_code;
	note->address = (uint64_t)(uintptr_t)info->si_addr;
	note->instruction = crash_instruction(context);
	note->thread = (uint32_t)syscall(SYS_gettid);
	note->frames = 0;
	clock_gettime(CLOCK_REALTIME, &now);
	note->at_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	__atomic_store_n(&note->signal, number, __ATOMIC_RELEASE);
	crash_walk(note);
	crash_name_frames(note);
	signal(number, SIG_DFL);
	/* It is blocked here: it comes when this returns. */
	(void)syscall(SYS_tgkill, getpid(), note->thread, number);
}

/* The linker's hash of what was linked: which build a report is of. */
static void
crash_build_id(struct slot_page *page, const uint8_t *notes, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	const ElfW(Nhdr) * n;
	size_t at = 0, name, description, i;

	while (at + sizeof(*n) <= len) {
		n = (const ElfW(Nhdr) *)(const void *)(notes + at);
		name = at + sizeof(*n);
		description = name + ((n->n_namesz + 3u) & ~3u);
		at = description + ((n->n_descsz + 3u) & ~3u);
		if (at > len || n->n_type != NT_GNU_BUILD_ID || n->n_namesz != 4 ||
		    memcmp(notes + name, "GNU", 4) != 0)
			continue;
		for (i = 0; i < n->n_descsz && i < BUILD_ID_MAX; i++) {
			page->build_id[2 * i] = hex[notes[description + i] >> 4];
			page->build_id[2 * i + 1] = hex[notes[description + i] & 15];
		}
		page->build_id[2 * i] = '\0';
		return;
	}
}

/* The first object is the program itself. */
static int
crash_image(struct dl_phdr_info *object, size_t size, void *arg)
{
	struct slot_page *page = arg;
	int i;

	(void)size;
	page->image_base = object->dlpi_addr;
	page->image_end = object->dlpi_addr;
	for (i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &object->dlpi_phdr[i];
		uint64_t end = object->dlpi_addr + p->p_vaddr + p->p_memsz;

		if (p->p_type == PT_LOAD && end > page->image_end)
			page->image_end = end;
		if (p->p_type == PT_NOTE && page->build_id[0] == '\0')
			crash_build_id(page,
			    (const uint8_t *)(uintptr_t)(object->dlpi_addr + p->p_vaddr),
			    p->p_memsz);
	}
	return 1;
}

static void
crash_describe(struct slot_page *page)
{
	ssize_t n = readlink("/proc/self/exe", page->executable, sizeof(page->executable) - 1);

	page->executable[n > 0 ? n : 0] = '\0';
	page->build_id[0] = '\0';
	(void)dl_iterate_phdr(crash_image, page);
}

void
crash_open(struct proc *p)
{
	struct sigaction action = { .sa_flags = SA_SIGINFO | SA_ONSTACK };
	stack_t stack = { .ss_sp = crash_stack, .ss_size = sizeof(crash_stack) };
	void *first[1];
	size_t i;

	crash_page = p->stats.mine;
	if (crash_page == NULL)
		return;
	crash_describe(crash_page);
	log_keep(&crash_page->log);
	/* The first walk loads a library, which cannot be done in a handler. */
	(void)backtrace(first, 1);
	if (sigaltstack(&stack, NULL) != 0)
		log_warn("crash reports: no stack for them: that of an overflow will be short");
	action.sa_sigaction = crash_on_signal;
	sigfillset(&action.sa_mask);
	for (i = 0; i < sizeof(crash_signals) / sizeof(crash_signals[0]); i++)
		(void)sigaction(crash_signals[i], &action, NULL);
}

void
crash_close(void)
{
	size_t i;

	for (i = 0; i < sizeof(crash_signals) / sizeof(crash_signals[0]); i++)
		signal(crash_signals[i], SIG_DFL);
	log_keep(NULL);
	crash_page = NULL;
}
