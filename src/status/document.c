/* document.c - the document of the status page: health as /health/detailed tells it, and what the page draws beside.
 *
 * Counters are given as they stand; whoever reads compares two documents by `monotonic_seconds`. A worker gone mad may
 * have written anything: numbers stay within what every reader of JSON knows, texts are those of the health room.
 */
#include <math.h>
#include <string.h>

#include "clock.h"
#include "json_write.h"
#include "label.h"
#include "mem.h"
#include "session.h"
#include "status.h"
#include "text.h"

#define PROCESSES_MAX 64 /* whose files of /proc are read in one look */
#define CLASSES	      6	 /* of status codes; [0]: others */

struct look {
	const struct status_own *own;
	const struct board *board;
	struct json *j;
	int64_t now_ns;
	unsigned processes;
	size_t count;
	struct slot_view slots[BOARD_SLOTS];
};

static const char *const class_names[CLASSES] = { NULL, NULL, "2xx", "3xx", "4xx", "5xx" };

static void
put_count(struct json *j, const char *name, uint64_t n)
{
	json_u64(j, name, n & INT64_MAX);
}

static uint64_t
slot_read(const struct slot_view *v, enum metric m, unsigned l1, unsigned l2)
{
	return metric_read(v->current, m, l1, l2) +
	       (v->other != NULL ? metric_read(v->other, m, l1, l2) : 0);
}

static uint64_t
role_read(const struct look *k, enum metric m, unsigned l1, unsigned l2)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < k->count; i++)
		sum += slot_read(&k->slots[i], m, l1, l2);
	return sum;
}

static const struct slot_view *
first_of(const struct look *k, enum role role)
{
	for (size_t i = 0; i < k->count; i++)
		if (k->slots[i].role == role && !k->slots[i].retired)
			return &k->slots[i];
	return NULL;
}

/* A gauge of the one process of a role; null while that is not ready and so cannot know. */
static void
put_gauge(struct look *k, const char *name, enum role role, enum metric m, double unit)
{
	const struct slot_view *v = first_of(k, role);

	if (v != NULL && slot_view_is_ready(v))
		json_f64(k->j, name, (double)metric_read(v->current, m, 0, 0) / unit);
	else
		json_absent(k->j, name);
}

static void
put_buckets(
    struct json *j, const char *name, enum metric m, const uint64_t buckets[METRIC_BUCKETS_MAX])
{
	json_array_open(j, name);
	for (size_t i = 0; i < metric_bucket_count(m); i++)
		put_count(j, NULL, buckets[i]);
	json_array_close(j);
}

static void
buckets_of(const struct slot_view *v, enum metric m, uint64_t to[METRIC_BUCKETS_MAX])
{
	metric_buckets_add(v->current, m, to);
	if (v->other != NULL)
		metric_buckets_add(v->other, m, to);
}

static void
put_role_buckets(struct look *k, const char *name, enum metric m)
{
	uint64_t sum[METRIC_BUCKETS_MAX] = { 0 };

	for (size_t i = 0; i < k->count; i++)
		buckets_of(&k->slots[i], m, sum);
	put_buckets(k->j, name, m, sum);
}

/* Of every route, by the first digit of the status. */
static void
put_classes(struct json *j, const struct slot_view *v)
{
	uint64_t sums[CLASSES] = { 0 }, all = 0;
	char digit;

	for (unsigned c = 0; c < label_count(LABELS_code); c++) {
		digit = label_text(LABELS_code, c)[0];
		for (unsigned r = 0; r < label_count(LABELS_route); r++)
			sums[digit >= '0' && digit < '0' + CLASSES ? digit - '0' : 0] +=
			    slot_read(v, M_HTTP_REQUESTS, r, c);
	}
	json_object_open(j, "by_class");
	for (unsigned i = 0; i < CLASSES; i++) {
		all += sums[i];
		if (class_names[i] != NULL)
			put_count(j, class_names[i], sums[i]);
	}
	json_object_close(j);
	put_count(j, "requests_total", all);
}

static void
put_http(struct json *j, const struct slot_view *v)
{
	uint64_t buckets[METRIC_BUCKETS_MAX] = { 0 };

	put_classes(j, v);
	buckets_of(v, M_HTTP_DURATION, buckets);
	put_buckets(j, "duration_buckets", M_HTTP_DURATION, buckets);
	put_count(j, "in_flight", slot_read(v, M_HTTP_IN_FLIGHT, 0, 0));
	put_count(j, "connections", slot_read(v, M_HTTP_CONNECTIONS, 0, 0));
	put_count(j, "fetch_waiting", slot_read(v, M_FETCH_WAITING, 0, 0));
}

static void
put_fetcher(struct json *j, const struct slot_view *v)
{
	uint64_t buckets[METRIC_BUCKETS_MAX] = { 0 };

	put_count(j, "requests_total",
	    metric_total(v->current, M_UPSTREAM_REQUESTS) +
		(v->other != NULL ? metric_total(v->other, M_UPSTREAM_REQUESTS) : 0));
	buckets_of(v, M_UPSTREAM_DURATION, buckets);
	put_buckets(j, "duration_buckets", M_UPSTREAM_DURATION, buckets);
}

static void
put_writer(struct look *k, const struct slot_view *v)
{
	uint64_t rows = 0, buckets[METRIC_BUCKETS_MAX] = { 0 };

	for (unsigned i = 0; i < label_count(LABELS_store); i++)
		rows += slot_read(v, M_STORE_ROWS, i, 0);
	put_count(k->j, "requests_total", rows);
	buckets_of(v, M_STORE_DURATION, buckets);
	put_buckets(k->j, "duration_buckets", M_STORE_DURATION, buckets);
}

/* What it does: requests answered, calls made, rows stored; by its role. */
static void
put_slot(struct look *k, const struct slot_view *v)
{
	double cpu = NAN, rss = NAN;

	if (v->current->pid > 0 && k->processes++ < PROCESSES_MAX)
		process_read(v->current->pid, &cpu, &rss);
	json_object_open(k->j, NULL);
	json_text(k->j, "slot", v->label);
	json_text(k->j, "role", role_name(v->role));
	json_f64(k->j, "cpu_seconds", cpu);
	json_f64(k->j, "rss_bytes", rss);
	if (v->role == ROLE_HTTP)
		put_http(k->j, v);
	else if (v->role == ROLE_FETCHER)
		put_fetcher(k->j, v);
	else if (v->role == ROLE_CACHE_WRITER)
		put_writer(k, v);
	json_object_close(k->j);
}

static void
put_slots(struct look *k)
{
	json_array_open(k->j, "slots");
	for (size_t i = 0; i < k->count; i++)
		if (!k->slots[i].retired && k->slots[i].role != ROLE_MASTER)
			put_slot(k, &k->slots[i]);
	json_array_close(k->j);
}

/* Of `m`, over both of its label sets: {"book":{"hit":1,"miss":2}}; only what ever happened. */
static void
put_cache(struct look *k)
{
	struct json *j = k->j;
	uint64_t n;

	json_array_open(j, "cache");
	for (unsigned layer = 0; layer < label_count(LABELS_layer); layer++) {
		json_object_open(j, NULL);
		json_text(j, "layer", label_text(LABELS_layer, layer));
		for (unsigned hit = 0; hit < label_count(LABELS_hit); hit++)
			if ((n = role_read(k, M_CACHE_REQUESTS, layer, hit)) > 0)
				put_count(j, label_text(LABELS_hit, hit), n);
		put_count(j, "entries", role_read(k, M_CACHE_ENTRIES, layer, 0));
		put_count(j, "bytes", role_read(k, M_CACHE_BYTES, layer, 0));
		put_count(j, "evicted", role_read(k, M_CACHE_EVICTED, layer, 0));
		json_object_close(j);
	}
	json_array_close(j);
}

static void
put_sums(struct look *k, const char *name, enum metric m, enum label_set set)
{
	json_object_open(k->j, name);
	for (unsigned i = 0; i < label_count(set); i++)
		put_count(k->j, label_text(set, i), role_read(k, m, i, 0));
	json_object_close(k->j);
}

static void
put_upstream(struct look *k)
{
	json_object_open(k->j, "upstream");
	put_gauge(k, "budget_left", ROLE_FETCHER, M_UPSTREAM_BUDGET, 1000);
	put_gauge(k, "budget_limit", ROLE_FETCHER, M_UPSTREAM_BUDGET_LIMIT, 1);
	put_sums(k, "queue", M_FETCH_QUEUE, LABELS_lane);
	json_object_open(k->j, "outcomes");
	for (unsigned o = 0; o < label_count(LABELS_outcome); o++) {
		uint64_t sum = 0;

		for (unsigned e = 0; e < label_count(LABELS_endpoint); e++)
			sum += role_read(k, M_UPSTREAM_REQUESTS, e, o);
		if (sum > 0)
			put_count(k->j, label_text(LABELS_outcome, o), sum);
	}
	json_object_close(k->j);
	put_count(k->j, "coalesced_total", metric_sum(k->board, M_UPSTREAM_COALESCED));
	put_count(k->j, "merged_total", metric_sum(k->board, M_UPSTREAM_MERGED));
	put_count(k->j, "retries_total", metric_sum(k->board, M_UPSTREAM_RETRIES));
	json_object_close(k->j);
}

static void
put_journal(struct look *k)
{
	json_object_open(k->j, "journal");
	put_gauge(k, "bytes", ROLE_FETCHER, M_JOURNAL_BYTES, 1);
	put_gauge(k, "sequence", ROLE_FETCHER, M_JOURNAL_SEQUENCE, 1);
	put_gauge(k, "lag_records", ROLE_CACHE_WRITER, M_JOURNAL_LAG, 1);
	put_count(k->j, "dropped_total", metric_sum(k->board, M_JOURNAL_DROPPED));
	put_count(k->j, "corrupt_total", metric_sum(k->board, M_JOURNAL_CORRUPT));
	json_object_close(k->j);
}

static void
put_stores(struct look *k)
{
	json_object_open(k->j, "stores");
	put_sums(k, "rows_total", M_STORE_ROWS, LABELS_store);
	put_sums(k, "errors_total", M_STORE_ERRORS, LABELS_store);
	put_sums(k, "dead_letters_total", M_STORE_DEAD_LETTERS, LABELS_store);
	put_role_buckets(k, "commit_buckets", M_STORE_DURATION);
	put_role_buckets(k, "delay_buckets", M_STORE_DELAY);
	put_gauge(k, "redis_lag_records", ROLE_CACHE_WRITER, M_REDIS_LAG, 1);
	put_gauge(k, "redis_up", ROLE_CACHE_WRITER, M_REDIS_UP, 1);
	put_count(k->j, "redis_breakers_open", role_read(k, M_REDIS_BREAKER, 0, 0));
	json_object_close(k->j);
}

/* The market as the fetcher's clock tells it; a dead fetcher's cells are zero, which is "unknown". */
static void
put_market(struct look *k)
{
	const struct slot_view *v = first_of(k, ROLE_FETCHER);
	struct market_clock clock = { .source = 0 };
	enum session session;

	if (v != NULL) {
		clock.is_open = metric_read(v->current, M_MARKET_IS_OPEN, 0, 0) != 0;
		clock.timestamp =
		    (int64_t)(metric_read(v->current, M_MARKET_CLOCK, 0, 0) & INT64_MAX);
		clock.received =
		    (int64_t)(metric_read(v->current, M_MARKET_RECEIVED, 0, 0) & INT64_MAX);
		clock.next_open =
		    (int64_t)(metric_read(v->current, M_MARKET_NEXT_OPEN, 0, 0) & INT64_MAX);
		clock.next_close =
		    (int64_t)(metric_read(v->current, M_MARKET_NEXT_CLOSE, 0, 0) & INT64_MAX);
	}
	session = session_of(&clock, k->now_ns - clock.received);
	json_object_open(k->j, "market");
	json_text(k->j, "status", session_name(session));
	json_time(k->j, "clock", clock.timestamp);
	json_time_ms(k->j, "received_at", clock.received);
	json_f64(k->j, "age_seconds",
	    clock.received != 0 ? (double)((k->now_ns - clock.received) / CLOCK_MS) / 1000 : NAN);
	json_time(k->j, "next_open", session != SESSION_UNKNOWN ? clock.next_open : 0);
	json_time(k->j, "next_close", session != SESSION_UNKNOWN ? clock.next_close : 0);
	json_object_close(k->j);
}

/* How long ago the newest values were received, by family. */
static void
put_data(struct look *k)
{
	const struct slot_view *v = first_of(k, ROLE_FETCHER);
	uint64_t at;

	json_object_open(k->j, "data");
	for (unsigned i = 0; i < label_count(LABELS_family); i++) {
		at = v != NULL ? metric_read(v->current, M_DATA_RECEIVED, i, 0) & INT64_MAX : 0;
		json_f64(k->j, label_text(LABELS_family, i),
		    at != 0 ? (double)((k->now_ns - (int64_t)at) / CLOCK_MS) / 1000 : NAN);
	}
	json_object_close(k->j);
}

/* A line the master is just writing has no number yet, or is looked at again in the next document. */
static void
put_crash(struct look *k, const struct crash_line *from)
{
	struct crash_line c;
	char text[sizeof(c.ended)];

	memcpy(&c, from, sizeof(c));
	json_object_open(k->j, NULL);
	json_u64(k->j, "id", c.id);
	json_time_ms(k->j, "time", c.at_ns);
	json_i64(k->j, "pid", c.pid);
	(void)text_copy_n(text, sizeof(text), c.slot, strnlen(c.slot, sizeof(c.slot)));
	json_text(k->j, "slot", text);
	(void)text_copy_n(text, sizeof(text), c.cause, strnlen(c.cause, sizeof(c.cause)));
	json_text(k->j, "cause", text);
	(void)text_copy_n(text, sizeof(text), c.ended, strnlen(c.ended, sizeof(c.ended) - 1));
	json_text(k->j, "ended", text);
	json_object_close(k->j);
}

/* Newest first. */
static void
put_crashes(struct look *k)
{
	const struct crash_line *lines = k->board->crashes;
	uint32_t below = UINT32_MAX, best;

	json_array_open(k->j, "crashes");
	for (unsigned n = 0; n < BOARD_CRASHES; n++) {
		best = 0;
		for (unsigned i = 0; i < BOARD_CRASHES; i++)
			if (lines[i].id < below && lines[i].id > best)
				best = lines[i].id;
		if (best == 0)
			break;
		put_crash(k, &lines[best % BOARD_CRASHES]);
		below = best;
	}
	json_array_close(k->j);
}

static void
put_gateway(struct look *k)
{
	struct json *j = k->j;

	json_object_open(j, "gateway");
	json_time_ms(j, "started_at", k->board->started_ns);
	json_u64(j, "generation", k->board->generation);
	json_text_or_null(j, "http_address", k->board->http_address);
	json_text_or_null(j, "admin_address", k->board->admin_address);
	put_count(j, "reloads_total", metric_sum(k->board, M_RELOADS));
	put_count(j, "upgrades_total", metric_sum(k->board, M_UPGRADES));
	json_object_close(j);
}

static void
put_bounds_of(struct json *j, const char *name, enum metric m)
{
	json_array_open(j, name);
	for (unsigned i = 0; i + 1 < metric_bucket_count(m); i++)
		json_f64(j, NULL, (double)metric_bucket_bound(m, i) / 1e9);
	json_array_close(j);
}

/* Upper bounds of all that is told in buckets, once; the last bucket has none. */
static void
put_bounds(struct json *j)
{
	json_object_open(j, "bucket_seconds");
	put_bounds_of(j, role_name(ROLE_HTTP), M_HTTP_DURATION);
	put_bounds_of(j, role_name(ROLE_FETCHER), M_UPSTREAM_DURATION);
	put_bounds_of(j, role_name(ROLE_CACHE_WRITER), M_STORE_DURATION);
	put_bounds_of(j, "commit", M_STORE_DURATION);
	put_bounds_of(j, "delay", M_STORE_DELAY);
	json_object_close(j);
}

static void
put_all(struct look *k, const struct buf *health)
{
	struct json *j = k->j;

	json_object_open(j, NULL);
	json_u64(j, "format", 2);
	json_text(j, "seen_by", k->own->seen_by);
	json_bool(j, "has_reports", k->own->has_reports);
	json_bool(j, "has_symbols", k->own->has_symbols);
	json_bool(j, "has_chart", status_file_find("chart.js") != NULL);
	json_time_ms(j, "time", k->now_ns);
	json_f64(j, "monotonic_seconds", (double)(clock_mono() / 1000) / 1e6);
	json_raw(j, "health", buf_data(health), buf_len(health));
	put_gateway(k);
	put_bounds(j);
	put_slots(k);
	put_cache(k);
	put_upstream(k);
	put_journal(k);
	put_stores(k);
	put_data(k);
	put_market(k);
	put_crashes(k);
	json_object_close(j);
}

int
status_write(const struct status_own *own, struct buf *out)
{
	struct look *k = mem_alloc(sizeof(*k));
	struct buf health;
	struct json j;
	int r = E_FULL;

	buf_init(&health, STATUS_BYTES_MAX);
	k->own = own;
	k->board = own->board;
	k->now_ns = clock_wall();
	k->count = board_view(own->board, k->slots);
	if (health_answer(HEALTH_DETAILED, own->board, &own->health, &health) != 500) {
		json_begin(&j, out);
		k->j = &j;
		put_all(k, &health);
		r = json_end(&j);
	}
	buf_fini(&health);
	mem_free(&k);
	return r;
}
