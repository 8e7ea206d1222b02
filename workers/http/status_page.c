/* status_page.c - /status: the page, its files, its document, its stream. The master tells the same in admin.c. */
#include "status.h"

#include "http_worker.h"

int
status_page_write(void *worker, struct buf *out)
{
	const struct worker *w = worker;
	const struct status_own own = { .board = w->proc->stats.all,
		.health = { .fetcher_was_ready = w->fetcher_was_ready,
		    .state_dir = w->proc->conf.state_dir },
		.seen_by = w->proc->slot,
		.has_symbols = true };

	return own.board != NULL ? status_write(&own, out) : E_ABSENT;
}

static void
status_file_answer(struct visit *c, const char *name)
{
	const struct status_file *f = status_file_find(name);
	struct fault fault = { .code = E_NOT_FOUND };

	if (f == NULL)
		answer_fault(&c->asker, &fault);
	else
		answer_plain(&c->asker, 200, f->type, f->bytes, f->len, STATUS_HEADERS);
}

void
route_status_page(struct visit *c)
{
	status_file_answer(c, "");
}

void
route_status_file(struct visit *c)
{
	status_file_answer(c, c->params->at[0].text);
}

void
route_status_now(struct visit *c)
{
	struct fault fault = { .code = E_INTERNAL_SERVICE_ERROR };
	struct buf out;

	buf_init(&out, STATUS_BYTES_MAX);
	if (status_page_write(c->worker, &out) == E_OK)
		answer_plain(
		    &c->asker, 200, "application/json", buf_data(&out), buf_len(&out), NULL);
	else
		answer_fault(&c->asker, &fault);
	buf_fini(&out);
}

void
route_status_events(struct visit *c)
{
	struct fault fault = { .code = E_OVERLOADED };

	if (http_is_head(c->asker.request))
		answer_plain(&c->asker, 200, STATUS_EVENTS_TYPE, NULL, 0, NULL);
	else if (status_feed_is_full(c->worker->feed))
		answer_fault(&c->asker, &fault);
	else
		answer_stream(&c->asker);
}
