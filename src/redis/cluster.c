/* cluster.c - the form with many servers, each with its part of the keys.
 *
 * One of the hosts tells which master has which slots; then all masters are connected, and only with all of them the
 * client is up. The loss of one ends the attempt: the others are left too, and the hosts are asked anew until what they
 * tell can be connected. A server that says a key has moved is believed: the command goes where it points, a few times
 * at most, and the map is read again.
 */
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "mem.h"
#include "redis_room.h"
#include "text.h"

#define SLOTS	      16384
#define NODES_MAX     64
#define NOBODY	      0xff
#define REDIRECTS_MAX 4
#define MAP_PAUSE_NS  (200 * CLOCK_MS)
#define ASKING	      "*1\r\n$6\r\nASKING\r\n"
#define CLUSTER_SLOTS "*2\r\n$7\r\nCLUSTER\r\n$5\r\nSLOTS\r\n"

struct cluster_node {
	struct redis *redis;
	struct redis_host host;
	struct redis_conn *conn; /* null: not connected, not trying */
	bool serves;		 /* a master of the map */
};

struct cluster {
	struct cluster_node nodes[NODES_MAX];
	size_t count;
	uint8_t slots[SLOTS]; /* index of a node, or NOBODY */
	bool mapped, asking, ending;
	int64_t mapped_ns;
};

struct cluster_command {
	struct redis *redis;
	REDIS_DONE(done);
	void *arg;
	unsigned redirects;
	unsigned slot;
	size_t len;
	char bytes[];
};

static void cluster_map_ask(struct redis *, struct cluster_node *);
static void cluster_ask_host(struct redis *);

static void
node_up(void *owner)
{
	struct cluster_node *n = owner;
	struct cluster *c = n->redis->cluster;

	if (!c->mapped) {
		cluster_map_ask(n->redis, n);
		return;
	}
	if (n->redis->up)
		return;
	for (size_t i = 0; i < c->count; i++)
		if (c->nodes[i].serves && !redis_conn_is_up(c->nodes[i].conn))
			return;
	redis_up(n->redis);
}

/* Before there is a map the next host is asked; a master of the map is missed, others are not. */
static void
node_down(unsigned cause, const char *why, void *owner)
{
	struct cluster_node *n = owner;
	struct redis *r = n->redis;
	struct cluster *c = r->cluster;
	char text[REDIS_WHY];

	redis_conn_free(&n->conn);
	if (c->ending)
		return;
	c->asking = false;
	if (!c->mapped && ++r->asked < r->url.host_count) {
		r->next = (r->next + 1) % r->url.host_count;
		cluster_ask_host(r);
		return;
	}
	if (c->mapped && !n->serves)
		return;
	r->next = (r->next + 1) % r->url.host_count;
	(void)snprintf(
	    text, sizeof(text), "%.60s:%u: %.110s", n->host.name, (unsigned)n->host.port, why);
	redis_failed(r, cause, text);
}

static const struct redis_conn_hooks node_hooks = { node_up, node_down };

static void
node_connect(struct cluster_node *n)
{
	struct redis *r = n->redis;
	const struct redis_conn_spec spec = {
		.url = &r->url,
		.host = &n->host,
		.bounds = r->bounds,
		.dns = &r->dns,
		.says_who = true,
	};

	if (n->conn == NULL)
		n->conn = redis_conn_new(r->loop, &spec, &node_hooks, n);
}

/* The node of this address, new when it was not known; null when there are too many. */
static struct cluster_node *
node_of(struct redis *r, const char *name, uint16_t port)
{
	struct cluster *c = r->cluster;
	struct cluster_node *n;

	for (size_t i = 0; i < c->count; i++)
		if (c->nodes[i].host.port == port && strcmp(c->nodes[i].host.name, name) == 0)
			return &c->nodes[i];
	if (c->count == NODES_MAX)
		return NULL;
	n = &c->nodes[c->count];
	memset(n, 0, sizeof(*n));
	if (text_copy(n->host.name, sizeof(n->host.name), name) != E_OK ||
	    !text_is_printable(n->host.name, strlen(n->host.name)))
		return NULL;
	n->host.port = port;
	n->redis = r;
	c->count++;
	return n;
}

static void
cluster_ask_host(struct redis *r)
{
	const struct redis_host *h = &r->url.hosts[r->next];
	struct cluster_node *n = node_of(r, h->name, h->port);

	if (n != NULL)
		node_connect(n);
}

/* [first, last, [address, port, ...], replicas...] of one range. `teller` answers for what has no address. */
static bool
map_take_range(struct redis *r, const redisReply *range, const struct cluster_node *teller,
    uint8_t slots[SLOTS])
{
	const redisReply *at = range->elements >= 3 ? range->element[2] : NULL, *name;
	struct cluster_node *n;
	long long first, last;

	if (range->type != REDIS_REPLY_ARRAY || at == NULL || at->type != REDIS_REPLY_ARRAY ||
	    at->elements < 2 || range->element[0]->type != REDIS_REPLY_INTEGER ||
	    range->element[1]->type != REDIS_REPLY_INTEGER ||
	    at->element[1]->type != REDIS_REPLY_INTEGER)
		return false;
	first = range->element[0]->integer;
	last = range->element[1]->integer;
	name = at->element[0];
	if (first < 0 || last < first || last >= SLOTS || at->element[1]->integer <= 0 ||
	    at->element[1]->integer > UINT16_MAX)
		return false;
	n = node_of(r,
	    name->type == REDIS_REPLY_STRING && name->len > 0 ? name->str : teller->host.name,
	    (uint16_t)at->element[1]->integer);
	if (n == NULL)
		return false;
	memset(slots + first, (int)(n - r->cluster->nodes), (size_t)(last - first + 1));
	return true;
}

/* All of it or nothing: a map that breaks off replaces none. */
static bool
map_take(struct redis *r, const redisReply *map, const struct cluster_node *teller)
{
	struct cluster *c = r->cluster;
	uint8_t slots[SLOTS];

	memset(slots, NOBODY, sizeof(slots));
	for (size_t i = 0; i < map->elements; i++)
		if (!map_take_range(r, map->element[i], teller, slots))
			return false;
	memcpy(c->slots, slots, sizeof(slots));
	for (size_t i = 0; i < c->count; i++)
		c->nodes[i].serves = false;
	for (size_t i = 0; i < SLOTS; i++)
		if (slots[i] != NOBODY)
			c->nodes[slots[i]].serves = true;
	return true;
}

static void
map_answered(const struct redis_answer *a, void *arg)
{
	struct cluster_node *teller = arg;
	struct redis *r = teller->redis;
	struct cluster *c = r->cluster;
	bool is_good =
	    a->cause == REDIS_WELL && a->reply->type == REDIS_REPLY_ARRAY && a->reply->elements > 0;

	c->asking = false;
	if (a->reply == NULL)
		return; /* its end is told as well */
	if (!is_good || !map_take(r, a->reply, teller)) {
		redis_conn_fail(teller->conn, LABEL(redis, CLUSTER),
		    a->cause != REDIS_WELL ? a->why : "it tells no map of the cluster");
		return;
	}
	c->mapped = true;
	c->mapped_ns = clock_mono();
	for (size_t i = 0; i < c->count; i++)
		if (c->nodes[i].serves)
			node_connect(&c->nodes[i]);
	if (redis_conn_is_up(teller->conn))
		node_up(teller); /* maybe it was the only one */
}

static void
cluster_map_ask(struct redis *r, struct cluster_node *n)
{
	if (r->cluster->asking)
		return;
	r->cluster->asking = redis_conn_send(n->conn, CLUSTER_SLOTS, sizeof(CLUSTER_SLOTS) - 1,
				 map_answered, n) == E_OK;
}

static void
cluster_begin(struct redis *r)
{
	if (r->cluster == NULL)
		r->cluster = mem_alloc(sizeof(*r->cluster));
	memset(r->cluster, 0, sizeof(*r->cluster));
	memset(r->cluster->slots, NOBODY, sizeof(r->cluster->slots));
	r->asked = 0;
	cluster_ask_host(r);
}

/* Commands on the other connections are told as well. */
static void
cluster_end(struct redis *r)
{
	struct cluster *c = r->cluster;

	if (c == NULL)
		return;
	c->ending = true;
	for (size_t i = 0; i < c->count; i++) {
		if (c->nodes[i].conn != NULL)
			redis_conn_fail(c->nodes[i].conn, LABEL(redis, CLOSED),
			    "another server of the cluster is gone");
		redis_conn_free(&c->nodes[i].conn);
	}
}

static void command_answered(const struct redis_answer *, void *);

/* "MOVED 3999 127.0.0.1:6381": the node it names. */
static struct cluster_node *
redirect_node(struct redis *r, const char *text, unsigned slot)
{
	const char *place = strrchr(text, ' '), *colon = place != NULL ? strrchr(place, ':') : NULL;
	char name[REDIS_HOST];
	uint64_t port;

	if (colon == NULL || text_to_u64(colon + 1, &port) != E_OK || port == 0 ||
	    port > UINT16_MAX ||
	    text_copy_n(name, sizeof(name), place + 1, (size_t)(colon - place - 1)) != E_OK)
		return NULL;
	if (name[0] == '\0' && r->cluster->slots[slot] != NOBODY)
		(void)text_copy(
		    name, sizeof(name), r->cluster->nodes[r->cluster->slots[slot]].host.name);
	return node_of(r, name, (uint16_t)port);
}

/* True when it is on its way again, and its answer still to come. */
static bool
command_redirect(struct cluster_command *k, const char *text)
{
	struct cluster *c = k->redis->cluster;
	bool moved = text_starts(text, "MOVED ");
	struct cluster_node *n;

	if ((!moved && !text_starts(text, "ASK ")) || k->redirects++ == REDIRECTS_MAX)
		return false;
	n = redirect_node(k->redis, text, k->slot);
	if (n == NULL)
		return false;
	if (moved) {
		c->slots[k->slot] = (uint8_t)(n - c->nodes);
		n->serves = true; /* from now on it is missed */
		if (redis_conn_is_up(n->conn) && clock_mono() - c->mapped_ns > MAP_PAUSE_NS)
			cluster_map_ask(k->redis, n);
	}
	if (!redis_conn_is_up(n->conn)) {
		node_connect(n);
		return false; /* whoever asked may ask again when it stands */
	}
	if (!moved && redis_conn_send(n->conn, ASKING, sizeof(ASKING) - 1, NULL, NULL) != E_OK)
		return false;
	return redis_conn_send(n->conn, k->bytes, k->len, command_answered, k) == E_OK;
}

static void
command_answered(const struct redis_answer *a, void *arg)
{
	struct cluster_command *k = arg;
	bool is_open = k->redis->hooks != NULL;

	if (is_open && a->reply != NULL && a->cause == LABEL(redis, CLUSTER) &&
	    command_redirect(k, a->reply->str))
		return;
	if (is_open)
		k->done(a, k->arg);
	mem_free(&k);
}

static struct cluster_node *
node_of_slot(struct cluster *c, unsigned slot)
{
	if (c->slots[slot] != NOBODY)
		return &c->nodes[c->slots[slot]];
	for (size_t i = 0; i < c->count; i++)
		if (redis_conn_is_up(c->nodes[i].conn))
			return &c->nodes[i]; /* it will say where to */
	return NULL;
}

static int
cluster_send(
    struct redis *r, const char *key, const void *command, size_t len, REDIS_DONE(done), void *arg)
{
	unsigned slot = key != NULL ? redis_slot(key, strlen(key)) : 0;
	struct cluster_node *n = node_of_slot(r->cluster, slot);
	struct cluster_command *k;
	int e;

	if (n == NULL || !redis_conn_is_up(n->conn))
		return E_CLOSED;
	k = mem_alloc(sizeof(*k) + len);
	*k = (struct cluster_command){
		.redis = r, .done = done, .arg = arg, .slot = slot, .len = len
	};
	memcpy(k->bytes, command, len);
	if ((e = redis_conn_send(n->conn, k->bytes, len, command_answered, k)) != E_OK)
		mem_free(&k);
	return e;
}

const struct redis_form_ops redis_form_cluster = { cluster_begin, cluster_end, cluster_send };
