/* tables_ctl.c - what follows from commands.def and exits.def: reference, manual pages and completion. */
#include <stdbool.h>
#include <string.h>

#include "tables.h"

static const char *
kind_text(const char *kind)
{
	if (strcmp(kind, "QUERY") == 0)
		return "answered at once";
	if (strcmp(kind, "LOCAL") == 0)
		return "needs no master";
	return strcmp(kind, "ACTION") == 0 ? "answered when done" : "made of queries";
}

/* Within a row of a table. */
static void
put_cell(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '|')
			(void)fputc('\\', out);
		(void)fputc(*text, out);
	}
}

static void
put_option_of_row(
    FILE *out, const char *commands, const char *name, const char *value, const char *help)
{
	(void)fprintf(out, "| %s | `%s%s", commands, name, value[0] != '\0' ? " " : "");
	put_cell(out, value);
	(void)fprintf(out, "` | %s |\n", help);
}

static void
put_command_row(
    FILE *out, const char *name, const char *kind, const char *arguments, const char *help)
{
	(void)fprintf(out, "| `%s%s", name, arguments[0] != '\0' ? " " : "");
	put_cell(out, arguments);
	(void)fprintf(out, "` | %s | %s |\n", kind_text(kind), help);
}

void
tables_commands(FILE *out)
{
	tables_title(out, "Commands",
	    "What `opitios-ctl` can be told. Exit codes: 0 done, 1 the gateway refused or could "
	    "not, or there is nothing,\n"
	    "64 unknown command or option, 65 a journal is damaged, 66 a file or store cannot be "
	    "read, 69 no gateway answers,\n"
	    "74 output could not be written; the line on stderr says which and why.\n");
	(void)fputs("| command | | does |\n| --- | --- | --- |\n", out);
#define COMMAND(handler, name, KIND, arguments, help)                                              \
	put_command_row(out, name, #KIND, arguments, help);
#include "tables/commands.def"
	(void)fputs("\n| option | meaning |\n| --- | --- |\n", out);
#define OPTION(name, value, help)                                                                  \
	(void)fprintf(out, "| `%s%s%s` | %s |\n", name, (value)[0] != '\0' ? " " : "", value, help);
#include "tables/commands.def"
	(void)fputs("\n## Options of one command\n\n| command | option | meaning |\n| --- | --- | "
		    "--- |\n",
	    out);
#define OPTION_OF(commands, name, value, help) put_option_of_row(out, commands, name, value, help);
#include "tables/commands.def"
	(void)fputs("\n## The control socket\n\n"
		    "`control.sock` in the state directory is a Unix stream socket of mode 0600. "
		    "The kernel says who "
		    "connects: only root and\nthe user the gateway runs as are heard. A request is "
		    "one line of "
		    "JSON of at most 4096 bytes, an answer is one line:\n\n"
		    "    {\"command\":\"restart\",\"args\":[\"http-0\"]}\n"
		    "    {\"ok\":true,\"command\":\"restart\",\"text\":\"...\"}\n"
		    "    {\"ok\":false,\"command\":\"restart\",\"error\":\"there is no slot "
		    "...\",\"code\":49,"
		    "\"name\":\"ABSENT\"}\n\n"
		    "`code` and `name` are of [errors](errors.md). A connection may ask again and "
		    "again, one "
		    "request after the other; after\na minute of silence it is closed. At most 16 "
		    "are open. An "
		    "action is answered when it is done; it goes on when its\nclient leaves. "
		    "`crashes` takes "
		    "`\"limit\":N` as well.\n",
	    out);
}

static void
put_manual_entry(FILE *out, const char *name, const char *value, const char *help)
{
	(void)fputs(".TP\n.B ", out);
	tables_put_roff(out, name);
	if (value[0] != '\0') {
		(void)fputs(" \\fI", out);
		tables_put_roff(out, value);
		(void)fputs("\\fR", out);
	}
	(void)fputs("\n", out);
	tables_put_roff(out, help);
	(void)fputs("\n", out);
}

/* Of opitios-ctl, or of the gateway. */
static bool
exit_is_of(const char *name, bool ctl)
{
	static const char *const of_ctl[] = { "OK", "REFUSED", "USAGE", "DAMAGED", "INPUT",
		"UNAVAILABLE", "SYSTEM", "OUTPUT", "CONFIG" };

	if (!ctl)
		return strcmp(name, "REFUSED") != 0 && strcmp(name, "DAMAGED") != 0 &&
		       strcmp(name, "OUTPUT") != 0;
	for (size_t i = 0; i < sizeof(of_ctl) / sizeof(of_ctl[0]); i++)
		if (strcmp(of_ctl[i], name) == 0)
			return true;
	return false;
}

static void
put_exits(FILE *out, bool ctl)
{
#define EXIT(NAME, code, restart, help)                                                            \
	if (exit_is_of(#NAME, ctl))                                                                \
		put_manual_entry(out, #code, "", help);
#include "tables/exits.def"
}

void
tables_manual_ctl(FILE *out)
{
	(void)fputs(".\\\" Written by make docs from include/tables/commands.def.\n"
		    ".TH OPITIOS\\-CTL 8 \"\" \"opitios\\-alpaca\" \"System administration\"\n"
		    ".SH NAME\nopitios\\-ctl \\- ask a running market\\-data gateway, tell it "
		    "what to do, or look into what it keeps\n"
		    ".SH SYNOPSIS\n.B opitios\\-ctl\n[\\fIOPTION\\fR]... \\fICOMMAND\\fR "
		    "[\\fIARGUMENT\\fR]...\n"
		    ".SH DESCRIPTION\nSpeaks to the master of\n.BR opitios\\-alpaca (8)\n"
		    "over control.sock in its state directory, which answers also while workers "
		    "hang or die.\n"
		    "Only root and the user the gateway runs as are heard.\n"
		    "Queries are answered at once; actions when they are done, so that a script "
		    "can go by the exit\n"
		    "code. An action goes on when opitios\\-ctl is interrupted.\n"
		    "What reads journals or the store needs no running gateway.\n"
		    ".SH COMMANDS\n",
	    out);
#define COMMAND(handler, name, KIND, arguments, help) put_manual_entry(out, name, arguments, help);
#include "tables/commands.def"
	(void)fputs(".SH OPTIONS\n", out);
#define OPTION(name, value, help) put_manual_entry(out, name, value, help);
#include "tables/commands.def"
	(void)fputs(".SS Of one command\n", out);
#define OPTION_OF(commands, name, value, help) put_manual_entry(out, name, value, help);
#include "tables/commands.def"
	(void)fputs(
	    ".SH ENVIRONMENT\n.TP\n.B OPITIOS_STATE_DIR\nWhere the gateway keeps its state.\n"
	    ".TP\n.B NO_COLOR\nNo colours, also on a terminal.\n"
	    ".SH EXIT STATUS\n",
	    out);
	put_exits(out, true);
	(void)fputs(".SH EXAMPLES\n.nf\nopitios\\-ctl top\n"
		    "opitios\\-ctl reload && echo every worker serves with the new configuration\n"
		    "opitios\\-ctl \\-\\-json workers | jq \\(aq.workers[] | select(.failed)\\(aq\n"
		    "opitios\\-ctl crashes 12\n.fi\n"
		    ".SH SEE ALSO\n.BR opitios\\-alpaca (8),\n.BR opitios\\-alpaca.conf (5)\n",
	    out);
}

static void
put_master_options(FILE *out)
{
	put_manual_entry(out, "--config", "FILE",
	    "Reads this file; the environment and the command line win over it.");
	put_manual_entry(out, "--state-dir", "DIR", "The same as --state.dir=DIR.");
	put_manual_entry(out, "--section.key=VALUE", "", "Any setting of opitios-alpaca.conf(5).");
	put_manual_entry(
	    out, "--check-config", "", "Says whether the configuration is acceptable, and ends.");
	put_manual_entry(
	    out, "--print-config", "", "Prints the whole of it, secrets hidden, and ends.");
	put_manual_entry(out, "--version", "", "Version, revision, features and libraries.");
	put_manual_entry(out, "--help", "", "Options and every setting.");
}

static void
put_master_signals(FILE *out)
{
	put_manual_entry(out, "TERM", "",
	    "Drains and ends: not ready at once, accepts for supervisor.drain_delay, finishes "
	    "requests in hand "
	    "for at most supervisor.drain_timeout. A second TERM ends at once.");
	put_manual_entry(out, "INT", "", "The same without supervisor.drain_delay.");
	put_manual_entry(out, "HUP", "",
	    "Reads the configuration anew, as opitios-ctl reload does; what comes of it is in the "
	    "log.");
	put_manual_entry(out, "USR2", "",
	    "Goes on as the executable that is installed now, as opitios-ctl upgrade does.");
	put_manual_entry(out, "CHLD", "", "A worker ended: it is replaced.");
}

static void
put_master_files(FILE *out)
{
	put_manual_entry(out, "<state.dir>/master.lock", "",
	    "Held while a master runs: a second one on the same state ends with 73.");
	put_manual_entry(out, "<state.dir>/control.sock", "", "Where opitios-ctl asks; mode 0600.");
	put_manual_entry(out, "<state.dir>/http.address", "", "Where clients connect, as bound.");
	put_manual_entry(out, "<state.dir>/journal/", "",
	    "What the upstream said and the store has not kept yet.");
	put_manual_entry(out, "<state.dir>/history.sqlite", "",
	    "The history store, unless postgres.url is set.");
	put_manual_entry(out, "<state.dir>/node", "",
	    "What tells this node's records from those of others in a PostgreSQL they share.");
	put_manual_entry(
	    out, "<state.dir>/crashes/", "", "A report of each process that died unasked.");
}

void
tables_manual_master(FILE *out)
{
	(void)fputs(
	    ".\\\" Written by make docs from include/tables/exits.def.\n"
	    ".TH OPITIOS\\-ALPACA 8 \"\" \"opitios\\-alpaca\" \"System administration\"\n"
	    ".SH NAME\nopitios\\-alpaca \\- self\\-hosted market\\-data gateway\n"
	    ".SH SYNOPSIS\n.B opitios\\-alpaca\n[\\-\\-config \\fIFILE\\fR] [\\-\\-state\\-dir "
	    "\\fIDIR\\fR] [\\-\\-section.key=\\fIVALUE\\fR]...\n"
	    ".SH DESCRIPTION\nThe master starts one fetcher, one cache\\-writer and the http "
	    "workers, "
	    "watches them and replaces\nwhat dies or hangs.\n"
	    "It runs in the foreground and logs to stderr: JSON, or text on a terminal.\n"
	    ".SH OPTIONS\n",
	    out);
	put_master_options(out);
	(void)fputs(".SH SIGNALS\n", out);
	put_master_signals(out);
	(void)fputs(".SH FILES\n", out);
	put_master_files(out);
	(void)fputs(".SH EXIT STATUS\nA supervisor should not start it again after\n", out);
#define EXIT(NAME, code, restart, help)                                                            \
	if (strcmp(#restart, "FATAL") == 0)                                                        \
		(void)fprintf(out, ".B %d\n", code);
#include "tables/exits.def"
	(void)fputs("(RestartPreventExitStatus= of systemd): trying again cannot help.\n", out);
	put_exits(out, false);
	(void)fputs(".SH SEE ALSO\n.BR opitios\\-ctl (8),\n.BR opitios\\-alpaca.conf (5)\n", out);
}

/* Words an argument can be; "" where there is no list of them. */
static const char *
completion_of(const char *word)
{
	if (strncmp(word, "SLOT", 4) == 0)
		return "$(_opitios_ctl_ask slot workers)";
	if (strncmp(word, "[ID]", 4) == 0)
		return "$(_opitios_ctl_ask id crashes)";
	if (strncmp(word, "[SOURCE]", 8) == 0)
		return "$(_opitios_ctl_ask source journal ls)";
	if (strncmp(word, "LEVEL", 5) == 0)
		return "debug info warn error";
	return "";
}

/* a|b|c are words of their own. */
static void
put_completion_words(FILE *out, const char *name, int at, const char *words, size_t len)
{
	(void)fprintf(out, "\t%s:%d) words=\"", name, at);
	for (size_t i = 0; i < len; i++)
		(void)fputc(words[i] == '|' ? ' ' : words[i], out);
	(void)fputs("\" ;;\n", out);
}

static void
put_completion(FILE *out, const char *name, const char *arguments)
{
	int at = 0;

	for (const char *p = arguments; *p != '\0'; p += strcspn(p, " "), p += *p == ' ', at++) {
		const char *words = completion_of(p);
		size_t len = strcspn(p, " ");

		if (words[0] != '\0')
			(void)fprintf(out, "\t%s:%d) words=\"%s\" ;;\n", name, at, words);
		else if (*p >= 'a' && *p <= 'z')
			put_completion_words(out, name, at, p, len);
	}
}

static void
put_completion_option(FILE *out, const char *commands, const char *name)
{
	(void)fprintf(
	    out, "\t\t[[ \" %s \" == *\" $command \"* ]] && words+=\" %s\"\n", commands, name);
}

/* Names of options of one command that take a value, as a pattern of a case. */
static void
put_completion_valued(FILE *out)
{
#define OPTION_OF(commands, name, value, help)                                                     \
	if ((value)[0] != '\0')                                                                    \
		(void)fprintf(out, " | %s", name);
#include "tables/commands.def"
}

void
tables_completion(FILE *out)
{
	(void)fputs(
	    "# opitios-ctl.bash - completion of opitios-ctl.\n"
	    "# Written by `make docs` from include/tables/commands.def; changes here are lost.\n"
	    "# shellcheck shell=bash\n\n"
	    "# Values of a member in what a running gateway answers; nothing where none does.\n"
	    "_opitios_ctl_ask()\n{\n"
	    "\topitios-ctl \"${where[@]}\" --timeout 1 --json \"${@:2}\" 2>/dev/null |\n"
	    "\t\tgrep -oE \"\\\"$1\\\":\\\"?[a-z0-9-]+\" | sed 's/.*[\":]//'\n}\n\n"
	    "_opitios_ctl()\n{\n"
	    "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
	    "\tlocal command='' at=0 words='' i\n\tlocal -a where=()\n\n"
	    "\tCOMPREPLY=()\n"
	    "\tcase $prev in\n"
	    "\t--state-dir) mapfile -t COMPREPLY < <(compgen -d -- \"$cur\"); return ;;\n"
	    "\t--config | --socket) mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); return ;;\n"
	    "\t--timeout | -n | -d",
	    out);
	put_completion_valued(out);
	(void)fputs(") return ;;\n"
		    "\tesac\n"
		    "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
		    "\t\tcase ${COMP_WORDS[i]} in\n"
		    "\t\t--state-dir | --config | --socket)\n"
		    "\t\t\twhere+=(\"${COMP_WORDS[i]}\" \"${COMP_WORDS[i + 1]}\")\n"
		    "\t\t\ti=$((i + 1))\n\t\t\t;;\n"
		    "\t\t--timeout | -n | -d",
	    out);
	put_completion_valued(out);
	(void)fputs(
	    ") i=$((i + 1)) ;;\n"
	    "\t\t-*) ;;\n"
	    "\t\t*) if [ -z \"$command\" ]; then command=${COMP_WORDS[i]}; else at=$((at + 1)); fi "
	    ";;\n"
	    "\t\tesac\n\tdone\n"
	    "\tcase $command:$at in\n"
	    "\t:*) words=\"",
	    out);
#define COMMAND(handler, name, KIND, arguments, help) (void)fprintf(out, "%s ", name);
#include "tables/commands.def"
	(void)fputs("\" ;;\n", out);
#define COMMAND(handler, name, KIND, arguments, help) put_completion(out, name, arguments);
#include "tables/commands.def"
	(void)fputs("\tesac\n\tcase $cur in\n\t-*) words=\"", out);
#define OPTION(name, value, help) (void)fprintf(out, "%s ", name);
#include "tables/commands.def"
	(void)fputs("\"\n", out);
#define OPTION_OF(commands, name, value, help) put_completion_option(out, commands, name);
#include "tables/commands.def"
	(void)fputs("\t\t;;\n\tesac\n"
		    "\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n}\n"
		    "complete -F _opitios_ctl opitios-ctl\n",
	    out);
}
