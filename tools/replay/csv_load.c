/* csv_load.c - recordings in the project's own format.
 *
 * A folder with recording.ini and CSV files named bars-1Day-GOOG.csv, quotes-GOOG.csv, 
 * trades-GOOG.csv, greeks-CONTRACT.csv; without a symbol in the name there is a column `symbol`.
 * Files belong to the market that recording.ini names as `kind`, those in stocks/, options/ or
 * crypto/ to that one. A column that is missing, or a cell that is empty, leaves its field out of
 * the answer: nothing is filled in. README.md beside this file has the columns.
 */
#include <dirent.h>
#include <ini.h>
#include <string.h>
#include <sys/stat.h>

#include "clock.h"
#include "csv_row.h"
#include "log.h"
#include "text.h"

#define PATH_BYTES 1024
#define FILES_MAX  10000

struct csv_ini {
	struct recording *into;
	char name[64], origin[256], licence[256], feed[16], adjustment[32];
	enum market kind;
	char *why;
};

static int
ini_kind(const char *text, enum market *out)
{
	static const char *const names[] = {
		[MARKET_STOCK] = "stocks", [MARKET_OPTION] = "options", [MARKET_CRYPTO] = "crypto"
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(text, names[i]) == 0) {
			*out = (enum market)i;
			return E_OK;
		}
	return E_INVALID_PARAMETER;
}

static int
ini_clock_moves(const char *text, bool *stands)
{
	int moves;

	if (text_to_bool(text, &moves) != E_OK)
		return E_INVALID_PARAMETER;
	*stands = !moves;
	return E_OK;
}

static int
ini_value(struct csv_ini *c, const char *key, const char *value)
{
	if (strcmp(key, "name") == 0)
		return text_copy(c->name, sizeof(c->name), value);
	if (strcmp(key, "origin") == 0)
		return text_copy(c->origin, sizeof(c->origin), value);
	if (strcmp(key, "licence") == 0)
		return text_copy(c->licence, sizeof(c->licence), value);
	if (strcmp(key, "feed") == 0)
		return text_copy(c->feed, sizeof(c->feed), value);
	if (strcmp(key, "adjustment") == 0)
		return text_copy(c->adjustment, sizeof(c->adjustment), value);
	if (strcmp(key, "kind") == 0)
		return ini_kind(value, &c->kind);
	if (strcmp(key, "clock_start") == 0)
		return clock_parse(value, &c->into->clock_start);
	if (strcmp(key, "clock_moves") == 0)
		return ini_clock_moves(value, &c->into->clock_stands);
	return E_ABSENT;
}

/* inih's convention: 0 refuses the line. */
static int
ini_line(void *owner, const char *section, const char *key, const char *value)
{
	struct csv_ini *c = owner;
	int e = strcmp(section, "recording") == 0 ? ini_value(c, key, value) : E_ABSENT;

	if (e != E_OK && c->why[0] == '\0')
		snprintf(c->why, LOAD_WHY, "[%s] %s = %s: %s", section, key, value,
		    e == E_ABSENT ? "there is no such key" : "not an acceptable value");
	return e == E_OK;
}

static int
ini_read(struct csv_ini *c, const char *path, char why[LOAD_WHY])
{
	char reason[LOAD_WHY] = "";
	int line;

	c->why = reason;
	line = ini_parse(path, ini_line, c);
	if (line != 0) {
		snprintf(why, LOAD_WHY, "%.400s: row %d: %.300s", path, line,
		    reason[0] != '\0' ? reason : "cannot be read as INI");
		return E_INVALID_PARAMETER;
	}
	if (c->name[0] == '\0' || c->origin[0] == '\0' || c->licence[0] == '\0') {
		snprintf(why, LOAD_WHY, "%.600s: name, origin and licence must be stated", path);
		return E_INVALID_PARAMETER;
	}
	return E_OK;
}

/* The parts of "bars-1Day-GOOG.csv". False: not the name of a recorded file. */
static bool
csv_name_read(const char *name, struct csv_file *f)
{
	char copy[128], *rest = copy, *part;
	size_t len = strlen(name);

	if (len < 5 || len >= sizeof(copy) || strcmp(name + len - 4, ".csv") != 0)
		return false;
	text_copy_n(copy, sizeof(copy), name, len - 4);
	part = text_split(&rest, '-');
	if ((f->kind = csv_kind(part)) == KIND_NONE)
		return false;
	f->timeframe[0] = f->symbol[0] = '\0';
	if (f->kind == KIND_BARS) {
		part = text_split(&rest, '-');
		if (part == NULL || !timeframe_read(part, f->timeframe))
			return false;
	}
	if (rest == NULL)
		return true;
	if (f->market == MARKET_CRYPTO && (part = strchr(rest, '-')) != NULL)
		*part = '/';
	return text_copy(f->symbol, sizeof(f->symbol), rest) == E_OK &&
	       symbol_is_well_formed(f->market, f->symbol);
}

static int
csv_read_lines(struct csv_file *f, FILE *in)
{
	char line[ROW_BYTES];
	size_t len;
	int e = E_OK;

	for (f->row = 1; e == E_OK && fgets(line, sizeof(line), in) != NULL; f->row++) {
		len = strlen(line);
		if (len + 1 == sizeof(line))
			return csv_refuse(f, "the line is too long");
		while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
			line[--len] = '\0';
		if (!text_is_printable(line, len))
			return csv_refuse(f, "holds characters that are not printable ASCII");
		e = f->row == 1 ? csv_row_head(f, line) : csv_row_add(f, line);
	}
	if (e == E_OK && ferror(in))
		return csv_refuse(f, "cannot be read");
	if (e == E_OK && f->row == 1)
		return csv_refuse(f, "is empty");
	return e;
}

static int
csv_read_file(struct csv_file *f)
{
	FILE *in = fopen(f->path, "re");
	int e;

	if (in == NULL)
		return csv_refuse(f, "cannot be opened");
	e = csv_read_lines(f, in);
	fclose(in);
	return e;
}

/* Every recorded file of one folder; other files (ORIGIN.md) are none of our business. */
static int
csv_read_folder(struct recording *r, const char *folder, enum market market, char *why)
{
	struct csv_file f = { .into = r, .market = market, .why = why };
	struct dirent **names;
	int count, i, e = E_OK;

	count = scandir(folder, &names, NULL, alphasort);
	if (count < 0)
		return E_OK; /* a recording need not have every market */
	for (i = 0; i < count; i++) {
		snprintf(f.path, sizeof(f.path), "%s/%s", folder, names[i]->d_name);
		if (e == E_OK && i < FILES_MAX && csv_name_read(names[i]->d_name, &f))
			e = csv_read_file(&f);
		else if (e == E_OK && strstr(names[i]->d_name, ".csv") != NULL)
			e = csv_refuse(
			    &f, "is not named like bars-1Day-GOOG.csv or quotes-GOOG.csv");
		free(names[i]);
	}
	free(names);
	return e;
}

bool
csv_is_recording(const char *folder)
{
	char path[PATH_BYTES];
	struct stat st;

	snprintf(path, sizeof(path), "%s/recording.ini", folder);
	return stat(path, &st) == 0;
}

static void
csv_adopt(struct recording *r, const struct csv_ini *c)
{
	size_t len = strlen(r->name);

	snprintf(r->name + len, sizeof(r->name) - len, "%s%.60s", len > 0 ? "+" : "", c->name);
	text_copy(r->feed, sizeof(r->feed), c->feed);
	if (c->adjustment[0] != '\0')
		text_copy(r->adjustment, sizeof(r->adjustment), c->adjustment);
	log_info("recording %s: %s; licence: %s", c->name, c->origin, c->licence);
}

int
csv_load(struct recording *r, const char *folder, char why[LOAD_WHY])
{
	static const char *const markets[] = {
		[MARKET_STOCK] = "stocks", [MARKET_OPTION] = "options", [MARKET_CRYPTO] = "crypto"
	};
	struct csv_ini c = { .into = r, .kind = MARKET_STOCK };
	char path[PATH_BYTES];
	enum market m;
	int e;

	snprintf(path, sizeof(path), "%s/recording.ini", folder);
	if ((e = ini_read(&c, path, why)) != E_OK)
		return e;
	csv_adopt(r, &c);
	e = csv_read_folder(r, folder, c.kind, why);
	for (m = MARKET_STOCK; e == E_OK && m <= MARKET_CRYPTO; m++) {
		snprintf(path, sizeof(path), "%s/%s", folder, markets[m]);
		e = csv_read_folder(r, path, m, why);
	}
	return e;
}
