/* slot.c - the life of a slot: slot_states.def and the one function that moves through it. */
#include "master_room.h"

#include "log.h"
#include "text.h"

struct slot_row {
	enum slot_state next;
	enum slot_action action;
	bool given;
};

static const struct slot_row slot_rows[SLOT_STATES][SLOT_EVENTS] = {
#define MOVE(STATE, EVENT, NEXT, action)                                                           \
	[SLOT_##STATE][SLOT_ON_##EVENT] = { SLOT_##NEXT, SLOT_DO_##action, true },
#include "tables/slot_states.def"
};

static const char *const slot_state_names[SLOT_STATES] = {
#define STATE(NAME, text, help) (text),
#include "tables/slot_states.def"
};

static const char *const slot_event_names[SLOT_EVENTS] = {
#define EVENT(NAME, text, help) (text),
#include "tables/slot_states.def"
};

slot_action_fn *const slot_actions[SLOT_ACTION_COUNT] = {
#define X(name) slot_##name,
	SLOT_ACTIONS(X)
#undef X
};

const char *
slot_state_name(enum slot_state state)
{
	return slot_state_names[state];
}

const char *
slot_event_name(enum slot_event event)
{
	return slot_event_names[event];
}

void
slot_move(
    enum slot_state state, enum slot_event event, enum slot_state *next, enum slot_action *action)
{
	const struct slot_row *row = &slot_rows[state][event];

	if (!row->given)
		panic("slot_states.def has no row for %s in %s", slot_event_name(event),
		    slot_state_name(state));
	*next = row->next;
	*action = row->action;
}

/* A timer belongs to the state that set it, so a move clears it; an action may raise the next event. */
void
slot_event(struct slot *s, enum slot_event event)
{
	enum slot_action action;
	enum slot_state next;

	slot_move(s->state, event, &next, &action);
	if (action == SLOT_DO_impossible) {
		log_error("%s: %s while %s cannot be: ignored", s->name, slot_event_name(event),
		    slot_state_name(s->state));
		return;
	}
	if (next != s->state) {
		log_debug("%s: %s -> %s (%s)", s->name, slot_state_name(s->state),
		    slot_state_name(next), slot_event_name(event));
		loop_timer_clear(&s->timer);
		s->state = next;
		(void)text_copy(s->page->state, sizeof(s->page->state), slot_state_name(next));
	}
	s->actions[action](s);
	if (s->master != NULL)
		look_soon(s->master);
}

uint64_t
slot_generation(const struct slot *s)
{
	return s->master->generation + (s->conf != &s->master->conf);
}
