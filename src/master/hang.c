/* hang.c - workers whose loop stands still.
 *
 * What counts is not the time since the last heartbeat but the time that the process could have used: the master
 * adds up its own looks, so that neither a step of the clock nor a master that was itself stopped makes anybody hang, and
 * takes off what the kernel says the process waited for a processor, so that a machine at its limit does not either. A
 * loop that spins, sleeps, waits for a lock or is stopped uses the time, or lets it pass, and is found. Only one that
 * waits for a disk, and has said that it would, gets the patience it asked for.
 */
#include "master_room.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

#define HANG_LOOK_MOST_NS                                                                          \
	(500 * CLOCK_MS)	/* one look counts for no more: beyond it the master was away */
#define HANG_PATIENCE_MS 120000 /* no worker may ask for more */

/* Nanoseconds this process was ready to run and had no processor; false where the kernel does not say. */
static bool
hang_waited(pid_t pid, uint64_t *ns)
{
	char path[48], text[96];
	uint64_t ran;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)pid);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return sscanf(text, "%" SCNu64 " %" SCNu64, &ran, ns) == 2;
}

/* 'D' is a wait that nothing can interrupt: for a disk, as good as always. */
static bool
hang_waits_for_disk(pid_t pid)
{
	char path[48], text[160], *end;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	end = strrchr(text, ')');
	return end != NULL && end[1] == ' ' && end[2] == 'D';
}

static int64_t
hang_patience_ns(const struct slot *s)
{
	uint64_t ms = __atomic_load_n(&s->page->patience_ms, __ATOMIC_RELAXED);

	return (int64_t)(ms < HANG_PATIENCE_MS ? ms : HANG_PATIENCE_MS) * CLOCK_MS;
}

void
hang_add(struct hang_watch *w, uint64_t beats, int64_t since_ns, bool knows, uint64_t waited_ns)
{
	int64_t lost = 0;

	if (beats != w->beats) {
		*w = (struct hang_watch){ .beats = beats };
		return;
	}
	if (since_ns > HANG_LOOK_MOST_NS)
		since_ns = HANG_LOOK_MOST_NS;
	if (knows && w->waited_ns != 0 && waited_ns > w->waited_ns)
		lost = (int64_t)(waited_ns - w->waited_ns);
	if (knows)
		w->waited_ns = waited_ns;
	if (since_ns > lost)
		w->still_ns += since_ns - lost;
}

/* The kernel is asked only of those that have been still for a while: a healthy one costs two loads. */
static void
hang_look_at(struct slot *s, int64_t since_ns)
{
	uint64_t beats = __atomic_load_n(&s->page->beats, __ATOMIC_RELAXED), waited = 0;
	int64_t limit = s->master->conf.supervisor_hang_timeout * CLOCK_MS;
	int64_t patience = hang_patience_ns(s);
	bool asks = beats == s->hang.beats && s->hang.still_ns >= limit / 4, knows;

	if (asks && patience > 0 && hang_waits_for_disk(s->pid)) {
		s->hang.disk_ns += since_ns < HANG_LOOK_MOST_NS ? since_ns : HANG_LOOK_MOST_NS;
		if (s->hang.disk_ns >= patience)
			slot_event(s, SLOT_ON_HUNG);
		return;
	}
	knows = asks && hang_waited(s->pid, &waited);
	hang_add(&s->hang, beats, since_ns, knows, waited);
	if (s->hang.still_ns >= limit)
		slot_event(s, SLOT_ON_HUNG);
}

void
hang_look(struct master *m, int64_t since_ns)
{
	struct slot *s;
	size_t i;

	if (m->conf.supervisor_hang_timeout == 0)
		return;
	for (i = 0; i < m->slot_count; i++) {
		s = &m->slots[i];
		if (slot_has_process(s) && (s->state == SLOT_READY || s->state == SLOT_RENEWING ||
					       s->state == SLOT_DRAINING))
			hang_look_at(s, since_ns);
	}
}
