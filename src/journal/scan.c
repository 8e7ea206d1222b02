/* scan.c - through a journal record by record, telling what is wrong instead of passing over it.
 *
 * The journal may be written, and its stored segments deleted, meanwhile: a segment that is gone is no gap, and bytes
 * at the very end that are no record yet are looked at again before they are told.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal_room.h"
#include "journal_scan.h"
#include "mem.h"

#define SCAN_WINDOW  (1024 * 1024)
#define SCAN_QUEUE   4
#define SCAN_TORN_MS 100 /* so long a record may be on its way into the file */

struct journal_scan {
	char dir[JOURNAL_PATH];
	struct scan_from from;
	struct segment_list list;
	size_t next;	/* of the list */
	int fd;		/* the segment read; -1: none */
	uint64_t first; /* of that segment */
	off_t at;	/* next byte to look at */
	uint8_t *bytes; /* window of the file from `bytes_at` */
	off_t bytes_at;
	size_t bytes_len;
	uint64_t after;	   /* last sequence; means nothing while `anywhere` */
	bool anywhere;	   /* the next record is right whatever its sequence */
	bool step_unknown; /* the header that would tell a step from a loss is bad */
	bool looked_again; /* at this segment, after a later one had been seen */
	off_t torn_told;   /* where a torn end was told last */
	uint64_t done;	   /* bytes of segments left behind */
	struct scan_item queue[SCAN_QUEUE];
	size_t queued, taken;
	union msg_any value;
};

static int
list_refresh(struct journal_scan *s, uint64_t behind)
{
	/* Twice, as in read.c: a listing that shows a segment may lack one made before it. */
	for (int look = 0; look < 2; look++) {
		segment_list_fini(&s->list);
		if (segment_list_read(s->dir, &s->list) != E_OK)
			return E_SYSTEM;
	}
	for (s->next = 0; s->next < s->list.count && s->list.first[s->next] <= behind; s->next++)
		;
	return E_OK;
}

/* When the segment was made, which is when the one before it was left; 0: that cannot be told. */
static int64_t
segment_created(const struct journal_scan *s, size_t i)
{
	struct segment_header header = { 0 };
	char path[JOURNAL_PATH];
	int fd;

	if (segment_path(s->dir, s->list.first[i], path) != E_OK ||
	    (fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)) < 0)
		return 0;
	if (segment_header_load(fd, &header) != E_OK)
		header.created_ns = 0;
	close(fd);
	return header.created_ns;
}

/* Passes over segments that end before what is asked for. */
static void
scan_choose(struct journal_scan *s)
{
	int64_t created;

	while (s->next + 1 < s->list.count) {
		if (s->from.sequence > 0 && s->list.first[s->next + 1] > s->from.sequence)
			return;
		if (s->from.appended_ns > 0) {
			created = segment_created(s, s->next + 1);
			if (created == 0 || created >= s->from.appended_ns)
				return;
		}
		if (s->from.sequence == 0 && s->from.appended_ns == 0)
			return;
		s->next++;
	}
}

int
journal_scan_open(struct journal_scan **result, const char *state_dir, const char *source,
    const struct scan_from *from)
{
	struct journal_scan *s = mem_alloc(sizeof(*s));
	int r;

	s->fd = -1;
	s->anywhere = true;
	s->torn_told = -1;
	s->from = *from;
	if ((r = segment_dir(state_dir, source, s->dir)) != E_OK ||
	    (r = list_refresh(s, 0)) != E_OK) {
		mem_free(&s);
		return r;
	}
	scan_choose(s);
	s->bytes = mem_alloc(SCAN_WINDOW);
	*result = s;
	return E_OK;
}

void
journal_scan_close(struct journal_scan **scan)
{
	struct journal_scan *s = *scan;

	if (s == NULL)
		return;
	if (s->fd >= 0)
		close(s->fd);
	segment_list_fini(&s->list);
	mem_free(&s->bytes);
	mem_free(scan);
}

uint64_t
journal_scan_bytes(const struct journal_scan *s)
{
	return s->done + (s->fd >= 0 ? (uint64_t)s->at : 0);
}

static struct scan_item *
tell(struct journal_scan *s, enum scan_kind kind)
{
	struct scan_item *item = &s->queue[s->queued++];

	*item = (struct scan_item){ .kind = kind, .segment = s->first, .after = s->after };
	return item;
}

static void
tell_bytes(struct journal_scan *s, enum scan_kind kind, off_t from, off_t to, const char *why)
{
	struct scan_item *item = tell(s, kind);

	item->offset = (uint64_t)from;
	item->bytes = (uint64_t)(to - from);
	item->why = why;
}

static void
tell_gap(struct journal_scan *s, uint64_t count, uint64_t sequence)
{
	struct scan_item *item = tell(s, SCAN_GAP);

	item->count = count;
	item->sequence = sequence;
}

static int
window_load(struct journal_scan *s)
{
	s->bytes_at = s->at;
	s->bytes_len = 0;
	return segment_pread(s->fd, s->bytes, SCAN_WINDOW, s->at, &s->bytes_len);
}

static const uint8_t *
window_data(const struct journal_scan *s)
{
	return s->bytes + (s->at - s->bytes_at);
}

static size_t
window_len(const struct journal_scan *s)
{
	return s->bytes_len - (size_t)(s->at - s->bytes_at);
}

static void
segment_leave(struct journal_scan *s)
{
	s->done += (uint64_t)s->at;
	close(s->fd);
	s->fd = -1;
}

/* The sequences between the last record and this segment: lost, or stepped over by the writer. */
static void
entry_compare(struct journal_scan *s, const struct segment_header *header)
{
	struct scan_item *step;

	if (!s->anywhere && header->previous > s->after) {
		tell_gap(s, header->previous - s->after, s->first);
		s->after = header->previous;
	}
	if (!s->anywhere && s->first > s->after + 1) {
		step = tell(s, SCAN_STEP);
		step->sequence = s->first;
	}
	if (s->anywhere || s->first > s->after)
		s->after = s->first - 1;
	s->anywhere = s->from.sequence > s->first;
}

/* What the header says; E_ABSENT: the segment is passed over. */
static int
segment_head(struct journal_scan *s, off_t size)
{
	struct segment_header header;
	bool last = s->next == s->list.count;
	int r = segment_header_load(s->fd, &header);

	s->step_unknown = false;
	if (r == E_OK) {
		entry_compare(s, &header);
		return E_OK;
	}
	if (r == E_SYSTEM)
		return r;
	if (r == E_VERSION) {
		(void)tell(s, SCAN_NEWER);
		s->anywhere = true;
		return E_ABSENT;
	}
	if (r == E_PARTIAL) {
		/* One just made is not told until it stays so. */
		if (!last || size > 0)
			tell_bytes(
			    s, last ? SCAN_TORN : SCAN_DAMAGE, 0, size, "its header is not whole");
		return E_ABSENT;
	}
	tell_bytes(s, SCAN_DAMAGE, 0, SEGMENT_HEADER, "its header is bad");
	s->step_unknown = true;
	return E_OK;
}

/* Opens the next of the list; E_OK also where there was nothing to open. */
static int
segment_enter(struct journal_scan *s)
{
	char path[JOURNAL_PATH];
	struct stat st;
	int r;

	s->first = s->list.first[s->next++];
	if ((r = segment_path(s->dir, s->first, path)) != E_OK)
		return r;
	if ((s->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)) < 0) {
		s->anywhere = true; /* what was in it cannot be missed */
		return errno == ENOENT ? E_OK : E_SYSTEM;
	}
	s->at = s->bytes_at = SEGMENT_HEADER;
	s->bytes_len = 0;
	s->looked_again = false;
	s->torn_told = -1;
	if (fstat(s->fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		errno = EINVAL;
		r = E_SYSTEM;
	} else {
		tell(s, SCAN_SEGMENT)->bytes = (uint64_t)st.st_size;
		r = segment_head(s, st.st_size);
	}
	if (r != E_OK)
		segment_leave(s);
	return r == E_ABSENT ? E_OK : r;
}

static void
record_tell(struct journal_scan *s, const struct record_view *view)
{
	const struct msg_desc *desc = msg_desc(view->type);
	const char *why = "bytes are left behind it";
	struct scan_item *item;
	enum msg_type type;
	size_t used;

	if (desc == NULL || !desc->stored || view->version > desc->version) {
		item = tell(s, SCAN_UNKNOWN);
	} else if (msg_decode(view->payload, view->payload_len, &used, &type, &s->value, &why) !=
		       E_OK ||
		   used != view->payload_len || (unsigned)type != view->type) {
		item = tell(s, SCAN_DAMAGE);
		item->why = why;
	} else {
		item = tell(s, SCAN_RECORD);
		item->desc = desc;
		item->value = &s->value;
	}
	item->offset = (uint64_t)s->at;
	item->bytes = view->total;
	item->sequence = view->sequence;
	item->appended_ns = view->appended_ns;
	item->type = view->type;
	item->version = view->version;
}

/* A good record: what its sequence says of the records before it, and itself. */
static void
record_pass(struct journal_scan *s, const struct record_view *view)
{
	bool wanted = view->sequence >= s->from.sequence &&
		      (s->from.appended_ns == 0 || view->appended_ns >= s->from.appended_ns);
	uint64_t jump;

	if (!s->anywhere && view->sequence <= s->after) {
		tell_bytes(s, SCAN_DAMAGE, s->at, s->at + (off_t)view->total,
		    "its sequence was there before");
		s->at += (off_t)view->total;
		return;
	}
	jump = view->sequence - s->after - 1;
	if (!s->anywhere && jump > 0)
		tell_gap(s, s->step_unknown && jump >= JOURNAL_STEP ? 1 : jump, view->sequence);
	if (wanted)
		record_tell(s, view);
	s->anywhere = s->step_unknown = false;
	s->after = view->sequence;
	s->at += (off_t)view->total;
}

/* The first good record behind the bad bytes we stand on: *found, or the end of the file and E_PARTIAL. */
static int
resync(struct journal_scan *s, off_t *found)
{
	struct record_view view;
	size_t at = 1;
	int r;

	for (;;) {
		if (record_find(window_data(s), window_len(s), &at, &view)) {
			*found = s->at + (off_t)at;
			return E_OK;
		}
		if (s->bytes_len < SCAN_WINDOW) {
			*found = s->at + (off_t)window_len(s);
			return E_PARTIAL;
		}
		s->at = s->bytes_at + (off_t)(s->bytes_len - RECORD_MAX);
		at = 0;
		if ((r = window_load(s)) != E_OK)
			return r;
	}
}

/* Bad bytes up to the end of the file: told, unless they may still become a record. */
static void
end_tell(struct journal_scan *s, off_t end, bool is_short)
{
	bool last = s->next == s->list.count;

	if (!last || !is_short) {
		tell_bytes(s, SCAN_DAMAGE, s->at, end, "no record begins in them");
		s->at = end;
	} else if (s->torn_told != s->at) {
		tell_bytes(s, SCAN_TORN, s->at, end, "a record that is not whole");
		s->torn_told = s->at;
	}
}

/* We stand on bytes that are no record. A read is not one instant: before they are told they are looked at again. */
static int
bad_pass(struct journal_scan *s)
{
	struct record_view view;
	off_t from = s->at, found = from;
	enum record_state state;
	int r, searched;

	if (s->next == s->list.count && s->torn_told != s->at)
		(void)poll(NULL, 0, SCAN_TORN_MS);
	if ((r = window_load(s)) != E_OK)
		return r;
	if ((state = record_check(window_data(s), window_len(s), &view)) == RECORD_GOOD)
		return E_OK;
	searched = resync(s, &found);
	s->at = s->bytes_at = from;
	s->bytes_len = 0;
	if (searched != E_OK && searched != E_PARTIAL)
		return searched;
	if (searched == E_PARTIAL) {
		end_tell(s, found, state == RECORD_SHORT);
		return E_PARTIAL;
	}
	tell_bytes(s, SCAN_DAMAGE, from, found, "no record begins in them");
	s->at = s->bytes_at = found;
	return E_OK;
}

/* Adds to the queue. E_PARTIAL: this segment shows no more. */
static int
segment_step(struct journal_scan *s)
{
	struct record_view view;
	int r;

	if (record_check(window_data(s), window_len(s), &view) != RECORD_GOOD) {
		if ((r = window_load(s)) != E_OK)
			return r;
		if (window_len(s) == 0)
			return E_PARTIAL;
		if (record_check(window_data(s), window_len(s), &view) != RECORD_GOOD)
			return bad_pass(s);
	}
	record_pass(s, &view);
	return E_OK;
}

/* The segment shows no more: E_PARTIAL when there is no later one. */
static int
segment_finish(struct journal_scan *s)
{
	if (s->next == s->list.count) {
		if (list_refresh(s, s->first) != E_OK || s->next == s->list.count)
			return E_PARTIAL;
	}
	/* Records may have come between our look and the later segment. */
	if (!s->looked_again)
		s->looked_again = true;
	else
		segment_leave(s);
	return E_OK;
}

static int
scan_more(struct journal_scan *s)
{
	int r;

	if (s->fd < 0) {
		if (s->next == s->list.count && list_refresh(s, s->first) != E_OK)
			return E_PARTIAL;
		return s->next < s->list.count ? segment_enter(s) : E_PARTIAL;
	}
	if ((r = segment_step(s)) == E_PARTIAL && s->queued == 0)
		return segment_finish(s);
	if (r == E_SYSTEM)
		segment_leave(s);
	return r == E_PARTIAL ? E_OK : r;
}

int
journal_scan_next(struct journal_scan *s, struct scan_item *item)
{
	int r = E_OK;

	if (s->taken == s->queued)
		s->taken = s->queued = 0;
	while (s->queued == 0 && r == E_OK)
		r = scan_more(s);
	if (s->queued == 0 && r == E_PARTIAL) {
		*item = (struct scan_item){ .kind = SCAN_END };
		return E_OK;
	}
	if (s->queued == 0)
		return r;
	*item = s->queue[s->taken++];
	return E_OK;
}
