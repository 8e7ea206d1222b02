/* redis_room.h - what the files of the Redis room share: names, connections, the client's forms. */
#ifndef REDIS_ROOM_H
#define REDIS_ROOM_H
#include <hiredis/hiredis.h>
#include <sys/socket.h>

#include "backoff.h"
#include "label.h"
#include "loop.h"
#include "redis.h"

/* resolve.c: names into addresses without waiting. Numeric ones at once. */
#define RESOLVE_MAX 4 /* addresses tried of one name */
struct resolved {
	size_t count;
	struct sockaddr_storage at[RESOLVE_MAX];
	socklen_t len[RESOLVE_MAX];
};
struct evdns_base;
struct resolving; /* a question on its way; ends by itself after resolve_cancel */
/* E_OK: it is numeric and *out is filled; E_PARTIAL: `done` is called, out null when there is none. */
int resolve(struct loop *, struct evdns_base **dns, const char *name, uint16_t port,
    struct resolved *out, void (*done)(const struct resolved *, void *), void *arg,
    struct resolving **result) MUST_CHECK;
void resolve_cancel(struct resolving **);
void resolve_close(struct evdns_base **);

/* conn.c: one connection, from an address to its end. */
struct redis_conn;
struct redis_conn_spec { /* borrowed for the life of the connection, but for host */
	const struct redis_url *url;
	const struct redis_host *host; /* null: url->path */
	const struct redis_bounds *bounds;
	struct evdns_base **dns;
	bool says_who;	    /* AUTH with what the URL holds */
	bool selects;	    /* the database of the URL */
	bool wants_master; /* anything else is refused */
};
struct redis_conn_hooks {
	void (*up)(void *owner);
	/* The last call; commands were answered before. The owner frees it, now or later. */
	void (*down)(unsigned cause, const char *why, void *owner);
};
struct redis_conn *redis_conn_new(
    struct loop *, const struct redis_conn_spec *, const struct redis_conn_hooks *, void *owner);
/* Nobody is told. Fine from within its own hooks and answers. */
void redis_conn_free(struct redis_conn **);
bool redis_conn_is_up(const struct redis_conn *);
int redis_conn_send(
    struct redis_conn *, const void *command, size_t len, REDIS_DONE(done), void *arg) MUST_CHECK;
/* Ends it: everybody is told, down is called. */
void redis_conn_fail(struct redis_conn *, unsigned cause, const char *why);
/* hello.c: what is said first; ends with redis_conn_hello_over or redis_conn_fail. */
void redis_conn_hello(struct redis_conn *, const struct redis_conn_spec *);
void redis_conn_hello_over(struct redis_conn *);
/* Sends though it is not up yet. */
void redis_conn_say(struct redis_conn *, const struct buf *command, REDIS_DONE(done));

/* reader.c: hiredis' reader, bounded: what a reply may cost does not depend on what it announces. */
#define READER_BYTES_MAX    ((size_t)8 << 20) /* of one reply not read whole yet */
#define READER_ELEMENTS_MAX 262144	      /* of one reply, nested ones counted */
struct redis_reader {
	redisReader *hiredis;
	redisReplyObjectFunctions fns; /* hiredis' own, but for arrays */
	void *(*default_array)(const redisReadTask *, int);
	size_t elements; /* of the reply in hand */
};
void redis_reader_open(struct redis_reader *);
void redis_reader_close(struct redis_reader *);
int redis_reader_feed(struct redis_reader *, const char *, size_t) MUST_CHECK;
/* E_OK with *reply, the caller's; E_PARTIAL; E_PROTOCOL: this stream is over. */
int redis_reader_next(struct redis_reader *, redisReply **reply) MUST_CHECK;

/* The client: what its forms share. */
struct redis_form_ops {
	void (*begin)(struct redis *); /* an attempt to connect */
	void (*end)(struct redis *);   /* lets go of everything, telling nobody */
	int (*send)(struct redis *, const char *key, const void *command, size_t len, REDIS_DONE(done),
	    void *arg);
};
struct redis {
	struct loop *loop;
	struct redis_url url;
	const struct redis_bounds *bounds;
	const struct redis_hooks *hooks;
	void *owner;
	const struct redis_form_ops *form;
	struct evdns_base *dns;
	struct backoff backoff;
	struct loop_timer retry;
	bool up, failing;
	char where[256];
	/* one server, and the one Sentinel names */
	struct redis_conn *conn;
	struct redis_host master;
	/* sentinel.c */
	struct redis_conn *sentinel;
	size_t asked;	    /* of the hosts, in this attempt */
	size_t next;	    /* who is asked first */
	bool sentinel_auth; /* they want to know who asks as well */
	/* cluster.c */
	struct cluster *cluster;
};
void redis_up(struct redis *);
/* This attempt, or what stood, is over: told, counted, tried again later. */
void redis_failed(struct redis *, unsigned cause, const char *why);
/* server.c */
void redis_server_connect(struct redis *, const struct redis_host *, bool wants_master);
extern const struct redis_form_ops redis_form_server, redis_form_sentinel, redis_form_cluster;

bool redis_reply_is_text(const redisReply *, const char *text);

#endif /* REDIS_ROOM_H */
