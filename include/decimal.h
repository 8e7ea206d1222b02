/* decimal.h - doubles as decimals: shortest text that reads back as the same double. */
#ifndef DECIMAL_H
#define DECIMAL_H
#include <stddef.h>

#define DECIMAL_TEXT 32

/* JSON number, no exponent between 1e-7 and 1e21; NaN and infinities are written `null`. Returns the length. */
size_t	decimal_format(double, char out[DECIMAL_TEXT]);

#endif /* DECIMAL_H */
