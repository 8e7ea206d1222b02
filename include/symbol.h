/* symbol.h - how markets spell their symbols. */
#ifndef SYMBOL_H
#define SYMBOL_H
#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define SYMBOL_MAX 32		/* bytes, NUL included */

struct contract {		/* parsed from the contract's name: not market data */
	char	underlying[8];
	char	expiration[12];	/* YYYY-MM-DD */
	int	is_call;
	double	strike;
};

/* From a client's spelling to the market's: upper-cased and checked. E_INVALID_SYMBOL_FORMAT otherwise.
 * Stock: letters, up to 5, then optionally a dot and 1-4 letters: BRK.B, IFN.RTWI. Crypto: BTC-USD, BTC/USD -> BTC/USD.
 * Option: OCC, unpadded root of 1-6 starting with a letter, date that exists, C or P, 8 digits of strike. */
int	symbol_stock(const char *in, char out[SYMBOL_MAX]) MUST_CHECK;
int	symbol_crypto(const char *in, char out[SYMBOL_MAX]) MUST_CHECK;
int	symbol_option(const char *in, char out[SYMBOL_MAX]) MUST_CHECK;
int	symbol_contract(const char *option, struct contract *) MUST_CHECK;

/* 5Min, 1Hour, 1Day, 1Week, 3Month; short spellings (5T, 1D) become the long ones. E_INVALID_PARAMETER otherwise. */
int	timeframe_parse(const char *in, char out[12]) MUST_CHECK;

/* How long a bar of this timeframe lasts at most: a day 24 hours, a month 31 days; of none (trades) 0. */
int64_t	timeframe_ns(const char *);

#endif /* SYMBOL_H */
