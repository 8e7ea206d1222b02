# systemd: unit files, made with the paths of this installation; the user, the state directory and the environment.
confdir = $(sysconfdir)/opitios-alpaca
SYSTEMD_UNIT_FILES = systemd/opitios-alpaca.service systemd/opitios-alpaca.socket
SYSTEMD_FILES = $(SYSTEMD_UNIT_FILES) systemd/opitios-alpaca.tmpfiles
EXTRA_DIST += $(SYSTEMD_FILES:=.in) systemd/opitios-alpaca.sysusers systemd/opitios-alpaca.env systemd/resources.conf \
	doc/systemd.md
CLEANFILES += $(SYSTEMD_FILES)
SYSTEMD_EXPOSURE = 15 # tenths, of `systemd-analyze security`

sysusersdir = $(prefix)/lib/sysusers.d
tmpfilesdir = $(prefix)/lib/tmpfiles.d

# A configuration that is there is the operator's; the files are named like the package, as the folders ask.
install-systemd-local: $(SYSTEMD_FILES)
	$(MKDIR_P) $(DESTDIR)$(sysusersdir) $(DESTDIR)$(tmpfilesdir) $(DESTDIR)$(confdir)
	$(INSTALL_DATA) $(top_srcdir)/systemd/opitios-alpaca.sysusers $(DESTDIR)$(sysusersdir)/opitios-alpaca.conf
	$(INSTALL_DATA) systemd/opitios-alpaca.tmpfiles $(DESTDIR)$(tmpfilesdir)/opitios-alpaca.conf
	test -e $(DESTDIR)$(confdir)/opitios-alpaca.conf || \
		$(INSTALL_DATA) $(top_srcdir)/examples/opitios-alpaca.conf $(DESTDIR)$(confdir)/opitios-alpaca.conf
	test -e $(DESTDIR)$(confdir)/opitios-alpaca.env || \
		$(INSTALL) -m 600 $(top_srcdir)/systemd/opitios-alpaca.env $(DESTDIR)$(confdir)/opitios-alpaca.env

if SYSTEMD_UNITS
systemdsystemunit_DATA = $(SYSTEMD_UNIT_FILES)
install-data-local: install-systemd-local
uninstall-local:
	rm -f $(DESTDIR)$(sysusersdir)/opitios-alpaca.conf $(DESTDIR)$(tmpfilesdir)/opitios-alpaca.conf
	! cmp -s $(top_srcdir)/examples/opitios-alpaca.conf $(DESTDIR)$(confdir)/opitios-alpaca.conf || \
		rm -f $(DESTDIR)$(confdir)/opitios-alpaca.conf
	! cmp -s $(top_srcdir)/systemd/opitios-alpaca.env $(DESTDIR)$(confdir)/opitios-alpaca.env || \
		rm -f $(DESTDIR)$(confdir)/opitios-alpaca.env
endif
systemdexamplesdir = $(docdir)/examples
systemdexamples_DATA = systemd/resources.conf

# Codes after which another start would end the same way are FATAL rows of exits.def; the credentials are the SECRET rows
# of config.def that have a name beside the gateway's own.
$(SYSTEMD_FILES): Makefile
	@$(MKDIR_P) systemd
	@fatal=`sed -n 's/^EXIT([A-Z]*, \([0-9]*\), FATAL,.*/\1/p' $(top_srcdir)/include/tables/exits.def | tr '\n' ' '`; \
	secrets=`sed -n 's/^CONFIG(\([^,]*, \)\{2\}SECRET, .*, "\([A-Z_]*\)", ".*")$$/LoadCredential=\2\\\\/p' \
	    $(top_srcdir)/include/tables/config.def`; \
	sed -e 's|@bindir[@]|$(bindir)|g' -e 's|@confdir[@]|$(confdir)|g' -e "s|@fatal[@]|$${fatal% }|g" \
	    -e "s|@credentials[@]|$${secrets%?}|" $(top_srcdir)/$@.in >$@.tmp && mv -f $@.tmp $@
systemd/opitios-alpaca.service: systemd/opitios-alpaca.service.in include/tables/exits.def include/tables/config.def
systemd/opitios-alpaca.socket: systemd/opitios-alpaca.socket.in
systemd/opitios-alpaca.tmpfiles: systemd/opitios-alpaca.tmpfiles.in

# Whether systemd understands every line, and how much of the machine the unit leaves open; said aloud when it is not here.
# The programs need not be installed.
check-units: $(SYSTEMD_FILES)
	@command -v systemd-analyze >/dev/null 2>&1 || { echo "check-units: skipped: no systemd-analyze" >&2; exit 0; }; \
	rm -rf check-units.tmp && mkdir check-units.tmp && r=0; \
	for f in $(SYSTEMD_UNIT_FILES); do \
		sed 's|$(bindir)/[a-z-]*|/bin/true|' $$f >check-units.tmp/`basename $$f`; \
	done; \
	said=`systemd-analyze verify --man=no check-units.tmp/*.service check-units.tmp/*.socket 2>&1 | grep opitios-alpaca`; \
	test -z "$$said" || { echo "$$said" >&2; r=1; }; \
	! systemd-analyze --help | grep -q -- --offline || systemd-analyze security --no-pager --offline=true \
	    --threshold=$(SYSTEMD_EXPOSURE) check-units.tmp/*.service >check-units.tmp/said 2>&1 || { grep -v '✓' check-units.tmp/said >&2; r=1; }; \
	rm -rf check-units.tmp; exit $$r
check-local: check-units
.PHONY: check-units install-systemd-local
