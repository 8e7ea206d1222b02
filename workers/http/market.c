/* market.c - /api/v1/market/status: the stock market's clock, or that it is not known. */
#include <stdio.h>

#include "http_worker.h"
#include "json_write.h"

static const struct question clock_question = { ENDPOINT_CLOCK, ASK_CLOCK, ASSET_STOCK, NULL,
	NULL };

void
route_market_status(struct visit *c)
{
	single_answer(c, &clock_question);
}

/* Only what the clock said: where it is not believed any more nothing of it is repeated. */
static void
market_data(struct json *j, enum session session, const struct market_clock *clock)
{
	json_object_open(j, "data");
	json_text(j, "status", session_name(session));
	if (session == SESSION_UNKNOWN)
		json_absent(j, "is_open");
	else
		json_bool(j, "is_open", session == SESSION_OPEN);
	json_time(j, "timestamp", clock->timestamp);
	json_time(j, "next_open", clock->next_open);
	json_time(j, "next_close", clock->next_close);
	json_object_close(j);
}

static void
market_metadata(struct json *j, struct asker *a, enum session session,
    const struct market_clock *clock, enum cache_way way)
{
	int64_t age = lookup_clock_age(a->worker->lookup);
	size_t len;

	json_object_open(j, "metadata");
	json_text(j, "data_source",
	    clock->received != 0 ? source_name((enum source)clock->source) : NULL);
	json_absent(j, "feed");
	json_text(j, "cache", cache_way_name(way));
	json_text(j, "timestamp", worker_time(a->worker, &len));
	json_time(j, "event_time", clock->timestamp);
	json_time_ms(j, "received_at", clock->received);
	if (clock->received != 0)
		json_f64(j, "data_freshness_seconds", (double)(age / CLOCK_MS) / 1000);
	else
		json_absent(j, "data_freshness_seconds");
	json_text(j, "market_status", session_name(session));
	json_text(j, "request_id", a->id);
	render_quality(j, "quality", 0);
	json_object_close(j);
}

void
market_answer(struct asker *a, const struct found *f)
{
	static const struct market_clock nothing;
	struct worker *w = a->worker;
	enum session session = lookup_session(w->lookup, ASSET_STOCK);
	const struct market_clock *clock =
	    session != SESSION_UNKNOWN ? &w->lookup->clock : &nothing;
	struct fault full = { .code = E_INTERNAL_SERVICE_ERROR };
	char headers[96] = "X-Data-Source: none\r\nX-Cache-Status: miss\r\n";
	struct json j;

	buf_reset(&w->out);
	json_begin(&j, &w->out);
	json_object_open(&j, NULL);
	market_data(&j, session, clock);
	market_metadata(&j, a, session, clock, f->way);
	json_object_close(&j);
	if (json_end(&j) != E_OK) {
		answer_fault(a, &full);
		return;
	}
	if (session != SESSION_UNKNOWN)
		(void)snprintf(headers, sizeof(headers),
		    "X-Data-Source: %s\r\nX-Cache-Status: %s\r\n",
		    source_name((enum source)clock->source), cache_way_name(f->way));
	answer_plain(a, 200, "application/json", buf_data(&w->out), buf_len(&w->out), headers);
}
