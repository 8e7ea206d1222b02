# master: opitios-alpaca, the supervisor. All but its main is a library, for the tests.
noinst_LIBRARIES += libmaster.a
libmaster_a_SOURCES = src/master/options.c src/master/state_dir.c src/master/cpus.c src/master/listen.c \
	src/master/slot.c src/master/act.c src/master/slots.c src/master/spawn.c src/master/control.c \
	src/master/wire.c src/master/reap.c src/master/stop.c src/master/master_room.h
nodist_libmaster_a_SOURCES = revision.h
MASTER_LIBS = libmaster.a $(PROC_LIBS) $(INIH_LIBS) $(MSGPACK_LIBS) $(BASE_LIBS)
noinst_HEADERS += include/tables/slot_states.def
libmaster_a_SOURCES += src/master/notify.c

bin_PROGRAMS += opitios-alpaca
opitios_alpaca_SOURCES = src/master/main.c
opitios_alpaca_LDADD = $(MASTER_LIBS)

# Written again only when it says something else, so that it does not rebuild what includes it.
BUILT_SOURCES += revision.h
CLEANFILES += revision.h
.PHONY: revision-look
revision-look:
src/master/options.$(OBJEXT): revision.h
revision.h: revision-look
	@r=$$(cd $(srcdir) && $(or $(GIT),false) describe --always --dirty --abbrev=12 2>/dev/null) || r=release; \
	printf '/* revision.h - what was built; written by make. */\n#define REVISION "%s"\n#define INIH_VERSION "%s"\n' \
	    "$$r" "$$($(PKG_CONFIG) --modversion inih 2>/dev/null)" >$@.new; \
	if cmp -s $@.new $@; then rm -f $@.new; else mv -f $@.new $@; fi
