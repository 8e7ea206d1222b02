# conf: configuration from config.def.
noinst_LIBRARIES += libconf.a
libconf_a_SOURCES = src/conf/conf.c src/conf/conf_value.c src/conf/conf_read.c src/conf/conf_print.c src/conf/conf_room.h
libconf_a_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/src/conf
libconf_a_CFLAGS = $(AM_CFLAGS) $(INIH_CFLAGS)
CONF_LIBS = libconf.a $(INIH_LIBS)
noinst_HEADERS += include/conf.h include/tables/config.def
