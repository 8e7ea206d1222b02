# ctl: opitios-ctl, which talks to the master's control socket. All but its main is a library, for the tests.
noinst_LIBRARIES += libctl.a
libctl_a_SOURCES = src/ctl/client.c src/ctl/command.c src/ctl/format.c src/ctl/table.c src/ctl/show.c src/ctl/crashes.c \
	src/ctl/rates.c src/ctl/top.c src/ctl/top_read.c src/ctl/top_view.c src/ctl/screen.c src/ctl/local.c src/ctl/progress.c \
	src/ctl/value_print.c src/ctl/journal.c src/ctl/journal_cat.c src/ctl/journal_verify.c src/ctl/shelf.c src/ctl/shelf_sqlite.c src/ctl/shelf_postgres.c src/ctl/export.c src/ctl/export_line.c src/ctl/export.h \
	src/ctl/output.c src/ctl/backfill.c src/ctl/backfill_ask.c src/ctl/backfill.h src/ctl/shelf.h src/ctl/symbolize.c src/ctl/symbolize.h \
	src/ctl/ctl_room.h src/ctl/top.h
libctl_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(DW_CFLAGS) $(SQLITE_CFLAGS) $(PQ_CFLAGS) $(CURL_CFLAGS)
CTL_LIBS = libctl.a $(JOURNAL_LIBS) $(MARKET_LIBS) $(IPC_LIBS) libconf.a $(INIH_LIBS) $(SQLITE_LIBS) $(PQ_LIBS) $(CURL_LIBS) $(DW_LIBS) $(JANSSON_LIBS) $(BASE_LIBS)
bin_PROGRAMS += opitios-ctl
opitios_ctl_SOURCES = src/ctl/main.c
opitios_ctl_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
opitios_ctl_LDADD = $(CTL_LIBS)
src/ctl/opitios_ctl-main.$(OBJEXT): revision.h
