# status: the status page, its document and its stream; served by http workers and by the master alike.
noinst_LIBRARIES += libstatus.a
libstatus_a_SOURCES = src/status/document.c src/status/feed.c src/status/file.c src/status/status_room.h
nodist_libstatus_a_SOURCES = src/status/status_files.c
libstatus_a_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/src/status
STATUS_LIBS = libstatus.a $(MARKET_LIBS)
noinst_HEADERS += include/status.h
STATUS_PAGE = src/status/page.html src/status/page.css src/status/page.js src/status/icon.svg
EXTRA_DIST += $(STATUS_PAGE) src/status/embed.sh
BUILT_SOURCES += src/status/status_files.c
CLEANFILES += src/status/status_files.c
src/status/status_files.c: $(STATUS_PAGE) src/status/embed.sh
	$(AM_V_GEN)$(MKDIR_P) src/status && $(SHELL) $(srcdir)/src/status/embed.sh \
		=$(srcdir)/src/status/page.html page.css=$(srcdir)/src/status/page.css \
		page.js=$(srcdir)/src/status/page.js icon.svg=$(srcdir)/src/status/icon.svg >$@.tmp && mv $@.tmp $@
