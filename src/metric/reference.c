/* reference.c - the reference of every metric, as rows of Markdown. */
#include "decimal.h"
#include "metric_room.h"

static int
reference_row(struct buf *out, const struct metric_row *row)
{
	bool has1 = row->set1 != LABELS_none, has2 = row->set2 != LABELS_none;

	return buf_printf(out, "| `" METRIC_PREFIX "%s` | %s%s%s%s | worker, role%s%s%s%s | %s |\n",
	    row->name, metric_kind_name(row->kind), row->bounds != NULL ? " (" : "",
	    row->bounds != NULL ? row->bounds->name : "", row->bounds != NULL ? ")" : "",
	    has1 ? ", " : "", has1 ? label_set_name(row->set1) : "", has2 ? ", " : "",
	    has2 ? label_set_name(row->set2) : "", row->help);
}

static int
reference_bounds(struct buf *out, const struct bounds *b)
{
	char text[DECIMAL_TEXT];
	double one = b->unit == UNIT_NANO ? 1e9 : 1;
	int r =
	    buf_printf(out, "| %s | %s | ", b->name, b->unit == UNIT_NANO ? "seconds" : "number");

	for (unsigned i = 0; i < b->count && r == E_OK; i++) {
		decimal_format((double)b->at[i] / one, text);
		r = buf_printf(out, "%s%s", i > 0 ? " " : "", text);
	}
	return r == E_OK ? buf_printf(out, " | %s |\n", b->help) : r;
}

int
metric_reference(struct buf *out)
{
	int r;

	r = buf_add_text(out,
	    "| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n"
	    "| `" METRIC_PREFIX "build_info` | gauge | version | What is running. |\n"
	    "| `" METRIC_PREFIX
	    "start_time_seconds` | gauge | | When the gateway started, as unix time. |\n");
	for (unsigned m = 0; m < METRIC_COUNT && r == E_OK; m++)
		r = reference_row(out, metric_row((enum metric)m));
	if (r == E_OK)
		r = buf_add_text(out,
		    "\n## Bounds of buckets\n\n"
		    "A histogram names its bounds in brackets. A quantile is never above the last "
		    "one.\n\n"
		    "| bounds | unit | upper bounds | chosen for |\n| --- | --- | --- | --- |\n");
	for (unsigned set = 0; set < BOUNDS_COUNT && r == E_OK; set++)
		r = reference_bounds(out, metric_bounds((enum bounds_set)set));
	return r;
}
