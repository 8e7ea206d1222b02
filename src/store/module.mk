# store: history stores behind one contract. A migration is a further file of a schema, in order.
STORE_SCHEMA = src/store/schema/001_history.sql src/store/schema/002_coverage.sql src/store/schema/003_dead_letters.sql
STORE_SCHEMA_PG = src/store/schema_pg/001_history.sql src/store/schema_pg/002_coverage.sql \
	src/store/schema_pg/003_default_event.sql src/store/schema_pg/004_claim.sql \
	src/store/schema_pg/005_patience.sql src/store/schema_pg/006_trim_received.sql \
	src/store/schema_pg/007_abandoned.sql
noinst_LIBRARIES += libstore.a
libstore_a_SOURCES = src/store/sqlite.c src/store/row.c src/store/record_text.c src/store/migrate.c \
	src/store/trim.c src/store/pg.c src/store/pg_batch.c src/store/pg_link.c src/store/pg_open.c \
	src/store/pg_row.c src/store/pg_url.c src/store/pg_check.c src/store/pg_hosts.c src/store/pg_parts.c src/store/pg_room.h src/store/store_room.h \
	src/store/migration.h
nodist_libstore_a_SOURCES = src/store/schema.c src/store/schema_pg.c
libstore_a_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/src/store
libstore_a_CFLAGS = $(AM_CFLAGS) $(SQLITE_CFLAGS) $(PQ_CFLAGS)
STORE_LIBS = libstore.a $(SQLITE_LIBS) $(PQ_LIBS)
noinst_HEADERS += include/store.h
EXTRA_DIST += $(STORE_SCHEMA) $(STORE_SCHEMA_PG) src/store/schema.awk
BUILT_SOURCES += src/store/schema.c src/store/schema_pg.c
CLEANFILES += src/store/schema.c src/store/schema_pg.c
src/store/schema.c: $(STORE_SCHEMA) src/store/schema.awk
	$(AM_V_GEN)$(MKDIR_P) src/store && cd $(srcdir) && \
	$(AWK) -v array=store_migration -f src/store/schema.awk $(STORE_SCHEMA) >$(abs_builddir)/$@.tmp && \
	mv $(abs_builddir)/$@.tmp $(abs_builddir)/$@
src/store/schema_pg.c: $(STORE_SCHEMA_PG) src/store/schema.awk
	$(AM_V_GEN)$(MKDIR_P) src/store && cd $(srcdir) && \
	$(AWK) -v array=pg_migration -f src/store/schema.awk $(STORE_SCHEMA_PG) >$(abs_builddir)/$@.tmp && \
	mv $(abs_builddir)/$@.tmp $(abs_builddir)/$@
