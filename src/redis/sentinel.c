/* sentinel.c - the form in which Sentinels are asked, one after another, where the master is.
 *
 * The first who names one is believed, as far as the server named says itself that it is a master. All asked in vain is
 * one failed attempt.
 */
#include <stdio.h>
#include <string.h>

#include "redis_room.h"
#include "text.h"

static void sentinel_ask_next(struct redis *, unsigned cause, const char *why);

/* ["127.0.0.1", "6379"], or nothing when it knows no such master. */
static int
sentinel_read(const redisReply *r, struct redis_host *host)
{
	uint64_t port;

	if (r == NULL || r->type != REDIS_REPLY_ARRAY || r->elements != 2 ||
	    r->element[0]->type != REDIS_REPLY_STRING ||
	    r->element[1]->type != REDIS_REPLY_STRING || r->element[0]->len == 0 ||
	    text_copy(host->name, sizeof(host->name), r->element[0]->str) != E_OK ||
	    !text_is_printable(host->name, strlen(host->name)) ||
	    text_to_u64(r->element[1]->str, &port) != E_OK || port == 0 || port > UINT16_MAX)
		return E_ABSENT;
	host->port = (uint16_t)port;
	return E_OK;
}

static void
sentinel_answered(const struct redis_answer *a, void *arg)
{
	struct redis *r = arg;
	char why[REDIS_WHY];

	if (a->reply == NULL)
		return; /* its end is told as well */
	redis_conn_free(&r->sentinel);
	if (a->cause != REDIS_WELL) {
		sentinel_ask_next(r, a->cause, a->why);
	} else if (sentinel_read(a->reply, &r->master) != E_OK) {
		(void)snprintf(
		    why, sizeof(why), "no Sentinel knows a master named %s", r->url.master);
		sentinel_ask_next(r, LABEL(redis, CONNECT), why);
	} else {
		(void)snprintf(r->where, sizeof(r->where), "%s:%u (master %s)", r->master.name,
		    (unsigned)r->master.port, r->url.master);
		redis_server_connect(r, &r->master, true);
	}
}

static void
sentinel_up(void *owner)
{
	struct redis *r = owner;
	struct buf b;
	int error;

	buf_init(&b, 512);
	if ((error = redis_words(&b, 3)) == E_OK &&
	    (error = redis_word_text(&b, "SENTINEL")) == E_OK &&
	    (error = redis_word_text(&b, "get-master-addr-by-name")) == E_OK &&
	    (error = redis_word_text(&b, r->url.master)) == E_OK)
		error =
		    redis_conn_send(r->sentinel, buf_data(&b), buf_len(&b), sentinel_answered, r);
	buf_fini(&b);
	if (error != E_OK)
		redis_conn_fail(r->sentinel, LABEL(redis, PROTOCOL), err_text(error));
}

static void
sentinel_down(unsigned cause, const char *why, void *owner)
{
	struct redis *r = owner;

	redis_conn_free(&r->sentinel);
	if (cause == LABEL(redis, AUTH))
		r->sentinel_auth = !r->sentinel_auth;
	sentinel_ask_next(r, cause, why);
}

static const struct redis_conn_hooks sentinel_hooks = { sentinel_up, sentinel_down };

static void
sentinel_ask(struct redis *r)
{
	const struct redis_conn_spec spec = {
		.url = &r->url,
		.host = &r->url.hosts[r->next],
		.bounds = r->bounds,
		.dns = &r->dns,
		.says_who = r->sentinel_auth,
	};

	r->sentinel = redis_conn_new(r->loop, &spec, &sentinel_hooks, r);
}

static void
sentinel_ask_next(struct redis *r, unsigned cause, const char *why)
{
	r->next = (r->next + 1) % r->url.host_count;
	if (++r->asked < r->url.host_count)
		sentinel_ask(r);
	else
		redis_failed(r, cause, why);
}

static void
sentinel_begin(struct redis *r)
{
	r->asked = 0;
	redis_url_show(&r->url, r->where, sizeof(r->where));
	sentinel_ask(r);
}

static void
sentinel_end(struct redis *r)
{
	redis_conn_free(&r->sentinel);
	redis_conn_free(&r->conn);
}

static int
sentinel_send(
    struct redis *r, const char *key, const void *command, size_t len, REDIS_DONE(done), void *arg)
{
	(void)key;
	return redis_conn_send(r->conn, command, len, done, arg);
}

const struct redis_form_ops redis_form_sentinel = { sentinel_begin, sentinel_end, sentinel_send };
