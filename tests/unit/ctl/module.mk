# Unit tests of opitios-ctl.
check_PROGRAMS += test_ctl
TESTS += test_ctl
test_ctl_SOURCES = tests/unit/ctl/test_rates.c tests/unit/ctl/test_command.c tests/unit/ctl/test_format.c \
	tests/unit/ctl/test_top.c tests/unit/ctl/test_client.c tests/unit/ctl/test_journal.c tests/unit/ctl/test_export.c
test_ctl_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/src/ctl -DBUILD_DIR='"$(abs_builddir)"'
test_ctl_CFLAGS = $(TEST_CFLAGS) $(JANSSON_CFLAGS) $(SQLITE_CFLAGS)
test_ctl_LDADD = $(CTL_LIBS) $(CRITERION_LIBS)
test_ctl_DEPENDENCIES = libctl.a libjournal.a libipc.a libmarket.a libconf.a libbase.a opitios-ctl$(EXEEXT)
