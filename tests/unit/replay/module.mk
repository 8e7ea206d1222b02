# Unit tests of replay.
check_PROGRAMS += test_replay
TESTS += test_replay
test_replay_SOURCES = tests/unit/replay/test_market_day.c tests/unit/replay/test_spelling.c \
	tests/unit/replay/test_request.c tests/unit/replay/test_token.c tests/unit/replay/test_limiter.c \
	tests/unit/replay/test_fault.c tests/unit/replay/test_csv_load.c tests/unit/replay/test_lean_load.c \
	tests/unit/replay/test_options.c tests/unit/replay/test_journal_load.c
test_replay_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tools/replay
test_replay_CFLAGS = $(TEST_CFLAGS) $(ZIP_CFLAGS)
test_replay_LDADD = $(REPLAY_LIBS) $(CRITERION_LIBS)
