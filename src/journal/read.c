/* read.c - the reading side of a journal, while another process writes it: which segment, and which comes next.
 *
 * A segment is left when a later one exists and another look at it shows nothing new, as
 * the writer never goes back to an older segment. What is in one is read by read_record.c.
 */
#include "read_room.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "mem.h"
#include "text.h"

int
journal_reader_open(
    struct journal_reader **result, const char *state_dir, const char *source, uint64_t after)
{
	char dir[JOURNAL_PATH];
	int r = segment_dir(state_dir, source, dir);

	return r == E_OK ? journal_reader_open_dir(result, dir, source, after) : r;
}

int
journal_reader_open_dir(
    struct journal_reader **result, const char *dir, const char *source, uint64_t after)
{
	struct journal_reader *j = mem_alloc(sizeof(*j));
	int r;

	j->fd = -1;
	j->after = after;
	j->anywhere = after == 0;
	if ((r = text_copy(j->source, sizeof(j->source), source)) != E_OK ||
	    (r = text_copy(j->dir, sizeof(j->dir), dir)) != E_OK) {
		mem_free(&j);
		return r;
	}
	j->bytes = mem_alloc(READ_WINDOW);
	*result = j;
	return E_OK;
}

void
journal_reader_close(struct journal_reader **reader)
{
	struct journal_reader *j = *reader;

	if (j == NULL)
		return;
	if (j->fd >= 0)
		close(j->fd);
	mem_free(&j->bytes);
	mem_free(reader);
}

uint64_t
journal_reader_skipped(const struct journal_reader *j)
{
	return j->skipped;
}

uint64_t
journal_reader_after(const struct journal_reader *j)
{
	return j->after;
}

/* What is between the last record read and a segment that begins later. */
static uint64_t
entry_lost(const struct journal_reader *j, const struct segment_header *header, bool leftover)
{
	uint64_t lost = header->previous > j->after ? header->previous - j->after : 0;

	/* Bad bytes at the end of the segment before it were at least one record, if the writer stepped
	 * over them not knowing what they had been. */
	if (lost == 0 && leftover)
		lost = 1;
	return j->anywhere ? 0 : lost;
}

static bool
segment_is_last(const struct journal_reader *j, uint64_t first)
{
	struct segment_list list = { 0 };
	bool last = true;

	if (segment_list_read(j->dir, &list) == E_OK)
		last = list.count == 0 || list.first[list.count - 1] <= first;
	segment_list_fini(&list);
	return last;
}

/* A writer killed between making a segment and writing its header leaves one that its successor removes; we may have
 * opened it in between. */
static bool
segment_is_removed(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_nlink == 0;
}

/* Takes up an open segment. E_PARTIAL: its header is still being written. E_ABSENT: it was removed. E_VERSION. */
static int
segment_enter(struct journal_reader *j, int fd, uint64_t first, bool leftover)
{
	struct segment_header header;
	uint64_t lost;
	int r;

	r = segment_header_load(fd, &header);
	/* We may have stood still in between: what a later segment tells is that the header is there by now, if ever. */
	if (r == E_PARTIAL && !segment_is_last(j, first) &&
	    (r = segment_header_load(fd, &header)) == E_PARTIAL)
		r = E_CORRUPT;
	if (r == E_CORRUPT && segment_is_removed(fd))
		return E_ABSENT;
	if (r == E_VERSION && !j->version_told) {
		log_error("journal %s: segment %" PRIu64
			  " is of a newer format than this program knows",
		    j->source, first);
		j->version_told = true;
	}
	if (r != E_OK && r != E_CORRUPT)
		return r;
	if (j->fd >= 0)
		close(j->fd);
	j->fd = fd;
	j->first = first;
	j->at = j->bytes_at = SEGMENT_HEADER;
	j->bytes_len = 0;
	j->next_first = 0;
	if (r == E_CORRUPT) {
		log_error("journal %s: the header of segment %" PRIu64 " is bad", j->source, first);
		j->step_unknown = true;
		if (j->anywhere)
			j->after = first - 1;
		j->anywhere = false;
		return E_CORRUPT;
	}
	lost = first > j->after + 1 || leftover ? entry_lost(j, &header, leftover) : 0;
	if (lost > 0)
		reader_note_lost(j, lost, first);
	if (first - 1 > j->after)
		j->after = first - 1;
	j->anywhere = false;
	return lost > 0 ? E_CORRUPT : E_OK;
}

/* Opens and enters; E_ABSENT: it was deleted meanwhile. */
static int
segment_open(struct journal_reader *j, uint64_t first, bool leftover)
{
	char path[JOURNAL_PATH];
	int fd, r;

	if ((r = segment_path(j->dir, first, path)) != E_OK)
		return r;
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return errno == ENOENT ? E_ABSENT : reader_failed(j, path);
	r = segment_enter(j, fd, first, leftover);
	if (j->fd != fd)
		close(fd);
	return r;
}

/* All segments, in order. A listing is not one instant: it may show one that was made while it went on and lack the one
 * made before. A second look, begun when that one was there, has all of them. */
static int
segments_look(const struct journal_reader *j, struct segment_list *list)
{
	int r;

	if ((r = segment_list_read(j->dir, list)) != E_OK || list->count == 0)
		return r;
	segment_list_fini(list);
	return segment_list_read(j->dir, list);
}

/* Where reading starts: the last segment that begins at or before the next record, else the first. */
static int
segment_choose(struct journal_reader *j, uint64_t *first)
{
	struct segment_list list;
	size_t i;

	if (segments_look(j, &list) != E_OK)
		return reader_failed(j, j->dir);
	for (i = 0; i + 1 < list.count && list.first[i + 1] <= j->after + 1; i++)
		;
	if (j->anywhere)
		i = 0;
	*first = list.count > 0 ? list.first[i] : 0;
	segment_list_fini(&list);
	return *first > 0 ? E_OK : E_PARTIAL;
}

static int
reader_start(struct journal_reader *j)
{
	uint64_t first = 0;
	int r;

	if ((r = segment_choose(j, &first)) != E_OK)
		return r;
	r = segment_open(j, first, false);
	if (r == E_ABSENT)
		return E_PARTIAL;
	if (r == E_OK && j->after >= first)
		r = reader_seek(j);
	return r;
}

/* The first behind the segment we are in; 0: there is none. */
static uint64_t
next_of(const struct journal_reader *j, const struct segment_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->first[i] > j->first)
			return list->first[i];
	return 0;
}

/* The segment behind this one; 0: there is none. Only where a look shows one is a second worth it. */
static int
next_find(struct journal_reader *j)
{
	struct segment_list list;
	int r;

	if ((r = segment_list_read(j->dir, &list)) == E_OK && next_of(j, &list) > 0) {
		segment_list_fini(&list);
		r = segment_list_read(j->dir, &list);
	}
	if (r != E_OK)
		return reader_failed(j, j->dir);
	j->next_first = next_of(j, &list);
	segment_list_fini(&list);
	return E_OK;
}

/* This segment shows no more: goes on to the next, if there is one. E_PARTIAL: there is none. */
static int
reader_advance(struct journal_reader *j, bool *look_again)
{
	struct stat st;
	uint64_t next = j->next_first;
	int r;

	*look_again = false;
	if (next == 0) {
		if ((r = next_find(j)) != E_OK)
			return r;
		/* Records may have come between our look and the new segment. */
		*look_again = j->next_first > 0;
		return E_PARTIAL;
	}
	if (fstat(j->fd, &st) != 0)
		return reader_failed(j, "fstat");
	j->next_first = 0;
	r = segment_open(j, next, st.st_size > j->at);
	*look_again = r == E_OK;
	return r == E_ABSENT ? E_PARTIAL : r;
}

int
journal_read(struct journal_reader *j, struct journal_record *record)
{
	bool look_again = true;
	int r;

	if (j->fd < 0 && (r = reader_start(j)) != E_OK)
		return r;
	do {
		if ((r = reader_next(j, record)) != E_PARTIAL)
			return r;
		r = reader_advance(j, &look_again);
	} while (look_again);
	return r;
}

int
journal_reader_behind(struct journal_reader *j, uint64_t *records)
{
	struct segment_list list;
	uint64_t after = j->after;
	int r;

	if ((r = segment_list_read(j->dir, &list)) != E_OK)
		return r;
	/* Nobody told where we are: what is stored and only kept is not waited for. */
	if (j->anywhere)
		after = mark_read(j->dir);
	r = segments_behind(j->dir, &list, after, records);
	segment_list_fini(&list);
	return r;
}
