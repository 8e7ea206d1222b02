/* control.c - the worker's end of its control channel: what the master says.
 *
 * Peers and listeners that come before the worker's loop runs are kept, because the worker has not yet
 * made what their hooks would use.
 */
#include "proc_room.h"

#include <unistd.h>

#include "log.h"
#include "mem.h"

#define CONTROL_QUEUE (64u * 1024)

static void
control_setting(struct proc *p, const struct msg_setting *m)
{
	char why[CONF_ERROR];

	if (conf_set(&p->conf, m->key, m->value, "the master", why) != E_OK)
		fatal(EXIT_WITH_CONFIG, "%s", why);
}

static struct proc_late *
control_late_add(struct proc *p, enum late_kind kind, int fd)
{
	struct proc_late *late;
	size_t bytes = p->late_count * sizeof(*late);

	if (p->late_count == PROC_LATE_MAX)
		fatal(EXIT_WITH_PROTOCOL, "the master hands out more descriptors than slots exist");
	p->late = mem_grow(p->late, bytes, bytes + sizeof(*late));
	late = &p->late[p->late_count++];
	late->kind = kind;
	late->fd = fd;
	return late;
}

static void
control_listener(struct proc *p, const struct msg_listener *m, int fd)
{
	log_debug("%s: listening on %s", m->name, m->address);
	if (p->hooks->listener != NULL)
		p->hooks->listener(fd, m->name, p->owner);
	else
		close(fd);
}

static void
control_descriptor(struct proc *p, enum msg_type type, const void *data, int fd)
{
	if (fd < 0) {
		log_error("master: %s came without its descriptor", msg_desc(type)->name);
		proc_stop(p, EXIT_WITH_PROTOCOL);
	} else if (type == MSG_PEER) {
		if (p->running)
			peer_add(p, data, fd);
		else
			control_late_add(p, LATE_PEER, fd)->what.peer =
			    *(const struct msg_peer *)data;
	} else {
		if (p->running)
			control_listener(p, data, fd);
		else
			control_late_add(p, LATE_LISTENER, fd)->what.listener =
			    *(const struct msg_listener *)data;
	}
}

static void
control_message(struct chan *c, enum msg_type type, const void *data, int fd, void *owner)
{
	struct proc *p = owner;

	(void)c;
	if (type == MSG_PEER || type == MSG_LISTENER) {
		control_descriptor(p, type, data, fd);
		return;
	}
	if (fd >= 0)
		close(fd);
	if (type == MSG_SETTING) {
		control_setting(p, data);
	} else if (type == MSG_SETTLED) {
		p->generation = ((const struct msg_settled *)data)->generation;
		(void)proc_log_open(p->slot, &p->conf);
		p->settled = true;
	} else if (type == MSG_DRAIN) {
		proc_drain(p, (int64_t)((const struct msg_drain *)data)->timeout_ms);
	} else {
		log_warn("master: nothing here handles %s", msg_desc(type)->name);
	}
}

static void
control_closed(struct chan *c, int error, const char *why, void *owner)
{
	struct proc *p = owner;

	(void)c;
	if (p->over)
		return;
	if (error == E_PROTOCOL) {
		proc_stop(p, EXIT_WITH_PROTOCOL);
	} else {
		log_warn("the master vanished: %s", why);
		proc_stop(p, EXIT_WITH_ORPHANED);
	}
}

static const struct chan_hooks control_hooks = {
	.message = control_message,
	.closed = control_closed,
};

void
control_open(struct proc *p)
{
	p->master = chan_open(p->loop, PROC_FD_CONTROL, p->role, ROLE_MASTER, p->slot,
	    CONTROL_QUEUE, &control_hooks, p);
}

void
control_late_handle(struct proc *p)
{
	struct proc_late *late;
	size_t i;

	for (i = 0; i < p->late_count; i++) {
		late = &p->late[i];
		if (late->kind == LATE_PEER)
			peer_add(p, &late->what.peer, late->fd);
		else
			control_listener(p, &late->what.listener, late->fd);
	}
	p->late_count = 0;
	mem_free(&p->late);
}

void
control_late_drop(struct proc *p)
{
	size_t i;

	for (i = 0; i < p->late_count; i++)
		close(p->late[i].fd);
	p->late_count = 0;
	mem_free(&p->late);
}
