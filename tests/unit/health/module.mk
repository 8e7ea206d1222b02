# Unit tests of health.
check_PROGRAMS += test_health
TESTS += test_health
test_health_SOURCES = tests/unit/health/test_cgroup.c tests/unit/health/test_rules.c tests/unit/health/test_look.c tests/unit/health/test_troubles.c
test_health_CFLAGS = $(TEST_CFLAGS)
test_health_LDADD = $(HEALTH_LIBS) $(METRIC_LIBS) $(BASE_LIBS) $(CRITERION_LIBS)
