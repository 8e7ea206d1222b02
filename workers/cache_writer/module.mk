# cache_writer: from the journals into the stores. The library is what its tests use.
noinst_LIBRARIES += libcachewriter.a
libcachewriter_a_SOURCES = workers/cache_writer/writer.c workers/cache_writer/tail.c workers/cache_writer/node.c \
	workers/cache_writer/cache_writer.h
CACHE_WRITER_LIBS = libcachewriter.a $(STORE_LIBS) $(JOURNAL_LIBS)
pkglibexec_PROGRAMS += cache-writer
cache_writer_SOURCES = workers/cache_writer/main.c
cache_writer_LDADD = $(CACHE_WRITER_LIBS) $(PROC_LIBS) $(MARKET_LIBS) $(MSGPACK_LIBS) $(BASE_LIBS)
