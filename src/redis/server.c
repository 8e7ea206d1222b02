/* server.c - the form with one server, whose place is known. */
#include "redis_room.h"

static void
server_up(void *owner)
{
	redis_up(owner);
}

static void
server_down(unsigned cause, const char *why, void *owner)
{
	redis_failed(owner, cause, why);
}

static const struct redis_conn_hooks server_hooks = { server_up, server_down };

void
redis_server_connect(struct redis *r, const struct redis_host *host, bool wants_master)
{
	const struct redis_conn_spec spec = {
		.url = &r->url,
		.host = host,
		.bounds = r->bounds,
		.dns = &r->dns,
		.says_who = true,
		.selects = true,
		.wants_master = wants_master,
	};

	redis_conn_free(&r->conn);
	r->conn = redis_conn_new(r->loop, &spec, &server_hooks, r);
}

static void
server_begin(struct redis *r)
{
	redis_server_connect(r, r->url.form == REDIS_UNIX ? NULL : &r->url.hosts[0], false);
}

static void
server_end(struct redis *r)
{
	redis_conn_free(&r->conn);
}

static int
server_send(
    struct redis *r, const char *key, const void *command, size_t len, REDIS_DONE(done), void *arg)
{
	(void)key;
	return redis_conn_send(r->conn, command, len, done, arg);
}

const struct redis_form_ops redis_form_server = { server_begin, server_end, server_send };
