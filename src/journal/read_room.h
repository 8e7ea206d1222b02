/* read_room.h - the reader's own: what its two files share. */
#ifndef READ_ROOM_H
#define READ_ROOM_H
#include "journal_room.h"

#define READ_WINDOW (256 * 1024)

struct journal_reader {
	char source[SEGMENT_NAME * 2];
	char dir[JOURNAL_PATH];
	int fd;		     /* the segment being read; -1: none yet */
	uint64_t first;	     /* of that segment */
	off_t at;	     /* next byte to look at */
	uint64_t after;	     /* sequence of the last record read or passed over */
	bool anywhere;	     /* nothing was read before: the first record is the right one */
	bool step_unknown;   /* the header that would tell a step from a loss is unreadable */
	uint64_t next_first; /* the segment behind this one; 0: none known */
	uint8_t *bytes;	     /* window of the file, from `bytes_at` */
	off_t bytes_at;
	size_t bytes_len;
	uint64_t skipped;
	bool version_told;
};

/* Logs errno's text, once an episode: E_SYSTEM. */
int	 reader_failed(struct journal_reader *, const char *doing) MUST_CHECK;
/* `count` records before `next` are gone. */
void	 reader_note_lost(struct journal_reader *, uint64_t count, uint64_t next);
/* The next record of this segment. E_PARTIAL: none that is whole; E_CORRUPT: something was passed over, ask again. */
int	 reader_next(struct journal_reader *, struct journal_record *) MUST_CHECK;
/* Halves the way to `after`, so that starting in a large segment costs a few reads. */
int	 reader_seek(struct journal_reader *) MUST_CHECK;

#endif /* READ_ROOM_H */
