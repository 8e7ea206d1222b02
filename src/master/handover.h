/* handover.h - what one image of the master leaves to the next: written by the one, read by the other. */
#ifndef HANDOVER_H
#define HANDOVER_H
#include "master_room.h"

struct handover {
	bool		 rollback;	/* the image that reads it is the one that ran before */
	char		 why[256];	/* of a rollback: what went wrong */
	int		 asker;		/* connection that waits for the outcome; -1: none */
	int		 executable;	/* writing: this image's own file, kept open for a rollback */
	int		 previous;	/* reading: the file of the image that wrote it; -1: none */
	struct executable previous_executables[WORKER_ROLES];
	void		*root;		/* handover.c's, from read to adopt */
};

/* A memory file that survives exec; E_SYSTEM. */
int	handover_write(const struct master *, const struct handover *, int *fd) MUST_CHECK;
/* Descriptors, numbers, listeners; fatal when it is none. The caller opens the board and the slots, then: */
void	handover_read(struct master *, const char *number, struct handover *);
/* Live processes with their channels, and the links between them. */
void	handover_adopt(struct master *, struct handover *);
/* Whether a descriptor stays open across exec; -1 is left alone. */
void	handover_keep(int fd, bool across_exec);
void	handover_keep_all(struct master *, bool across_exec);

#endif /* HANDOVER_H */
