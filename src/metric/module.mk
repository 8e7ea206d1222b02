# metric: the statistics board and its exposition.
noinst_LIBRARIES += libmetric.a
libmetric_a_SOURCES = src/metric/board.c src/metric/metric.c src/metric/label.c src/metric/expose.c src/metric/reference.c src/metric/view.c src/metric/usage.c src/metric/trouble.c src/metric/negotiate.c \
	src/metric/metric_room.h
libmetric_a_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/src/metric
METRIC_LIBS = libmetric.a
noinst_HEADERS += include/metric.h include/label.h include/tables/metrics.def include/tables/bounds.def include/tables/labels.def \
	include/tables/routes.def
