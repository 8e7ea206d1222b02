/* intake.c - what the fetcher sends: put together, kept, told to those who wait. */
#include <string.h>

#include "clock.h"
#include "log.h"
#include "lookup.h"
#include "text.h"

/* The fetcher that answers REST questions; others carry streams. */
#define FETCHER_REST "fetcher-rest"

static void
lookup_take_clock(struct lookup *l, const struct market_clock *c)
{
	l->clock = *c;
	l->clock_taken_ns = clock_mono();
}

static int
error_without_data(uint64_t endpoint)
{
	switch (endpoint) {
	case ENDPOINT_OPTION_QUOTE:
	case ENDPOINT_OPTION_SNAPSHOT:
		return E_OPTION_DATA_UNAVAILABLE;
	case ENDPOINT_OPTION_CHAIN:
		return E_OPTIONS_CHAIN_UNAVAILABLE;
	case ENDPOINT_STOCK_BARS:
	case ENDPOINT_CRYPTO_BARS:
	case ENDPOINT_OPTION_BARS:
	case ENDPOINT_STOCK_TRADES:
	case ENDPOINT_CRYPTO_TRADES:
	case ENDPOINT_OPTION_TRADES:
		return E_HISTORICAL_DATA_UNAVAILABLE;
	default:
		return E_REAL_DATA_UNAVAILABLE;
	}
}

static void
lookup_keep(struct lookup *l, const char *key, const struct outcome *what, int64_t taken)
{
	/* A piece of a larger answer is nobody's question. */
	bool is_part = strstr(key, "|part|") != NULL;
	struct cached c = { .error = what->error,
		.retry_ms = what->retry_ms,
		.shown = what->shown,
		.taken_ns = taken };

	if (what->reason != NULL)
		(void)text_copy(c.reason, sizeof(c.reason), what->reason);
	if (!is_part)
		cache_put(l->cache, key, &c, ++l->uses);
}

/* Latest values go to the book; what the client is shown is what the book holds then, the newer
 * of the two. */
static struct shown *
lookup_book_values(struct lookup *l, const struct assembled *got, int64_t taken)
{
	const struct quote *q = got->quote;
	const struct trade *t = got->trade;
	struct book_entry *e = NULL;

	if (t != NULL) {
		(void)book_put_trade(l->book, t, taken, ++l->uses);
		e = book_find(
		    l->book, BOOK_TRADE, (enum asset)t->asset, t->feed, t->symbol, ++l->uses);
	}
	if (q != NULL) {
		(void)book_put_quote(l->book, q, taken, ++l->uses);
		e = book_find(
		    l->book, BOOK_QUOTE, (enum asset)q->asset, q->feed, q->symbol, ++l->uses);
	}
	if (got->shown != NULL || e == NULL)
		return NULL;
	return shown_get(e->shown != NULL ? e->shown : lookup_entry_shown(l, e));
}

/* A good result: kept where it belongs. *what says what to tell; its `shown` is counted for the
 * caller. */
static void
lookup_take_good(struct lookup *l, const struct assembled *got, int64_t taken, struct outcome *what)
{
	const char *key = got->head->key;

	what->shown = lookup_book_values(l, got, taken);
	if (what->shown != NULL) {
		cache_drop(l->cache, key); /* an earlier refusal */
	} else if (got->shown != NULL) {
		what->shown = got->shown;
		what->shown->taken_ns = taken;
		lookup_keep(l, key, what, taken);
	} else if (got->clock == NULL) {
		what->error = error_without_data(got->head->endpoint);
		lookup_keep(l, key, what, taken);
	}
}

/* The same question would draw the same refusal: a feed the plan does not include must not cost an
 * upstream call a request. What could not be checked is no verdict, whatever its code. */
static bool
is_verdict(const struct msg_result_end *end, int error)
{
	int status = err_status(error);

	return end->definite && (status == 400 || status == 403 || status == 404);
}

/* What a client may see of an error that came over a channel. */
static int
error_for_client(int64_t error)
{
	int code = error < 0 && error > -1000 ? (int)error : E_INTERNAL_SERVICE_ERROR;

	if (error == E_OK)
		return E_OK;
	return err_status(code) != 0 ? code : E_INTERNAL_SERVICE_ERROR;
}

static void
lookup_take(struct lookup *l, const struct msg_result_end *end, struct assembled *got)
{
	struct outcome what = { .error = error_for_client(end->error),
		.retry_ms = end->retry_ms,
		.reason = end->reason[0] != '\0' ? end->reason : NULL,
		.rows = got->rows,
		.row_count = got->row_count };
	bool is_ours = end->ticket != 0;
	int64_t taken = clock_mono();

	if (what.error == E_OK)
		lookup_take_good(l, got, taken, &what);
	else if (is_verdict(end, what.error))
		lookup_keep(l, got->head->key, &what, taken);
	/* Another worker's failure is not ours: our own fetch may have been luckier. */
	if (is_ours || !error_is_failure(what.error))
		waiting_tell(l->waiting, end->ticket, got->head->key, &what);
	shown_put(&what.shown);
	lookup_trim(l);
}

void
lookup_on_result(struct peer *from, const void *data, void *owner)
{
	struct assembly *a = from->user;

	(void)owner;
	if (a == NULL)
		return;
	if (assembly_is_open(a))
		log_warn("%s: a result began within another; the first is dropped", from->slot);
	assembly_begin(a, data);
}

void
lookup_on_result_end(struct peer *from, const void *data, void *owner)
{
	const struct msg_result_end *end = data;
	struct lookup *l = owner;
	struct outcome broken = { .reason = "the result was not received whole" };
	struct assembled got;

	if (from->user == NULL)
		return;
	broken.error = assembly_end(from->user, end, &got);
	if (broken.error == E_OK) {
		lookup_take(l, end, &got);
		return;
	}
	log_warn("%s: result of ticket %llu dropped: %s", from->slot,
	    (unsigned long long)end->ticket, err_text(broken.error));
	broken.error = error_for_client(broken.error);
	if (end->ticket != 0)
		waiting_tell(l->waiting, end->ticket, "", &broken);
}

/* Part of the open result, if there is one: then it is used only when that has ended. */
static bool
lookup_gather(struct peer *from, enum msg_type type, const void *value)
{
	struct assembly *a = from->user;

	if (a == NULL || !assembly_is_open(a))
		return false;
	assembly_add(a, type, value);
	return true;
}

void
lookup_on_quote(struct peer *from, const void *data, void *owner)
{
	struct lookup *l = owner;

	if (lookup_gather(from, MSG_QUOTE, data))
		return;
	(void)book_put_quote(l->book, data, clock_mono(), ++l->uses);
	lookup_trim(l);
}

void
lookup_on_trade(struct peer *from, const void *data, void *owner)
{
	struct lookup *l = owner;

	if (lookup_gather(from, MSG_TRADE, data))
		return;
	(void)book_put_trade(l->book, data, clock_mono(), ++l->uses);
	lookup_trim(l);
}

void
lookup_on_bar(struct peer *from, const void *data, void *owner)
{
	(void)owner;
	(void)lookup_gather(from, MSG_BAR, data);
}

void
lookup_on_greeks(struct peer *from, const void *data, void *owner)
{
	(void)owner;
	(void)lookup_gather(from, MSG_GREEKS, data);
}

void
lookup_on_snapshot(struct peer *from, const void *data, void *owner)
{
	(void)owner;
	(void)lookup_gather(from, MSG_SNAPSHOT, data);
}

/* The fetcher tells it unasked as well, within whatever is open: it is whole in itself and taken at
 * once. Were it held until the open result's end, one that was cut in the middle would swallow it. */
void
lookup_on_market_clock(struct peer *from, const void *data, void *owner)
{
	if (from->user != NULL && assembly_is_of(from->user, ENDPOINT_CLOCK))
		(void)lookup_gather(from, MSG_MARKET_CLOCK, data);
	lookup_take_clock(owner, data);
}

void
lookup_peer_up(struct lookup *l, struct peer *p)
{
	if (p->role != ROLE_FETCHER)
		return;
	p->user = assembly_new(&l->proc->conf);
	if (strcmp(p->slot, FETCHER_REST) == 0)
		waiting_peer_up(l->waiting, p);
}

void
lookup_peer_down(struct lookup *l, struct peer *p)
{
	struct assembly *half = p->user;

	if (p->role != ROLE_FETCHER)
		return;
	assembly_free(&half);
	p->user = NULL;
	if (strcmp(p->slot, FETCHER_REST) == 0)
		waiting_peer_down(l->waiting, p);
}
