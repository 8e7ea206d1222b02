# redis: a client on the loop, and how latest values are written there. The master links only the URL's reader.
noinst_LIBRARIES += libredis.a
libredis_a_SOURCES = src/redis/url.c src/redis/slot.c src/redis/word.c src/redis/resolve.c src/redis/reader.c \
	src/redis/conn.c src/redis/hello.c src/redis/client.c src/redis/server.c src/redis/sentinel.c src/redis/cluster.c \
	src/redis/latest.c src/redis/latest_read.c src/redis/redis_room.h
libredis_a_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/src/redis
libredis_a_CFLAGS = $(AM_CFLAGS) $(HIREDIS_CFLAGS) $(JANSSON_CFLAGS) $(EVENT_EXTRA_CFLAGS)
REDIS_LIBS = libredis.a $(HIREDIS_LIBS) $(EVENT_EXTRA_LIBS)
noinst_HEADERS += include/redis.h include/latest.h
