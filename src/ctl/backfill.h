/* backfill.h - bars asked of a running gateway, page after page. */
#ifndef BACKFILL_H
#define BACKFILL_H
#include <stdbool.h>
#include <stdint.h>

#include "ctl_room.h"

#define BACKFILL_URL	512
#define BACKFILL_TOKEN	1024

struct backfill_ask;

struct page {
	uint64_t	 rows;
	bool		 fetched;		/* upstream was asked for it */
	char		 token[BACKFILL_TOKEN];	/* of the next; "": there is none */
};

enum page_result {
	PAGE_GOOD,
	PAGE_AGAIN,		/* later: budget, restart, a timeout; `wait_s` if the gateway said when */
	PAGE_REFUSED,		/* it will not become better */
	PAGE_INTERRUPTED
};

/* `base` is http://host:port. Null: no memory for it. */
struct backfill_ask *backfill_ask_new(const char *base);
void	 backfill_ask_free(struct backfill_ask **);
/* `path` and query. `why` holds a line unless it was good; *wait_s is 0 when the gateway did not say. */
enum page_result backfill_ask_page(struct backfill_ask *, const char *path, struct page *, double *wait_s,
	    char why[CTL_LINE]);
/* Text as it may stand in a query; the caller frees. Null: no memory. */
char	*backfill_escape(struct backfill_ask *, const char *);
void	 backfill_escape_free(char *);

#endif /* BACKFILL_H */
