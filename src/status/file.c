/* file.c - the files of the status page, part of the program: none is read when it runs. */
#include <string.h>

#include "status_room.h"

const struct status_file *
status_file_find(const char *name)
{
	for (size_t i = 0; i < status_file_count; i++)
		if (strcmp(status_files[i].name, name) == 0)
			return &status_files[i];
	return NULL;
}
