/* health.c - /api/v1/health and its detailed form, /livez, /readyz, /startupz.
 *
 * What is told is made in src/health, as the master tells it too; only this worker's own cache is tried while the client
 * waits.
 */
#include "health.h"

#include "http_worker.h"

/* This worker's own round trip, measured. With Redis it is the last ping's, which nobody has to wait for. */
static void
health_check_cache(struct worker *w, struct check_result *out)
{
	const struct slot_page *mine = w->proc->stats.mine;
	int64_t begun = clock_mono(), now = clock_wall();
	int r = lookup_probe(w->lookup);
	int64_t took = clock_mono() - begun;

	*out = (struct check_result){ .checked_ns = now,
		.error = r,
		.ok_ns = r == E_OK ? now : 0,
		.response_us = (uint64_t)(took / 1000) };
	if (r == E_OK && w->lookup->l2 != NULL && mine != NULL) {
		*out = mine->checks[CHECK_CACHE];
		return;
	}
	check_store(&w->proc->stats, CHECK_CACHE, r, took, r == E_OK ? "" : err_text(r));
	if (mine != NULL)
		*out = mine->checks[CHECK_CACHE];
}

static void
health_tell(struct visit *c, enum health_page page)
{
	struct worker *w = c->worker;
	struct fault fault = { .code = E_INTERNAL_SERVICE_ERROR };
	struct check_result cache;
	struct health_own own = { .fetcher_was_ready = w->fetcher_was_ready,
		.cache = &cache,
		.state_dir = w->proc->conf.state_dir };
	int status;

	health_check_cache(w, &cache);
	buf_reset(&w->out);
	status = health_answer(page, w->proc->stats.all, &own, &w->out);
	if (status == 500)
		answer_fault(&c->asker, &fault);
	else
		answer_plain(&c->asker, status, "application/json", buf_data(&w->out),
		    buf_len(&w->out), NULL);
}

void
route_health(struct visit *c)
{
	health_tell(c, HEALTH_SHORT);
}

void
route_health_detailed(struct visit *c)
{
	health_tell(c, HEALTH_DETAILED);
}

void
route_livez(struct visit *c)
{
	health_tell(c, HEALTH_LIVE);
}

void
route_readyz(struct visit *c)
{
	health_tell(c, HEALTH_READY);
}

void
route_startupz(struct visit *c)
{
	health_tell(c, HEALTH_STARTUP);
}
