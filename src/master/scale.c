/* scale.c - more or fewer http workers while the gateway runs. */
#include "master_room.h"

#include <stdio.h>

#include "log.h"
#include "mem.h"

#define SCALE_MOST 256

struct scale {
	unsigned workers;
	done_fn *done;
	void *arg;
};

static void
scale_end(struct master *m, int error, const char *text)
{
	struct scale *s = m->scale;
	done_fn *done = s->done;
	void *arg = s->arg;

	m->scale = NULL;
	mem_free(&s);
	done(arg, error, text);
}

/* A slot that is not wanted any more is told to finish in both its seats. */
static void
scale_apply(struct master *m)
{
	struct slot *s;
	size_t i;

	slots_want(m, ROLE_HTTP, m->http_workers);
	metric_set(&m->stats, M_HTTP_WORKERS, 0, 0, m->http_workers);
	for (i = 0; i < m->slot_count; i++) {
		s = &m->slots[i];
		if (s->role != ROLE_HTTP || !s->current)
			continue;
		if (s->wanted) {
			if (s->state == SLOT_IDLE || s->state == SLOT_DRAINING ||
			    s->state == SLOT_DUMPING || s->state == SLOT_ENDING)
				slot_event(s, SLOT_ON_START);
			continue;
		}
		replace_cancel(s);
		s->cause = CAUSE_ASKED;
		slot_event(s, SLOT_ON_DRAIN);
	}
}

void
scale_http(struct master *m, unsigned workers, done_fn *done, void *arg)
{
	if (workers < 1 || workers > SCALE_MOST) {
		done(arg, E_INVALID_PARAMETER, "http: 1 to 256 workers can be had");
		return;
	}
	if (m->scale != NULL || m->strategy != NULL || m->reload != NULL || m->upgrade != NULL ||
	    m->stop.phase != STOP_NOT) {
		done(arg, E_FULL,
		    "a reload, an upgrade, another scaling, a restart of several slots or the end "
		    "is "
		    "under way");
		return;
	}
	log_info("http: %u workers, was %u", workers, m->http_workers);
	m->scale = mem_alloc(sizeof(*m->scale));
	*m->scale = (struct scale){ .workers = workers, .done = done, .arg = arg };
	m->http_workers = workers;
	scale_apply(m);
	look_soon(m);
}

void
scale_look(struct master *m)
{
	const struct slot *s;
	char text[160];
	size_t i;

	if (m->scale == NULL)
		return;
	if (m->stop.phase != STOP_NOT) {
		scale_end(m, E_CLOSED, "the gateway is stopping");
		return;
	}
	for (i = 0; i < m->slot_count; i++) {
		s = &m->slots[i];
		if (s->role != ROLE_HTTP || !s->current)
			continue;
		if (s->wanted && (s->state == SLOT_WAITING || s->state == SLOT_FAILED)) {
			snprintf(text, sizeof(text), "%s: does not get ready: %.96s; tries go on",
			    s->label, s->page->last_exit);
			scale_end(m, E_SYSTEM, text);
			return;
		}
		if (s->wanted ? s->state != SLOT_READY : s->state != SLOT_IDLE)
			return;
	}
	snprintf(text, sizeof(text), "http: %u workers serve", m->scale->workers);
	scale_end(m, E_OK, text);
}
