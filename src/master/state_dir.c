/* state_dir.c - the state directory, which belongs to one master at a time.
 *
 * The lock is the file's flock, which dies with the master; the number inside only tells a person who. The
 * file goes when the master does, so who waits for the lock must see that it locked the file
 * that is still there.
 */
#include "master_room.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

#define STATE_LOCK  "master.lock"
#define STATE_TRIES 100

static void
state_dir_path(char *out, size_t size, const char *dir, const char *name)
{
	if ((size_t)snprintf(out, size, "%s/%s", dir, name) >= size)
		fatal(EXIT_WITH_STATE, "state.dir: \"%s\" is too long", dir);
}

/* Makes the missing parents too, as `mkdir -p` does. */
static void
state_dir_make(const char *dir)
{
	char path[512], *at;

	state_dir_path(path, sizeof(path), dir, "");
	for (at = path + 1; *at != '\0'; at++) {
		if (*at != '/')
			continue;
		*at = '\0';
		if (mkdir(path, 0750) != 0 && errno != EEXIST)
			fatal(EXIT_WITH_STATE, "state.dir: \"%s\" cannot be made: %s", path,
			    strerror(errno));
		*at = '/';
	}
}

static void
state_dir_refuse(const char *dir, int fd)
{
	char holder[16] = "";
	ssize_t n = pread(fd, holder, sizeof(holder) - 1, 0);

	if (n > 0)
		holder[strcspn(holder, "\n")] = '\0';
	fatal(EXIT_WITH_STATE, "state.dir: \"%s\" belongs to another master, pid %s", dir,
	    n > 0 ? holder : "unknown");
}

/* Whether `fd` is still what the path names: the last holder may have removed it meanwhile. */
static bool
state_dir_is_same(int fd, const char *path)
{
	struct stat mine, named;

	return fstat(fd, &mine) == 0 && stat(path, &named) == 0 && mine.st_ino == named.st_ino &&
	       mine.st_dev == named.st_dev;
}

int
state_dir_lock(const char *dir)
{
	char path[512], text[16];
	int fd, n, tries;

	state_dir_make(dir);
	state_dir_path(path, sizeof(path), dir, STATE_LOCK);
	for (tries = 0; tries < STATE_TRIES; tries++) {
		if ((fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640)) < 0)
			fatal(EXIT_WITH_STATE, "state.dir: \"%s\" cannot be written: %s", dir,
			    strerror(errno));
		if (flock(fd, LOCK_EX | LOCK_NB) != 0)
			state_dir_refuse(dir, fd);
		if (state_dir_is_same(fd, path))
			break;
		close(fd);
	}
	if (tries == STATE_TRIES)
		fatal(EXIT_WITH_STATE, "state.dir: \"%s\": the lock does not stay", dir);
	n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n)
		fatal(EXIT_WITH_STATE, "state.dir: \"%s\" cannot be written: %s", dir,
		    strerror(errno));
	return fd;
}

void
state_dir_unlock(const char *dir, int *fd)
{
	state_dir_remove(dir, STATE_LOCK);
	close(*fd);
	*fd = -1;
}

int
state_dir_write(const char *dir, const char *name, const char *text)
{
	char path[512], fresh[520];
	FILE *f;
	int ok;

	state_dir_path(path, sizeof(path), dir, name);
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	if ((f = fopen(fresh, "we")) == NULL)
		return E_SYSTEM;
	ok = fputs(text, f) >= 0;
	ok = fclose(f) == 0 && ok;
	if (!ok || rename(fresh, path) != 0) {
		unlink(fresh);
		return E_SYSTEM;
	}
	return E_OK;
}

/* Whether the file holds exactly this. */
static bool
state_dir_has(const char *dir, const char *name, const char *text)
{
	char path[512], there[128];
	size_t len = strlen(text);
	ssize_t n = -1;
	int fd;

	state_dir_path(path, sizeof(path), dir, name);
	if (len >= sizeof(there) || (fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return false;
	n = read(fd, there, sizeof(there));
	close(fd);
	return n == (ssize_t)len && memcmp(there, text, len) == 0;
}

int
state_dir_write_address(const char *dir, const struct listener *l)
{
	char line[sizeof(l->address) + 2], name[sizeof(l->name) + 16];

	snprintf(line, sizeof(line), "%s\n", l->address);
	snprintf(name, sizeof(name), "%s.address", l->name);
	if (state_dir_has(dir, name, line))
		return E_OK;
	return state_dir_write(dir, name, line);
}

/* To an image that takes over a disk that is full by then is no reason to end what serves. */
void
state_dir_tell_address(const struct master *m, const struct listener *l)
{
	const char *dir = m->conf.state_dir;

	if (state_dir_write_address(dir, l) == E_OK)
		return;
	if (m->options->handover == NULL)
		fatal(EXIT_WITH_STATE, "state.dir: \"%s\" cannot be written: %s", dir,
		    strerror(errno));
	log_error("state.dir: \"%s/%s.address\" cannot be written: %s; it serves on without", dir,
	    l->name, strerror(errno));
}

void
state_dir_remove(const char *dir, const char *name)
{
	char path[512];

	state_dir_path(path, sizeof(path), dir, name);
	unlink(path);
}
