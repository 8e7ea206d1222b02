# master: opitios-alpaca, the supervisor. All but its main is a library, for the tests.
noinst_LIBRARIES += libmaster.a
libmaster_a_SOURCES = src/master/options.c src/master/state_dir.c src/master/cpus.c src/master/listen.c \
	src/master/slot.c src/master/act.c src/master/slots.c src/master/spawn.c src/master/control.c \
	src/master/wire.c src/master/reap.c src/master/stop.c src/master/replace.c src/master/reload.c src/master/conf_change.c \
	src/master/recycle.c src/master/strategy.c src/master/scale.c src/master/look.c src/master/hang.c src/master/crash.c src/master/oom.c src/master/upgrade.c src/master/way_back.c \
	src/master/handover.c src/master/handover.h src/master/trial.c src/master/admin.c src/master/page.c src/master/level.c \
	src/master/ctl_server.c src/master/ctl_conn.c src/master/ctl_request.c src/master/ctl_commands.c src/master/ctl_status.c \
	src/master/ctl_workers.c src/master/ctl_crashes.c src/master/ctl_health.c src/master/ctl.h \
	src/master/master_room.h
libmaster_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
nodist_libmaster_a_SOURCES = revision.h
MASTER_LIBS = libmaster.a libredis.a libstore.a $(STATUS_LIBS) $(HEALTH_LIBS) $(HTTP_LIBS) $(PROC_LIBS) $(INIH_LIBS) $(JANSSON_LIBS) $(MSGPACK_LIBS) $(BASE_LIBS)
noinst_HEADERS += include/tables/slot_states.def include/tables/admin_routes.def include/tables/commands.def
libmaster_a_SOURCES += src/master/notify.c

bin_PROGRAMS += opitios-alpaca
opitios_alpaca_SOURCES = src/master/main.c
opitios_alpaca_LDADD = $(MASTER_LIBS)

# Written again only when it says something else, so that it does not rebuild what includes it.
BUILT_SOURCES += revision.h
CLEANFILES += revision.h
.PHONY: revision-look
revision-look:
src/master/libmaster_a-options.$(OBJEXT) src/master/libmaster_a-ctl_status.$(OBJEXT): revision.h
revision.h: revision-look
	@r=$(if $(OPITIOS_REVISION),"$(OPITIOS_REVISION)",$$(cd $(srcdir) && $(or $(GIT),false) describe --always --dirty --abbrev=12 2>/dev/null)) || r=release; \
	printf '/* revision.h - what was built; written by make. */\n#define REVISION "%s"\n#define INIH_VERSION "%s"\n' \
	    "$$r" "$$($(PKG_CONFIG) --modversion inih 2>/dev/null)" >$@.new; \
	if cmp -s $@.new $@; then rm -f $@.new; else mv -f $@.new $@; fi
