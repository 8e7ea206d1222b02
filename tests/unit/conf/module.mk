# Unit tests of conf.
check_PROGRAMS += test_conf
TESTS += test_conf
test_conf_SOURCES = tests/unit/conf/test_conf.c tests/unit/conf/test_conf_read.c
test_conf_CPPFLAGS = $(AM_CPPFLAGS) -DEXAMPLE='"$(abs_top_srcdir)/examples/opitios-alpaca.conf"'
test_conf_CFLAGS = $(TEST_CFLAGS)
test_conf_LDADD = $(CONF_LIBS) $(BASE_LIBS) $(CRITERION_LIBS)
