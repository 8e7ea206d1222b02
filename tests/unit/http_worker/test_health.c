/* test_health.c - the rules of health, and that what is told is what the board says. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "label.h"
#include "stage.h"

static struct stage stage;

static void
open_stage(void)
{
	stage_open(&stage);
}

static void
close_stage(void)
{
	stage_close(&stage);
}

TestSuite(health, .init = open_stage, .fini = close_stage);

static void
check_made(struct slot_page *p, enum check_name name, int error, int64_t age_ms)
{
	struct check_result *c = &p->checks[name];

	c->checked_ns = stage.wall - age_ms * CLOCK_MS;
	c->ok_ns = error == E_OK ? c->checked_ns : 0;
	c->failed_ns = error == E_OK ? 0 : c->checked_ns;
	c->response_us = 1500;
	c->error = error;
	strcpy(c->text, error == E_OK ? "" : "connection refused");
}

static void
all_well(void)
{
	check_made(stage.fetcher_page, CHECK_EXTERNAL_API, E_OK, 1000);
	check_made(stage.writer_page, CHECK_DATABASE, E_OK, 1000);
}

Test(health, the_rules_judge_by_the_first_that_holds)
{
	static const struct {
		struct health_facts facts;
		enum health health;
		size_t reasons;
	} rows[] = {
#define WELL .fetcher_ever_ready = true, .fetcher_ready = true, .all_ready = true
		{ { WELL }, HEALTHY, 0 },
		{ { WELL, .stopping = true }, UNHEALTHY, 1 },
		{ { .all_ready = true }, UNHEALTHY, 1 },
		{ { .fetcher_ever_ready = true }, DEGRADED, 2 },
		{ { .fetcher_ever_ready = true, .fetcher_ready = true }, DEGRADED, 1 },
		{ { WELL, .fetcher_failed = true, .any_failed = true }, UNHEALTHY, 2 },
		{ { WELL, .writer_failed = true, .any_failed = true }, UNHEALTHY, 2 },
		{ { .fetcher_ever_ready = true, .fetcher_ready = true, .http_down = true },
		    UNHEALTHY, 2 },
		{ { WELL, .any_failed = true }, DEGRADED, 1 },
		{ { WELL, .external_api = CHECK_STATE_UNHEALTHY }, DEGRADED, 1 },
		{ { WELL, .external_api = CHECK_STATE_UNKNOWN }, DEGRADED, 1 },
		{ { WELL, .database = CHECK_STATE_UNHEALTHY }, DEGRADED, 1 },
		{ { WELL, .database = CHECK_STATE_UNKNOWN }, DEGRADED, 1 },
		{ { WELL, .cache = CHECK_STATE_UNHEALTHY }, DEGRADED, 1 },
		{ { .stopping = true, .database = CHECK_STATE_UNHEALTHY }, UNHEALTHY, 4 },
	};
	const struct health_reason *reasons[HEALTH_REASONS_MAX];
	size_t count;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_expect_eq(
		    health_judge(&rows[i].facts, reasons, &count), rows[i].health, "row %zu", i);
		cr_expect_eq(count, rows[i].reasons, "row %zu", i);
	}
}

Test(health, has_four_fields_and_says_healthy_when_all_is_well)
{
	struct http_request *r;

	all_well();
	r = get(&stage, "/api/v1/health");
	cr_expect_eq(r->status, 200);
	cr_expect_eq(json_object_size(r->json), 4);
	cr_expect_str_eq(member(r, "status"), "healthy");
	cr_expect_str_eq(member(r, "service"), "opitios-alpaca");
	cr_expect_str_eq(member(r, "version"), "0.1.0");
	cr_expect_str_eq(member(r, "timestamp"), "2023-11-14T22:13:20.000Z");
	cr_expect_str_eq(answer_header(r, "Cache-Control"), "no-store");
	ask_free(r);
}

static void
expect_health(const char *status, int code)
{
	struct http_request *r = get(&stage, "/api/v1/health");

	cr_expect_str_eq(member(r, "status"), status);
	cr_expect_eq(r->status, code);
	ask_free(r);
}

Test(health, follows_the_board)
{
	all_well();
	stage.fetcher_page->checks[CHECK_EXTERNAL_API].error = E_UPSTREAM_SERVICE_ERROR;
	expect_health("degraded", 200);
	all_well();
	strcpy(stage.writer_page->state, "waiting");
	stage.writer_page->pid = 0;
	expect_health("degraded", 200);
	strcpy(stage.writer_page->state, "ready");
	stage.writer_page->pid = 12;
	expect_health("healthy", 200);
	stage.board->stopping = 1;
	expect_health("unhealthy", 503);
}

Test(health, a_check_never_made_is_unknown_and_not_healthy)
{
	struct http_request *r;

	check_made(stage.writer_page, CHECK_DATABASE, E_OK, 0);
	r = get(&stage, "/api/v1/health/detailed");
	cr_expect_str_eq(member(r, "status"), "degraded");
	cr_expect_str_eq(member(r, "checks.external_api.status"), "unknown");
	cr_expect_str_eq(member(r, "checks.external_api.response_time_ms"), "null");
	cr_expect_str_eq(member(r, "checks.external_api.checked_at"), "null");
	ask_free(r);
	check_made(stage.fetcher_page, CHECK_EXTERNAL_API, E_OK, 0);
	expect_health("healthy", 200);
}

Test(health, a_check_too_old_is_unknown)
{
	struct http_request *r;

	all_well();
	check_made(stage.writer_page, CHECK_DATABASE, E_OK, 181000);
	r = get(&stage, "/api/v1/health/detailed");
	cr_expect_str_eq(member(r, "status"), "degraded");
	cr_expect_str_eq(member(r, "checks.database.status"), "unknown");
	cr_expect_str_eq(member(r, "checks.database.age_seconds"), "181");
	ask_free(r);
}

Test(health, detailed_tells_checks_workers_system_and_upstream)
{
	struct stats fetcher = { .mine = stage.fetcher_page, .all = stage.board };
	struct stats writer = { .mine = stage.writer_page, .all = stage.board };
	struct stats master = { .mine = board_slot(stage.board, "master", ROLE_MASTER),
		.all = stage.board };
	struct http_request *r;

	metric_set(&master, M_MACHINE_MEMORY, 0, 0, 4000);
	metric_set(&master, M_MACHINE_MEMORY_LEFT, 0, 0, 1000);
	metric_set(&master, M_MACHINE_BUSY, 0, 0, 125);
	metric_set(&writer, M_STATE_DISK, 0, 0, 8000);
	metric_set(&writer, M_STATE_DISK_LEFT, 0, 0, 6000);
	all_well();
	check_made(stage.writer_page, CHECK_DATABASE, E_STORE, 500);
	stage.fetcher_page->restarts = 3;
	strcpy(stage.fetcher_page->last_exit, "signal 9 (Killed)");
	strcpy(stage.board->upstream, "https://data.alpaca.markets");
	metric_set(&fetcher, M_UPSTREAM_BUDGET, 0, 0, 187500);
	metric_set(&fetcher, M_UPSTREAM_BREAKER, LABEL(family, OPTION), 0, 1);
	metric_set(&writer, M_JOURNAL_LAG, 0, 0, 17);
	stage_pass(&stage, 2500);
	r = get(&stage, "/api/v1/health/detailed");
	cr_expect_str_eq(member(r, "status"), "degraded");
	cr_expect_str_eq(member(r, "reason_codes"), "[\"upstream_breaker_open\",\"store_fails\"]");
	cr_expect_str_eq(member(r, "checks.database.status"), "unhealthy");
	cr_expect_str_eq(member(r, "checks.database.last_error"), "connection refused");
	cr_expect_str_eq(member(r, "checks.database.last_success"), "null");
	cr_expect_str_eq(member(r, "checks.external_api.status"), "healthy");
	cr_expect_str_eq(member(r, "checks.external_api.response_time_ms"), "1.5");
	cr_expect_str_eq(member(r, "checks.cache.status"), "healthy");
	cr_expect_str_eq(member(r, "checks.cache.age_seconds"), "0");
	cr_expect_eq(json_array_size(at(r->json, "workers")), 3);
	cr_expect_str_eq(member(r, "workers.0.slot"), "fetcher-rest");
	cr_expect_str_eq(member(r, "workers.0.restarts"), "3");
	cr_expect_str_eq(member(r, "workers.0.last_exit"), "signal 9 (Killed)");
	cr_expect_str_eq(member(r, "workers.0.uptime_seconds"), "2.5");
	cr_expect_str_eq(member(r, "workers.2.role"), "http");
	cr_expect_str_eq(member(r, "upstream.url"), "https://data.alpaca.markets");
	cr_expect_str_eq(member(r, "upstream.budget_left"), "187.5");
	cr_expect_str_eq(member(r, "upstream.breaker.option"), "open");
	cr_expect_str_eq(member(r, "upstream.breaker.stock"), "closed");
	cr_expect_str_eq(member(r, "upstream.journal_lag_records"), "17");
	cr_expect_str_eq(member(r, "system.uptime_seconds"), "2.5");
	cr_expect_str_eq(member(r, "checks.database.last_error_at"), "2023-11-14T22:13:19.500Z");
	cr_expect_str_eq(member(r, "checks.external_api.last_error_at"), "null");
	cr_expect_str_eq(member(r, "system.memory.machine_total_bytes"), "4000");
	cr_expect_str_eq(member(r, "system.memory.usage_percent"), "75");
	cr_expect_str_eq(member(r, "system.memory.cgroup_limit_bytes"), "null");
	cr_expect_str_eq(member(r, "system.disk.available_bytes"), "6000");
	cr_expect_str_eq(member(r, "system.disk.usage_percent"), "25");
	cr_expect_str_eq(member(r, "system.cpu.usage_percent"), "12.5");
	cr_expect(json_is_number(at(r->json, "system.cpu.load_average.0")));
	ask_free(r);
}

/* An error is told until the next one, with its time: who looks a minute later still sees what it was. */
Test(health, a_check_that_succeeds_again_keeps_its_last_error)
{
	struct stats writer = { .mine = stage.writer_page, .all = stage.board };
	struct http_request *r;

	check_store(&writer, CHECK_DATABASE, E_STORE, 0, "connection refused");
	stage_pass(&stage, 1000);
	check_store(&writer, CHECK_DATABASE, E_OK, 2500000, NULL);
	r = get(&stage, "/api/v1/health/detailed");
	cr_expect_str_eq(member(r, "checks.database.status"), "healthy");
	cr_expect_str_eq(member(r, "checks.database.response_time_ms"), "2.5");
	cr_expect_str_eq(member(r, "checks.database.last_error"), "connection refused");
	cr_expect_str_eq(member(r, "checks.database.last_error_at"), "2023-11-14T22:13:20.000Z");
	cr_expect_str_eq(member(r, "checks.database.last_success"), "2023-11-14T22:13:21.000Z");
	ask_free(r);
}

Test(health, a_dead_fetchers_gauges_are_unknown_not_zero)
{
	struct http_request *r;

	stage.fetcher_page->pid = 0;
	strcpy(stage.fetcher_page->state, "waiting");
	r = get(&stage, "/api/v1/health/detailed");
	cr_expect_str_eq(member(r, "upstream.budget_left"), "null");
	cr_expect_str_eq(member(r, "upstream.breaker"), "null");
	cr_expect_str_eq(member(r, "workers.0.pid"), "null");
	cr_expect_str_eq(member(r, "workers.0.uptime_seconds"), "null");
	ask_free(r);
}

static void
expect_probe(const char *path, int status, const char *reason)
{
	struct http_request *r = get(&stage, path);

	cr_expect_eq(r->status, status, "%s", path);
	cr_expect_str_eq(member(r, "reason"), reason, "%s", path);
	ask_free(r);
}

Test(health, readiness_falls_when_stopping_and_liveness_does_not)
{
	expect_probe("/readyz", 200, "null");
	stage.board->stopping = 1;
	expect_probe("/readyz", 503, "the gateway is stopping");
	expect_probe("/livez", 200, "");
}

Test(health, readiness_waits_for_the_first_fetcher_only)
{
	struct http_request *r;

	stage.board->all_ready_ns = 0;
	strcpy(stage.fetcher_page->state, "starting");
	r = get(&stage, "/readyz");
	cr_expect_eq(r->status, 503);
	cr_expect_str_eq(member(r, "code"), "starting");
	cr_expect_str_eq(member(r, "roles.fetcher.state"), "starting");
	cr_expect_str_eq(member(r, "roles.fetcher.reason"), "starting");
	cr_expect_str_eq(member(r, "roles.http.state"), "ready");
	cr_expect_str_eq(member(r, "roles.http.reason"), "null");
	ask_free(r);
	expect_probe("/startupz", 503, "not every required worker has been ready yet");
	stage.worker.fetcher_was_ready = true;
	expect_probe("/readyz", 200, "null");
	stage.board->all_ready_ns = stage.wall;
	expect_probe("/startupz", 200, "null");
}

static void
expect_code(int status, const char *code, const char *role, const char *reason)
{
	struct http_request *r = get(&stage, "/readyz");
	char path[64];

	snprintf(path, sizeof(path), "roles.%s.reason", role);
	cr_expect_eq(r->status, status, "%s", code);
	cr_expect_str_eq(member(r, "code"), code);
	cr_expect_str_eq(member(r, path), reason, "%s", code);
	ask_free(r);
}

Test(health, a_role_that_failed_is_not_ready_and_says_so)
{
	struct slot_page *second = board_slot(stage.board, "http-1", ROLE_HTTP);

	expect_code(200, "null", "http", "not_ready");
	stage.fetcher_page->failed_ns = stage.wall;
	expect_code(503, "fetcher_failed", "fetcher", "failed");
	expect_health("unhealthy", 503);
	stage.fetcher_page->failed_ns = 0;
	stage.writer_page->failed_ns = stage.wall;
	expect_code(503, "cache_writer_failed", "cache-writer", "failed");
	stage.writer_page->failed_ns = 0;
	strcpy(second->state, "ready");
	second->pid = 14;
	expect_code(200, "null", "http", "null");
	second->failed_ns = stage.wall;
	expect_code(200, "null", "http", "failed");
	strcpy(stage.http->state, "waiting");
	stage.http->pid = 0;
	expect_code(503, "http_not_ready", "http", "failed");
	second->failed_ns = 0;
	expect_code(200, "null", "http", "not_ready");
}

Test(health, a_slot_of_two_seats_is_told_once_and_the_other_seat_as_draining)
{
	struct slot_page *second = board_slot(stage.board, "http-0.1", ROLE_HTTP),
			 *first = stage.http;
	struct http_request *r;

	first->twin = (uint32_t)(second - stage.board->slots) + 1;
	second->twin = (uint32_t)(first - stage.board->slots) + 1;
	second->current = 1;
	second->pid = 77;
	strcpy(second->state, "ready");
	second->spawned_ns = stage.wall - CLOCK_SEC;
	second->restarts = 2;
	second->doing_on = 1;
	second->doing_ns = stage.wall - 2 * CLOCK_SEC;
	strcpy(second->doing, "GET /api/v1/stocks/AAPL/quote");
	strcpy(first->state, "draining");
	first->restarts = 3;
	strcpy(first->last_exit, "signal 11 (Segmentation fault)");
	first->last_exit_ns = stage.wall - CLOCK_SEC;
	r = get(&stage, "/api/v1/health/detailed");
	cr_expect_eq(json_array_size(at(r->json, "workers")), 3);
	cr_expect_str_eq(member(r, "workers.2.slot"), "http-0");
	cr_expect_str_eq(member(r, "workers.2.pid"), "77");
	cr_expect_str_eq(member(r, "workers.2.state"), "ready");
	cr_expect_str_eq(member(r, "workers.2.restarts"), "5");
	cr_expect_str_eq(member(r, "workers.2.failed"), "false");
	cr_expect_str_eq(member(r, "workers.2.uptime_seconds"), "1");
	cr_expect_str_eq(member(r, "workers.2.last_exit"), "signal 11 (Segmentation fault)");
	cr_expect_str_eq(member(r, "workers.2.doing"), "GET /api/v1/stocks/AAPL/quote");
	cr_expect_str_eq(member(r, "workers.2.doing_seconds"), "2");
	cr_expect_eq(json_array_size(at(r->json, "draining")), 1);
	cr_expect_str_eq(member(r, "draining.0.slot"), "http-0");
	cr_expect_str_eq(member(r, "draining.0.pid"), "13");
	cr_expect_str_eq(member(r, "draining.0.state"), "draining");
	ask_free(r);
	first->pid = 0;
	r = get(&stage, "/api/v1/health/detailed");
	cr_expect_eq(json_array_size(at(r->json, "draining")), 0);
	ask_free(r);
}

Test(health, a_page_gone_mad_still_makes_json)
{
	struct slot_page *mad = board_slot(stage.board, "http-1", ROLE_HTTP);
	size_t from = offsetof(struct slot_page, slot), to = offsetof(struct slot_page, crash);
	struct http_request *r;

	for (unsigned byte = 1; byte < 256; byte += 2) {
		memset((char *)mad + from, (int)byte, to - from);
		memset(mad->checks, (int)byte, sizeof(mad->checks));
		memset(mad->note, (int)byte, sizeof(mad->note));
		mad->in_use = 1;
		r = get(&stage, "/api/v1/health/detailed");
		cr_expect_eq(r->status, 200, "%u", byte);
		cr_assert_not_null(r->json, "%u: %s", byte, r->answer);
		cr_expect_eq(json_array_size(at(r->json, "workers")), 4);
		ask_free(r);
		ask_free(get(&stage, "/readyz"));
	}
}

/* As the master asks: it has no cache, and takes what an http worker found last. */
Test(health, without_a_cache_of_its_own_the_last_check_of_an_http_worker_counts)
{
	struct slot_page *second = board_slot(stage.board, "http-1", ROLE_HTTP);
	struct health_own own = { .state_dir = "/" };
	struct health_facts f;

	health_gather(stage.board, &own, stage.wall, &f);
	cr_expect_eq(f.cache, CHECK_STATE_UNKNOWN);
	check_made(stage.http, CHECK_CACHE, E_OK, 2000);
	health_gather(stage.board, &own, stage.wall, &f);
	cr_expect_eq(f.cache, CHECK_STATE_HEALTHY);
	check_made(second, CHECK_CACHE, E_ABSENT, 1000);
	health_gather(stage.board, &own, stage.wall, &f);
	cr_expect_eq(f.cache, CHECK_STATE_UNHEALTHY);
}

Test(health, metrics_show_the_whole_board)
{
	struct http_request *r;

	ask_free(get(&stage, "/livez"));
	r = get(&stage, "/metrics");
	cr_expect_eq(r->status, 200);
	cr_expect_str_eq(r->type, "text/plain; version=0.0.4; charset=utf-8");
	cr_expect_str_eq(answer_header(r, "Vary"), "Accept");
	cr_expect_not_null(strstr(r->answer, "opitios_http_requests_total{worker=\"http-0\",role="
					     "\"http\",route=\"/livez\",code=\"200\"} 1\n"));
	cr_expect_not_null(
	    strstr(r->answer, "opitios_worker_up{worker=\"fetcher-rest\",role=\"fetcher\"} 1\n"));
	ask_free(r);
}
