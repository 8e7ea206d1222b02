# trace: spans on their way to the tracer.
noinst_LIBRARIES += libtrace.a
libtrace_a_SOURCES = src/trace/span.c
TRACE_LIBS = libtrace.a
noinst_HEADERS += include/span.h
