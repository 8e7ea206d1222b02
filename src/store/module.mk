# store: history stores behind one contract. A migration is a further file of STORE_SCHEMA, in order.
STORE_SCHEMA = src/store/schema/001_history.sql
noinst_LIBRARIES += libstore.a
libstore_a_SOURCES = src/store/sqlite.c src/store/row.c src/store/migrate.c src/store/store_room.h
nodist_libstore_a_SOURCES = src/store/schema.c
libstore_a_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/src/store
libstore_a_CFLAGS = $(AM_CFLAGS) $(SQLITE_CFLAGS)
STORE_LIBS = libstore.a $(SQLITE_LIBS)
noinst_HEADERS += include/store.h
EXTRA_DIST += $(STORE_SCHEMA) src/store/schema.awk
BUILT_SOURCES += src/store/schema.c
CLEANFILES += src/store/schema.c
src/store/schema.c: $(STORE_SCHEMA) src/store/schema.awk
	$(AM_V_GEN)$(MKDIR_P) src/store && cd $(srcdir) && \
	$(AWK) -f src/store/schema.awk $(STORE_SCHEMA) >$(abs_builddir)/$@.tmp && mv $(abs_builddir)/$@.tmp $(abs_builddir)/$@
