/* metric_room.h - what the files of the metric room share. */
#ifndef METRIC_ROOM_H
#define METRIC_ROOM_H
#include "label.h"
#include "metric.h"

/* Cells of a histogram: its buckets, not cumulative, and the sum in nanoseconds. */
#define HISTOGRAM_CELLS (METRIC_BUCKETS + 1)

struct metric_row {
	const char	*name;		/* without opitios_ */
	const char	*help;
	enum metric_kind kind;
	enum metric_unit unit;
	enum label_set	 set1, set2;
	unsigned	 count1, count2; /* values of the sets */
	unsigned	 roles;
	size_t		 offset;	/* of its first cell */
};

const struct metric_row *metric_row(enum metric);

uint64_t	 metric_cell(const struct slot_page *, size_t cell);
void		 metric_cell_set(struct slot_page *, size_t cell, uint64_t);
/* First cell of a series. */
size_t		 metric_cell_of(const struct metric_row *, unsigned l1, unsigned l2);

/* The name of a set as Prometheus label: "route". */
const char	*label_set_name(enum label_set);

#endif /* METRIC_ROOM_H */
