/* log.h - one line an event, to stderr; the only global beside the statistics page. */
#ifndef LOG_H
#define LOG_H
#include <stdint.h>

#include "err.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_AUTO, LOG_FORMAT_JSON, LOG_FORMAT_TEXT };

/* `slot` is copied. AUTO is text when stderr is a terminal, JSON otherwise. Callable again at any time. */
void	log_open(const char *slot, enum log_format, enum log_level);
void	log_level_set(enum log_level);

/* The last lines of a process, in memory that outlives it. `next` counts lines; line n is at n % LOG_RING_LINES. */
#define LOG_RING_LINES 20
#define LOG_RING_LINE  232
struct log_ring {
	uint64_t	 next;
	char		 lines[LOG_RING_LINES][LOG_RING_LINE];	/* "2026-01-05T09:30:00.123Z warn  text", ended by 0 */
};
/* From now on every line that is written is kept there too; null: no more. Borrowed. */
void	log_keep(struct log_ring *);
int	log_level_enabled(enum log_level);

/* The four voices. A line starts with its subject: "AAPL: ...", "client 127.0.0.1:5000: ...".
 * Lines longer than 4 KiB are cut; a line is one write(). */
void	log_debug(const char *fmt, ...) PRINTF_LIKE(1, 2);
void	log_info(const char *fmt, ...) PRINTF_LIKE(1, 2);
void	log_warn(const char *fmt, ...) PRINTF_LIKE(1, 2);	/* done without it */
void	log_error(const char *fmt, ...) PRINTF_LIKE(1, 2);	/* an operator should look */

/* The world is wrong: says why and exits with a code of exits.def. */
void	fatal(enum exit_code, const char *fmt, ...) PRINTF_LIKE(2, 3) NORETURN;
/* Called once by the next fatal(), behind its line and before the exit, which follows if it comes back; null: none. */
typedef void log_fatal_fn(void *arg, const char *why);
void	log_on_fatal(log_fatal_fn *, void *arg);
/* We are wrong: says why and aborts. */
void	panic(const char *fmt, ...) PRINTF_LIKE(1, 2) NORETURN;

#endif /* LOG_H */
