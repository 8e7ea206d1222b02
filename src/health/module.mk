# health: what is told of the gateway's health, by an http worker and by the master alike.
noinst_LIBRARIES += libhealth.a
libhealth_a_SOURCES = src/health/rules.c src/health/answer.c src/health/system.c src/health/cgroup.c src/health/look.c src/health/process.c src/health/health_room.h
HEALTH_LIBS = libhealth.a
noinst_HEADERS += include/health.h include/tables/health.def
