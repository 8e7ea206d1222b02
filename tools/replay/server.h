/* server.h - connections: HTTP/1.1 as far as a client of a market data service needs it, bounded
 * on every side. */
#ifndef SERVER_H
#define SERVER_H
#include "replay.h"

/* Listens and answers with replay_answer(). E_SYSTEM with `why`. `port` is the one that was
 * bound. */
int	server_open(struct replay *, struct server **, uint16_t *port, char why[LOAD_WHY])
	    MUST_CHECK;
void	server_close(struct server **);
size_t	server_open_connections(const struct server *);

#endif /* SERVER_H */
