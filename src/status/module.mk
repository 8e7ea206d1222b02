# status: the status page, its document and its stream; served by http workers and by the master alike.
noinst_LIBRARIES += libstatus.a
libstatus_a_SOURCES = src/status/document.c src/status/feed.c src/status/file.c src/status/status_room.h
nodist_libstatus_a_SOURCES = src/status/status_files.c
libstatus_a_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/src/status
STATUS_LIBS = libstatus.a $(MARKET_LIBS)
noinst_HEADERS += include/status.h
STATUS_PAGE = src/status/page.html src/status/page.css src/status/page.js src/status/symbol.js src/status/icon.svg
EXTRA_DIST += $(STATUS_PAGE) src/status/embed.sh dev/fetch-chart
BUILT_SOURCES += src/status/status_files.c
CLEANFILES += src/status/status_files.c src/status/chart/fetched src/status/chart/chart.js src/status/chart/chart-licence.txt
# The charting library is nobody's to write here and so not kept here: configure --without-chart leaves it out.
src/status/chart/fetched: dev/fetch-chart
	$(AM_V_GEN)$(SHELL) $(srcdir)/dev/fetch-chart src/status/chart $(WITH_CHART) && touch $@
src/status/status_files.c: $(STATUS_PAGE) src/status/embed.sh src/status/chart/fetched
	$(AM_V_GEN)$(MKDIR_P) src/status && $(SHELL) $(srcdir)/src/status/embed.sh \
		=$(srcdir)/src/status/page.html page.css=$(srcdir)/src/status/page.css page.js=$(srcdir)/src/status/page.js \
		symbol.js=$(srcdir)/src/status/symbol.js icon.svg=$(srcdir)/src/status/icon.svg \
		chart.js=src/status/chart/chart.js chart-licence.txt=src/status/chart/chart-licence.txt >$@.tmp && mv $@.tmp $@
chart:
	rm -f src/status/chart/fetched
	$(MAKE) all
.PHONY: chart
