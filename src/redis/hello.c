/* hello.c - what is said on a new connection: who we are, which database, whether it is a master, whether it is well. */
#include <stdio.h>
#include <string.h>

#include "redis_room.h"
#include "text.h"

#define HELLO_MAX   2048
#define CLIENT_NAME "opitios"

/* Of what a server says of a password only the first word is told: a strange one repeats what it was given. */
static void
hello_auth_done(const struct redis_answer *a, void *arg)
{
	char why[REDIS_WHY];
	unsigned cause = a->cause == LABEL(redis, REFUSED) ? LABEL(redis, AUTH) : a->cause;

	if (a->cause == REDIS_WELL)
		return;
	(void)snprintf(why, sizeof(why), "it does not accept user and password (%.*s)",
	    (int)strcspn(a->why, " "), a->why);
	redis_conn_fail(arg, cause, a->reply != NULL ? why : a->why);
}

static void
hello_select_done(const struct redis_answer *a, void *arg)
{
	char why[REDIS_WHY];

	if (a->cause == REDIS_WELL)
		return;
	(void)snprintf(why, sizeof(why), "it does not give us the database: %.120s", a->why);
	redis_conn_fail(arg, a->cause, why);
}

/* A name is a courtesy: only a password that is missing is worth a word, and PING will say that. */
static void
hello_name_done(const struct redis_answer *a, void *arg)
{
	(void)a, (void)arg;
}

static void
hello_role_done(const struct redis_answer *a, void *arg)
{
	const redisReply *r = a->reply;

	if (r == NULL)
		return;
	if (a->cause != REDIS_WELL)
		redis_conn_fail(arg, a->cause, a->why);
	else if (r->type != REDIS_REPLY_ARRAY || r->elements == 0 ||
		 !redis_reply_is_text(r->element[0], "master"))
		redis_conn_fail(arg, LABEL(redis, READONLY), "it is not the master any more");
}

static void
hello_ping_done(const struct redis_answer *a, void *arg)
{
	if (a->reply == NULL)
		return;
	if (a->cause != REDIS_WELL)
		redis_conn_fail(arg, a->cause, a->why);
	else if (!redis_reply_is_text(a->reply, "PONG"))
		redis_conn_fail(arg, LABEL(redis, PROTOCOL), "it answers PING with something else");
	else
		redis_conn_hello_over(arg);
}

static void
hello_say(struct redis_conn *c, REDIS_DONE(done), size_t count, const char *const *words)
{
	struct buf b;
	int r;

	buf_init(&b, HELLO_MAX);
	r = redis_words(&b, count);
	for (size_t i = 0; i < count && r == E_OK; i++)
		r = redis_word_text(&b, words[i]);
	if (r == E_OK)
		redis_conn_say(c, &b, done);
	else
		redis_conn_fail(c, LABEL(redis, PROTOCOL), "the greeting is too long");
	if (b.base != NULL)
		explicit_bzero(b.base, b.capacity);
	buf_fini(&b);
}

void
redis_conn_hello(struct redis_conn *c, const struct redis_conn_spec *s)
{
	const char *auth[3] = { "AUTH", s->url->user, s->url->password };
	const char *password[2] = { "AUTH", s->url->password };
	char db[16];

	if (s->says_who && s->url->password[0] != '\0') {
		if (s->url->user[0] != '\0')
			hello_say(c, hello_auth_done, 3, auth);
		else
			hello_say(c, hello_auth_done, 2, password);
	}
	if (s->selects && s->url->db != 0) {
		(void)snprintf(db, sizeof(db), "%u", s->url->db);
		hello_say(c, hello_select_done, 2, (const char *const[]){ "SELECT", db });
	}
	hello_say(c, hello_name_done, 3, (const char *const[]){ "CLIENT", "SETNAME", CLIENT_NAME });
	if (s->wants_master)
		hello_say(c, hello_role_done, 1, (const char *const[]){ "ROLE" });
	hello_say(c, hello_ping_done, 1, (const char *const[]){ "PING" });
}
