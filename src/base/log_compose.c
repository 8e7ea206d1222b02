/* log_compose.c - a line as bytes: JSON, text for people, fields for the journal.
 *
 * What comes from outside may hold anything. Control characters (C1 too, and what ends a line in Unicode) are
 * written as escapes, bytes that are no UTF-8 as U+FFFD, and every value has its bound: a line is one line,
 * and JSON stays JSON. Fields go into a buffer of their own first, so that a long message is what gets cut.
 */
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "log_room.h"
#include "text.h"

#define MESSAGE_LEAST 1600 /* as log_fields.def says */
#define CUT	      "..."
#define CUT_LEN	      3

const char *const log_level_names[LOG_LEVELS] = { "debug", "info", "warn", "error", "fatal",
	"panic" };
static const char *const colours[LOG_LEVELS] = { "\033[2m", "", "\033[33m", "\033[31m",
	"\033[31;1m", "\033[31;1m" };
/* Of syslog. The most urgent ones are left to others: they are written to every terminal. */
static const char priorities[LOG_LEVELS] = { '7', '6', '4', '3', '2', '2' };

#define LOG_WHERE_EVERY		LOG_EVERY
#define LOG_WHERE_ABOUT		LOG_ABOUT_IT
#define LOG_WHERE_ACCESS	LOG_ACCESS
#define LOG_KIND_TEXT		LOG_TEXT
#define LOG_KIND_NUMBER		LOG_NUMBER
#define LOG_KIND_MICROS		LOG_MICROS
#define LOG_OFFSET_EVERY(name)	0
#define LOG_OFFSET_ABOUT(name)	offsetof(struct log_about, name)
#define LOG_OFFSET_ACCESS(name) offsetof(struct log_about, name)

static const struct log_row rows[] = {
#define LOG_FIELD(name, WHERE, KIND, max, journal, help)                                           \
	{ #name, journal, LOG_WHERE_##WHERE, LOG_KIND_##KIND, max, LOG_OFFSET_##WHERE(name) },
#include "tables/log_fields.def"
};

enum row_index {
#define LOG_FIELD(name, WHERE, KIND, max, journal, help) ROW_##name,
#include "tables/log_fields.def"
	ROWS
};

/* With name, quotes and what shows that it was cut. */
enum {
	LINE_LONGEST = 64
#define LOG_FIELD(name, WHERE, KIND, max, journal, help) +(max) + CUT_LEN + sizeof(#name) + 6
#include "tables/log_fields.def"
};
_Static_assert(LINE_LONGEST <= LOG_LINE, "the fields of log_fields.def do not fit a line");

const struct log_row *
log_rows(size_t *count)
{
	*count = ROWS;
	return rows;
}

struct line {
	char *text;
	size_t len, size;
};

static void
line_put(struct line *l, const char *text, size_t len)
{
	if (len > l->size - l->len)
		len = l->size - l->len;
	memcpy(l->text + l->len, text, len);
	l->len += len;
}

static void
line_put_text(struct line *l, const char *text)
{
	line_put(l, text, strlen(text));
}

static void
line_put_number(struct line *l, int64_t v)
{
	char digits[24];
	size_t at = sizeof(digits);
	uint64_t n = v < 0 ? -(uint64_t)v : (uint64_t)v;

	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	if (v < 0)
		digits[--at] = '-';
	line_put(l, digits + at, sizeof(digits) - at);
}

static void
line_put_micros(struct line *l, int64_t us)
{
	char fraction[5] = { '.', (char)('0' + us / 100 % 10), (char)('0' + us / 10 % 10),
		(char)('0' + us % 10), '\0' };

	line_put_number(l, us / 1000);
	line_put(l, fraction, 4);
}

/* Characters of two and three bytes that move a cursor or end a line. */
static unsigned
character_code(const char *from, size_t len)
{
	const unsigned char *p = (const unsigned char *)from;

	if (len == 1)
		return p[0] < 0x20 || p[0] == 0x7f ? p[0] : 0;
	if (len == 2 && p[0] == 0xc2 && p[1] < 0xa0)
		return p[1];
	if (len == 3 && p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9))
		return 0x2000u + (p[2] & 0x3fu);
	return 0;
}

/* The character the text begins with, as it may be written; how many bytes of the text it is. */
static size_t
character_write(const char *from, enum log_shape shape, char out[12], size_t *out_len)
{
	size_t len = text_utf8_len(from);
	unsigned code = len == 0 ? 0xfffd : character_code(from, len);
	int n;

	if (code != 0 && (shape == LOG_SHAPE_JSON || (len > 0 && code > 0xff))) {
		n = snprintf(out, 12, "\\u%04x", code);
	} else if (code != 0) {
		n = len == 0 ? snprintf(out, 12, "\xef\xbf\xbd")
			     : snprintf(out, 12, "\\x%02x", code);
	} else if (shape == LOG_SHAPE_JSON && (*from == '"' || *from == '\\')) {
		n = snprintf(out, 12, "\\%c", *from);
	} else {
		memcpy(out, from, len);
		n = (int)len;
	}
	*out_len = (size_t)n;
	return len > 0 ? len : 1;
}

static bool
character_is_plain(char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

#define EACH_BYTE(c) (UINT64_C(0x0101010101010101) * (uint64_t)(c))

static uint64_t
word_has_zero(uint64_t w)
{
	return (w - EACH_BYTE(1)) & ~w & EACH_BYTE(0x80);
}

/* Whether all eight bytes are plain: most of a line is. */
static bool
word_is_plain(const char *from)
{
	uint64_t w;

	memcpy(&w, from, sizeof(w));
	return ((w & EACH_BYTE(0x80)) | ((w - EACH_BYTE(0x20)) & ~w & EACH_BYTE(0x80)) |
		   word_has_zero(w ^ EACH_BYTE(0x7f)) | word_has_zero(w ^ EACH_BYTE('"')) |
		   word_has_zero(w ^ EACH_BYTE('\\'))) == 0;
}

static size_t
plain_run(const char *from, size_t len)
{
	size_t n = 0;

	while (len - n >= sizeof(uint64_t) && word_is_plain(from + n))
		n += sizeof(uint64_t);
	while (n < len && character_is_plain(from[n]))
		n++;
	return n;
}

/* At most `max` bytes, and what shows that it was cut. */
static void
line_put_value(struct line *l, const char *from, size_t max, enum log_shape shape)
{
	size_t room = l->size - l->len, used = 0, more, len, left;
	char *to = l->text + l->len, out[12];

	if (room < CUT_LEN)
		return;
	room = room - CUT_LEN < max ? room - CUT_LEN : max;
	left = strlen(from);
	while (left > 0) {
		len = plain_run(from, left < room - used ? left : room - used);
		memcpy(to + used, from, len);
		used += len;
		from += len;
		left -= len;
		if (left == 0)
			break;
		len = character_write(from, shape, out, &more);
		if (used + more > room) {
			memcpy(to + used, CUT, CUT_LEN);
			used += CUT_LEN;
			break;
		}
		memcpy(to + used, out, more);
		used += more;
		from += len;
		left -= len;
	}
	l->len += used;
}

static const char *
about_text(const struct log_about *about, const struct log_row *row)
{
	const char *text;

	memcpy(&text, (const char *)about + row->offset, sizeof(text));
	return text;
}

static int64_t
about_number(const struct log_about *about, const struct log_row *row)
{
	int64_t n;

	memcpy(&n, (const char *)about + row->offset, sizeof(n));
	return n;
}

/* name=value, "name":value, NAME=value: up to the value. */
static void
line_put_name(struct line *l, const struct log_row *row, enum log_shape shape)
{
	if (shape == LOG_SHAPE_JSON) {
		line_put(l, ",\"", 2);
		line_put_text(l, row->name);
		line_put(l, "\":", 2);
	} else if (shape == LOG_SHAPE_JOURNAL) {
		line_put(l, "\n", 1);
		line_put_text(l, row->journal);
		line_put(l, "=", 1);
	} else {
		line_put(l, " ", 1);
		line_put_text(l, row->name);
		line_put(l, "=", 1);
	}
}

static void
line_put_field(
    struct line *l, const struct log_row *row, const struct log_about *about, enum log_shape shape)
{
	bool quoted = shape != LOG_SHAPE_JOURNAL && row->kind == LOG_TEXT;

	line_put_name(l, row, shape);
	if (row->kind == LOG_MICROS) {
		line_put_micros(l, about_number(about, row));
	} else if (row->kind == LOG_NUMBER) {
		line_put_number(l, about_number(about, row));
	} else {
		const char *text = about_text(about, row);

		/* For people only what would be read as more than one word. */
		if (shape == LOG_SHAPE_TEXT || shape == LOG_SHAPE_COLOUR)
			quoted = *text == '\0' || strpbrk(text, " \"=\\") != NULL;
		if (quoted)
			line_put(l, "\"", 1);
		line_put_value(l, text, row->max, quoted ? LOG_SHAPE_JSON : shape);
		if (quoted)
			line_put(l, "\"", 1);
	}
}

/* In the access log numbers are always there, also 0. */
static void
line_put_about(struct line *l, const struct log_event *e, enum log_shape shape)
{
	const struct log_row *row;
	size_t i;
	bool has;

	if (e->about == NULL)
		return;
	for (i = 0; i < ROWS; i++) {
		row = &rows[i];
		if (row->where == LOG_EVERY || (row->where == LOG_ACCESS && !e->is_access))
			continue;
		if (row->kind == LOG_TEXT)
			has = about_text(e->about, row) != NULL;
		else
			has = row->where == LOG_ACCESS || about_number(e->about, row) != 0;
		if (has)
			line_put_field(l, row, e->about, shape);
	}
}

/* RFC 3339; made once a millisecond. */
static const char *
time_text(int64_t at_ns)
{
	static char text[CLOCK_TEXT];
	static int64_t made_ms = -1;

	if (at_ns / CLOCK_MS != made_ms) {
		made_ms = at_ns / CLOCK_MS;
		clock_format_ms(at_ns, text);
	}
	return text;
}

static void
line_head_json(struct line *l, const struct log_event *e)
{
	line_put_text(l, "{\"time\":\"");
	line_put_text(l, time_text(e->at_ns));
	line_put_text(l, "\",\"level\":\"");
	line_put_text(l, log_level_names[e->level]);
	line_put_text(l, "\",\"slot\":\"");
	line_put_value(l, e->slot, rows[ROW_slot].max, LOG_SHAPE_JSON);
	line_put_text(l, "\",\"pid\":");
	line_put_number(l, e->pid);
	line_put_text(l, ",\"message\":\"");
}

/* The journal puts its own time before it. */
static void
line_head_text(struct line *l, const struct log_event *e, bool colour)
{
	static const char blanks[] = "     ";
	size_t n = strlen(log_level_names[e->level]);

	if (colour)
		line_put_text(l, colours[e->level]);
	if (!e->prefixed) {
		line_put_text(l, time_text(e->at_ns));
		line_put(l, " ", 1);
	}
	line_put(l, log_level_names[e->level], n);
	line_put(l, blanks, 6 - n > 5 ? 0 : 6 - n);
	line_put_value(l, e->slot, rows[ROW_slot].max, LOG_SHAPE_TEXT);
	line_put(l, ": ", 2);
}

static void
line_head_journal(struct line *l, const struct log_event *e)
{
	line_put_text(l, "SYSLOG_IDENTIFIER=opitios-alpaca\nPRIORITY=");
	line_put(l, &priorities[e->level], 1);
	line_put_text(l, "\nOPITIOS_SLOT=");
	line_put_value(l, e->slot, rows[ROW_slot].max, LOG_SHAPE_JOURNAL);
	line_put_text(l, "\nSYSLOG_PID=");
	line_put_number(l, e->pid);
	if (e->site != NULL) {
		line_put_text(l, "\nCODE_FILE=");
		line_put_value(l, e->site->file, 128, LOG_SHAPE_JOURNAL);
		line_put_text(l, "\nCODE_LINE=");
		line_put_number(l, e->site->line);
	}
	line_put_text(l, "\nMESSAGE=");
}

static void
line_head(struct line *l, const struct log_event *e, enum log_shape shape)
{
	const char prefix[] = { '<', priorities[e->level], '>' };

	if (e->prefixed)
		line_put(l, prefix, sizeof(prefix));
	if (shape == LOG_SHAPE_JSON)
		line_head_json(l, e);
	else if (shape == LOG_SHAPE_JOURNAL)
		line_head_journal(l, e);
	else
		line_head_text(l, e, shape == LOG_SHAPE_COLOUR);
}

size_t
log_compose(enum log_shape shape, const struct log_event *e, char out[LOG_LINE])
{
	static const char *const ends[] = { "}\n", "\n", "\033[0m\n", "\n" };
	const char *end = ends[shape];
	char fields[LOG_LINE - MESSAGE_LEAST];
	struct line tail = { fields, 0, sizeof(fields) };
	struct line l = { out, 0, LOG_LINE };

	if (shape == LOG_SHAPE_COLOUR && colours[e->level][0] == '\0')
		end = "\n";
	line_put_about(&tail, e, shape);
	line_head(&l, e, shape);
	l.size = LOG_LINE - tail.len - strlen(end) - 1;
	line_put_value(&l, e->message, LOG_LINE, shape);
	l.size = LOG_LINE;
	if (shape == LOG_SHAPE_JSON)
		line_put(&l, "\"", 1);
	line_put(&l, tail.text, tail.len);
	line_put_text(&l, end);
	return l.len;
}

void
log_compose_short(const struct log_event *e, char *out, size_t size)
{
	struct line l = { out, 0, size - 1 };

	line_put_value(&l, e->message, size, LOG_SHAPE_TEXT);
	line_put_about(&l, e, LOG_SHAPE_TEXT);
	out[l.len] = '\0';
}
