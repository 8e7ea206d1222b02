# market: the vocabulary, pure.
noinst_LIBRARIES += libmarket.a
libmarket_a_SOURCES = src/market/value.c src/market/symbol.c src/market/endpoint.c src/market/book.c \
	src/market/session.c src/market/hours.c src/market/value_json.c
MARKET_LIBS = libmarket.a
noinst_HEADERS += include/value.h include/symbol.h include/endpoint.h include/book.h include/session.h include/hours.h include/value_json.h \
	include/tables/endpoints.def
