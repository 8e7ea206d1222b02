# http: answers clients from book and cache, asks the fetcher for the rest.
pkglibexec_PROGRAMS += http
HTTP_WORKER_SOURCES = workers/http/serve.c workers/http/router.c workers/http/params.c workers/http/ask.c \
	workers/http/single.c workers/http/range.c workers/http/range_show.c workers/http/token.c workers/http/batch.c workers/http/answer.c workers/http/compose.c workers/http/lookup.c workers/http/intake.c \
	workers/http/cache.c workers/http/waiting.c workers/http/l2.c workers/http/wall_age.c workers/http/result.c workers/http/shown.c \
	workers/http/render.c workers/http/stocks.c workers/http/options.c workers/http/crypto.c \
	workers/http/access.c workers/http/traced.c workers/http/waited.c workers/http/market.c workers/http/health.c workers/http/metrics_route.c workers/http/status_page.c workers/http/openapi.c \
	workers/http/openapi_paths.c workers/http/openapi.h workers/http/found.c workers/http/found.h \
	workers/http/http_worker.h workers/http/range.h workers/http/router.h workers/http/lookup.h workers/http/shown.h workers/http/waited.h
http_SOURCES = workers/http/http_worker.c workers/http/libpq.c $(HTTP_WORKER_SOURCES)
http_CFLAGS = $(AM_CFLAGS) $(PQ_CFLAGS) $(JANSSON_CFLAGS) $(HIREDIS_CFLAGS)
# Not libpq, which libpq.c stands in for.
http_LDADD = libhistory.a $(SQLITE_LIBS) $(REDIS_LIBS) $(STATUS_LIBS) $(HEALTH_LIBS) $(HTTP_LIBS) $(TRACE_LIBS) $(PROC_LIBS) $(MARKET_LIBS) $(CONF_LIBS) $(METRIC_LIBS) $(IPC_LIBS) $(BASE_LIBS) \
	$(JANSSON_LIBS)
