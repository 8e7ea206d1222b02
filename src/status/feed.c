/* feed.c - the streams of the status page: one document a tick, the same for all who watch.
 *
 * Nobody watching costs nothing. A client that has not taken the last document is not sent the next one; one that takes
 * nothing for STATUS_STUCK_MAX ticks is cut.
 */
#include <assert.h>
#include <string.h>
#include <sys/queue.h>

#include "mem.h"
#include "status.h"

#define FEED_BEGIN "retry: 500\n"
#define FEED_EVENT "event: status\ndata: "
#define FEED_KEPT  ((size_t)256 << 10)

struct stream {
	LIST_ENTRY(stream) in_feed;
	struct http_request *request;
	unsigned stuck; /* ticks in a row that it took nothing */
};

struct status_feed {
	LIST_HEAD(, stream) streams;
	size_t count;
	struct loop_timer tick;
	int (*write)(void *owner, struct buf *);
	void *owner;
	struct buf event; /* the newest; empty: none was made since somebody watches */
};

static void
feed_compose(struct status_feed *f)
{
	buf_reset(&f->event);
	if (buf_add_text(&f->event, FEED_EVENT) != E_OK || f->write(f->owner, &f->event) != E_OK ||
	    buf_add_text(&f->event, "\n\n") != E_OK)
		buf_reset(&f->event);
}

static void
feed_send(struct status_feed *f, struct stream *s)
{
	if (buf_len(&f->event) == 0)
		return;
	if (http_stream_send(s->request, buf_data(&f->event), buf_len(&f->event)) == E_OK)
		s->stuck = 0;
	else if (++s->stuck == STATUS_STUCK_MAX)
		http_stream_cut(s->request);
}

void
status_feed_tick(void *feed)
{
	struct status_feed *f = feed;
	struct stream *s;

	buf_reset(&f->event);
	if (f->count == 0) {
		if (f->event.capacity > FEED_KEPT)
			buf_shrink(&f->event);
		return;
	}
	loop_timer_set(&f->tick, STATUS_TICK_MS);
	feed_compose(f);
	LIST_FOREACH (s, &f->streams, in_feed)
		feed_send(f, s);
}

struct status_feed *
status_feed_new(struct loop *loop, int (*write)(void *owner, struct buf *), void *owner)
{
	struct status_feed *f = mem_alloc(sizeof(*f));

	LIST_INIT(&f->streams);
	f->write = write;
	f->owner = owner;
	buf_init(&f->event, STATUS_BYTES_MAX);
	loop_timer_open(loop, &f->tick, status_feed_tick, f);
	return f;
}

void
status_feed_free(struct status_feed **fp)
{
	struct status_feed *f = *fp;

	if (f == NULL)
		return;
	assert(f->count == 0);
	loop_timer_close(&f->tick);
	buf_fini(&f->event);
	mem_free(fp);
}

bool
status_feed_is_full(const struct status_feed *f)
{
	return f->count >= STATUS_STREAMS_MAX;
}

/* Who comes between two ticks gets the document of the last one, so that coming often makes no work. */
void
status_feed_add(
    struct status_feed *f, struct http_request *request, const char *headers, size_t len)
{
	struct stream *s = mem_alloc(sizeof(*s));

	assert(!status_feed_is_full(f));
	s->request = request;
	LIST_INSERT_HEAD(&f->streams, s, in_feed);
	f->count++;
	/* Also for one that takes nothing from the start: it is the tick that finds and cuts it. */
	if (!loop_timer_is_set(&f->tick))
		loop_timer_set(&f->tick, STATUS_TICK_MS);
	http_stream_begin(request, &(struct http_answer){ .status = 200,
				       .type = STATUS_EVENTS_TYPE,
				       .headers = headers,
				       .headers_len = len });
	if (http_stream_send(request, FEED_BEGIN, sizeof(FEED_BEGIN) - 1) != E_OK)
		return;
	if (buf_len(&f->event) == 0)
		feed_compose(f);
	feed_send(f, s);
}

void
status_feed_gone(struct status_feed *f, const struct http_request *request)
{
	struct stream *s;

	LIST_FOREACH (s, &f->streams, in_feed)
		if (s->request == request) {
			LIST_REMOVE(s, in_feed);
			f->count--;
			mem_free(&s);
			return;
		}
}
