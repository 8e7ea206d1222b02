/* row.h - lines and cells of recorded text, and the JSON objects made of them. */
#ifndef ROW_H
#define ROW_H
#include <stdio.h>

#include "recording.h"
#include "spelling.h"

#define ROW_BYTES 1024	/* longest line taken */
#define ROW_CELLS 24
#define JSON_TEXT 768	/* longest object of one event */

/* Cuts `line` at its commas, in place; no quoting in these formats. Returns how many, ROW_CELLS
 * + 1 for too many. */
size_t	row_split(char *line, char *cells[ROW_CELLS]);

struct piece {			/* an object being written; embedded */
	char	 text[JSON_TEXT];
	size_t	 len;
	bool	 overflow;
};

void	piece_open(struct piece *);
/* One member; `value` is JSON already. */
void	piece_raw(struct piece *, const char *name, const char *value);
void	piece_text(struct piece *, const char *name, const char *value);
/* "R;I" becomes ["R","I"]; "" becomes []. */
void	piece_list(struct piece *, const char *name, const char *codes);
void	piece_time(struct piece *, int64_t);
/* E_LIMIT when it grew too long. */
int	piece_close(struct piece *) MUST_CHECK;

#endif /* ROW_H */
