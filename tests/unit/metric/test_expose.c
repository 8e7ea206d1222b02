/* test_expose.c - the statistics as Prometheus reads them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "label.h"
#include "metric.h"

static struct board *board;
static struct slot_page *http, *fetcher;
static struct stats stats;
static struct buf out;

static void
set_up(void)
{
	int rw, ro;

	board = board_create(&rw, &ro);
	board->started_ns = 1500 * CLOCK_SEC + CLOCK_SEC / 2;
	strcpy(board->version, "1.2\"3");
	http = board_slot(board, "http-0", ROLE_HTTP);
	fetcher = board_slot(board, "fetcher-rest", ROLE_FETCHER);
	stats.mine = http;
	stats.all = board;
	buf_init(&out, 16 << 20);
}

static void
tear_down(void)
{
	buf_fini(&out);
}

TestSuite(expose, .init = set_up, .fini = tear_down);

static const char *
exposed(void)
{
	buf_reset(&out);
	cr_assert_eq(metric_expose(board, &out), E_OK);
	cr_assert_eq(buf_add(&out, "", 1), E_OK);
	return (const char *)buf_data(&out);
}

static int
count(const char *text, const char *what)
{
	int n = 0;

	for (; (text = strstr(text, what)) != NULL; text++)
		n++;
	return n;
}

#define HAS(text, line) cr_expect_not_null(strstr((text), "\n" line "\n"), "lacks %s", line)

Test(expose, the_board_tells_version_and_start)
{
	const char *text = exposed();

	HAS(text, "opitios_build_info{version=\"1.2\\\"3\"} 1");
	HAS(text, "opitios_start_time_seconds 1500.5");
}

Test(expose, series_without_labels_of_its_own_role_are_always_there)
{
	const char *text = exposed();

	HAS(text, "opitios_http_connections{worker=\"http-0\",role=\"http\"} 0");
	HAS(text, "opitios_http_connections_accepted_total{worker=\"http-0\",role=\"http\"} 0");
	HAS(text, "opitios_upstream_budget_remaining{worker=\"fetcher-rest\",role=\"fetcher\"} 0");
	cr_expect_null(strstr(text, "opitios_http_connections{worker=\"fetcher-rest\""));
	cr_expect_null(strstr(text, "opitios_http_requests_total"), "nobody asked yet");
	cr_expect_null(strstr(text, "opitios_http_request_duration_seconds"));
}

Test(expose, a_series_with_labels_appears_when_it_counts)
{
	const char *text;

	metric_add(&stats, M_HTTP_REQUESTS, ROUTE_stock_quote, label_code(200), 12);
	metric_add(&stats, M_HTTP_REQUESTS, ROUTE_NONE, label_code(404), 1);
	text = exposed();
	HAS(text, "opitios_http_requests_total{worker=\"http-0\",role=\"http\","
		  "route=\"/api/v1/stocks/{symbol}/quote\",code=\"200\"} 12");
	HAS(text, "opitios_http_requests_total{worker=\"http-0\",role=\"http\",route=\"none\","
		  "code=\"404\"} 1");
	cr_expect_eq(count(text, "opitios_http_requests_total{"), 2);
}

/* An alert on the first dead letter needs the zero before it. */
Test(expose, a_counter_of_few_values_is_there_before_it_counts)
{
	const char *text = exposed();

	HAS(text, "opitios_records_refused_total{worker=\"fetcher-rest\",role=\"fetcher\",kind="
		  "\"bar\"} 0");
	HAS(text, "opitios_http_connections_dropped_total{worker=\"http-0\",role=\"http\",drop="
		  "\"reset\"} 0");
}

Test(expose, help_and_type_come_once_before_their_series)
{
	const char *text, *help;

	board_slot(board, "http-1", ROLE_HTTP);
	text = exposed();
	cr_expect_eq(count(text, "# TYPE opitios_http_connections gauge\n"), 1);
	cr_expect_eq(count(text, "# HELP opitios_http_connections "), 1);
	help = strstr(text, "# HELP opitios_http_connections ");
	cr_expect_lt(help, strstr(text, "opitios_http_connections{"));
	cr_expect_eq(count(text, "opitios_http_connections{"), 2);
}

Test(expose, histograms_are_cumulative_and_in_seconds)
{
	const char *text;

	metric_observe(&stats, M_HTTP_DURATION, ROUTE_livez, 50000);
	metric_observe(&stats, M_HTTP_DURATION, ROUTE_livez, 200000);
	metric_observe(&stats, M_HTTP_DURATION, ROUTE_livez, 2 * CLOCK_SEC);
	metric_observe(&stats, M_HTTP_DURATION, ROUTE_livez, 60 * CLOCK_SEC);
	text = exposed();
#define SERIES "{worker=\"http-0\",role=\"http\",route=\"/livez\""
	HAS(text, "# TYPE opitios_http_request_duration_seconds histogram");
	HAS(text, "opitios_http_request_duration_seconds_bucket" SERIES ",le=\"0.0001\"} 1");
	HAS(text, "opitios_http_request_duration_seconds_bucket" SERIES ",le=\"0.00025\"} 2");
	HAS(text, "opitios_http_request_duration_seconds_bucket" SERIES ",le=\"1\"} 2");
	HAS(text, "opitios_http_request_duration_seconds_bucket" SERIES ",le=\"2.5\"} 3");
	HAS(text, "opitios_http_request_duration_seconds_bucket" SERIES ",le=\"10\"} 3");
	HAS(text, "opitios_http_request_duration_seconds_bucket" SERIES ",le=\"+Inf\"} 4");
	HAS(text, "opitios_http_request_duration_seconds_sum" SERIES "} 62.00025");
	HAS(text, "opitios_http_request_duration_seconds_count" SERIES "} 4");
	cr_expect_eq((unsigned)count(text, "opitios_http_request_duration_seconds_bucket{"),
	    metric_bucket_count(M_HTTP_DURATION));
}

Test(expose, each_histogram_has_the_bounds_and_the_unit_of_its_row)
{
	struct stats writer = { .mine = board_slot(board, "cache-writer", ROLE_CACHE_WRITER),
		.all = board };
	const char *text;

	metric_observe(&stats, M_DATA_AGE, 0, 290 * CLOCK_SEC);
	metric_observe(&writer, M_STORE_RECORDS, 0, 7);
	metric_observe(&writer, M_STORE_RECORDS, 0, 200000);
	text = exposed();
#define AGE "opitios_data_age_seconds_bucket{worker=\"http-0\",role=\"http\""
#define COUNT                                                                                      \
	"opitios_store_commit_records_bucket{worker=\"cache-writer\",role=\"cache-writer\",store=" \
	"\"sqlite\""
	HAS(text, AGE ",le=\"120\"} 0");
	HAS(text, AGE ",le=\"300\"} 1");
	HAS(text, AGE ",le=\"2592000\"} 1");
	HAS(text, COUNT ",le=\"5\"} 0");
	HAS(text, COUNT ",le=\"10\"} 1");
	HAS(text, COUNT ",le=\"100000\"} 1");
	HAS(text, COUNT ",le=\"+Inf\"} 2");
	HAS(text, "opitios_store_commit_records_sum{worker=\"cache-writer\",role=\"cache-writer\","
		  "store=\"sqlite\"} 200007");
	cr_expect_eq((unsigned)count(text, AGE), metric_bucket_count(M_DATA_AGE));
	cr_expect_eq((unsigned)count(text, COUNT), metric_bucket_count(M_STORE_RECORDS));
}

Test(expose, cells_are_shown_in_their_unit)
{
	struct stats s = { .mine = fetcher, .all = board };
	const char *text;

	metric_set(&s, M_UPSTREAM_BUDGET, 0, 0, 187500);
	metric_add(&stats, M_HTTP_IN_FLIGHT, 0, 0, (uint64_t)-1);
	text = exposed();
	HAS(text,
	    "opitios_upstream_budget_remaining{worker=\"fetcher-rest\",role=\"fetcher\"} 187.5");
	HAS(text, "opitios_http_requests_in_flight{worker=\"http-0\",role=\"http\"} -1");
}

Test(expose, what_the_master_says_of_a_slot_is_shown_for_every_slot)
{
	struct stats s = { .mine = http, .all = board };
	const char *text;

	strcpy(http->state, "ready");
	http->pid = 4711;
	http->spawned_ns = 3 * CLOCK_SEC + CLOCK_SEC / 4;
	strcpy(fetcher->state, "starting");
	fetcher->pid = 4712;
	fetcher->heartbeat_ns = CLOCK_SEC;
	metric_add(&s, M_WORKER_RESTARTS, LABEL(cause, SIGNAL), 0, 2);
	text = exposed();
	HAS(text, "opitios_worker_up{worker=\"http-0\",role=\"http\"} 1");
	HAS(text, "opitios_worker_up{worker=\"fetcher-rest\",role=\"fetcher\"} 0");
	HAS(text,
	    "opitios_worker_restarts_total{worker=\"http-0\",role=\"http\",cause=\"signal\"} 2");
	HAS(text,
	    "opitios_worker_restarts_total{worker=\"http-0\",role=\"http\",cause=\"exit\"} 0");
	HAS(text, "opitios_worker_start_time_seconds{worker=\"http-0\",role=\"http\"} 3.25");
	HAS(text, "opitios_worker_heartbeat_seconds{worker=\"fetcher-rest\",role=\"fetcher\"} 1");
	http->pid = 0;
	HAS(exposed(), "opitios_worker_up{worker=\"http-0\",role=\"http\"} 0");
}

Test(expose, every_line_is_well_formed_and_no_series_is_told_twice)
{
	char *text, *line, *rest, *seen[4096];
	size_t lines = 0;

	for (unsigned r = 0; r < ROUTE_COUNT; r++)
		metric_observe(&stats, M_HTTP_DURATION, r, 1);
	for (unsigned c = 0; c < label_count(LABELS_code); c++)
		metric_add(&stats, M_HTTP_REQUESTS, 0, c, 1);
	text = strdup(exposed());
	for (rest = text; (line = strsep(&rest, "\n")) != NULL && *line != '\0';) {
		char *end = strrchr(line, ' '), *number;

		if (line[0] == '#')
			continue;
		cr_assert_not_null(end, "%s", line);
		*end = '\0';
		strtod(end + 1, &number);
		cr_expect(number != end + 1 && *number == '\0', "%s: %s", line, end + 1);
		cr_expect_eq(strncmp(line, "opitios_", 8), 0);
		cr_expect(strchr(line, '{') == NULL || end[-1] == '}', "%s", line);
		for (size_t i = 0; i < lines; i++)
			cr_assert_str_neq(seen[i], line);
		cr_assert_lt(lines, 4096);
		seen[lines++] = line;
	}
	cr_expect_gt(lines, 500);
	free(text);
}

/* Two seats of one slot, as the master makes them. */
static struct slot_page *
twin_of(struct slot_page *first, const char *seat)
{
	struct slot_page *second = board_slot(board, seat, (enum role)first->role);

	cr_assert_not_null(second);
	first->twin = (uint32_t)(second - board->slots) + 1;
	second->twin = (uint32_t)(first - board->slots) + 1;
	first->current = 1;
	return second;
}

static size_t
series(const char *text)
{
	size_t n = 0;

	for (; (text = strchr(text, '\n')) != NULL; text++)
		n += text[1] != '#' && text[1] != '\0';
	return n;
}

Test(expose, both_seats_of_a_slot_are_one_series_with_the_sum_of_their_cells)
{
	struct slot_page *second = twin_of(http, "http-0.1");
	struct stats s = { .mine = second, .all = board };
	const char *text;

	metric_add(&stats, M_HTTP_REQUESTS, ROUTE_livez, label_code(200), 5);
	metric_add(&s, M_HTTP_REQUESTS, ROUTE_livez, label_code(200), 7);
	metric_add(&s, M_HTTP_REQUESTS, ROUTE_readyz, label_code(503), 1);
	metric_add(&stats, M_HTTP_IN_FLIGHT, 0, 0, 2);
	metric_add(&s, M_HTTP_IN_FLIGHT, 0, 0, (uint64_t)-1);
	metric_observe(&stats, M_HTTP_DURATION, ROUTE_livez, 50000);
	metric_observe(&s, M_HTTP_DURATION, ROUTE_livez, 200000);
	text = exposed();
#define OF_HTTP_0 "{worker=\"http-0\",role=\"http\""
	HAS(text, "opitios_http_requests_total" OF_HTTP_0 ",route=\"/livez\",code=\"200\"} 12");
	HAS(text, "opitios_http_requests_total" OF_HTTP_0 ",route=\"/readyz\",code=\"503\"} 1");
	HAS(text, "opitios_http_requests_in_flight" OF_HTTP_0 "} 1");
	HAS(text, "opitios_http_request_duration_seconds_count" OF_HTTP_0 ",route=\"/livez\"} 2");
	HAS(text,
	    "opitios_http_request_duration_seconds_sum" OF_HTTP_0 ",route=\"/livez\"} 0.00025");
	cr_expect_null(strstr(text, "http-0.1"));
	cr_expect_eq(count(text, "opitios_worker_up" OF_HTTP_0), 1);
}

Test(expose, what_is_said_of_a_slot_is_of_its_current_seat)
{
	struct slot_page *second = twin_of(http, "http-0.1");
	const char *text;

	strcpy(http->state, "draining");
	http->pid = 1;
	http->failed_ns = CLOCK_SEC;
	strcpy(second->state, "ready");
	second->pid = 2;
	second->spawned_ns = 7 * CLOCK_SEC;
	text = exposed();
	HAS(text, "opitios_worker_up" OF_HTTP_0 "} 0");
	HAS(text, "opitios_worker_failed" OF_HTTP_0 "} 1");
	http->current = 0;
	second->current = 1;
	text = exposed();
	HAS(text, "opitios_worker_up" OF_HTTP_0 "} 1");
	HAS(text, "opitios_worker_failed" OF_HTTP_0 "} 0");
	HAS(text, "opitios_worker_start_time_seconds" OF_HTTP_0 "} 7");
}

Test(expose, the_number_of_series_is_constant_over_kills_and_reloads)
{
	struct slot_page *second = twin_of(http, "http-0.1");
	struct stats s = { .mine = second, .all = board };
	size_t before, i;

	metric_observe(&stats, M_HTTP_DURATION, ROUTE_livez, 1);
	metric_add(&stats, M_HTTP_REQUESTS, ROUTE_livez, label_code(200), 1);
	before = series(exposed());
	for (i = 0; i < 20; i++) {
		struct slot_page *now = i % 2 ? http : second, *then = i % 2 ? second : http;

		now->pid = 100 + (int)i;
		now->current = 1;
		then->current = 0;
		metric_observe(i % 2 ? &stats : &s, M_HTTP_DURATION, ROUTE_livez, 1);
		metric_add(&s, M_WORKER_RESTARTS, LABEL(cause, RELOAD), 0, 1);
		cr_expect_eq(series(exposed()), before);
		then->pid = 0;
		board_slot_clear(then);
		cr_expect_eq(series(exposed()), before);
	}
}

Test(expose, what_is_of_the_gateway_is_told_by_the_master_alone)
{
	struct slot_page *master = board_slot(board, "master", ROLE_MASTER);
	struct stats s = { .mine = master, .all = board };
	const char *text;

	metric_set(&s, M_CPUS, 0, 0, 6);
	metric_add(&s, M_RELOADS, LABEL(result, OK), 0, 3);
	text = exposed();
	HAS(text, "opitios_cpus_usable{worker=\"master\",role=\"master\"} 6");
	HAS(text, "opitios_reloads_total{worker=\"master\",role=\"master\",result=\"ok\"} 3");
	HAS(text, "opitios_reloads_total{worker=\"master\",role=\"master\",result=\"failed\"} 0");
	cr_expect_eq(count(text, "opitios_cpus_usable{"), 1);
	cr_expect_null(strstr(text, "opitios_worker_up{worker=\"master\""));
	cr_expect_null(strstr(text, "opitios_http_connections{worker=\"master\""));
}

/* Everything a process can write to its page, it may write. The mad one comes first, and has a sane seat beside it. */
Test(expose, a_page_gone_mad_spoils_nothing_but_itself)
{
	struct slot_page *beside = twin_of(http, "http-0.1"),
			 *next = board_slot(board, "http-1", ROLE_HTTP);
	struct stats s = { .mine = next, .all = board };
	const uint32_t twins[] = { 0, 1, 2, 3, 4, 5, BOARD_SLOTS, BOARD_SLOTS + 1, UINT32_MAX };
	char *text, *line, *rest;

	metric_add(&s, M_HTTP_ACCEPTED, 0, 0, 2);
	beside->current = 1;
	for (size_t i = 0; i < sizeof(twins) / sizeof(twins[0]) * 3; i++) {
		memset(http, i % 3 ? 0xff : '"', offsetof(struct slot_page, cells));
		memset(http->cells, 0xa5, sizeof(http->cells));
		strcpy(http->label, i % 3 == 1 ? "http-1" : "http-0");
		http->twin = twins[i / 3];
		http->role = i % 3 == 2 ? ROLE_MASTER : 0xffffffff;
		text = strdup(exposed());
		HAS(text,
		    "opitios_http_connections_accepted_total{worker=\"http-1\",role=\"http\"} 2");
		cr_expect_eq(count(text, "opitios_worker_up{"), 3);
		cr_expect_eq(count(text, "opitios_worker_up" OF_HTTP_0), 1);
		for (rest = text; (line = strsep(&rest, "\n")) != NULL && *line != '\0';)
			for (; *line != '\0'; line++)
				cr_assert(
				    (unsigned char)*line >= 0x20 && (unsigned char)*line < 0x7f);
		free(text);
	}
	http->in_use = 0;
	HAS(exposed(), "opitios_worker_up" OF_HTTP_0 "} 0");
}

/* 256 workers of two seats, each with some routes in use; the bound is loose, for sanitizers and busy machines. The
 * figure itself is measured by the system tests. */
Test(expose, hundreds_of_workers_are_exposed_in_milliseconds)
{
	char name[SLOT_NAME];
	int64_t begun, took, best = INT64_MAX;

	board_slot(board, "master", ROLE_MASTER);
	for (unsigned i = 0; i < 256; i++) {
		struct slot_page *seats[2];

		snprintf(name, sizeof(name), "http-%u", i);
		seats[0] = board_slot(board, name, ROLE_HTTP);
		snprintf(name, sizeof(name), "http-%u.1", i);
		seats[1] = twin_of(seats[0], name);
		for (unsigned k = 0; k < 2; k++) {
			struct stats s = { .mine = seats[k], .all = board };

			seats[k]->spawned_ns = seats[k]->heartbeat_ns = clock_wall();
			for (unsigned r = 0; r < 4; r++) {
				metric_add(&s, M_HTTP_REQUESTS, r, label_code(200), 12345 + i);
				metric_observe(&s, M_HTTP_DURATION, r, (int64_t)(i + 1) * 12345);
			}
		}
	}
	for (unsigned i = 0; i < 20; i++) {
		begun = clock_mono();
		(void)exposed();
		took = clock_mono() - begun;
		best = took < best ? took : best;
	}
	cr_log_info("%zu bytes in %.2f ms", buf_len(&out), (double)best / 1e6);
	cr_expect_lt(best, 100 * CLOCK_MS);
}

static const char *
exposed_openly(void)
{
	buf_reset(&out);
	cr_assert_eq(metric_expose_as(board, METRIC_OPENMETRICS, &out), E_OK);
	cr_assert_eq(buf_add(&out, "", 1), E_OK);
	return (const char *)buf_data(&out);
}

Test(expose, openmetrics_names_counters_without_total_and_ends_with_eof)
{
	const char *text = exposed_openly();

	HAS(text, "# TYPE opitios_http_connections_accepted counter");
	HAS(text, "opitios_http_connections_accepted_total{worker=\"http-0\",role=\"http\"} 0");
	HAS(text, "# TYPE opitios_http_received_bytes counter");
	HAS(text, "# UNIT opitios_http_received_bytes bytes");
	HAS(text, "# TYPE opitios_build info");
	HAS(text, "opitios_build_info{version=\"1.2\\\"3\"} 1");
	HAS(text, "# UNIT opitios_start_time_seconds seconds");
	cr_expect_str_eq(text + strlen(text) - 6, "# EOF\n");
	cr_expect_eq(count(text, "# EOF"), 1);
	cr_expect_eq(
	    count(exposed(), "# EOF") + count(exposed(), "# UNIT"), 0, "as text it has none");
}

Test(expose, openmetrics_spells_bounds_one_way)
{
	const char *text;

	metric_observe(&stats, M_HTTP_DURATION, ROUTE_livez, 50000);
	text = exposed_openly();
	HAS(text, "# UNIT opitios_http_request_duration_seconds seconds");
	HAS(text, "opitios_http_request_duration_seconds_bucket" SERIES ",le=\"1.0\"} 1");
	HAS(text, "opitios_http_request_duration_seconds_bucket" SERIES ",le=\"0.0001\"} 1");
	HAS(text, "opitios_http_request_duration_seconds_bucket" SERIES ",le=\"+Inf\"} 1");
}

/* Both forms tell the same: only comments and the spelling of bounds are different. */
Test(expose, both_forms_have_the_same_series)
{
	char *text;
	const char *open;
	size_t lines;

	metric_add(&stats, M_HTTP_REQUESTS, ROUTE_stock_quote, label_code(200), 12);
	text = strdup(exposed());
	lines = (size_t)count(text, "\nopitios_");
	open = exposed_openly();
	cr_expect_eq((size_t)count(open, "\nopitios_"), lines);
	free(text);
}

Test(expose, the_name_of_every_counter_ends_with_total)
{
#define METRIC(NAME, name, kind, unit, label1, label2, roles, help)                                \
	cr_expect((METRIC_##kind == METRIC_COUNTER) ==                                             \
		      (strlen(#name) > 6 && strcmp(&#name[strlen(#name) - 6], "_total") == 0),     \
	    #name);
#include "tables/metrics.def"
}

/* An alert on workers that are not up must not speak of those nobody wants any more. */
Test(expose, of_a_slot_that_was_scaled_away_only_its_counts_are_told)
{
	const char *text;

	metric_add(&stats, M_HTTP_ACCEPTED, 0, 0, 7);
	board->seats[http - board->slots].retired = 1;
	text = exposed();
	HAS(text, "opitios_http_connections_accepted_total{worker=\"http-0\",role=\"http\"} 7");
	cr_expect_null(strstr(text, "opitios_worker_up{worker=\"http-0\""));
	cr_expect_null(strstr(text, "opitios_http_connections{worker=\"http-0\""));
	cr_expect_not_null(strstr(text, "opitios_worker_up{worker=\"fetcher-rest\""));
}

Test(expose, the_age_of_a_heartbeat_counts_from_the_last)
{
	const char *text;

	clock_fake(2000 * CLOCK_SEC, 0);
	http->heartbeat_ns = 1998 * CLOCK_SEC + CLOCK_SEC / 2;
	fetcher->heartbeat_ns = 2001 * CLOCK_SEC; /* a clock that was set back */
	text = exposed();
	clock_real();
	HAS(text, "opitios_worker_heartbeat_age_seconds{worker=\"http-0\",role=\"http\"} 1.5");
	HAS(text,
	    "opitios_worker_heartbeat_age_seconds{worker=\"fetcher-rest\",role=\"fetcher\"} 0");
}

Test(negotiate, openmetrics_is_for_those_who_name_it)
{
	static const struct {
		const char *accept;
		enum metric_format format;
	} rows[] = {
		{ NULL, METRIC_TEXT },
		{ "", METRIC_TEXT },
		{ "*/*", METRIC_TEXT },
		{ "text/plain", METRIC_TEXT },
		{ "text/html,application/xhtml+xml,*/*;q=0.8", METRIC_TEXT },
		{ "application/openmetrics-text", METRIC_OPENMETRICS },
		{ "application/openmetrics-text; version=1.0.0; charset=utf-8",
		    METRIC_OPENMETRICS },
		{ "Application/OpenMetrics-Text;Version=1.0.0", METRIC_OPENMETRICS },
		/* Prometheus 2.42 */
		{ "application/openmetrics-text;version=1.0.0,application/"
		  "openmetrics-text;version=0.0.1;"
		  "q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		    METRIC_OPENMETRICS },
		{ "application/openmetrics-text;version=0.0.1;q=0.75,text/plain;q=0.5",
		    METRIC_OPENMETRICS },
		{ "application/openmetrics-text;version=2.0.0,text/plain;q=0.5", METRIC_TEXT },
		{ "application/openmetrics-text;q=0.4,text/plain;q=0.5", METRIC_TEXT },
		{ "application/openmetrics-text;q=0.5,text/plain;q=0.5", METRIC_OPENMETRICS },
		{ "application/openmetrics-text;q=0", METRIC_TEXT },
		{ "application/openmetrics-text;q=9", METRIC_TEXT },
		{ "application/openmetrics-text;q=0.1234", METRIC_TEXT },
		{ "application/openmetrics-text;q=", METRIC_TEXT },
		{ ",,;;,application/openmetrics-textual", METRIC_TEXT },
		{ "application/openmetrics-text;q=0.001 , ;q=", METRIC_OPENMETRICS },
	};
	char wide[512];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(metric_format_wanted(rows[i].accept), rows[i].format, "%s",
		    rows[i].accept != NULL ? rows[i].accept : "none");
	memset(wide, 'a', sizeof(wide) - 1);
	wide[sizeof(wide) - 1] = '\0';
	cr_expect_eq(metric_format_wanted(wide), METRIC_TEXT);
}

Test(expose, a_full_buffer_is_an_error)
{
	struct buf small;

	buf_init(&small, 1000);
	cr_expect_eq(metric_expose(board, &small), E_FULL);
	buf_fini(&small);
}

Test(expose, the_reference_names_every_metric_and_its_labels)
{
	const char *text;

	cr_assert_eq(metric_reference(&out), E_OK);
	cr_assert_eq(buf_add(&out, "", 1), E_OK);
	text = (const char *)buf_data(&out);
#define METRIC(NAME, name, kind, unit, label1, label2, roles, help)                                \
	cr_expect_not_null(strstr(text, "| `opitios_" #name "` | "), #name);
#include "tables/metrics.def"
	cr_expect_not_null(strstr(text, "| worker, role, route, code | "));
	cr_expect_not_null(strstr(text, "| `opitios_data_age_seconds` | histogram (age) | "));
	cr_expect_not_null(strstr(text, "| age | seconds | 0.001 0.01 "));
}
