/* value.h - what the market says: structs made from values.def, and what can be told of them. */
#ifndef VALUE_H
#define VALUE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"

#define FIELD_TYPE_U64(field, bound)  uint64_t field;
#define FIELD_TYPE_I64(field, bound)  int64_t field;
#define FIELD_TYPE_F64(field, bound)  double field;
#define FIELD_TYPE_BOOL(field, bound) bool field;
#define FIELD_TYPE_TIME(field, bound) int64_t field;
#define FIELD_TYPE_STR(field, bound)  char field[bound];
#define FIELD_TYPE_LIST(field, bound) char field[bound];

#define VALUE(name, NAME, number, version, stored, table, help) struct name {
#define FIELD(name, KIND, field, bound, help) FIELD_TYPE_##KIND(field, bound)
#define VALUE_END(name) };
#include "tables/values.def"

enum asset { ASSET_STOCK = 1, ASSET_OPTION = 2, ASSET_CRYPTO = 3 };
enum source { SOURCE_STREAM = 1, SOURCE_LATEST = 2, SOURCE_HISTORY = 3, SOURCE_REPLAY = 4 };
enum bar_part { BAR_SERIES = 0, BAR_MINUTE = 1, BAR_DAILY = 2, BAR_PREVIOUS = 3 };
enum covered { COVERED_BARS = 1, COVERED_TRADES = 2 };
enum snapshot_parts {
	HAS_TRADE = 1, HAS_QUOTE = 2, HAS_MINUTE = 4, HAS_DAILY = 8, HAS_PREVIOUS = 16, HAS_GREEKS = 32
};
/* Quality flags never change a value. */
enum quality {
	QUALITY_CROSSED = 1, QUALITY_LOCKED = 2, QUALITY_ONE_SIDED = 4, QUALITY_WIDE = 8,
	QUALITY_OUT_OF_SESSION = 16, QUALITY_LATE = 32, QUALITY_REVISED = 64
};

const char	*asset_name(enum asset);	/* "stock" */
const char	*source_name(enum source);	/* "alpaca_latest" */
const char	*bar_part_name(enum bar_part);	/* "series", "minute", "daily", "previous" */

/* A LIST: "" is null (not sent), list_empty() an empty list. Elements may be a blank, not empty.
 * E_LIMIT when it does not fit: nothing was added. */
void	 list_null(char *list);
void	 list_empty(char *list);
int	 list_add(char *list, size_t size, const char *element) MUST_CHECK;
int	 list_is_null(const char *list);
/* Walks: *at starts at null; returns 0 at the end. The element is borrowed, not NUL ended. */
int	 list_next(const char *list, const char **at, const char **element, size_t *len);

/* Bits of enum quality. WIDE: the spread passes 5 % of the bid. */
unsigned quote_quality(const struct quote *);
const char *quality_name(unsigned one_bit);

/* E_OK, or E_DATA_VALIDATION_ERROR with the broken rule in *why (static): prices finite and positive
 * where given, sizes not negative, high not below low, times present and after 1970. */
int	 quote_check(const struct quote *, const char **why) MUST_CHECK;
int	 trade_check(const struct trade *, const char **why) MUST_CHECK;
int	 bar_check(const struct bar *, const char **why) MUST_CHECK;

#endif /* VALUE_H */
