# chaos: random faults against the running gateway.
check_PROGRAMS += inject
inject_SOURCES = tests/chaos/inject.c
EXTRA_DIST += tests/chaos/chaos.py tests/chaos/faults.py
CHAOS_FAULTS = 1000
# A thousand faults, over as many seeds as it takes with a hundred each; SEED=n for one run of that seed alone.
chaos: all inject$(EXEEXT)
	@n=0; while [ $$n -lt $(CHAOS_FAULTS) ]; do \
		OPITIOS_BUILD=$(abs_builddir) python3 $(top_srcdir)/tests/chaos/chaos.py --faults 100 $(if $(SEED),--seed $(SEED)) || exit 1; \
		n=$$((n + 100)); done
.PHONY: chaos
