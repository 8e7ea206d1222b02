/* stage.h - a real master with test workers, for tests: started, looked at through its board, ended. */
#ifndef STAGE_H
#define STAGE_H
#include <stdbool.h>
#include <sys/types.h>

#include "metric.h"

struct stage {
	char		 dir[64];	/* with workers/, state/, log */
	char		 state[80];
	pid_t		 master;	/* 0: none */
	const struct board *board;	/* null until stage_ready */
	struct stats	 stats;
	char		*text;		/* of the last stage_read */
	bool		 has_conf;	/* stage_conf wrote one */
	bool		 conf_counts;	/* it says how many http workers */
};

/* Polls until it is true; fails the test after so many ms. */
#define WAIT_FOR(ms, what) do { \
	int64_t wait_end = clock_mono() + (ms) * CLOCK_MS; \
	while (!(what)) { \
		if (clock_mono() > wait_end) \
			cr_assert_fail("waited %d ms for %s", (int)(ms), #what); \
		usleep(500); \
	} \
} while (0)

void	stage_open(struct stage *);
void	stage_mode(struct stage *, const char *slot, const char *mode); /* null: behave */
/* `settings` ends with null; http.workers=2 and short times are given unless named there. */
void	stage_start(struct stage *, const char *const *settings);
void	stage_ready(struct stage *);			/* waits for all, attaches the board */
int	stage_exit(struct stage *, int ms);		/* waits for the master's end; its exit code */
void	stage_close(struct stage *);

const struct slot_page *stage_page(struct stage *, const char *seat);
const struct slot_page *stage_slot(struct stage *, const char *label); /* its current seat */
unsigned stage_slots(struct stage *);		/* of workers, whatever seats they have */
/* The configuration file of the next stage_start; null: none. */
void	stage_conf(struct stage *, const char *text);
/* Whether the master's log has this by now. */
bool	stage_logged(struct stage *, const char *what);
bool	stage_is_ready(struct stage *, const char *slot);
pid_t	stage_child(struct stage *, const char *slot);	/* from /proc; 0: none */
/* Lines of the events file of this slot (null: any) that begin so; the time of the nth from 0, or -1. */
int	stage_count(struct stage *, const char *slot, const char *what);
int64_t	stage_time(struct stage *, const char *slot, const char *what, int nth);
char	*stage_read(struct stage *, const char *name);	/* a file below dir; until the next call */
/* Runs the master with these arguments to its end: its exit code and what it said on both outputs. */
int	stage_run(struct stage *, const char *const *arguments, char *said, size_t size);

#endif /* STAGE_H */
