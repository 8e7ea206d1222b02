/* metric.c - cells of a slot's page.
 *
 * A page is laid out by the compiler: each metric is an array in a struct that is never instantiated, so
 * that a cell's place is a constant and a table that outgrows the page does not compile. A cell has one
 * writing process: a relaxed load and store are enough, and no reader ever sees half a number.
 */
#include "metric.h"

#include <stddef.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "metric_room.h"
#include "text.h"

/* clang-format off */
#define BOUNDS(set, unit_, help_, ...) static const int64_t bounds_##set[] = { __VA_ARGS__ };
#include "tables/bounds.def"

static const struct bounds bounds_rows[] = {
#define BOUNDS(set, unit_, help_, ...) [BOUNDS_##set] = { \
	.name = #set, .help = (help_), .at = bounds_##set, \
	.count = sizeof(bounds_##set) / sizeof(bounds_##set[0]), .unit = UNIT_##unit_ },
#include "tables/bounds.def"
};

enum {
#define BOUNDS(set, unit_, help_, ...) \
	BUCKETS_##set = sizeof(bounds_##set) / sizeof(bounds_##set[0]) + 1, UNIT_OF_##set = UNIT_##unit_,
#include "tables/bounds.def"
};

#define BOUNDS(set, unit_, help_, ...) \
	_Static_assert((int)BUCKETS_##set <= METRIC_BUCKETS_MAX, "bounds.def: too many bounds: " #set);
#include "tables/bounds.def"

struct metric_layout {
#define METRIC(NAME, name, kind, unit, label1, label2, roles, help) \
	uint64_t NAME[LABEL_##label1##_COUNT * LABEL_##label2##_COUNT];
#define HISTOGRAM(NAME, name, bounds, label, roles, help) \
	uint64_t NAME[LABEL_##label##_COUNT * (BUCKETS_##bounds + 1)];
#include "tables/metrics.def"
};
_Static_assert(sizeof(struct metric_layout) <= METRIC_CELLS * sizeof(uint64_t),
    "the tables need more cells than a page has: raise METRIC_CELLS");

static const struct metric_row metric_rows[] = {
#define METRIC(NAME, name_, kind_, unit_, label1, label2, roles_, help_) [M_##NAME] = { \
	.name = #name_, .help = (help_), .kind = METRIC_##kind_, .unit = UNIT_##unit_, \
	.set1 = LABELS_##label1, .set2 = LABELS_##label2, \
	.count1 = LABEL_##label1##_COUNT, .count2 = LABEL_##label2##_COUNT, .step = LABEL_##label2##_COUNT, \
	.roles = (unsigned)(roles_), .offset = offsetof(struct metric_layout, NAME) / sizeof(uint64_t) },
#define HISTOGRAM(NAME, name_, bounds_, label, roles_, help_) [M_##NAME] = { \
	.name = #name_, .help = (help_), .kind = METRIC_HISTOGRAM, .unit = (enum metric_unit)UNIT_OF_##bounds_, \
	.set1 = LABELS_##label, .set2 = LABELS_none, \
	.count1 = LABEL_##label##_COUNT, .count2 = 1, .step = BUCKETS_##bounds_ + 1, \
	.bounds = &bounds_rows[BOUNDS_##bounds_], .buckets = BUCKETS_##bounds_, \
	.roles = (unsigned)(roles_), .offset = offsetof(struct metric_layout, NAME) / sizeof(uint64_t) },
#include "tables/metrics.def"
};
/* clang-format on */

const char *
metric_kind_name(enum metric_kind kind)
{
	static const char *const texts[] = { [METRIC_COUNTER] = "counter",
		[METRIC_GAUGE] = "gauge",
		[METRIC_HISTOGRAM] = "histogram" };

	return texts[kind];
}

const struct bounds *
metric_bounds(enum bounds_set set)
{
	return &bounds_rows[set];
}

const struct metric_row *
metric_row(enum metric m)
{
	if ((unsigned)m >= METRIC_COUNT)
		panic("metric: no metric %d", (int)m);
	return &metric_rows[m];
}

static const struct metric_row *
histogram_row(enum metric m)
{
	const struct metric_row *row = metric_row(m);

	if (row->bounds == NULL)
		panic("metric %s: only histograms have buckets", row->name);
	return row;
}

unsigned
metric_bucket_count(enum metric m)
{
	return histogram_row(m)->buckets;
}

static int64_t
bound_of(const struct bounds *b, unsigned bucket)
{
	return bucket < b->count ? b->at[bucket] : INT64_MAX;
}

int64_t
metric_bucket_bound(enum metric m, unsigned bucket)
{
	return bound_of(histogram_row(m)->bounds, bucket);
}

uint64_t
metric_cell(const struct slot_page *page, size_t cell)
{
	return __atomic_load_n(&page->cells[cell], __ATOMIC_RELAXED);
}

/* Whoever sums up looks at cells that were used: most combinations of labels never are. */
void
metric_cell_set(struct slot_page *page, size_t cell, uint64_t v)
{
	uint64_t bit = UINT64_C(1) << (cell % 64), *word = &page->used[cell / 64];

	if (v != 0 && (*word & bit) == 0)
		(void)__atomic_fetch_or(
		    word, bit, __ATOMIC_RELAXED); /* the master counts here too */
	__atomic_store_n(&page->cells[cell], v, __ATOMIC_RELAXED);
}

size_t
metric_cell_of(const struct metric_row *row, unsigned l1, unsigned l2)
{
	if (l1 >= row->count1 || l2 >= row->count2)
		panic("metric %s: no labels %u, %u", row->name, l1, l2);
	return row->offset + l1 * row->step + l2;
}

static void
cell_add(struct slot_page *page, size_t cell, uint64_t n)
{
	metric_cell_set(page, cell, metric_cell(page, cell) + n);
}

void
metric_add(struct stats *s, enum metric m, unsigned l1, unsigned l2, uint64_t n)
{
	const struct metric_row *row = metric_row(m);
	size_t cell = metric_cell_of(row, l1, l2);

	if (row->kind == METRIC_HISTOGRAM)
		panic("metric %s: a histogram is observed, not added to", row->name);
	if (s->mine != NULL)
		cell_add(s->mine, cell, n);
}

void
metric_set(struct stats *s, enum metric m, unsigned l1, unsigned l2, uint64_t v)
{
	const struct metric_row *row = metric_row(m);
	size_t cell = metric_cell_of(row, l1, l2);

	if (row->kind != METRIC_GAUGE)
		panic("metric %s: only gauges are set", row->name);
	if (s->mine != NULL)
		metric_cell_set(s->mine, cell, v);
}

void
metric_observe(struct stats *s, enum metric m, unsigned l1, int64_t value)
{
	metric_observe_many(s, m, l1, value, 1);
}

void
metric_observe_many(struct stats *s, enum metric m, unsigned l1, int64_t value, uint64_t times)
{
	const struct metric_row *row = histogram_row(m);
	size_t cell = metric_cell_of(row, l1, 0);
	unsigned bucket = 0;

	if (s->mine == NULL)
		return;
	if (value < 0)
		value = 0;
	while (value > bound_of(row->bounds, bucket))
		bucket++;
	cell_add(s->mine, cell + bucket, times);
	cell_add(s->mine, cell + row->buckets, (uint64_t)value * times);
}

uint64_t
metric_read(const struct slot_page *page, enum metric m, unsigned l1, unsigned l2)
{
	const struct metric_row *row = metric_row(m);
	size_t cell = metric_cell_of(row, l1, l2);
	uint64_t sum = 0;

	if (row->kind != METRIC_HISTOGRAM)
		return metric_cell(page, cell);
	for (unsigned b = 0; b < row->buckets; b++)
		sum += metric_cell(page, cell + b);
	return sum;
}

uint64_t
metric_sum(const struct board *board, enum metric m)
{
	const struct metric_row *row = metric_row(m);
	uint32_t slots = __atomic_load_n(&board->slot_count, __ATOMIC_ACQUIRE);
	uint64_t sum = 0;

	for (uint32_t i = 0; i < slots; i++)
		for (unsigned l1 = 0; l1 < row->count1; l1++)
			for (unsigned l2 = 0; l2 < row->count2; l2++)
				sum += metric_read(&board->slots[i], m, l1, l2);
	return sum;
}

/* The cells of a metric lie side by side; those of a histogram end with its sum. */
uint64_t
metric_total(const struct slot_page *page, enum metric m)
{
	const struct metric_row *row = metric_row(m);
	size_t many = row->kind == METRIC_HISTOGRAM ? row->buckets : row->count2;
	uint64_t sum = 0;

	for (size_t l1 = 0; l1 < row->count1; l1++)
		for (size_t i = 0; i < many; i++)
			sum += metric_cell(page, row->offset + l1 * row->step + i);
	return sum;
}

void
metric_buckets_add(const struct slot_page *page, enum metric m, uint64_t to[METRIC_BUCKETS_MAX])
{
	const struct metric_row *row = histogram_row(m);

	for (unsigned l1 = 0; l1 < row->count1; l1++)
		for (unsigned b = 0; b < row->buckets; b++)
			to[b] += metric_cell(page, metric_cell_of(row, l1, 0) + b);
}

static size_t
doing_add(char *to, size_t at, size_t size, const char *word)
{
	if (at > 0 && at < size - 1)
		to[at++] = ' ';
	while (at < size - 1 && *word != '\0')
		to[at++] = *word++;
	return at;
}

void
stats_doing(struct stats *s, const char *one, const char *two, const char *three)
{
	struct slot_page *p = s->mine;
	size_t at = 0;

	if (p == NULL)
		return;
	at = doing_add(p->doing, at, sizeof(p->doing), one);
	at = doing_add(p->doing, at, sizeof(p->doing), two);
	at = doing_add(p->doing, at, sizeof(p->doing), three);
	p->doing[at] = '\0';
	p->doing_ns = clock_wall();
	__atomic_store_n(&p->doing_on, 1, __ATOMIC_RELEASE);
}

void
stats_patience(struct stats *s, int64_t ms)
{
	if (s->mine != NULL)
		__atomic_store_n(&s->mine->patience_ms, (uint64_t)ms, __ATOMIC_RELAXED);
}

void
stats_done(struct stats *s)
{
	if (s->mine != NULL)
		__atomic_store_n(&s->mine->doing_on, 0, __ATOMIC_RELEASE);
}

void
check_store(
    struct stats *s, enum check_name check, int error, int64_t response_ns, const char *text)
{
	struct check_result *c;
	char cut[sizeof(c->text)] = "";
	int64_t now = clock_wall();

	if ((unsigned)check >= BOARD_CHECKS)
		panic("metric: no check %d", (int)check);
	if (s->mine == NULL)
		return;
	c = &s->mine->checks[check];
	__atomic_store_n(&c->response_us, (uint64_t)(response_ns > 0 ? response_ns / 1000 : 0),
	    __ATOMIC_RELAXED);
	__atomic_store_n(&c->error, error, __ATOMIC_RELAXED);
	if (error == E_OK) {
		__atomic_store_n(&c->ok_ns, now, __ATOMIC_RELAXED);
	} else {
		(void)text_copy(cut, sizeof(cut), text != NULL ? text : "");
		memcpy(c->text, cut, sizeof(cut));
		__atomic_store_n(&c->failed_ns, now, __ATOMIC_RELAXED);
	}
	__atomic_store_n(&c->checked_ns, now, __ATOMIC_RELEASE);
}
