/* append.c - appending to a journal: records are gathered, sealed with their sequence, and written whole. */
#include "journal_room.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

/* Says why once, until it works again. */
static void
journal_note_failure(struct journal *j, const char *doing)
{
	if (!j->failing)
		log_error("journal %s: %s: %s", j->source, doing, strerror(errno));
	j->failing = true;
}

static void
journal_note_success(struct journal *j)
{
	if (j->failing)
		log_info("journal %s: written again from sequence %" PRIu64, j->source, j->last);
	j->failing = false;
}

/* How many gathered bytes, in whole records, fit the segment; at least one record into an empty one. */
static size_t
chunk_seal(struct journal *j, size_t *count)
{
	uint8_t *bytes = buf_data(&j->gathered);
	size_t len = 0, n = 0, one;

	while (n < j->gathered_count) {
		one = record_bytes(bytes + len);
		if (j->size + len + one > j->segment_bytes && (n > 0 || j->size > SEGMENT_HEADER))
			break;
		record_seal(bytes + len, j->next + n);
		len += one;
		n++;
	}
	*count = n;
	return len;
}

static size_t
write_fully(int fd, const uint8_t *bytes, size_t len, uint64_t at)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = pwrite(fd, bytes + done, len - done, (off_t)(at + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = n == 0 ? ENOSPC : errno;
			break;
		}
		done += (size_t)n;
	}
	return done;
}

/* Cuts what a failed write left behind the last good record. */
static int
tail_cut(struct journal *j)
{
	if (j->torn && ftruncate(j->fd, (off_t)j->size) != 0)
		return E_SYSTEM;
	j->torn = false;
	return E_OK;
}

/* Whole records that reached the file stay: a reader may have them already. */
static int
chunk_write(struct journal *j, size_t len, size_t count)
{
	const uint8_t *bytes = buf_data(&j->gathered);
	size_t done, whole = 0, n = 0, one;
	int saved;

	done = write_fully(j->fd, bytes, len, j->size);
	saved = errno;
	while (n < count) {
		one = record_bytes(bytes + whole);
		if (whole + one > done)
			break;
		j->kept[record_type(bytes + whole)]++;
		whole += one;
		n++;
	}
	if (n > 0) {
		j->last = j->next + n - 1;
		j->next = j->last + 1;
		j->size += whole;
		j->dirty = true;
	}
	j->gathered_count -= n;
	buf_consume(&j->gathered, whole);
	if (done == len)
		return E_OK;
	j->torn = done > whole;
	if (tail_cut(j) != E_OK)
		log_error("journal %s: cannot cut a torn record: %s", j->source, strerror(errno));
	errno = saved;
	return E_SYSTEM;
}

static int
gathered_write(struct journal *j)
{
	size_t len, count;
	int r = E_OK;

	if (j->torn && (r = tail_cut(j)) != E_OK)
		return r;
	while (r == E_OK && j->gathered_count > 0) {
		/* After a step the old segment takes no more. */
		len = count = 0;
		if (j->next == j->last + 1 || j->first == j->next)
			len = chunk_seal(j, &count);
		r = count == 0 ? journal_segment_begin(j) : chunk_write(j, len, count);
	}
	return r;
}

/* What could not be written is dropped and its sequences are given to what comes next. */
int
gathered_flush(struct journal *j)
{
	int r;

	if (j->gathered_count == 0)
		return E_OK;
	do {
		r = gathered_write(j);
	} while (r == E_SYSTEM && (errno == ENOSPC || errno == EDQUOT) && journal_room_make(j));
	if (r == E_OK) {
		journal_note_success(j);
	} else {
		journal_note_failure(j, "write");
		j->lost += j->gathered_count;
	}
	j->gathered_count = 0;
	buf_reset(&j->gathered);
	return r;
}

/* What the gathered records will take, the headers of the segments they begin included. */
static uint64_t
gathered_bytes(const struct journal *j)
{
	uint64_t records = buf_len(&j->gathered);

	return records + (records / j->segment_bytes + 2) * SEGMENT_HEADER;
}

int
journal_append(struct journal *j, enum msg_type type, const void *value)
{
	return journal_append_at(j, type, value, clock_wall());
}

int
journal_append_at(struct journal *j, enum msg_type type, const void *value, int64_t appended_ns)
{
	const struct msg_desc *desc = msg_desc(type);
	static const uint8_t blank[RECORD_HEADER];
	size_t before, payload;
	int r;

	if (desc == NULL || !desc->stored)
		panic("journal %s: type %d is no stored value", j->source, (int)type);
	/* A failure here is told by the caller's own flush. */
	if (buf_len(&j->gathered) >= JOURNAL_GATHER && gathered_flush(j) != E_OK)
		log_debug("journal %s: gathered records were dropped", j->source);
	before = buf_len(&j->gathered);
	if ((r = buf_add(&j->gathered, blank, sizeof(blank))) != E_OK)
		return r;
	r = msg_encode(type, value, &j->gathered);
	payload = buf_len(&j->gathered) - before - RECORD_HEADER;
	if (r == E_OK && payload > RECORD_PAYLOAD_MAX)
		r = E_LIMIT;
	while (r == E_OK && journal_bytes(j) + gathered_bytes(j) > j->max_bytes)
		r = journal_room_make(j) ? E_OK : E_FULL;
	if (r != E_OK) {
		j->gathered.end = j->gathered.start + before;
		return r;
	}
	record_begin(buf_data(&j->gathered) + before, type, desc->version, payload, appended_ns);
	j->gathered_count++;
	return E_OK;
}

int
journal_flush(struct journal *j, uint64_t *last, size_t *lost)
{
	int r = gathered_flush(j);

	if (r == E_OK && j->lost > 0)
		r = E_SYSTEM;
	if (last != NULL)
		*last = j->last;
	if (lost != NULL)
		*lost = j->lost;
	j->lost = 0;
	return r;
}

static int
dir_sync(struct journal *j)
{
	int fd = open(j->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return E_SYSTEM;
	r = fsync(fd) == 0 ? E_OK : E_SYSTEM;
	close(fd);
	return r;
}

static int
files_ensure(struct journal *j)
{
	struct stat st;

	if (fstat(j->fd, &st) == 0 && st.st_nlink == 0 && journal_reestablish(j) != E_OK) {
		journal_note_failure(j, "its files were removed and cannot be made anew");
		return E_SYSTEM;
	}
	return E_OK;
}

int
journal_sync(struct journal *j)
{
	int r;

	if (j->fd < 0)
		return E_OK;
	if ((r = files_ensure(j)) != E_OK)
		return r;
	if (!j->dirty && !j->dir_dirty)
		return E_OK;
	if (j->dirty && fdatasync(j->fd) != 0) {
		journal_note_failure(j, "fdatasync");
		return E_SYSTEM;
	}
	j->dirty = false;
	if (j->dir_dirty && dir_sync(j) != E_OK) {
		journal_note_failure(j, "fsync of the folder");
		return E_SYSTEM;
	}
	j->dir_dirty = false;
	return E_OK;
}

/* E_FULL when the thread is far behind: the next call tries again. */
static int
round_give(struct journal *j, int fd, bool *dirty)
{
	int r = fd < 0 ? E_SYSTEM : syncer_give(j->syncer, fd, true);

	if (r == E_OK)
		*dirty = false;
	else if (fd >= 0)
		close(fd);
	return r == E_FULL ? E_OK : r;
}

int
journal_sync_begin(struct journal *j)
{
	int r = E_OK, error;
	bool busy;

	if (j->fd < 0)
		return E_OK;
	if (j->syncer == NULL && syncer_open(&j->syncer) != E_OK)
		return journal_sync(j);
	busy = syncer_look(j->syncer, &error);
	if (error != 0) {
		errno = error;
		journal_note_failure(j, "fsync");
		j->dirty = j->dir_dirty = true;
		return E_SYSTEM;
	}
	if (busy)
		return E_OK;
	if ((r = files_ensure(j)) != E_OK)
		return r;
	if (j->dirty)
		r = round_give(j, fcntl(j->fd, F_DUPFD_CLOEXEC, 0), &j->dirty);
	if (r == E_OK && j->dir_dirty)
		r = round_give(j, open(j->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), &j->dir_dirty);
	if (r != E_OK)
		journal_note_failure(j, "sync");
	return r;
}

uint64_t
journal_last(const struct journal *j)
{
	return j->last;
}

uint64_t
journal_bytes(const struct journal *j)
{
	return j->closed_bytes + (j->fd >= 0 ? j->size : 0);
}

uint64_t
journal_kept(const struct journal *j, enum msg_type type)
{
	return (unsigned)type < MSG_TYPE_MAX ? j->kept[type] : 0;
}
