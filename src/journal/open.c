/* open.c - taking up a journal for writing: the lock, the end of what is there, new segments.
 *
 * A sequence that a reader may have seen is never given to another record: a store that remembers it would
 * take the second for the first and drop it. A write cut short by a kill shows nothing but whole records and
 * one torn, so after it sequences just go on. Whenever more than that may be gone (the machine was restarted
 * and took unsynced bytes, the last bytes are foreign, the files are copies put back, the store knows more than
 * the journal, there is no journal at all) the sequence makes a step: up to the wall clock in microseconds, which no journal that
 * appends less than a million records a second over its life has reached, and at least JOURNAL_STEP. The
 * segment made then says in its header which sequence was the last before the step, so that readers can tell
 * a step from a loss.
 */
#include "journal_room.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "mem.h"
#include "text.h"

#define LOCK_WAIT_MS   2000 /* for the one we replace to be gone */
#define LOCK_RETRY_MS  5
#define SEGMENTS_A_MAX 4 /* max_bytes holds at least so many, so that some can always go */

static int
journal_lock(struct journal *j)
{
	char path[JOURNAL_PATH + 8];
	int tries = LOCK_WAIT_MS / LOCK_RETRY_MS;

	snprintf(path, sizeof(path), "%s/lock", j->dir);
	if ((j->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640)) < 0)
		return E_SYSTEM;
	while (flock(j->lock, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return E_SYSTEM;
		if (tries-- == 0) {
			errno = EBUSY; /* somebody else writes to it */
			return E_SYSTEM;
		}
		poll(NULL, 0, LOCK_RETRY_MS);
	}
	return E_OK;
}

/* The folder of all journals and the one of this source; the state directory itself must be there. */
static int
journal_make_dirs(const struct journal *j)
{
	char parent[JOURNAL_PATH];

	memcpy(parent, j->dir, sizeof(parent));
	*strrchr(parent, '/') = '\0';
	if (mkdir(parent, 0750) != 0 && errno != EEXIST)
		return E_SYSTEM;
	if (mkdir(j->dir, 0750) != 0 && errno != EEXIST)
		return E_SYSTEM;
	return E_OK;
}

static void
closed_add(struct journal *j, uint64_t first, uint64_t bytes, int64_t closed_ns)
{
	if (j->closed_count == j->closed_room) {
		size_t more = j->closed_room == 0 ? 16 : j->closed_room * 2;

		j->closed = mem_grow(
		    j->closed, j->closed_room * sizeof(*j->closed), more * sizeof(*j->closed));
		j->closed_room = more;
	}
	j->closed[j->closed_count++] =
	    (struct closed_segment){ .first = first, .bytes = bytes, .closed_ns = closed_ns };
	j->closed_bytes += bytes;
}

static void
segment_leave(struct journal *j)
{
	if (j->fd < 0)
		return;
	/* The periodic sync will not see this one any more. */
	if (j->dirty && j->syncer != NULL && syncer_give(j->syncer, j->fd, false) == E_OK)
		j->fd = -1;
	else if (j->dirty && fdatasync(j->fd) != 0)
		log_error("journal %s: fdatasync: %s", j->source, strerror(errno));
	j->dirty = false;
	if (j->fd >= 0)
		close(j->fd);
	j->fd = -1;
	closed_add(j, j->first, j->size, clock_wall());
}

/* Left by a begin that could neither write its header nor remove the file. Only what holds no record is taken:
 * anything else is somebody's data. */
static int
segment_take_over(const struct journal *j, const char *path)
{
	struct segment_header header;
	struct segment_tail tail;
	struct stat st;
	int fd;

	/* Our own, when nothing was written to it yet. */
	if (j->fd >= 0 && j->first == j->next) {
		errno = EEXIST;
		return -1;
	}
	if ((fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)) < 0)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    segment_header_load(fd, &header) != E_VERSION && segment_tail_find(fd, &tail) == E_OK &&
	    tail.last == 0 && ftruncate(fd, 0) == 0) {
		log_warn("journal %s: %s held no record and is begun anew", j->source, path);
		return fd;
	}
	close(fd);
	errno = EEXIST;
	return -1;
}

static int
segment_create(const struct journal *j, const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);

	if (fd < 0 && errno == EEXIST)
		fd = segment_take_over(j, path);
	return fd;
}

int
journal_segment_begin(struct journal *j)
{
	struct segment_header header = { .format = SEGMENT_FORMAT,
		.first = j->next,
		.previous = j->last,
		.created_ns = clock_wall() };
	uint8_t bytes[SEGMENT_HEADER];
	char path[JOURNAL_PATH];
	struct stat st;
	ssize_t n;
	int fd;

	if (segment_path(j->dir, j->next, path) != E_OK)
		return E_LIMIT;
	if ((fd = segment_create(j, path)) < 0)
		return E_SYSTEM;
	memcpy(header.boot, j->boot, SEGMENT_BOOT);
	header.inode = fstat(fd, &st) == 0 ? st.st_ino : 0;
	segment_header_write(&header, bytes);
	if ((n = pwrite(fd, bytes, sizeof(bytes), 0)) != (ssize_t)sizeof(bytes)) {
		int saved = n < 0 ? errno : ENOSPC;

		close(fd);
		unlink(path);
		errno = saved;
		return E_SYSTEM;
	}
	segment_leave(j);
	j->fd = fd;
	j->first = j->next;
	j->size = SEGMENT_HEADER;
	j->torn = false;
	j->dirty = j->dir_dirty = true;
	return E_OK;
}

void
journal_step(struct journal *j, uint64_t floor, const char *why)
{
	int64_t wall_us = clock_wall() / 1000;
	uint64_t next = floor + JOURNAL_STEP;

	if (wall_us > 0 && (uint64_t)wall_us > next)
		next = (uint64_t)wall_us;
	if (j->last > 0)
		log_warn("journal %s: %s: sequences go on at %" PRIu64 " after %" PRIu64, j->source,
		    why, next, j->last);
	j->next = next;
}

/* Made under this boot of the machine, and not put back from a copy, which may be older than what was read since. */
static bool
segment_is_ours(const struct journal *j, const struct segment_header *header, int fd)
{
	struct stat st;

	if (memcmp(header->boot, j->boot, SEGMENT_BOOT) != 0 || fstat(fd, &st) != 0)
		return false;
	return header->inode == 0 || header->inode == st.st_ino;
}

/* Takes up the segment that was written to last; *trusted when sequences may just go on behind it.
 * E_ABSENT: it never got a record and was removed. */
static int
segment_recover(struct journal *j, uint64_t first, bool *trusted)
{
	struct segment_header header = { 0 };
	struct segment_tail tail;
	char path[JOURNAL_PATH];
	int fd, r, headed;

	if ((r = segment_path(j->dir, first, path)) != E_OK)
		return r;
	if ((fd = open(path, O_RDWR | O_CLOEXEC)) < 0)
		return E_SYSTEM;
	headed = segment_header_load(fd, &header);
	if (headed == E_VERSION)
		log_error(
		    "journal %s: %s is of a newer format than this program knows", j->source, path);
	if (headed == E_VERSION || headed == E_SYSTEM) {
		close(fd);
		return headed;
	}
	if ((r = segment_tail_find(fd, &tail)) != E_OK)
		goto out;
	if (headed != E_OK && tail.last == 0) {
		*trusted = headed == E_PARTIAL;
		if (!*trusted)
			log_error(
			    "journal %s: %s holds no good byte and is removed", j->source, path);
		r = unlink(path) == 0 ? E_ABSENT : E_SYSTEM;
		goto out;
	}
	*trusted = headed == E_OK && tail.kind != TAIL_FOREIGN && segment_is_ours(j, &header, fd);
	if (tail.kind == TAIL_TORN) {
		if (ftruncate(fd, tail.end) != 0) {
			r = E_SYSTEM;
			goto out;
		}
		log_warn("journal %s: cut %" PRId64
			 " bytes of a torn record behind sequence %" PRIu64,
		    j->source, (int64_t)(tail.size - tail.end), tail.last);
		tail.size = tail.end;
	}
	j->fd = fd;
	j->first = first;
	j->size = (uint64_t)tail.size;
	j->last = tail.last > 0 ? tail.last : header.previous;
	j->next = tail.last > 0 ? tail.last + 1 : first;
	return E_OK;
out:
	close(fd);
	return r;
}

static int
closed_measure(struct journal *j, const struct segment_list *list, size_t count)
{
	char path[JOURNAL_PATH];
	struct stat st;

	for (size_t i = 0; i < count; i++) {
		if (segment_path(j->dir, list->first[i], path) != E_OK || stat(path, &st) != 0)
			return E_SYSTEM;
		closed_add(j, list->first[i], (uint64_t)st.st_size,
		    st.st_mtim.tv_sec * CLOCK_SEC + st.st_mtim.tv_nsec);
	}
	return E_OK;
}

/* Finds the end of what an earlier writer left, and goes on there. */
static int
journal_recover(struct journal *j)
{
	struct segment_list list = { 0 };
	uint64_t highest;
	bool trusted = true, sound = true;
	size_t left;
	int r;

	if ((r = segment_list_read(j->dir, &list)) != E_OK)
		return r;
	highest = list.count > 0 ? list.first[list.count - 1] : 0;
	for (left = list.count; left > 0; left--) {
		r = segment_recover(j, list.first[left - 1], &trusted);
		sound = sound && trusted;
		if (r != E_ABSENT)
			break;
	}
	if (r == E_ABSENT)
		r = E_OK;
	if (r == E_OK)
		r = closed_measure(j, &list, left > 0 ? left - 1 : 0);
	segment_list_fini(&list);
	if (r != E_OK)
		return r;
	if (j->fd >= 0 && sound)
		return E_OK;
	journal_step(j, highest > j->last ? highest : j->last,
	    "the end of what was written before is not certain");
	return journal_segment_begin(j);
}

int
journal_reestablish(struct journal *j)
{
	struct segment_list list;
	size_t older;
	int r;

	if ((r = journal_make_dirs(j)) != E_OK)
		return r;
	close(j->lock);
	if ((r = journal_lock(j)) != E_OK)
		return r;
	journal_step(j, j->last, "its files were removed");
	if ((r = journal_segment_begin(j)) != E_OK)
		return r;
	/* Older ones may still be there: they count, and go when they are stored. */
	if ((r = segment_list_read(j->dir, &list)) != E_OK)
		return r;
	j->closed_count = 0;
	j->closed_bytes = 0;
	for (older = 0; older < list.count && list.first[older] < j->first; older++)
		;
	r = closed_measure(j, &list, older);
	segment_list_fini(&list);
	return r;
}

int
journal_open(struct journal **result, const char *state_dir, const char *source,
    const struct journal_limits *limits)
{
	struct journal *j = mem_alloc(sizeof(*j));
	int r;

	j->lock = j->fd = -1;
	assert(limits->segment_bytes > 0 && limits->max_bytes >= SEGMENTS_A_MAX);
	j->max_bytes = limits->max_bytes;
	j->keep_ns = limits->keep_ns;
	j->segment_bytes = limits->segment_bytes;
	if (j->segment_bytes > j->max_bytes / SEGMENTS_A_MAX)
		j->segment_bytes = j->max_bytes / SEGMENTS_A_MAX;
	buf_init(&j->gathered, JOURNAL_GATHER + 2 * RECORD_MAX);
	segment_boot_read(j->boot);
	if ((r = text_copy(j->source, sizeof(j->source), source)) != E_OK ||
	    (r = segment_dir(state_dir, source, j->dir)) != E_OK)
		goto out;
	if ((r = journal_make_dirs(j)) != E_OK || (r = journal_lock(j)) != E_OK)
		goto out;
	if ((r = journal_recover(j)) == E_OK)
		again_open(j);
	j->passed = j->marked = mark_read(j->dir);
out:
	if (r != E_OK) {
		if (r == E_SYSTEM)
			log_error("journal %s: %s: %s", source, j->dir, strerror(errno));
		journal_close(&j);
		return r;
	}
	*result = j;
	return E_OK;
}

void
journal_close(struct journal **journal)
{
	struct journal *j = *journal;

	if (j == NULL)
		return;
	if (j->gathered_count > 0 && journal_flush(j, NULL, NULL) != E_OK)
		log_error("journal %s: closed without its last records", j->source);
	syncer_close(&j->syncer);
	if (journal_sync(j) != E_OK)
		log_error("journal %s: closed unsynced", j->source);
	if (j->fd >= 0)
		close(j->fd);
	if (j->lock >= 0)
		close(j->lock);
	buf_fini(&j->gathered);
	mem_free(&j->closed);
	mem_free(journal);
}
