/* cluster.c - the form with many servers, each with its part of the keys. */
#include "redis_room.h"

static void
cluster_begin(struct redis *r)
{
	redis_failed(r, LABEL(redis, CLUSTER), "clusters are not spoken yet");
}

static void
cluster_end(struct redis *r)
{
	(void)r;
}

static int
cluster_send(
    struct redis *r, const char *key, const void *command, size_t len, REDIS_DONE(done), void *arg)
{
	(void)r, (void)key, (void)command, (void)len, (void)done, (void)arg;
	return E_CLOSED;
}

const struct redis_form_ops redis_form_cluster = { cluster_begin, cluster_end, cluster_send };
