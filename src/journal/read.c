/* read.c - the reading side of a journal, while another process writes it.
 *
 * Only whole records with a right checksum are believed, and only bytes of such records are kept from one
 * call to the next: a torn tail is read afresh every time, since the writer may cut it and write something
 * else in its place. A segment is left when a later one exists and another look at it shows nothing new, as
 * the writer never goes back to an older segment.
 */
#include "journal_room.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "mem.h"
#include "text.h"

#define READ_WINDOW (256 * 1024)
#define SEEK_STEP   (4 * RECORD_MAX)

struct journal_reader {
	char source[SEGMENT_NAME * 2];
	char dir[JOURNAL_PATH];
	int fd;		     /* the segment being read; -1: none yet */
	uint64_t first;	     /* of that segment */
	off_t at;	     /* next byte to look at */
	uint64_t after;	     /* sequence of the last record read or passed over */
	bool anywhere;	     /* nothing was read before: the first record is the right one */
	bool step_unknown;   /* the header that would tell a step from a loss is unreadable */
	uint64_t next_first; /* the segment behind this one; 0: none known */
	uint8_t *bytes;	     /* window of the file, from `bytes_at` */
	off_t bytes_at;
	size_t bytes_len;
	uint64_t skipped;
	bool version_told;
};

/* An episode is told once: while descriptors or memory run out one read may succeed and the next fail, and readers are
 * closed and opened anew, many times a second. So it is the process that remembers. */
#define READ_FAILURES	8
#define READ_EPISODE_NS (10 * CLOCK_SEC) /* without a failure, and it is over */

static struct read_failure {
	char source[SEGMENT_NAME * 2];
	int error;
	int64_t at_ns;
} read_failures[READ_FAILURES];

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

/* True when the like of it was told a while ago and has happened ever since. */
static bool
failure_is_old(const char *source, int error)
{
	int64_t now = clock_mono();
	struct read_failure *oldest = read_failures, *f;
	bool old;

	for (f = read_failures; f < read_failures + READ_FAILURES; f++) {
		if (f->error == error && strcmp(f->source, source) == 0)
			break;
		if (f->at_ns < oldest->at_ns)
			oldest = f;
	}
	if (f == read_failures + READ_FAILURES)
		*(f = oldest) = (struct read_failure){ .error = error };
	old = f->source[0] != '\0' && now - f->at_ns < READ_EPISODE_NS;
	(void)text_copy(f->source, sizeof(f->source), source);
	f->at_ns = now;
	return old;
}

static int
reader_failed(struct journal_reader *j, const char *doing)
{
	int error = errno;

	if (!failure_is_old(j->source, error))
		log_error("journal %s: %s: %s; trying on, told once while it lasts", j->source,
		    doing, strerror(error));
	return E_SYSTEM;
}

static const uint8_t *
window_data(const struct journal_reader *j)
{
	return j->bytes + (j->at - j->bytes_at);
}

static size_t
window_len(const struct journal_reader *j)
{
	return j->bytes_len - (size_t)(j->at - j->bytes_at);
}

/* Forgets what was read and reads anew from where we stand. */
static int
window_load(struct journal_reader *j)
{
	j->bytes_at = j->at;
	j->bytes_len = 0;
	if (segment_pread(j->fd, j->bytes, READ_WINDOW, j->at, &j->bytes_len) != E_OK)
		return reader_failed(j, "read");
	return E_OK;
}

/* `count` records before `next` are gone. */
static void
note_lost(struct journal_reader *j, uint64_t count, uint64_t next)
{
	j->skipped += count;
	log_error("journal %s: %" PRIu64 " record(s) behind sequence %" PRIu64
		  " cannot be read, going on at %" PRIu64,
	    j->source, count, j->after, next);
}

/* How many records a jump to `next` means when no header tells: a step of the writer is none to speak of. */
static uint64_t
jump_count(const struct journal_reader *j, uint64_t next)
{
	uint64_t jump = next - j->after - 1;

	return j->step_unknown && jump >= JOURNAL_STEP ? 1 : jump;
}

static void
window_forget(struct journal_reader *j, off_t at)
{
	j->at = j->bytes_at = at;
	j->bytes_len = 0;
}

/* Where the first good record behind these bytes begins; E_PARTIAL when there is none yet. The window is
 * somewhere else afterwards. */
static int
resync_find(struct journal_reader *j, off_t *found)
{
	struct record_view view;
	size_t at = 1;
	int r;

	for (;;) {
		if (record_find(window_data(j), window_len(j), &at, &view)) {
			*found = j->at + (off_t)at;
			return E_OK;
		}
		if (window_len(j) < READ_WINDOW)
			return E_PARTIAL;
		/* A record may begin in the last bytes of the window and end behind it. */
		j->at += READ_WINDOW - RECORD_MAX;
		at = 0;
		if ((r = window_load(j)) != E_OK)
			return r;
	}
}

/* We stand on bytes that are no record. E_PARTIAL: nothing good behind them yet; E_CORRUPT: we moved over them.
 * E_OK: looked at again they are a record. A read is not one instant: it may hold the first half of a torn record and
 * behind it what the writer's successor put in its place. Since he writes in order, whatever good we found was
 * written after the place we stand on was made good, and a second look sees that. */
static int
resync(struct journal_reader *j, struct record_view *view)
{
	off_t from = j->at, found;
	int r;

	r = resync_find(j, &found);
	window_forget(j, from);
	if (r != E_OK || (r = window_load(j)) != E_OK)
		return r;
	if (record_check(window_data(j), window_len(j), view) == RECORD_GOOD)
		return E_OK;
	log_error("journal %s: %" PRId64 " bad bytes at %" PRId64 " of segment %" PRIu64, j->source,
	    (int64_t)(found - from), (int64_t)from, j->first);
	window_forget(j, found);
	return E_CORRUPT;
}

/* The record we stand on, not passed yet. E_PARTIAL: none that is whole; E_CORRUPT: we moved over bad bytes. */
static int
record_look(struct journal_reader *j, struct record_view *view)
{
	int r;

	if (record_check(window_data(j), window_len(j), view) == RECORD_GOOD)
		return E_OK;
	if ((r = window_load(j)) != E_OK)
		return r;
	if (record_check(window_data(j), window_len(j), view) == RECORD_GOOD)
		return E_OK;
	/* A length that rotted looks like a torn record too: only a later good one tells. */
	return window_len(j) == 0 ? E_PARTIAL : resync(j, view);
}

static int
refuse_version(struct journal_reader *j, const struct record_view *view)
{
	if (!j->version_told)
		log_error("journal %s: record %" PRIu64
			  " is of type %u version %u, which this program does "
			  "not know: run the newer program",
		    j->source, view->sequence, view->type, view->version);
	j->version_told = true;
	return E_VERSION;
}

static int
record_decode(
    struct journal_reader *j, const struct record_view *view, struct journal_record *record)
{
	const struct msg_desc *desc = msg_desc(view->type);
	const char *why = "trailing bytes";
	enum msg_type type;
	size_t used;

	if (desc == NULL || !desc->stored || view->version > desc->version)
		return refuse_version(j, view);
	if (msg_decode(view->payload, view->payload_len, &used, &type, &record->value, &why) !=
		E_OK ||
	    used != view->payload_len || (unsigned)type != view->type) {
		log_error("journal %s: record %" PRIu64 " does not decode: %s", j->source,
		    view->sequence, why);
		j->skipped++;
		return E_CORRUPT;
	}
	record->sequence = view->sequence;
	record->appended_ns = view->appended_ns;
	record->type = desc->type;
	record->desc = desc;
	return E_OK;
}

/* The next record of this segment. */
static int
segment_next(struct journal_reader *j, struct journal_record *record)
{
	struct record_view view;
	int r;

	for (;;) {
		if ((r = record_look(j, &view)) != E_OK)
			return r;
		if (view.sequence > j->after)
			break;
		j->at += (off_t)view.total;
	}
	if (view.sequence != j->after + 1) {
		note_lost(j, jump_count(j, view.sequence), view.sequence);
		j->after = view.sequence - 1;
		return E_CORRUPT;
	}
	if ((r = record_decode(j, &view, record)) == E_VERSION)
		return r;
	j->step_unknown = false;
	j->at += (off_t)view.total;
	j->after = view.sequence;
	return r;
}

/* Halves the way to `after`, so that starting in a large segment costs a few reads. */
static int
segment_seek(struct journal_reader *j)
{
	off_t low = SEGMENT_HEADER, high, middle;
	struct record_view view;
	struct stat st;
	size_t at;
	int r;

	if (fstat(j->fd, &st) != 0)
		return reader_failed(j, "fstat");
	for (high = st.st_size; high - low > SEEK_STEP;) {
		middle = low + (high - low) / 2;
		j->at = middle;
		if ((r = window_load(j)) != E_OK)
			return r;
		at = 0;
		if (!record_find(window_data(j), window_len(j), &at, &view) ||
		    view.sequence > j->after || middle + (off_t)at >= high)
			high = middle;
		else
			low = middle + (off_t)at;
	}
	j->at = j->bytes_at = low;
	j->bytes_len = 0;
	return E_OK;
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
	if (r == E_PARTIAL && !segment_is_last(j, first))
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
		note_lost(j, lost, first);
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

/* Where reading starts: the last segment that begins at or before the next record, else the first. */
static int
segment_choose(struct journal_reader *j, uint64_t *first)
{
	struct segment_list list;
	size_t i;

	if (segment_list_read(j->dir, &list) != E_OK)
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
		r = segment_seek(j);
	return r;
}

/* The segment behind this one; 0: there is none. */
static int
next_find(struct journal_reader *j)
{
	struct segment_list list;

	if (segment_list_read(j->dir, &list) != E_OK)
		return reader_failed(j, j->dir);
	j->next_first = 0;
	for (size_t i = 0; i < list.count && j->next_first == 0; i++)
		if (list.first[i] > j->first)
			j->next_first = list.first[i];
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
		if ((r = segment_next(j, record)) != E_PARTIAL)
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
