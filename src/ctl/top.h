/* top.h - the live screen: what was read, how it is drawn. */
#ifndef TOP_H
#define TOP_H
#include "ctl_room.h"

#define TOP_HISTORY 64	/* rates shown as a curve */
#define TOP_NOTE    200

enum top_order { TOP_BY_SLOT, TOP_BY_REQUESTS, TOP_BY_P99, TOP_BY_CPU, TOP_BY_RSS, TOP_BY_RESTARTS, TOP_ORDERS };

struct top_row {
	const json_t	*worker;	/* borrowed of top.workers */
	struct rate_sample sample;
	struct rates	 rates;
};

struct top {
	json_t		*status, *workers;	/* the newest; null: none yet */
	json_t		*crash;			/* the newest report; null: none */
	struct top_row	*rows;			/* in the order of the screen */
	size_t		 row_count;
	struct rate_sample *last;		/* of the look before, by row of `last_slots` */
	char		(*last_slots)[64];
	size_t		 last_count;
	double		 last_seconds;		/* the master's clock then; NaN: there was no look */
	int64_t		 master_pid;
	double		 bounds[RATE_BUCKETS];
	size_t		 bound_count;
	struct rates	 total;
	double		 history[TOP_HISTORY];	/* requests a second, oldest first */
	size_t		 history_count;
	enum top_order	 order;
	size_t		 first;			/* row the list begins with */
	bool		 lost;			/* no gateway answers */
	char		 note[TOP_NOTE];	/* what a person should know */
	int		 note_looks;		/* for so many looks still */
};

/* screen.c: lines of a width, cut there; escapes only where colour is wanted. */
struct screen {
	struct buf	 out;
	size_t		 width, height;
	size_t		 at;		/* column */
	size_t		 lines;
	bool		 colour;
	bool		 full;		/* the whole screen: lines are cleared to their end */
	bool		 utf8;
};
void	screen_begin(struct screen *, size_t width, size_t height, bool colour, bool full);
void	screen_put(struct screen *, enum style, const char *fmt, ...) PRINTF_LIKE(3, 4);
void	screen_pad(struct screen *, enum style, size_t column);	/* blanks up to it */
void	screen_end_line(struct screen *);
/* A curve and a bar; numbers where the terminal has no such letters. */
void	screen_curve(struct screen *, enum style, const double *values, size_t count);
void	screen_bar(struct screen *, enum style, double share, size_t width);

/* top_read.c */
void	top_read(struct top *, struct client *);
void	top_sort(struct top *);
void	top_fini(struct top *);
const char *top_order_name(enum top_order);

/* top_view.c */
void	top_draw(struct top *, struct screen *);

#endif /* TOP_H */
