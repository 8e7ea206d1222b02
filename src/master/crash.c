/* crash.c - the report of a process that ended badly: <state.dir>/crashes/NNNNNN.json, the last hundred.
 *
 * Half of it the process wrote itself, into its page (src/proc/crash.c); a process that is killed writes nothing, and
 * then the other half, what the kernel and the master know, is all. A page may hold anything by now: every text of it
 * is bounded and escaped. A disk that is full costs a line in the log.
 */
#include "master_room.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "build_config.h"
#include "clock.h"
#include "json_write.h"
#include "log.h"
#include "mem.h"
#include "text.h"

#define CRASH_FOLDER "crashes"
#define CRASH_KEPT   100
#define CRASH_BYTES  (64u * 1024)
#define CRASH_PATH   400
#define CRASH_TEXT   1100 /* longer than any text of a page */

struct crash_seen { /* what the kernel said of a process before it was aborted */
	char state[48], wchan[64], syscall[160], stack[1024];
};

static void
crash_read(pid_t pid, const char *name, char *out, size_t size)
{
	char path[64];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) >= 0) {
		n = read(fd, out, size - 1);
		close(fd);
	}
	if (n < 0)
		n = snprintf(out, size, "unreadable: %s", strerror(errno));
	out[n] = '\0';
	while (n > 0 && out[n - 1] == '\n')
		out[--n] = '\0';
}

void
crash_look(struct slot *s)
{
	char status[512], *at;

	if (s->seen == NULL)
		s->seen = mem_alloc(sizeof(*s->seen));
	crash_read(s->pid, "wchan", s->seen->wchan, sizeof(s->seen->wchan));
	crash_read(s->pid, "syscall", s->seen->syscall, sizeof(s->seen->syscall));
	crash_read(s->pid, "stack", s->seen->stack, sizeof(s->seen->stack));
	crash_read(s->pid, "status", status, sizeof(status));
	at = strstr(status, "State:\t");
	(void)text_copy_n(s->seen->state, sizeof(s->seen->state), at != NULL ? at + 7 : "unknown",
	    strcspn(at != NULL ? at + 7 : "unknown", "\n"));
}

/* A text of a page: as much of it as is there, ended, and nothing that is no UTF-8. */
static void
crash_text(struct json *j, const char *name, const char *from, size_t size)
{
	char raw[CRASH_TEXT], safe[CRASH_TEXT];
	size_t n = strnlen(from, size < sizeof(raw) ? size : sizeof(raw) - 1), i;

	for (i = 0; i < n; i++)
		raw[i] = (char)(from[i] == '\n' ? ';' : from[i]);
	raw[n] = '\0';
	json_text_or_null(j, name, text_safe(safe, sizeof(safe), raw));
}

static const char *
crash_code_name(int number, int code)
{
	if (code == SI_USER || code == SI_TKILL || code == SI_QUEUE)
		return "sent by a process";
	if (number == SIGSEGV)
		return code == SEGV_MAPERR   ? "SEGV_MAPERR"
		       : code == SEGV_ACCERR ? "SEGV_ACCERR"
					     : "SEGV";
	if (number == SIGBUS)
		return code == BUS_ADRALN   ? "BUS_ADRALN"
		       : code == BUS_ADRERR ? "BUS_ADRERR"
					    : "BUS";
	if (number == SIGFPE)
		return code == FPE_INTDIV ? "FPE_INTDIV" : "FPE";
	return number == SIGILL ? "ILL" : "other";
}

static void
crash_hex(struct json *j, const char *name, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%" PRIx64, v);
	json_text(j, name, text);
}

static void
crash_write_frames(struct json *j, const struct slot_page *p, const struct crash_note *note)
{
	uint64_t address;
	uint32_t i;

	json_array_open(j, "frames");
	for (i = 0; note->signal != 0 && i < note->frames && i < CRASH_FRAMES; i++) {
		address = note->frame[i].address;
		json_object_open(j, NULL);
		crash_hex(j, "address", address);
		crash_text(j, "module", note->frame[i].module, sizeof(note->frame[i].module));
		/* In the program itself as its symbols count; in a library as its file does. */
		crash_hex(j, "offset",
		    address >= p->image_base && address < p->image_end ? address - p->image_base
								       : note->frame[i].offset);
		json_object_close(j);
	}
	json_array_close(j);
}

static void
crash_write_note(struct json *j, const struct slot *s)
{
	const struct crash_note *note = &s->page->crash;
	int number = WIFSIGNALED(s->wait_status) ? WTERMSIG(s->wait_status) : 0;

	if (number != 0)
		json_i64(j, "signal", number);
	else
		json_absent(j, "signal");
	if (note->signal != 0) {
		json_text(j, "code", crash_code_name(note->signal, note->code));
		/* Of a signal somebody sent it would be the sender's number. */
		if (note->code > 0)
			crash_hex(j, "address", note->address);
		else
			json_absent(j, "address");
		crash_hex(j, "instruction", note->instruction);
		json_u64(j, "thread", note->thread);
	} else {
		json_absent(j, "code");
		json_absent(j, "address");
		json_absent(j, "instruction");
		json_absent(j, "thread");
	}
	crash_write_frames(j, s->page, note);
}

static void
crash_write_doing(struct json *j, const struct slot_page *p)
{
	json_object_open(j, "doing");
	crash_text(j, "text", p->doing, sizeof(p->doing));
	json_time_ms(j, "since", p->doing_ns > 0 && p->doing_ns < INT64_MAX / 2 ? p->doing_ns : 0);
	json_bool(j, "in_hand", p->doing_on == 1);
	json_object_close(j);
}

static void
crash_write_hang(struct json *j, const struct slot *s)
{
	if (s->seen == NULL) {
		json_absent(j, "hang");
		return;
	}
	json_object_open(j, "hang");
	json_f64(j, "still_seconds", (double)(s->hang.still_ns / CLOCK_MS) / 1000);
	crash_text(j, "state", s->seen->state, sizeof(s->seen->state));
	crash_text(j, "wchan", s->seen->wchan, sizeof(s->seen->wchan));
	crash_text(j, "syscall", s->seen->syscall, sizeof(s->seen->syscall));
	crash_text(j, "stack", s->seen->stack, sizeof(s->seen->stack));
	json_object_close(j);
}

/* The ring's number of lines is as trustworthy as the rest: what it names is within bounds whatever it says. */
static void
crash_write_log(struct json *j, const struct log_ring *ring)
{
	uint64_t next = ring->next, at = next > LOG_RING_LINES ? next - LOG_RING_LINES : 0;

	json_array_open(j, "log");
	for (; at < next; at++)
		crash_text(j, NULL, ring->lines[at % LOG_RING_LINES], LOG_RING_LINE);
	json_array_close(j);
}

static const char *
crash_core(const struct slot *s)
{
	struct rlimit limit;

	if (!WIFSIGNALED(s->wait_status))
		return "none: it exited";
	if (WCOREDUMP(s->wait_status))
		return "written: see /proc/sys/kernel/core_pattern for where";
	if (WTERMSIG(s->wait_status) == SIGKILL)
		return "none: SIGKILL leaves none";
	if (s->role == ROLE_FETCHER)
		return "none: it holds secrets";
	if (getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_cur == 0)
		return "none: the limit of core files is 0 (ulimit -c, LimitCORE=)";
	return "none: the system wrote none";
}

static void
crash_write(struct json *j, const struct slot *s, const struct crash_line *line, unsigned id)
{
	const struct slot_page *p = s->page;

	json_object_open(j, NULL);
	json_u64(j, "id", id);
	json_time_ms(j, "time", line->at_ns);
	json_text(j, "slot", s->label);
	json_text(j, "role", role_name(s->role));
	json_i64(j, "pid", s->pid);
	json_text(j, "cause", line->cause);
	json_text(j, "ended", line->ended);
	crash_write_note(j, s);
	crash_text(j, "executable", p->executable, sizeof(p->executable));
	crash_text(j, "build_id", p->build_id, sizeof(p->build_id));
	json_text(j, "version", PACKAGE_VERSION);
	json_f64(j, "uptime", (double)((clock_mono() - s->spawned_mono_ns) / CLOCK_MS) / 1000);
	json_u64(j, "generation", slot_generation(s));
	json_i64(j, "peak_rss_bytes", (int64_t)s->peak_rss_kb * 1024);
	crash_write_doing(j, p);
	crash_write_hang(j, s);
	json_text(j, "core", crash_core(s));
	crash_write_log(j, &p->log);
	json_object_close(j);
}

/* The number after the newest report's: it goes on over restarts. */
static unsigned
crash_first_number(const char *folder)
{
	unsigned long newest = 0, number;
	struct dirent *e;
	DIR *dir = opendir(folder);
	char *end;

	while (dir != NULL && (e = readdir(dir)) != NULL) {
		number = strtoul(e->d_name, &end, 10);
		if (strcmp(end, ".json") == 0 && number > newest && number < 1000000000)
			newest = number;
	}
	if (dir != NULL)
		closedir(dir);
	return (unsigned)newest + 1;
}

static int
crash_store(const char *folder, unsigned id, const struct buf *text)
{
	char path[CRASH_PATH + 40], fresh[CRASH_PATH + 48];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%06u.json", folder, id);
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	if ((fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640)) < 0)
		return E_SYSTEM;
	n = write(fd, buf_data(text), buf_len(text));
	close(fd);
	if (n != (ssize_t)buf_len(text) || rename(fresh, path) != 0) {
		unlink(fresh);
		return E_SYSTEM;
	}
	if (id > CRASH_KEPT) {
		snprintf(path, sizeof(path), "%s/%06u.json", folder, id - CRASH_KEPT);
		(void)unlink(path);
	}
	return E_OK;
}

void
crash_line_put(struct board *b, unsigned id, struct crash_line *line)
{
	struct crash_line *to = &b->crashes[id % BOARD_CRASHES];

	line->id = 0;
	*to = *line;
	__atomic_store_n(&to->id, id, __ATOMIC_RELEASE);
}

/* What the status page shows of it; the report's own instant, which a later master reads out of the file. */
static struct crash_line
crash_line_of(const struct slot *s, const char *cause, const char *ended)
{
	struct crash_line line = { .at_ns = clock_wall(), .pid = s->pid };

	(void)text_copy(line.slot, sizeof(line.slot), s->label);
	(void)text_copy(line.cause, sizeof(line.cause), cause);
	(void)text_copy(line.ended, sizeof(line.ended), ended);
	return line;
}

static void
crash_keep(struct slot *s, const char *cause, const char *ended)
{
	struct crash_line line = crash_line_of(s, cause, ended);
	struct master *m = s->master;
	char folder[CRASH_PATH];
	struct buf text;
	struct json j;

	snprintf(folder, sizeof(folder), "%s/%s", m->conf.state_dir, CRASH_FOLDER);
	(void)mkdir(folder, 0750);
	if (m->crash_number == 0)
		m->crash_number = crash_first_number(folder);
	buf_init(&text, CRASH_BYTES);
	json_begin(&j, &text);
	crash_write(&j, s, &line, m->crash_number);
	if (json_end(&j) != E_OK || crash_store(folder, m->crash_number, &text) != E_OK) {
		log_error("%s: its crash report cannot be kept in %s: %s", s->name, folder,
		    strerror(errno));
	} else {
		metric_add(&m->stats, M_CRASHES, 0, 0, 1);
		crash_line_put(m->board, m->crash_number, &line);
		log_error("%s: pid %d: %s: report %06u (opitios-ctl crashes %u)", s->label,
		    (int)s->pid, cause, m->crash_number, m->crash_number);
		m->crash_number++;
	}
	buf_fini(&text);
}

void
crash_report(struct slot *s, const char *cause)
{
	char ended[80];

	reap_text(s->wait_status, ended, sizeof(ended));
	crash_keep(s, cause, ended);
	crash_forget(s);
}

void
crash_forget(struct slot *s)
{
	mem_free(&s->seen);
}
