# Unit tests of http.
check_PROGRAMS += test_http
TESTS += test_http
test_http_SOURCES = tests/unit/http/test_head.c tests/unit/http/test_body.c \
	tests/unit/http/test_connection.c tests/unit/http/test_time.c tests/unit/http/test_reply.c tests/unit/http/test_stream.c \
	tests/unit/http/test_accept.c tests/unit/http/test_drain.c tests/unit/http/test_query.c tests/unit/http/wire.c tests/unit/http/wire.h
test_http_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/src/http $(HTTP_CPPFLAGS)
test_http_CFLAGS = $(TEST_CFLAGS)
test_http_LDADD = $(HTTP_LIBS) $(BASE_LIBS) $(CRITERION_LIBS)
