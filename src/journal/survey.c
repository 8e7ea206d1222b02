/* survey.c - what journals there are and how they look from outside: the ends of each segment, not its middle. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal_room.h"
#include "journal_scan.h"
#include "mem.h"
#include "text.h"

#define SOURCES_MAX 1000
#define SEGMENT_BYTES_MAX                                                                          \
	(INT64_C(2) << 30) /* twice what may be configured: a larger file is none of ours */

const char *
segment_state_name(enum segment_state state)
{
	static const char *const names[] = { [SEGMENT_GOOD] = "good",
		[SEGMENT_TORN] = "torn",
		[SEGMENT_FOREIGN] = "foreign bytes",
		[SEGMENT_HEADLESS] = "bad header",
		[SEGMENT_NEWER] = "newer format",
		[SEGMENT_UNREADABLE] = "unreadable" };

	return names[state];
}

static int
name_compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

int
journal_sources(const char *state_dir, char (**names)[JOURNAL_SOURCE], size_t *count)
{
	char path[JOURNAL_PATH], folder[JOURNAL_PATH], one[JOURNAL_SOURCE];
	char(*found)[JOURNAL_SOURCE] = mem_alloc(SOURCES_MAX * sizeof(*found));
	struct dirent *entry;
	struct stat st;
	size_t n = 0;
	DIR *dir;

	if ((size_t)snprintf(path, sizeof(path), "%s/journal", state_dir) >= sizeof(path)) {
		errno = ENAMETOOLONG;
		goto failed;
	}
	if ((dir = opendir(path)) == NULL && errno != ENOENT)
		goto failed;
	while (dir != NULL && n < SOURCES_MAX && (entry = readdir(dir)) != NULL) {
		/* Names are shown: what no gateway calls a journal is none. */
		if (text_copy(one, sizeof(one), entry->d_name) != E_OK ||
		    !text_is_printable(one, strlen(one)) ||
		    segment_dir(state_dir, one, folder) != E_OK || stat(folder, &st) != 0 ||
		    !S_ISDIR(st.st_mode))
			continue;
		memcpy(found[n++], one, sizeof(one));
	}
	if (dir != NULL)
		closedir(dir);
	qsort(found, n, sizeof(*found), name_compare);
	*names = found;
	*count = n;
	return E_OK;
failed:
	mem_free(&found);
	return E_SYSTEM;
}

/* Time of the first record that is good, if it stands where it should. */
static int64_t
first_time(int fd)
{
	uint8_t bytes[RECORD_MAX];
	struct record_view view;
	size_t got;

	if (segment_pread(fd, bytes, sizeof(bytes), SEGMENT_HEADER, &got) != E_OK ||
	    record_check(bytes, got, &view) != RECORD_GOOD)
		return 0;
	return view.appended_ns;
}

static enum segment_state
segment_look(int fd, struct segment_info *info)
{
	struct segment_header header;
	struct segment_tail tail;
	struct stat st;
	int r;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return SEGMENT_UNREADABLE;
	info->bytes = (uint64_t)st.st_size;
	r = segment_header_load(fd, &header);
	if (r == E_PARTIAL)
		return SEGMENT_TORN;
	if (r == E_VERSION)
		return SEGMENT_NEWER;
	if (r == E_SYSTEM || st.st_size > SEGMENT_BYTES_MAX || segment_tail_find(fd, &tail) != E_OK)
		return SEGMENT_UNREADABLE;
	info->first_ns = first_time(fd);
	info->last = tail.last;
	info->last_ns = tail.last_ns;
	if (r != E_OK)
		return SEGMENT_HEADLESS;
	info->previous = header.previous;
	if (tail.kind == TAIL_CLEAN)
		return SEGMENT_GOOD;
	return tail.kind == TAIL_TORN ? SEGMENT_TORN : SEGMENT_FOREIGN;
}

int
journal_survey(
    const char *state_dir, const char *source, struct segment_info **result, size_t *count)
{
	char dir[JOURNAL_PATH], path[JOURNAL_PATH];
	struct segment_list list;
	struct segment_info *infos;
	size_t n = 0;
	int fd, r;

	if ((r = segment_dir(state_dir, source, dir)) != E_OK ||
	    (r = segment_list_read(dir, &list)) != E_OK)
		return r;
	infos = mem_alloc((list.count + 1) * sizeof(*infos));
	for (size_t i = 0; i < list.count; i++) {
		struct segment_info *info = &infos[n];

		*info = (struct segment_info){ .first = list.first[i] };
		if (segment_path(dir, list.first[i], path) != E_OK)
			continue;
		fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT)
			continue; /* stored and deleted meanwhile */
		info->state = fd < 0 ? SEGMENT_UNREADABLE : segment_look(fd, info);
		if (fd >= 0)
			close(fd);
		n++;
	}
	segment_list_fini(&list);
	*result = infos;
	*count = n;
	return E_OK;
}

void
survey_add_up(const struct segment_info *infos, size_t count, struct survey_sum *sum)
{
	uint64_t before = 0;

	memset(sum, 0, sizeof(*sum));
	for (size_t i = 0; i < count; i++) {
		const struct segment_info *s = &infos[i];

		sum->bytes += s->bytes;
		sum->bad += s->state > SEGMENT_TORN;
		if (s->state > sum->worst)
			sum->worst = s->state;
		if (before > 0 && s->previous > before)
			sum->missing += s->previous - before;
		if (s->last < s->first) {
			before = s->state == SEGMENT_GOOD || s->state == SEGMENT_TORN ? before : 0;
			continue;
		}
		if (sum->first == 0)
			sum->first = s->first;
		if (sum->first_ns == 0)
			sum->first_ns = s->first_ns;
		sum->records += s->last - s->first + 1;
		sum->last = before = s->last;
		sum->last_ns = s->last_ns;
	}
}
