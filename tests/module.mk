# tests: Criterion, a program per room: test_<room>, made of tests/unit/<room>/test_<module>.c.
if CRITERION
TEST_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS) -Wno-conversion -Wno-shadow
# Those that take longest begin first: make runs them in this order.
include tests/unit/proc/module.mk
include tests/unit/cache_writer/module.mk
include tests/unit/store/module.mk
include tests/unit/base/module.mk
include tests/unit/market/module.mk
include tests/unit/conf/module.mk
include tests/unit/metric/module.mk
include tests/unit/health/module.mk
include tests/unit/http/module.mk
include tests/unit/ipc/module.mk
include tests/unit/journal/module.mk
include tests/unit/redis/module.mk
include tests/unit/history/module.mk
include tests/unit/ctl/module.mk
include tests/unit/replay/module.mk
include tests/unit/fetcher/module.mk
include tests/unit/http_worker/module.mk
include tests/unit/tracer/module.mk
endif
include tests/fuzz/module.mk
