# Unit tests of the tracer: what it reads and writes.
check_PROGRAMS += test_tracer
TESTS += test_tracer
test_tracer_SOURCES = tests/unit/tracer/test_tracer.c workers/tracer/queue.c
test_tracer_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/workers/tracer
test_tracer_CFLAGS = $(TEST_CFLAGS)
test_tracer_LDADD = $(TRACER_LIBS) $(BASE_LIBS) $(CRITERION_LIBS)
