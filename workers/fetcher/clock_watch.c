/* clock_watch.c - keeps the state of the market known, and the way to the upstream tested.
 *
 * The clock is asked at an interval, and just after it said that the market would open or close. Its own time
 * is what the waits are counted from: a recording's clock stands in another year. Without a key the clock is
 * not to be had; then a crypto quote, which needs none, shows once in a while whether the upstream is there.
 */
#include <string.h>

#include "clock.h"
#include "fetcher.h"
#include "log.h"
#include "text.h"

/* After the moment the market should have turned, for it to be visible upstream. */
#define TURN_MARGIN_MS 1000
#define WAIT_MIN_MS    100
#define IDLE_MS	       60000
#define PATIENCE_MS    10000

int64_t
clock_watch_next_ms(const struct market_clock *c, int64_t age_ns, int64_t interval_ms)
{
	int64_t turns[2] = { c->next_open, c->next_close };
	int64_t best = interval_ms, wait;

	for (int i = 0; i < 2; i++) {
		wait = (turns[i] - c->timestamp - age_ns) / CLOCK_MS + TURN_MARGIN_MS;
		if (turns[i] > c->timestamp && wait > 0 && wait < best)
			best = wait;
	}
	return best > WAIT_MIN_MS ? best : WAIT_MIN_MS;
}

static void
clock_watch_show(struct stats *s, const struct market_clock *now)
{
	metric_set(s, M_MARKET_IS_OPEN, 0, 0, now->is_open);
	metric_set(s, M_MARKET_CLOCK, 0, 0, (uint64_t)now->timestamp);
	metric_set(s, M_MARKET_RECEIVED, 0, 0, (uint64_t)now->received);
	metric_set(s, M_MARKET_NEXT_OPEN, 0, 0, (uint64_t)now->next_open);
	metric_set(s, M_MARKET_NEXT_CLOSE, 0, 0, (uint64_t)now->next_close);
}

static void
clock_watch_learn(struct fetcher *f, const struct market_clock *now)
{
	if (f->clock.known && f->clock.now.is_open != now->is_open)
		log_info("market: %s", now->is_open ? "open" : "closed");
	f->clock.now = *now;
	f->clock.known = true;
	clock_watch_show(&f->proc->stats, now);
	publish_clock(f, NULL);
}

static void
clock_watch_on_answer(const struct answer *answer, void *owner)
{
	struct fetcher *f = owner;
	int64_t wait = f->proc->conf.upstream_clock_interval;

	if (answer->error == E_OK && answer->records.count == 1) {
		clock_watch_learn(f, &answer->records.at[0].v.clock);
		wait =
		    clock_watch_next_ms(&f->clock.now, clock_wall() - f->clock.now.received, wait);
	}
	if (!f->draining)
		loop_timer_set(&f->clock.timer, wait);
}

static void
clock_watch_on_sign(const struct answer *answer, void *owner)
{
	(void)answer, (void)owner;
}

static void
clock_watch_on_timer(void *owner)
{
	struct fetcher *f = owner;
	struct msg_fetch fetch = {
		.endpoint = ENDPOINT_CLOCK, .lane = LANE_INTERACTIVE, .timeout_ms = PATIENCE_MS
	};
	struct asker me = { .done = clock_watch_on_answer, .owner = f };

	if (f->draining)
		return; /* a process that ends would wait for the answer */
	if (f->has_key) {
		plan_ask(f, &fetch, &me);
		return;
	}
	loop_timer_set(&f->clock.timer, IDLE_MS);
	if (f->clock.last_call_ns != 0 && clock_mono() - f->clock.last_call_ns < IDLE_MS * CLOCK_MS)
		return;
	fetch.endpoint = ENDPOINT_CRYPTO_QUOTE;
	text_copy(fetch.symbol, sizeof(fetch.symbol), "BTC/USD");
	me.done = clock_watch_on_sign;
	plan_ask(f, &fetch, &me);
}

void
clock_watch_begin(struct fetcher *f)
{
	loop_timer_open(f->proc->loop, &f->clock.timer, clock_watch_on_timer, f);
	loop_timer_set(&f->clock.timer, 0);
}

void
clock_watch_end(struct fetcher *f)
{
	loop_timer_close(&f->clock.timer);
}
