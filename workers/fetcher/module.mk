# fetcher: the one connection to the upstream. libfetcher.a is all but the entry point, for the tests.
noinst_LIBRARIES += libfetcher.a
libfetcher_a_SOURCES = workers/fetcher/plan.c workers/fetcher/pump.c workers/fetcher/lane.c \
	workers/fetcher/job.c workers/fetcher/settle.c workers/fetcher/walk.c workers/fetcher/cover.c workers/fetcher/missing.c \
	workers/fetcher/publish.c workers/fetcher/seen.c workers/fetcher/request.c workers/fetcher/exchange.c workers/fetcher/libcurl.c workers/fetcher/rest.c \
	workers/fetcher/verdict.c workers/fetcher/traced.c workers/fetcher/budget.c workers/fetcher/breaker.c \
	workers/fetcher/clock_watch.c workers/fetcher/decode.c workers/fetcher/decode_take.c workers/fetcher/decode_record.c \
	workers/fetcher/decode_scan.c workers/fetcher/fetcher.h workers/fetcher/plan.h \
	workers/fetcher/exchange.h workers/fetcher/libcurl.h workers/fetcher/budget.h workers/fetcher/decode.h \
	workers/fetcher/decode_record.h
libfetcher_a_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS) $(JANSSON_CFLAGS)
# libcurl is not linked but loaded while the worker is up already: see libcurl.h.
pkglibexec_PROGRAMS += fetcher
fetcher_SOURCES = workers/fetcher/fetcher.c
fetcher_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS) $(JANSSON_CFLAGS)
fetcher_LDADD = libfetcher.a $(TRACE_LIBS) $(PROC_LIBS) $(JOURNAL_LIBS) $(IPC_LIBS) $(CONF_LIBS) $(METRIC_LIBS) \
	$(MARKET_LIBS) $(JANSSON_LIBS) $(BASE_LIBS) -ldl -lpthread
