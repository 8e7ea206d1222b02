/* http.h - the server side of HTTP/1.1 on the loop: connections, requests, answers.
 *
 * One request of a connection is in hand at a time; pipelined ones wait in its bounded buffer. Bounds and
 * time-outs end in the status HTTP has for them (400, 408, 413, 414, 417, 431, 501, 505), written by the error hook so
 * that the body is the application's. Nothing here knows markets.
 */
#ifndef HTTP_H
#define HTTP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "loop.h"

struct http_server;
struct http_request;		/* lives from its handler call until it is answered or the client is gone */

struct http_limits {
	size_t	connections_max;
	size_t	request_line_max, headers_max, body_max;
	/* What may wait for clients that read slower than they ask, of all connections together; the answer that
	 * would pass it costs its connection (HTTP_DROP_LIMIT). 0: no bound. */
	size_t	output_max;
	/* At connections_max the connection that is silent the longest makes room for a new one; else new ones wait. */
	bool	evicts;
	int64_t	header_timeout_ms, body_timeout_ms, idle_timeout_ms, total_timeout_ms;
};

enum http_drop { HTTP_DROP_TIMEOUT, HTTP_DROP_LIMIT, HTTP_DROP_MALFORMED, HTTP_DROP_RESET,
	HTTP_DROP_CROSSED };	/* a request came when draining had just closed its connection */

struct http_hooks {
	/* A whole request. Answer now or later with http_reply, exactly once. */
	void	(*request)(struct http_request *, void *owner);
	/* A request that cannot be: write the answer for `error` (a code of errors.def) with http_reply. The
	 * path may be incomplete or empty. The connection closes behind it. */
	void	(*refused)(struct http_request *, int error, void *owner);
	/* The client left before its answer, or total_timeout_ms is over; the request is gone after this returns.
	 * One that only ended its side is still answered for two seconds, then it counts as left. Where this is
	 * null the request stays valid until http_reply, which then sends nothing. */
	void	(*gone)(struct http_request *, void *owner);
	/* Statistics; each may be null. */
	void	(*connections)(size_t open, bool accepted, void *owner);
	void	(*dropped)(enum http_drop, void *owner);
	void	(*starved)(int error, void *owner);	/* errno: a client could not be taken for want of a resource */
	void	(*bytes)(size_t in, size_t out, void *owner);
};

struct http_server *http_server_new(struct loop *, const struct http_limits *, const struct http_hooks *, void *owner);
void	 http_server_free(struct http_server **);	/* cuts what is open; not from within a hook */
/* Takes the listening socket (non-blocking); shared with other processes. Several may be added. */
int	 http_server_listen(struct http_server *, int fd) MUST_CHECK;

struct http_drain {
	int64_t	 timeout_ms;	/* the caller waits no longer; nothing here lets it come to that but requests in hand */
	int64_t	 spread_ms;	/* over which connections at rest close; half of the timeout at most, 0: at once */
	bool	 last;		/* nobody else accepts from the listeners: what waits in them is taken first */
	void	(*done)(void *arg);	/* called once, when no connection is left; may be null */
	void	*arg;
};
/* No more accepting. Connections at rest close, the others behind their answer; those that never had a request
 * are given a moment for their first. Asking again changes nothing. */
void	 http_server_drain(struct http_server *, const struct http_drain *);
size_t	 http_server_connections(const struct http_server *);

/* Of a request; all borrowed until it is answered. */
const char	*http_method(const struct http_request *);		/* "GET" */
bool		 http_is_head(const struct http_request *);
const char	*http_path(const struct http_request *);		/* as sent, without query, still escaped; "*" */
const char	*http_query(const struct http_request *);		/* behind '?', still escaped; "" */
/* First header field of this name (any case); null when absent. */
const char	*http_header(const struct http_request *, const char *name);
/* The one behind `nth` others of this name; null when there are no more. */
const char	*http_header_nth(const struct http_request *, const char *name, unsigned nth);
const uint8_t	*http_body(const struct http_request *, size_t *len);
const char	*http_client(const struct http_request *);		/* "127.0.0.1:5000" */
int64_t		 http_arrived(const struct http_request *);		/* monotonic ns, when it was complete */
void		*http_tag(const struct http_request *);			/* the application's, null at first */
void		 http_tag_set(struct http_request *, void *);

struct http_answer {
	int		 status;
	const char	*type;		/* Content-Type; null: none */
	const char	*headers;	/* further header lines, each ended by CR LF; null: none */
	size_t		 headers_len;
	const void	*body;		/* copied or sent before http_reply returns */
	size_t		 body_len;
	const void	*body2;		/* second part of the body, may be null */
	size_t		 body2_len;
	const void	*body3;		/* third */
	size_t		 body3_len;
	bool		 close;		/* end the connection behind it */
};
/* Content-Length, Date, Server and Connection are written here; the body is left out for HEAD. */
void	 http_reply(struct http_request *, const struct http_answer *);

/* An answer without an end: its head leaves now (body and lengths of it are not looked at), then what
 * http_stream_send is given, until http_stream_end or until the client leaves, http_stream_cut was called or the server
 * drains: `gone` tells these, and must not be null. No total timeout counts. */
void	 http_stream_begin(struct http_request *, const struct http_answer *);
bool	 http_is_stream(const struct http_request *);
/* E_FULL when what was sent before is not taken yet: nothing waits behind it. No hook is called from within. */
int	 http_stream_send(struct http_request *, const void *, size_t) MUST_CHECK;
void	 http_stream_end(struct http_request *);	/* the connection closes behind it; the request is gone */
/* For a client that does not read: counted as HTTP_DROP_LIMIT, `gone` comes in the next turn. */
void	 http_stream_cut(struct http_request *);

/* Next name=value of a query, unescaped into the buffers; *at starts at http_query(). 1: one more, 0: end,
 * negative: E_INVALID_PARAMETER (broken escape, longer than its buffer). */
int	 http_query_next(const char **at, char *name, size_t name_size, char *value, size_t value_size);

#endif /* HTTP_H */
