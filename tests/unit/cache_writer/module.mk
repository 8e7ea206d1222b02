# Unit tests of cache_writer.
check_PROGRAMS += test_cache_writer
TESTS += test_cache_writer
test_cache_writer_SOURCES = tests/unit/cache_writer/test_tail.c tests/unit/cache_writer/test_claim.c tests/unit/cache_writer/test_writer.c tests/unit/cache_writer/test_latest.c \
	tests/unit/cache_writer/test_writer_kill.c tests/unit/cache_writer/fake_store.c \
	tests/unit/cache_writer/fake_store.h tests/unit/cache_writer/writer_help.h
test_cache_writer_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/workers/cache_writer
test_cache_writer_CFLAGS = $(TEST_CFLAGS) $(SQLITE_CFLAGS)
test_cache_writer_LDADD = $(CACHE_WRITER_LIBS) $(IPC_LIBS) $(METRIC_LIBS) $(CONF_LIBS) $(MARKET_LIBS) $(BASE_LIBS) \
	$(CRITERION_LIBS)
