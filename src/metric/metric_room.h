/* metric_room.h - what the files of the metric room share. */
#ifndef METRIC_ROOM_H
#define METRIC_ROOM_H
#include "label.h"
#include "metric.h"

/* Cells of a histogram: its buckets, not cumulative, and their sum. */
#define HISTOGRAM_CELLS_MAX (METRIC_BUCKETS_MAX + 1)

#define METRIC_PREFIX "opitios_"

struct bounds {			/* a row of bounds.def */
	const char	*name;
	const char	*help;
	const int64_t	*at;		/* rising */
	unsigned	 count;		/* one less than the buckets */
	enum metric_unit unit;
};
enum bounds_set {
#define BOUNDS(set, unit, help, ...) BOUNDS_##set,
#include "tables/bounds.def"
	BOUNDS_COUNT
};
const struct bounds *metric_bounds(enum bounds_set);

struct metric_row {
	const char	*name;		/* without opitios_ */
	const char	*help;
	enum metric_kind kind;
	enum metric_unit unit;
	enum label_set	 set1, set2;
	unsigned	 count1, count2; /* values of the sets */
	unsigned	 roles;
	size_t		 offset;	/* of its first cell */
	size_t		 step;		/* from one value of the first label to the next, in cells */
	const struct bounds *bounds;	/* null: it is no histogram */
	unsigned	 buckets;	/* of a histogram; its sum stands behind them */
};

const struct metric_row *metric_row(enum metric);

const char	*metric_kind_name(enum metric_kind);	/* "counter" */

uint64_t	 metric_cell(const struct slot_page *, size_t cell);
void		 metric_cell_set(struct slot_page *, size_t cell, uint64_t);
/* First cell of a series. */
size_t		 metric_cell_of(const struct metric_row *, unsigned l1, unsigned l2);

/* Cells that were ever other than zero, with what the seats of a slot hold together; by number within a slot. */
struct cell {
	uint32_t	 cell;
	uint64_t	 value;
};
struct cells {
	struct cell	*at;
	size_t		 count, room;
};
size_t		 cells_read(struct cells *, const struct slot_view *);	/* adds those of a slot; how many */
void		 cells_fini(struct cells *);

/* The name of a set as Prometheus label: "route". */
const char	*label_set_name(enum label_set);

#endif /* METRIC_ROOM_H */
