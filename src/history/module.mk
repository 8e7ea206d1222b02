# history: the past of one series out of a store, read without holding up the loop.
noinst_LIBRARIES += libhistory.a
libhistory_a_SOURCES = src/history/history.c src/history/spans.c src/history/pick.c src/history/list_text.c \
	src/history/threads.c src/history/reading.c src/history/sqlite.c src/history/postgres.c src/history/pg_statement.c \
	src/history/pg_stream.c src/history/writing.c src/history/pg_reading.h \
	src/history/history_room.h src/history/reading.h src/history/list_text.h
libhistory_a_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/src/history
libhistory_a_CFLAGS = $(AM_CFLAGS) $(SQLITE_CFLAGS) $(PQ_CFLAGS)
HISTORY_LIBS = libhistory.a $(SQLITE_LIBS) $(PQ_LIBS)
noinst_HEADERS += include/history.h
