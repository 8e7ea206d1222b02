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

# fill: a journal of trades for bench/store.
noinst_PROGRAMS += bench_fill
bench_fill_SOURCES = bench/fill.c
bench_fill_LDADD = $(JOURNAL_LIBS) $(IPC_LIBS) $(MARKET_LIBS) $(BASE_LIBS)

# latest: the sink of latest values; run by bench/redis beside redis-benchmark.
noinst_PROGRAMS += bench_latest
bench_latest_SOURCES = bench/latest.c
bench_latest_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/workers/cache_writer
bench_latest_LDADD = $(CACHE_WRITER_LIBS) $(METRIC_LIBS) $(CONF_LIBS) $(IPC_LIBS) $(MARKET_LIBS) $(BASE_LIBS)

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
bench-store: all
	OPITIOS_BUILD=$(abs_builddir) $(top_srcdir)/bench/store $(if $(BENCH_SHORT),--records 200000 --rounds 1 --seconds 2,)
bench-range: all
	OPITIOS_BUILD=$(abs_builddir) $(top_srcdir)/bench/range $(if $(BENCH_SHORT),--rounds 2 --requests 50,)
bench-redis: all
	OPITIOS_BUILD=$(abs_builddir) $(top_srcdir)/bench/redis $(if $(BENCH_SHORT),--rounds 2 --records 300000,)
bench-access: all
	OPITIOS_BUILD=$(abs_builddir) $(top_srcdir)/bench/access $(if $(BENCH_SHORT),--rounds 2 --seconds 1,)
bench-scrape: all
	OPITIOS_BUILD=$(abs_builddir) $(top_srcdir)/bench/scrape $(if $(BENCH_SHORT),--scrapes 50,)
bench-traces: all
	OPITIOS_BUILD=$(abs_builddir) $(top_srcdir)/bench/traces $(if $(BENCH_SHORT),--rounds 2 --seconds 1,)
BENCHES = bench-access bench-channel bench-http bench-journal bench-range bench-redis bench-reload bench-restart \
	bench-scrape bench-store bench-traces
bench: $(BENCHES)
.PHONY: bench $(BENCHES)
EXTRA_DIST += bench/gateway bench/peers.py bench/access bench/range bench/redis bench/reload bench/restart bench/scrape bench/store bench/traces
CLEANFILES += $(BENCHES:=.txt)
