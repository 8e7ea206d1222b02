# developer targets: documents from the tables, format, lint, and builds of other kinds.

# The documents that follow from the tables.
check_PROGRAMS += tables
tables_SOURCES = dev/tables.c dev/tables.h dev/tables_conf.c dev/tables_ref.c dev/tables_ctl.c
tables_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/dev
tables_LDADD = $(CONF_LIBS) $(METRIC_LIBS) $(BASE_LIBS)
TABLES_DOCS = doc/reference/configuration.md doc/reference/metrics.md doc/reference/errors.md \
	doc/reference/exits.md doc/reference/routes.md doc/reference/admin.md doc/reference/health.md doc/reference/messages.md doc/reference/values.md \
	doc/reference/endpoints.md doc/reference/roles.md doc/reference/slots.md doc/reference/commands.md doc/reference/log_fields.md doc/man/opitios-alpaca.conf.5 \
	doc/man/opitios-ctl.8 doc/man/opitios-alpaca.8 completions/opitios-ctl.bash \
	examples/opitios-alpaca.conf
EXTRA_DIST += $(TABLES_DOCS)
dist_man_MANS = doc/man/opitios-alpaca.conf.5 doc/man/opitios-ctl.8 doc/man/opitios-alpaca.8
bashcompdir = $(datadir)/bash-completion/completions
dist_bashcomp_DATA = completions/opitios-ctl.bash

docs: tables$(EXEEXT)
	./tables$(EXEEXT) $(top_srcdir)

# Fails when a document is not what the tables say; also when the list above is not the program's.
check-docs: tables$(EXEEXT)
	@rm -rf check-docs.tmp && ./tables$(EXEEXT) check-docs.tmp && r=0; \
	for f in $(TABLES_DOCS); do \
		cmp -s $(top_srcdir)/$$f check-docs.tmp/$$f || { \
			echo "$$f is not what include/tables says: run make docs" >&2; r=1; }; \
	done; \
	test "`./tables$(EXEEXT) --list | wc -l`" -eq "`echo $(TABLES_DOCS) | wc -w`" || { \
		echo "dev/module.mk: TABLES_DOCS is not the list of ./tables --list" >&2; r=1; }; \
	rm -rf check-docs.tmp; exit $$r

# What needs no tool but the compiler is part of every check.
check-source:
	@$(top_srcdir)/dev/check-layers $(top_srcdir)
	@$(top_srcdir)/dev/check-size $(top_srcdir)
	@$(top_srcdir)/dev/check-heads $(top_srcdir) $(CC) $(EVENT_CFLAGS) $(MSGPACK_CFLAGS) $(LLHTTP_CFLAGS) \
		$(CURL_CFLAGS) $(JANSSON_CFLAGS) $(SQLITE_CFLAGS) $(PQ_CFLAGS)

check-local: check-docs check-source

format:
	$(top_srcdir)/dev/format $(top_srcdir)

format-fix:
	$(top_srcdir)/dev/format $(top_srcdir) --fix

# all-am: a make below this one would not hear which sources are to look changed.
compile_commands.json: Makefile
	$(top_srcdir)/dev/compile-commands $(top_srcdir) all-am $(check_PROGRAMS) >$@.tmp && mv $@.tmp $@

# What the compilers do not see. Each tool that is not installed is named and left out.
lint: check-source compile_commands.json
	@$(top_srcdir)/dev/lint $(top_srcdir)

# The same with clang's analyzer, which follows paths: minutes instead of seconds.
analyze: check-source compile_commands.json
	@$(top_srcdir)/dev/lint $(top_srcdir) --deep

# Alerts, their cases, their documentation and dashboards: whether they belong together, and what promtool and amtool say.
check-monitoring:
	$(top_srcdir)/dev/check-monitoring
EXTRA_DIST += monitoring doc/operations.md dev/check-monitoring dev/dashboards dev/prometheus-rule

# Builds of other kinds, each in a folder of its own inside this one.
ASAN_LOG = $(abs_builddir)/build-asan/asan.log
asan:
	mkdir -p build-asan && cd build-asan && { test -e Makefile || \
		CFLAGS="-O1 -g" $(abs_top_srcdir)/configure -q --enable-werror --enable-sanitizers; }
	rm -f $(ASAN_LOG).*
	LSAN_OPTIONS=suppressions=$(abs_top_srcdir)/tests/support/lsan.supp:print_suppressions=0 \
	ASAN_OPTIONS=log_path=$(ASAN_LOG) UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1:log_path=$(ASAN_LOG) \
		$(MAKE) -C build-asan check
	@for f in $(ASAN_LOG).*; do \
		test ! -e "$$f" || ! grep -qE 'ERROR|SUMMARY|runtime error' "$$f" || { cat "$$f"; echo "asan: a sanitizer reported, though the tests passed" >&2; exit 1; }; \
	done

coverage:
	mkdir -p build-coverage && cd build-coverage && { test -e Makefile || \
		CFLAGS="-O0 -g" $(abs_top_srcdir)/configure -q --enable-coverage; }
	find build-coverage -name '*.gcda' -exec rm -f {} +
	$(MAKE) -C build-coverage check
	lcov -q -c -d build-coverage -o build-coverage/all.info
	lcov -q -e build-coverage/all.info '*/src/*' '*/workers/*' -o build-coverage/coverage.info
	lcov --summary build-coverage/coverage.info
	-genhtml -q build-coverage/coverage.info -o build-coverage/html

# The fuzz targets as libFuzzer programs, whatever compiler this build uses.
fuzz-clang:
	mkdir -p build-fuzz && cd build-fuzz && { test -e Makefile || \
		CC=clang CFLAGS="-O1 -g" $(abs_top_srcdir)/configure -q --enable-fuzz; }
	$(MAKE) -C build-fuzz fuzz $(if $(FUZZ_SECONDS),FUZZ_SECONDS=$(FUZZ_SECONDS))

clean-local:
	rm -rf build-asan build-coverage build-fuzz check-docs.tmp compile_commands.json

.PHONY: check-monitoring docs check-docs check-source format format-fix lint analyze asan coverage fuzz-clang
EXTRA_DIST += dev/check-layers dev/check-size dev/check-heads dev/format dev/lint dev/compile-commands dev/cppcheck.h \
	.clang-format .clang-tidy
