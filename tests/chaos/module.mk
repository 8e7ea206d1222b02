# chaos: random faults against the running gateway; not part of `make check`.
noinst_PROGRAMS += chaos_inject
chaos_inject_SOURCES = tests/chaos/inject.c
EXTRA_DIST += tests/chaos/chaos.py tests/chaos/faults.py tests/chaos/invariants.py tests/chaos/kernel.py tests/chaos/stage.py tests/chaos/together.py

# CHAOS_FAULTS in all, fifty of each seed: CHAOS_SEED and the numbers after it, or those of the clock.
CHAOS_FAULTS = 1000
chaos: all
	@n=0; while [ $$n -lt $(CHAOS_FAULTS) ]; do \
		OPITIOS_BUILD=$(abs_builddir) python3 $(top_srcdir)/tests/chaos/chaos.py --quiet --faults 50 \
		    $(if $(CHAOS_SEED),--seed $$(($(CHAOS_SEED) + n / 50))) || exit 1; \
		n=$$((n + 50)); done
.PHONY: chaos
