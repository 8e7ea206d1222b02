/* spelling.h - how symbols, timeframes and numbers are spelled upstream. */
#ifndef SPELLING_H
#define SPELLING_H
#include "recording.h"

#define NUMBER_TEXT 48

/* Exactly as upstream wants it: upper case, BRK.B; AAPL240216C00190000; BTC/USD. */
bool	symbol_is_well_formed(enum market, const char *);
/* False: not an option's name. */
bool	contract_read(const char *symbol, struct contract_facts *);

/* "5T" and "5Min" become "5Min". False: not a timeframe. */
bool	timeframe_read(const char *, char out[TIMEFRAME_TEXT]);
/* Where the bar that starts at `start` ends. Stock days end at the session's close. */
int64_t	timeframe_end(const char *timeframe, enum market, int64_t start);

enum number { NUMBER_PRICE, NUMBER_SIZE, NUMBER_WHOLE, NUMBER_SIGNED };
/* A plain decimal as it will stand in JSON: trailing zeros of the fraction dropped, digits
 * untouched. PRICE must be above zero, SIZE and WHOLE not below. False: not such a number. */
bool	number_read(const char *, enum number, char out[NUMBER_TEXT]);
/* LEAN's prices: ten-thousandths of a dollar, written as a decimal. */
void	number_of_ten_thousandths(uint64_t, char out[NUMBER_TEXT]);

#endif /* SPELLING_H */
