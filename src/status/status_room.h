/* status_room.h - what the files of the status room share. */
#ifndef STATUS_ROOM_H
#define STATUS_ROOM_H
#include "status.h"

/* Made from the page's files when the program is built. */
extern const struct status_file	 status_files[];
extern const size_t		 status_file_count;

#endif /* STATUS_ROOM_H */
