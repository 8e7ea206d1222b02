# Unit tests of store.
check_PROGRAMS += test_store
TESTS += test_store
test_store_SOURCES = tests/unit/store/test_sqlite.c tests/unit/store/test_schema.c \
	tests/unit/store/test_contract.c tests/unit/store/test_postgres.c tests/unit/store/test_pg_tables.c tests/unit/store/test_pg_url.c tests/unit/store/server.c tests/unit/store/server.h \
	tests/unit/store/store_help.h
test_store_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/src/store
test_store_CFLAGS = $(TEST_CFLAGS) $(SQLITE_CFLAGS) $(PQ_CFLAGS)
test_store_LDADD = $(STORE_LIBS) $(IPC_LIBS) $(METRIC_LIBS) $(CONF_LIBS) $(MARKET_LIBS) $(BASE_LIBS) $(CRITERION_LIBS)
