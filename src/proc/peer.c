/* peer.c - channels to other workers, wired by the master.
 *
 * A peer is announced when both hellos are through and forgotten when its channel is over, whoever ended
 * it. The master is told, by the number it gave the channel: it knows whether the peer is dying anyway
 * or a new channel is due.
 */
#include "proc_room.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "label.h"
#include "log.h"
#include "mem.h"
#include "text.h"

static void
peer_free(void *arg)
{
	struct peer *peer = arg;

	chan_close(&peer->chan);
	mem_free(&peer);
}

static void
peer_unlink(struct peer *peer)
{
	struct peer **at;

	for (at = &peer->proc->peers; *at != NULL; at = &(*at)->next)
		if (*at == peer) {
			*at = peer->next;
			break;
		}
	peer->next = NULL;
}

static bool
peer_is_dropped(const struct peer *peer)
{
	const struct peer *p;

	for (p = peer->proc->peers; p != NULL; p = p->next)
		if (p == peer)
			return false;
	return true;
}

/* Its channel is closed after the turn, because this runs inside the channel's own callbacks. */
static void
peer_drop(struct peer *peer)
{
	struct proc *p = peer->proc;

	peer_unlink(peer);
	if (peer->up && p->hooks->peer_down != NULL)
		p->hooks->peer_down(peer, p->owner);
	peer->up = false;
	loop_free_later(p->loop, peer_free, peer);
}

static void
peer_lost(struct peer *peer, int error)
{
	struct msg_peer_lost lost = { .link = peer->link, .error = error };
	struct proc *p = peer->proc;

	if (p->over || p->draining)
		return;
	if (chan_send(p->master, MSG_PEER_LOST, &lost) != E_OK)
		log_error("%s: its lost channel cannot be told to the master", peer->slot);
}

/* What broke it was logged. */
static void
peer_broke(struct peer *peer, const char *why)
{
	struct stats *s = &peer->proc->stats;

	metric_add(s, M_CHANNEL_REFUSED, 0, 0, 1);
	trouble_note(s, LABEL(trouble, CHANNEL), "channel to %s: refused: %s", peer->slot, why);
}

static void
peer_overran(struct peer *peer)
{
	struct stats *s = &peer->proc->stats;

	metric_add(s, M_CHANNEL_FULL, 0, 0, 1);
	trouble_note(s, LABEL(trouble, CHANNEL), "channel to %s: its queue is full, %zu bytes",
	    peer->slot, chan_queued(peer->chan));
}

static void
peer_opened(struct chan *c, const char *slot, int pid, void *owner)
{
	struct peer *peer = owner;
	struct proc *p = peer->proc;

	(void)c;
	if (peer_is_dropped(peer))
		return;
	if (strcmp(slot, peer->slot) != 0) {
		log_error("%s: the channel is with %s instead", peer->slot, slot);
		peer_broke(peer, "somebody else is there");
		peer_lost(peer, E_PROTOCOL);
		peer_drop(peer);
		return;
	}
	log_debug("%s: connected, pid %d, channel %" PRIu64, slot, pid, peer->link);
	peer->up = true;
	if (p->hooks->peer_up != NULL)
		p->hooks->peer_up(peer, p->owner);
}

static void
peer_message(struct chan *c, enum msg_type type, const void *data, int fd, void *owner)
{
	struct peer *peer = owner;
	struct proc *p = peer->proc;
	const struct msg_handler *h;

	(void)c;
	if (fd >= 0)
		close(fd); /* only the master hands out descriptors */
	if (!peer->up)
		return;
	metric_add(&p->stats, M_CHANNEL_RECEIVED, 0, 0, 1);
	for (h = p->handlers; h != NULL && h->on != NULL; h++)
		if (h->type == type) {
			h->on(peer, data, p->owner);
			return;
		}
	log_warn("%s: nothing here handles %s", peer->slot, msg_desc(type)->name);
}

static void
peer_closed(struct chan *c, int error, const char *why, void *owner)
{
	struct peer *peer = owner;

	(void)c;
	if (peer_is_dropped(peer))
		return;
	log_debug("%s: disconnected: %s", peer->slot, why);
	if (error == E_PROTOCOL)
		peer_broke(peer, why);
	peer_lost(peer, error);
	peer_drop(peer);
}

static const struct chan_hooks peer_chan_hooks = {
	.message = peer_message,
	.opened = peer_opened,
	.closed = peer_closed,
};

/* A channel to a slot that has one already replaces it: its process was replaced. */
void
peer_add(struct proc *p, const struct msg_peer *m, int fd)
{
	struct peer *peer, *old;
	enum role role = role_of_slot(m->slot);

	if (role == 0 || m->role != (uint64_t)role) {
		log_error("%s: the master calls it role %" PRIu64, m->slot, m->role);
		close(fd);
		return;
	}
	for (old = p->peers; old != NULL; old = old->next)
		if (strcmp(old->slot, m->slot) == 0) {
			peer_drop(old);
			break;
		}
	peer = mem_alloc(sizeof(*peer));
	peer->proc = p;
	peer->role = role;
	peer->link = m->link;
	(void)text_copy(peer->slot, sizeof(peer->slot), m->slot);
	peer->next = p->peers;
	p->peers = peer;
	peer->chan =
	    chan_open(p->loop, fd, p->role, role, p->slot, PROC_PEER_QUEUE, &peer_chan_hooks, peer);
}

void
peer_drop_all(struct proc *p)
{
	while (p->peers != NULL)
		peer_drop(p->peers);
}

size_t
peer_queued_all(const struct proc *p)
{
	size_t sum = 0;

	for (const struct peer *peer = p->peers; peer != NULL; peer = peer->next)
		sum += peer->up ? chan_queued(peer->chan) : 0;
	return sum;
}

int
peer_send(struct peer *peer, enum msg_type type, const void *message)
{
	int r;

	if (!peer->up)
		return E_CLOSED;
	r = chan_send(peer->chan, type, message);
	if (r == E_OK)
		metric_add(&peer->proc->stats, M_CHANNEL_SENT, 0, 0, 1);
	else if (r == E_FULL)
		peer_overran(peer);
	return r;
}

struct peer *
proc_peer(struct proc *p, enum role role, struct peer *after)
{
	struct peer *peer = after ? after->next : p->peers;

	while (peer != NULL && (peer->role != role || !peer->up))
		peer = peer->next;
	return peer;
}
