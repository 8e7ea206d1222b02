# Unit tests of market.
check_PROGRAMS += test_market
TESTS += test_market
test_market_SOURCES = tests/unit/market/test_value.c tests/unit/market/test_symbol.c tests/unit/market/test_endpoint.c \
	tests/unit/market/test_book.c tests/unit/market/test_session.c tests/unit/market/test_hours.c
test_market_CFLAGS = $(TEST_CFLAGS)
test_market_LDADD = $(MARKET_LIBS) $(BASE_LIBS) $(CRITERION_LIBS)
