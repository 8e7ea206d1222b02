# Unit tests of metric.
check_PROGRAMS += test_metric
TESTS += test_metric
test_metric_SOURCES = tests/unit/metric/test_label.c tests/unit/metric/test_metric.c tests/unit/metric/test_board.c \
	tests/unit/metric/test_expose.c
test_metric_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/src/metric
test_metric_CFLAGS = $(TEST_CFLAGS)
test_metric_LDADD = $(METRIC_LIBS) $(MARKET_LIBS) $(BASE_LIBS) $(CRITERION_LIBS)
