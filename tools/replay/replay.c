/* replay.c - one request: control, key, budget, endpoint and faults, in this order. */
#include "replay.h"

#include <string.h>

#include "clock.h"
#include "control.h"
#include "fault.h"
#include "text.h"

int64_t
replay_now(const struct replay *r)
{
	return story_now(&r->story, clock_mono());
}

static bool
key_is_good(const struct replay *r, const struct request *q)
{
	if (r->options.key == NULL)
		return q->key[0] != '\0' && q->secret[0] != '\0';
	return strcmp(q->key, r->options.key) == 0 && strcmp(q->secret, r->options.secret) == 0;
}

static void
replay_serve(struct replay *r, const struct route *route, const struct request *q, struct answer *a)
{
	if (strcmp(q->method, "GET") != 0)
		answer_refuse(a, 405, "method not allowed");
	else if (route == NULL)
		answer_refuse(a, 404, "endpoint not found.");
	else
		route->serve(r, route, q, a);
}

static void
replay_serve_upstream(struct replay *r, const struct request *q, struct answer *a)
{
	const struct route *route = route_find(q);
	const struct fault *fault;

	r->route_calls[route != NULL ? (size_t)(route - route_row(0)) : route_count()]++;
	if ((route == NULL || route->needs_key) && !key_is_good(r, q)) {
		answer_page(a, 401, "Authorization Required");
		return;
	}
	if (!limiter_admit(&r->limiter, route != NULL ? route->api : API_DATA, q->key, a)) {
		static const char body[] = "{\"message\": \"too many requests.\"}";

		answer_bytes(a, 429, a->type, body, sizeof(body) - 1);
		return;
	}
	/* The fault strikes a good answer: what it breaks is then the only thing wrong. */
	fault = faults_strike(r->faults, q);
	if (fault == NULL || fault->kind != FAULT_BODY)
		replay_serve(r, route, q, a);
	if (fault != NULL) {
		fault_apply(fault, a);
		r->stats.faults_served++;
	}
}

void
replay_answer(struct replay *r, const struct request *q, struct answer *a)
{
	if (r->options.control && control_is_meant(q)) {
		control_answer(r, q, a);
		return;
	}
	text_copy(r->stats.recent[r->stats.recent_count++ % RECENT_LINES], LINE_BYTES, q->line);
	r->stats.requests++;
	replay_serve_upstream(r, q, a);
	if (a->manner == MANNER_PLAIN || a->manner == MANNER_CUT)
		r->stats.by_status[a->status]++;
}
