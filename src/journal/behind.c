/* behind.c - how many records lie behind a position: segment by segment, so that a step counts for nothing. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "journal_room.h"

/* E_ABSENT: it was deleted meanwhile, as it is stored. */
static int
segment_open_read(const char *dir, uint64_t first, int *fd)
{
	char path[JOURNAL_PATH];
	int r;

	if ((r = segment_path(dir, first, path)) != E_OK)
		return r;
	if ((*fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)) < 0)
		return errno == ENOENT ? E_ABSENT : E_SYSTEM;
	return E_OK;
}

/* What the header says was the last sequence before the segment. */
static int
previous_read(const char *dir, uint64_t first, uint64_t *previous)
{
	struct segment_header header;
	int fd, r;

	if ((r = segment_open_read(dir, first, &fd)) != E_OK)
		return r;
	if ((r = segment_header_load(fd, &header)) == E_OK)
		*previous = header.previous;
	close(fd);
	return r;
}

/* Sequence of the last record in it; 0: there is none. */
static int
last_read(const char *dir, uint64_t first, uint64_t *last)
{
	struct segment_tail tail;
	int fd, r;

	if ((r = segment_open_read(dir, first, &fd)) != E_OK)
		return r;
	if ((r = segment_tail_find(fd, &tail)) == E_OK)
		*last = tail.last;
	close(fd);
	return r;
}

/* The header of the one behind tells where a segment ends; where there is none, or a bad one, its own end does. */
static int
segment_end(const char *dir, const struct segment_list *list, size_t i, uint64_t *end)
{
	int r = E_ABSENT;

	if (i + 1 < list->count)
		r = previous_read(dir, list->first[i + 1], end);
	if (r == E_ABSENT || r == E_PARTIAL || r == E_CORRUPT)
		r = last_read(dir, list->first[i], end);
	return r;
}

int
segments_behind(const char *dir, const struct segment_list *list, uint64_t after, uint64_t *records)
{
	uint64_t sum = 0, begin, end = 0;
	int r;

	for (size_t i = 0; i < list->count; i++) {
		if (i + 1 < list->count && list->first[i + 1] <= after + 1)
			continue;
		begin = list->first[i] > after ? list->first[i] - 1 : after;
		if ((r = segment_end(dir, list, i, &end)) == E_ABSENT)
			continue;
		if (r != E_OK)
			return r;
		if (end > begin)
			sum += end - begin;
	}
	*records = sum;
	return E_OK;
}
