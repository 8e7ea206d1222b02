/* status.h - the status page: what it shows, its stream of events, its files.
 *
 * Served by every http worker and by the master at admin.address alike. All it tells is read off the board, so that it
 * needs no worker; doc/status.md describes the document.
 */
#ifndef STATUS_H
#define STATUS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "health.h"
#include "http.h"
#include "loop.h"

#define STATUS_STREAMS_MAX 16		/* of one process; who comes then is refused and may ask for the document */
#define STATUS_TICK_MS	   500
#define STATUS_STUCK_MAX   20		/* ticks without anything taken: the stream is cut */
#define STATUS_BYTES_MAX   ((size_t)8 << 20)

#define STATUS_EVENTS_TYPE "text/event-stream"
/* Everything comes from the address of the page itself, and nobody frames it. */
#define STATUS_HEADERS                                                                             \
	"Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "       \
	"connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "                \
	"frame-ancestors 'none'\r\n"                                                               \
	"X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"

struct status_own {		/* of the process that tells */
	const struct board	*board;
	struct health_own	 health;
	const char		*seen_by;	/* "master", "http-0" */
	bool			 has_reports;	/* it serves crash reports */
	bool			 has_symbols;	/* it serves quotes and bars */
};
/* Appends the document, one line of JSON. E_FULL at the buffer's limit. */
int	 status_write(const struct status_own *, struct buf *) MUST_CHECK;

/* The streams of a process. `write` makes the document, when a tick has somebody to tell it to. */
struct status_feed;
struct status_feed *status_feed_new(struct loop *, int (*write)(void *owner, struct buf *), void *owner);
void	 status_feed_free(struct status_feed **);	/* after the server: its streams are over */
bool	 status_feed_is_full(const struct status_feed *);
/* Answers the request with a stream; not when the feed is full. `headers` are further lines. */
void	 status_feed_add(struct status_feed *, struct http_request *, const char *headers, size_t len);
void	 status_feed_tick(void *feed);	/* its timer calls it every STATUS_TICK_MS */
void	 status_feed_gone(struct status_feed *, const struct http_request *);

struct status_file {
	const char	*name;		/* "page.css"; "" is the page */
	const char	*type;
	const uint8_t	*bytes;
	size_t		 len;
};
const struct status_file *status_file_find(const char *name);	/* null: there is none */

#endif /* STATUS_H */
