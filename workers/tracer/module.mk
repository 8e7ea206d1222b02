# tracer: spans of the others to a collector. The library is what its tests use.
noinst_LIBRARIES += libtracer.a
libtracer_a_SOURCES = workers/tracer/otlp.c workers/tracer/otlp_answer.c workers/tracer/pairs.c workers/tracer/pack.c workers/tracer/tracer.h
TRACER_LIBS = libtracer.a $(ZLIB_LIBS)
pkglibexec_PROGRAMS += tracer
tracer_SOURCES = workers/tracer/main.c workers/tracer/queue.c workers/tracer/export.c
tracer_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS)
tracer_LDADD = $(TRACER_LIBS) $(PROC_LIBS) $(MSGPACK_LIBS) $(BASE_LIBS) $(CURL_LIBS)
