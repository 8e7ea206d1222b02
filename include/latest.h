/* latest.h - latest values as Redis holds them: which they are, under which key, in which form.
 *
 * opitios:v2:{kind}:{symbol} is a hash; its fields are feeds ("iex"), for bars feed and timeframe ("iex/1Min"), so
 * that no feed overwrites another. Each is one JSON object that begins with `order`: event and received time as 19
 * digits each, so that two values are compared by comparing that text.
 */
#ifndef LATEST_H
#define LATEST_H
#include <stdbool.h>

#include "msg.h"

#define LATEST_PREFIX "opitios:v2:"
#define LATEST_KEY    64	/* bytes, NUL included */
#define LATEST_FIELD  32
#define LATEST_TEXT   4096	/* bytes of a value that is read; longer ones are none of ours */

struct latest_id {
	char		 key[LATEST_KEY];
	char		 field[LATEST_FIELD];
	int64_t		 event_ns, received_ns;
	enum asset	 asset;
};

/* Fills *id, and is true, for what the market said last: quotes, trades, greeks, snapshots and the minute and daily
 * bar of a snapshot, as they came as latest values or by stream. Not what was asked of the past, and no trade that
 * was taken back. */
bool	 latest_identify(enum msg_type, const void *value, struct latest_id *);
/* Of any value that has a feed: the key of its stream; false when it has none. */
bool	 latest_stream(enum msg_type, const void *value, char key[LATEST_KEY], const char **symbol);
/* The JSON object. E_FULL at the buffer's limit. */
int	 latest_write(enum msg_type, const void *value, struct buf *) MUST_CHECK;
/* Reads a quote or a trade as latest_write wrote it. E_DATA_VALIDATION_ERROR with *why (static): it is not one, or
 * breaks the rules every quote and trade keeps. */
int	 latest_read(enum msg_type, const char *text, size_t len, union msg_any *, const char **why) MUST_CHECK;
void	 latest_key(char key[LATEST_KEY], const char *kind, const char *symbol);

#endif /* LATEST_H */
