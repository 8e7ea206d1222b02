# Unit tests of fetcher.
check_PROGRAMS += test_fetcher
TESTS += test_fetcher
test_fetcher_SOURCES = tests/unit/fetcher/test_budget.c tests/unit/fetcher/test_breaker.c \
	tests/unit/fetcher/test_decode.c tests/unit/fetcher/test_recorded.c tests/unit/fetcher/test_plan.c \
	tests/unit/fetcher/test_settle.c tests/unit/fetcher/test_walk.c tests/unit/fetcher/test_cover.c tests/unit/fetcher/test_publish.c \
	tests/unit/fetcher/test_clock_watch.c tests/unit/fetcher/test_traced.c tests/unit/fetcher/fakes.c tests/unit/fetcher/fakes.h
test_fetcher_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/workers/fetcher -DTESTS_DIR='"$(abs_top_srcdir)/tests"'
test_fetcher_CFLAGS = $(TEST_CFLAGS)
test_fetcher_LDADD = libfetcher.a $(TRACE_LIBS) $(MARKET_LIBS) $(IPC_LIBS) $(CONF_LIBS) $(METRIC_LIBS) $(BASE_LIBS) \
	$(JANSSON_LIBS) $(CRITERION_LIBS)

# Real exchanges, where test_fetcher has a double.
check_PROGRAMS += test_exchange
TESTS += test_exchange
test_exchange_SOURCES = tests/unit/fetcher/test_exchange.c
test_exchange_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/workers/fetcher
test_exchange_CFLAGS = $(TEST_CFLAGS)
test_exchange_LDADD = libfetcher.a $(CONF_LIBS) $(BASE_LIBS) -ldl -lpthread $(CRITERION_LIBS)
