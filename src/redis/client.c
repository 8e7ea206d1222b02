/* client.c - the client: up or not, tried again with a growing delay; how a server is found is its form's. */
#include <stdio.h>
#include <string.h>

#include "mem.h"
#include "redis_room.h"
#include "text.h"

#define RETRY_FLOOR_MS	 100
#define RETRY_CEILING_MS 5000
#define RETRY_JITTER	 30 /* percent: gateways that lost the same server do not come back as one */

static void
redis_retry(void *arg)
{
	struct redis *r = arg;

	r->form->begin(r);
}

struct redis *
redis_open(struct loop *loop, const struct redis_url *url, const struct redis_bounds *bounds,
    const struct redis_hooks *hooks, void *owner)
{
	static const struct redis_form_ops *const forms[] = {
		[REDIS_TCP] = &redis_form_server,
		[REDIS_UNIX] = &redis_form_server,
		[REDIS_SENTINEL] = &redis_form_sentinel,
		[REDIS_CLUSTER] = &redis_form_cluster,
	};
	struct redis *r = mem_alloc(sizeof(*r));

	r->loop = loop;
	r->url = *url;
	r->bounds = bounds;
	r->hooks = hooks;
	r->owner = owner;
	r->form = forms[url->form];
	r->backoff = (struct backoff){ .floor_ms = RETRY_FLOOR_MS, .ceiling_ms = RETRY_CEILING_MS };
	redis_url_show(url, r->where, sizeof(r->where));
	loop_timer_open(loop, &r->retry, redis_retry, r);
	loop_timer_set(&r->retry, 0);
	return r;
}

void
redis_close(struct redis **rp)
{
	struct redis *r = *rp;

	if (r == NULL)
		return;
	r->hooks = NULL; /* nobody is told any more */
	r->form->end(r);
	mem_free(&r->cluster);
	resolve_close(&r->dns);
	loop_timer_close(&r->retry);
	mem_wipe(&r->url, sizeof(r->url));
	mem_free(rp);
}

bool
redis_is_up(const struct redis *r)
{
	return r->up;
}

bool
redis_is_cluster(const struct redis *r)
{
	return r->url.form == REDIS_CLUSTER;
}

const char *
redis_where(const struct redis *r)
{
	return r->where;
}

void
redis_up(struct redis *r)
{
	backoff_reset(&r->backoff);
	r->up = true;
	r->failing = false;
	r->hooks->up(r->owner);
}

void
redis_failed(struct redis *r, unsigned cause, const char *why)
{
	bool first = !r->failing;

	r->up = false;
	r->failing = true;
	r->form->end(r);
	loop_timer_set(&r->retry, backoff_next_jittered_ms(&r->backoff, RETRY_JITTER));
	r->hooks->down(cause, why, first, r->owner);
}

int
redis_send(
    struct redis *r, const char *key, const void *command, size_t len, REDIS_DONE(done), void *arg)
{
	return r->up ? r->form->send(r, key, command, len, done, arg) : E_CLOSED;
}

void
redis_suspect(struct redis *r, unsigned cause, const char *why)
{
	if (r->up && r->conn != NULL)
		redis_conn_fail(r->conn, cause, why);
}
