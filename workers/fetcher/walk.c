/* walk.c - bars and chains: page after page until the asked number of rows or the end is reached.
 *
 * Each page is kept in the journal as it comes; the answer leaves when the walk is over. Whatever the upstream
 * does with its tokens, a walk ends: a token that comes back is refused, and pages are bounded.
 */
#include <string.h>

#include "fetcher.h"
#include "hash.h"
#include "log.h"
#include "text.h"

#define PAGES_MAX 400

void
walk_begin(struct batch *b)
{
	const struct msg_fetch *f = &TAILQ_FIRST(&b->jobs)->fetch;

	b->rows_max = f->limit == 0 ? ROWS_USUAL : f->limit < ROWS_MAX ? f->limit : ROWS_MAX;
	b->newest_first = shape_is_rows(b->row->shape) && (f->start == 0 || f->descending);
	b->sealed = true;
	cover_begin(b);
	text_copy(b->token, sizeof(b->token), f->page_token);
}

/* One page's rows behind those of the pages before. E_ABSENT: the page is empty. */
static int
walk_read(
    struct batch *b, const struct body *body, struct decode *d, struct records *out, size_t *rows)
{
	struct job *job = TAILQ_FIRST(&b->jobs);
	size_t from = out->count, refused = 0, room;
	int r;

	*rows = 0;
	if (b->row->number == ENDPOINT_OPTION_CHAIN) {
		r = body_chain(body, d, out, rows, &refused);
		b->incomplete = b->incomplete || refused > 0;
	} else {
		d->descending = b->newest_first;
		d->last_event = b->last_event;
		r = body_symbol(body, d, job->fetch.symbol, out);
		b->last_event = d->last_event;
		*rows = out->count - from;
		refused = r == E_DATA_VALIDATION_ERROR;
	}
	if (refused > 0) {
		metric_add(&b->fetcher->proc->stats, M_RECORDS_REFUSED, publish_kind(d->refused), 0,
		    refused);
		log_warn_of(LOG_ABOUT(.symbol = job->fetch.symbol, .code = err_name(r),
				.endpoint = b->row->name),
		    "%s: refused what upstream %s sent: %s", job->fetch.symbol, b->row->name,
		    d->why);
	}
	/* More than was asked for: the token behind them does not lead to the rest, so it is not handed out. */
	room = b->rows_max - b->rows;
	if (shape_is_rows(b->row->shape) && *rows > room) {
		records_cut(out, from + room);
		*rows = room;
		b->incomplete = b->cut = true;
	}
	return r;
}

static void
walk_finish(struct batch *b, const char *token)
{
	struct job *job = TAILQ_FIRST(&b->jobs);

	if (b->cut)
		token = "";
	if (b->rows == 0 && token[0] == '\0' && job->fetch.page_token[0] == '\0' &&
	    !job->fetch.part) {
		missing_decide(job);
		return;
	}
	if (b->newest_first && !job->fetch.descending)
		records_reverse(&job->answer.records, 0);
	job->answer.complete = token[0] == '\0' && !b->incomplete;
	job->answer.definite = true;
	text_copy(job->answer.page_token, sizeof(job->answer.page_token), token);
	job_finish(job);
}

/* Where to go on; a token that was used before leads nowhere. One mark finds circles of any length, if it moves to
 * the page we are on whenever their number is a power of two. */
static int
walk_token(struct batch *b, const struct body *body, struct decode *d, char token[DECODE_TOKEN])
{
	uint64_t hash;
	int r = body_token(body, d, token);

	if (r != E_OK || token[0] == '\0')
		return r;
	hash = hash_stable(token, strlen(token));
	if (strcmp(token, b->token) == 0 || hash == b->token_mark) {
		text_copy(d->why, sizeof(d->why), "next_page_token leads back to an earlier page");
		return E_DATA_VALIDATION_ERROR;
	}
	if ((b->pages & (b->pages - 1)) == 0)
		b->token_mark = hash;
	return E_OK;
}

void
walk_settle(struct batch *b, const struct body *body, struct decode *d, struct exchange *c)
{
	struct job *job = TAILQ_FIRST(&b->jobs);
	struct records *out = &job->answer.records;
	char token[DECODE_TOKEN] = "";
	size_t from = out->count, rows;
	int r = walk_read(b, body, d, out, &rows), kept;

	if (r == E_OK || r == E_ABSENT)
		r = walk_token(b, body, d, token);
	if (r != E_OK) {
		c->outcome = r;
	} else {
		publish_gather(b->fetcher, out, from, b->newest_first);
		cover_page(b, out, from, token[0] == '\0' && !b->cut, d);
	}
	kept = publish_flush(b->fetcher, c);
	cover_settle(b);
	job->answer.source = d->source;
	job->answer.received = d->received;
	text_copy(job->answer.feed, sizeof(job->answer.feed), d->feed);
	text_copy(job->answer.request_id, sizeof(job->answer.request_id), c->request_id);
	if (r != E_OK) {
		job_fail(job, r, 0, d->why);
		return;
	}
	if (kept != E_OK) {
		job_fail(job, kept, 1000, "what upstream sent could not be kept in the journal");
		return;
	}
	b->rows += rows;
	b->pages++;
	if (token[0] == '\0' || b->rows >= b->rows_max || b->pages >= PAGES_MAX) {
		walk_finish(b, token);
		return;
	}
	text_copy(b->token, sizeof(b->token), token);
	b->tries = 0;
	b->last_error = E_OK;
	lane_return(b, 0);
}
