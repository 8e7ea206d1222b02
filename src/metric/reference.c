/* reference.c - the reference of every metric, as rows of Markdown. */
#include "metric_room.h"

static int
reference_row(struct buf *out, const struct metric_row *row)
{
	bool has1 = row->set1 != LABELS_none, has2 = row->set2 != LABELS_none;

	return buf_printf(out, "| `" METRIC_PREFIX "%s` | %s | worker, role%s%s%s%s | %s |\n",
	    row->name, metric_kind_name(row->kind), has1 ? ", " : "",
	    has1 ? label_set_name(row->set1) : "", has2 ? ", " : "",
	    has2 ? label_set_name(row->set2) : "", row->help);
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
	return r;
}
