# Unit tests of store.
check_PROGRAMS += test_store
TESTS += test_store
test_store_SOURCES = tests/unit/store/test_sqlite.c tests/unit/store/test_schema.c tests/unit/store/store_help.h
test_store_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/src/store
test_store_CFLAGS = $(TEST_CFLAGS) $(SQLITE_CFLAGS)
test_store_LDADD = $(STORE_LIBS) $(IPC_LIBS) $(METRIC_LIBS) $(CONF_LIBS) $(MARKET_LIBS) $(BASE_LIBS) $(CRITERION_LIBS)
