/* wire.h - a server and the client's end of a connection to it, in one process, for the tests of
 * the HTTP room. */
#ifndef WIRE_H
#define WIRE_H
#include <stdbool.h>
#include <stddef.h>

#include "clock.h"
#include "http_room.h"

#define WIRE_BYTES (4U << 20)
#define WIRE_HELD  64

struct wire {
	struct loop	*loop;
	struct http_limits limits;
	struct http_hooks hooks;
	struct http_server *server;
	int		 client;
	/* what the application does: answers with `METHOD path?query body`, unless: */
	bool		 later;		/* it keeps the requests in `held` */
	size_t		 big;		/* it answers so many bytes */
	bool		 closes;	/* it asks to close */
	/* what it saw */
	struct http_request *held[WIRE_HELD];
	size_t		 held_count, requests, gone, drops[5], starved, bytes_in, bytes_out, open;
	int		 starved_error;	/* errno of the last one */
	int		 refused;	/* the last error, E_OK if none */
	char		 refused_path[256];
	int		 drained;	/* times told so */
	/* what the client got */
	char		*got;
	size_t		 got_len;
	bool		 ended, reset;
	bool		 heads_only;	/* answers to HEAD: Content-Length without a body */
};

struct wire_answer {
	int		 status;
	const char	*head, *body;	/* head is not NUL ended: see wire_has */
	size_t		 head_len, body_len;
};

struct http_limits wire_limits(void);
void	 wire_open(struct wire *);			/* with w->limits when set, else wire_limits() */
void	 wire_close(struct wire *);
void	 wire_connect(struct wire *);			/* another client; the one before is closed */
void	 wire_send(struct wire *, const char *bytes, size_t len);
void	 wire_say(struct wire *, const char *text);
void	 wire_turn(struct wire *);			/* one turn of the loop, and what it sent is taken */
void	 wire_settle(struct wire *);			/* turns until nothing moves */
/* Turns until it holds; the test fails after five seconds. */
#define WIRE_UNTIL(w, condition)                                                                   \
	do {                                                                                       \
		int64_t wire_limit = wire_now() + 5 * CLOCK_SEC;                                 \
		while (!(condition) && wire_now() < wire_limit)                                  \
			wire_turn(w);                                                              \
		cr_assert(condition, "not within five seconds: %s", #condition);                   \
	} while (0)
int64_t	 wire_now(void);				/* the real clock, whatever clock_fake says */
void	 wire_pass(struct wire *, int64_t ms);		/* so much time goes by for the server */
size_t	 wire_answers(struct wire *);			/* whole answers the client has */
struct wire_answer wire_answer(struct wire *, size_t index);	/* fails when there are fewer */
/* Says it, waits for one answer and returns it. */
struct wire_answer wire_ask(struct wire *, const char *request);
bool	 wire_has(const struct wire_answer *, const char *header_line);
void	 wire_reply_held(struct wire *, size_t index);
/* Asks on a new connection and expects the status, and the connection closed behind it. */
void	 wire_expect_refusal(struct wire *, const char *request, size_t len, int status);
#define WIRE_REFUSED(w, text, status) wire_expect_refusal(w, text, sizeof(text) - 1, status)

#endif /* WIRE_H */
