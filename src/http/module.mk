# http: the server side of HTTP on the loop.
noinst_LIBRARIES += libhttp.a
libhttp_a_SOURCES = src/http/connection.c src/http/request.c src/http/reply.c src/http/http_room.h
libhttp_a_CFLAGS = $(AM_CFLAGS) $(LLHTTP_CFLAGS)
HTTP_LIBS = libhttp.a $(LLHTTP_LIBS)
noinst_HEADERS += include/http.h
