/* role.h - the kinds of process, made from roles.def. */
#ifndef ROLE_H
#define ROLE_H

enum role {
#define ROLE(NAME, bit, executable, slot, count, need, ready_seconds, help) ROLE_##NAME = (bit),
#include "tables/roles.def"
	ROLE_ANY = 0xff
};

#define SLOT_NAME 32		/* bytes of a slot's name: fetcher-rest, cache-writer, http-0 */

const char	*role_name(enum role);		/* "http"; "?" for none */
const char	*role_executable(enum role);
/* Role of a slot's name; 0 for none. */
enum role	 role_of_slot(const char *slot);
/* Whether links.def joins the two, in either order. */
int		 role_is_linked(enum role, enum role);

#endif /* ROLE_H */
