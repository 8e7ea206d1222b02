/* redis.h - Redis on the loop: one server, one found by Sentinel, or a cluster; commands pipelined, all of it bounded.
 *
 * A client connects by itself, again and again with a growing delay. It is up when commands may be sent. Commands
 * of one turn of the loop travel together. Each is answered exactly once: by what the server said, or by why
 * there is no answer.
 */
#ifndef REDIS_H
#define REDIS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "loop.h"

struct redisReply; /* hiredis/hiredis.h */

/* Where Redis is. */
enum redis_form { REDIS_TCP, REDIS_UNIX, REDIS_SENTINEL, REDIS_CLUSTER };

#define REDIS_HOSTS_MAX 16
#define REDIS_HOST	112
#define REDIS_WHY	192

struct redis_host {
	char		 name[REDIS_HOST];	/* a name or an address, without brackets */
	uint16_t	 port;
};

struct redis_url {
	enum redis_form	 form;
	char		 user[64];		/* "": the default user */
	char		 password[128];		/* "": none; wiped by whoever holds the struct */
	char		 path[108];		/* UNIX */
	char		 master[64];		/* SENTINEL: its name */
	unsigned	 db;
	size_t		 host_count;
	struct redis_host hosts[REDIS_HOSTS_MAX]; /* of TCP one */
};

/* E_CONFIG with what is wrong in `why`, which never repeats any part of the text. */
int	 redis_url_parse(const char *text, struct redis_url *, char why[REDIS_WHY]) MUST_CHECK;
/* Place and database, nothing secret: "127.0.0.1:6379 db 2", "/run/redis.sock". */
void	 redis_url_show(const struct redis_url *, char *out, size_t size);

/* The slot of a key in a cluster: CRC16 of it, or of what stands between the first { and the } behind it. */
unsigned redis_slot(const char *key, size_t len);
/* Lower-case hex of SHA-1, with which a script is called. */
#define REDIS_SHA 41
void	 redis_sha1(const void *, size_t, char hex[REDIS_SHA]);

/* Commands as the server reads them: the count of words, then each. */
int	 redis_words(struct buf *, size_t count) MUST_CHECK;
int	 redis_word(struct buf *, const void *, size_t) MUST_CHECK;
int	 redis_word_text(struct buf *, const char *) MUST_CHECK;
int	 redis_word_number(struct buf *, int64_t) MUST_CHECK;

/* Why something failed, as counted: an index of LABELS_redis. Text of an error answer, or null. */
unsigned redis_cause_of(const char *error_answer);

#define REDIS_WELL UINT32_MAX

struct redis_answer {		/* borrowed for the call */
	const struct redisReply *reply;	/* null: none came */
	unsigned	 cause;		/* REDIS_WELL, or of LABELS_redis; an error answer has one as well */
	const char	*why;		/* one line without secrets */
};
#define REDIS_DONE(name) void (*name)(const struct redis_answer *, void *arg)

struct redis_bounds {
	int64_t		 connect_ms;	/* from the first attempt to find the server to its PONG */
	int64_t		 answer_ms;	/* the oldest command without an answer ends the connection */
	size_t		 commands_max;	/* without an answer; beyond it E_FULL */
	size_t		 output_max;	/* bytes not written yet; beyond it E_FULL */
};

struct redis_hooks {
	void	(*up)(void *owner);
	/* Every command without an answer has been answered. Also when an attempt to connect failed: `first` tells
	 * whether this one began the episode. */
	void	(*down)(unsigned cause, const char *why, bool first, void *owner);
};

struct redis;

/* `bounds` and `hooks` are borrowed, and read anew each time: a reload may change them. No hook is called from
 * within. */
struct redis	*redis_open(struct loop *, const struct redis_url *, const struct redis_bounds *,
		    const struct redis_hooks *, void *owner);
/* Nobody is told any more. Not from within a hook or an answer. */
void		 redis_close(struct redis **);
bool		 redis_is_up(const struct redis *);
/* Several keys in one command need one server: a cluster has many. */
bool		 redis_is_cluster(const struct redis *);
/* One command, made by redis_words and redis_word, about `key` (null: about none). E_CLOSED: not up; E_FULL. Then
 * `done` is not called. It is never called from within. */
int		 redis_send(struct redis *, const char *key, const void *command, size_t len, REDIS_DONE(done),
		    void *arg) MUST_CHECK;
/* What an answer said cannot be right of the server we should speak to: look again. */
void		 redis_suspect(struct redis *, unsigned cause, const char *why);
/* Where it is, for people: redis_url_show, or the server Sentinel named. */
const char	*redis_where(const struct redis *);

#endif /* REDIS_H */
