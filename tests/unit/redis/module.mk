# Unit tests of redis.
check_PROGRAMS += test_redis
TESTS += test_redis
test_redis_SOURCES = tests/unit/redis/test_url.c tests/unit/redis/test_slot.c tests/unit/redis/test_latest.c \
	tests/unit/redis/test_client.c tests/unit/redis/test_cluster.c
test_redis_CPPFLAGS = $(AM_CPPFLAGS)
test_redis_CFLAGS = $(TEST_CFLAGS) $(HIREDIS_CFLAGS)
test_redis_LDADD = $(REDIS_LIBS) $(METRIC_LIBS) $(IPC_LIBS) $(MARKET_LIBS) $(BASE_LIBS) $(JANSSON_LIBS) $(CRITERION_LIBS)
