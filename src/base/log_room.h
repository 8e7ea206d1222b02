/* log_room.h - what the files of the log share. */
#ifndef LOG_ROOM_H
#define LOG_ROOM_H
#include <stdbool.h>
#include <stddef.h>

#include "log.h"

#define LOG_LINE 4096	/* what a pipe takes whole: PIPE_BUF */

enum log_level_more { LOG_LEVEL_FATAL = LOG_LEVEL_ERROR + 1, LOG_LEVEL_PANIC, LOG_LEVELS };
extern const char *const log_level_names[LOG_LEVELS];

enum log_where { LOG_EVERY, LOG_ABOUT_IT, LOG_ACCESS };
enum log_kind { LOG_TEXT, LOG_NUMBER, LOG_MICROS };

struct log_row {		/* of log_fields.def */
	const char	*name, *journal;
	enum log_where	 where;
	enum log_kind	 kind;
	size_t		 max;
	size_t		 offset;	/* in struct log_about; not of EVERY */
};
const struct log_row *log_rows(size_t *count);

/* line.c: a line as bytes. */
enum log_shape { LOG_SHAPE_JSON, LOG_SHAPE_TEXT, LOG_SHAPE_COLOUR, LOG_SHAPE_JOURNAL };

struct log_event {
	unsigned	 level;
	const char	*slot, *message;
	const struct log_about *about;		/* null: nothing */
	const struct log_site *site;		/* null: nowhere */
	int64_t		 at_ns;			/* wall */
	int		 pid;
	bool		 is_access;
	bool		 prefixed;		/* begins with <6>, which the journal takes off a stream */
};
/* Returns the length; the last byte is a newline. */
size_t	log_compose(enum log_shape, const struct log_event *, char line[LOG_LINE]);
/* For people, without colour: message and fields, no more; ended by NUL. */
void	log_compose_short(const struct log_event *, char *out, size_t size);

/* sink.c: where lines go. */
enum log_sink_kind {
	LOG_SINK_PLAIN,		/* a file: does not wait for readers */
	LOG_SINK_SOCKET,
	LOG_SINK_POLLED		/* a pipe that is not ours to open again: asked before each line */
};
struct log_sink {
	int		 fd;		/* -1: not in use */
	enum log_sink_kind kind;
	bool		 own;		/* opened here, closed here */
	bool		 torn;		/* the last line was written in part */
	uint64_t	 dropped;	/* lines since the last that was written */
};
void	log_sink_stderr(struct log_sink *);
int	log_sink_file(struct log_sink *, const char *path) MUST_CHECK;
void	log_sink_close(struct log_sink *);
bool	log_sink_write(struct log_sink *, const char *line, size_t len);

/* repeat.c: lines that come too often. */
#define LOG_REPEAT_BURST      10	/* the same text a second */
#define LOG_REPEAT_BURST_SITE 600	/* any text of one place a second, more than there are slots; not of errors or debug */
#define LOG_REPEAT_WINDOW_NS  INT64_C(1000000000)
#define LOG_REPEAT_SUM_NS     INT64_C(10000000000)

/* Where a sum goes: an event whose message tells it, and how many lines it stands for. */
typedef void log_sum_fn(const struct log_event *, uint64_t count);
/* True: it is held back, and will be in a sum. */
bool	log_repeat_hold(const struct log_event *, int64_t now_ns, log_sum_fn *);
void	log_repeat_sum(int64_t now_ns, bool all, log_sum_fn *);
void	log_repeat_reset(void);	/* for tests */

/* journal.c: systemd's journal. */
#define LOG_JOURNAL_SOCKET "/run/systemd/journal/socket"
/* Whether JOURNAL_STREAM, as given, is this descriptor. */
bool	log_journal_is(const char *journal_stream, int fd);
bool	log_journal_open(const char *path);
bool	log_journal_in_use(void);
void	log_journal_close(void);
/* 1: taken; 0: not taken now; -1: nobody there. */
int	log_journal_send(const char *fields, size_t len);

/* log.c: with the journal's socket at this path, for tests. */
void	log_open_journal(const char *slot, enum log_level, const char *path);

#endif /* LOG_ROOM_H */
