/* expose.c - the board as Prometheus text, and the reference of every metric.
 *
 * Of a slot its role's metrics are shown, and the master's about it. A series with labels appears when it
 * first counts, so that a thousand combinations nobody uses cost nothing; one without labels, a gauge, and
 * what the master says of a slot are always there: a rate needs its zero.
 */
#include <inttypes.h>
#include <string.h>

#include "decimal.h"
#include "metric_room.h"

#define PREFIX "opitios_"

struct expose {
	struct buf *out;
	const struct metric_row *row;
	const struct slot_page *page;
	const char *role;
	bool headed; /* HELP and TYPE are written */
	int error;   /* first one; nothing is written after it */
};

#define PUT(e, ...)                                                                                \
	do {                                                                                       \
		if ((e)->error == E_OK)                                                            \
			(e)->error = buf_printf((e)->out, __VA_ARGS__);                            \
	} while (0)

static const char *
kind_text(enum metric_kind kind)
{
	static const char *const texts[] = { [METRIC_COUNTER] = "counter",
		[METRIC_GAUGE] = "gauge",
		[METRIC_HISTOGRAM] = "histogram" };

	return texts[kind];
}

/* Backslash, newline and, in labels, the quote are escaped. */
static void
expose_text(struct expose *e, const char *text, bool is_label)
{
	for (; *text != '\0'; text++) {
		if (*text == '\n')
			PUT(e, "\\n");
		else if (*text == '\\' || (*text == '"' && is_label))
			PUT(e, "\\%c", *text);
		else
			PUT(e, "%c", *text);
	}
}

static void
expose_head(struct expose *e)
{
	if (e->headed)
		return;
	e->headed = true;
	PUT(e, "# HELP " PREFIX "%s ", e->row->name);
	expose_text(e, e->row->help, false);
	PUT(e, "\n# TYPE " PREFIX "%s %s\n", e->row->name, kind_text(e->row->kind));
}

/* name_suffix{worker="..",role="..",label1="..",label2=".." - the brace is left open. */
static void
expose_name(struct expose *e, const char *suffix, unsigned l1, unsigned l2)
{
	const struct metric_row *row = e->row;

	expose_head(e);
	PUT(e, PREFIX "%s%s{worker=\"", row->name, suffix);
	expose_text(e, e->page->slot, true);
	PUT(e, "\",role=\"%s\"", e->role);
	if (row->set1 != LABELS_none) {
		PUT(e, ",%s=\"", label_set_name(row->set1));
		expose_text(e, label_text(row->set1, l1), true);
		PUT(e, "\"");
	}
	if (row->set2 != LABELS_none) {
		PUT(e, ",%s=\"", label_set_name(row->set2));
		expose_text(e, label_text(row->set2, l2), true);
		PUT(e, "\"");
	}
}

/* A cell in its unit. Gauges may be below zero, counters may be above what is signed. */
static void
expose_number(struct expose *e, enum metric_unit unit, uint64_t v)
{
	char text[DECIMAL_TEXT];

	if (unit == UNIT_ONE && e->row->kind == METRIC_COUNTER) {
		PUT(e, "%" PRIu64, v);
		return;
	}
	if (unit == UNIT_ONE) {
		PUT(e, "%" PRId64, (int64_t)v);
		return;
	}
	decimal_format((double)(int64_t)v / (unit == UNIT_MILLI ? 1e3 : 1e9), text);
	PUT(e, "%s", text);
}

static void
expose_single(struct expose *e, enum metric_unit unit, unsigned l1, unsigned l2, uint64_t v)
{
	expose_name(e, "", l1, l2);
	PUT(e, "} ");
	expose_number(e, unit, v);
	PUT(e, "\n");
}

static void
expose_histogram(struct expose *e, unsigned l1)
{
	size_t cell = metric_cell_of(e->row, l1, 0);
	uint64_t below = 0;
	char bound[DECIMAL_TEXT];

	/* The sum is read first: it is then never of observations the buckets do not have yet. */
	uint64_t sum = metric_cell(e->page, cell + METRIC_BUCKETS);

	for (unsigned b = 0; b < METRIC_BUCKETS; b++) {
		below += metric_cell(e->page, cell + b);
		if (b < METRIC_BUCKETS - 1)
			decimal_format((double)metric_bucket_ns(b) / 1e9, bound);
		expose_name(e, "_bucket", l1, 0);
		PUT(e, ",le=\"%s\"} %" PRIu64 "\n", b < METRIC_BUCKETS - 1 ? bound : "+Inf", below);
	}
	expose_name(e, "_sum", l1, 0);
	PUT(e, "} ");
	expose_number(e, e->row->unit, sum);
	PUT(e, "\n");
	expose_name(e, "_count", l1, 0);
	PUT(e, "} %" PRIu64 "\n", below);
}

static bool
row_is_always_shown(const struct metric_row *row)
{
	return row->kind == METRIC_GAUGE || row->set1 == LABELS_none || row->roles == ROLE_MASTER;
}

static void
expose_series(struct expose *e, enum metric m)
{
	const struct metric_row *row = e->row;

	for (unsigned l1 = 0; l1 < row->count1; l1++) {
		for (unsigned l2 = 0; l2 < row->count2; l2++) {
			uint64_t v = metric_read(e->page, m, l1, l2);

			if (v == 0 && !row_is_always_shown(row))
				continue;
			if (row->kind == METRIC_HISTOGRAM)
				expose_histogram(e, l1);
			else
				expose_single(e, row->unit, l1, l2, v);
		}
	}
}

/* What stands in fields of the page instead of cells. */
static bool
expose_field(struct expose *e, enum metric m)
{
	const struct slot_page *p = e->page;
	bool is_ready = p->pid > 0 && strcmp(p->state, "ready") == 0;

	switch (m) {
	case M_WORKER_UP:
		expose_single(e, UNIT_ONE, 0, 0, is_ready);
		return true;
	case M_WORKER_STARTED:
		expose_single(e, UNIT_STAMP, 0, 0,
		    (uint64_t)__atomic_load_n(&p->spawned_ns, __ATOMIC_RELAXED));
		return true;
	case M_WORKER_HEARTBEAT:
		expose_single(e, UNIT_STAMP, 0, 0,
		    (uint64_t)__atomic_load_n(&p->heartbeat_ns, __ATOMIC_RELAXED));
		return true;
	default:
		return false;
	}
}

static void
expose_metric(struct expose *e, const struct board *board, enum metric m)
{
	uint32_t slots = __atomic_load_n(&board->slot_count, __ATOMIC_ACQUIRE);

	e->row = metric_row(m);
	e->headed = false;
	for (uint32_t i = 0; i < slots && i < BOARD_SLOTS; i++) {
		e->page = &board->slots[i];
		if (e->page->in_use == 0 ||
		    (e->row->roles != ROLE_MASTER && (e->row->roles & e->page->role) == 0))
			continue;
		e->role = role_name((enum role)e->page->role);
		if (!expose_field(e, m))
			expose_series(e, m);
	}
}

int
metric_expose(const struct board *board, struct buf *out)
{
	struct expose e = { .out = out };
	char text[DECIMAL_TEXT];

	PUT(&e, "# HELP " PREFIX "build_info What is running.\n"
		"# TYPE " PREFIX "build_info gauge\n" PREFIX "build_info{version=\"");
	expose_text(&e, board->version, true);
	decimal_format((double)board->started_ns / 1e9, text);
	PUT(&e,
	    "\"} 1\n"
	    "# HELP " PREFIX "start_time_seconds When the gateway started, as unix time.\n"
	    "# TYPE " PREFIX "start_time_seconds gauge\n" PREFIX "start_time_seconds %s\n",
	    text);
	for (unsigned m = 0; m < METRIC_COUNT; m++)
		expose_metric(&e, board, (enum metric)m);
	return e.error;
}

static void
reference_labels(struct expose *e, const struct metric_row *row)
{
	PUT(e, "worker, role");
	if (row->set1 != LABELS_none)
		PUT(e, ", %s", label_set_name(row->set1));
	if (row->set2 != LABELS_none)
		PUT(e, ", %s", label_set_name(row->set2));
}

int
metric_reference(struct buf *out)
{
	struct expose e = { .out = out };

	PUT(&e, "| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n");
	PUT(&e, "| `" PREFIX "build_info` | gauge | version | What is running. |\n");
	PUT(&e, "| `" PREFIX
		"start_time_seconds` | gauge | | When the gateway started, as unix time. |\n");
	for (unsigned m = 0; m < METRIC_COUNT; m++) {
		const struct metric_row *row = metric_row((enum metric)m);

		PUT(&e, "| `" PREFIX "%s` | %s | ", row->name, kind_text(row->kind));
		reference_labels(&e, row);
		PUT(&e, " | %s |\n", row->help);
	}
	return e.error;
}
