/* range.c - bars and trades of a range: out of the store where it is covered, fetched where it is not.
 *
 * A walk from one end of the range to the other. Each step asks the store how far it has everything from here on,
 * takes those rows, and has the hole behind them fetched; the fetcher keeps what comes, so a hole is fetched once.
 * What the store cannot answer in time is a hole. A range of which the store has nothing at all becomes the client's
 * own question to the fetcher, which joins it with equal ones and tells other workers, as before there was a store.
 *
 * Rows of a hole and of the store meet without overlap: each piece has its bounds, and what upstream gives beyond
 * them (the interval a bound lies in) belongs to the neighbour; only the first piece's begin is the client's.
 */
#include <stddef.h>
#include <string.h>

#include "label.h"
#include "mem.h"
#include "range.h"

/* Before any history: where a question without a start begins, for the fetcher as well. */
#define LONG_AGO_NS (INT64_C(631152000) * CLOCK_SEC)
/* The year 2200 stands for an end that was not named. */
#define FAR_AHEAD_NS (INT64_C(7258118400) * CLOCK_SEC)
/* With more holes than that, what lies between them costs less to fetch again than to spare. */
#define HOLES_MAX    4
#define ROWS_A_FETCH 10000
/* Of an interval that a piece begins within, which belong to its neighbour: one, of crypto one a venue. */
#define ROWS_BEFORE 32

static void range_step(struct range *);

static struct history *
range_store(const struct range *r)
{
	return r->unstored ? NULL : r->asker.worker->history;
}

static struct lookup *
range_lookup(const struct range *r)
{
	return r->asker.worker->lookup;
}

static void
range_unwrite(struct range *r)
{
	buf_fini(&r->written);
	r->written_rows = 0;
}

static void
range_free(struct range **rp)
{
	struct range *r = *rp;

	range_unwrite(r);
	if (r->asker.worker->history != NULL)
		history_give_back(r->asker.worker->history, &r->rows, r->capacity);
	mem_free(&r->rows);
	mem_free(rp);
}

static void
range_answer_found(struct range *r, const struct found *f)
{
	http_tag_set(r->asker.request, NULL);
	answer_found(&r->asker, &r->ask, f);
	range_free(&r);
}

static void
range_fail(struct range *r, int error, const char *reason, uint64_t retry_ms)
{
	struct outcome what = { .error = error, .reason = reason, .retry_ms = retry_ms };
	struct found f;

	lookup_settle(range_lookup(r), &r->ask, &what, &f);
	range_answer_found(r, &f);
}

static int64_t
row_event(const struct range *r, const struct history_row *row)
{
	return r->ask.kind == ASK_BARS ? row->v.bar.event : row->v.trade.event;
}

static int64_t
range_low(const struct msg_fetch *f)
{
	return f->start != 0 ? f->start : LONG_AGO_NS;
}

static int64_t
range_high(const struct msg_fetch *f)
{
	return f->end != 0 && f->end < FAR_AHEAD_NS ? f->end : FAR_AHEAD_NS;
}

static void
range_begin_over(struct range *r)
{
	const struct msg_fetch *f = &r->ask.fetch;

	r->low = range_low(f);
	r->high = range_high(f);
	r->skip = 0;
	r->count = 0;
	range_unwrite(r);
	r->proven_count = 0;
	r->oldest_ns = r->unsettled_ns = 0;
	r->source = 0;
}

static bool
range_is_untouched(const struct range *r)
{
	const struct msg_fetch *f = &r->ask.fetch;

	return r->count == 0 && r->skip == 0 && f->page_token[0] == '\0' &&
	       r->low == range_low(f) && r->high == range_high(f);
}

/*
 * Taking rows
 */
/* Of the piece that was fetched. An interval the client's start lies in is stamped before it. */
static bool
range_row_is_within(const struct range *r, const struct history_row *row)
{
	const struct msg_fetch *piece = &r->part.fetch;
	int64_t event = row_event(r, row);

	if (event > range_high(piece))
		return false;
	return piece->start == r->ask.fetch.start || event >= range_low(piece);
}

static void
keep_oldest(int64_t *oldest, int64_t received)
{
	if (received != 0 && (*oldest == 0 || received < *oldest))
		*oldest = received;
}

static void
range_rests_on(struct range *r, int64_t received, uint64_t source)
{
	keep_oldest(&r->oldest_ns, received);
	if (source != 0 && r->source != SOURCE_REPLAY)
		r->source = source;
}

static void
range_add(struct range *r, const struct history_row *row)
{
	size_t more = r->capacity ? r->capacity * 2 : 256;

	if (r->written_rows > 0)
		range_unwrite(r);
	if (r->count == r->capacity) {
		r->rows =
		    mem_grow(r->rows, r->capacity * sizeof(*r->rows), more * sizeof(*r->rows));
		r->capacity = more;
	}
	r->rows[r->count++] = *row;
	keep_oldest(
	    &r->oldest_ns, r->ask.kind == ASK_BARS ? row->v.bar.received : row->v.trade.received);
}

/* The first that come are taken as they are: ten thousand rows are some megabytes. */
static void
range_add_stored(struct range *r, struct history_answer *a)
{
	if (r->rows == NULL && a->count > 0) {
		r->rows = a->rows;
		r->count = a->count;
		r->capacity = a->room > a->count ? a->room : a->count;
		a->rows = NULL;
		r->written = a->written;
		r->written_rows = a->count;
		memset(&a->written, 0, sizeof(a->written));
		return;
	}
	for (size_t i = 0; i < a->count; i++)
		range_add(r, &a->rows[i]);
}

/* What is left begins behind `ns`. */
static void
range_go_on_behind(struct range *r, int64_t ns)
{
	r->skip = 0;
	if (r->down)
		r->high = ns - 1;
	else
		r->low = ns + 1;
}

/* What is left begins with the instant `ns`, of which `rows` were given. */
static void
range_go_on_at(struct range *r, int64_t ns, uint64_t rows)
{
	if (ask_has_single_rows(&r->ask)) {
		range_go_on_behind(r, ns);
		return;
	}
	if (ns == (r->down ? r->high : r->low))
		rows += r->skip;
	r->skip = rows;
	*(r->down ? &r->high : &r->low) = ns;
}

/* How many rows at the end of these are of one instant. */
static uint64_t
rows_at_end(const struct range *r, const struct history_row *rows, size_t count)
{
	uint64_t n = 1;

	while (n < count && row_event(r, &rows[count - 1 - n]) == row_event(r, &rows[count - 1]))
		n++;
	return n;
}

/* Whether the walk got no further than this place. */
static bool
range_stands_at(const struct range *r, int64_t at, uint64_t skip)
{
	return at == (r->down ? r->high : r->low) && r->skip <= skip;
}

/*
 * The end
 */
static void
range_finish(struct range *r)
{
	struct lookup *l = range_lookup(r);
	struct shown *shown = NULL;
	struct found f;
	int error;

	/* A token that leads to itself would keep the client asking for ever. */
	if (r->more && r->count == 0 && range_stands_at(r, r->begun_at, r->begun_skip)) {
		range_fail(r, E_UPSTREAM_SERVICE_ERROR,
		    "upstream says there is more, and gives nothing of it", 1000);
		return;
	}
	if ((error = range_show(r, &shown)) != E_OK) {
		range_fail(r, error, "the rows are more than one answer takes", 0);
		return;
	}
	shown->taken_ns = clock_mono();
	lookup_put(l, &r->ask, shown);
	lookup_found(l, &r->ask, r->fetches > 0 ? CACHE_MISS : CACHE_STORE, shown, &f);
	range_answer_found(r, &f);
	shown_put(&shown);
}

static bool
range_is_over(const struct range *r)
{
	return r->more || r->low > r->high;
}

/*
 * Fetching
 */
/* The rows of a piece in the order of the walk. */
static const struct history_row *
outcome_row(const struct range *r, const struct outcome *what, size_t i)
{
	bool turned = r->plain && r->down && !r->part.fetch.descending;

	return &what->rows[turned ? what->row_count - 1 - i : i];
}

/* False: the page is full. */
static bool
range_take_row(struct range *r, const struct history_row *row, uint64_t *skipped)
{
	int64_t event = row_event(r, row);

	if (!range_row_is_within(r, row))
		return true;
	if (event == (r->down ? r->high : r->low) && *skipped < r->skip) {
		++*skipped;
		return true;
	}
	if (!hours_contain(r->ask.hours, event))
		return true;
	if (r->count == r->limit)
		return false;
	range_add(r, row);
	return true;
}

/* `end` is the last instant of the hole that was asked for. */
static void
range_take_fetched(struct range *r, const struct outcome *what, int64_t end)
{
	int64_t at = r->down ? r->high : r->low, last;
	uint64_t skip = r->skip, skipped = 0;
	size_t before = r->count, i;

	if (what->shown != NULL)
		range_rests_on(r, what->shown->received_ns, what->shown->source);
	for (i = 0; i < what->row_count; i++)
		if (!range_take_row(r, outcome_row(r, what, i), &skipped))
			break;
	if (i < what->row_count) { /* full */
		r->more = true;
		if (r->count > before)
			range_go_on_at(r, row_event(r, &r->rows[r->count - 1]),
			    rows_at_end(r, r->rows + before, r->count - before));
		return;
	}
	if (what->shown == NULL || what->shown->complete) {
		range_go_on_behind(r, end);
		return;
	}
	if (what->row_count == 0) { /* no further without a row to go on behind */
		r->more = true;
		return;
	}
	last = row_event(r, outcome_row(r, what, what->row_count - 1));
	if (r->down ? last < end : last > end) { /* behind the piece all is the neighbour's */
		range_go_on_behind(r, end);
		r->more = r->count == r->limit;
		return;
	}
	if (r->count == before && (r->down ? last > r->high : last < r->low)) { /* never back */
		r->more = true;
		return;
	}
	for (i = 1; i < what->row_count; i++)
		if (row_event(r, outcome_row(r, what, what->row_count - 1 - i)) != last)
			break;
	/* Those skipped are among them. */
	if (last == (r->down ? r->high : r->low))
		r->skip = 0;
	range_go_on_at(r, last, i);
	r->more = r->count == r->limit || (r->count == before && range_stands_at(r, at, skip));
}

static void
range_done(struct waiter *w, const struct outcome *what)
{
	struct range *r = (struct range *)((char *)w - offsetof(struct range, waiter));
	int64_t end = r->down ? range_low(&r->part.fetch) : range_high(&r->part.fetch);
	struct found f;

	if (what->error != E_OK || (r->plain && r->ask.hours == HOURS_ALL && !r->ask.gaps)) {
		lookup_settle(range_lookup(r), &r->ask, what, &f);
		range_answer_found(r, &f);
		return;
	}
	range_take_fetched(r, what, end);
	range_step(r);
}

/* The hole [low, high] of what is left; all of it when that is all the client asked for. */
static void
range_fetch(struct range *r, int64_t low, int64_t high)
{
	struct msg_fetch *f = &r->part.fetch;
	uint64_t want = r->limit - r->count + r->skip + ROWS_BEFORE;
	int error;

	if (r->count == r->limit || r->fetches++ >= RANGE_FETCHES_MAX) {
		r->more = true;
		range_finish(r);
		return;
	}
	r->part = r->ask;
	r->plain = range_is_untouched(r) && low == r->low && high == r->high;
	if (!r->plain) {
		f->part = true;
		f->start = low;
		f->end = high == FAR_AHEAD_NS ? 0 : high;
		f->descending = r->down;
		/* Rows outside of the session take room as well. */
		f->limit = r->ask.hours != HOURS_ALL || want > ROWS_A_FETCH ? ROWS_A_FETCH : want;
		f->page_token[0] = '\0';
	}
	if ((error = lookup_later(range_lookup(r), &r->part, &r->waiter)) != E_OK)
		range_fail(r, error, "as many fetches wait as this gateway allows", 1000);
}

/*
 * The store
 */
static const char *
range_outcome(const struct range *r, const struct history_answer *a, bool whole)
{
	if (a->error != E_OK)
		return a->late ? "timeout" : "failed";
	if (whole)
		return "hit";
	return (r->down ? a->reach <= r->high : a->reach >= r->low) ? "partial" : "miss";
}

static void
range_record(struct range *r, const struct history_answer *a, bool whole)
{
	const struct waited_end end = { .outcome = range_outcome(r, a, whole),
		.failed = a->error != E_OK,
		.reason = a->why,
		.rows = a->count };

	waited_over(&r->waiter, &r->ask.fetch, &end);
}

static void
range_count(struct range *r, const struct history_answer *a)
{
	struct stats *s = &r->asker.worker->proc->stats;
	bool whole = a->error == E_OK && (a->full || a->holes == 0 ||
					     (a->count > 0 && r->count + a->count >= r->limit));
	unsigned store = strcmp(history_store(r->asker.worker->history), "postgres") == 0
			     ? LABEL(store, POSTGRES)
			     : LABEL(store, SQLITE);

	range_record(r, a, whole);
	lookup_count(range_lookup(r), LABEL_layer_STORE,
	    a->error != E_OK ? LABEL_hit_FAILED
	    : whole	     ? LABEL_hit_HIT
			     : LABEL_hit_MISS);
	metric_observe(s, M_HISTORY_DURATION, store, clock_mono() - r->asked_ns);
}

/* In an instant of which rows were given, by a page before or a moment ago, there is something. */
static void
range_prove(struct range *r, int64_t from, int64_t to)
{
	if (r->skip > 0)
		from += r->down ? -1 : 1;
	if ((r->down ? from < to : from > to) ||
	    r->proven_count == sizeof(r->proven) / sizeof(r->proven[0]))
		return;
	r->proven[r->proven_count].start = r->down ? to : from;
	r->proven[r->proven_count++].end = r->down ? from : to;
}

/* Rows of the part that is proven. What is left begins behind it, or behind the last row of a full page. */
static void
range_take_stored(struct range *r, struct history_answer *a)
{
	int64_t from = r->down ? r->high : r->low, last;
	uint64_t at_end;

	range_rests_on(r, a->oldest_ns, a->source);
	keep_oldest(&r->unsettled_ns, a->unsettled_ns);
	if (r->count == r->limit) {
		/* Only whether there is one more was asked. */
		r->more = a->count > 0 || a->full;
		if (r->more)
			return;
	}
	if (a->full) {
		r->more = true;
		last = row_event(r, &a->rows[a->count - 1]);
		at_end = rows_at_end(r, a->rows, a->count);
		range_add_stored(r, a);
		range_prove(r, from, last);
		range_go_on_at(r, last, at_end);
		return;
	}
	range_add_stored(r, a);
	if (r->down ? a->reach > r->high : a->reach < r->low)
		return;
	range_prove(r, from, a->reach);
	range_go_on_behind(r, a->reach);
}

static void
range_on_store(struct history_answer *a, void *owner)
{
	struct range *r = owner;
	int64_t low, high;

	r->ticket = NULL;
	range_count(r, a);
	if (a->error != E_OK) {
		r->unstored = true;
		range_fetch(r, r->low, r->high);
		return;
	}
	range_take_stored(r, a);
	if (range_is_over(r)) {
		/* Whether there is no such symbol or only no data, upstream knows. */
		if (r->count == 0 && !r->more && r->fetches == 0 &&
		    r->ask.fetch.page_token[0] == '\0') {
			range_begin_over(r);
			r->unstored = true;
			range_fetch(r, r->low, r->high);
			return;
		}
		range_finish(r);
		return;
	}
	low = r->low;
	high = r->high;
	if (a->holes <= HOLES_MAX && a->next != INT64_MAX && a->next != INT64_MIN)
		*(r->down ? &low : &high) = r->down ? a->next + 1 : a->next - 1;
	range_fetch(r, low, high);
}

static int
range_ask_store(struct range *r)
{
	const struct conf *conf = &r->asker.worker->proc->conf;
	const struct msg_fetch *f = &r->ask.fetch;
	struct history_question q = { .start = r->low,
		.end = r->high,
		.descending = r->down,
		.start_is_asked = r->low == f->start,
		.skip = r->skip,
		.limit = r->limit > r->count ? r->limit - r->count : 1,
		.hours = r->ask.hours,
		.is_market = upstream_is_market(r->asker.worker->proc),
		.now_ns = clock_wall(),
		.fresh_ns = lookup_fresh(range_lookup(r), &r->ask),
		.final_after_ns = conf->history_final_after * CLOCK_MS,
		.wait_ms = conf->history_wait };
	int error;

	if (r->rows == NULL && (!r->down || f->descending))
		q.writer = &range_writer;

	q.series.what = r->ask.kind == ASK_BARS ? COVERED_BARS : COVERED_TRADES;
	q.series.asset = r->ask.asset;
	memcpy(q.series.symbol, f->symbol, sizeof(q.series.symbol));
	memcpy(q.series.feed, f->feed, sizeof(q.series.feed));
	memcpy(q.series.timeframe, f->timeframe, sizeof(q.series.timeframe));
	memcpy(q.series.adjustment, f->adjustment, sizeof(q.series.adjustment));
	r->asked_ns = clock_mono();
	if ((error = history_ask(range_store(r), &q, range_on_store, r, &r->ticket)) == E_OK)
		waited_begin(&r->waiter, WAITED_STORE, NULL);
	else
		waited_refused(
		    &r->waiter, WAITED_STORE, f, error == E_CLOSED ? "breaker_open" : "full");
	return error;
}

static void
range_step(struct range *r)
{
	if (range_is_over(r)) {
		range_finish(r);
		return;
	}
	if (range_store(r) != NULL && range_ask_store(r) == E_OK)
		return;
	if (range_store(r) != NULL)
		lookup_count(range_lookup(r), LABEL_layer_STORE, LABEL_hit_REFUSED);
	r->unstored = true;
	range_fetch(r, r->low, r->high);
}

/*
 * The beginning
 */
static void
range_leave(struct pending *p)
{
	struct range *r = (struct range *)p;

	if (r->ticket != NULL) {
		history_cancel(r->ticket);
		waited_over_as(&r->waiter, &r->ask.fetch, "left", true);
	}
	asker_trace_gone(&r->asker);
	lookup_leave(range_lookup(r), &r->waiter);
	range_free(&r);
}

static int
refuse(struct fault *f, const char *parameter, const char *reason)
{
	f->code = E_INVALID_PARAMETER;
	f->parameter = parameter;
	f->reason = reason;
	return f->code;
}

/* What one parameter alone does not tell. */
static int
range_check(const struct ask *a, struct token *token, struct fault *f)
{
	const char *timeframe = a->fetch.timeframe;

	if (a->hours != HOURS_ALL && a->kind == ASK_BARS && !timeframe_is_intraday(timeframe))
		return refuse(f, "session", "only bars shorter than a day lie within a session");
	if (a->gaps &&
	    !(timeframe_is_intraday(timeframe) && timeframe_begins(timeframe, a->asset, 0)))
		return refuse(f, "gaps",
		    "it is known of 1Hour and of minutes that divide an hour, where intervals "
		    "begin");
	if (a->fetch.page_token[0] == '\0')
		return E_OK;
	if (token_read(a, a->fetch.page_token, token) != E_OK)
		return refuse(f, "page_token",
		    "no answer to this question gave it; all else has to stay as it was but the "
		    "limit");
	return E_OK;
}

static void
range_begin(struct visit *c, const struct ask *ask, const struct token *token)
{
	struct range *r = mem_alloc(sizeof(*r));

	r->pending.leave = range_leave;
	r->waiter.done = range_done;
	r->asker = c->asker;
	r->ask = *ask;
	asker_trace_fetch(&r->asker, &r->ask.fetch);
	waited_record(&r->waiter, &r->asker);
	r->down = ask_runs_down(ask);
	r->limit = ask->fetch.limit;
	range_begin_over(r);
	if (ask->fetch.page_token[0] != '\0') {
		*(r->down ? &r->high : &r->low) = token->event;
		r->skip = token->skip;
	}
	r->begun_at = r->down ? r->high : r->low;
	r->begun_skip = r->skip;
	http_tag_set(c->asker.request, r);
	range_step(r);
}

void
range_answer(struct visit *c, const struct question *q)
{
	struct token token = { 0 };
	struct fault fault = { 0 };
	struct found found;
	struct ask ask;

	if (ask_read(&ask, q, c->params, &c->worker->proc->conf, &fault) != E_OK ||
	    range_check(&ask, &token, &fault) != E_OK)
		answer_fault(&c->asker, &fault);
	else if (asker_look(&c->asker, &ask, &found))
		answer_found(&c->asker, &ask, &found);
	else
		range_begin(c, &ask, &token);
}
