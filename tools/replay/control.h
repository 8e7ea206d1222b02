/* control.h - /_replay: faults, bodies, time and statistics of a running replay. */
#ifndef CONTROL_H
#define CONTROL_H
#include "replay.h"

bool	control_is_meant(const struct request *);
void	control_answer(struct replay *, const struct request *, struct answer *);

#endif /* CONTROL_H */
