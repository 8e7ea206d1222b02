/* top_read.c - asks the master once, and compares with the time before. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "text.h"
#include "top.h"

#define TOP_NOTE_LOOKS 10

const char *
top_order_name(enum top_order order)
{
	static const char *const names[] = { "slot", "requests", "p99", "cpu", "memory",
		"restarts" };

	return names[order];
}

static void
top_say(struct top *t, const char *text)
{
	(void)text_copy(t->note, sizeof(t->note), text);
	format_clean(t->note);
	t->note_looks = TOP_NOTE_LOOKS;
}

static uint64_t
count_of(double v)
{
	return isfinite(v) && v > 0 ? (uint64_t)v : 0;
}

static void
sample_read(const json_t *w, size_t bound_count, struct rate_sample *s)
{
	const json_t *buckets = json_object_get(w, "duration_buckets");

	memset(s, 0, sizeof(*s));
	s->requests = count_of(member_number(w, "requests_total"));
	s->cpu_seconds = member_number(w, "cpu_seconds");
	s->pid = (int64_t)count_of(member_number(w, "pid"));
	for (size_t i = 0; i <= bound_count && i < RATE_BUCKETS; i++)
		s->buckets[i] = count_of(json_number_value(json_array_get(buckets, i)));
}

static const struct rate_sample *
last_of(const struct top *t, const char *slot)
{
	for (size_t i = 0; i < t->last_count; i++)
		if (strcmp(t->last_slots[i], slot) == 0)
			return &t->last[i];
	return NULL;
}

static void
top_read_bounds(struct top *t)
{
	const json_t *bounds = json_object_get(t->workers, "bucket_seconds"), *bound;
	size_t i;

	t->bound_count = 0;
	json_array_foreach(bounds, i, bound)
	{
		if (t->bound_count == RATE_BUCKETS - 1)
			break;
		t->bounds[t->bound_count++] = json_number_value(bound);
	}
}

static void
top_add_history(struct top *t, double v)
{
	if (t->history_count == TOP_HISTORY)
		memmove(t->history, t->history + 1, (TOP_HISTORY - 1) * sizeof(t->history[0]));
	else
		t->history_count++;
	t->history[t->history_count - 1] = isfinite(v) ? v : 0;
}

static void
top_forget(struct top *t)
{
	mem_free(&t->last);
	mem_free(&t->last_slots);
	t->last_count = 0;
	t->last_seconds = NAN;
}

/* What was seen now is what the next look compares with. */
static void
top_remember(struct top *t, double seconds)
{
	top_forget(t);
	t->last = mem_array(t->row_count + 1, sizeof(*t->last));
	t->last_slots = mem_array(t->row_count + 1, sizeof(*t->last_slots));
	for (size_t i = 0; i < t->row_count; i++) {
		t->last[i] = t->rows[i].sample;
		(void)text_copy(t->last_slots[i], sizeof(t->last_slots[i]),
		    member_text(t->rows[i].worker, "slot"));
	}
	t->last_count = t->row_count;
	t->last_seconds = seconds;
}

/* Requests of clients are those of http; the fetcher's are calls of the upstream. */
static void
top_compare(struct top *t)
{
	const json_t *workers = json_object_get(t->workers, "workers"), *w;
	double now = member_number(t->workers, "monotonic_seconds"),
	       seconds = now - t->last_seconds;
	struct rate_sample before = { 0 }, after = { 0 };
	const struct rate_sample *last;
	size_t i;

	mem_free(&t->rows);
	t->row_count = json_array_size(workers);
	t->rows = mem_array(t->row_count + 1, sizeof(*t->rows));
	json_array_foreach(workers, i, w)
	{
		struct top_row *row = &t->rows[i];

		row->worker = w;
		row->rates = (struct rates){ NAN, NAN, NAN };
		sample_read(w, t->bound_count, &row->sample);
		if (!isfinite(seconds) || (last = last_of(t, member_text(w, "slot"))) == NULL)
			continue;
		rates_between(last, &row->sample, seconds, t->bounds, t->bound_count, &row->rates);
		if (strcmp(member_text(w, "role"), "http") != 0)
			continue;
		rate_sample_add(&before, last);
		rate_sample_add(&after, &row->sample);
	}
	t->total = (struct rates){ NAN, NAN, NAN };
	if (isfinite(seconds)) {
		rates_between(&before, &after, seconds, t->bounds, t->bound_count, &t->total);
		top_add_history(t, t->total.requests);
	}
	top_remember(t, now);
}

static int
top_ask(struct client *c, const char *command, unsigned limit, json_t **answer, char why[CTL_LINE])
{
	json_t *fresh;
	int r = client_ask(c, command, NULL, limit, c->timeout_ms, &fresh, why);

	if (r != E_OK)
		return r;
	if (!answer_is_ok(fresh)) {
		(void)text_copy(why, CTL_LINE, member_text(fresh, "error"));
		json_decref(fresh);
		client_close(c);
		return E_PROTOCOL;
	}
	json_decref(*answer);
	*answer = fresh;
	return E_OK;
}

/* A report is read when there is a newer one. */
static int
top_read_crash(struct top *t, struct client *c, char why[CTL_LINE])
{
	double newest = member_number(json_object_get(t->status, "crashes"), "newest");
	const json_t *shown = json_array_get(json_object_get(t->crash, "crashes"), 0);

	if (!(newest > 0) || (shown != NULL && (double)crash_report_id(shown) == newest))
		return E_OK;
	return top_ask(c, "crashes", 1, &t->crash, why);
}

static int
float_order(double a, double b)
{
	a = isfinite(a) ? a : -1;
	b = isfinite(b) ? b : -1;
	return a < b ? 1 : a > b ? -1 : 0;
}

static double
row_key(const struct top_row *row, enum top_order order)
{
	switch (order) {
	case TOP_BY_REQUESTS:
		return row->rates.requests;
	case TOP_BY_P99:
		return row->rates.p99;
	case TOP_BY_CPU:
		return row->rates.cpu;
	case TOP_BY_RSS:
		return member_number(row->worker, "rss_bytes");
	case TOP_BY_RESTARTS:
		return member_number(row->worker, "restarts");
	case TOP_BY_SLOT:
	case TOP_ORDERS:
		break;
	}
	return 0;
}

/* Few rows, nearly sorted from look to look; equal ones stay in the order of the slots. */
void
top_sort(struct top *t)
{
	for (size_t i = 1; i < t->row_count; i++) {
		struct top_row row = t->rows[i];
		size_t j = i;

		for (; j > 0 &&
		       float_order(row_key(&t->rows[j - 1], t->order), row_key(&row, t->order)) > 0;
		     j--)
			t->rows[j] = t->rows[j - 1];
		t->rows[j] = row;
	}
}

static void
top_note_master(struct top *t)
{
	int64_t pid = (int64_t)count_of(member_number(t->status, "pid"));
	char text[TOP_NOTE];

	if (t->master_pid != 0 && t->master_pid != pid) {
		(void)snprintf(text, sizeof(text),
		    "the gateway was started anew: pid %lld was %lld before", (long long)pid,
		    (long long)t->master_pid);
		top_say(t, text);
		top_forget(t);
	} else if (t->lost) {
		top_say(t, "the gateway answers again");
	}
	t->master_pid = pid;
	t->lost = false;
}

void
top_read(struct top *t, struct client *c)
{
	char why[CTL_LINE];

	if (t->note_looks > 0 && --t->note_looks == 0)
		t->note[0] = '\0';
	/* The rows point into the answer to `workers`: once that is another, they are made anew at once. */
	if (top_ask(c, "status", 0, &t->status, why) != E_OK || top_read_crash(t, c, why) != E_OK ||
	    top_ask(c, "workers", 0, &t->workers, why) != E_OK) {
		t->lost = true;
		top_say(t, why);
		return;
	}
	top_note_master(t);
	top_read_bounds(t);
	top_compare(t);
	top_sort(t);
}

void
top_fini(struct top *t)
{
	top_forget(t);
	mem_free(&t->rows);
	json_decref(t->status);
	json_decref(t->workers);
	json_decref(t->crash);
}
