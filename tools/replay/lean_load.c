/* lean_load.c - folders in the LEAN data format: zip files with one CSV a day.
 *
 * Quote ticks hold one side a row, the other zero: the last bid and the last ask known make the
 * quote, its time is the later row's. What the source does not have (conditions in Alpaca's
 * spelling, trade ids, tapes) is left out. Quote bars have no counterpart upstream and are passed
 * over. Rows the source marks as suspicious are counted and left out.
 */
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <zip.h>

#include "clock.h"
#include "log.h"
#include "market_day.h"
#include "row.h"
#include "text.h"

#define PATH_BYTES   1400
#define DEPTH_MAX    6
#define UNPACKED_MAX (1024ull * 1024 * 1024) /* of one file: what a hostile zip may unfold to */

struct lean_side {
	char price[NUMBER_TEXT], size[NUMBER_TEXT], exchange[8];
};

struct lean_file {
	struct recording *into;
	struct series *series;
	char path[PATH_BYTES];
	char *why;
	enum kind kind;
	int64_t day; /* in New York */
	unsigned long row;
	struct lean_side bid, ask;
};

static int
lean_refuse(struct lean_file *f, const char *reason)
{
	snprintf(f->why, LOAD_WHY, "%.500s: row %lu: %.200s", f->path, f->row, reason);
	return E_INVALID_PARAMETER;
}

static int
lean_time(struct lean_file *f, const char *text, int64_t *time)
{
	uint64_t ms;

	if (text_to_u64(text, &ms) != E_OK || ms >= 86400000)
		return lean_refuse(f, "does not start with a millisecond of the day");
	*time = session_instant(f->day, (int64_t)ms * CLOCK_MS);
	return E_OK;
}

/* A price in ten-thousandths; "0" is none and gives "". */
static int
lean_price(struct lean_file *f, const char *text, char out[NUMBER_TEXT])
{
	uint64_t v;

	if (text_to_u64(text, &v) != E_OK)
		return lean_refuse(
		    f, "holds a price that is not a whole number of ten-thousandths");
	out[0] = '\0';
	if (v != 0)
		number_of_ten_thousandths(v, out);
	return E_OK;
}

static int
lean_put(struct lean_file *f, int64_t time, struct piece *p)
{
	if (piece_close(p) != E_OK || series_add(f->series, time, p->text, p->len) != E_OK)
		return lean_refuse(f, "is more than a recording may hold");
	return E_OK;
}

static void
lean_put_side(struct piece *p, const struct lean_side *s, const char *price, const char *size,
    const char *exchange)
{
	bool there = s->price[0] != '\0';

	piece_raw(p, price, there ? s->price : "0");
	piece_raw(p, size, there ? s->size : "0");
	piece_text(p, exchange, there ? s->exchange : " ");
}

static int
lean_update_side(struct lean_file *f, struct lean_side *side, const char *price, const char *size,
    const char *exchange)
{
	struct lean_side s;
	int e;

	if ((e = lean_price(f, price, s.price)) != E_OK)
		return e;
	if (s.price[0] == '\0')
		return E_OK; /* this row tells of the other side */
	if (!number_read(size, NUMBER_WHOLE, s.size))
		return lean_refuse(f, "holds a size that is not a whole number");
	if (text_copy(s.exchange, sizeof(s.exchange), exchange) != E_OK)
		return lean_refuse(f, "holds an exchange that is not a short code");
	*side = s;
	return E_OK;
}

/* ms, bid, bid size, ask, ask size, exchange, condition, suspicious */
static int
lean_quote(struct lean_file *f, char *cells[ROW_CELLS], size_t count)
{
	struct piece p;
	int64_t time;
	int e;

	if (count != 8)
		return lean_refuse(f, "is not a quote tick: eight cells are wanted");
	if ((e = lean_time(f, cells[0], &time)) != E_OK)
		return e;
	if (strcmp(cells[7], "0") != 0) {
		f->into->skipped++;
		return E_OK;
	}
	if ((e = lean_update_side(f, &f->bid, cells[1], cells[2], cells[5])) != E_OK ||
	    (e = lean_update_side(f, &f->ask, cells[3], cells[4], cells[5])) != E_OK)
		return e;
	if (f->bid.price[0] == '\0' && f->ask.price[0] == '\0')
		return E_OK;
	piece_open(&p);
	lean_put_side(&p, &f->ask, "ap", "as", "ax");
	lean_put_side(&p, &f->bid, "bp", "bs", "bx");
	piece_time(&p, time);
	return lean_put(f, time, &p);
}

/* ms, price, size, exchange, conditions, suspicious */
static int
lean_trade(struct lean_file *f, char *cells[ROW_CELLS], size_t count)
{
	char price[NUMBER_TEXT], size[NUMBER_TEXT];
	struct piece p;
	int64_t time;
	int e;

	if (count != 6)
		return lean_refuse(f, "is not a trade tick: six cells are wanted");
	if ((e = lean_time(f, cells[0], &time)) != E_OK)
		return e;
	if (strcmp(cells[5], "0") != 0) {
		f->into->skipped++;
		return E_OK;
	}
	if ((e = lean_price(f, cells[1], price)) != E_OK)
		return e;
	if (price[0] == '\0' || !number_read(cells[2], NUMBER_WHOLE, size))
		return lean_refuse(f, "is a trade without a price or a whole size");
	piece_open(&p);
	piece_raw(&p, "p", price);
	piece_raw(&p, "s", size);
	piece_time(&p, time);
	piece_text(&p, "x", cells[3]);
	return lean_put(f, time, &p);
}

/* ms, open, high, low, close, volume */
static int
lean_bar(struct lean_file *f, char *cells[ROW_CELLS], size_t count)
{
	static const struct {
		const char *json;
		int cell;
	} prices[] = { { "c", 4 }, { "h", 2 }, { "l", 3 }, { "o", 1 } };
	char number[NUMBER_TEXT];
	struct piece p;
	int64_t time;
	size_t i;
	int e;

	if (count != 6)
		return lean_refuse(f, "is not a minute of trades: six cells are wanted");
	if ((e = lean_time(f, cells[0], &time)) != E_OK)
		return e;
	piece_open(&p);
	for (i = 0; i < 4; i++) {
		if ((e = lean_price(f, cells[prices[i].cell], number)) != E_OK)
			return e;
		if (number[0] == '\0')
			return lean_refuse(f, "is a bar with a price of zero");
		piece_raw(&p, prices[i].json, number);
	}
	piece_time(&p, time);
	if (!number_read(cells[5], NUMBER_WHOLE, number))
		return lean_refuse(f, "holds a volume that is not a whole number");
	piece_raw(&p, "v", number);
	return lean_put(f, time, &p);
}

static int
lean_line(struct lean_file *f, char *line, size_t len)
{
	char *cells[ROW_CELLS];
	size_t count;

	f->row++;
	if (len > 0 && line[len - 1] == '\r')
		line[--len] = '\0';
	if (len == 0)
		return E_OK;
	if (!text_is_printable(line, len))
		return lean_refuse(f, "holds characters that are not printable ASCII");
	count = row_split(line, cells);
	switch (f->kind) {
	case KIND_QUOTES:
		return lean_quote(f, cells, count);
	case KIND_TRADES:
		return lean_trade(f, cells, count);
	default:
		return lean_bar(f, cells, count);
	}
}

/* Lines out of pieces of whatever size the unpacker gives; `used` bytes of `text` wait for their
 * end. */
static int
lean_lines(struct lean_file *f, char *text, size_t *used, bool at_end)
{
	char *line = text, *end;
	int e = E_OK;

	text[*used] = '\0';
	while (e == E_OK && (end = memchr(line, '\n', *used - (size_t)(line - text))) != NULL) {
		*end = '\0';
		e = lean_line(f, line, (size_t)(end - line));
		line = end + 1;
	}
	*used -= (size_t)(line - text);
	memmove(text, line, *used + 1);
	if (e == E_OK && at_end && *used > 0)
		e = lean_line(f, text, *used);
	return e;
}

static int
lean_unpack(struct lean_file *f, zip_file_t *entry)
{
	char text[64 * 1024 + ROW_BYTES + 1];
	size_t used = 0;
	uint64_t total = 0;
	zip_int64_t got = 1;
	int e = E_OK;

	while (e == E_OK && got > 0) {
		if ((got = zip_fread(entry, text + used, 64 * 1024)) < 0)
			return lean_refuse(f, "the zip is damaged behind this row");
		used += (size_t)got;
		total += (uint64_t)got;
		if (total > UNPACKED_MAX)
			return lean_refuse(f, "unfolds to more than a gigabyte");
		e = lean_lines(f, text, &used, got == 0);
		if (e == E_OK && used >= ROW_BYTES)
			return lean_refuse(f, "the line is too long");
	}
	return e;
}

static int
lean_read_zip(struct lean_file *f)
{
	zip_t *zip = zip_open(f->path, ZIP_RDONLY, NULL);
	zip_file_t *entry;
	int e;

	f->row = 0;
	if (zip == NULL)
		return lean_refuse(f, "cannot be opened as a zip file");
	entry = zip_fopen_index(zip, 0, 0);
	e = entry != NULL ? lean_unpack(f, entry)
			  : lean_refuse(f, "holds no file that can be read");
	if (entry != NULL)
		zip_fclose(entry);
	zip_discard(zip);
	return e;
}

/* 20131007_quote.zip in the folder tick or minute: what it holds. KIND_NONE: nothing we serve. */
static enum kind
lean_name(const char *name, bool ticks, int64_t *day)
{
	char date[16];
	int y, m, d;

	if (strlen(name) < 10)
		return KIND_NONE;
	snprintf(date, sizeof(date), "%.4s-%.2s-%.2s", name, name + 4, name + 6);
	if (clock_parse_date(date, &y, &m, &d) != E_OK || y < 1990 || y > 2200)
		return KIND_NONE;
	*day = clock_days(y, m, d);
	if (strcmp(name + 8, "_trade.zip") == 0)
		return ticks ? KIND_TRADES : KIND_BARS;
	return strcmp(name + 8, "_quote.zip") == 0 && ticks ? KIND_QUOTES : KIND_NONE;
}

/* The folder of one symbol: tick/ibm or minute/aapl. */
static int
lean_symbol_folder(
    struct recording *r, const char *folder, const char *symbol, bool ticks, char *why)
{
	struct lean_file f = { .into = r, .why = why };
	char upper[SYMBOL_TEXT];
	struct dirent **names;
	int count, i, e = E_OK;

	if (text_copy(upper, sizeof(upper), symbol) != E_OK)
		return E_OK;
	text_upper(upper);
	if (!symbol_is_well_formed(MARKET_STOCK, upper))
		return E_OK;
	if ((count = scandir(folder, &names, NULL, alphasort)) < 0) {
		snprintf(why, LOAD_WHY, "%.600s: cannot be read", folder);
		return E_ABSENT;
	}
	for (i = 0; i < count; i++) {
		f.kind = lean_name(names[i]->d_name, ticks, &f.day);
		if (e == E_OK && f.kind != KIND_NONE) {
			snprintf(f.path, sizeof(f.path), "%.1000s/%s", folder, names[i]->d_name);
			f.series = recording_series(
			    r, MARKET_STOCK, upper, f.kind, f.kind == KIND_BARS ? "1Min" : "");
			memset(&f.bid, 0, sizeof(f.bid)); /* yesterday's quotes are not today's */
			memset(&f.ask, 0, sizeof(f.ask));
			e = lean_read_zip(&f);
		}
		free(names[i]);
	}
	free(names);
	return e;
}

/* Below these stand the symbols. */
static bool
lean_is_bottom(const char *name)
{
	return strcmp(name, "tick") == 0 || strcmp(name, "minute") == 0;
}

/* Crypto, forex and futures of a LEAN tree are spelled like stocks but are none. */
static bool
lean_is_on_the_way(const char *name)
{
	return lean_is_bottom(name) || strcmp(name, "equity") == 0 || strcmp(name, "usa") == 0;
}

/* Any folder above those: the root, equity/usa, tick, minute. */
static int
lean_walk(struct recording *r, const char *folder, const char *above, int depth, char *why)
{
	const char *slash = strrchr(folder, '/');
	const char *own = slash != NULL ? slash + 1 : folder;
	char path[PATH_BYTES];
	struct dirent **names;
	struct stat st;
	int count, i, e = E_OK;

	if (lean_is_bottom(above))
		return lean_symbol_folder(r, folder, own, above[0] == 't', why);
	if (depth == 0 || (count = scandir(folder, &names, NULL, alphasort)) < 0)
		return E_OK;
	for (i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%.1000s/%s", folder, names[i]->d_name);
		if (e == E_OK && names[i]->d_name[0] != '.' && stat(path, &st) == 0 &&
		    S_ISDIR(st.st_mode) &&
		    (lean_is_bottom(own) || lean_is_on_the_way(names[i]->d_name)))
			e = lean_walk(r, path, own, depth - 1, why);
		free(names[i]);
	}
	free(names);
	return e;
}

static uint64_t
lean_count(const struct recording *r)
{
	const struct instrument *i;
	const struct series *s;
	uint64_t n = 0;

	for (i = r->instruments; i != NULL; i = i->hh.next)
		for (s = i->series; s != NULL; s = s->next)
			n += s->count;
	return n;
}

static void
lean_name_recording(struct recording *r)
{
	size_t len = strlen(r->name);

	if (strstr(r->name, "lean") == NULL)
		snprintf(r->name + len, sizeof(r->name) - len, "%slean", len > 0 ? "+" : "");
}

int
lean_load(struct recording *r, const char *folder, char why[LOAD_WHY])
{
	char *real = realpath(folder, NULL), above[256] = "", *slash;
	uint64_t before = lean_count(r);
	int e;

	if (real == NULL) {
		snprintf(why, LOAD_WHY, "%s: cannot be found", folder);
		return E_ABSENT;
	}
	/* The folder above says whether a symbol's own folder was given, and which kind. */
	if ((slash = strrchr(real, '/')) != NULL && slash > real) {
		*slash = '\0';
		text_copy(above, sizeof(above), strrchr(real, '/') + 1);
		*slash = '/';
	}
	e = lean_walk(r, real, above, DEPTH_MAX, why);
	free(real);
	if (e == E_OK && lean_count(r) == before) {
		snprintf(why, LOAD_WHY,
		    "%s: holds neither recording.ini nor LEAN files such as "
		    "tick/ibm/20131007_trade.zip",
		    folder);
		return E_INVALID_PARAMETER;
	}
	if (e == E_OK)
		lean_name_recording(r);
	return e;
}
