# One program per room: test_<room>, made of tests/unit/<room>/test_<module>.c
check_PROGRAMS += test_base
TESTS += test_base
test_base_SOURCES = tests/unit/base/test_text.c tests/unit/base/test_clock.c tests/unit/base/test_decimal.c \
	tests/unit/base/test_json_write.c tests/unit/base/test_buf.c tests/unit/base/test_limit.c \
	tests/unit/base/test_backoff.c tests/unit/base/test_loop.c tests/unit/base/test_err.c
test_base_CFLAGS = $(TEST_CFLAGS)
test_base_LDADD = $(BASE_LIBS) $(CRITERION_LIBS)

check_PROGRAMS += test_market
TESTS += test_market
test_market_SOURCES = tests/unit/market/test_value.c tests/unit/market/test_symbol.c tests/unit/market/test_endpoint.c
test_market_CFLAGS = $(TEST_CFLAGS)
test_market_LDADD = $(MARKET_LIBS) $(BASE_LIBS) $(CRITERION_LIBS)

check_PROGRAMS += test_conf
TESTS += test_conf
test_conf_SOURCES = tests/unit/conf/test_conf.c tests/unit/conf/test_conf_read.c
test_conf_CFLAGS = $(TEST_CFLAGS)
test_conf_LDADD = $(CONF_LIBS) $(BASE_LIBS) $(CRITERION_LIBS)
check_PROGRAMS += test_ipc
TESTS += test_ipc
test_ipc_SOURCES = tests/unit/ipc/test_msg.c tests/unit/ipc/test_unpack.c tests/unit/ipc/test_chan.c \
	tests/unit/ipc/test_chan_hostile.c tests/unit/ipc/ends.c tests/unit/ipc/ends.h \
	tests/support/sample.c tests/support/sample.h
test_ipc_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/src/ipc -I$(top_srcdir)/tests/support \
	-DTESTS_DIR='"$(abs_top_srcdir)/tests"'
test_ipc_CFLAGS = $(TEST_CFLAGS)
test_ipc_LDADD = $(IPC_LIBS) $(BASE_LIBS) $(CRITERION_LIBS) $(MSGPACK_LIBS)
EXTRA_DIST += tests/golden/messages.txt

check_PROGRAMS += test_metric
TESTS += test_metric
test_metric_SOURCES = tests/unit/metric/test_label.c tests/unit/metric/test_metric.c tests/unit/metric/test_board.c \
	tests/unit/metric/test_expose.c
test_metric_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/src/metric
test_metric_CFLAGS = $(TEST_CFLAGS)
test_metric_LDADD = $(METRIC_LIBS) $(MARKET_LIBS) $(BASE_LIBS) $(CRITERION_LIBS)
