/* decode_record.h - one JSON object into values; between decode.c, decode_take.c and decode_record.c. */
#ifndef DECODE_RECORD_H
#define DECODE_RECORD_H
#include <jansson.h>

#include "decode.h"

#define DECODE_MARK 24		/* bytes of the mark before a quoted number, NUL included */

struct body {
	json_t	*root;
	char	 mark[DECODE_MARK];
};

/* Adds what `from` holds of a symbol by the body's shape. E_ABSENT: nothing; with an error nothing was added. */
int	body_take(const struct body *, struct decode *, const char *symbol, const json_t *from, struct records *) MUST_CHECK;
/* A snapshot's own record, without parts. */
void	body_add_snapshot(const struct decode *, const char *symbol, struct records *);

/* Each fills *out or refuses the record: E_DATA_VALIDATION_ERROR with d->refused and d->why. */
int	record_quote(struct decode *, const char *symbol, const json_t *, struct quote *out) MUST_CHECK;
int	record_trade(struct decode *, const char *mark, const char *symbol, const json_t *, struct trade *out) MUST_CHECK;
int	record_bar(struct decode *, const char *symbol, enum bar_part, const json_t *, struct bar *out) MUST_CHECK;
int	record_greeks(struct decode *, const char *symbol, const json_t *snapshot, struct greeks *out) MUST_CHECK;
int	record_clock(struct decode *, const json_t *, struct market_clock *out) MUST_CHECK;
int	decode_refuse(struct decode *, enum msg_type, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif /* DECODE_RECORD_H */
