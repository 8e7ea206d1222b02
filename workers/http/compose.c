/* compose.c - bodies of answers and errors, of what is stored and what is new each time. */
#include <math.h>
#include <string.h>

#include "http_worker.h"
#include "json_write.h"
#include "text.h"

/* What stands between the stored parts of a good answer: names, times, id, status. */
#define ENVELOPE_MAX 512

/* Decimal digits; returns how many. */
size_t
digits_of(uint64_t v, char out[24])
{
	char back[24];
	size_t n = 0;

	do
		back[n++] = (char)('0' + v % 10);
	while ((v /= 10) > 0);
	for (size_t i = 0; i < n; i++)
		out[i] = back[n - 1 - i];
	out[n] = '\0';
	return n;
}

const char *
worker_time(struct worker *w, size_t *len)
{
	int64_t now = clock_wall() / CLOCK_MS;

	if (now != w->time_ms) {
		w->time_ms = now;
		w->time_len = clock_format_ms(now * CLOCK_MS, w->time_text);
	}
	*len = w->time_len;
	return w->time_text;
}

static char *
put(char *at, const void *from, size_t len)
{
	memcpy(at, from, len);
	return at + len;
}

#define PUT_TEXT(at, literal) put((at), (literal), sizeof(literal) - 1)

/* Seconds with three digits behind the point. */
static char *
put_seconds(char *at, int64_t ns)
{
	uint64_t ms = (uint64_t)(ns / CLOCK_MS);

	at += digits_of(ms / 1000, at);
	at[0] = '.';
	at[1] = (char)('0' + ms / 100 % 10);
	at[2] = (char)('0' + ms / 10 % 10);
	at[3] = (char)('0' + ms % 10);
	return at + 4;
}

static char *
put_metadata(char *at, struct worker *w, const char *id, const struct found *f)
{
	const struct shown *s = f->what.shown;
	const char *way = cache_way_name(f->way);
	const char *status = session_name(f->session), *time;
	size_t len;

	time = worker_time(w, &len);
	at = put(at, shown_head(s), s->head_len);
	at = put(at, way, strlen(way));
	at = PUT_TEXT(at, "\",\"timestamp\":\"");
	at = put(at, time, len);
	at = put(at, shown_middle(s), s->middle_len);
	at = s->received_ns != 0 ? put_seconds(at, f->age_ns) : PUT_TEXT(at, "null");
	at = PUT_TEXT(at, ",\"market_status\":\"");
	at = put(at, status, strlen(status));
	at = PUT_TEXT(at, "\",\"request_id\":\"");
	at = put(at, id, strlen(id));
	return put(at, shown_tail(s), s->tail_len);
}

/* The hot path of quotes and trades: a few copies into room that is reserved once. */
static int
compose_whole(struct worker *w, struct buf *out, const char *id, const struct found *f)
{
	const struct shown *s = f->what.shown;
	char *begin, *at;
	int r;

	r = buf_reserve(
	    out, s->data_len + s->head_len + s->middle_len + s->tail_len + ENVELOPE_MAX);
	if (r != E_OK)
		return r;
	at = begin = (char *)buf_tail(out);
	at = PUT_TEXT(at, "\"data\":");
	at = put(at, s->text, s->data_len);
	at = put_metadata(at, w, id, f);
	buf_commit(out, (size_t)(at - begin));
	return E_OK;
}

/* The rows of it: here, or only their place, for whoever sends them from where they lie. */
static void
compose_data(struct json *j, const char *name, const struct shown *s, size_t *gap)
{
	json_raw(j, name, shown_data(s), gap != NULL ? 0 : s->data_len);
	if (gap != NULL)
		*gap = buf_len(j->out);
}

static void
compose_range(struct json *j, const struct ask *ask, const struct shown *s, size_t *gap)
{
	char token[TOKEN_TEXT];

	json_text(j, "symbol", ask->fetch.symbol);
	if (ask->kind == ASK_BARS) {
		json_text(j, "timeframe", ask->fetch.timeframe);
		json_text_or_null(j, "adjustment", ask->fetch.adjustment);
	}
	json_text(j, "session", hours_name(ask->hours));
	compose_data(j, ask->kind == ASK_BARS ? "bars" : "trades", s, gap);
	json_u64(j, "count", s->count);
	if (ask->kind == ASK_BARS && ask->gaps)
		json_raw(j, "gaps", shown_dates(s), s->dates_len);
	else if (ask->kind == ASK_BARS)
		json_absent(j, "gaps");
	json_bool(j, "complete", s->complete);
	json_text_or_null(j, "next_page_token", token_write(ask, s, token));
}

static void
compose_filters(struct json *j, const struct msg_fetch *f)
{
	json_object_open(j, "filters_applied");
	if (f->option_type[0] != '\0')
		json_text(j, "type", f->option_type);
	if (!isnan(f->strike_min))
		json_f64(j, "strike_price_gte", f->strike_min);
	if (!isnan(f->strike_max))
		json_f64(j, "strike_price_lte", f->strike_max);
	if (f->expiration[0] != '\0')
		json_text(j, "expiration_date", f->expiration);
	if (f->expiration_min[0] != '\0')
		json_text(j, "expiration_date_gte", f->expiration_min);
	if (f->expiration_max[0] != '\0')
		json_text(j, "expiration_date_lte", f->expiration_max);
	if (f->root_symbol[0] != '\0')
		json_text(j, "root_symbol", f->root_symbol);
	json_object_close(j);
}

static void
compose_chain(struct json *j, const struct ask *ask, const struct shown *s, size_t *gap)
{
	json_text(j, "underlying_symbol", ask->fetch.symbol);
	json_raw(j, "expiration_dates", shown_dates(s), s->dates_len);
	compose_data(j, "contracts", s, gap);
	json_u64(j, "total_contracts", s->count);
	compose_filters(j, &ask->fetch);
	json_bool(j, "complete", s->complete);
	json_raw(j, "next_page_token", shown_token(s), s->token_len);
}

static int
compose_rows(struct worker *w, struct buf *out, const char *id, const struct ask *ask,
    const struct found *f, size_t *gap)
{
	const struct shown *s = f->what.shown;
	struct json j;
	char *begin;
	int r;

	if ((r = buf_add_text(out, "\"data\":")) != E_OK)
		return r;
	json_begin(&j, out);
	json_object_open(&j, NULL);
	if (ask_is_range(ask->kind))
		compose_range(&j, ask, s, gap);
	else
		compose_chain(&j, ask, s, gap);
	json_object_close(&j);
	if ((r = json_end(&j)) != E_OK ||
	    (r = buf_reserve(out, s->head_len + s->middle_len + s->tail_len + ENVELOPE_MAX)) !=
		E_OK)
		return r;
	begin = (char *)buf_tail(out);
	buf_commit(out, (size_t)(put_metadata(begin, w, id, f) - begin));
	return E_OK;
}

int
compose_found(
    struct worker *w, struct buf *out, const char *id, const struct ask *ask, const struct found *f)
{
	if (ask_is_range(ask->kind) || ask->kind == ASK_CHAIN)
		return compose_rows(w, out, id, ask, f, NULL);
	return compose_whole(w, out, id, f);
}

int
compose_around(struct worker *w, struct buf *out, const char *id, const struct ask *ask,
    const struct found *f, size_t *gap)
{
	*gap = 0;
	if (ask_is_range(ask->kind) || ask->kind == ASK_CHAIN)
		return compose_rows(w, out, id, ask, f, gap);
	return compose_whole(w, out, id, f);
}

int
compose_fault(struct asker *a, const struct fault *f)
{
	size_t len;

	return fault_write(
	    &a->worker->out, f, a->id, worker_time(a->worker, &len), http_path(a->request));
}
