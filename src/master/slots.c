/* slots.c - the slots of this gateway, as roles.def and the configuration want them. */
#include "master_room.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "text.h"

enum slots_many { SLOTS_SELF, SLOTS_ONE, SLOTS_PER_UPSTREAM, SLOTS_CONFIGURED };
enum slots_need { SLOTS_REQUIRED, SLOTS_OPTIONAL };

struct slots_row {
	enum role role;
	const char *name;
	enum slots_many many;
	enum slots_need need;
	int ready_seconds;
};

static const struct slots_row slots_rows[] = {
#define ROLE(NAME, bit, executable, slot, count, need, ready_seconds, help)                        \
	{ ROLE_##NAME, (slot), SLOTS_##count, SLOTS_##need, (ready_seconds) },
#include "tables/roles.def"
};

static void
slots_timer(void *arg)
{
	slot_event(arg, SLOT_ON_TIMER);
}

static void
slots_add(struct master *m, const struct slots_row *row, const char *name)
{
	struct slot *s = &m->slots[m->slot_count];

	if (m->slot_count == BOARD_SLOTS)
		panic("more slots than the board has pages");
	s->master = m;
	s->role = row->role;
	s->required = row->need == SLOTS_REQUIRED;
	s->state = SLOT_IDLE;
	s->actions = slot_actions;
	s->ready_ms = m->conf.supervisor_ready_timeout;
	if (s->ready_ms == 0)
		s->ready_ms = row->ready_seconds * INT64_C(1000);
	s->backoff.floor_ms = (uint32_t)m->conf.supervisor_restart_floor;
	s->backoff.ceiling_ms = (uint32_t)m->conf.supervisor_restart_ceiling;
	(void)text_copy(s->name, sizeof(s->name), name);
	s->page = board_slot(m->board, s->name, s->role);
	if (s->page == NULL)
		panic("more slots than the board has pages");
	(void)text_copy(s->page->state, sizeof(s->page->state), slot_state_name(s->state));
	s->stats = (struct stats){ .mine = s->page, .all = m->board };
	loop_timer_open(m->loop, &s->timer, slots_timer, s);
	m->slot_count++;
}

static void
slots_add_role(struct master *m, const struct slots_row *row, unsigned http_workers)
{
	char name[SLOT_NAME];
	unsigned i;

	switch (row->many) {
	case SLOTS_SELF:
		return;
	case SLOTS_ONE:
		slots_add(m, row, row->name);
		return;
	case SLOTS_PER_UPSTREAM:
		snprintf(name, sizeof(name), "%s-rest", row->name);
		slots_add(m, row, name);
		return;
	case SLOTS_CONFIGURED:
		for (i = 0; i < http_workers; i++) {
			snprintf(name, sizeof(name), "%s-%u", row->name, i);
			slots_add(m, row, name);
		}
	}
}

static unsigned
slots_http_workers(const struct master *m)
{
	unsigned n = m->conf.http_workers > 0 ? (unsigned)m->conf.http_workers : cpus_usable();

	return n < 256 ? n : 256;
}

void
slots_open(struct master *m)
{
	unsigned http_workers = slots_http_workers(m);
	size_t i;

	for (i = 0; i < sizeof(slots_rows) / sizeof(slots_rows[0]); i++)
		slots_add_role(m, &slots_rows[i], http_workers);
	log_info("%u http workers%s", http_workers,
	    m->conf.http_workers > 0 ? "" : ", as many as there are processors to use");
}

void
slots_close(struct master *m)
{
	size_t i;

	for (i = 0; i < m->slot_count; i++) {
		control_drop(&m->slots[i]);
		loop_timer_close(&m->slots[i].timer);
	}
	m->slot_count = 0;
}

void
slots_event(struct master *m, enum role role, enum slot_event event)
{
	size_t i;

	for (i = 0; i < m->slot_count; i++)
		if ((m->slots[i].role & role) != 0)
			slot_event(&m->slots[i], event);
}

bool
slots_are_idle(const struct master *m, enum role role)
{
	size_t i;

	for (i = 0; i < m->slot_count; i++)
		if ((m->slots[i].role & role) != 0 && m->slots[i].state != SLOT_IDLE)
			return false;
	return true;
}

struct slot *
slots_find_pid(struct master *m, pid_t pid)
{
	size_t i;

	for (i = 0; i < m->slot_count; i++)
		if (m->slots[i].pid == pid)
			return &m->slots[i];
	return NULL;
}

void
slots_note_ready(struct master *m)
{
	size_t i;

	if (m->board->all_ready_ns != 0)
		return;
	for (i = 0; i < m->slot_count; i++)
		if (m->slots[i].required && !m->slots[i].was_ready)
			return;
	m->board->all_ready_ns = clock_wall();
	log_info("serving on %s, %.0f ms after the start", m->http.address,
	    (double)(m->board->all_ready_ns - m->board->started_ns) / (double)CLOCK_MS);
	notify_ready(m);
}
