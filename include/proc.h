/* proc.h - the life every worker shares: begin, confine, connect, ready, loop, end.
 *
 * Inherited from the master: descriptor 3 is the control channel, 4 and 5 the statistics board (writable and
 * read-only). argv: <executable> --slot NAME. Configuration, peers and listeners arrive over the control
 * channel. A worker ends when its master vanished (exit ORPHANED), when told to, or when it cannot go on.
 */
#ifndef PROC_H
#define PROC_H
#include "chan.h"
#include "conf.h"
#include "loop.h"
#include "metric.h"
#include "msg.h"
#include "role.h"

#define PROC_FD_CONTROL	   3
#define PROC_FD_BOARD_RW   4
#define PROC_FD_BOARD_RO   5
#define PROC_FD_FIRST_FREE 6

#define PROC_PEER_QUEUE	   (64u << 20)	/* bytes that may wait for one peer; beyond it E_FULL */
#define PROC_LATE_MAX	   512		/* peers and listeners that may arrive before proc_loop */

struct proc;

struct peer {			/* another worker, as long as a channel to it stands */
	struct proc	*proc;
	enum role	 role;
	char		 slot[SLOT_NAME];
	struct chan	*chan;
	void		*user;	/* the worker's own, null at first */
	struct peer	*next;
	/* the rest is proc's */
	uint64_t	 link;	/* number the master gave this channel */
	bool		 up;	/* announced by peer_up */
};

struct msg_handler {		/* ends with { 0, NULL } */
	enum msg_type	 type;
	void		(*on)(struct peer *from, const void *data, void *owner);
};

struct proc_hooks {		/* each may be null; none is called after proc_loop */
	void	(*peer_up)(struct peer *, void *owner);
	void	(*peer_down)(struct peer *, void *owner);	/* its chan is over; `from` is gone after this */
	void	(*listener)(int fd, const char *name, void *owner);	/* takes fd */
	/* Finish what is in hand, then call proc_finished. Without a hook the process ends at once. */
	void	(*drain)(int64_t timeout_ms, void *owner);
};

struct proc_late;

struct proc {
	enum role	 role;
	char		 slot[SLOT_NAME];
	struct loop	*loop;
	struct conf	 conf;		/* only the rows this role may see are other than default */
	struct stats	 stats;
	struct chan	*master;
	struct peer	*peers;
	uint64_t	 generation;
	/* the rest is proc's */
	const struct proc_hooks	  *hooks;
	const struct msg_handler  *handlers;
	void			  *owner;
	bool		 settled;
	bool		 running;		/* proc_loop was entered: hooks may be called */
	bool		 draining;
	bool		 over;			/* the loop is to end, or has */
	int		 exit_code;
	struct loop_timer heartbeat;
	int64_t		 looked_ns;		/* monotonic: at what this process uses */
	struct usage	 usage;
	struct loop_timer deadline;		/* of draining */
	struct event	*signals[2];
	struct proc_late *late;			/* peers and listeners that came before proc_loop */
	size_t		 late_count;
};

struct proc	*proc_begin(enum role, int argc, char **argv);	/* log, slot, signals, statistics, control channel */
void		 proc_confine(struct proc *);		/* no new privileges, no core of secrets, descriptors bounded */
/* Waits for the configuration and sets the log by it; peers and listeners that came meanwhile, and later ones,
 * are announced by the hooks from within proc_loop. `hooks` and `handlers` are borrowed for the life of proc. */
void		 proc_connect(struct proc *, const struct proc_hooks *, const struct msg_handler *, void *owner);
void		 proc_ready(struct proc *);
void		 proc_loop(struct proc *);		/* until told to stop */
void		 proc_finished(struct proc *);		/* drained: ends the loop */
int		 proc_end(struct proc *);		/* frees, returns the exit code */

/* The log of this process as its settings say, its files opened anew; for the master too. E_SYSTEM: a file could not
 * be opened, which was logged; what was in use stays. */
int		 proc_log_open(const char *slot, const struct conf *);
/* By a timer: what the log has to tell now and then, and what it counted. */
void		 proc_log_tick(struct stats *);

/* Counted here, E_FULL too. E_CLOSED: peer_down follows or has been. */
int		 peer_send(struct peer *, enum msg_type, const void *) MUST_CHECK;
/* Walks the peers of a role that are up; null at the end. */
struct peer	*proc_peer(struct proc *, enum role, struct peer *after);

#endif /* PROC_H */
