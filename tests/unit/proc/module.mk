# Unit tests of proc and master, on the real binary with a worker made for tests.
check_PROGRAMS += test_worker test_proc test_master
TESTS += test_proc test_master
test_worker_SOURCES = tests/support/worker.c
test_worker_CFLAGS = $(AM_CFLAGS) -Wno-conversion -Wno-infinite-recursion
test_worker_LDADD = $(PROC_LIBS) $(INIH_LIBS) $(MSGPACK_LIBS) $(BASE_LIBS)
test_proc_SOURCES = tests/unit/proc/test_proc.c
test_proc_CPPFLAGS = $(AM_CPPFLAGS) -DBUILD_DIR='"$(abs_builddir)"'
test_proc_CFLAGS = $(TEST_CFLAGS)
test_proc_LDADD = $(PROC_LIBS) $(INIH_LIBS) $(MSGPACK_LIBS) $(BASE_LIBS) $(CRITERION_LIBS)
test_proc_DEPENDENCIES = $(PROC_LIBS) libbase.a test_worker$(EXEEXT)
test_master_SOURCES = tests/unit/master/test_slot.c tests/unit/master/test_options.c tests/unit/master/test_cpus.c \
	tests/unit/master/test_start.c tests/unit/master/test_supervision.c tests/unit/master/test_reload.c \
	tests/unit/master/test_strategy.c tests/unit/master/test_crash.c tests/unit/master/test_ctl.c tests/unit/master/stage.c tests/unit/master/stage.h
test_master_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/src/master -DBUILD_DIR='"$(abs_builddir)"'
test_master_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS) -Wno-write-strings
test_master_LDADD = $(MASTER_LIBS) $(CRITERION_LIBS)
test_master_DEPENDENCIES = libmaster.a $(PROC_LIBS) libbase.a test_worker$(EXEEXT) opitios-alpaca$(EXEEXT)
test_master_SOURCES += tests/unit/master/test_replace.c tests/unit/master/test_handover.c tests/unit/master/test_notify.c tests/unit/master/test_listen.c tests/unit/master/test_state_dir.c
# The control socket's connections alone, with actions of the test's own.
check_PROGRAMS += test_ctl_conn
TESTS += test_ctl_conn
test_ctl_conn_SOURCES = tests/unit/master/test_ctl_conn.c src/master/ctl_server.c src/master/ctl_conn.c \
	src/master/ctl_request.c src/master/state_dir.c
test_ctl_conn_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/src/master
test_ctl_conn_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS)
test_ctl_conn_LDADD = $(JANSSON_LIBS) $(BASE_LIBS) $(CRITERION_LIBS)
