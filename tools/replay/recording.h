/* recording.h - what was recorded: instruments and their series of events.
 *
 * An event is kept as the JSON object it will leave as, made once when it is read: serving it is a
 * copy, and no number passes through a double on its way from the source to the client.
 */
#ifndef RECORDING_H
#define RECORDING_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "hash.h"

#define SYMBOL_TEXT    32	/* bytes, NUL included */
#define TIMEFRAME_TEXT 12
#define FEED_TEXT      16
#define ADJUSTMENT_TEXT 32
#define FEEDS_MAX      16
#define RECORDING_NAME 128
#define LOAD_WHY       768	/* size of `why`: file, row and reason */

enum market { MARKET_STOCK, MARKET_OPTION, MARKET_CRYPTO };
enum kind { KIND_QUOTES, KIND_TRADES, KIND_BARS, KIND_GREEKS, KIND_NONE };

struct event {
	int64_t		 time;		/* ns; of a bar: where its interval starts */
	uint32_t	 at, len;	/* its JSON in the series' text */
};

struct series {			/* events by time; those of one time stay in the source's order */
	enum kind	 kind;
	enum market	 market;
	char		 timeframe[TIMEFRAME_TEXT];	/* of bars: 1Min, 1Day ... */
	char		 adjustment[ADJUSTMENT_TEXT];	/* of bars; "": the recording's own */
	struct event	*events;
	size_t		 count, capacity;
	struct buf	 text;
	bool		 disordered;	/* an event was added behind a later one */
	bool		 repeats;	/* what was received again is there again: thinned when all is read */
	struct series	*next;
};

struct contract_facts {		/* what an option's name says */
	char		 root[8], underlying[8];
	char		 expiration[12];		/* YYYY-MM-DD */
	bool		 is_call;
	int64_t		 strike_thousandths;
};

struct instrument {
	char		 id[SYMBOL_TEXT + FEED_TEXT + 4]; /* market, symbol and feed: the key */
	enum market	 market;
	char		 symbol[SYMBOL_TEXT];
	char		 feed[FEED_TEXT];		/* "": of whichever feed is asked for */
	struct contract_facts contract;			/* of options */
	struct series	*series;
	UT_hash_handle	 hh;
};

struct recording {			/* everything given with --recording, together */
	char		 name[RECORDING_NAME];	/* names joined by '+' */
	char		 feed[FEED_TEXT], adjustment[ADJUSTMENT_TEXT];
	char		 feeds[FEEDS_MAX][FEED_TEXT];	/* that instruments have; the first where none is asked for */
	size_t		 feed_count;
	bool		 from_journal;
	struct instrument *instruments;		/* hash; in order of id once finished */
	int64_t		 clock_start;		/* as a recording.ini asks; 0: not asked */
	bool		 clock_stands;		/* likewise */
	uint64_t	 events;
	uint64_t	 skipped;		/* rows the source itself marks as suspicious */
};

void	recording_init(struct recording *);
void	recording_fini(struct recording *);
/* A folder in the project's own format or in LEAN's. E_ABSENT, E_INVALID_PARAMETER, E_LIMIT;
 * `why` says file, row and reason. */
int	recording_load(struct recording *, const char *folder, char why[LOAD_WHY]) MUST_CHECK;
/* A gateway's state directory, or a copy of its folder `journal`: what it received. The newest of bars. */
int	journal_load(struct recording *, const char *folder, char why[LOAD_WHY]) MUST_CHECK;
/* After the last load: orders everything. E_INVALID_PARAMETER when a bar came twice. */
int	recording_finish(struct recording *, char why[LOAD_WHY]) MUST_CHECK;

/* Makes what is not there yet. The symbol must be well-formed. */
struct series *recording_series(struct recording *, enum market, const char *symbol, enum kind,
	    const char *timeframe);
/* The same of one feed, and of bars with another adjustment than the recording's. Both may be "". Null: of more feeds
 * than there may be. */
struct series *recording_series_of(struct recording *, enum market, const char *symbol, const char *feed,
	    enum kind, const char *timeframe, const char *adjustment);
/* `json` is copied. E_LIMIT when the series is as large as one may be. */
int	series_add(struct series *, int64_t time, const void *json, size_t len) MUST_CHECK;

/* Null: not recorded. */
struct instrument *recording_find(const struct recording *, enum market, const char *symbol);
/* Of this feed, or of no feed in particular; "": as recording_find. */
struct instrument *recording_find_feed(const struct recording *, enum market, const char *symbol,
	    const char *feed);
struct series *instrument_series(const struct instrument *, enum kind, const char *timeframe);
struct series *instrument_series_adjusted(const struct instrument *, enum kind, const char *timeframe,
	    const char *adjustment);
/* How many events have happened at `now`: a bar has once its interval is over. Null series: 0. */
size_t	series_happened(const struct series *, int64_t now);
/* First event at or after `time`; count when there is none. */
size_t	series_from(const struct series *, int64_t time);
const char *series_json(const struct series *, size_t index);
/* When the event has happened: its time, or the end of the bar. */
int64_t	series_end_of(const struct series *, size_t index);
/* Whether any series of the instrument has an event by `now`. */
bool	instrument_is_known(const struct instrument *, int64_t now);

/* Loaders of one folder; recording_load chooses. */
bool	csv_is_recording(const char *folder);
int	csv_load(struct recording *, const char *folder, char why[LOAD_WHY]) MUST_CHECK;
int	lean_load(struct recording *, const char *folder, char why[LOAD_WHY]) MUST_CHECK;

#endif /* RECORDING_H */
