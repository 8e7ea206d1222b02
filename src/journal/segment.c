/* segment.c - segment files: names, headers, folders, and where the good bytes of one end. */
#include "journal_room.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hash.h"
#include "mem.h"
#include "text.h"

#define SEGMENT_DIGITS 20
#define SEGMENTS_MAX   1000000
#define TAIL_WINDOW    (4 * RECORD_MAX)

static const uint8_t segment_magic[8] = { 'O', 'P', 'T', 'J', 'R', 'N', 'L', '\n' };

static void
put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static void
put64(uint8_t *p, uint64_t v)
{
	put32(p, (uint32_t)v);
	put32(p + 4, (uint32_t)(v >> 32));
}

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t
get64(const uint8_t *p)
{
	return get32(p) | (uint64_t)get32(p + 4) << 32;
}

int
segment_dir(const char *state_dir, const char *source, char dir[JOURNAL_PATH])
{
	char path[JOURNAL_PATH];
	int n;

	if (source[0] == '\0' || source[0] == '.' || strchr(source, '/') != NULL)
		return E_LIMIT;
	n = snprintf(path, sizeof(path), "%s/journal/%s", state_dir, source);
	if (n < 0 || (size_t)n >= sizeof(path) - SEGMENT_NAME - 1)
		return E_LIMIT;
	memcpy(dir, path, (size_t)n + 1);
	return E_OK;
}

void
segment_name(uint64_t first, char name[SEGMENT_NAME])
{
	snprintf(name, SEGMENT_NAME, "%0*" PRIu64 ".seg", SEGMENT_DIGITS, first);
}

int
segment_path(const char *dir, uint64_t first, char path[JOURNAL_PATH])
{
	char name[SEGMENT_NAME];
	int n;

	segment_name(first, name);
	n = snprintf(path, JOURNAL_PATH, "%s/%s", dir, name);
	return n < 0 || n >= JOURNAL_PATH ? E_LIMIT : E_OK;
}

/* Other files in the folder (the lock, an operator's copy) are none of ours. */
static int
segment_name_parse(const char *name, uint64_t *first)
{
	char digits[SEGMENT_DIGITS + 1];

	if (strlen(name) != SEGMENT_DIGITS + 4 || strcmp(name + SEGMENT_DIGITS, ".seg") != 0)
		return E_ABSENT;
	memcpy(digits, name, SEGMENT_DIGITS);
	digits[SEGMENT_DIGITS] = '\0';
	return text_to_u64(digits, first) == E_OK && *first > 0 && *first <= SEQUENCE_MAX
		   ? E_OK
		   : E_ABSENT;
}

static int
first_compare(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

int
segment_list_read(const char *dir, struct segment_list *list)
{
	uint64_t *first = NULL, one;
	size_t count = 0, room = 0;
	struct dirent *entry;
	DIR *d;

	if ((d = opendir(dir)) == NULL && errno != ENOENT)
		return E_SYSTEM;
	while (d != NULL && (entry = readdir(d)) != NULL && count < SEGMENTS_MAX) {
		if (segment_name_parse(entry->d_name, &one) != E_OK)
			continue;
		if (count == room) {
			size_t more = room == 0 ? 64 : room * 2;

			first = mem_grow(first, room * sizeof(*first), more * sizeof(*first));
			room = more;
		}
		first[count++] = one;
	}
	if (d != NULL)
		closedir(d);
	if (count > 0)
		qsort(first, count, sizeof(*first), first_compare);
	list->first = first;
	list->count = count;
	return E_OK;
}

void
segment_list_fini(struct segment_list *list)
{
	mem_free(&list->first);
	list->count = 0;
}

void
segment_boot_read(uint8_t boot[SEGMENT_BOOT])
{
	char text[64];
	ssize_t got;
	int fd, high = -1;
	size_t n = 0;

	memset(boot, 0, SEGMENT_BOOT);
	if ((fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)) < 0)
		return;
	got = read(fd, text, sizeof(text));
	close(fd);
	for (ssize_t i = 0; i < got && n < SEGMENT_BOOT; i++) {
		const char *digits = "0123456789abcdef", *at = strchr(digits, text[i]);

		if (at == NULL || text[i] == '\0')
			continue;
		if (high < 0) {
			high = (int)(at - digits);
		} else {
			boot[n++] = (uint8_t)(high << 4 | (int)(at - digits));
			high = -1;
		}
	}
}

/* magic 8, crc 4 (of all that follows), format 4, first 8, previous 8, created 8, boot 16, inode 8 */
void
segment_header_write(const struct segment_header *header, uint8_t out[SEGMENT_HEADER])
{
	memset(out, 0, SEGMENT_HEADER);
	memcpy(out, segment_magic, sizeof(segment_magic));
	put32(out + 12, header->format);
	put64(out + 16, header->first);
	put64(out + 24, header->previous);
	put64(out + 32, (uint64_t)header->created_ns);
	memcpy(out + 40, header->boot, SEGMENT_BOOT);
	put64(out + 56, header->inode);
	put32(out + 8, hash_crc32(out + 12, SEGMENT_HEADER - 12));
}

int
segment_header_read(const uint8_t in[SEGMENT_HEADER], struct segment_header *header)
{
	if (memcmp(in, segment_magic, sizeof(segment_magic)) != 0 ||
	    get32(in + 8) != hash_crc32(in + 12, SEGMENT_HEADER - 12))
		return E_CORRUPT;
	if (get32(in + 12) > SEGMENT_FORMAT)
		return E_VERSION;
	header->format = get32(in + 12);
	header->first = get64(in + 16);
	header->previous = get64(in + 24);
	header->created_ns = (int64_t)get64(in + 32);
	memcpy(header->boot, in + 40, SEGMENT_BOOT);
	header->inode = get64(in + 56);
	return E_OK;
}

int
segment_header_load(int fd, struct segment_header *header)
{
	uint8_t bytes[SEGMENT_HEADER];
	size_t got;
	int r;

	if ((r = segment_pread(fd, bytes, sizeof(bytes), 0, &got)) != E_OK)
		return r;
	return got < sizeof(bytes) ? E_PARTIAL : segment_header_read(bytes, header);
}

int
segment_pread(int fd, void *to, size_t len, off_t at, size_t *got)
{
	size_t have = 0;
	ssize_t n;

	while (have < len) {
		n = pread(fd, (uint8_t *)to + have, len - have, at + (off_t)have);
		if (n == 0)
			break;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return E_SYSTEM;
		have += (size_t)n;
	}
	*got = have;
	return E_OK;
}

/* What lies behind the last good record is judged by how it begins. */
static int
tail_judge(int fd, struct segment_tail *tail)
{
	uint8_t bytes[RECORD_MAX];
	struct record_view view;
	size_t got;
	int r;

	if ((r = segment_pread(fd, bytes, sizeof(bytes), tail->end, &got)) != E_OK)
		return r;
	if (got == 0)
		tail->kind = TAIL_CLEAN;
	else if (record_check(bytes, got, &view) == RECORD_SHORT)
		tail->kind = TAIL_TORN;
	else
		tail->kind = TAIL_FOREIGN;
	return E_OK;
}

/* The last good record that begins in [from, from + TAIL_WINDOW): 1 and noted in the tail, or 0. */
static int
tail_search(const uint8_t *bytes, size_t len, off_t from, struct segment_tail *tail)
{
	struct record_view view;
	size_t at = 0;
	int found = 0;

	while (record_find(bytes, len, &at, &view)) {
		found = 1;
		at += view.total;
		tail->end = from + (off_t)at;
		tail->last = view.sequence;
		tail->last_ns = view.appended_ns;
	}
	return found;
}

int
segment_tail_find(int fd, struct segment_tail *result)
{
	struct segment_tail tail = { .end = SEGMENT_HEADER };
	uint8_t *bytes = mem_alloc(TAIL_WINDOW + RECORD_MAX);
	struct stat st;
	size_t got;
	off_t from;
	int r;

	if (fstat(fd, &st) != 0) {
		r = E_SYSTEM;
		goto out;
	}
	tail.size = st.st_size;
	from = tail.size;
	do {
		from = from > SEGMENT_HEADER + TAIL_WINDOW ? from - TAIL_WINDOW : SEGMENT_HEADER;
		r = segment_pread(fd, bytes, TAIL_WINDOW + RECORD_MAX, from, &got);
	} while (r == E_OK && !tail_search(bytes, got, from, &tail) && from > SEGMENT_HEADER);
	if (r == E_OK)
		r = tail_judge(fd, &tail);
	if (r == E_OK)
		*result = tail;
out:
	mem_free(&bytes);
	return r;
}
