/* page.c - the master's own page on the board: what is of the gateway as a whole, and that its loop turns. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "label.h"
#include "log.h"
#include "master_room.h"
#include "text.h"

#define PAGE_BEAT_MS 1000

static void
page_beat(void *arg)
{
	struct master *m = arg;
	struct slot_page *p = m->stats.mine;

	__atomic_store_n(&p->heartbeat_ns, clock_wall(), __ATOMIC_RELAXED);
	__atomic_store_n(&p->beats, p->beats + 1, __ATOMIC_RELAXED);
	usage_look(&m->usage, &m->stats);
	system_look(&m->look, &m->stats);
	loop_timer_set(&m->beat, PAGE_BEAT_MS);
}

unsigned
page_trouble(int error)
{
	if (error == EMFILE || error == ENFILE)
		return LABEL(trouble, DESCRIPTORS);
	if (error == ENOMEM || error == ENOBUFS)
		return LABEL(trouble, MEMORY);
	return LABEL(trouble, PROCESSES);
}

void
page_refused(struct master *m, const char *who, const char *what, int error)
{
	trouble_note(&m->stats, page_trouble(error), "%s: no %s: %s", who, what, strerror(error));
}

void
page_open(struct master *m)
{
	struct slot_page *p = board_slot(m->board, "master", ROLE_MASTER);

	if (p == NULL)
		panic("the board has no page for the master");
	m->stats = (struct stats){ .mine = p, .all = m->board };
	p->current = 1;
	p->pid = (int32_t)getpid();
	p->spawned_ns = p->ready_ns = clock_wall();
	(void)text_copy(p->state, sizeof(p->state), "ready");
	m->usage.cpu_ns = metric_read(
	    p, M_PROCESS_CPU, 0, 0); /* another image of this process may have counted */
	m->cpus = cpus_usable();
	metric_set(&m->stats, M_CPUS, 0, 0, m->cpus);
	metric_set(&m->stats, M_GENERATION, 0, 0, m->generation);
	loop_timer_open(m->loop, &m->beat, page_beat, m);
	page_beat(m);
}

void
page_close(struct master *m)
{
	loop_timer_close(&m->beat);
}
