# base: knows nothing of quotes, processes or configuration.
noinst_LIBRARIES += libbase.a
libbase_a_SOURCES = src/base/err.c src/base/log.c src/base/log_compose.c src/base/log_sink.c src/base/log_repeat.c \
	src/base/log_journal.c src/base/log_room.h src/base/mem.c src/base/buf.c src/base/text.c \
	src/base/hash.c src/base/clock.c src/base/loop.c src/base/backoff.c src/base/limit.c \
	src/base/decimal.c src/base/json_write.c src/base/role.c src/base/trace.c
BASE_LIBS = libbase.a $(EVENT_LIBS) $(ZLIB_LIBS) -lm
noinst_HEADERS += include/err.h include/log.h include/mem.h include/buf.h include/text.h include/hash.h \
	include/clock.h include/loop.h include/backoff.h include/limit.h include/decimal.h \
	include/json_write.h include/role.h include/trace.h \
	include/tables/log_fields.def include/tables/errors.def include/tables/exits.def include/tables/roles.def include/tables/links.def
