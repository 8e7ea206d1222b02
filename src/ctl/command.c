/* command.c - commands.def as opitios-ctl sees it: what there is, how it is called, what was meant. */
#include <string.h>

#include "ctl_room.h"

#define COMMAND_NEAR	     2	/* letters that may be wrong */
#define COMMAND_WIDTH	     76 /* of help */
#define DISTANCE_MAX	     31

#define SHOW_QUERY(handler)  show_##handler
#define SHOW_ACTION(handler) show_done
#define SHOW_CLIENT(handler) NULL
#define SHOW_LOCAL(handler)  NULL
#define RUN_QUERY(handler)   NULL
#define RUN_ACTION(handler)  NULL
#define RUN_CLIENT(handler)  run_##handler
#define RUN_LOCAL(handler)   run_##handler

static const struct command commands[] = {
#define COMMAND(handler, name, KIND, arguments, help)                                              \
	{ (name), COMMAND_##KIND, (arguments), (help), SHOW_##KIND(handler), RUN_##KIND(handler) },
#include "tables/commands.def"
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

const struct command *
command_find(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static const struct option_of {
	const char *commands, *name, *value;
} options_of[] = {
#define OPTION_OF(commands, name, value, help) { (commands), (name), (value) },
#include "tables/commands.def"
};

#define OPTIONS_OF (sizeof(options_of) / sizeof(options_of[0]))

int
option_of_take(const char *word, const char **name)
{
	size_t len = strcspn(word, "=");

	for (size_t i = 0; i < OPTIONS_OF; i++) {
		const struct option_of *o = &options_of[i];

		if (strlen(o->name) != len || strncmp(o->name, word, len) != 0 ||
		    (word[len] == '=' && o->value[0] == '\0'))
			continue;
		*name = o->name;
		return o->value[0] != '\0';
	}
	return E_ABSENT;
}

bool
command_takes_option(const struct command *c, const char *name)
{
	size_t len = strlen(c->name);

	for (size_t i = 0; i < OPTIONS_OF; i++) {
		const char *at = options_of[i].commands;

		if (strcmp(options_of[i].name, name) != 0)
			continue;
		for (; *at != '\0'; at += strcspn(at, " "), at += *at == ' ')
			if (strncmp(at, c->name, len) == 0 && (at[len] == ' ' || at[len] == '\0'))
				return true;
	}
	return false;
}

const char *
option_text(const struct ctl_options *o, const char *name)
{
	for (size_t i = o->given_count; i > 0; i--)
		if (strcmp(o->given[i - 1].name, name) == 0)
			return o->given[i - 1].value;
	return NULL;
}

static unsigned
least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Row by row of the table of all beginnings of both; longer words than a command's are far from all of them. */
unsigned
text_distance(const char *a, const char *b)
{
	unsigned rows[3][DISTANCE_MAX + 1], *before, *above = rows[0], *row = rows[1], *spare;
	size_t la = strlen(a), lb = strlen(b), i, j;

	if (la > DISTANCE_MAX || lb > DISTANCE_MAX)
		return DISTANCE_MAX;
	before = rows[2];
	for (j = 0; j <= lb; j++)
		above[j] = before[j] = (unsigned)j;
	for (i = 1; i <= la; i++) {
		row[0] = (unsigned)i;
		for (j = 1; j <= lb; j++) {
			row[j] = least(
			    least(above[j], row[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], before[j - 2] + 1);
		}
		spare = before, before = above, above = row, row = spare;
	}
	return above[lb];
}

/* Its beginning, or few letters away. */
const char *
command_nearest(const char *name)
{
	unsigned best = COMMAND_NEAR + 1, d;
	const char *found = NULL;

	for (size_t i = 0; i < COMMANDS; i++) {
		d = text_distance(name, commands[i].name);
		if (strlen(name) > 1 && strncmp(commands[i].name, name, strlen(name)) == 0)
			d = 0;
		if (d < best && d < strlen(commands[i].name)) {
			best = d;
			found = commands[i].name;
		}
	}
	return found;
}

bool
command_takes(const struct command *c, size_t words)
{
	size_t lowest = 0, most = 0;

	for (const char *p = c->arguments; *p != '\0'; p++) {
		if (p != c->arguments && p[-1] != ' ')
			continue;
		most++;
		lowest += *p != '[';
	}
	return words >= lowest && words <= most;
}

/* A text in lines that are indented; the first begins where the cursor is. */
static void
help_wrap(FILE *out, const char *text, int indent)
{
	int at = indent;

	while (*text != '\0') {
		int len = (int)strcspn(text, " ");

		if (at > indent && at + 1 + len > COMMAND_WIDTH) {
			(void)fprintf(out, "\n%*s", indent, "");
			at = indent;
		} else if (at > indent) {
			(void)fputc(' ', out);
			at++;
		}
		(void)fprintf(out, "%.*s", len, text);
		at += len;
		text += len;
		text += *text == ' ';
	}
	(void)fputc('\n', out);
}

static void
help_row(FILE *out, const char *name, const char *value, const char *help)
{
	char call[64];

	(void)snprintf(call, sizeof(call), "%s %s", name, value);
	(void)fprintf(out, "  %-19s ", call);
	if (strlen(call) > 19)
		(void)fprintf(out, "\n%22s", "");
	help_wrap(out, help, 22);
}

void
command_help(FILE *out)
{
#define OPTION(name, value, help) help_row(out, name, value, help);
#include "tables/commands.def"
	(void)fputs("\ncommands:\n", out);
	for (size_t i = 0; i < COMMANDS; i++)
		help_row(out, commands[i].name, commands[i].arguments, commands[i].help);
	(void)fputs("\noptions of one command:\n", out);
#define OPTION_OF(commands, name, value, help) help_row(out, name, value, help);
#include "tables/commands.def"
}
