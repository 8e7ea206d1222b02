/* node.c - a name for this state directory which no other has: several nodes may share one store. */
#include "cache_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "text.h"

#define NODE_DIGITS 16
#define NODE_PATH   512

static int
node_failed(const char *doing, char why[STORE_WHY])
{
	snprintf(why, STORE_WHY, "the file `node`: %s: %s", doing, strerror(errno));
	return E_SYSTEM;
}

/* E_ABSENT: there is none yet. */
static int
node_read(const char *path, char id[NODE_DIGITS + 1], char why[STORE_WHY])
{
	char text[NODE_DIGITS + 2];
	ssize_t n;
	int fd;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return errno == ENOENT ? E_ABSENT : node_failed("open", why);
	n = read(fd, text, sizeof(text));
	close(fd);
	if (n < 0)
		return node_failed("read", why);
	text[n < NODE_DIGITS ? (size_t)n : NODE_DIGITS] = '\0';
	if (strspn(text, "0123456789abcdef") != NODE_DIGITS) {
		snprintf(why, STORE_WHY,
		    "the file `node` does not hold 16 hex digits: put back what it held, or its "
		    "records are stored again under a new name");
		return E_SYSTEM;
	}
	memcpy(id, text, NODE_DIGITS + 1);
	return E_OK;
}

/* Whole, or not there: written aside, forced to disk and linked. Of two that do so the first wins. */
static int
node_make(const char *path, char why[STORE_WHY])
{
	char aside[NODE_PATH + 32], text[NODE_DIGITS + 2];
	uint64_t id;
	int fd, r = E_OK;

	if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id))
		return node_failed("random number", why);
	snprintf(text, sizeof(text), "%016" PRIx64 "\n", id);
	snprintf(aside, sizeof(aside), "%s.%ld", path, (long)getpid());
	if ((fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640)) < 0)
		return node_failed("create", why);
	if (write(fd, text, NODE_DIGITS + 1) != NODE_DIGITS + 1 || fsync(fd) != 0)
		r = node_failed("write", why);
	close(fd);
	if (r == E_OK && link(aside, path) != 0 && errno != EEXIST)
		r = node_failed("link", why);
	unlink(aside);
	return r;
}

int
node_ensure(const char *state_dir, char *id, size_t size, char why[STORE_WHY])
{
	char path[NODE_PATH], found[NODE_DIGITS + 1] = "";
	int r;

	if (snprintf(path, sizeof(path), "%s/node", state_dir) >= (int)sizeof(path)) {
		(void)text_copy(why, STORE_WHY, "the path is too long");
		return E_SYSTEM;
	}
	if ((r = node_read(path, found, why)) == E_ABSENT && (r = node_make(path, why)) == E_OK)
		r = node_read(path, found, why);
	if (r != E_OK)
		return r == E_ABSENT ? node_failed("read", why) : r;
	return text_copy(id, size, found) == E_OK ? E_OK : E_SYSTEM;
}
