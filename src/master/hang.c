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
#include "text.h"

#define HANG_LOOK_MOST_NS                                                                          \
	(500 * CLOCK_MS)	/* one look counts for no more: beyond it the master was away */
#define HANG_PATIENCE_MS 120000 /* no worker may ask for more */

static bool
hang_read(pid_t pid, const char *name, char *text, size_t size)
{
	char path[48];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return false;
	n = read(fd, text, size - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* What the kernel says of the process at this moment. */
static void
hang_see(pid_t pid, struct hang_sight *seen)
{
	char text[192], *end;

	*seen = (struct hang_sight){ .state = '?' };
	if (hang_read(pid, "stat", text, sizeof(text)) && (end = strrchr(text, ')')) != NULL &&
	    end[1] == ' ')
		seen->state = end[2];
	seen->known = hang_read(pid, "schedstat", text, sizeof(text)) &&
		      sscanf(text, "%" SCNu64 " %" SCNu64, &seen->ran_ns, &seen->waited_ns) == 2;
}

void
hang_text(pid_t pid, char *out, size_t size)
{
	struct hang_sight seen;
	char place[64];

	hang_see(pid, &seen);
	if (!hang_read(pid, "wchan", place, sizeof(place)) || place[0] == '0')
		(void)text_copy(place, sizeof(place), "a place it does not tell");
	(void)snprintf(out, size, "state %c, waiting in %s", seen.state, place);
}

static int64_t
hang_patience_ns(const struct slot *s)
{
	uint64_t ms = __atomic_load_n(&s->page->patience_ms, __ATOMIC_RELAXED);

	return (int64_t)(ms < HANG_PATIENCE_MS ? ms : HANG_PATIENCE_MS) * CLOCK_MS;
}

/* The kernel adds up a wait when it ends: so what was counted too early is taken off again, and a process that is
 * ready to run and did not run at all waits still. */
static int64_t
hang_lost(struct hang_watch *w, int64_t since_ns, const struct hang_sight *seen)
{
	int64_t lost = 0;

	if (!seen->known)
		return 0;
	if (w->sighted && seen->waited_ns > w->waited_ns)
		lost = (int64_t)(seen->waited_ns - w->waited_ns);
	if (w->sighted && seen->state == 'R' && seen->ran_ns == w->ran_ns && lost < since_ns)
		lost = since_ns;
	w->sighted = true;
	w->waited_ns = seen->waited_ns;
	w->ran_ns = seen->ran_ns;
	return lost;
}

void
hang_add(struct hang_watch *w, uint64_t beats, int64_t since_ns, const struct hang_sight *seen)
{
	if (beats != w->beats) {
		*w = (struct hang_watch){ .beats = beats };
		return;
	}
	if (since_ns > HANG_LOOK_MOST_NS)
		since_ns = HANG_LOOK_MOST_NS;
	w->still_ns += since_ns - hang_lost(w, since_ns, seen);
	if (w->still_ns < 0)
		w->still_ns = 0;
}

/* The kernel is asked only of those that have been still for a while: a healthy one costs two loads. */
static void
hang_look_at(struct slot *s, int64_t since_ns)
{
	uint64_t beats = __atomic_load_n(&s->page->beats, __ATOMIC_RELAXED);
	int64_t limit = s->master->conf.supervisor_hang_timeout * CLOCK_MS;
	int64_t patience = hang_patience_ns(s);
	struct hang_sight seen = { .known = false };

	if (beats == s->hang.beats && (s->hang.sighted || s->hang.still_ns >= limit / 4))
		hang_see(s->pid, &seen);
	if (seen.state == 'D' && patience > 0) {
		s->hang.disk_ns += since_ns < HANG_LOOK_MOST_NS ? since_ns : HANG_LOOK_MOST_NS;
		if (s->hang.disk_ns >= patience)
			slot_event(s, SLOT_ON_HUNG);
		return;
	}
	hang_add(&s->hang, beats, since_ns, &seen);
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
