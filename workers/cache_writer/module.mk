# cache_writer: from the journals into the stores. The library is what its tests use.
noinst_LIBRARIES += libcachewriter.a
libcachewriter_a_SOURCES = workers/cache_writer/writer.c workers/cache_writer/writer_store.c workers/cache_writer/writer_room.h \
	workers/cache_writer/tail.c workers/cache_writer/tails.c \
	workers/cache_writer/rows.c workers/cache_writer/reasons.c workers/cache_writer/claim.c workers/cache_writer/node.c \
	workers/cache_writer/disk.c workers/cache_writer/latest_sink.c workers/cache_writer/latest_send.c \
	workers/cache_writer/latest_batch.c workers/cache_writer/latest_source.c workers/cache_writer/latest_known.c \
	workers/cache_writer/latest_known.h workers/cache_writer/latest_sink.h \
	workers/cache_writer/latest_room.h workers/cache_writer/cache_writer.h
libcachewriter_a_CFLAGS = $(AM_CFLAGS) $(HIREDIS_CFLAGS)
CACHE_WRITER_LIBS = libcachewriter.a $(STORE_LIBS) $(JOURNAL_LIBS) $(REDIS_LIBS) $(JANSSON_LIBS)
pkglibexec_PROGRAMS += cache-writer
cache_writer_SOURCES = workers/cache_writer/main.c workers/cache_writer/traced.c workers/cache_writer/traced.h
cache_writer_LDADD = $(CACHE_WRITER_LIBS) $(TRACE_LIBS) $(PROC_LIBS) $(MARKET_LIBS) $(MSGPACK_LIBS) $(BASE_LIBS)
