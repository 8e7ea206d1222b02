/* csv_row.h - the columns of the project's own CSV files. */
#ifndef CSV_ROW_H
#define CSV_ROW_H
#include "row.h"

struct csv_file {		/* one file being read */
	struct recording *into;
	char		 path[1400];
	char		*why;		/* LOAD_WHY bytes */
	enum market	 market;
	enum kind	 kind;
	char		 timeframe[TIMEFRAME_TEXT];	/* of bars */
	char		 symbol[SYMBOL_TEXT];		/* "": the rows say */
	unsigned long	 row;
	size_t		 columns;
	int		 field_of[ROW_CELLS];		/* which field each column is */
};

/* "bars", "quotes", "trades", "greeks"; KIND_NONE for anything else. */
enum kind csv_kind(const char *);
/* Says file, row and reason; returns E_INVALID_PARAMETER. */
int	csv_refuse(struct csv_file *, const char *reason);
/* The first line: the columns' names. Cuts it. */
int	csv_row_head(struct csv_file *, char *line) MUST_CHECK;
/* Any further line: one event. Cuts it. */
int	csv_row_add(struct csv_file *, char *line) MUST_CHECK;

#endif /* CSV_ROW_H */
