# replay: an upstream in Alpaca's shape from a recording. Everything but main.c is a library, for the tests.
bin_PROGRAMS += opitios-replay
noinst_LIBRARIES += libreplay.a
libreplay_a_SOURCES = tools/replay/options.c tools/replay/recording.c tools/replay/spelling.c tools/replay/row.c \
	tools/replay/csv_load.c tools/replay/csv_row.c tools/replay/lean_load.c tools/replay/journal_load.c tools/replay/market_day.c \
	tools/replay/request.c tools/replay/answer.c tools/replay/route.c tools/replay/query.c \
	tools/replay/token.c tools/replay/history.c tools/replay/latest.c tools/replay/snapshot.c \
	tools/replay/trading.c tools/replay/limiter.c tools/replay/fault.c tools/replay/schema.c \
	tools/replay/control.c tools/replay/control_json.c tools/replay/replay.c tools/replay/server.c \
	tools/replay/recording.h tools/replay/spelling.h tools/replay/row.h tools/replay/csv_row.h \
	tools/replay/market_day.h tools/replay/request.h tools/replay/replay.h tools/replay/fault.h \
	tools/replay/control.h tools/replay/control_json.h tools/replay/server.h
libreplay_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(INIH_CFLAGS) $(ZIP_CFLAGS)
REPLAY_LIBS = libreplay.a $(JOURNAL_LIBS) $(IPC_LIBS) $(MARKET_LIBS) $(BASE_LIBS) $(JANSSON_LIBS) $(INIH_LIBS) $(ZIP_LIBS)
opitios_replay_SOURCES = tools/replay/main.c
opitios_replay_LDADD = $(REPLAY_LIBS)

# The recording that ships with the project, where the installed program finds it.
matplotlibdailydir = $(pkgdatadir)/recordings/matplotlib-daily
matplotlibdaily_DATA = recordings/matplotlib-daily/recording.ini recordings/matplotlib-daily/ORIGIN.md \
	recordings/matplotlib-daily/bars-1Day-GOOG.csv recordings/matplotlib-daily/bars-1Day-MSFT.csv
EXTRA_DIST += $(matplotlibdaily_DATA) dev/convert_matplotlib.py

# Made up, for tests only: not installed.
EXTRA_DIST += tools/replay/README.md dev/make_test_recording.py  \
	tests/recordings/every-endpoint
