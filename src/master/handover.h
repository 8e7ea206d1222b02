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
	int		 conf;		/* the configuration that image runs with, as its struct; -1: none */
	struct executable previous_executables[WORKER_ROLES];
	void		*root;		/* handover.c's, from read to adopt */
};

/* A memory file that survives exec; E_SYSTEM. */
int	handover_write(const struct master *, const struct handover *, int *fd) MUST_CHECK;
#define HANDOVER_NONE { .asker = -1, .executable = -1, .previous = -1, .conf = -1 }
/* Of the three of the reading image the first: what it is to go on with; fatal when it is none. */
void	handover_load(const char *number, struct handover *);
/* Descriptors, numbers, listeners. The caller opens the board and the slots, then: */
void	handover_read(struct master *, struct handover *);
/* Live processes with their channels, and the links between them. */
void	handover_adopt(struct master *, struct handover *);
/* Whether a descriptor stays open across exec; -1 is left alone. */
void	handover_keep(int fd, bool across_exec);
void	handover_keep_all(struct master *, bool across_exec);

/* way_back.c: to the image that ran before, with what it was given. */
int	way_back_conf_write(const struct conf *);	/* a memory file; -1: the system refuses */
/* The configuration to go on with; false: it is to be read as at any start. */
bool	way_back_conf(struct handover *, struct conf *);
/* Until handover_adopt has ended whatever is fatal executes the image before. */
void	way_back_open(struct master *, struct handover *);
void	way_back_close(void);

/* upgrade.c: the command line as it was, without what an earlier image was given, and `more`, ended by null. */
#define UPGRADE_ARGS (OPTIONS_SET_MAX + 16)
#define UPGRADE_MORE 4 /* of one image for another */
void	upgrade_arguments(const struct master *, const char *const *more, const char *argv[UPGRADE_ARGS]);

#endif /* HANDOVER_H */
