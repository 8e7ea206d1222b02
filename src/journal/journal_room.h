/* journal_room.h - the bytes of a journal: segments and records, shared by the writer and the reader. */
#ifndef JOURNAL_ROOM_H
#define JOURNAL_ROOM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "journal.h"

#define JOURNAL_PATH	   512	/* of a source's folder, and of a segment */
#define SEGMENT_FORMAT	   1
#define SEGMENT_HEADER	   64	/* bytes */
#define SEGMENT_NAME	   32	/* 20 digits and ".seg" */
#define SEGMENT_BOOT	   16
#define RECORD_HEADER	   32	/* bytes */
#define RECORD_PAYLOAD_MAX 16384
#define RECORD_MAX	   (RECORD_HEADER + RECORD_PAYLOAD_MAX)
#define JOURNAL_GATHER	   (1024 * 1024) /* gathered bytes beyond this are written without being asked */
/* No sequence is above: there is room for every step, and a store may keep them signed. */
#define SEQUENCE_MAX (UINT64_MAX / 4)
/* A deliberate step of the sequence is at least so wide; see open.c. */
#define JOURNAL_STEP UINT64_C(16777216)

struct segment_header {
	uint32_t	 format;
	uint64_t	 first;		/* sequence the segment begins with */
	uint64_t	 previous;	/* last sequence before it; first - 1 unless stepped over */
	int64_t		 created_ns;
	uint8_t		 boot[SEGMENT_BOOT]; /* of the machine when it was made; zeros: not known */
	uint64_t	 inode;		/* of the file, which a copy of it does not have; 0: not known */
};

struct record_view {		/* borrows the bytes it was made of */
	uint64_t	 sequence;
	int64_t		 appended_ns;
	uint16_t	 type, version;
	const uint8_t	*payload;
	size_t		 payload_len;
	size_t		 total;		/* header and payload */
};

enum record_state {
	RECORD_GOOD,
	RECORD_SHORT,		/* could become one when more bytes follow */
	RECORD_BAD
};

struct segment_list {		/* first sequences, ascending; owns the array */
	uint64_t	*first;
	size_t		 count;
};

/* <state_dir>/journal/<source>. E_LIMIT when a name is too long or no name of a folder. */
int	 segment_dir(const char *state_dir, const char *source, char dir[JOURNAL_PATH]) MUST_CHECK;
void	 segment_name(uint64_t first, char name[SEGMENT_NAME]);
int	 segment_path(const char *dir, uint64_t first, char path[JOURNAL_PATH]) MUST_CHECK;
/* A folder that is not there is an empty list. E_SYSTEM with errno. */
int	 segment_list_read(const char *dir, struct segment_list *) MUST_CHECK;
void	 segment_list_fini(struct segment_list *);
/* Records in these segments behind a sequence. */
int	 segments_behind(const char *dir, const struct segment_list *, uint64_t after, uint64_t *records) MUST_CHECK;
void	 segment_boot_read(uint8_t boot[SEGMENT_BOOT]);

void	 segment_header_write(const struct segment_header *, uint8_t out[SEGMENT_HEADER]);
/* E_CORRUPT; E_VERSION when it is intact and its format newer. */
int	 segment_header_read(const uint8_t in[SEGMENT_HEADER], struct segment_header *) MUST_CHECK;
/* The header of an open segment. E_PARTIAL: not written to its end yet. */
int	 segment_header_load(int fd, struct segment_header *) MUST_CHECK;

/* The header in front of `payload_len` bytes already at out + RECORD_HEADER; seal adds what is known last. */
void	 record_begin(uint8_t *out, enum msg_type, unsigned version, size_t payload_len, int64_t now_ns);
void	 record_seal(uint8_t *out, uint64_t sequence);
size_t	 record_bytes(const uint8_t *sealed);	/* header and payload of a record made by us */
enum msg_type record_type(const uint8_t *sealed);
enum record_state record_check(const uint8_t *, size_t len, struct record_view *);
/* First good record at or behind *at: 1 and *at moved, or 0. */
int	 record_find(const uint8_t *, size_t len, size_t *at, struct record_view *);

enum tail_kind { TAIL_CLEAN, TAIL_TORN, TAIL_FOREIGN };
struct segment_tail {
	uint64_t	 last;	/* sequence of the last good record; 0: there is none */
	int64_t		 last_ns; /* when it was appended */
	off_t		 end;	/* behind it */
	off_t		 size;	/* of the file */
	enum tail_kind	 kind;	/* of the bytes between: TORN is a write that was cut short */
};
/* Looks from the end backwards, so that it costs a window and not the segment. E_SYSTEM. */
int	 segment_tail_find(int fd, struct segment_tail *) MUST_CHECK;
/* All of it, or E_SYSTEM; *got is less than `len` at the end of the file only. */
int	 segment_pread(int fd, void *, size_t len, off_t at, size_t *got) MUST_CHECK;

struct syncer;			/* the thread that forces files to disk */
int	 syncer_open(struct syncer **) MUST_CHECK;
/* Does what it was given, for a bounded time. In a fork, which has no thread, it is forgotten. */
void	 syncer_close(struct syncer **);
/* Forces to disk and closes. E_FULL, E_SYSTEM: `fd` is still the caller's. */
int	 syncer_give(struct syncer *, int fd, bool round) MUST_CHECK;
/* Whether a round is in work. *error: errno of what failed since the last look, or 0. */
bool	 syncer_look(struct syncer *, int *error);

struct closed_segment {
	uint64_t	 first;
	uint64_t	 bytes;
	int64_t		 closed_ns;	/* when it was written to last */
};

struct journal_again {		/* again.c */
	uint64_t	 from;		/* first record not known to be nobody else's, or still to be appended again */
	uint64_t	 to;		/* last one to be appended again; 0: none is */
	uint64_t	 base;		/* where they go */
	bool		 heard;		/* the store was heard of to be where we are: there is no file */
};

struct journal {
	char		 source[SEGMENT_NAME * 2];
	char		 dir[JOURNAL_PATH];
	uint64_t	 segment_bytes;
	uint64_t	 max_bytes;
	uint8_t		 boot[SEGMENT_BOOT];	/* of the machine, now */
	int		 lock;
	int		 fd;		/* the segment written to; -1 when it could not be made */
	uint64_t	 first;		/* of that segment */
	uint64_t	 size;		/* of its good bytes */
	uint64_t	 last;		/* sequence of the last record; 0: there is none */
	uint64_t	 next;		/* last + 1 unless stepped over */
	struct closed_segment *closed;	/* older ones, ascending */
	size_t		 closed_count;
	size_t		 closed_room;
	uint64_t	 closed_bytes;
	int64_t		 keep_ns;
	uint64_t	 passed;	/* up to here it is stored, as far as is known */
	bool		 passed_told;	/* by the store, not by the mark of a process before us */
	int64_t		 told_ns;	/* monotonic: when it said so last */
	uint64_t	 marked;	/* what the mark says */
	struct journal_again again;
	struct buf	 gathered;	/* records without sequence and checksum yet */
	size_t		 gathered_count;
	size_t		 lost;		/* not yet reported by a flush */
	uint64_t	 kept[MSG_TYPE_MAX]; /* since it was opened, by type */
	bool		 torn;		/* bytes behind `size` could not be cut yet */
	bool		 dirty;		/* written since the last sync */
	bool		 dir_dirty;	/* a segment was made since */
	struct syncer	*syncer;	/* null: nobody asked for it yet */
	bool		 failing;	/* so that an episode is logged once */
};

/* keep.c: how far it is stored, as a file says it that survives us. 0: not known. */
uint64_t mark_read(const char *dir);
/* The oldest stored segment goes: false when there is none. */
bool	 journal_room_make(struct journal *);

/* again.c: takes up what the process before us left. */
void	 again_open(struct journal *);
/* The store stands at `sequence`: where we know of, or beyond all we gave. */
void	 again_heard(struct journal *, uint64_t sequence);
void	 again_begin(struct journal *, uint64_t sequence);
/* Appends some of them, if there are any. */
void	 journal_again(struct journal *);

/* As journal_append, of a record that came at that time. */
int	 journal_append_at(struct journal *, enum msg_type, const void *value, int64_t appended_ns) MUST_CHECK;
/* Writes what is gathered; what cannot be written is dropped and counted as lost. */
int	 gathered_flush(struct journal *) MUST_CHECK;
int	 journal_reader_open_dir(struct journal_reader **, const char *dir, const char *source, uint64_t after) MUST_CHECK;

/* Begins the segment of the next sequence; the old one stays in use when that fails. E_SYSTEM with errno. */
int	 journal_segment_begin(struct journal *) MUST_CHECK;
/* Makes the next sequence one that no record behind `floor` can have had. */
void	 journal_step(struct journal *, uint64_t floor, const char *why);
/* Somebody removed the folder or the segment in use: begins anew in its place. E_SYSTEM with errno. */
int	 journal_reestablish(struct journal *) MUST_CHECK;

#endif /* JOURNAL_ROOM_H */
