# Unit tests of ipc.
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
