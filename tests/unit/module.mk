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
