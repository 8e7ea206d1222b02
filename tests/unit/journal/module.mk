# Unit tests of journal.
check_PROGRAMS += test_journal
TESTS += test_journal
test_journal_SOURCES = tests/unit/journal/test_append.c tests/unit/journal/test_read.c tests/unit/journal/test_scan.c tests/unit/journal/test_keep.c tests/unit/journal/test_again.c \
	tests/unit/journal/test_look.c tests/unit/journal/test_kill.c tests/unit/journal/test_sync.c tests/unit/journal/journal_help.h
test_journal_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/src/journal
test_journal_CFLAGS = $(TEST_CFLAGS)
# What happens between a reader's looks at the folder is the test's to say.
test_journal_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=segment_list_read
test_journal_LDADD = $(JOURNAL_LIBS) $(IPC_LIBS) $(MARKET_LIBS) $(BASE_LIBS) $(CRITERION_LIBS)
