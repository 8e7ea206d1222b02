/* journal_scan.h - journals as they lie on the disk, for tools: every record, and whatever is wrong.
 *
 * Nothing here writes, locks or logs, so all of it works beside a gateway that writes, on a copy, and on garbage.
 * What a process relies on to go through a journal exactly once is journal_read() in journal.h.
 */
#ifndef JOURNAL_SCAN_H
#define JOURNAL_SCAN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "msg.h"

#define JOURNAL_SOURCE 64

/* Names of the journals below a state directory, sorted; the caller frees the array. No folder: none.
 * E_SYSTEM with errno. */
int	 journal_sources(const char *state_dir, char (**names)[JOURNAL_SOURCE], size_t *count) MUST_CHECK;

enum segment_state {
	SEGMENT_GOOD,
	SEGMENT_TORN,		/* ends in a record that was cut short, or is being written */
	SEGMENT_FOREIGN,	/* ends in bytes that are no record */
	SEGMENT_HEADLESS,	/* its header is bad */
	SEGMENT_NEWER,		/* of a format this program does not know */
	SEGMENT_UNREADABLE	/* no file, too large to be one of ours, or the system refuses */
};
const char *segment_state_name(enum segment_state);

struct segment_info {			/* times in ns since the epoch, 0 where not known */
	uint64_t	 first;		/* sequence it is named by */
	uint64_t	 previous;	/* sequence before it, from its header; 0 when that is bad */
	uint64_t	 last;		/* sequence of its last record; 0: it holds none */
	uint64_t	 bytes;
	int64_t		 first_ns, last_ns;	/* when these records were appended */
	enum segment_state state;
};
/* Looks at the beginning and the end of every segment. The caller frees the array. E_SYSTEM with errno, E_LIMIT: no
 * name of a source. */
int	 journal_survey(const char *state_dir, const char *source, struct segment_info **, size_t *count) MUST_CHECK;
/* What the segments hold, and lack: numbers that survive whatever the files claim. */
struct survey_sum {
	uint64_t	 first, last;		/* 0: no records */
	uint64_t	 records, missing, bytes;
	int64_t		 first_ns, last_ns;
	size_t		 bad;			/* segments that are neither good nor torn */
	enum segment_state worst;
};
void	 survey_add_up(const struct segment_info *, size_t count, struct survey_sum *);

enum scan_kind {
	SCAN_SEGMENT,		/* a segment is entered: segment, bytes */
	SCAN_RECORD,		/* desc, value and all of the record */
	SCAN_UNKNOWN,		/* an intact record of a type or version this program does not know */
	SCAN_GAP,		/* `count` records behind `after` are not there; it goes on at `sequence` */
	SCAN_STEP,		/* the writer went from `after` to `sequence` on purpose; nothing is missing */
	SCAN_DAMAGE,		/* `bytes` at `offset` of the segment are not what they should be: why */
	SCAN_TORN,		/* the same at the end of all, as a kill leaves it: the gateway cuts it */
	SCAN_NEWER,		/* the segment is of a newer format and passed over */
	SCAN_END		/* no more yet: ask again later */
};

struct scan_item {
	enum scan_kind	 kind;
	uint64_t	 segment;
	uint64_t	 offset, bytes;
	uint64_t	 after, sequence, count;
	int64_t		 appended_ns;
	unsigned	 type, version;
	const struct msg_desc *desc;
	const union msg_any *value;	/* borrowed until the next call */
	const char	*why;		/* static */
};

struct journal_scan;
struct scan_from {			/* zeros: from the beginning */
	uint64_t	 sequence;
	int64_t		 appended_ns;
};
/* Records before `from` are not told. E_SYSTEM with errno, E_LIMIT: no name of a source. */
int	 journal_scan_open(struct journal_scan **, const char *state_dir, const char *source,
	    const struct scan_from *) MUST_CHECK;
void	 journal_scan_close(struct journal_scan **);
/* Always moves on. E_SYSTEM with errno: a segment cannot be read, it is passed over by the next call. */
int	 journal_scan_next(struct journal_scan *, struct scan_item *) MUST_CHECK;
uint64_t journal_scan_bytes(const struct journal_scan *);	/* gone through so far */

#endif /* JOURNAL_SCAN_H */
