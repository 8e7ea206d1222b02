# Unit tests of base.
check_PROGRAMS += test_base
TESTS += test_base
test_base_SOURCES = tests/unit/base/test_text.c tests/unit/base/test_clock.c tests/unit/base/test_decimal.c \
	tests/unit/base/test_json_write.c tests/unit/base/test_buf.c tests/unit/base/test_limit.c \
	tests/unit/base/test_backoff.c tests/unit/base/test_loop.c tests/unit/base/test_err.c \
	tests/unit/base/test_log.c tests/unit/base/test_log_lines.c tests/unit/base/test_hash.c tests/unit/base/test_trace.c
test_base_CFLAGS = $(TEST_CFLAGS) -I$(top_srcdir)/src/base
test_base_LDADD = $(BASE_LIBS) $(CRITERION_LIBS)
