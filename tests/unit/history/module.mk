# Unit tests of history.
check_PROGRAMS += test_history
TESTS += test_history
test_history_SOURCES = tests/unit/history/test_spans.c tests/unit/history/test_pick.c tests/unit/history/test_reading.c \
	tests/unit/history/test_list_text.c tests/unit/history/world.c tests/unit/history/world.h
test_history_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/src/history -DSCHEMA_DIR='"$(abs_top_srcdir)/src/store"'
test_history_CFLAGS = $(TEST_CFLAGS) $(SQLITE_CFLAGS) $(PQ_CFLAGS)
test_history_LDADD = $(HISTORY_LIBS) $(MARKET_LIBS) $(CONF_LIBS) $(IPC_LIBS) $(BASE_LIBS) $(CRITERION_LIBS)
EXTRA_DIST += src/store/schema_pg/002_coverage.sql

# It plays libpq and the connection: of the room only the stream.
check_PROGRAMS += test_pg_stream
test_pg_stream_SOURCES = tests/unit/history/test_pg_stream.c
test_pg_stream_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/src/history
test_pg_stream_CFLAGS = $(TEST_CFLAGS) $(PQ_CFLAGS)
test_pg_stream_LDADD = libhistory.a $(BASE_LIBS) $(CRITERION_LIBS)
TESTS += test_pg_stream
