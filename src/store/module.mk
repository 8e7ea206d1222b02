# store: history stores behind one contract.
noinst_LIBRARIES += libstore.a
libstore_a_SOURCES = src/store/sqlite.c src/store/migrate.c src/store/store_room.h
libstore_a_CFLAGS = $(AM_CFLAGS) $(SQLITE_CFLAGS)
STORE_LIBS = libstore.a $(SQLITE_LIBS)
noinst_HEADERS += include/store.h
