# journal: append, read, position.
noinst_LIBRARIES += libjournal.a
libjournal_a_SOURCES = src/journal/open.c src/journal/append.c src/journal/read.c src/journal/read_record.c src/journal/find.c src/journal/again.c src/journal/behind.c \
	src/journal/segment.c src/journal/sync.c src/journal/record.c src/journal/keep.c src/journal/scan.c src/journal/survey.c src/journal/journal_room.h src/journal/read_room.h
JOURNAL_LIBS = libjournal.a
noinst_HEADERS += include/journal.h include/journal_scan.h
