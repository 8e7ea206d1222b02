/* journal.h - the append-only record of what was received: segments, checksums, positions. */
#ifndef JOURNAL_H
#define JOURNAL_H
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "msg.h"

struct journal;			/* the writing side, one per fetcher slot */
struct journal_reader;

#define JOURNAL_KEEP_EVER INT64_MAX

struct journal_limits {
	uint64_t	segment_bytes;
	uint64_t	max_bytes;
	int64_t		keep_ns;	/* segments stay so long after they are full, stored or not; 0: until stored */
};

/* Opens or makes <state_dir>/journal/<source>; cuts a torn tail; sequences go on where they stopped. They rise
 * by one, but step far ahead where a sequence might already have been read by somebody: in a new journal, and
 * when the machine restarted or the end of the journal is bad. Never count on a sequence being 1.
 * E_SYSTEM, E_VERSION with a line in the log. */
int	 journal_open(struct journal **, const char *state_dir, const char *source,
	    const struct journal_limits *) MUST_CHECK;
void	 journal_close(struct journal **);
/* Gathers one record (a STORED value) in memory; journal_flush writes all gathered with one write().
 * Stored segments that are only kept go where room is needed, the oldest first.
 * E_FULL: max_bytes reached by what is not stored; not kept. */
int	 journal_append(struct journal *, enum msg_type, const void *value) MUST_CHECK;
/* E_SYSTEM: the disk refused; what was gathered is not in the journal and is dropped, *lost tells how many
 * records (may be null). *last is the sequence of the last record in the journal. */
int	 journal_flush(struct journal *, uint64_t *last, size_t *lost) MUST_CHECK;
int	 journal_sync(struct journal *) MUST_CHECK;	/* fdatasync when something was written since */
/* The same without waiting for the disk: a thread does it, at most one round at a time, and begins with the first
 * call. E_SYSTEM: an earlier round failed (told once), or this one cannot begin. */
int	 journal_sync_begin(struct journal *) MUST_CHECK;
/* Everything up to `sequence` is stored: segments wholly below it go, unless they are to be kept. It may be lower than
 * what was said before: another store, which is behind. A sequence not given yet says that the store knows records
 * this journal lost: sequences go on behind it, and what was written under such sequences is appended again. */
void	 journal_passed(struct journal *, uint64_t sequence);
/* Stored segments that were kept long enough go, while journal_passed is called every few seconds. */
void	 journal_prune(struct journal *);
uint64_t journal_last(const struct journal *);	/* sequence of the last record; 0 when none */
uint64_t journal_bytes(const struct journal *);
uint64_t journal_stored_bytes(const struct journal *);	/* of them, what would go if room were needed */
/* Records of this type that reached its files since it was opened: of a write that failed, some did. */
uint64_t journal_kept(const struct journal *, enum msg_type);

/* Every journal of a state directory: `found` is called for the folder of each fetcher's slot there is. Folders of other
 * names (a copy somebody made) are none of ours, which is told once. */
void	 journal_find(const char *state_dir, void (*found)(const char *source, void *owner), void *owner);

struct journal_record {
	uint64_t	 sequence;
	int64_t		 appended_ns;
	enum msg_type	 type;
	const struct msg_desc *desc;
	union msg_any	 value;
};

/* Reading starts behind `after`. A source that does not exist yet is an empty one. */
int	 journal_reader_open(struct journal_reader **, const char *state_dir, const char *source,
	    uint64_t after) MUST_CHECK;
void	 journal_reader_close(struct journal_reader **);
/* E_OK: *record is the next one. E_PARTIAL: nothing more yet. E_CORRUPT: bytes or records were skipped, which
 * was logged; call again. E_VERSION: a record this program does not know; it stays there. E_SYSTEM. */
int	 journal_read(struct journal_reader *, struct journal_record *) MUST_CHECK;
uint64_t journal_reader_skipped(const struct journal_reader *);	/* records lost to corruption so far */
/* Sequence of the last record read, skipped or stepped over: reading may be taken up behind it. */
uint64_t journal_reader_after(const struct journal_reader *);
/* How many records are in the journal that were not read yet, told from the ends of its segments. */
int	 journal_reader_behind(struct journal_reader *, uint64_t *records) MUST_CHECK;

#endif /* JOURNAL_H */
