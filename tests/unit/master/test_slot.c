/* test_slot.c - slot_states.def by enumeration: every pair, what it may and may not lead to. */
#include <criterion/criterion.h>
#include <string.h>

#include "master_room.h"

#define ACTION_NAMES_X(name) #name,
static const char *const action_names[] = { SLOT_ACTIONS(ACTION_NAMES_X) };

struct given {
	enum slot_state state;
	enum slot_event event;
	enum slot_state next;
	enum slot_action action;
};

static const struct given rows[] = {
#define MOVE(STATE, EVENT, NEXT, action)                                                           \
	{ SLOT_##STATE, SLOT_ON_##EVENT, SLOT_##NEXT, SLOT_DO_##action },
#include "tables/slot_states.def"
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* What has a process: read from the table's words, not from the code. */
static bool
is_alive(enum slot_state s)
{
	return s != SLOT_IDLE && s != SLOT_WAITING && s != SLOT_FAILED;
}

static enum slot_action last_action;
static int actions_run;

#define RECORD_X(name)                                                                             \
	static void record_##name(struct slot *s)                                                  \
	{                                                                                          \
		(void)s;                                                                           \
		last_action = SLOT_DO_##name;                                                      \
		actions_run++;                                                                     \
	}
SLOT_ACTIONS(RECORD_X)
#define RECORDER_X(name) record_##name,
static slot_action_fn *const recorders[SLOT_ACTION_COUNT] = { SLOT_ACTIONS(RECORDER_X) };

static void
slot_make(struct slot *s, struct slot_page *page, struct loop *loop, enum slot_state state)
{
	memset(s, 0, sizeof(*s));
	strcpy(s->name, "http-0");
	s->page = page;
	s->actions = recorders;
	s->state = state;
	strcpy(page->state, slot_state_name(state));
	loop_timer_open(loop, &s->timer, (void (*)(void *))record_nothing, s);
	loop_timer_set(&s->timer, 1000);
}

Test(slot, has_one_row_for_every_pair)
{
	int seen[SLOT_STATES][SLOT_EVENTS] = { { 0 } };
	size_t i, j;

	cr_assert_eq(ROWS, SLOT_STATES * SLOT_EVENTS);
	for (i = 0; i < ROWS; i++)
		seen[rows[i].state][rows[i].event]++;
	for (i = 0; i < SLOT_STATES; i++)
		for (j = 0; j < SLOT_EVENTS; j++)
			cr_expect_eq(seen[i][j], 1, "%s in %s", slot_event_name((enum slot_event)j),
			    slot_state_name((enum slot_state)i));
}

Test(slot, does_in_every_pair_what_the_table_says)
{
	static struct slot_page page;
	struct loop *loop = loop_new();
	struct slot s;
	size_t i;

	for (i = 0; i < ROWS; i++) {
		slot_make(&s, &page, loop, rows[i].state);
		actions_run = 0;
		slot_event(&s, rows[i].event);
		cr_expect_eq(s.state, rows[i].next);
		cr_expect_str_eq(page.state, slot_state_name(rows[i].next));
		if (rows[i].action == SLOT_DO_impossible) {
			cr_expect_eq(actions_run, 0);
			cr_expect_eq(rows[i].next, rows[i].state, "the impossible moves nothing");
		} else {
			cr_expect_eq(actions_run, 1);
			cr_expect_eq(last_action, rows[i].action, "%s", action_names[last_action]);
		}
		cr_expect_eq(loop_timer_is_set(&s.timer), rows[i].next == rows[i].state,
		    "a state's timer ends with it: %s in %s", slot_event_name(rows[i].event),
		    slot_state_name(rows[i].state));
		loop_timer_close(&s.timer);
	}
	loop_free(&loop);
}

Test(slot, never_forgets_a_live_process_and_never_spawns_a_second)
{
	size_t i;

	for (i = 0; i < ROWS; i++) {
		const struct given *r = &rows[i];

		if (is_alive(r->state) && !is_alive(r->next))
			cr_expect(r->event == SLOT_ON_DIED || r->event == SLOT_ON_UNBORN,
			    "%s in %s", slot_event_name(r->event), slot_state_name(r->state));
		if (!is_alive(r->state) && is_alive(r->next))
			cr_expect_eq(r->action, SLOT_DO_spawn);
		if (r->action == SLOT_DO_spawn)
			cr_expect(!is_alive(r->state));
		if (r->action == SLOT_DO_renew)
			cr_expect(r->event == SLOT_ON_DIED && r->next == SLOT_STARTING);
		if (is_alive(r->state) && r->event == SLOT_ON_DIED)
			cr_expect((!is_alive(r->next) || r->action == SLOT_DO_renew) &&
				      r->action != SLOT_DO_impossible,
			    "%s", slot_state_name(r->state));
	}
}

Test(slot, comes_to_rest_from_every_state_by_kill_and_death)
{
	enum slot_action action;
	enum slot_state next;
	int i;

	for (i = 0; i < SLOT_STATES; i++) {
		slot_move((enum slot_state)i, SLOT_ON_KILL, &next, &action);
		cr_expect_neq(
		    action, SLOT_DO_impossible, "%s", slot_state_name((enum slot_state)i));
		if (next == SLOT_IDLE)
			continue;
		cr_expect_eq(next, SLOT_ENDING);
		slot_move(next, SLOT_ON_DIED, &next, &action);
		cr_expect_eq(next, SLOT_IDLE);
	}
}

Test(slot, comes_to_rest_from_every_state_by_drain_and_its_deadline)
{
	enum slot_action action;
	enum slot_state next;
	int i;

	for (i = 0; i < SLOT_STATES; i++) {
		slot_move((enum slot_state)i, SLOT_ON_DRAIN, &next, &action);
		cr_expect_neq(action, SLOT_DO_impossible);
		if (next == SLOT_DRAINING)
			slot_move(next, SLOT_ON_TIMER, &next, &action);
		if (next == SLOT_DUMPING)
			slot_move(next, SLOT_ON_TIMER, &next, &action);
		cr_expect(next == SLOT_IDLE || next == SLOT_ENDING, "%s",
		    slot_state_name((enum slot_state)i));
	}
}

Test(slot, dumps_before_it_is_killed_whatever_went_wrong_in_time)
{
	static const enum slot_state states[] = { SLOT_STARTING, SLOT_RENEWING, SLOT_DRAINING };
	enum slot_action action;
	enum slot_state next;
	size_t i;

	for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		slot_move(states[i], SLOT_ON_TIMER, &next, &action);
		cr_expect(next == SLOT_ABORTED || next == SLOT_DUMPING);
		slot_move(next, SLOT_ON_TIMER, &next, &action);
		cr_expect_eq(action, SLOT_DO_kill);
		cr_expect(next == SLOT_KILLED || next == SLOT_ENDING);
	}
}

Test(slot, wanted_again_comes_back_from_every_state_that_leads_to_rest)
{
	static const enum slot_state states[] = { SLOT_DRAINING, SLOT_DUMPING, SLOT_ENDING };
	enum slot_action action;
	enum slot_state next;
	size_t i;

	for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		slot_move(states[i], SLOT_ON_START, &next, &action);
		slot_move(next, SLOT_ON_DIED, &next, &action);
		cr_expect(next == SLOT_STARTING || next == SLOT_WAITING, "%s",
		    slot_state_name(states[i]));
	}
}

Test(slot, delay_is_none_the_first_time_then_doubles_with_jitter_to_the_ceiling)
{
	static struct slot_page page;
	struct slot s = { .backoff = { .floor_ms = 100, .ceiling_ms = 1000 }, .page = &page };
	static const uint32_t wanted[] = { 100, 200, 400, 800, 1000, 1000 };
	uint32_t ms;
	size_t i;

	cr_expect_eq(slot_delay_ms(&s), 0);
	for (i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		ms = slot_delay_ms(&s);
		cr_expect(ms >= wanted[i] * 8 / 10 && ms <= wanted[i] * 12 / 10, "%u for %u", ms,
		    wanted[i]);
		cr_expect_leq(ms, 1000);
	}
	slot_steady(&s);
	cr_expect_eq(slot_delay_ms(&s), 0, "steady starts over");
}

Test(reap, tells_how_a_process_ended)
{
	char text[80];

	reap_text(9, text, sizeof(text));
	cr_expect_str_eq(text, "signal 9 (Killed)");
	reap_text(78 << 8, text, sizeof(text));
	cr_expect_str_eq(text, "exit 78 (CONFIG)");
}
