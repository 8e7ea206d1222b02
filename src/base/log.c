/* log.c - one line an event, to stderr.
 *
 * A line is built in a buffer on the stack and written by one write(), so that lines of several processes
 * on one descriptor do not mix. Nothing here allocates: logging works when memory has run out.
 */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "text.h"

#define LOG_LINE 4096

static struct {
	char slot[32];
	enum log_format format;
	enum log_level level;
	struct log_ring *ring;
} log_state = { "-", LOG_FORMAT_TEXT, LOG_LEVEL_INFO, NULL };

#define LOG_FATAL_WHY 512

static log_fatal_fn *log_fatal_hook;
static void *log_fatal_arg;

static const char *const log_names[] = { "debug", "info", "warn", "error", "fatal", "panic" };
static const char *const log_colours[] = { "\033[2m", "", "\033[33m", "\033[31m", "\033[31;1m",
	"\033[31;1m" };

void
log_open(const char *slot, enum log_format format, enum log_level level)
{
	(void)text_copy(log_state.slot, sizeof(log_state.slot), slot);
	if (format == LOG_FORMAT_AUTO)
		format = isatty(STDERR_FILENO) ? LOG_FORMAT_TEXT : LOG_FORMAT_JSON;
	log_state.format = format;
	log_state.level = level;
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

/* Message bytes as the inside of a JSON string; a byte that is no UTF-8 becomes U+FFFD. */
static size_t
log_escape(char *to, size_t size, const char *from)
{
	size_t n = 0, len;

	for (; *from != '\0' && n + 7 < size; from += len > 0 ? len : 1) {
		unsigned char c = (unsigned char)*from;

		len = text_utf8_len(from);
		if (c == '"' || c == '\\') {
			to[n++] = '\\';
			to[n++] = (char)c;
		} else if (len == 0 || c < 0x20 || c == 0x7f) {
			n += (size_t)snprintf(to + n, size - n, "\\u%04x", len > 0 ? c : 0xfffd);
		} else {
			memcpy(to + n, from, len);
			n += len;
		}
	}
	to[n] = '\0';
	return n;
}

/* Control bytes of a hostile message must not move a terminal's cursor. */
static void
log_clean(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = ' ';
}

static size_t
log_line_text(char *line, size_t size, unsigned level, const char *when, char *message)
{
	int colour = isatty(STDERR_FILENO) && log_colours[level][0] != '\0';
	int n;

	log_clean(message);
	n = snprintf(line, size - 1, "%s%s %-5s %s: %s%s", colour ? log_colours[level] : "", when,
	    log_names[level], log_state.slot, message, colour ? "\033[0m" : "");
	return n < 0 ? 0 : (size_t)n < size - 1 ? (size_t)n : size - 2;
}

static size_t
log_line_json(char *line, size_t size, unsigned level, const char *when, const char *message)
{
	char escaped[LOG_LINE - 256];
	int n;

	log_escape(escaped, sizeof(escaped), message);
	n = snprintf(line, size - 1,
	    "{\"time\":\"%s\",\"level\":\"%s\",\"slot\":\"%s\",\"pid\":%d,\"message\":\"%s\"}",
	    when, log_names[level], log_state.slot, (int)getpid(), escaped);
	return n < 0 ? 0 : (size_t)n < size - 1 ? (size_t)n : size - 2;
}

void
log_keep(struct log_ring *ring)
{
	log_state.ring = ring;
}

/* Before it is written: the last line of a process that dies of writing it is kept. */
static void
log_ring_add(struct log_ring *ring, unsigned level, const char *when, const char *message)
{
	char *line = ring->lines[ring->next % LOG_RING_LINES];

	int n = snprintf(line, LOG_RING_LINE, "%s %-5s ", when, log_names[level]);

	if (n > 0 && n < LOG_RING_LINE)
		(void)text_copy(line + n, LOG_RING_LINE - (size_t)n, message);
	log_clean(line);
	__atomic_store_n(&ring->next, ring->next + 1, __ATOMIC_RELEASE);
}

static void
log_write(unsigned level, const char *fmt, va_list args)
{
	char message[LOG_LINE - 512], line[LOG_LINE], when[CLOCK_TEXT];
	size_t len;
	ssize_t ignored;

	vsnprintf(message, sizeof(message), fmt, args);
	clock_format_ms(clock_wall(), when);
	if (log_state.ring != NULL)
		log_ring_add(log_state.ring, level, when, message);
	if (log_state.format == LOG_FORMAT_JSON)
		len = log_line_json(line, sizeof(line), level, when, message);
	else
		len = log_line_text(line, sizeof(line), level, when, message);
	line[len++] = '\n';
	/* A log that cannot be written must not stop the work; the kernel's counters show it. */
	ignored = write(STDERR_FILENO, line, len);
	(void)ignored;
}

#define LOG_VOICE(name, LEVEL)                                                                     \
	void log_##name(const char *fmt, ...)                                                      \
	{                                                                                          \
		va_list args;                                                                      \
                                                                                                   \
		if (LEVEL < (int)log_state.level)                                                  \
			return;                                                                    \
		va_start(args, fmt);                                                               \
		log_write(LEVEL, fmt, args);                                                       \
		va_end(args);                                                                      \
	}

LOG_VOICE(debug, LOG_LEVEL_DEBUG)
LOG_VOICE(info, LOG_LEVEL_INFO)
LOG_VOICE(warn, LOG_LEVEL_WARN)
LOG_VOICE(error, LOG_LEVEL_ERROR)

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

	va_start(args, fmt);
	log_write(4, fmt, args);
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

	va_start(args, fmt);
	log_write(5, fmt, args);
	va_end(args);
	abort();
}
