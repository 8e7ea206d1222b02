# proc: the life every worker shares.
noinst_LIBRARIES += libproc.a
libproc_a_SOURCES = src/proc/proc.c src/proc/control.c src/proc/peer.c src/proc/log_apply.c src/proc/crash.c src/proc/proc_room.h
PROC_LIBS = libproc.a libconf.a libmetric.a libipc.a
noinst_HEADERS += include/proc.h
