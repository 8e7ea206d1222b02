/* control.c - what a worker says on its control channel.
 *
 * It is all gossip: nothing a worker says can end the master or keep it from the others. What the table
 * does not allow, a descriptor, or too much of anything costs the worker its life.
 */
#include "master_room.h"

#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "label.h"
#include "log.h"

static void
control_free(void *arg)
{
	struct chan *c = arg;

	chan_close(&c);
}

/* After the turn, because this runs inside the channel's own callbacks; until then it is not heeded. */
void
control_drop(struct slot *s)
{
	if (s->control != NULL)
		loop_free_later(s->master->loop, control_free, s->control);
	s->control = NULL;
}

void
control_break(struct slot *s, const char *why)
{
	log_error("%s: control channel: %s: killed", s->name, why);
	trouble_note(
	    &s->master->stats, LABEL(trouble, CHANNEL), "control channel of %s: %s", s->name, why);
	s->cause = CAUSE_PROTOCOL;
	slot_event(s, SLOT_ON_BROKEN);
}

static void
control_message(struct chan *c, enum msg_type type, const void *data, int fd, void *owner)
{
	struct slot *s = owner;

	if (fd >= 0)
		close(fd);
	if (c != s->control)
		return;
	if (fd >= 0)
		control_break(s, "it handed out a descriptor");
	else if (!limit_take(&s->talk, 0, clock_mono()))
		control_break(s, "it floods");
	else if (type == MSG_READY)
		slot_event(s, SLOT_ON_READY);
	else if (type == MSG_PEER_LOST)
		wire_lost(s, data);
	else
		control_break(s, "nothing here handles its message");
}

static void
control_opened(struct chan *c, const char *name, int pid, void *owner)
{
	struct slot *s = owner;

	if (c == s->control && (strcmp(name, s->name) != 0 || pid != (int)s->pid))
		control_break(s, "it gives itself out as another");
}

static void
control_closed(struct chan *c, int error, const char *why, void *owner)
{
	struct slot *s = owner;

	if (c != s->control)
		return;
	if (error == E_PROTOCOL) {
		control_break(s, why);
		return;
	}
	control_drop(s);
	slot_event(s, SLOT_ON_GONE);
}

const struct chan_hooks control_hooks = {
	.message = control_message,
	.opened = control_opened,
	.closed = control_closed,
};
