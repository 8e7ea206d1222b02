/* top_view.c - the screen of top: three lines of the whole, a row a slot, two lines of what happened. */
#include <math.h>
#include <string.h>

#include "text.h"
#include "top.h"

#define VIEW_FOOT 2 /* lines below the rows */
#define VIEW_BAR  12
#define VIEW_GAP  1
#define VIEW_MANY 300 /* rows of a screen without an end */

enum column {
	COL_SLOT,
	COL_STATE,
	COL_PID,
	COL_UP,
	COL_GEN,
	COL_RESTARTS,
	COL_RATE,
	COL_FLY,
	COL_CONNS,
	COL_P99,
	COL_CPU,
	COL_RSS,
	COL_QUEUE,
	COL_DOING,
	COLUMNS
};

static const struct {
	const char *title;
	size_t width;
	bool right;
	size_t from; /* shown from this width of the screen on */
} columns[COLUMNS] = {
	[COL_SLOT] = { "SLOT", 12, false, 0 },
	[COL_STATE] = { "STATE", 8, false, 0 },
	[COL_PID] = { "PID", 7, true, 0 },
	[COL_UP] = { "UP", 6, true, 0 },
	[COL_GEN] = { "GEN", 4, true, 92 },
	[COL_RESTARTS] = { "RST", 4, true, 0 },
	[COL_RATE] = { "REQ/S", 6, true, 0 },
	[COL_FLY] = { "FLY", 4, true, 0 },
	[COL_CONNS] = { "CONNS", 5, true, 92 },
	[COL_P99] = { "P99", 6, true, 0 },
	[COL_CPU] = { "CPU%", 4, true, 0 },
	[COL_RSS] = { "RSS", 5, true, 0 },
	[COL_QUEUE] = { "QUEUE", 5, true, 0 },
	[COL_DOING] = { "DOING, OR LAST EXIT", 0, false, 116 },
};

static void
view_cell(struct screen *s, enum column c, enum style style, const char *text)
{
	char cut[64];
	size_t len;

	if (s->width < columns[c].from)
		return;
	if (c == COL_DOING) {
		screen_put(s, style, "%s", text);
		return;
	}
	(void)text_copy_n(cut, sizeof(cut), text, strnlen(text, columns[c].width));
	len = strlen(cut);
	if (columns[c].right)
		screen_put(s, style, "%*s", (int)columns[c].width, cut);
	else
		screen_put(s, style, "%s%*s", cut, (int)(columns[c].width - len), "");
	screen_put(s, style == STYLE_TITLE ? STYLE_TITLE : STYLE_PLAIN, "%*s", VIEW_GAP, "");
}

static double
row_queue(const json_t *w)
{
	const json_t *lanes = json_object_get(w, "fetch_queue"), *lane;
	double sum = member_number(w, "fetch_waiting");
	const char *name;

	if (lanes == NULL)
		return isnan(sum) ? member_number(w, "journal_lag") : sum;
	sum = 0;
	json_object_foreach((json_t *)lanes, name, lane) sum += json_number_value(lane);
	return sum;
}

/* What it works on; when there is no process, how the last one ended. */
static void
row_doing(struct screen *s, const json_t *w)
{
	char text[300], age[FORMAT_TEXT];

	if (s->width < columns[COL_DOING].from)
		return;
	if (member_true(w, "doing_now")) {
		(void)snprintf(text, sizeof(text), "%.200s (%s)", member_text(w, "doing"),
		    format_age(member_number(w, "doing_seconds"), age));
		view_cell(s, COL_DOING, STYLE_PLAIN, format_clean(text));
	} else if (member_text(w, "note")[0] != '\0') {
		(void)snprintf(text, sizeof(text), "%.200s", member_text(w, "note"));
		view_cell(s, COL_DOING, STYLE_WARN, format_clean(text));
	} else if (member_text(w, "last_exit")[0] != '\0') {
		(void)snprintf(text, sizeof(text), "%.200s, %s ago", member_text(w, "last_exit"),
		    format_age(member_number(w, "last_exit_seconds"), age));
		view_cell(s, COL_DOING, STYLE_DIM, format_clean(text));
	}
}

static void
view_process(struct screen *s, const char *name, const json_t *w, const struct rates *r)
{
	bool failed = member_true(w, "failed");
	const char *state = failed ? "failed" : member_text(w, "state");
	double restarts = member_number(w, "restarts"), queue = row_queue(w);
	char t[FORMAT_TEXT];

	view_cell(s, COL_SLOT, STYLE_BOLD, name);
	view_cell(s, COL_STATE, style_of_state(member_text(w, "state"), failed), state);
	view_cell(s, COL_PID, STYLE_PLAIN, format_count(member_number(w, "pid"), t));
	view_cell(s, COL_UP, STYLE_PLAIN, format_age(member_number(w, "uptime_seconds"), t));
	view_cell(s, COL_GEN, STYLE_PLAIN, format_count(member_number(w, "generation"), t));
	view_cell(
	    s, COL_RESTARTS, restarts > 0 ? STYLE_WARN : STYLE_PLAIN, format_rate(restarts, t));
	view_cell(s, COL_RATE, STYLE_PLAIN, format_rate(r->requests, t));
	view_cell(s, COL_FLY, STYLE_PLAIN, format_rate(member_number(w, "in_flight"), t));
	view_cell(s, COL_CONNS, STYLE_PLAIN, format_rate(member_number(w, "connections"), t));
	view_cell(s, COL_P99, STYLE_PLAIN, format_latency(r->p99, t));
	view_cell(s, COL_CPU, r->cpu > 90 ? STYLE_WARN : STYLE_PLAIN, format_percent(r->cpu, t));
	view_cell(s, COL_RSS, STYLE_PLAIN, format_bytes(member_number(w, "rss_bytes"), t));
	view_cell(s, COL_QUEUE, queue > 0 ? STYLE_WARN : STYLE_PLAIN, format_rate(queue, t));
	row_doing(s, w);
	screen_end_line(s);
}

static void
view_titles(struct screen *s)
{
	for (size_t c = 0; c < COLUMNS; c++)
		view_cell(s, (enum column)c, STYLE_TITLE, columns[c].title);
	screen_pad(s, STYLE_TITLE, s->full ? s->width : s->at);
	screen_end_line(s);
}

static void
view_identity(const struct top *t, struct screen *s)
{
	const char *health = member_text(t->status, "health");
	const char *reason =
	    json_string_value(json_array_get(json_object_get(t->status, "reasons"), 0));
	char age[FORMAT_TEXT];

	screen_put(s, STYLE_BOLD, "opitios-alpaca %.16s", member_text(t->status, "version"));
	if (t->lost) {
		screen_put(s, STYLE_BAD, "   no answer");
	} else {
		screen_put(s, style_of_health(health), "   %s", health);
		if (reason != NULL)
			screen_put(s, style_of_health(health), ": %s", reason);
	}
	screen_put(s, STYLE_PLAIN, "   up %s",
	    format_age(member_number(t->status, "uptime_seconds"), age));
	screen_put(s, STYLE_DIM, "   generation %.0f   pid %.0f",
	    member_number(t->status, "generation"), member_number(t->status, "pid"));
	screen_end_line(s);
}

static double
view_sum(const struct top *t, const char *name)
{
	double sum = 0, v;

	for (size_t i = 0; i < t->row_count; i++)
		if (isfinite(v = member_number(t->rows[i].worker, name)))
			sum += v;
	return sum;
}

static void
view_traffic(const struct top *t, struct screen *s)
{
	size_t room = s->width >= 116 ? 40 : 16;
	size_t count = t->history_count < room ? t->history_count : room;
	char a[FORMAT_TEXT];

	screen_put(s, STYLE_BOLD, "%s", format_rate(t->total.requests, a));
	screen_put(s, STYLE_DIM, " requests/s ");
	if (s->full)
		screen_curve(s, STYLE_GOOD, t->history + t->history_count - count, count);
	screen_put(s, STYLE_DIM, "  p99 ");
	screen_put(s, STYLE_BOLD, "%s", format_latency(t->total.p99, a));
	screen_put(s, STYLE_DIM, "  in flight ");
	screen_put(s, STYLE_BOLD, "%s", format_rate(view_sum(t, "in_flight"), a));
	screen_put(s, STYLE_DIM, "  connections ");
	screen_put(s, STYLE_BOLD, "%s", format_rate(view_sum(t, "connections"), a));
	screen_end_line(s);
}

static void
view_upstream(const struct top *t, struct screen *s)
{
	double left = member_number(t->status, "budget_remaining");
	double limit = member_number(t->status, "budget_limit");
	double lag = member_number(t->status, "journal_lag");
	const json_t *slots = json_object_get(t->status, "slots");
	double ready = member_number(slots, "ready"), all = member_number(slots, "total");
	double crashes = member_number(json_object_get(t->status, "crashes"), "kept");
	char a[FORMAT_TEXT], b[FORMAT_TEXT];

	ready = isfinite(ready) ? ready : 0;
	screen_put(s, STYLE_BOLD, "%s", format_count(left, a));
	screen_put(s, STYLE_DIM, " of %s budget ", format_count(limit, b));
	screen_bar(s, left < limit / 10 ? STYLE_BAD : STYLE_GOOD, left / limit, VIEW_BAR);
	screen_put(s, STYLE_DIM, "  journal lag ");
	screen_put(s, lag > 0 ? STYLE_WARN : STYLE_BOLD, "%s", format_rate(lag, a));
	screen_put(s, STYLE_DIM, "  slots ");
	screen_put(s, ready < all ? STYLE_WARN : STYLE_BOLD, "%.0f/%.0f", ready, all);
	screen_put(s, STYLE_DIM, "  crashes ");
	screen_put(s, crashes > 0 ? STYLE_BAD : STYLE_BOLD, "%s", format_count(crashes, a));
	screen_end_line(s);
}

/* Both processes of a slot where it has two; returns how many slots there was no room for. */
static size_t
view_rows(struct top *t, struct screen *s)
{
	static const struct rates unknown = { NAN, NAN, NAN };
	size_t end = s->full ? (s->height > VIEW_FOOT ? s->height - VIEW_FOOT : 0) : VIEW_MANY * 2;
	size_t i;

	if (t->first >= t->row_count)
		t->first = t->row_count > 0 ? t->row_count - 1 : 0;
	for (i = t->first; i < t->row_count && s->lines < end; i++) {
		const struct top_row *row = &t->rows[i];
		const json_t *other = json_object_get(row->worker, "other");

		view_process(s, member_text(row->worker, "slot"), row->worker, &row->rates);
		if (json_is_object(other) && s->lines < end)
			view_process(s, s->utf8 ? "  \u2514 other" : "  \\ other", other, &unknown);
	}
	while (s->full && s->lines < end)
		screen_end_line(s);
	return t->row_count - i;
}

static void
view_foot(const struct top *t, struct screen *s, size_t more)
{
	const json_t *crash = json_array_get(json_object_get(t->crash, "crashes"), 0);
	char line[CTL_LINE];

	if (t->note[0] != '\0') {
		screen_put(s, t->lost ? STYLE_BAD : STYLE_WARN, "%s", t->note);
	} else if (crash != NULL) {
		crash_line(crash, line, sizeof(line));
		screen_put(s, STYLE_DIM, "newest crash ");
		screen_put(s, STYLE_BAD, "%s", line);
	} else {
		screen_put(s, STYLE_DIM, "no crash reports");
	}
	screen_end_line(s);
	if (!s->full)
		return;
	screen_put(s, STYLE_TITLE, " q ");
	screen_put(s, STYLE_DIM, " quit  ");
	screen_put(s, STYLE_TITLE, " s ");
	screen_put(s, STYLE_DIM, " order: %s  ", top_order_name(t->order));
	screen_put(s, STYLE_TITLE, " arrows ");
	screen_put(s, STYLE_DIM, " scroll");
	if (more > 0)
		screen_put(s, STYLE_WARN, ", %zu more", more);
	screen_end_line(s);
}

void
top_draw(struct top *t, struct screen *s)
{
	size_t more;

	if (t->status == NULL || t->workers == NULL) {
		screen_put(s, STYLE_BAD, "%s", t->note);
		screen_end_line(s);
		while (s->full && s->lines < s->height)
			screen_end_line(s);
		return;
	}
	view_identity(t, s);
	view_traffic(t, s);
	view_upstream(t, s);
	view_titles(s);
	more = view_rows(t, s);
	view_foot(t, s, more);
}
