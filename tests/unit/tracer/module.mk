# Unit tests of the tracer: what it reads and writes.
check_PROGRAMS += test_tracer
TESTS += test_tracer
test_tracer_SOURCES = tests/unit/tracer/test_tracer.c tests/unit/tracer/test_export.c workers/tracer/queue.c \
	workers/tracer/export.c
test_tracer_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/workers/tracer
test_tracer_CFLAGS = $(TEST_CFLAGS) $(CURL_CFLAGS)
test_tracer_LDADD = $(TRACER_LIBS) $(CONF_LIBS) $(BASE_LIBS) $(CURL_LIBS) $(CRITERION_LIBS)
