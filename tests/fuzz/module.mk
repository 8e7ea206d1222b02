# fuzz: any bytes into what reads bytes of others. `make fuzz` runs every target for FUZZ_SECONDS.
# With --enable-fuzz CC=clang they are libFuzzer programs; otherwise drive.c runs the same seeds and mutations.
FUZZ_TARGETS = fuzz_unpack fuzz_frame fuzz_http fuzz_journal fuzz_decode fuzz_redis
FUZZ_SECONDS = 30
EXTRA_PROGRAMS = $(FUZZ_TARGETS) fuzz_seeds
FUZZ_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/src/ipc -I$(top_srcdir)/src/http -I$(top_srcdir)/src/journal \
	-I$(top_srcdir)/tests/support -I$(top_srcdir)/tests/fuzz
FUZZ_COMMON = tests/fuzz/fuzz.h tests/support/sample.c tests/support/sample.h
if FUZZ
FUZZ_IPC = $(libipc_a_SOURCES)
FUZZ_HTTP = $(HTTP_SOURCES)
FUZZ_JOURNAL = $(libjournal_a_SOURCES)
FUZZ_REDIS = $(libredis_a_SOURCES)
FUZZ_DECODE = workers/fetcher/decode.c workers/fetcher/decode_take.c workers/fetcher/decode_record.c workers/fetcher/decode_scan.c
FUZZ_CFLAGS = $(AM_CFLAGS) $(LLHTTP_CFLAGS) -U_FORTIFY_SOURCE -fsanitize=fuzzer,address,undefined \
	-fno-sanitize-recover=undefined
else
FUZZ_IPC = tests/fuzz/drive.c
FUZZ_HTTP = tests/fuzz/drive.c
FUZZ_JOURNAL = tests/fuzz/drive.c
FUZZ_DECODE = tests/fuzz/drive.c
FUZZ_REDIS = tests/fuzz/drive.c
FUZZ_CFLAGS = $(AM_CFLAGS) $(LLHTTP_CFLAGS)
endif

fuzz_unpack_SOURCES = tests/fuzz/fuzz_unpack.c $(FUZZ_COMMON) $(FUZZ_IPC)
fuzz_unpack_CPPFLAGS = $(FUZZ_CPPFLAGS)
fuzz_unpack_CFLAGS = $(FUZZ_CFLAGS)
fuzz_unpack_LDADD = $(IPC_LIBS) $(BASE_LIBS)

fuzz_frame_SOURCES = tests/fuzz/fuzz_frame.c $(FUZZ_COMMON) $(FUZZ_IPC)
fuzz_frame_CPPFLAGS = $(FUZZ_CPPFLAGS)
fuzz_frame_CFLAGS = $(FUZZ_CFLAGS)
fuzz_frame_LDADD = $(IPC_LIBS) $(BASE_LIBS)

fuzz_http_SOURCES = tests/fuzz/fuzz_http.c $(FUZZ_HTTP)
fuzz_http_CPPFLAGS = $(FUZZ_CPPFLAGS) $(HTTP_CPPFLAGS)
fuzz_http_CFLAGS = $(FUZZ_CFLAGS)
fuzz_http_LDADD = $(HTTP_LIBS) $(BASE_LIBS)

fuzz_journal_SOURCES = tests/fuzz/fuzz_journal.c $(FUZZ_JOURNAL)
fuzz_journal_CPPFLAGS = $(FUZZ_CPPFLAGS)
fuzz_journal_CFLAGS = $(FUZZ_CFLAGS)
fuzz_journal_LDADD = $(JOURNAL_LIBS) $(IPC_LIBS) $(MARKET_LIBS) $(BASE_LIBS)

fuzz_decode_SOURCES = tests/fuzz/fuzz_decode.c tests/fuzz/fuzz.h $(FUZZ_DECODE)
fuzz_decode_CPPFLAGS = $(FUZZ_CPPFLAGS) -I$(top_srcdir)/workers/fetcher
fuzz_decode_CFLAGS = $(FUZZ_CFLAGS) $(JANSSON_CFLAGS)
fuzz_decode_LDADD = libfetcher.a $(IPC_LIBS) $(MARKET_LIBS) $(BASE_LIBS) $(JANSSON_LIBS)

fuzz_redis_SOURCES = tests/fuzz/fuzz_redis.c tests/fuzz/fuzz.h $(FUZZ_REDIS)
fuzz_redis_CPPFLAGS = $(FUZZ_CPPFLAGS) -I$(top_srcdir)/src/redis
fuzz_redis_CFLAGS = $(FUZZ_CFLAGS) $(HIREDIS_CFLAGS) $(JANSSON_CFLAGS) $(EVENT_EXTRA_CFLAGS)
fuzz_redis_LDADD = $(REDIS_LIBS) $(METRIC_LIBS) $(IPC_LIBS) $(MARKET_LIBS) $(BASE_LIBS) $(JANSSON_LIBS)

fuzz_seeds_SOURCES = tests/fuzz/fuzz_seeds.c $(FUZZ_COMMON)
fuzz_seeds_CPPFLAGS = $(FUZZ_CPPFLAGS)
fuzz_seeds_LDADD = $(IPC_LIBS) $(BASE_LIBS)

# Seeds are made from the message table where they can be, and stand in tests/fuzz/seeds otherwise.
fuzz: $(FUZZ_TARGETS) fuzz_seeds
	rm -rf fuzz-seeds
	./fuzz_seeds fuzz-seeds
	for t in $(FUZZ_TARGETS); do \
		mkdir -p fuzz-seeds/$$t; \
		test ! -d $(top_srcdir)/tests/fuzz/seeds/$${t#fuzz_} || \
			cp $(top_srcdir)/tests/fuzz/seeds/$${t#fuzz_}/* fuzz-seeds/$$t/; \
	done
	chmod -R u+w fuzz-seeds
	printf '%s\n' $(FUZZ_TARGETS) | \
		xargs -P 2 -I T sh -c "./T -max_total_time=$(FUZZ_SECONDS) fuzz-seeds/T"
	rm -rf fuzz-seeds
.PHONY: fuzz
EXTRA_DIST += tests/fuzz/seeds tests/fuzz/drive.c
CLEANFILES += $(EXTRA_PROGRAMS)
