# bench: figures beside others' in the same run; not part of `make check`.
noinst_PROGRAMS += http_floor
http_floor_SOURCES = bench/http_floor.c
http_floor_LDADD = $(HTTP_LIBS) $(BASE_LIBS)
EXTRA_DIST += bench/http

# channel: against a bare socketpair. bench_channel [ROUNDS [MEGABYTES [GOAL]]]
noinst_PROGRAMS += bench_channel
bench_channel_SOURCES = bench/channel.c
bench_channel_LDADD = $(IPC_LIBS) $(BASE_LIBS)

noinst_PROGRAMS += bench_journal
bench_journal_SOURCES = bench/journal.c
bench_journal_LDADD = $(JOURNAL_LIBS) $(STORE_LIBS) $(IPC_LIBS) $(MARKET_LIBS) $(BASE_LIBS)
