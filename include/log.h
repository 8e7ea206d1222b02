/* log.h - one line an event; the only global beside the statistics page. The fields are those of log_fields.def.
 *
 * Writing never waits: a line that a stuck reader does not take is dropped and counted, and the next one that can be
 * written is preceded by how many were. The same line over and over is written a few times a second, then summed up.
 */
#ifndef LOG_H
#define LOG_H
#include <stdint.h>

#include "err.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_AUTO, LOG_FORMAT_JSON, LOG_FORMAT_TEXT };

/* What a line is about; what is null or 0 is left out. Texts are borrowed for the call. */
struct log_about {
#define LOG_MEMBER_EVERY(type)
#define LOG_MEMBER_ABOUT(type)	type;
#define LOG_MEMBER_ACCESS(type) type;
#define LOG_TYPE_TEXT	const char *
#define LOG_TYPE_NUMBER int64_t
#define LOG_TYPE_MICROS int64_t
#define LOG_FIELD(name, WHERE, KIND, max, journal, help) LOG_MEMBER_##WHERE(LOG_TYPE_##KIND name)
#include "tables/log_fields.def"
};

/* Where a line stands in the source: lines of one place are summed up when they are too many. */
struct log_site {
	const char	*file;
	int		 line;
};

/* `slot` is copied. To stderr: AUTO is native fields when that is systemd's journal, coloured text when it is a
 * terminal (not with NO_COLOR), else JSON. Callable again at any time: the descriptor is looked at anew. */
void	log_open(const char *slot, enum log_format, enum log_level);
void	log_level_set(enum log_level);
int	log_level_enabled(enum log_level);

/* Instead of stderr to this file, and the access log to that one; "": none. Opened anew at every call, so that
 * a file that was moved away is begun again; made with 0640. E_SYSTEM, with errno: one cannot be opened, and what was
 * in use stays. After log_open, which goes back to stderr only when no file is in use. */
int	log_files(const char *file, const char *access_file) MUST_CHECK;

/* The last lines of a process, in memory that outlives it. `next` counts lines; line n is at n % LOG_RING_LINES. */
#define LOG_RING_LINES 20
#define LOG_RING_LINE  232
struct log_ring {
	uint64_t	 next;
	char		 lines[LOG_RING_LINES][LOG_RING_LINE];	/* "2026-01-05T09:30:00.123Z warn  text", ended by 0 */
};
/* From now on every line that is written is kept there too; null: no more. Borrowed. */
void	log_keep(struct log_ring *);

/* Until the next call every line carries the request_id and trace_id given here; null: none. Borrowed. */
void	log_context(const char *request_id, const char *trace_id);

/* The four voices. A line starts with its subject: "AAPL: ...", "client 127.0.0.1:5000: ...". The second form also
 * says in fields what it is about: LOG_ABOUT(.symbol = "AAPL", .code = err_name(r)).
 * A line is one write() of at most 4 KiB, what a pipe takes whole. */
#define LOG_AT(level, about, ...)                                                                  \
	do {                                                                                       \
		static const struct log_site log_site_here = { __FILE__, __LINE__ };               \
		if (log_level_enabled(level))                                                      \
			log_line(&log_site_here, level, about, __VA_ARGS__);                       \
	} while (0)
#define LOG_ABOUT(...) (&(const struct log_about){ __VA_ARGS__ })

#define log_debug(...)	      LOG_AT(LOG_LEVEL_DEBUG, NULL, __VA_ARGS__)
#define log_info(...)	      LOG_AT(LOG_LEVEL_INFO, NULL, __VA_ARGS__)
#define log_warn(...)	      LOG_AT(LOG_LEVEL_WARN, NULL, __VA_ARGS__)	 /* done without it */
#define log_error(...)	      LOG_AT(LOG_LEVEL_ERROR, NULL, __VA_ARGS__) /* an operator should look */
#define log_debug_of(about, ...) LOG_AT(LOG_LEVEL_DEBUG, about, __VA_ARGS__)
#define log_warn_of(about, ...)	 LOG_AT(LOG_LEVEL_WARN, about, __VA_ARGS__)
#define log_error_of(about, ...) LOG_AT(LOG_LEVEL_ERROR, about, __VA_ARGS__)

void	log_line(const struct log_site *, enum log_level, const struct log_about *, const char *fmt, ...)
	    PRINTF_LIKE(4, 5);
/* A line of the access log, whatever the level. */
void	log_access(const struct log_about *);

/* Now and then, by a timer: writes the sums that are due and tells what was dropped. */
void	log_tick(void);
/* The same for all sums, due or not: before the end. */
void	log_flush(void);

struct log_counts {
	uint64_t	 dropped;	/* lines that could not be written */
	uint64_t	 repeated;	/* lines that were summed up */
};
/* Since the last call. */
struct log_counts log_counts_take(void);

/* The world is wrong: says why and exits with a code of exits.def. */
void	fatal(enum exit_code, const char *fmt, ...) PRINTF_LIKE(2, 3) NORETURN;
/* Called once by the next fatal(), behind its line and before the exit, which follows if it comes back; null: none. */
typedef void log_fatal_fn(void *arg, const char *why);
void	log_on_fatal(log_fatal_fn *, void *arg);
/* We are wrong: says why and aborts. */
void	panic(const char *fmt, ...) PRINTF_LIKE(1, 2) NORETURN;

#endif /* LOG_H */
