# tests: Criterion, a program per room; every room adds its own below.
if CRITERION
TEST_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS) -Wno-conversion -Wno-shadow
include tests/unit/module.mk
endif
