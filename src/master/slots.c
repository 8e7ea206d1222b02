/* slots.c - the slots of this gateway, as roles.def and the configuration want them.
 *
 * An http slot has two seats: a successor is ready in one before the predecessor leaves the other. A fetcher or a
 * cache-writer holds what only one process can hold, so its slot has one.
 */
#include "master_room.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "mem.h"
#include "text.h"

#define SLOTS_HTTP_MAX 256

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

#define SLOTS_ROWS (sizeof(slots_rows) / sizeof(slots_rows[0]))

static void
slots_timer(void *arg)
{
	slot_event(arg, SLOT_ON_TIMER);
}

static const struct slots_row *
slots_row_of(enum role role)
{
	size_t i;

	for (i = 0; i < SLOTS_ROWS; i++)
		if (slots_rows[i].role == role)
			return &slots_rows[i];
	panic("roles.def has no row for role %d", (int)role);
}

static void
slot_apply_conf(struct slot *s)
{
	const struct conf *c = &s->master->conf;

	s->ready_ms = c->supervisor_ready_timeout;
	if (s->ready_ms == 0)
		s->ready_ms = slots_row_of(s->role)->ready_seconds * INT64_C(1000);
	s->backoff.floor_ms = (uint32_t)c->supervisor_restart_floor;
	s->backoff.ceiling_ms = (uint32_t)c->supervisor_restart_ceiling;
}

void
slots_apply_conf(struct master *m)
{
	size_t i;

	for (i = 0; i < m->slot_count; i++)
		slot_apply_conf(&m->slots[i]);
}

static struct slot *
slots_add_seat(struct master *m, const struct slots_row *row, const char *name, unsigned number)
{
	struct slot *s = &m->slots[m->slot_count];

	if (m->slot_count == BOARD_SLOTS)
		panic("more slots than the board has pages");
	s->master = m;
	s->role = row->role;
	s->number = number;
	s->required = row->need == SLOTS_REQUIRED;
	s->state = SLOT_IDLE;
	s->actions = slot_actions;
	s->conf = &m->conf;
	(void)text_copy(s->name, sizeof(s->name), name);
	role_slot_label(name, s->label);
	slot_apply_conf(s);
	s->page = board_slot(m->board, s->name, s->role);
	if (s->page == NULL)
		panic("more slots than the board has pages");
	if (m->handed_workers == 0)
		(void)text_copy(s->page->state, sizeof(s->page->state), slot_state_name(s->state));
	s->stats = (struct stats){ .mine = s->page, .all = m->board };
	loop_timer_open(m->loop, &s->timer, slots_timer, s);
	m->slot_count++;
	return s;
}

static uint32_t
slots_page_index(const struct slot *s)
{
	return (uint32_t)(s->page - s->master->board->slots);
}

static void
slots_add(struct master *m, const struct slots_row *row, const char *name, unsigned number)
{
	struct slot *first = slots_add_seat(m, row, name, number), *second;
	char beside[SLOT_NAME];

	first->current = true;
	if (m->handed_workers == 0)
		first->page->current = 1;
	if (row->many != SLOTS_CONFIGURED)
		return;
	if (text_copy(beside, sizeof(beside), name) != E_OK ||
	    strlen(name) + sizeof(".1") > sizeof(beside))
		panic("%s: the name is too long for a second seat", name);
	strcat(beside, ".1");
	second = slots_add_seat(m, row, beside, number);
	first->twin = second;
	second->twin = first;
	second->page->twin = slots_page_index(first) + 1;
	first->page->twin = slots_page_index(second) + 1;
	/* The pages may be those of a slot that an earlier image scaled away. */
	if (m->handed_workers == 0)
		second->page->current = 0;
}

static struct slot *
slots_find_number(struct master *m, enum role role, unsigned number)
{
	size_t i;

	for (i = 0; i < m->slot_count; i++)
		if (m->slots[i].role == role && m->slots[i].number == number && m->slots[i].current)
			return &m->slots[i];
	return NULL;
}

static void
slots_name(const struct slots_row *row, unsigned number, char name[SLOT_NAME])
{
	if (row->many == SLOTS_CONFIGURED)
		snprintf(name, SLOT_NAME, "%s-%u", row->name, number);
	else
		snprintf(name, SLOT_NAME, "%s%s%s", row->name,
		    row->many == SLOTS_PER_UPSTREAM ? "-" : "",
		    row->many == SLOTS_PER_UPSTREAM ? role_upstream(number) : "");
}

void
slots_want(struct master *m, enum role role, unsigned count)
{
	const struct slots_row *row = slots_row_of(role);
	char name[SLOT_NAME];
	unsigned i;
	size_t at;

	for (i = 0; i < count; i++) {
		slots_name(row, i, name);
		if (slots_find_number(m, role, i) == NULL)
			slots_add(m, row, name, i);
	}
	for (at = 0; at < m->slot_count; at++)
		if (m->slots[at].role == role)
			m->slots[at].wanted = m->slots[at].current && m->slots[at].number < count;
}

unsigned
slots_http_workers(const struct conf *c)
{
	unsigned n = c->http_workers > 0 ? (unsigned)c->http_workers : cpus_usable();

	return n < SLOTS_HTTP_MAX ? n : SLOTS_HTTP_MAX;
}

bool
slots_want_tracer(const struct conf *c)
{
	bool has_collector = c->trace_endpoint[0] != '\0' || c->trace_traces_endpoint[0] != '\0';

	return has_collector && !c->trace_disabled && strcmp(c->trace_sampler, "always_off") != 0;
}

/* The image before left one that runs: whatever the configuration says now, somebody has to look after it. */
static bool
slots_inherit_tracer(const struct master *m)
{
	const struct slot_page *p = m->board->slots;
	size_t i;

	for (i = 0; m->handed_workers > 0 && i < BOARD_SLOTS; i++)
		if (p[i].role == ROLE_TRACER && p[i].pid > 0)
			return true;
	return false;
}

static unsigned
slots_count(const struct master *m, const struct slots_row *row)
{
	if (row->role == ROLE_TRACER)
		return slots_want_tracer(&m->conf) || slots_inherit_tracer(m);
	return row->many == SLOTS_CONFIGURED ? m->http_workers : 1;
}

void
slots_open(struct master *m)
{
	size_t i;

	m->http_workers = m->handed_workers > 0 ? m->handed_workers : slots_http_workers(&m->conf);
	for (i = 0; i < SLOTS_ROWS; i++)
		if (slots_rows[i].many != SLOTS_SELF)
			slots_want(m, slots_rows[i].role, slots_count(m, &slots_rows[i]));
	log_info("%u http workers%s", m->http_workers,
	    m->conf.http_workers > 0 ? "" : ", as many as there are processors to use");
}

void
slots_close(struct master *m)
{
	size_t i;

	for (i = 0; i < m->slot_count; i++) {
		control_drop(&m->slots[i]);
		crash_forget(&m->slots[i]);
		mem_free(&m->slots[i].deaths_ns);
		loop_timer_close(&m->slots[i].timer);
	}
	m->slot_count = 0;
}

void
slots_start(struct master *m)
{
	size_t i;

	for (i = 0; i < m->slot_count; i++)
		if (m->slots[i].wanted && m->slots[i].current && m->slots[i].state == SLOT_IDLE)
			slot_event(&m->slots[i], SLOT_ON_START);
}

void
slots_event(struct master *m, enum role role, enum slot_event event)
{
	size_t i;

	for (i = 0; i < m->slot_count; i++)
		if ((m->slots[i].role & role) != 0)
			slot_event(&m->slots[i], event);
}

void
slots_cause(struct master *m, enum role role, enum slot_cause cause)
{
	size_t i;

	for (i = 0; i < m->slot_count; i++)
		if ((m->slots[i].role & role) != 0 && slot_has_process(&m->slots[i]))
			m->slots[i].cause = cause;
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

struct slot *
slots_find(struct master *m, const char *label)
{
	size_t i;

	for (i = 0; i < m->slot_count; i++)
		if (m->slots[i].current && strcmp(m->slots[i].label, label) == 0)
			return &m->slots[i];
	return NULL;
}

void
slots_note_ready(struct master *m)
{
	const struct slot *s;
	size_t i;

	if (m->board->all_ready_ns != 0)
		return;
	for (i = 0; i < m->slot_count; i++) {
		s = &m->slots[i];
		if (s->required && s->wanted && s->current && !s->was_ready)
			return;
	}
	m->board->all_ready_ns = clock_wall();
	log_info("serving on %s, %.0f ms after the start", m->http.address,
	    (double)(m->board->all_ready_ns - m->board->started_ns) / (double)CLOCK_MS);
	notify_ready(m);
}
