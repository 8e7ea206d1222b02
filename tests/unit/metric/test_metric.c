/* test_metric.c - counting, setting, observing. */
#include "metric.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "label.h"
#include "metric_room.h"

static struct board *board;
static struct stats stats;

static void
set_up(void)
{
	int rw, ro;

	board = board_create(&rw, &ro);
	stats.mine = board_slot(board, "http-0", ROLE_HTTP);
	stats.all = board;
	close(rw);
	close(ro);
}

TestSuite(metric, .init = set_up);

Test(metric, every_row_has_cells_of_its_own_within_the_page)
{
	static bool taken[METRIC_CELLS];

	for (unsigned m = 0; m < METRIC_COUNT; m++) {
		const struct metric_row *row = metric_row((enum metric)m);
		size_t count = row->count1 * row->step;

		for (size_t i = row->offset; i < row->offset + count; i++) {
			cr_assert_lt(i, METRIC_CELLS);
			cr_assert(!taken[i], "%s shares a cell", row->name);
			taken[i] = true;
		}
	}
}

Test(metric, each_series_counts_for_itself)
{
	metric_add(&stats, M_HTTP_REQUESTS, ROUTE_stock_quote, label_code(200), 2);
	metric_add(&stats, M_HTTP_REQUESTS, ROUTE_stock_quote, label_code(404), 1);
	metric_add(&stats, M_HTTP_REQUESTS, ROUTE_NONE, label_code(404), 5);
	metric_add(&stats, M_HTTP_REQUESTS, ROUTE_stock_quote, label_code(200), 1);
	cr_expect_eq(
	    metric_read(stats.mine, M_HTTP_REQUESTS, ROUTE_stock_quote, label_code(200)), 3);
	cr_expect_eq(
	    metric_read(stats.mine, M_HTTP_REQUESTS, ROUTE_stock_quote, label_code(404)), 1);
	cr_expect_eq(metric_read(stats.mine, M_HTTP_REQUESTS, ROUTE_NONE, label_code(404)), 5);
	cr_expect_eq(metric_sum(board, M_HTTP_REQUESTS), 9);
}

Test(metric, every_cell_of_every_metric_stays_apart)
{
	uint64_t n = 0;

	for (unsigned m = 0; m < METRIC_COUNT; m++) {
		const struct metric_row *row = metric_row((enum metric)m);

		if (row->kind == METRIC_HISTOGRAM)
			continue;
		for (unsigned a = 0; a < row->count1; a++)
			for (unsigned b = 0; b < row->count2; b++)
				metric_add(&stats, (enum metric)m, a, b, ++n);
	}
	n = 0;
	for (unsigned m = 0; m < METRIC_COUNT; m++) {
		const struct metric_row *row = metric_row((enum metric)m);

		if (row->kind == METRIC_HISTOGRAM)
			continue;
		for (unsigned a = 0; a < row->count1; a++)
			for (unsigned b = 0; b < row->count2; b++)
				cr_assert_eq(metric_read(stats.mine, (enum metric)m, a, b), ++n);
	}
}

Test(metric, gauges_rise_and_fall)
{
	metric_add(&stats, M_HTTP_IN_FLIGHT, 0, 0, 1);
	metric_add(&stats, M_HTTP_IN_FLIGHT, 0, 0, 1);
	metric_add(&stats, M_HTTP_IN_FLIGHT, 0, 0, (uint64_t)-1);
	cr_expect_eq(metric_read(stats.mine, M_HTTP_IN_FLIGHT, 0, 0), 1);
	metric_set(&stats, M_HTTP_IN_FLIGHT, 0, 0, 7);
	cr_expect_eq(metric_read(stats.mine, M_HTTP_IN_FLIGHT, 0, 0), 7);
}

Test(metric, observations_fall_into_the_bucket_that_holds_them)
{
	const struct metric_row *row = metric_row(M_HTTP_DURATION);
	size_t cell = metric_cell_of(row, 3, 0);

	metric_observe(&stats, M_HTTP_DURATION, 3, 0);
	metric_observe(&stats, M_HTTP_DURATION, 3, 100000);
	metric_observe(&stats, M_HTTP_DURATION, 3, 100001);
	metric_observe(&stats, M_HTTP_DURATION, 3, 30 * CLOCK_SEC);
	metric_observe(&stats, M_HTTP_DURATION, 3, 30 * CLOCK_SEC + 1);
	metric_observe(&stats, M_HTTP_DURATION, 3, -5);
	cr_expect_eq(metric_cell(stats.mine, cell), 3);
	cr_expect_eq(metric_cell(stats.mine, cell + 1), 1);
	cr_expect_eq(metric_cell(stats.mine, cell + row->buckets - 2), 1);
	cr_expect_eq(metric_cell(stats.mine, cell + row->buckets - 1), 1);
	cr_expect_eq(metric_cell(stats.mine, cell + row->buckets), 200001 + 60 * CLOCK_SEC + 1);
	cr_expect_eq(metric_read(stats.mine, M_HTTP_DURATION, 3, 0), 6);
	cr_expect_eq(metric_read(stats.mine, M_HTTP_DURATION, 2, 0), 0);
	cr_expect_eq(metric_sum(board, M_HTTP_DURATION), 6);
}

Test(metric, bounds_of_buckets_rise_and_the_last_bucket_has_none)
{
	for (unsigned m = 0; m < METRIC_COUNT; m++) {
		const struct metric_row *row = metric_row((enum metric)m);
		unsigned n;

		cr_expect_eq(row->bounds != NULL, row->kind == METRIC_HISTOGRAM, "%s", row->name);
		if (row->bounds == NULL)
			continue;
		n = metric_bucket_count((enum metric)m);
		cr_expect_leq(n, METRIC_BUCKETS_MAX);
		cr_expect_gt(metric_bucket_bound((enum metric)m, 0), 0);
		for (unsigned b = 1; b < n; b++)
			cr_expect_lt(metric_bucket_bound((enum metric)m, b - 1),
			    metric_bucket_bound((enum metric)m, b), "%s", row->name);
		cr_expect_eq(metric_bucket_bound((enum metric)m, n - 1), INT64_MAX);
	}
}

/* The bounds must reach beyond what is still an answer, or a quantile tells the last bound whatever is true. */
Test(metric, each_histogram_has_bounds_for_what_it_measures)
{
	static const struct {
		enum metric metric;
		int64_t fine, wide; /* told apart from what is above */
	} rows[] = {
		{ M_HTTP_DURATION, 100000, 30 * CLOCK_SEC },
		{ M_UPSTREAM_DURATION, CLOCK_MS, 120 * CLOCK_SEC },
		{ M_DATA_AGE, CLOCK_MS, 30 * 86400 * CLOCK_SEC },
		{ M_STORE_DELAY, CLOCK_MS, 86400 * CLOCK_SEC },
		{ M_STORE_DURATION, 100000, 60 * CLOCK_SEC },
		{ M_REDIS_READ, 50000, 10 * CLOCK_SEC },
		{ M_STORE_RECORDS, 1, 100000 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned last = metric_bucket_count(rows[i].metric) - 1;

		cr_expect_leq(metric_bucket_bound(rows[i].metric, 0), rows[i].fine, "row %zu", i);
		cr_expect_geq(
		    metric_bucket_bound(rows[i].metric, last - 1), rows[i].wide, "row %zu", i);
	}
}

Test(metric, data_that_is_minutes_old_is_not_in_the_bucket_of_ten_seconds)
{
	uint64_t buckets[METRIC_BUCKETS_MAX] = { 0 };
	unsigned at = 0;

	metric_observe(&stats, M_DATA_AGE, 0, 290 * CLOCK_SEC);
	metric_buckets_add(stats.mine, M_DATA_AGE, buckets);
	while (buckets[at] == 0)
		at++;
	cr_expect_eq(metric_bucket_bound(M_DATA_AGE, at), 300 * CLOCK_SEC);
	cr_expect_eq(metric_bucket_bound(M_DATA_AGE, at - 1), 120 * CLOCK_SEC);
}

Test(metric, only_a_histogram_has_buckets, .signal = SIGABRT)
{
	(void)metric_bucket_count(M_HTTP_ACCEPTED);
}

Test(metric, a_process_without_a_page_counts_nothing)
{
	struct stats none = { .mine = NULL, .all = board };

	metric_add(&none, M_HTTP_ACCEPTED, 0, 0, 1);
	metric_set(&none, M_HTTP_IN_FLIGHT, 0, 0, 1);
	metric_observe(&none, M_HTTP_DURATION, 0, 1);
	check_store(&none, CHECK_DATABASE, E_OK, 1, "");
	cr_expect_eq(metric_sum(board, M_HTTP_ACCEPTED), 0);
}

Test(metric, the_sum_goes_over_all_slots)
{
	struct stats other = { .mine = board_slot(board, "http-1", ROLE_HTTP), .all = board };

	metric_add(&stats, M_HTTP_ACCEPTED, 0, 0, 3);
	metric_add(&other, M_HTTP_ACCEPTED, 0, 0, 4);
	cr_expect_eq(metric_sum(board, M_HTTP_ACCEPTED), 7);
}

Test(metric, the_total_of_a_page_goes_over_all_labels)
{
	uint64_t buckets[METRIC_BUCKETS_MAX] = { 0 };

	for (unsigned route = 0; route < LABEL_route_COUNT; route++) {
		metric_add(&stats, M_HTTP_REQUESTS, route, route % LABEL_code_COUNT, 2);
		metric_observe(&stats, M_HTTP_DURATION, route, 1000);
		metric_observe(&stats, M_HTTP_DURATION, route, INT64_MAX);
	}
	cr_expect_eq(metric_total(stats.mine, M_HTTP_REQUESTS), 2 * LABEL_route_COUNT);
	cr_expect_eq(metric_total(stats.mine, M_HTTP_DURATION), 2 * LABEL_route_COUNT);
	cr_expect_eq(metric_total(stats.mine, M_HTTP_ACCEPTED), 0);
	metric_buckets_add(stats.mine, M_HTTP_DURATION, buckets);
	cr_expect_eq(buckets[0], LABEL_route_COUNT);
	cr_expect_eq(buckets[metric_bucket_count(M_HTTP_DURATION) - 1], LABEL_route_COUNT);
	cr_expect_eq(buckets[1], 0);
}

Test(metric, a_label_out_of_range_panics, .signal = SIGABRT)
{
	metric_add(&stats, M_HTTP_REQUESTS, ROUTE_COUNT, 0, 1);
}

Test(metric, a_label_where_there_is_none_panics, .signal = SIGABRT)
{
	metric_add(&stats, M_HTTP_ACCEPTED, 0, 1, 1);
}

Test(metric, setting_a_counter_panics, .signal = SIGABRT)
{
	metric_set(&stats, M_HTTP_ACCEPTED, 0, 0, 1);
}

Test(metric, adding_to_a_histogram_panics, .signal = SIGABRT)
{
	metric_add(&stats, M_HTTP_DURATION, 0, 0, 1);
}

Test(metric, a_check_keeps_its_last_success)
{
	const struct check_result *c = &stats.mine->checks[CHECK_DATABASE];
	char text[300];

	clock_fake(1000, 0);
	check_store(&stats, CHECK_DATABASE, E_OK, 2500000, NULL);
	cr_expect_eq(c->checked_ns, 1000);
	cr_expect_eq(c->ok_ns, 1000);
	cr_expect_eq(c->response_us, 2500);
	cr_expect_str_eq(c->text, "");
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	clock_fake(2000, 0);
	check_store(&stats, CHECK_DATABASE, E_STORE, -1, text);
	cr_expect_eq(c->checked_ns, 2000);
	cr_expect_eq(c->ok_ns, 1000);
	cr_expect_eq(c->failed_ns, 2000);
	cr_expect_eq(c->error, E_STORE);
	cr_expect_eq(c->response_us, 0);
	cr_expect_eq(strlen(c->text), sizeof(c->text) - 1);
	clock_fake(3000, 0);
	check_store(&stats, CHECK_DATABASE, E_OK, 1000, "stock_quote");
	clock_real();
	cr_expect_eq(c->failed_ns, 2000, "and its last failure");
	cr_expect_eq(strlen(c->text), sizeof(c->text) - 1);
	cr_expect_eq(c->error, E_OK);
}

/* The reader counts while the writer writes: what it sees never falls and never passes what was written. */
Test(metric, a_reader_in_another_process_never_sees_a_counter_fall)
{
	const uint64_t rounds = 200000;
	pid_t child = fork();
	uint64_t seen = 0, now;
	int status;

	cr_assert_geq(child, 0);
	if (child == 0) {
		for (uint64_t i = 0; i < rounds; i++)
			metric_add(&stats, M_HTTP_BYTES_IN, 0, 0, UINT64_C(0x100000001));
		_exit(0);
	}
	while (waitpid(child, &status, WNOHANG) == 0) {
		now = metric_read(stats.mine, M_HTTP_BYTES_IN, 0, 0);
		cr_assert_geq(now, seen);
		cr_assert_eq(now >> 32, now & UINT32_MAX, "half a number");
		seen = now;
	}
	cr_expect_eq(
	    metric_read(stats.mine, M_HTTP_BYTES_IN, 0, 0), rounds * UINT64_C(0x100000001));
}
