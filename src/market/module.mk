# market: the vocabulary, pure.
noinst_LIBRARIES += libmarket.a
libmarket_a_SOURCES = src/market/value.c src/market/symbol.c src/market/endpoint.c
MARKET_LIBS = libmarket.a
noinst_HEADERS += include/value.h include/symbol.h include/endpoint.h include/tables/endpoints.def
