/* main.c - cache-writer: reads the journals of the fetchers and writes the history store. */
#include "cache_writer.h"
#include "latest_sink.h"
#include "log.h"
#include "proc.h"
#include "traced.h"

struct cache_writer {
	struct proc *proc;
	struct writer *writer;
	struct latest *latest; /* null without Redis */
	int draining;	       /* of both, how many are not done */
	struct traced traced;
};

static int
cache_writer_tell(void *listener, uint64_t sequence)
{
	const struct msg_stored stored = { .sequence = sequence };

	return peer_send(listener, MSG_STORED, &stored);
}

static void
cache_writer_drained(void *owner)
{
	struct cache_writer *c = owner;

	if (--c->draining == 0)
		proc_finished(c->proc);
}

static void
cache_writer_peer_up(struct peer *peer, void *owner)
{
	struct cache_writer *c = owner;

	tracing_peer_up(&c->traced.tracing, peer);
	if (peer->role == ROLE_FETCHER)
		writer_listen(c->writer, peer->slot, peer);
}

static void
cache_writer_peer_down(struct peer *peer, void *owner)
{
	struct cache_writer *c = owner;

	tracing_peer_down(&c->traced.tracing, peer);
	writer_unlisten(c->writer, peer);
}

static void
cache_writer_drain(int64_t timeout_ms, void *owner)
{
	struct cache_writer *c = owner;

	c->draining = 2;
	tracing_drain(&c->traced.tracing);
	latest_drain(c->latest, timeout_ms / 2, cache_writer_drained, c);
	writer_drain(c->writer, timeout_ms);
}

static void
cache_writer_on_advanced(struct peer *from, const void *data, void *owner)
{
	const struct msg_advanced *advanced = data;
	struct cache_writer *c = owner;

	log_debug("journal %s: holds records up to %llu", from->slot,
	    (unsigned long long)advanced->sequence);
	writer_ring(c->writer);
	latest_ring(c->latest);
}

static void
cache_writer_on_appended(struct peer *from, const void *data, void *owner)
{
	struct cache_writer *c = owner;

	traced_await(&c->traced, from->slot, data);
}

static void
cache_writer_committed(
    const char *source, uint64_t sequence, const struct store_commit *done, void *owner)
{
	struct cache_writer *c = owner;

	traced_committed(&c->traced, source, sequence, done);
}

static const struct msg_handler cache_writer_handlers[] = {
	{ MSG_ADVANCED, cache_writer_on_advanced },
	{ MSG_APPENDED, cache_writer_on_appended },
	{ 0, NULL },
};

static const struct proc_hooks cache_writer_hooks = {
	.peer_up = cache_writer_peer_up,
	.peer_down = cache_writer_peer_down,
	.drain = cache_writer_drain,
};

static const struct writer_hooks writer_hooks = {
	.stored = cache_writer_tell,
	.drained = cache_writer_drained,
	.committed = cache_writer_committed,
};

int
main(int argc, char **argv)
{
	struct proc *p = proc_begin(ROLE_CACHE_WRITER, argc, argv);
	struct cache_writer c = { .proc = p };
	const struct store_kind *kind;
	char why[STORE_WHY] = "";

	proc_confine(p);
	proc_connect(p, &cache_writer_hooks, cache_writer_handlers, &c);

	tracing_init(&c.traced.tracing, p);
	kind = p->conf.postgres_url[0] != '\0' ? &store_postgres : &store_sqlite;
	if (writer_open(&c.writer, p->loop, &p->conf, &p->stats, kind, &writer_hooks, &c, why) !=
	    E_OK)
		fatal(EXIT_WITH_STATE, "store %s: history of %s: %s", kind->name, p->conf.state_dir,
		    why);
	c.traced.store = kind->name;

	c.latest = latest_open(p->loop, &p->conf, &p->stats);

	proc_ready(p);
	proc_loop(p);

	tracing_fini(&c.traced.tracing);
	latest_close(&c.latest);
	writer_close(&c.writer);
	return proc_end(p);
}
