/* show.c - answers of the master, for a person at a terminal or a script without --json. */
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "ctl_room.h"

#define SHOW_LABEL 12

static void show_line(const struct ctl_options *, const char *, enum style, const char *, ...)
    PRINTF_LIKE(4, 5);

static void
show_line(const struct ctl_options *o, const char *label, enum style style, const char *fmt, ...)
{
	char text[CTL_LINE];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	(void)printf("%s%-*s%s ", o->colour ? style_code(STYLE_DIM) : "", SHOW_LABEL, label,
	    o->colour ? style_code(style) : "");
	(void)printf("%s%s\n", format_clean(text), o->colour ? style_code(STYLE_PLAIN) : "");
}

static const char *
text_or(const char *text, const char *otherwise)
{
	return text[0] != '\0' ? text : otherwise;
}

static void
show_health(const json_t *a, const struct ctl_options *o)
{
	const json_t *reasons = json_object_get(a, "reasons");
	const char *reason;
	enum style style = style_of_health(member_text(a, "health"));
	size_t i;

	show_line(o, "health", style, "%s%s", member_text(a, "health"),
	    member_true(a, "ready") ? "" : ", not ready");
	for (i = 0; i < json_array_size(reasons); i++) {
		reason = json_string_value(json_array_get(reasons, i));
		show_line(o, "", style, "%s", reason != NULL ? reason : "?");
	}
}

/* "7 ready, 1 waiting" */
static void
show_slots(const json_t *a, const struct ctl_options *o)
{
	json_t *slots = json_object_get(a, "slots"), *count;
	char text[CTL_LINE] = "";
	size_t used = 0;
	const char *name;
	double failed = member_number(slots, "failed");

	json_object_foreach(slots, name, count)
	{
		if (strcmp(name, "total") == 0 || strcmp(name, "failed") == 0 ||
		    used >= sizeof(text) - 64)
			continue;
		used += (size_t)snprintf(text + used, 64, "%s%.0f %.20s", used > 0 ? ", " : "",
		    json_number_value(count), name);
	}
	if (failed > 0 && used < sizeof(text) - 64)
		(void)snprintf(text + used, 64, ", %.0f of them failed", failed);
	show_line(o, "slots", failed > 0 ? STYLE_BAD : STYLE_PLAIN, "%s", text);
}

void
show_status(const json_t *a, const struct ctl_options *o)
{
	char age[FORMAT_TEXT], budget[FORMAT_TEXT], lag[FORMAT_TEXT];
	const json_t *crashes = json_object_get(a, "crashes");
	double kept = member_number(crashes, "kept");

	show_line(o, "gateway", STYLE_BOLD, "opitios-alpaca %s (%s), %s", member_text(a, "version"),
	    member_text(a, "revision"), member_text(a, "environment"));
	show_health(a, o);
	show_slots(a, o);
	show_line(o, "process", STYLE_PLAIN, "pid %.0f, up %s, since %s", member_number(a, "pid"),
	    format_age(member_number(a, "uptime_seconds"), age), member_text(a, "started_at"));
	show_line(o, "generation", STYLE_PLAIN, "%.0f, from %s", member_number(a, "generation"),
	    text_or(member_text(a, "config_file"), "defaults, environment and command line"));
	show_line(o, "state", STYLE_PLAIN, "%s", member_text(a, "state_dir"));
	show_line(o, "clients", STYLE_PLAIN, "http://%s", member_text(a, "http_address"));
	if (member_text(a, "admin_address")[0] != '\0')
		show_line(o, "admin", STYLE_PLAIN, "http://%s", member_text(a, "admin_address"));
	show_line(o, "upstream", STYLE_PLAIN, "%s, budget %s of %.0f a minute",
	    member_text(a, "upstream"), format_count(member_number(a, "budget_remaining"), budget),
	    member_number(a, "budget_limit"));
	show_line(o, "journal", STYLE_PLAIN, "%s records not stored yet",
	    format_count(member_number(a, "journal_lag"), lag));
	show_line(o, "crashes", kept > 0 ? STYLE_WARN : STYLE_PLAIN, "%.0f report%s kept", kept,
	    kept == 1 ? "" : "s");
}

static double
worker_queue(const json_t *w)
{
	const json_t *lanes = json_object_get(w, "fetch_queue");
	double sum = member_number(w, "fetch_waiting");

	if (isnan(sum))
		sum = member_number(w, "journal_lag");
	if (lanes != NULL)
		sum = member_number(lanes, "interactive") + member_number(lanes, "refresh") +
		      member_number(lanes, "backfill");
	return sum;
}

static void
workers_process(struct table *t, const json_t *w, const char *name, enum style style)
{
	char text[FORMAT_TEXT];

	table_cell(t, STYLE_PLAIN, name);
	table_cell(t, style, member_true(w, "failed") ? "failed" : member_text(w, "state"));
	table_cell(t, STYLE_PLAIN, format_count(member_number(w, "pid"), text));
	table_cell(t, STYLE_PLAIN, format_age(member_number(w, "uptime_seconds"), text));
	table_cell(t, STYLE_PLAIN, format_count(member_number(w, "generation"), text));
	table_cell(t, STYLE_PLAIN, format_count(member_number(w, "restarts"), text));
	table_cell(t, STYLE_PLAIN, format_count(member_number(w, "requests_total"), text));
	table_cell(t, STYLE_PLAIN, format_count(member_number(w, "in_flight"), text));
	table_cell(t, STYLE_PLAIN, format_count(member_number(w, "connections"), text));
	table_cell(t, STYLE_PLAIN, format_count(worker_queue(w), text));
	table_cell(t, STYLE_PLAIN, format_age(member_number(w, "cpu_seconds"), text));
	table_cell(t, STYLE_PLAIN, format_bytes(member_number(w, "rss_bytes"), text));
	table_cell(t, STYLE_DIM, text_or(member_text(w, "last_exit"), "-"));
}

void
show_workers(const json_t *a, const struct ctl_options *o)
{
	static const struct {
		const char *title;
		enum table_align align;
	} columns[] = { { "SLOT", TABLE_LEFT }, { "STATE", TABLE_LEFT }, { "PID", TABLE_RIGHT },
		{ "UP", TABLE_RIGHT }, { "GEN", TABLE_RIGHT }, { "RESTARTS", TABLE_RIGHT },
		{ "REQUESTS", TABLE_RIGHT }, { "IN FLIGHT", TABLE_RIGHT }, { "CONNS", TABLE_RIGHT },
		{ "QUEUE", TABLE_RIGHT }, { "CPU", TABLE_RIGHT }, { "RSS", TABLE_RIGHT },
		{ "LAST EXIT", TABLE_LEFT } };
	const json_t *workers = json_object_get(a, "workers"), *w, *other;
	struct table *t = table_new();
	size_t i;

	for (i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		table_column(t, columns[i].title, columns[i].align);
	json_array_foreach(workers, i, w)
	{
		workers_process(t, w, member_text(w, "slot"),
		    style_of_state(member_text(w, "state"), member_true(w, "failed")));
		if (json_is_object(other = json_object_get(w, "other")))
			workers_process(t, other, "  its other process",
			    style_of_state(member_text(other, "state"), false));
	}
	table_print(t, stdout, o->colour);
	table_free(&t);
}

void
show_log_level(const json_t *a, const struct ctl_options *o)
{
	(void)o;
	(void)printf("%s and above is written, until the next reload\n", member_text(a, "level"));
}

void
show_reopen_logs(const json_t *a, const struct ctl_options *o)
{
	(void)a, (void)o;
	(void)puts("the files of the log are opened anew");
}

void
show_done(const json_t *a, const struct ctl_options *o)
{
	(void)o;
	(void)printf("%s\n", member_text(a, "text"));
}

void
say_error(const struct ctl_options *o, const char *why, enum exit_code code)
{
	json_t *answer;

	if (!o->json) {
		(void)fprintf(stderr, "opitios-ctl: %s\n", why);
		return;
	}
	answer = json_pack("{s:b, s:s?, s:s, s:n, s:s}", "ok", 0, "command", o->words[0], "error",
	    why, "code", "name", exit_name((int)code));
	if (answer != NULL)
		client_print(answer);
	json_decref(answer);
}

int
run_health(struct client *c, const struct ctl_options *o)
{
	char why[CTL_LINE] = "";
	json_t *answer = NULL;
	bool good;

	if (client_ask(c, "status", NULL, 0, c->timeout_ms, &answer, why) != E_OK) {
		say_error(o, why, EXIT_WITH_REFUSED);
		return EXIT_WITH_REFUSED;
	}
	good = answer_is_ok(answer) && member_true(answer, "ready") &&
	       strcmp(member_text(answer, "health"), "unhealthy") != 0;
	if (o->json) {
		client_print(answer);
	} else {
		const char *reason =
		    json_string_value(json_array_get(json_object_get(answer, "reasons"), 0));

		(void)printf("%s%s%s\n", member_text(answer, "health"), reason != NULL ? ": " : "",
		    reason != NULL ? reason : "");
	}
	json_decref(answer);
	return good ? EXIT_WITH_OK : EXIT_WITH_REFUSED;
}
