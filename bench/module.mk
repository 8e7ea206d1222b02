# bench: figures beside others' in the same run; not part of `make check`.
noinst_PROGRAMS += http_floor
http_floor_SOURCES = bench/http_floor.c
http_floor_LDADD = $(HTTP_LIBS) $(BASE_LIBS)
EXTRA_DIST += bench/http
