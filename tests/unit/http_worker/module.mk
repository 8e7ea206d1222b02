# Unit tests of the http worker.
check_PROGRAMS += test_http_worker
TESTS += test_http_worker
test_http_worker_SOURCES = tests/unit/http_worker/test_router.c tests/unit/http_worker/test_params.c \
	tests/unit/http_worker/test_ask.c tests/unit/http_worker/test_lookup.c tests/unit/http_worker/test_waiting.c tests/unit/http_worker/test_waited.c tests/unit/http_worker/test_wall_age.c \
	tests/unit/http_worker/test_answer.c \
	tests/unit/http_worker/test_batch.c tests/unit/http_worker/test_range.c tests/unit/http_worker/test_health.c tests/unit/http_worker/test_openapi.c tests/unit/http_worker/test_status_page.c \
	tests/unit/http_worker/stage.c tests/unit/http_worker/fake_history.c tests/unit/http_worker/fake_history.h tests/unit/http_worker/stage.h $(HTTP_WORKER_SOURCES)
test_http_worker_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/workers/http
test_http_worker_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS) $(HIREDIS_CFLAGS)
test_http_worker_LDADD = $(REDIS_LIBS) $(STATUS_LIBS) $(HEALTH_LIBS) $(HTTP_LIBS) $(TRACE_LIBS) $(MARKET_LIBS) $(CONF_LIBS) $(METRIC_LIBS) $(IPC_LIBS) $(BASE_LIBS) \
	$(JANSSON_LIBS) $(CRITERION_LIBS)
