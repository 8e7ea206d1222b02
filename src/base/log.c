/* log.c - one line an event: what is written, and where to.
 *
 * A line is built in a buffer on the stack and written by one write(), so that lines of several processes
 * on one descriptor do not mix. Nothing here allocates: logging works when memory has run out.
 */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "log_room.h"
#include "text.h"

#define LOG_MESSAGE 3584

static struct {
	char slot[32];
	enum log_format format;
	enum log_shape shape, access_shape;
	bool prefixed; /* stderr is the journal, and lines go there as text */
	bool on_file;
	int pid;
	enum log_level level;
	struct log_ring *ring;
	struct log_sink sink, access;
	const char *request_id, *trace_id;
	struct log_counts counts;
} log_state = { .slot = "-",
	.shape = LOG_SHAPE_TEXT,
	.level = LOG_LEVEL_INFO,
	.sink = { .fd = STDERR_FILENO },
	.access = { .fd = -1 } };

#define LOG_FATAL_WHY 512

static log_fatal_fn *log_fatal_hook;
static void *log_fatal_arg;

static bool
log_wants_colour(void)
{
	const char *no = getenv("NO_COLOR");

	return isatty(STDERR_FILENO) && (no == NULL || *no == '\0');
}

static void
log_choose_shape(const char *journal_socket)
{
	bool journal =
	    !log_state.on_file && log_journal_is(getenv("JOURNAL_STREAM"), STDERR_FILENO);

	log_journal_close();
	log_state.prefixed = journal;
	log_state.access_shape =
	    log_state.format == LOG_FORMAT_TEXT ? LOG_SHAPE_TEXT : LOG_SHAPE_JSON;
	log_state.shape = log_state.access_shape;
	if (log_state.format != LOG_FORMAT_AUTO || log_state.on_file)
		return;
	if (journal && log_journal_open(journal_socket))
		log_state.shape = LOG_SHAPE_JOURNAL;
	else if (isatty(STDERR_FILENO))
		log_state.shape = log_wants_colour() ? LOG_SHAPE_COLOUR : LOG_SHAPE_TEXT;
}

void
log_open_journal(const char *slot, enum log_level level, const char *path)
{
	(void)text_copy(log_state.slot, sizeof(log_state.slot), slot);
	log_state.format = LOG_FORMAT_AUTO;
	log_state.level = level;
	log_sink_stderr(&log_state.sink);
	log_choose_shape(path);
}

void
log_open(const char *slot, enum log_format format, enum log_level level)
{
	(void)text_copy(log_state.slot, sizeof(log_state.slot), slot);
	log_state.format = format;
	log_state.level = level;
	if (!log_state.on_file)
		log_sink_stderr(&log_state.sink);
	log_choose_shape(LOG_JOURNAL_SOCKET);
}

/* What is counted as dropped stays so: it is told in the new file. */
int
log_files(const char *file, const char *access_file)
{
	int r = E_OK, error;

	errno = 0;
	if (*file != '\0' && (r = log_sink_file(&log_state.sink, file)) == E_OK)
		log_state.on_file = true;
	if (*file == '\0' && log_state.on_file) {
		log_state.on_file = false;
		log_sink_stderr(&log_state.sink);
	}
	if (*access_file == '\0')
		log_sink_close(&log_state.access);
	else if (log_sink_file(&log_state.access, access_file) != E_OK)
		r = E_SYSTEM;
	error = errno;
	log_choose_shape(LOG_JOURNAL_SOCKET);
	errno = error;
	return r;
}

void
log_level_set(enum log_level level)
{
	log_state.level = level;
}

int
log_level_enabled(enum log_level level)
{
	return level >= log_state.level;
}

void
log_keep(struct log_ring *ring)
{
	log_state.ring = ring;
}

void
log_context(const char *request_id, const char *trace_id)
{
	log_state.request_id = request_id;
	log_state.trace_id = trace_id;
}

/* Before it is written: the last line of a process that dies of writing it is kept. */
static void
log_ring_add(struct log_ring *ring, const struct log_event *e)
{
	char *line = ring->lines[ring->next % LOG_RING_LINES], when[CLOCK_TEXT];
	int n;

	clock_format_ms(e->at_ns, when);
	n = snprintf(line, LOG_RING_LINE, "%s %-5s ", when, log_level_names[e->level]);
	if (n > 0 && n < LOG_RING_LINE)
		log_compose_short(e, line + n, LOG_RING_LINE - (size_t)n);
	__atomic_store_n(&ring->next, ring->next + 1, __ATOMIC_RELEASE);
}

/* Whoever writes it fills in who says it, and when. */
static void
log_sign(struct log_event *e)
{
	e->slot = log_state.slot;
	/* Asked each time, a child between fork and exec is another; the access log has no time for it. */
	if (!e->is_access || log_state.pid == 0)
		log_state.pid = (int)getpid();
	e->pid = log_state.pid;
	e->at_ns = clock_wall();
	e->prefixed = log_state.prefixed;
}

/* 1: written; 0: not now. */
static bool
log_put(struct log_sink *sink, enum log_shape shape, struct log_event *e)
{
	char line[LOG_LINE];
	int r;

	e->prefixed = log_state.prefixed && shape != LOG_SHAPE_JOURNAL && sink != &log_state.access;
	if (shape == LOG_SHAPE_JOURNAL) {
		if ((r = log_journal_send(line, log_compose(shape, e, line))) >= 0)
			return r > 0;
		/* Nobody listens there: the stream it gave us takes the same as text. */
		e->prefixed = true;
		shape = LOG_SHAPE_TEXT;
	}
	return log_sink_write(sink, line, log_compose(shape, e, line));
}

static bool
log_tell_dropped(struct log_sink *sink, enum log_shape shape)
{
	static const struct log_site here = { __FILE__, __LINE__ };
	struct log_about about = { .dropped = (int64_t)sink->dropped };
	struct log_event e = { .level = LOG_LEVEL_WARN, .about = &about, .site = &here };
	char message[128];

	if (sink->dropped == 0)
		return true;
	snprintf(message, sizeof(message), "log: written again after %llu lines that could not be",
	    (unsigned long long)sink->dropped);
	e.message = message;
	log_sign(&e);
	if (!log_put(sink, shape, &e))
		return false;
	sink->dropped = 0;
	return true;
}

static void
log_emit(struct log_sink *sink, enum log_shape shape, struct log_event *e)
{
	if (log_tell_dropped(sink, shape) && log_put(sink, shape, e))
		return;
	sink->dropped++;
	log_state.counts.dropped++;
}

static void
log_write(struct log_event *e)
{
	log_sign(e);
	if (log_state.ring != NULL)
		log_ring_add(log_state.ring, e);
	log_emit(&log_state.sink, log_state.shape, e);
}

static void
log_write_sum(const struct log_event *sum, uint64_t count)
{
	struct log_event e = *sum;

	log_state.counts.repeated += count;
	log_write(&e);
}

/* Of an event that says nothing of it, the request in hand. */
static void
log_fill(struct log_about *to, const struct log_about *from)
{
	if (from != NULL)
		*to = *from;
	if (to->request_id == NULL)
		to->request_id = log_state.request_id;
	if (to->trace_id == NULL)
		to->trace_id = log_state.trace_id;
}

static void
log_event(unsigned level, const struct log_site *site, const struct log_about *about,
    const char *fmt, va_list args)
{
	struct log_about filled = { 0 };
	char message[LOG_MESSAGE];
	struct log_event e = { .level = level, .site = site, .message = message, .about = &filled };

	vsnprintf(message, sizeof(message), fmt, args);
	log_fill(&filled, about);
	if (site != NULL && log_repeat_hold(&e, clock_mono(), log_write_sum))
		return;
	log_write(&e);
}

void
log_line(const struct log_site *site, enum log_level level, const struct log_about *about,
    const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_event(level, site, about, fmt, args);
	va_end(args);
}

void
log_access(const struct log_about *about)
{
	struct log_event e = {
		.level = LOG_LEVEL_INFO, .message = "access", .about = about, .is_access = true
	};

	log_sign(&e);
	if (log_state.access.fd >= 0)
		log_emit(&log_state.access, log_state.access_shape, &e);
	else
		log_emit(&log_state.sink, log_state.shape, &e);
}

void
log_tick(void)
{
	log_repeat_sum(clock_mono(), false, log_write_sum);
	(void)log_tell_dropped(&log_state.sink, log_state.shape);
	if (log_state.access.fd >= 0)
		(void)log_tell_dropped(&log_state.access, log_state.access_shape);
}

void
log_flush(void)
{
	log_repeat_sum(clock_mono(), true, log_write_sum);
	log_tick();
}

struct log_counts
log_counts_take(void)
{
	struct log_counts taken = log_state.counts;

	log_state.counts = (struct log_counts){ 0 };
	return taken;
}

void
log_on_fatal(log_fatal_fn *hook, void *arg)
{
	log_fatal_hook = hook;
	log_fatal_arg = arg;
}

void
fatal(enum exit_code code, const char *fmt, ...)
{
	log_fatal_fn *hook = log_fatal_hook;
	char why[LOG_FATAL_WHY] = "";
	va_list args;

	log_flush();
	va_start(args, fmt);
	log_event(LOG_LEVEL_FATAL, NULL, NULL, fmt, args);
	va_end(args);
	va_start(args, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	log_fatal_hook = NULL; /* what it does may be fatal too */
	if (hook != NULL)
		hook(log_fatal_arg, why);
	exit((int)code);
}

void
panic(const char *fmt, ...)
{
	va_list args;

	log_flush();
	va_start(args, fmt);
	log_event(LOG_LEVEL_PANIC, NULL, NULL, fmt, args);
	va_end(args);
	abort();
}
