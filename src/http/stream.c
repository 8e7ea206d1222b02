/* stream.c - answers without an end, for clients that watch.
 *
 * A client may be as slow as it likes and holds up nothing: what it has not taken yet is at most one piece, and its
 * kernel buffer is small, so that whoever sends to it soon learns that it does not read. Bytes it sends meanwhile are
 * thrown away, within bounds; reading them is how its leaving is noticed.
 */
#include "http_room.h"

#include <assert.h>

#include "clock.h"

bool
http_is_stream(const struct http_request *r)
{
	return r->stage == HTTP_STREAMED;
}

void
http_stream_settle(struct http_connection *c)
{
	if (c->dead)
		http_connection_abort(c);
	else
		http_connection_settle(c);
}

int
http_stream_send(struct http_request *r, const void *bytes, size_t len)
{
	struct http_connection *c = r->connection;

	assert(r->stage == HTTP_STREAMED);
	if (c->rest != NULL || c->dead)
		return E_FULL;
	http_reply_stream(c, bytes, len);
	if (!c->running)
		http_stream_settle(c);
	return E_OK;
}

/* From here on it is a last answer that the client may take its time for, as with any other. */
static void
stream_finish(struct http_connection *c)
{
	c->server->now = c->began = clock_mono();
	c->request->stage = HTTP_ANSWERED;
	if (!c->running)
		http_connection_settle(c);
}

void
http_stream_end(struct http_request *r)
{
	assert(r->stage == HTTP_STREAMED);
	stream_finish(r->connection);
}

void
http_stream_cut(struct http_request *r)
{
	struct http_connection *c = r->connection;

	if (c->dead)
		return;
	http_server_count_drop(r->server, HTTP_DROP_LIMIT);
	c->dead = true;
	http_connection_abort(c);
}

void
http_stream_drained(struct http_connection *c)
{
	struct http_server *s = c->server;

	s->hooks.gone(c->request, s->owner);
	stream_finish(c);
}
