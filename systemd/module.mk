# systemd: unit files, made with the paths of this installation.
SYSTEMD_FILES = systemd/opitios-alpaca.service systemd/opitios-alpaca.socket
EXTRA_DIST += $(SYSTEMD_FILES:=.in) doc/systemd.md
CLEANFILES += $(SYSTEMD_FILES)
if SYSTEMD_UNITS
systemdsystemunit_DATA = $(SYSTEMD_FILES)
endif

# Codes after which another start would end the same way are FATAL rows of exits.def.
$(SYSTEMD_FILES): Makefile
	@$(MKDIR_P) systemd
	@fatal=`sed -n 's/^EXIT([A-Z]*, \([0-9]*\), FATAL,.*/\1/p' $(top_srcdir)/include/tables/exits.def | tr '\n' ' '`; \
	sed -e 's|@bindir[@]|$(bindir)|g' -e 's|@sysconfdir[@]|$(sysconfdir)|g' -e "s|@fatal[@]|$${fatal% }|g" \
	    $(top_srcdir)/$@.in >$@.tmp && mv -f $@.tmp $@
systemd/opitios-alpaca.service: systemd/opitios-alpaca.service.in include/tables/exits.def
systemd/opitios-alpaca.socket: systemd/opitios-alpaca.socket.in

# Whether systemd understands every line; said aloud when it is not here. The programs need not be installed.
check-units: $(SYSTEMD_FILES)
	@command -v systemd-analyze >/dev/null 2>&1 || { echo "check-units: skipped: no systemd-analyze" >&2; exit 0; }; \
	rm -rf check-units.tmp && mkdir check-units.tmp && r=0; \
	for f in $(SYSTEMD_FILES); do \
		sed 's|$(bindir)/[a-z-]*|/bin/true|' $$f >check-units.tmp/`basename $$f`; \
	done; \
	said=`systemd-analyze verify --man=no check-units.tmp/*.service check-units.tmp/*.socket 2>&1 | grep opitios-alpaca`; \
	test -z "$$said" || { echo "$$said" >&2; r=1; }; \
	rm -rf check-units.tmp; exit $$r
check-local: check-units
.PHONY: check-units
