# proc: the life every worker shares.
noinst_LIBRARIES += libproc.a
libproc_a_SOURCES = src/proc/proc.c
PROC_LIBS = libproc.a libconf.a libmetric.a libipc.a
noinst_HEADERS += include/proc.h
