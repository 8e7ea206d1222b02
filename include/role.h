/* role.h - the kinds of process, made from roles.def. */
#ifndef ROLE_H
#define ROLE_H

enum role {
#define ROLE(NAME, bit, executable, slot, count, need, ready_seconds, help) ROLE_##NAME = (bit),
#include "tables/roles.def"
	ROLE_ANY = 0xff,
	ROLE_GATEWAY = 0x100	/* no process: in metrics.def, what is of the gateway as a whole */
};

#define SLOT_NAME 32		/* bytes of a seat's name: fetcher-rest, cache-writer, http-0, http-0.1 */

const char	*role_name(enum role);		/* "http"; "?" for none */
const char	*role_executable(enum role);
/* What people call the slot of a seat: "http-0" of "http-0.1". */
void		 role_slot_label(const char *seat, char label[SLOT_NAME]);
/* Role of a slot's or a seat's name; 0 for none. */
enum role	 role_of_slot(const char *slot);
/* The nth of what a role PER_UPSTREAM has a slot for each, <role>-<upstream>; null behind the last. */
const char	*role_upstream(unsigned n);
/* Whether this is exactly the name of a fetcher's slot: who writes a journal, in a folder of that name. */
int		 role_is_fetcher_slot(const char *name);
/* Whether links.def joins the two, in either order. */
int		 role_is_linked(enum role, enum role);

#endif /* ROLE_H */
