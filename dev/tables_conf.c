/* tables_conf.c - what follows from config.def: reference, example and manual. */
#include <stdbool.h>
#include <string.h>

#include "conf.h"
#include "tables.h"

static const char *
type_name(const struct conf_row *row)
{
	static const char *const names[] = { [CONF_STR] = "text",
		[CONF_URL] = "URL",
		[CONF_ADDR] = "host:port",
		[CONF_SECRET] = "secret",
		[CONF_CHOICE] = "word",
		[CONF_BOOL] = "true or false",
		[CONF_COUNT] = "number",
		[CONF_BYTES] = "bytes",
		[CONF_MSEC] = "time" };

	return names[row->type];
}

static bool
row_is_number(const struct conf_row *row)
{
	return row->type == CONF_COUNT || row->type == CONF_BYTES || row->type == CONF_MSEC;
}

/* What may be written: "1 to 256", "debug, info, warn, error", "". */
static void
put_range(FILE *out, const struct conf_row *row)
{
	char low[32], high[32];

	if (row_is_number(row)) {
		conf_number_text(row->type, row->min, low, sizeof(low));
		conf_number_text(row->type, row->max, high, sizeof(high));
		(void)fprintf(out, "%s to %s", low, high);
	}
	if (row->type == CONF_ADDR && row->min > 0)
		(void)fputs("or off", out);
	for (const char *p = row->choices; p != NULL && *p != '\0'; p++) {
		if (*p == '|')
			(void)fputs(", ", out);
		else
			(void)fputc(*p, out);
	}
}

/* "A|B" with something else between the names. */
static void
put_names(FILE *out, const char *names, const char *between)
{
	for (; *names != '\0'; names++) {
		if (*names == '|')
			(void)fputs(between, out);
		else
			(void)fputc(*names, out);
	}
}

static void
put_environment(FILE *out, const struct conf_row *row)
{
	char name[128];

	(void)snprintf(name, sizeof(name), "OPITIOS_%s_%s", row->section, row->key);
	for (char *p = name; *p != '\0'; p++)
		if (*p >= 'a' && *p <= 'z')
			*p = (char)(*p - 'a' + 'A');
	(void)fputs(name, out);
}

void
tables_configuration(FILE *out)
{
	size_t count;
	const struct conf_row *rows = conf_rows(&count);

	tables_title(out, "Configuration",
	    "Defaults, then the file (`--config`), then the environment, then the command line: "
	    "the "
	    "later counts.\nA key `a.b` stands as `b` under `[a]`, is `OPITIOS_A_B` in the "
	    "environment and `--a.b=` on the command line.\nAny environment name with `_FILE` "
	    "behind "
	    "it names a file that holds the value; an empty variable counts as not set.\n"
	    "A secret may be a credential of systemd, named as its second name in the "
	    "environment.\nTimes take `ms`, `s`, `m`, `h` (a bare number is seconds), sizes `k`, "
	    "`M`, `G`, `T` (of 1024).\n"
	    "A change counts from the next start: there is no reload yet.\n");
	for (const struct conf_row *row = rows; row < rows + count; row++) {
		if (row == rows || strcmp(row->section, row[-1].section) != 0)
			(void)fprintf(out,
			    "\n## %s\n\n| key | type | default | range | "
			    "seen by | meaning |\n| --- | --- | --- | --- | --- "
			    "| --- |\n",
			    row->section);
		(void)fprintf(out, "| `%s` | %s | %s%s%s | ", row->key, type_name(row),
		    row->def[0] != '\0' ? "`" : "", row->def, row->def[0] != '\0' ? "`" : "");
		put_range(out, row);
		(void)fprintf(out, " | %s | %s", tables_role_names(row->roles), row->help);
		if (row->env[0] != '\0') {
			(void)fputs(" Also `", out);
			put_names(out, row->env, "`, `");
			(void)fputs("`.", out);
		}
		(void)fputs(" |\n", out);
	}
}

void
tables_example(FILE *out)
{
	size_t count;
	const struct conf_row *rows = conf_rows(&count);

	(void)fputs("# opitios-alpaca.conf - every setting with its default.\n"
		    "# Written by `make docs` from include/tables/config.def.\n"
		    "# A line that begins with # or ; is a comment; so is what follows ` ;`.\n",
	    out);
	for (const struct conf_row *row = rows; row < rows + count; row++) {
		if (row == rows || strcmp(row->section, row[-1].section) != 0)
			(void)fprintf(out, "\n[%s]\n", row->section);
		(void)fprintf(out, "# %s\n", row->help);
		if (row_is_number(row) || row->choices != NULL) {
			(void)fputs("#   ", out);
			put_range(out, row);
			(void)fputs("\n", out);
		}
		(void)fprintf(
		    out, "#%s =%s%s\n", row->key, row->def[0] != '\0' ? " " : "", row->def);
	}
}

/* Text of a manual: a backslash, a hyphen and a leading point or apostrophe mean something to roff. */
void
tables_put_roff(FILE *out, const char *text)
{
	if (*text == '.' || *text == '\'')
		(void)fputs("\\&", out);
	for (; *text != '\0'; text++) {
		if (*text == '\\')
			(void)fputs("\\e", out);
		else if (*text == '-')
			(void)fputs("\\-", out);
		else
			(void)fputc(*text, out);
	}
}

static void
put_roff_setting(FILE *out, const struct conf_row *row)
{
	(void)fputs(".TP\n.B ", out);
	tables_put_roff(out, row->key);
	(void)fprintf(out, " \\fR(%s", type_name(row));
	if (row->def[0] != '\0') {
		(void)fputs(", default ", out);
		tables_put_roff(out, row->def);
	}
	(void)fputs(")\n", out);
	tables_put_roff(out, row->help);
	if (row_is_number(row) || row->choices != NULL) {
		(void)fputs("\n.br\n", out);
		put_range(out, row);
		(void)fputs(".", out);
	}
	(void)fputs("\n.br\nEnvironment: ", out);
	put_environment(out, row);
	if (row->env[0] != '\0') {
		(void)fputs(", ", out);
		put_names(out, row->env, ", ");
	}
	(void)fputs(".\n", out);
}

void
tables_manual(FILE *out)
{
	size_t count;
	const struct conf_row *rows = conf_rows(&count);

	(void)fputs(
	    ".\\\" Written by make docs from include/tables/config.def.\n"
	    ".TH OPITIOS\\-ALPACA.CONF 5 \"\" \"opitios\\-alpaca\" \"File formats\"\n"
	    ".SH NAME\nopitios\\-alpaca.conf \\- configuration of the market\\-data gateway\n"
	    ".SH DESCRIPTION\nThe file has sections in brackets and lines of key = value.\n"
	    "A line that begins with # or ; is a comment, and so is what follows a ; behind a "
	    "blank.\nA section or key that does not exist is an error.\n.PP\n"
	    "Defaults give way to the file, the file to the environment, the environment to "
	    "the command line.\nA key b of section a is OPITIOS_A_B in the environment and "
	    "\\-\\-a.b=VALUE on the command line.\nAny environment name with _FILE behind it "
	    "names a file that holds the value, as mounted secrets do;\nan empty variable counts "
	    "as not set, and where two names exist the one with OPITIOS_ counts.\n"
	    "A secret may also be a credential that systemd hands over, named as its second "
	    "name in the environment.\n.PP\n"
	    "Times take ms, s, m or h, a bare number is seconds.\n"
	    "Sizes take k, M, G or T, of 1024.\n",
	    out);
	for (const struct conf_row *row = rows; row < rows + count; row++) {
		if (row == rows || strcmp(row->section, row[-1].section) != 0)
			(void)fprintf(out, ".SH [%s]\n", row->section);
		put_roff_setting(out, row);
	}
	(void)fputs(".SH SEE ALSO\n.BR opitios\\-alpaca (8)\n", out);
}
