/* sqlite_read.h - one answer out of the SQLite file, in the thread that may wait for the disk. */
#ifndef SQLITE_READ_H
#define SQLITE_READ_H
#include "history_room.h"

struct sqlite_read;

struct sqlite_read *sqlite_read_new(const char *state_dir);	/* opens nothing yet */
void	 sqlite_read_close(struct sqlite_read **);
/* Fills the ticket's answer; gives up at its deadline, or when nobody waits any more. */
void	 sqlite_read(struct sqlite_read *, struct history_ticket *);

#endif /* SQLITE_READ_H */
