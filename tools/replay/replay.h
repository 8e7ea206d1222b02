/* replay.h - the room: what an upstream made of a recording consists of. */
#ifndef REPLAY_H
#define REPLAY_H
#include <stdbool.h>
#include <stdint.h>

#include "limit.h"
#include "loop.h"
#include "recording.h"
#include "request.h"
#include "market_day.h"

#define RECORDINGS_MAX	16
#define KEYS_MAX	1024	/* buckets kept; the one unused longest goes first */
#define RECENT_LINES	64	/* request lines kept for /_replay/stats */
#define SYMBOLS_MAX	4096	/* in one call; the request line does not take more */
#define OPTION_SYMBOLS_MAX 100	/* upstream's own limit */

struct options {
	const char	*address;
	uint16_t	 port;
	const char	*port_file;
	const char	*recordings[RECORDINGS_MAX];
	size_t		 recording_count;
	const char	*journals[RECORDINGS_MAX];	/* state directories */
	size_t		 journal_count;
	double		 speed;
	bool		 loops;
	int64_t		 start_of_day;		/* ns; -1: the session's open */
	int64_t		 day;			/* from the epoch; INT64_MIN: the last with ticks */
	const char	*key, *secret;		/* null: any pair that is not empty */
	uint64_t	 rate_per_minute;	/* 0: unlimited */
	uint64_t	 page_max;		/* points a page at most, 0: as asked */
	uint64_t	 connections_max;
	bool		 with_parent, control, verbose;
	const char	*faults[RECORDINGS_MAX];
	size_t		 fault_count;
};
/* E_OK; E_INVALID_PARAMETER with `why`; E_CLOSED when --help or --version was answered. */
int	options_read(struct options *, int argc, char **argv, char why[LOAD_WHY]) MUST_CHECK;

/* ---- limiter.c: one bucket per key and API */
struct budget {
	char		 id[CREDENTIAL + 4];
	struct limit	 limit;
	UT_hash_handle	 hh;
};
struct limiter {
	struct budget	*budgets;	/* hash; least recently used first */
	uint64_t	 per_minute;
	uint64_t	 refused;
};
enum api { API_DATA, API_TRADING };
void	limiter_init(struct limiter *, uint64_t per_minute);
void	limiter_fini(struct limiter *);
/* False: 429. Fills the answer's budget where there is one. */
bool	limiter_admit(struct limiter *, enum api, const char *key, struct answer *);

/* ---- stats.c: what was asked and answered, for /_replay/stats */
struct stats {
	uint64_t	 requests, by_status[600];
	uint64_t	 symbols_most;		/* in one call */
	uint64_t	 faults_served;
	char		 recent[RECENT_LINES][LINE_BYTES];
	uint64_t	 recent_count;
};

/* ---- route.c, history.c, latest.c, trading.c: the endpoints */
struct replay;
struct route;
typedef void serve_fn(struct replay *, const struct route *, const struct request *,
	    struct answer *);
struct route {
	const char	*pattern;	/* {symbol} and {loc} match one segment */
	enum market	 market;
	enum api	 api;
	bool		 needs_key;
	enum kind	 kind;
	serve_fn	*serve;
};
size_t	route_count(void);
const struct route *route_row(size_t index);
/* Null: no such path. */
const struct route *route_find(const struct request *);
/* What stands in the pattern's place, "" when it has none. */
const char *route_variable(const struct route *, const struct request *, const char *name);

serve_fn serve_history, serve_history_one;		/* history.c */
serve_fn serve_latest, serve_latest_one;		/* latest.c */
/* snapshot.c */
serve_fn serve_snapshots_bare, serve_snapshot_one, serve_snapshots, serve_snapshots_whole;
serve_fn serve_clock, serve_asset;			/* trading.c */

/* ---- symbols.c: the list a call asks for */
struct symbols {		/* those recorded, by symbol, each once */
	struct instrument *rows[SYMBOLS_MAX];
	size_t		 count, asked;
};
/* False: the answer is a refusal already. */
bool	symbols_read(struct replay *, const struct route *, const struct request *,
	    struct symbols *, struct answer *);

/* ---- query.c: parameters that several endpoints take. All: false, the answer is a refusal
 * already. */
struct window {
	int64_t		 start, end;	/* inclusive */
	bool		 descends;
	uint64_t	 limit;
};
bool	window_read(const struct replay *, const struct route *, const struct request *,
	    struct window *, struct answer *);
bool	limit_read(const struct replay *, const struct request *, uint64_t otherwise, uint64_t most,
	    uint64_t *, struct answer *);
bool	feed_check(const struct route *, const struct request *, struct answer *);
const char *kind_plural(enum kind);	/* "quotes" */
const char *kind_singular(enum kind);	/* "quote" */

/* ---- token.c: where a walk goes on; opaque to clients */
#define TOKEN_TEXT 256
#define TOKEN_REPEAT "UkVQRUFUfGJh"	/* of a fault: stands for the beginning */
struct token {
	char		 tag[TIMEFRAME_TEXT + 8];	/* what is walked */
	char		 symbol[SYMBOL_TEXT];
	uint64_t	 index;
};
void	token_write(const struct token *, char out[TOKEN_TEXT]);
bool	token_read(const char *, struct token *);

struct faults;
struct server;
struct replay {
	struct options	 options;
	struct loop	*loop;
	struct recording recording;
	struct story	 story;
	struct limiter	 limiter;
	struct stats	 stats;
	uint64_t	*route_calls;		/* by route, then all else */
	struct faults	*faults;
	struct server	*server;
};
int64_t	replay_now(const struct replay *);
/* Answers one request: control, key, budget, faults, endpoint, in this order. */
void	replay_answer(struct replay *, const struct request *, struct answer *);

#endif /* REPLAY_H */
