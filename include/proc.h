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

struct proc;

struct peer {			/* another worker, as long as a channel to it stands */
	struct proc	*proc;
	enum role	 role;
	char		 slot[SLOT_NAME];
	struct chan	*chan;
	void		*user;	/* the worker's own, null at first */
	struct peer	*next;
};

struct msg_handler {		/* ends with { 0, NULL } */
	enum msg_type	 type;
	void		(*on)(struct peer *from, const void *data, void *owner);
};

struct proc_hooks {		/* each may be null */
	void	(*peer_up)(struct peer *, void *owner);
	void	(*peer_down)(struct peer *, void *owner);	/* its chan is over; `from` is gone after this */
	void	(*listener)(int fd, const char *name, void *owner);	/* takes fd */
	/* Finish what is in hand, then call proc_finished. Without a hook the process ends at once. */
	void	(*drain)(int64_t timeout_ms, void *owner);
};

struct proc {
	enum role	 role;
	char		 slot[SLOT_NAME];
	struct loop	*loop;
	struct conf	 conf;		/* only the rows this role may see are other than default */
	struct stats	 stats;
	struct chan	*master;
	struct peer	*peers;
	uint64_t	 generation;
	/* the rest is proc.c's */
	const struct proc_hooks	  *hooks;
	const struct msg_handler  *handlers;
	void			  *owner;
	bool		 settled;
	bool		 draining;
	int		 exit_code;
	struct loop_timer heartbeat;
	int		 pending_fds[64];	/* peers and listeners that came before the hooks were set */
};

struct proc	*proc_begin(enum role, int argc, char **argv);	/* log, slot, signals, statistics, control channel */
void		 proc_confine(struct proc *);		/* no new privileges, no core of secrets, descriptors bounded */
/* Waits for the configuration; afterwards peers and listeners are announced by the hooks from the loop. */
void		 proc_connect(struct proc *, const struct proc_hooks *, const struct msg_handler *, void *owner);
void		 proc_ready(struct proc *);
void		 proc_loop(struct proc *);		/* until told to stop */
void		 proc_finished(struct proc *);		/* drained: ends the loop */
int		 proc_end(struct proc *);		/* frees, returns the exit code */

/* E_FULL and E_CLOSED are counted here. */
int		 peer_send(struct peer *, enum msg_type, const void *) MUST_CHECK;
struct peer	*proc_peer(struct proc *, enum role, struct peer *after);	/* walks; null at the end */

#endif /* PROC_H */
