/* text.h - bounded text: copying, comparing, numbers with units. */
#ifndef TEXT_H
#define TEXT_H
#include <stddef.h>
#include <stdint.h>

#include "err.h"

/* Copy into `size` bytes, always NUL ended. E_LIMIT when it had to be cut. */
int	text_copy(char *to, size_t size, const char *from);
int	text_copy_n(char *to, size_t size, const char *from, size_t len);
void	text_upper(char *);				/* ASCII, in place */
int	text_equal_nocase(const char *, const char *);
int	text_starts(const char *text, const char *prefix);
int	text_is_printable(const char *, size_t len);	/* 0x20-0x7e only */

/* Copies with '?' for all that is not printable ASCII, cut to the size: for what nobody vouches for. Returns `out`. */
const char *text_safe(char *out, size_t size, const char *in);

/* Bytes of the UTF-8 character the text begins with; 0 when it begins with none. */
size_t	text_utf8_len(const char *);

/* Whole text or nothing; no sign where unsigned, no blanks. E_INVALID_PARAMETER otherwise. */
int	text_to_u64(const char *, uint64_t *) MUST_CHECK;
int	text_to_i64(const char *, int64_t *) MUST_CHECK;
int	text_to_f64(const char *, double *) MUST_CHECK;	/* finite only */
int	text_to_bool(const char *, int *) MUST_CHECK;	/* true false yes no on off 1 0 */
int	text_to_msec(const char *, int64_t *) MUST_CHECK; /* "5s" "100ms" "2m" "1h"; bare: seconds */
int	text_to_bytes(const char *, uint64_t *) MUST_CHECK; /* "64k" "1M" "4G" */

/* %XX into bytes, in place; refuses broken escapes and NUL. '+' becomes a blank when `plus`. */
int	text_unescape(char *, int plus) MUST_CHECK;

/* Next part of a list split at `separator`; *rest moves behind it and is null at the end. Cuts `*rest`. */
char	*text_split(char **rest, char separator);

#endif /* TEXT_H */
