/* proc_room.h - what the files of proc share. */
#ifndef PROC_ROOM_H
#define PROC_ROOM_H
#include "proc.h"

enum late_kind { LATE_PEER, LATE_LISTENER };

struct proc_late {		/* came before the loop; owns fd until it is handed on */
	enum late_kind	 kind;
	int		 fd;
	union {
		struct msg_peer		peer;
		struct msg_listener	listener;
	} what;
};

/* control.c: what the master says. */
void	control_open(struct proc *);
void	control_late_handle(struct proc *);	/* what came before the loop */
void	control_late_drop(struct proc *);

/* peer.c: channels to other workers. Takes fd. */
void	peer_add(struct proc *, const struct msg_peer *, int fd);
void	peer_drop_all(struct proc *);
size_t	peer_queued_all(const struct proc *);	/* bytes waiting to be sent */

/* crash.c */
void	crash_open(struct proc *);	/* from now on a fault of this process is written to its page */
void	crash_close(void);

/* proc.c */
void	proc_drain(struct proc *, int64_t timeout_ms);
void	proc_stop(struct proc *, enum exit_code); /* ends the loop; the first code counts */

#endif /* PROC_ROOM_H */
