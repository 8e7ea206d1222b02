/* http_room.h - what the files of the HTTP room share.
 *
 * A connection at rest is one struct and nothing else. With the first byte of a request it
 * borrows a struct http_request from the server's pool: the read buffer, the parser and the
 * offsets of the fields. Answers given while its own bytes are being worked on gather in the
 * server's one buffer and leave with one send(); only what the kernel does not take is copied to
 * the connection.
 */
#ifndef HTTP_ROOM_H
#define HTTP_ROOM_H
#include <event2/event_struct.h>
#include <llhttp.h>
#include <netinet/in.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "http.h"

#define HTTP_FIELDS_MAX	 100	    /* header fields of one request */
#define HTTP_INPUT_FIRST 4096	    /* read buffer before it has to grow */
#define HTTP_INPUT_ROOM	 1024	    /* kept free behind a head for what follows it */
#define HTTP_POOL_MAX	 32	    /* requests kept for the next connection that speaks */
#define HTTP_GATHER_SIZE 65536	    /* answers of one wake-up that leave together */
#define HTTP_LINGER_MS	 2000	    /* a client may take to read the last answer, or half-closed wait */
#define HTTP_PARTING_MS	 500	    /* one let go at rest has to close its side */
#define HTTP_LINGER_MAX	 (1U << 20) /* bytes thrown away meanwhile */
#define HTTP_CLIENT_TEXT 64

enum http_phase {	/* of a connection; each has a list ordered by `since` */
	HTTP_FRESH,	/* accepted, no byte of a request yet */
	HTTP_IDLE,	/* at rest between requests */
	HTTP_IN_HEAD,	/* a part of a head */
	HTTP_IN_BODY,	/* a part of a body */
	HTTP_BUSY,	/* the application has the request */
	HTTP_LEAVING,	/* the same, but the client has ended its side */
	HTTP_STREAMING, /* an answer without an end */
	HTTP_WRITING,	/* the client is slow to take the answer */
	HTTP_PARTING,	/* let go while at rest: our side is shut down, the client shall see it */
	HTTP_LINGERING, /* the same behind a last answer; what still comes is thrown away */
	HTTP_PHASES
};

enum http_stage { HTTP_READ_HEAD, HTTP_READ_BODY, HTTP_HANDED, HTTP_STREAMED, HTTP_ANSWERED };

/* Offsets count from the start of the request, so that the bytes may move until it is complete. */
struct http_field {
	uint32_t	name, name_len, value, value_len;
};

enum http_chunk {
	HTTP_CHUNK_SIZE, HTTP_CHUNK_SIZE_MORE, HTTP_CHUNK_EXTENSION, HTTP_CHUNK_SIZE_LF,
	HTTP_CHUNK_DATA, HTTP_CHUNK_DATA_CR, HTTP_CHUNK_DATA_LF, HTTP_CHUNK_TRAILER,
	HTTP_CHUNK_TRAILER_LINE, HTTP_CHUNK_TRAILER_LF, HTTP_CHUNK_END_LF
};

struct http_request {
	struct http_connection *connection;	/* null: left, and nobody wanted to know */
	struct http_request *next;		/* in the pool */
	struct http_server *server;
	enum http_stage	 stage;
	bool		 keep, chunked, is_head, expects;
	const char	*method, *path, *query;
	void		*tag;
	int64_t		 arrived;
	uint8_t		*bytes;			/* input: this request and whatever is pipelined behind it */
	size_t		 size, start, end;	/* `start`: first byte of this request */
	size_t		 next_start;		/* behind this request, once it is complete */
	size_t		 line, scanned, fed;	/* from start: current line, seen so far, given to the parser */
	size_t		 fields_at;		/* from start: behind the request line; 0 before */
	size_t		 head_len;
	uint32_t	 target, target_len, skipped, lines;
	uint32_t	 field_count;
	llhttp_t	 parser;

	uint8_t		*body;
	size_t		 body_len, body_size;
	uint64_t	 body_want;		/* of the body, or of the chunk, still to come */
	enum http_chunk	 chunk;
	size_t		 framing, trailers;	/* bytes of a chunked body that are not data */
	size_t		 taken;			/* absolute: body bytes worked off so far */
	char		 client[HTTP_CLIENT_TEXT];
	struct http_field fields[HTTP_FIELDS_MAX];
};

struct http_connection {
	struct event	 event;
	struct http_server *server;
	struct http_request *request;		/* null while idle */
	TAILQ_ENTRY(http_connection) in_phase, in_total;
	int64_t		 since;			/* of the phase; of the last progress in a body; see drain.c */
	int64_t		 began, listed;		/* first byte of the request; as in the totals, or 0 */
	uint8_t		*rest;			/* of answers the kernel did not take yet */
	size_t		 rest_len, rest_sent;
	size_t		 discarded;
	union {
		struct sockaddr	    any;
		struct sockaddr_in  v4;
		struct sockaddr_in6 v6;
	}		 peer;
	int		 fd;
	short		 watched;		/* EV_READ, EV_WRITE or 0 */
	uint8_t		 phase;
	bool		 running, closing, polite, eof, dead;
	bool		 served;		/* a request of it was answered */
};
TAILQ_HEAD(http_connections, http_connection);

struct http_listener {
	struct http_listener *next;
	struct http_server *server;
	struct event	*event;
	int64_t		 accepted_ns;
	int		 fd;
};

struct http_server {
	struct loop	*loop;
	struct http_limits limits;
	struct http_hooks hooks;
	void		*owner;
	int64_t		 now;			/* read when an event arrives */

	struct http_connections phases[HTTP_PHASES], totals;
	int64_t		 phase_timeout_ns[HTTP_PHASES];	/* 0: none but the total one */
	size_t		 connections;
	struct loop_timer sweep;
	int64_t		 sweep_ms;
	struct http_listener *listeners;
	struct loop_timer accept_retry, accept_look;
	int		 reserve_fd;		/* given up for a moment when descriptors run out */
	int		 epoll_fd;		/* the loop's; see accept.c */
	bool		 accepting, starved;

	bool		 draining, drained;
	int64_t		 drain_began, grace_until, spread_ms;
	struct loop_timer leave;		/* the next moment at which a connection at rest leaves */
	void		(*done)(void *);
	void		*done_arg;
	struct http_request *pool;
	size_t		 pooled, input_max;
	uint8_t		*gather;
	size_t		 gathered;
	size_t		 bytes_in, bytes_out;
	size_t		 waiting;		/* bytes of answers the kernel did not take yet, of all connections */
	char		 lines[96];		/* Server and Date, as of this second */
	size_t		 lines_len;
	int64_t		 lines_until;
};

/* server.c */
void	 http_server_count_drop(struct http_server *, enum http_drop);
void	 http_server_opened_one(struct http_server *, const struct http_connection *);
void	 http_server_closed_one(struct http_server *);
struct http_request *http_server_borrow(struct http_server *);
void	 http_server_return(struct http_server *, struct http_request **);

/* accept.c */
void	 http_accept_init(struct http_server *);
void	 http_accept_pause(struct http_server *);
void	 http_accept_resume(struct http_server *);
void	 http_accept_close(struct http_server *);
void	 http_accept_all(struct http_server *);	/* what waits in the kernel now */

/* drain.c */
void	 http_drain_init(struct http_server *);
void	 http_drain_check(struct http_server *);	/* is nothing left? */
void	 http_drain_rest(struct http_server *);	/* a connection came to rest meanwhile */
bool	 http_drain_is_followed(const struct http_connection *);

/* connection.c */
/* A connected, non-blocking socket; takes fd. `peer` may be null. */
void	 http_server_adopt(struct http_server *, int fd, const struct sockaddr *peer, socklen_t);
void	 http_connection_expire(struct http_connection *, bool total);
void	 http_connection_part(struct http_connection *);	/* lets one go that is at rest */
void	 http_connection_close(struct http_connection *);
void	 http_connection_settle(struct http_connection *);
void	 http_connection_wake(struct http_connection *);
bool	 http_connection_has_input(const struct http_connection *);	/* behind this request */

void	 http_connection_abort(struct http_connection *);	/* it breaks in the next turn, from the loop */

/* stream.c */
void	 http_stream_settle(struct http_connection *);	/* after something was sent, not from within its run */
void	 http_stream_drained(struct http_connection *);	/* the application is told; it ends */

/* exchange.c */
void	 http_exchange_read(struct http_connection *);	/* what the socket has, and works it off */
void	 http_exchange_run(struct http_connection *);	/* what was read before */
/* Has the request refused; http_exchange_run then finishes. */
void	 http_exchange_refuse(struct http_connection *, int error);
void	 http_exchange_answered(struct http_connection *);	/* later, not from within its run */

/* head.c */
void	 http_head_begin(struct http_request *);	/* a request starts at bytes + start */
/* E_OK when the head is complete, E_PARTIAL, or the error to refuse it with. */
int	 http_head_read(struct http_request *) MUST_CHECK;
/* A request that is refused gets the method, path and fields that are known so far. */
void	 http_head_salvage(struct http_request *);
void	 http_head_make_room(struct http_request *);	/* for more input; the bytes may move */

/* request.c: what a complete head asks for; E_OK or the error to refuse it with. */
void	 http_request_terminate(struct http_request *);	/* ends names and values with NUL, in place */
int	 http_request_judge_target(struct http_request *) MUST_CHECK;
int	 http_request_judge_fields(struct http_request *) MUST_CHECK;

/* body.c */
int	 http_body_read(struct http_request *) MUST_CHECK;	/* as http_head_read */
/* Where more of the body is to be read to, and how much; null when it has to pass the input. */
uint8_t	*http_body_room(struct http_request *, size_t *len);
void	 http_body_drop(struct http_request *);

/* reply.c; they mark the connection dead when it broke. */
void	 http_reply_flush(struct http_connection *);	/* what has gathered */
void	 http_reply_send_rest(struct http_connection *);
void	 http_reply_continue(struct http_connection *);	/* 100 */
void	 http_reply_stream(struct http_connection *, const void *, size_t);	/* bytes of a stream */

#endif /* HTTP_ROOM_H */
