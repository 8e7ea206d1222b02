/* tables_ref.c - the references of everything but the configuration. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "metric.h"
#include "role.h"
#include "tables.h"

void
tables_metrics(FILE *out)
{
	struct buf text;

	tables_title(out, "Metrics",
	    "What `/metrics` shows. `worker` is the slot (`http-0`), which outlives its processes; "
	    "counters never fall.\n");
	buf_init(&text, 1 << 20);
	if (metric_reference(&text) != E_OK)
		abort();
	(void)fwrite(buf_data(&text), 1, buf_len(&text), out);
	buf_fini(&text);
	(void)fputs("\n## Labels\n\n| label | values |\n| --- | --- |\n", out);
	for (unsigned set = LABELS_none + 1; set < LABEL_SET_COUNT; set++) {
		static const char *const names[] = {
#define X(name) #name,
			LABEL_SETS(X)
#undef X
		};

		(void)fprintf(out, "| `%s` |", names[set]);
		for (unsigned i = 0; i < label_count((enum label_set)set); i++)
			(void)fprintf(
			    out, "%s `%s`", i > 0 ? "," : "", label_text((enum label_set)set, i));
		(void)fputs(" |\n", out);
	}
}

static void
put_error(FILE *out, const char *name, int number, int status, const char *again, const char *type,
    const char *text, const char *action, bool reaches_clients)
{
	if ((status != 0) != reaches_clients)
		return;
	if (reaches_clients)
		(void)fprintf(out, "| `%s` | %d | %d | `%s` | %s | %s | %s |\n", name, number,
		    status, type, strcmp(again, "RETRY") == 0 ? "yes" : "no", text, action);
	else
		(void)fprintf(out, "| `%s` | %d | %s |\n", name, number, text);
}

void
tables_errors(FILE *out)
{
	tables_title(out, "Errors",
	    "What can go wrong. The first table is what a client may see in "
	    "`error.code` and `error.type`.\n");
	(void)fputs(
	    "| code | number | status | type | worth retrying | meaning | suggested action |\n"
	    "| --- | --- | --- | --- | --- | --- | --- |\n",
	    out);
#define ERROR(NAME, number, status, again, type, text, action)                                     \
	put_error(out, #NAME, number, status, #again, type, text, action, true);
#include "tables/errors.def"
	(void)fputs("\n## Inside only\n\n| code | number | meaning |\n| --- | --- | --- |\n", out);
#define ERROR(NAME, number, status, again, type, text, action)                                     \
	put_error(out, #NAME, number, status, #again, type, text, action, false);
#include "tables/errors.def"
}

void
tables_exits(FILE *out)
{
	tables_title(out, "Exit codes",
	    "How the processes end. A *fatal* one is not restarted: "
	    "trying again cannot help.\n");
	(void)fputs("| code | name | then | meaning |\n| --- | --- | --- | --- |\n", out);
#define EXIT(NAME, code, restart, help)                                                            \
	(void)fprintf(out, "| %d | `%s` | %s | %s |\n", code, #NAME,                               \
	    strcmp(#restart, "FATAL") == 0 ? "fatal" : "restart", help);
#include "tables/exits.def"
}

static const char *
lower(const char *word)
{
	static char out[32];
	size_t i;

	for (i = 0; word[i] != '\0' && i < sizeof(out) - 1; i++)
		out[i] = (char)(word[i] >= 'A' && word[i] <= 'Z' ? word[i] - 'A' + 'a' : word[i]);
	out[i] = '\0';
	return out;
}

static void
put_param(FILE *out, const char *in, const char *name, const char *type, const char *need,
    const char *help)
{
	(void)fprintf(out, "- `%s` (%s, ", name, lower(in));
	(void)fprintf(
	    out, "%s%s): %s\n", lower(type), strcmp(need, "MUST") == 0 ? "" : ", optional", help);
}

void
tables_routes(FILE *out)
{
	tables_title(out, "Routes",
	    "What clients may ask. Every GET answers HEAD as well. *open* "
	    "needs no key, *read* does once keys are on.\n");
#define ROUTE(METHOD, path, handler, permission, help)                                             \
	(void)fprintf(out, "\n## %s %s\n\n%s *%s*\n\n", #METHOD, path, help, lower(#permission));
#define PARAM(handler, in, name, type, need, help) put_param(out, #in, #name, #type, #need, help);
#include "tables/routes.def"
}

void
tables_admin(FILE *out)
{
	tables_title(out, "Admin routes",
	    "What the master itself answers at `admin.address`, also when every worker stands "
	    "still. Every GET answers HEAD as well; errors have the form of the API.\n");
	(void)fputs("| path | answer |\n| --- | --- |\n", out);
#define ADMIN_ROUTE(path, handler, help) (void)fprintf(out, "| `%s` | %s |\n", path, help);
#include "tables/admin_routes.def"
}

static void
put_health(FILE *out, const char *code, const char *word, const char *ready, const char *text)
{
	(void)fprintf(out, "| %s | `%s` | %s | %s |\n", text, code, lower(word),
	    strcmp(ready, "UNREADY") == 0 ? "no" : "");
}

void
tables_health(FILE *out)
{
	tables_title(out, "Health",
	    "How `/health`, `/health/detailed` and `/readyz` come to their word. In this order the "
	    "first row that holds decides the word of health; every row that holds is told under "
	    "`reasons` and `reason_codes`. `unhealthy` is answered with status 503, the others "
	    "with "
	    "200. `/livez` asks for nothing here: who answers it lives.\n");
	(void)fputs("| when | code | word | ready |\n| --- | --- | --- | --- |\n", out);
#define HEALTH(code, WORD, ready, holds, text) put_health(out, #code, #WORD, #ready, text);
#include "tables/health.def"
	(void)fputs(
	    "| none of these | | healthy | yes |\n"
	    "\nReasons of what a process met \"within the last minute\" name its slot and what it "
	    "was, in brackets; `troubles` has the newest of each kind with its time, and in how "
	    "many "
	    "other slots there was the like. 95 % of a limit of descriptors, of address space or "
	    "of "
	    "the control group's memory, without pages of files, count as met. They go by "
	    "themselves; `/livez` and "
	    "`/readyz` "
	    "do not ask for them.\n"
	    "\n## The checks\n\nEach is made in the background, whoever asks; the answer carries "
	    "`age_seconds`, the last success and the last error with their times. One that was not "
	    "made for three minutes is `unknown`. `response_time_ms` is null where nothing was "
	    "waited "
	    "for, as at a store that cannot be reached. A database, a Redis or an upstream that "
	    "fails makes "
	    "`degraded`, never `unhealthy`: what is held is served. `system.cpu` is the whole "
	    "machine's, "
	    "`system.memory` the control group's where it has one.\n\n| check | made by | how | "
	    "how often |\n"
	    "| --- | --- | --- | --- |\n"
	    "| `database` | cache-writer | a `SELECT 1` there and back, or a commit | each second "
	    "|\n"
	    "| `cache` | each http worker | PING to Redis; without Redis its own memory | each "
	    "second |\n"
	    "| `external_api` | fetcher | the call that was made last; in want of one the market's "
	    "clock, "
	    "which is no market data call, or without a key a crypto quote | at least each minute "
	    "|\n"
	    "| `system` | the master; of the disk the cache-writer | /proc, control group, statvfs "
	    "| each second |\n",
	    out);
}

static const char *
kind_name(const char *kind)
{
	static const char *const names[][2] = { { "U64", "unsigned" }, { "I64", "integer" },
		{ "F64", "number" }, { "BOOL", "bool" }, { "TIME", "time" }, { "STR", "text" },
		{ "LIST", "list" } };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i][0], kind) == 0)
			return names[i][1];
	return kind;
}

static void
put_field(FILE *out, const char *field, const char *kind, int bound, const char *help)
{
	(void)fprintf(out, "| `%s` | %s", field, kind_name(kind));
	if (bound > 0)
		(void)fprintf(out, ", %d bytes", bound - 1);
	(void)fprintf(out, " | %s |\n", help);
}

#define FIELD_HEAD "| field | type | meaning |\n| --- | --- | --- |\n"

void
tables_messages(FILE *out)
{
	tables_title(out, "Messages",
	    "What processes say to one another, beside the values. Peers compare a hash of both "
	    "tables first.\n");
#define MESSAGE(name, NAME, number, senders, receivers, help)                                      \
	(void)fprintf(                                                                             \
	    out, "\n## %s (%d)\n\n%s From %s", #name, number, help, tables_role_names(senders));   \
	(void)fprintf(out, " to %s.\n\n" FIELD_HEAD, tables_role_names(receivers));
#define FIELD(name, KIND, field, bound, help) put_field(out, #field, #KIND, bound, help);
#define MESSAGE_END(name)
#include "tables/messages.def"
}

void
tables_values(FILE *out)
{
	tables_title(out, "Values",
	    "What the market says: fields of channel messages, of journal records and of rows in a "
	    "store.\nA number or time that upstream did not send is null.\n");
#define VALUE(name, NAME, number, version, stored, table, help)                                    \
	(void)fprintf(out, "\n## %s (%d)\n\n%s Record version %d, %s `%s`.\n\n" FIELD_HEAD, #name, \
	    number, help, version,                                                                 \
	    strcmp(#stored, "STORED") == 0 ? "stored in" : "passing, not stored:", table);
#define FIELD(name, KIND, field, bound, help) put_field(out, #field, #KIND, bound, help);
#define VALUE_END(name)
#include "tables/values.def"
}

void
tables_endpoints(FILE *out)
{
	tables_title(out, "Upstream calls",
	    "What the fetcher asks of Alpaca. *merged*: single symbols asked for together travel "
	    "as "
	    "one call.\n");
	(void)fputs("| name | number | asset | host | path | merged | needs a key | answers |\n"
		    "| --- | --- | --- | --- | --- | --- | --- | --- |\n",
	    out);
#define ENDPOINT(NAME, number, name, asset, host, shape, merge, key, path, help)                   \
	(void)fprintf(out, "| `%s` | %d | %s", #name, number, lower(#asset));                      \
	(void)fprintf(out, " | %s | `%s` | %s | %s | %s |\n", lower(#host), path,                  \
	    strcmp(#merge, "MERGE") == 0 ? "yes" : "no", strcmp(#key, "KEY") == 0 ? "yes" : "no",  \
	    help);
#include "tables/endpoints.def"
}

static const char *
count_name(const char *count)
{
	static const char *const names[][2] = { { "SELF", "one" }, { "ONE", "one" },
		{ "PER_UPSTREAM", "one per upstream" }, { "CONFIGURED", "http.workers" } };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i][0], count) == 0)
			return names[i][1];
	return count;
}

/* GitHub and most viewers draw it; as text it still reads. */
static void
put_figure(FILE *out)
{
	(void)fputs("\n## Channels\n\n```mermaid\ngraph LR\n", out);
#define ROLE(NAME, bit, executable, slot, count, need, ready_seconds, help)                        \
	(void)fprintf(out, "  %s[\"%s\"]\n", #NAME, slot);
#include "tables/roles.def"
#define LINK(FROM, TO, help) (void)fprintf(out, "  %s <-->|\"%s\"| %s\n", #FROM, help, #TO);
#include "tables/links.def"
#define ROLE(NAME, bit, executable, slot, count, need, ready_seconds, help)                        \
	if (strcmp(#count, "SELF") != 0)                                                           \
		(void)fprintf(out, "  MASTER -.- %s\n", #NAME);
#include "tables/roles.def"
	(void)fputs("```\n\nThe dotted lines are the control channels.\n", out);
}

void
tables_roles(FILE *out)
{
	tables_title(out, "Processes", "The kinds of process and the channels between them.\n");
	(void)fputs("| role | executable | how many | required | ready within | does |\n"
		    "| --- | --- | --- | --- | --- | --- |\n",
	    out);
#define ROLE(NAME, bit, executable, slot, count, need, ready_seconds, help)                        \
	(void)fprintf(out, "| %s | `%s` | %s | %s | %d s | %s |\n", slot, executable,              \
	    count_name(#count), strcmp(#need, "REQUIRED") == 0 ? "yes" : "no", ready_seconds,      \
	    help);
#include "tables/roles.def"
	put_figure(out);
}

static void
put_move(FILE *out, const char *state, const char *event, const char *next, const char *action)
{
	bool stays = strcmp(state, next) == 0;

	if (strcmp(action, "impossible") == 0 || (stays && strcmp(action, "nothing") == 0))
		return;
	(void)fprintf(out, "| %s", lower(state));
	(void)fprintf(out, " | %s", lower(event));
	(void)fprintf(out, " | %s | %s |\n", stays ? "" : lower(next),
	    strcmp(action, "nothing") == 0 ? "" : action);
}

void
tables_slots(FILE *out)
{
	tables_title(out, "Life of a slot",
	    "What the supervisor does with a worker's slot. Pairs that are not listed change "
	    "nothing or "
	    "cannot be.\n");
	(void)fputs("| state | meaning |\n| --- | --- |\n", out);
#define STATE(NAME, text, help) (void)fprintf(out, "| %s | %s |\n", text, help);
#include "tables/slot_states.def"
	(void)fputs("\n| event | meaning |\n| --- | --- |\n", out);
#define EVENT(NAME, text, help) (void)fprintf(out, "| %s | %s |\n", text, help);
#include "tables/slot_states.def"
	(void)fputs("\n| in | when | becomes | and does |\n| --- | --- | --- | --- |\n", out);
#define MOVE(STATE_, EVENT_, NEXT, action) put_move(out, #STATE_, #EVENT_, #NEXT, #action);
#include "tables/slot_states.def"
}

static void
put_log_field(FILE *out, const char *name, const char *where, const char *kind, const char *journal,
    const char *help)
{
	static const char *const kinds[][2] = { { "TEXT", "text" }, { "NUMBER", "number" },
		{ "MICROS", "milliseconds, three digits behind the point" } };
	const char *type = "";
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i][0], kind) == 0)
			type = kinds[i][1];
	(void)fprintf(out, "| `%s` | %s | %s | %s%s%s | %s |\n", name,
	    strcmp(where, "EVERY") == 0	  ? "every line"
	    : strcmp(where, "ABOUT") == 0 ? "where it applies"
					  : "access log",
	    type, *journal != '\0' ? "`" : "", journal, *journal != '\0' ? "`" : "", help);
}

void
tables_log_fields(FILE *out)
{
	tables_title(out, "Fields of the log",
	    "What a line of the log may hold, in this order. Where the log goes and what it "
	    "promises: [logging](../logging.md).\n");
	(void)fputs(
	    "| field | in | type | in the journal | meaning |\n| --- | --- | --- | --- | --- |\n",
	    out);
#define LOG_FIELD(name, WHERE, KIND, max, journal, help)                                           \
	put_log_field(out, #name, #WHERE, #KIND, journal, help);
#include "tables/log_fields.def"
}
