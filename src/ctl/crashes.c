/* crashes.c - crash reports: a line each, or the whole of one with names for its addresses. */
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "ctl_room.h"
#include "symbolize.h"
#include "text.h"

#define CRASH_CELL 160

/* An address is a number or a text, as whoever wrote the report liked; 0: there is none. */
static uint64_t
crash_number(const json_t *object, const char *name)
{
	const json_t *v = json_object_get(object, name);

	if (json_is_integer(v))
		return (uint64_t)json_integer_value(v);
	return json_is_string(v) ? strtoull(json_string_value(v), NULL, 0) : 0;
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

static bool
frame_is_own(const json_t *report, const json_t *frame)
{
	return strcmp(base_name(member_text(frame, "module")),
		   base_name(member_text(report, "executable"))) == 0;
}

/* "worker_answer answer.c:120", or "http+0x1234" where no names are to be had. */
static void
frame_text(const json_t *report, const json_t *frame, char *out, size_t size)
{
	const char *module = member_text(frame, "module");
	uint64_t offset = crash_number(frame, "offset");

	if (frame_is_own(report, frame) &&
	    symbol_find(member_text(report, "executable"), member_text(report, "build_id"), offset,
		out, size) == E_OK)
		return;
	if (module[0] != '\0')
		(void)snprintf(out, size, "%s+0x%" PRIx64, base_name(module), offset);
	else
		(void)snprintf(out, size, "0x%" PRIx64, crash_number(frame, "address"));
}

/* The innermost frame that is ours, which is where to look; the innermost of all when none is. */
static void
crash_where(const json_t *report, char *out, size_t size)
{
	const json_t *frames = json_object_get(report, "frames"), *frame;
	size_t i;

	json_array_foreach(frames, i, frame)
	{
		if (!frame_is_own(report, frame))
			continue;
		frame_text(report, frame, out, size);
		return;
	}
	if (json_array_size(frames) > 0)
		frame_text(report, json_array_get(frames, 0), out, size);
	else
		(void)text_copy(out, size, "-");
}

static void
crash_cause(const json_t *report, char *out, size_t size)
{
	const char *cause = member_text(report, "cause");
	int number = (int)member_number(report, "signal");
	const char *name = number > 0 && number < NSIG ? sigabbrev_np(number) : NULL;

	if (name != NULL)
		(void)snprintf(
		    out, size, "%.60s%sSIG%s", cause, cause[0] != '\0' ? ", " : "", name);
	else
		(void)snprintf(out, size, "%.80s", cause[0] != '\0' ? cause : "-");
}

/* With zeros in front it would be read as octal. */
uint64_t
crash_report_id(const json_t *report)
{
	const json_t *id = json_object_get(report, "id");

	if (json_is_integer(id))
		return (uint64_t)json_integer_value(id);
	return json_is_string(id) ? strtoull(json_string_value(id), NULL, 10) : 0;
}

static void
crash_id(const json_t *report, char out[FORMAT_TEXT])
{
	(void)snprintf(out, FORMAT_TEXT, "%06" PRIu64, crash_report_id(report));
}

static void
crash_address(const json_t *report, char *out, size_t size)
{
	if (json_is_null(json_object_get(report, "address")) ||
	    json_object_get(report, "address") == NULL)
		(void)text_copy(out, size, "-");
	else
		(void)snprintf(out, size, "0x%" PRIx64, crash_number(report, "address"));
}

void
crash_line(const json_t *report, char *out, size_t size)
{
	char id[FORMAT_TEXT], cause[CRASH_CELL], where[CRASH_CELL];
	const char *at = member_text(report, "time");

	crash_id(report, id);
	crash_cause(report, cause, sizeof(cause));
	crash_where(report, where, sizeof(where));
	(void)snprintf(out, size, "%s  %.19s  %.31s in %.100s: %.60s", id, at,
	    member_text(report, "slot"), where, cause);
	format_clean(out);
}

static void
crashes_list(const json_t *reports, const struct ctl_options *o)
{
	char text[CRASH_CELL];
	struct table *t = table_new();
	const json_t *report;
	size_t i;

	table_column(t, "ID", TABLE_RIGHT);
	table_column(t, "WHEN", TABLE_LEFT);
	table_column(t, "SLOT", TABLE_LEFT);
	table_column(t, "CAUSE", TABLE_LEFT);
	table_column(t, "ADDRESS", TABLE_RIGHT);
	table_column(t, "WHERE", TABLE_LEFT);
	json_array_foreach(reports, i, report)
	{
		crash_id(report, text);
		table_cell(t, STYLE_BOLD, text);
		table_cell(t, STYLE_PLAIN, member_text(report, "time"));
		table_cell(t, STYLE_PLAIN, member_text(report, "slot"));
		crash_cause(report, text, sizeof(text));
		table_cell(t, STYLE_BAD, text);
		crash_address(report, text, sizeof(text));
		table_cell(t, STYLE_PLAIN, text);
		crash_where(report, text, sizeof(text));
		table_cell(t, STYLE_PLAIN, text);
	}
	table_print(t, stdout, o->colour);
	table_free(&t);
}

/* Members that are plain values, in the order of the report; the deep ones follow in their own form. */
static void
report_values(const json_t *object, const char *prefix)
{
	char label[64], text[4096];
	const char *name;
	json_t *v;

	json_object_foreach((json_t *)object, name, v)
	{
		(void)snprintf(label, sizeof(label), "%s%s", prefix, name);
		if (json_is_string(v))
			(void)text_copy(text, sizeof(text), json_string_value(v));
		else if (json_is_integer(v))
			(void)snprintf(
			    text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		else if (json_is_real(v))
			(void)snprintf(text, sizeof(text), "%g", json_real_value(v));
		else if (json_is_boolean(v))
			(void)strcpy(text, json_is_true(v) ? "yes" : "no");
		else
			continue;
		(void)printf("  %-16s %s\n", label, format_clean(text));
	}
}

static void
report_frames(const json_t *report, const struct ctl_options *o)
{
	const json_t *frames = json_object_get(report, "frames"), *frame;
	char where[CTL_LINE];
	size_t i;

	if (json_array_size(frames) > 0)
		(void)puts("\n  frames, innermost first");
	json_array_foreach(frames, i, frame)
	{
		bool own = frame_is_own(report, frame);

		frame_text(report, frame, where, sizeof(where));
		(void)printf("  %s#%-3zu 0x%016" PRIx64 "  %s%s\n",
		    o->colour && own ? style_code(STYLE_BOLD) : "", i,
		    crash_number(frame, "address"), format_clean(where),
		    o->colour && own ? style_code(STYLE_PLAIN) : "");
	}
}

/* Texts of several lines and lists of lines alike. */
static void
report_lines(const char *title, const json_t *v)
{
	const char *text = json_string_value(v), *end;
	char line[1024];
	const json_t *one;
	size_t i;

	if (json_array_size(v) == 0 && (text == NULL || text[0] == '\0'))
		return;
	(void)printf("\n  %s\n", title);
	json_array_foreach(v, i, one)
	{
		(void)text_copy(
		    line, sizeof(line), json_is_string(one) ? json_string_value(one) : "?");
		(void)printf("    %s\n", format_clean(line));
	}
	while (text != NULL && *text != '\0') {
		end = strchrnul(text, '\n');
		(void)text_copy_n(line, sizeof(line), text, (size_t)(end - text));
		(void)printf("    %s\n", format_clean(line));
		text = *end != '\0' ? end + 1 : end;
	}
}

static void
crash_whole(const json_t *report, const struct ctl_options *o)
{
	const json_t *hang = json_object_get(report, "hang");
	char id[FORMAT_TEXT], cause[CRASH_CELL];

	crash_id(report, id);
	crash_cause(report, cause, sizeof(cause));
	(void)printf("%scrash %s: %s: %s%s\n", o->colour ? style_code(STYLE_BAD) : "", id,
	    member_text(report, "slot"), format_clean(cause),
	    o->colour ? style_code(STYLE_PLAIN) : "");
	report_values(report, "");
	report_values(json_object_get(report, "doing"), "doing ");
	report_frames(report, o);
	report_lines("kernel stack", json_object_get(hang, "stack"));
	if (hang != NULL)
		report_values(hang, "hang ");
	report_lines("last lines of its log", json_object_get(report, "log"));
}

void
show_crashes(const json_t *a, const struct ctl_options *o)
{
	const json_t *reports = json_object_get(a, "crashes");
	size_t count = json_array_size(reports);
	double kept = member_number(a, "kept");

	if (o->word_count > 1) {
		crash_whole(json_array_get(reports, 0), o);
		return;
	}
	if (count == 0) {
		(void)puts("no crash reports");
		return;
	}
	crashes_list(reports, o);
	if (kept > (double)count)
		(void)printf("%.0f of %.0f; -n shows more\n", (double)count, kept);
}
