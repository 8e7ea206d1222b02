/* output.c - what a command makes: on stdout, or as a file that is there when it is whole. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl_room.h"

#define OUTPUT_MODE 0644

/* Beside the file it becomes, so that the rename is one step. */
static int
temporary_open(struct output *o)
{
	mode_t mask;
	int fd;

	if ((size_t)snprintf(o->temporary, sizeof(o->temporary), "%s.XXXXXX", o->path) >=
	    sizeof(o->temporary)) {
		errno = ENAMETOOLONG;
		return E_SYSTEM;
	}
	if ((fd = mkstemp(o->temporary)) < 0) {
		o->temporary[0] = '\0';
		return E_SYSTEM;
	}
	mask = umask(0);
	(void)umask(mask);
	if (fchmod(fd, OUTPUT_MODE & ~mask) == 0 && (o->file = fdopen(fd, "w")) != NULL)
		return E_OK;
	(void)close(fd);
	output_drop(o);
	return E_SYSTEM;
}

int
output_open(struct output *o, const char *path)
{
	memset(o, 0, sizeof(*o));
	o->path = path;
	if (path != NULL)
		return temporary_open(o);
	o->file = stdout;
	return E_OK;
}

static int
output_failed(struct output *o)
{
	o->error = o->error != 0 ? o->error : errno;
	return E_SYSTEM;
}

int
output_write(struct output *o, const void *bytes, size_t len)
{
	return fwrite(bytes, 1, len, o->file) == len ? E_OK : output_failed(o);
}

int
output_keep(struct output *o)
{
	if (o->error != 0 || fflush(o->file) != 0)
		return output_failed(o);
	if (o->path == NULL)
		return E_OK;
	if (fsync(fileno(o->file)) != 0 || rename(o->temporary, o->path) != 0)
		return output_failed(o);
	o->temporary[0] = '\0';
	return E_OK;
}

void
output_drop(struct output *o)
{
	if (o->path != NULL && o->file != NULL)
		(void)fclose(o->file);
	if (o->temporary[0] != '\0')
		(void)unlink(o->temporary);
	o->file = NULL;
	o->temporary[0] = '\0';
}
