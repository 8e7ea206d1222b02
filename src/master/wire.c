/* wire.c - what a worker is told: configuration, listeners, channels to its peers.
 *
 * A link is a socketpair between two slots whose roles links.def joins. Its ends are handed out as soon as
 * both slots have a process; when one is replaced the link is forgotten and made anew with the next.
 * A worker that lost a link to a peer which lives tells so by the link's number; the new link comes
 * a moment later, so that two that cannot get along do not keep the master busy.
 *
 * Descriptors on their way are few and dear: a worker gets some in a turn, and more when it took those.
 */
#include "master_room.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "mem.h"
#include "text.h"

#define WIRE_AGAIN_MS 100
#define WIRE_SOON_MS  5
#define WIRE_TURN_MAX 32 /* descriptors for one worker in one turn; a channel queues 64 */

/* Of the errors only a full queue is the worker's fault; a closed channel is about to be noticed. */
static int
wire_send(struct slot *s, enum msg_type type, const void *message, int fd)
{
	int r;

	if (s->control == NULL)
		return E_CLOSED;
	if (fd < 0)
		r = chan_send(s->control, type, message);
	else
		r = chan_send_fd(s->control, type, message, fd);
	if (r == E_FULL)
		control_break(s, "it does not read");
	return r;
}

static void
wire_turn_end(void *arg)
{
	struct master *m = arg;
	size_t i;

	for (i = 0; i < m->slot_count; i++)
		m->slots[i].handed = 0;
	m->handing = false;
	if (m->postponed)
		loop_timer_set(&m->rewire, WIRE_SOON_MS);
	m->postponed = false;
}

/* Counts what is handed out in this turn; the count also says that what is queued is of this turn. */
static void
wire_turn_begin(struct slot *s)
{
	s->handed++;
	if (!s->master->handing)
		loop_at_end(s->master->loop, wire_turn_end, s->master);
	s->master->handing = true;
}

static bool
wire_takes_more(const struct slot *s)
{
	if (s->handed == 0)
		return chan_queued(s->control) == 0;
	return s->handed < WIRE_TURN_MAX;
}

void
wire_settings(struct slot *s)
{
	struct msg_settled settled = { .generation = slot_generation(s) };
	struct msg_setting setting;
	const struct conf_row *rows;
	size_t count, i;
	int r = E_OK;

	rows = conf_rows(&count);
	wire_turn_begin(s);
	for (i = 0; i < count && r == E_OK; i++) {
		if ((rows[i].roles & (unsigned)s->role) == 0)
			continue;
		memset(&setting, 0, sizeof(setting));
		snprintf(setting.key, sizeof(setting.key), "%s.%s", rows[i].section, rows[i].key);
		if (conf_text(s->conf, &rows[i], setting.value, sizeof(setting.value)) != E_OK)
			panic("%s: the value does not fit a message", setting.key);
		r = wire_send(s, MSG_SETTING, &setting, -1);
	}
	mem_wipe(&setting, sizeof(setting));
	if (r == E_OK)
		(void)!wire_send(s, MSG_SETTLED, &settled, -1);
}

void
wire_listeners(struct slot *s)
{
	const struct listener *l = &s->master->http;
	struct msg_listener m = { 0 };

	if (s->role != ROLE_HTTP)
		return;
	(void)text_copy(m.name, sizeof(m.name), l->name);
	(void)text_copy(m.address, sizeof(m.address), l->address);
	if (wire_send(s, MSG_LISTENER, &m, l->fd) == E_SYSTEM)
		control_break(s, "the listening socket cannot be handed out");
}

bool
wire_can_hand(const struct master *m, size_t count)
{
	int fds[BOARD_SLOTS];
	size_t n = 0;
	bool can;

	while (
	    n < count && n < BOARD_SLOTS && (fds[n] = fcntl(m->http.fd, F_DUPFD_CLOEXEC, 0)) >= 0)
		n++;
	can = n == count;
	while (n > 0)
		close(fds[--n]);
	return can;
}

static struct link *
wire_find(struct master *m, const struct slot *a, const struct slot *b)
{
	size_t i;

	for (i = 0; i < m->link_count; i++)
		if ((m->links[i].a == a && m->links[i].b == b) ||
		    (m->links[i].a == b && m->links[i].b == a))
			return &m->links[i];
	return NULL;
}

static struct link *
wire_new(struct master *m, struct slot *a, struct slot *b)
{
	struct link *link = wire_find(m, NULL, NULL);

	if (link == NULL) {
		m->links = mem_grow(
		    m->links, m->link_count * sizeof(*link), (m->link_count + 1) * sizeof(*link));
		link = &m->links[m->link_count++];
	}
	link->number = ++m->link_number;
	link->a = a;
	link->b = b;
	return link;
}

void
wire_adopt(struct master *m, uint64_t number, struct slot *a, struct slot *b)
{
	wire_new(m, a, b)->number = number;
	if (m->link_number < number)
		m->link_number = number;
}

static int
wire_end(struct slot *to, const struct slot *peer, uint64_t number, int fd)
{
	struct msg_peer m = { .role = peer->role, .link = number };

	wire_turn_begin(to);
	(void)text_copy(m.slot, sizeof(m.slot), peer->name);
	return wire_send(to, MSG_PEER, &m, fd);
}

static void
wire_link_free(struct link *link)
{
	*link = (struct link){ 0 };
}

/* Descriptors may be short for a while: the timer tries again. An end that was handed out alone closes. */
static void
wire_pair(struct slot *a, struct slot *b)
{
	struct master *m = a->master;
	struct link *link;
	int fds[2], error;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0) {
		page_refused(m, a->name, "channel to another", error = errno);
		log_error("%s: no channel to %s: %s", a->name, b->name, strerror(error));
		loop_timer_set(&m->rewire, WIRE_AGAIN_MS);
		return;
	}
	link = wire_new(m, a, b);
	if (wire_end(a, b, link->number, fds[0]) != E_OK ||
	    wire_end(b, a, link->number, fds[1]) != E_OK) {
		wire_link_free(link);
		loop_timer_set(&m->rewire, WIRE_AGAIN_MS);
	}
	close(fds[0]);
	close(fds[1]);
}

static bool
wire_is_reachable(const struct slot *s)
{
	/* One with two seats that drains still has requests in hand, which a new fetcher may have to answer. */
	return s->control != NULL && (s->state == SLOT_STARTING || s->state == SLOT_READY ||
					 (s->state == SLOT_DRAINING && s->twin != NULL));
}

static void
wire_postpone(struct master *m)
{
	if (m->handing)
		m->postponed = true;
	else
		loop_timer_set(&m->rewire, WIRE_SOON_MS);
}

void
wire_peers(struct slot *s)
{
	struct master *m = s->master;
	struct slot *other;
	size_t i;

	for (i = 0; i < m->slot_count && wire_is_reachable(s); i++) {
		other = &m->slots[i];
		if (other == s || !role_is_linked(s->role, other->role) ||
		    !wire_is_reachable(other) || wire_find(m, s, other) != NULL)
			continue;
		if (wire_takes_more(s) && wire_takes_more(other))
			wire_pair(s, other);
		else
			wire_postpone(m);
	}
}

void
wire_forget(struct slot *s)
{
	struct master *m = s->master;
	size_t i;

	for (i = 0; i < m->link_count; i++)
		if (m->links[i].a == s || m->links[i].b == s)
			wire_link_free(&m->links[i]);
}

static struct link *
wire_find_number(struct master *m, uint64_t number, const struct slot *end)
{
	size_t i;

	for (i = 0; i < m->link_count; i++)
		if (m->links[i].number == number && (m->links[i].a == end || m->links[i].b == end))
			return &m->links[i];
	return NULL;
}

/* One says of another that it breaks the protocol, and either may be the broken one. The first time the word counts; a
 * process that says it again soon, of the successor or of somebody else, is itself what they have in common. */
static void
wire_judge(struct slot *from, struct slot *other)
{
	int64_t now = clock_mono(), window = from->master->conf.supervisor_fail_window * CLOCK_MS;
	bool again = from->accused_ns != 0 && now - from->accused_ns < window;
	struct slot *broken = again ? from : other;

	from->accused_ns = now;

	if (broken == other)
		log_error(
		    "%s: %s says that it breaks the protocol: killed", other->name, from->name);
	else
		log_error("%s: says of a second process, %s, that it breaks the protocol: killed",
		    from->name, other->name);
	broken->cause = CAUSE_PROTOCOL;
	slot_event(broken, SLOT_ON_BROKEN);
}

/* The number tells a link that stands from one that was replaced meanwhile. Both ends may complain, and the
 * one that was only hung up on may be first: the link stays known until the new one is due. */
void
wire_lost(struct slot *from, const struct msg_peer_lost *lost)
{
	struct master *m = from->master;
	struct link *link = wire_find_number(m, lost->link, from);
	struct slot *other;

	if (link == NULL)
		return;
	other = link->a == from ? link->b : link->a;
	log_debug("%s: lost channel %" PRIu64 " to %s", from->name, lost->link, other->name);
	link->lost = true;
	if (!loop_timer_is_set(&m->rewire))
		loop_timer_set(&m->rewire, WIRE_AGAIN_MS);
	if (lost->error == E_PROTOCOL && wire_is_reachable(other))
		wire_judge(from, other);
}

static void
wire_again(void *arg)
{
	struct master *m = arg;
	size_t i;

	for (i = 0; i < m->link_count; i++)
		if (m->links[i].lost)
			wire_link_free(&m->links[i]);
	for (i = 0; i < m->slot_count; i++)
		wire_peers(&m->slots[i]);
}

void
wire_open(struct master *m)
{
	loop_timer_open(m->loop, &m->rewire, wire_again, m);
}

void
wire_close(struct master *m)
{
	loop_timer_close(&m->rewire);
	mem_free(&m->links);
	m->link_count = 0;
}
