# http: the server side of HTTP on the loop.
noinst_LIBRARIES += libhttp.a
HTTP_SOURCES = src/http/server.c src/http/accept.c src/http/drain.c src/http/connection.c src/http/exchange.c src/http/head.c \
	src/http/request.c src/http/body.c src/http/reply.c src/http/stream.c src/http/query.c src/http/fault.c src/http/http_room.h
if LLHTTP_SOURCES
HTTP_SOURCES += src/http/llhttp_machine.c src/http/llhttp_api.c
# As a system folder: its warnings are not ours. Strict, as newer ones are without asking.
HTTP_CPPFLAGS = $(LLHTTP_CFLAGS) -isystem $(LLHTTP_SRC) -DLLHTTP_STRICT_MODE=1
else
HTTP_CPPFLAGS = $(LLHTTP_CFLAGS)
endif
libhttp_a_SOURCES = $(HTTP_SOURCES)
libhttp_a_CFLAGS = $(AM_CFLAGS) $(HTTP_CPPFLAGS)
HTTP_LIBS = libhttp.a $(LLHTTP_LIBS)
noinst_HEADERS += include/http.h include/http_fault.h

# fuzz_http DIR: clang only; the room is compiled anew so that its branches are counted.
FUZZ_HTTP_SEEDS = tests/fuzz/seeds/http/get tests/fuzz/seeds/http/pipelined tests/fuzz/seeds/http/length \
	tests/fuzz/seeds/http/chunked tests/fuzz/seeds/http/old tests/fuzz/seeds/http/absolute \
	tests/fuzz/seeds/http/both tests/fuzz/seeds/http/fold tests/fuzz/seeds/http/preface
EXTRA_DIST += $(FUZZ_HTTP_SEEDS)
