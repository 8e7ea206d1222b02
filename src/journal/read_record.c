/* read_record.c - records of the segment a reader is in: the window of its bytes, what is believed of them, where to begin.
 *
 * Only whole records with a right checksum are believed, and only bytes of such records are kept from one
 * call to the next: a torn tail is read afresh every time, since the writer may cut it and write something
 * else in its place.
 */
#include "read_room.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "clock.h"
#include "log.h"
#include "text.h"

#define SEEK_STEP (4 * RECORD_MAX)

/* An episode is told once: while descriptors or memory run out one read may succeed and the next fail, and readers are
 * closed and opened anew, many times a second. So it is the process that remembers. */
#define READ_FAILURES	8
#define READ_EPISODE_NS (10 * CLOCK_SEC) /* without a failure, and it is over */

static struct read_failure {
	char source[SEGMENT_NAME * 2];
	int error;
	int64_t at_ns;
} read_failures[READ_FAILURES];

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

int
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

void
reader_note_lost(struct journal_reader *j, uint64_t count, uint64_t next)
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

int
reader_next(struct journal_reader *j, struct journal_record *record)
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
		reader_note_lost(j, jump_count(j, view.sequence), view.sequence);
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

int
reader_seek(struct journal_reader *j)
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
