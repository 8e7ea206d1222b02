# bench: figures beside others' in the same run; not part of `make check`.
noinst_PROGRAMS += http_floor
http_floor_SOURCES = bench/http_floor.c
http_floor_LDADD = $(HTTP_LIBS) $(BASE_LIBS)
EXTRA_DIST += bench/http

# newconn: a new connection for each request; the load of bench/reload and of the system tests.
noinst_PROGRAMS += newconn
newconn_SOURCES = bench/newconn.c

# channel: against a bare socketpair. bench_channel [ROUNDS [MEGABYTES [GOAL]]]
noinst_PROGRAMS += bench_channel
bench_channel_SOURCES = bench/channel.c
bench_channel_LDADD = $(IPC_LIBS) $(BASE_LIBS)

noinst_PROGRAMS += bench_journal
bench_journal_SOURCES = bench/journal.c
bench_journal_LDADD = $(JOURNAL_LIBS) $(STORE_LIBS) $(IPC_LIBS) $(MARKET_LIBS) $(BASE_LIBS)

# `make bench` runs all; BENCH_SHORT=1 a few seconds of each, to see that they run.
BENCH_HTTP_ARGS = $(if $(BENCH_SHORT),--rounds 2 --seconds 1,--rounds 7 --seconds 4)
bench-http: all
	OPITIOS_BUILD=$(abs_builddir) $(top_srcdir)/bench/gateway $(BENCH_HTTP_ARGS) >bench-http.txt || { cat bench-http.txt; exit 1; }
	@cat bench-http.txt
bench-channel: bench_channel$(EXEEXT)
	./bench_channel $(if $(BENCH_SHORT),3,9) >bench-channel.txt || { cat bench-channel.txt; exit 1; }
	@cat bench-channel.txt
bench-journal: bench_journal$(EXEEXT)
	./bench_journal $(if $(BENCH_SHORT),100000,1000000) >bench-journal.txt || { cat bench-journal.txt; exit 1; }
	@cat bench-journal.txt
BENCH_RELOAD_ARGS = $(if $(BENCH_SHORT),--requests 30000 --reloads 10 --rounds 2,)
bench-reload: all
	OPITIOS_BUILD=$(abs_builddir) $(top_srcdir)/bench/reload $(BENCH_RELOAD_ARGS)
BENCH_RESTART_ARGS = $(if $(BENCH_SHORT),--kills 50,)
bench-restart: all
	OPITIOS_BUILD=$(abs_builddir) $(top_srcdir)/bench/restart $(BENCH_RESTART_ARGS)
bench: bench-http bench-channel bench-journal bench-reload bench-restart
.PHONY: bench bench-http bench-channel bench-journal bench-reload bench-restart
EXTRA_DIST += bench/gateway bench/peers.py bench/reload bench/restart
CLEANFILES += bench-http.txt bench-channel.txt bench-journal.txt bench-reload.txt bench-restart.txt
