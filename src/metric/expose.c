/* expose.c - the board as Prometheus text or OpenMetrics.
 *
 * Of a slot its role's metrics are shown, and the master's about it; both seats of a slot together, under its name, so
 * that neither a kill nor a reload makes or ends a series. A series whose labels may take many values appears when it
 * first counts, so that a thousand combinations nobody uses cost nothing; one of few values, a gauge, and what the
 * master says are always there: a rate needs its zero.
 *
 * A scrape may be of hundreds of slots. Each page is read once, in its own order; the text is then made metric by
 * metric from what was read, each line a few copies into room that was reserved for it.
 */
#include <string.h>

#include "clock.h"
#include "decimal.h"
#include "mem.h"
#include "metric_room.h"

#define PREFIX	   METRIC_PREFIX
#define FEW_SERIES 16
#define NUMBER_MAX 32			/* digits, sign, point, newline */
#define LABELS_MAX 256			/* ,route="/api/v1/stocks/{symbol}/snapshot",code="200" */
#define WORKER_MAX (2 * SLOT_NAME + 48) /* {worker="http-0",role="http" */
#define LINE_ROOM  (128 + LABELS_MAX + WORKER_MAX + DECIMAL_TEXT + NUMBER_MAX)

struct text { /* a piece of a line, ready to be copied */
	char at[LABELS_MAX];
	size_t len;
};

struct shown { /* a slot while it is exposed */
	struct slot_view view;
	size_t next, end; /* its cells that are not shown yet */
	size_t worker_len;
	char worker[WORKER_MAX];
};

struct expose {
	struct buf *out;
	bool is_open; /* OpenMetrics */
	int64_t now_ns;
	const struct metric_row *row;
	struct shown *shown;
	size_t count;
	struct slot_view *views;
	struct cells cells;
	struct text bounds[METRIC_BUCKETS_MAX]; /* of the metric in hand: le="0.0001"} */
	size_t name_len;
	char name[96];
	bool headed; /* HELP and TYPE are written */
	int error;   /* first one; nothing is written after it */
};

#define PUT(e, ...)                                                                                \
	do {                                                                                       \
		if ((e)->error == E_OK)                                                            \
			(e)->error = buf_printf((e)->out, __VA_ARGS__);                            \
	} while (0)

static char *
put(char *at, const char *from, size_t len)
{
	memcpy(at, from, len);
	return at + len;
}

#define PUT_TEXT(at, literal) put((at), (literal), sizeof(literal) - 1)

/* Backslash, newline and, in labels, the quote are escaped: at most twice as long. */
static char *
put_escaped(char *at, const char *text, size_t len, bool is_label)
{
	for (; len > 0 && *text != '\0'; text++, len--) {
		if (*text == '\n' || *text == '\\' || (*text == '"' && is_label))
			*at++ = '\\';
		*at++ = *text == '\n' ? 'n' : *text;
	}
	return at;
}

static char *
put_digits(char *at, uint64_t v)
{
	char back[24];
	size_t n = sizeof(back);

	do
		back[--n] = (char)('0' + v % 10);
	while ((v /= 10) > 0);
	return put(at, back + n, sizeof(back) - n);
}

/* v of so many digits behind the point, without the zeros at the end. */
static char *
put_fixed(char *at, int64_t v, unsigned places, uint64_t one)
{
	uint64_t size = v < 0 ? -(uint64_t)v : (uint64_t)v, rest = size % one;

	if (v < 0)
		*at++ = '-';
	at = put_digits(at, size / one);
	if (rest == 0)
		return at;
	*at = '.';
	for (unsigned i = places; i > 0; i--, rest /= 10)
		at[i] = (char)('0' + rest % 10);
	while (at[places] == '0')
		places--;
	return at + places + 1;
}

/* A cell in its unit. Gauges may be below zero, counters may be above what is signed. */
static char *
put_number(char *at, const struct metric_row *row, enum metric_unit unit, uint64_t v)
{
	if (unit == UNIT_MILLI)
		return put_fixed(at, (int64_t)v, 3, 1000);
	if (unit != UNIT_ONE)
		return put_fixed(at, (int64_t)v, 9, 1000000000);
	if (row->kind == METRIC_COUNTER || (int64_t)v >= 0)
		return put_digits(at, v);
	return put_fixed(at, (int64_t)v, 0, 1);
}

static bool
ends_with(const char *text, size_t len, const char *end)
{
	size_t n = strlen(end);

	return len > n && memcmp(text + len - n, end, n) == 0;
}

/* OpenMetrics names a counter without its suffix, and a unit that ends the name. */
static void
expose_head(struct expose *e)
{
	static const char *const units[] = { "_seconds", "_bytes" };
	size_t len = e->name_len;
	char help[512];

	if (e->headed)
		return;
	e->headed = true;
	*put_escaped(help, e->row->help, sizeof(help) / 2 - 1, e->is_open) = '\0';
	if (e->is_open && e->row->kind == METRIC_COUNTER)
		len -= sizeof("_total") - 1;
	PUT(e, "# HELP %.*s %s\n# TYPE %.*s %s\n", (int)len, e->name, help, (int)len, e->name,
	    metric_kind_name(e->row->kind));
	for (size_t i = 0; e->is_open && i < sizeof(units) / sizeof(units[0]); i++)
		if (ends_with(e->name, len, units[i]))
			PUT(e, "# UNIT %.*s %s\n", (int)len, e->name, units[i] + 1);
}

static char *
put_label(char *at, enum label_set set, unsigned index)
{
	const char *name = label_set_name(set), *text = label_text(set, index);

	if (set == LABELS_none)
		return at;
	*at++ = ',';
	at = put(at, name, strlen(name));
	at = PUT_TEXT(at, "=\"");
	at = put_escaped(at, text, strlen(text), true);
	return PUT_TEXT(at, "\"");
}

static void
labels_of(struct text *t, const struct metric_row *row, unsigned l1, unsigned l2)
{
	char *at = put_label(t->at, row->set1, l1);

	t->len = (size_t)(put_label(at, row->set2, l2) - t->at);
}

/* Room for a line; null when the buffer's limit is reached. */
static char *
line_begin(struct expose *e)
{
	if (e->error == E_OK)
		e->error = buf_reserve(e->out, LINE_ROOM);
	return e->error == E_OK ? (char *)buf_tail(e->out) : NULL;
}

static void
line_end(struct expose *e, char *end)
{
	*end++ = '\n';
	buf_commit(e->out, (size_t)(end - (char *)buf_tail(e->out)));
}

/* name_suffix{worker="..",role="..",label1="..",label2=".." - the brace is left open. */
static char *
put_series(char *at, const struct expose *e, const struct shown *s, const char *suffix,
    const struct text *labels)
{
	at = put(at, e->name, e->name_len);
	at = put(at, suffix, strlen(suffix));
	at = put(at, s->worker, s->worker_len);
	return put(at, labels->at, labels->len);
}

static void
expose_single(struct expose *e, const struct shown *s, const char *suffix,
    const struct text *labels, enum metric_unit unit, uint64_t v)
{
	char *at;

	expose_head(e);
	if ((at = line_begin(e)) == NULL)
		return;
	at = put_series(at, e, s, suffix, labels);
	at = PUT_TEXT(at, "} ");
	line_end(e, put_number(at, e->row, unit, v));
}

static void
expose_histogram(
    struct expose *e, const struct shown *s, unsigned l1, const uint64_t cells[HISTOGRAM_CELLS_MAX])
{
	char head[LINE_ROOM], *at;
	struct text labels;
	uint64_t below = 0;
	size_t len;

	labels_of(&labels, e->row, l1, 0);
	expose_head(e);
	len = (size_t)(put_series(head, e, s, "_bucket", &labels) - head);
	for (unsigned b = 0; b < e->row->buckets; b++) {
		below += cells[b];
		if ((at = line_begin(e)) == NULL)
			return;
		at = put(at, head, len);
		at = put(at, e->bounds[b].at, e->bounds[b].len);
		line_end(e, put_digits(at, below));
	}
	expose_single(e, s, "_sum", &labels, e->row->unit, cells[e->row->buckets]);
	expose_single(e, s, "_count", &labels, UNIT_ONE, below);
}

/* A counter that may take few values only is cheap to show before it counts, and the first time is the one to see. */
static bool
row_is_always_shown(const struct metric_row *row)
{
	return row->kind == METRIC_GAUGE || row->set1 == LABELS_none || row->roles == ROLE_MASTER ||
	       row->roles == ROLE_GATEWAY || (size_t)row->count1 * row->count2 <= FEW_SERIES;
}

/* The value of a cell if it was ever other than zero; cells are asked for in their order. */
static uint64_t
shown_cell(const struct expose *e, struct shown *s, size_t cell)
{
	while (s->next < s->end && e->cells.at[s->next].cell < cell)
		s->next++;
	if (s->next < s->end && e->cells.at[s->next].cell == cell)
		return e->cells.at[s->next].value;
	return 0;
}

static void
expose_every(struct expose *e, struct shown *s)
{
	const struct metric_row *row = e->row;
	struct text labels;

	for (unsigned l1 = 0; l1 < row->count1; l1++) {
		for (unsigned l2 = 0; l2 < row->count2; l2++) {
			labels_of(&labels, row, l1, l2);
			expose_single(e, s, "", &labels, row->unit,
			    shown_cell(e, s, row->offset + (size_t)l1 * row->count2 + l2));
		}
	}
}

/* The first cell, from `cell` on and below `end`, that was used; `end` when there is none. */
static size_t
shown_seek(const struct expose *e, struct shown *s, size_t cell, size_t end)
{
	(void)shown_cell(e, s, cell);
	if (s->next == s->end || e->cells.at[s->next].cell >= end)
		return end;
	return e->cells.at[s->next].cell;
}

static void
expose_counted(struct expose *e, struct shown *s)
{
	const struct metric_row *row = e->row;
	size_t first = row->offset, end = first + (size_t)row->count1 * row->count2, cell = first;
	struct text labels;
	uint64_t v;

	for (; (cell = shown_seek(e, s, cell, end)) < end; cell++) {
		if ((v = shown_cell(e, s, cell)) == 0)
			continue;
		labels_of(&labels, row, (unsigned)((cell - first) / row->count2),
		    (unsigned)((cell - first) % row->count2));
		expose_single(e, s, "", &labels, row->unit, v);
	}
}

static void
expose_histograms(struct expose *e, struct shown *s)
{
	const struct metric_row *row = e->row;
	size_t first = row->offset, end = first + row->count1 * row->step, cell = first;
	uint64_t cells[HISTOGRAM_CELLS_MAX], count;

	while ((cell = shown_seek(e, s, cell, end)) < end) {
		cell -= (cell - first) % row->step;
		count = 0;
		for (size_t i = 0; i < row->step; i++) {
			cells[i] = shown_cell(e, s, cell + i);
			count += i < row->buckets ? cells[i] : 0;
		}
		if (count > 0)
			expose_histogram(e, s, (unsigned)((cell - first) / row->step), cells);
		cell += row->step;
	}
}

/* A page its process has spoilt may hold any time. */
static uint64_t
silence_ns(const struct slot_page *p, int64_t now)
{
	int64_t beat = __atomic_load_n(&p->heartbeat_ns, __ATOMIC_RELAXED);

	return beat > 0 && beat < now ? (uint64_t)(now - beat) : 0;
}

/* What stands in fields of the current seat's page instead of cells, or is not to be told. */
static bool
expose_field(struct expose *e, const struct shown *s, enum metric m)
{
	static const struct text no_labels = { .len = 0 };
	const struct slot_page *p = s->view.current;
	uint64_t v;

	/* Nobody is missing where nobody is wanted: of a slot that was scaled away only what it counted is told. */
	if (s->view.retired && e->row->kind == METRIC_GAUGE)
		return true;
	switch (m) {
	case M_WORKER_UP:
		v = slot_page_is_ready(p);
		break;
	case M_WORKER_STARTED:
		v = (uint64_t)__atomic_load_n(&p->spawned_ns, __ATOMIC_RELAXED);
		break;
	case M_WORKER_HEARTBEAT:
		v = (uint64_t)__atomic_load_n(&p->heartbeat_ns, __ATOMIC_RELAXED);
		break;
	case M_WORKER_SILENCE:
		v = silence_ns(p, e->now_ns);
		break;
	case M_WORKER_FAILED:
		v = __atomic_load_n(&p->failed_ns, __ATOMIC_RELAXED) != 0;
		break;
	default:
		return false;
	}
	expose_single(e, s, "", &no_labels, e->row->unit, v);
	return true;
}

/* The master tells of every slot but itself; of the gateway its own page tells. */
static bool
row_is_of(const struct metric_row *row, enum role role)
{
	if (row->roles == ROLE_MASTER)
		return role != ROLE_MASTER;
	if (row->roles == ROLE_GATEWAY)
		return role == ROLE_MASTER;
	return (row->roles & (unsigned)role) != 0;
}

/* The bounds of the metric in hand, spelled once for all its series. OpenMetrics has one spelling only: 1.0. */
static void
expose_bounds(struct expose *e)
{
	const struct bounds *bounds = e->row->bounds;
	double one = e->row->unit == UNIT_NANO ? 1e9 : 1;
	char bound[DECIMAL_TEXT + 2], *at;

	for (unsigned b = 0; b < e->row->buckets; b++) {
		at = PUT_TEXT(e->bounds[b].at, ",le=\"");
		if (b < bounds->count) {
			decimal_format((double)bounds->at[b] / one, bound);
			if (e->is_open && strchr(bound, '.') == NULL)
				(void)strcat(bound, ".0");
			at = put(at, bound, strlen(bound));
		} else {
			at = PUT_TEXT(at, "+Inf");
		}
		e->bounds[b].len = (size_t)(PUT_TEXT(at, "\"} ") - e->bounds[b].at);
	}
}

static void
expose_metric(struct expose *e, enum metric m)
{
	const struct metric_row *row = metric_row(m);
	char *end = put(PUT_TEXT(e->name, PREFIX), row->name, strlen(row->name));

	*end = '\0';
	e->row = row;
	e->name_len = (size_t)(end - e->name);
	e->headed = false;
	if (row->bounds != NULL)
		expose_bounds(e);
	for (size_t i = 0; i < e->count && e->error == E_OK; i++) {
		struct shown *s = &e->shown[i];

		if (!row_is_of(row, s->view.role) || expose_field(e, s, m))
			continue;
		if (row->kind == METRIC_HISTOGRAM)
			expose_histograms(e, s);
		else if (row_is_always_shown(row))
			expose_every(e, s);
		else
			expose_counted(e, s);
	}
}

static void
expose_read(struct expose *e, struct shown *s, const struct slot_view *v)
{
	const char *role = role_name(v->role);
	char *at;

	s->view = *v;
	at = PUT_TEXT(s->worker, "{worker=\"");
	at = put_escaped(at, v->label, SLOT_NAME, true);
	at = PUT_TEXT(at, "\",role=\"");
	at = put(at, role, strlen(role));
	s->worker_len = (size_t)(PUT_TEXT(at, "\"") - s->worker);
	s->next = e->cells.count;
	s->end = s->next + cells_read(&e->cells, v);
}

static void
expose_open(struct expose *e, const struct board *board)
{
	e->views = mem_array(BOARD_SLOTS, sizeof(*e->views));
	e->count = board_view(board, e->views);
	e->shown = mem_array(e->count, sizeof(*e->shown));
	for (size_t i = 0; i < e->count; i++)
		expose_read(e, &e->shown[i], &e->views[i]);
}

static void
expose_close(struct expose *e)
{
	mem_free(&e->views);
	mem_free(&e->shown);
	cells_fini(&e->cells);
}

static void
expose_board(struct expose *e, const struct board *board)
{
	char version[2 * sizeof(board->version) + 1], started[NUMBER_MAX];

	*put_escaped(version, board->version, sizeof(board->version), true) = '\0';
	*put_fixed(started, board->started_ns, 9, 1000000000) = '\0';
	PUT(e,
	    "# HELP " PREFIX "%s What is running.\n"
	    "# TYPE " PREFIX "%s %s\n" PREFIX "build_info{version=\"%s\"} 1\n"
	    "# HELP " PREFIX "start_time_seconds When the gateway started, as unix time.\n"
	    "# TYPE " PREFIX "start_time_seconds gauge\n%s" PREFIX "start_time_seconds %s\n",
	    e->is_open ? "build" : "build_info", e->is_open ? "build" : "build_info",
	    e->is_open ? "info" : "gauge", version,
	    e->is_open ? "# UNIT " PREFIX "start_time_seconds seconds\n" : "", started);
}

int
metric_expose_as(const struct board *board, enum metric_format format, struct buf *out)
{
	struct expose e = {
		.out = out, .is_open = format == METRIC_OPENMETRICS, .now_ns = clock_wall()
	};

	expose_open(&e, board);
	expose_board(&e, board);
	for (unsigned m = 0; m < METRIC_COUNT; m++)
		expose_metric(&e, (enum metric)m);
	if (e.is_open)
		PUT(&e, "# EOF\n");
	expose_close(&e);
	return e.error;
}

int
metric_expose(const struct board *board, struct buf *out)
{
	return metric_expose_as(board, METRIC_TEXT, out);
}
