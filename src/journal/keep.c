/* keep.c - which segments may go: what is stored, unless it is to be kept, and what is kept where room is needed.
 *
 * How far the store is, is told by it. Segments that stay although they are stored would be taken for not stored by
 * the process that comes after us until the store speaks to it, and a journal full of them would drop what arrives
 * meanwhile. So a small file in the folder, the mark, says it too. It is believed for making room only: by age
 * nothing goes unless the store itself spoke a moment ago, since the next to speak may be one that knows less.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "journal_room.h"
#include "log.h"
#include "text.h"

#define MARK_FILE     "stored"
#define MARK_TEXT     32
#define TOLD_LASTS_NS (10 * CLOCK_SEC) /* the store speaks every second */

static int
mark_path(const char *dir, const char *end, char path[JOURNAL_PATH])
{
	return snprintf(path, JOURNAL_PATH, "%s/" MARK_FILE "%s", dir, end) < JOURNAL_PATH
		   ? E_OK
		   : E_LIMIT;
}

uint64_t
mark_read(const char *dir)
{
	char path[JOURNAL_PATH], text[MARK_TEXT + 1];
	uint64_t mark;
	ssize_t n;
	int fd;

	if (mark_path(dir, "", path) != E_OK ||
	    (fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)) < 0)
		return 0;
	n = read(fd, text, MARK_TEXT);
	close(fd);
	/* Only a whole line: one cut short would be a smaller number, which does no harm, or none. */
	if (n <= 1 || text[n - 1] != '\n')
		return 0;
	text[n - 1] = '\0';
	return text_to_u64(text, &mark) == E_OK && mark <= SEQUENCE_MAX ? mark : 0;
}

static int
mark_write(const struct journal *j, uint64_t mark)
{
	char path[JOURNAL_PATH], new[JOURNAL_PATH], text[MARK_TEXT];
	int len = snprintf(text, sizeof(text), "%" PRIu64 "\n", mark);
	bool done;
	int fd;

	if (mark_path(j->dir, "", path) != E_OK || mark_path(j->dir, ".new", new) != E_OK ||
	    (fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640)) < 0)
		return E_SYSTEM;
	done = write(fd, text, (size_t)len) == len;
	close(fd);
	if (done && rename(new, path) == 0)
		return E_OK;
	(void)unlink(new);
	return E_SYSTEM;
}

static uint64_t
closed_end(const struct journal *j, size_t i)
{
	return (i + 1 < j->closed_count ? j->closed[i + 1].first : j->first) - 1;
}

static bool
closed_is_stored(const struct journal *j, size_t i)
{
	/* Of what is to be appended again the store knows others of that number. */
	return i < j->closed_count && closed_end(j, i) <= j->passed &&
	       (j->again.to == 0 || closed_end(j, i) < j->again.from);
}

/* A mark that is too high must not survive: it goes, and the next sync forces the folder to disk. */
static void
mark_remove(struct journal *j)
{
	char path[JOURNAL_PATH];

	if (mark_path(j->dir, "", path) != E_OK)
		return;
	if (unlink(path) != 0 && errno != ENOENT) {
		log_error("journal %s: %s: %s", j->source, path, strerror(errno));
		return;
	}
	j->marked = 0;
	j->dir_dirty = true;
}

/* One that is too low costs nothing, so only one that lies about a whole segment is worth a write. */
static void
mark_update(struct journal *j)
{
	size_t stored = 0, marked = 0;

	if (j->passed < j->marked)
		mark_remove(j);
	while (closed_is_stored(j, stored))
		stored++;
	while (marked < j->closed_count && closed_end(j, marked) <= j->marked)
		marked++;
	if (stored > marked && mark_write(j, j->passed) == E_OK)
		j->marked = j->passed;
}

/* How many of the oldest could be removed: a failure is told and tried again later. */
static size_t
closed_remove(struct journal *j, size_t count)
{
	char path[JOURNAL_PATH];
	size_t gone = 0;

	for (; gone < count; gone++) {
		if (segment_path(j->dir, j->closed[gone].first, path) != E_OK)
			break;
		if (unlink(path) != 0 && errno != ENOENT) {
			log_warn("journal %s: %s: %s", j->source, path, strerror(errno));
			break;
		}
		j->closed_bytes -= j->closed[gone].bytes;
	}
	j->closed_count -= gone;
	if (gone > 0)
		memmove(j->closed, j->closed + gone, j->closed_count * sizeof(*j->closed));
	return gone;
}

void
journal_prune(struct journal *j)
{
	int64_t now = clock_wall();
	size_t count = 0;

	journal_again(j);
	if (!j->passed_told || j->keep_ns == JOURNAL_KEEP_EVER)
		return;
	if (j->keep_ns != 0 && clock_mono() - j->told_ns > TOLD_LASTS_NS)
		return;
	while (closed_is_stored(j, count) &&
	       (j->keep_ns == 0 || now - j->closed[count].closed_ns > j->keep_ns))
		count++;
	(void)closed_remove(j, count);
}

bool
journal_room_make(struct journal *j)
{
	int saved = errno;
	bool made = closed_is_stored(j, 0) && closed_remove(j, 1) == 1;

	errno = saved;
	return made;
}

void
journal_passed(struct journal *j, uint64_t sequence)
{
	if (sequence > SEQUENCE_MAX) {
		log_error("journal %s: %" PRIu64 " is no sequence", j->source, sequence);
		return;
	}
	if (sequence >= j->next)
		again_begin(j, sequence);
	else
		again_heard(j, sequence);
	j->passed = sequence;
	j->passed_told = true;
	j->told_ns = clock_mono();
	journal_prune(j);
	mark_update(j);
}

uint64_t
journal_stored_bytes(const struct journal *j)
{
	uint64_t bytes = 0;

	for (size_t i = 0; closed_is_stored(j, i); i++)
		bytes += j->closed[i].bytes;
	return bytes;
}
